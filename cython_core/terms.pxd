"""How the terms of a brick of lanes are consumed, for the kernels that need it."""

from libc.stdint cimport int32_t, uint32_t, uint64_t


cdef inline int32_t steps_of(uint32_t *words, Py_ssize_t lanes, int reach) noexcept nogil:
    """Steps in which a brick's terms are consumed, lowest first; a step takes one of each lane within the reach."""
    cdef uint32_t every = 0, window
    cdef int32_t steps = 0
    cdef Py_ssize_t l
    for l in range(lanes):
        every |= words[l]
    while every:
        window = <uint32_t>((every & (~every + 1)) * ((<uint64_t>2 << reach) - 1))  # from the lowest term of all on
        every = 0
        for l in range(lanes):
            words[l] ^= words[l] & (~words[l] + 1) & window
            every |= words[l]
        steps += 1
    return steps if steps > 0 else 1
