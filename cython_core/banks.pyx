"""Accesses of one step to a memory of several banks: how many cycles until the fullest bank is through."""

from libc.stdint cimport int64_t, uint64_t


def conflicts(
    const int64_t[:, ::1] addresses, int64_t per_word, int64_t banks, int64_t ports, int64_t[::1] cycles,
):
    """Fills cycles: [T] max over banks of ceil(different words in the bank / ports), 0 for a step without access.

    addresses: [T, A] of each step's accesses, negative = none; per_word: addresses in a word (its bits for bit
    addresses, its bytes for byte addresses); word w lies in bank w mod banks. per_word, banks, ports: at least 1.
    Returns the words accessed in all steps: equal words of one step are one access. ValueError for less than 1.
    """
    if min(per_word, banks, ports) < 1:
        raise ValueError(f"conflicts: {banks} banks of {ports} ports, {per_word} addresses in a word: expected 1 or more")
    from array import array  # a buffer of our own keeps numpy out of the kernels

    cdef Py_ssize_t T = addresses.shape[0], A = addresses.shape[1], t, a, bank
    cdef int bits = 1
    cdef int64_t last_bank = banks - 1
    cdef bint power = banks & last_bank == 0  # a division takes as long as all the rest
    while (1 << bits) < 2 * A:
        bits += 1
    cdef Py_ssize_t size = <Py_ssize_t>1 << bits, at
    cdef int64_t word, most, total = 0
    # a hash set of the step's words and a count per bank; an entry is valid in the step whose stamp it bears
    cdef int64_t[::1] held = array("q", bytes(8 * size)), held_in = array("q", bytes(8 * size))
    cdef int64_t[::1] count = array("q", bytes(8 * banks)), count_in = array("q", bytes(8 * banks))
    with nogil:
        for t in range(T):
            most = 0
            for a in range(A):
                if addresses[t, a] < 0:
                    continue
                word = addresses[t, a] // per_word
                at = <Py_ssize_t>((<uint64_t>word * <uint64_t>0x9E3779B97F4A7C15) >> (64 - bits))  # Fibonacci hashing
                while held_in[at] == t + 1 and held[at] != word:
                    at = (at + 1) & (size - 1)
                if held_in[at] == t + 1:
                    continue
                held[at] = word
                held_in[at] = t + 1
                bank = <Py_ssize_t>(word & last_bank if power else word % banks)
                if count_in[bank] != t + 1:
                    count_in[bank] = t + 1
                    count[bank] = 0
                count[bank] += 1
                most = max(most, count[bank])
                total += 1
            cycles[t] = (most + ports - 1) // ports
    return total
