"""Byte runs -> the bursts of each DRAM channel."""

from libc.stdint cimport int64_t


cdef inline int64_t field(int64_t burst, const int64_t[:, ::1] address_map, Py_ssize_t level) noexcept nogil:
    return (burst >> address_map[level, 0]) & ((<int64_t>1 << address_map[level, 1]) - 1)


def cut(
    const int64_t[:, ::1] runs, int64_t burst_bits, const int64_t[:, ::1] address_map, bint join, int64_t tag,
    int64_t[:, :, ::1] pending, int64_t[:, ::1] ends,
) -> int:
    """Appends the bursts of byte runs to each channel's pending ones; returns how many.

    runs: [n, 6] address, bytes, count, stride, arrival (memory clock), is_write. burst_bits: log2 of a burst's bytes.
    address_map: [6, 2] lowest bit and number of bits, above the burst, of channel, rank, bank group, bank, row, column.
    join: a burst that is also the last one appended is not appended again. tag: 2 x ticket. pending, ends: as in
    ``dram.advance``, with room for every burst.
    """
    cdef Py_ssize_t i, channel
    cdef int64_t k, address, burst, last, before = -1, total = 0, *line
    with nogil:
        for i in range(runs.shape[0]):
            for k in range(runs[i, 2]):
                if runs[i, 1] <= 0:
                    break
                address = runs[i, 0] + k * runs[i, 3]
                last = (address + runs[i, 1] - 1) >> burst_bits
                for burst in range(address >> burst_bits, last + 1):
                    if join and burst == before:
                        continue
                    before = burst
                    total += 1
                    channel = field(burst, address_map, 0)
                    line = &pending[channel, ends[channel, 1], 0]
                    ends[channel, 1] += 1
                    line[0] = runs[i, 4]
                    line[1] = (field(burst, address_map, 1) << address_map[2, 1]) | field(burst, address_map, 2)
                    line[1] = (line[1] << address_map[3, 1]) | field(burst, address_map, 3)
                    line[2] = field(burst, address_map, 4)
                    line[3] = field(burst, address_map, 5)
                    line[4] = tag | runs[i, 5]
    return total
