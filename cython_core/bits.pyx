"""Bit streams: packing of fixed-width fields, and relative-index (zero-run) coding of slices."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


def pack(const uint32_t[::1] values, int width, uint8_t[::1] out):
    """values: fields of ``width`` bits (1..32), laid down least significant bit first; out: zeroed, ceil(n*width/8)."""
    cdef Py_ssize_t i, b, bit = 0
    cdef uint32_t v
    with nogil:
        for i in range(values.shape[0]):
            v = values[i]
            for b in range(width):
                out[bit >> 3] |= <uint8_t>(((v >> b) & 1) << (bit & 7))
                bit += 1


def unpack(const uint8_t[::1] data, int width, Py_ssize_t first_bit, uint32_t[::1] out):
    """The inverse of ``pack``, from bit ``first_bit`` on; the caller sees to it that the stream is long enough."""
    cdef Py_ssize_t i, b, bit = first_bit
    cdef uint32_t v
    with nogil:
        for i in range(out.shape[0]):
            v = 0
            for b in range(width):
                v |= <uint32_t>((data[bit >> 3] >> (bit & 7)) & 1) << b
                bit += 1
            out[i] = v


def run_counts(const uint8_t[:, ::1] kept, int64_t span, int32_t[::1] entries):
    """entries: [slices] stored entries of each slice, fillers included.

    kept: [slices, length] 1 = stored. A run of z zeros before an entry takes z // span fillers, each of which stands
    for span positions (span - 1 zeros and its own); zeros after the last entry are free. ValueError if span < 1.
    """
    if span < 1:
        raise ValueError(f"run_counts: a run of {span} positions never ends")
    cdef Py_ssize_t i, j, length = kept.shape[1]
    cdef int64_t zeros
    cdef int32_t n
    with nogil:
        for i in range(kept.shape[0]):
            zeros = 0
            n = 0
            for j in range(length):
                if kept[i, j]:
                    n += 1 + <int32_t>(zeros // span) if zeros >= span else 1
                    zeros = 0
                else:
                    zeros += 1
            entries[i] = n


def run_encode(
    const uint32_t[:, ::1] symbols, const uint8_t[:, ::1] kept, int64_t span, uint32_t filler,
    uint32_t[::1] out_symbol, uint32_t[::1] out_run,
):
    """The entries ``run_counts`` counted: symbol and number of zeros before it (0..span-1), slice after slice."""
    if span < 1:
        raise ValueError(f"run_encode: a run of {span} positions never ends")
    cdef Py_ssize_t i, j, n = 0
    cdef int64_t zeros
    with nogil:
        for i in range(kept.shape[0]):
            zeros = 0
            for j in range(kept.shape[1]):
                if not kept[i, j]:
                    zeros += 1
                    continue
                while zeros >= span:
                    out_symbol[n] = filler
                    out_run[n] = <uint32_t>(span - 1)
                    n += 1
                    zeros -= span
                out_symbol[n] = symbols[i, j]
                out_run[n] = <uint32_t>zeros
                n += 1
                zeros = 0
    return n


def run_positions(const uint32_t[::1] runs, const int32_t[::1] entries, int32_t[::1] positions):
    """positions: [entries] place of each entry within its slice, as the decoder's address adder makes it."""
    cdef Py_ssize_t i, n = 0, k
    cdef int32_t at
    with nogil:
        for i in range(entries.shape[0]):
            at = -1
            for k in range(entries[i]):
                at += <int32_t>runs[n] + 1
                positions[n] = at
                n += 1
