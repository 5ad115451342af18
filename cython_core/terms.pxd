"""How the terms of bricks of lanes are consumed, ``WIDE`` bricks at a time, for the kernels that need it.

Bricks lie side by side (lane after lane of [lanes, WIDE] words), so that every loop over them is one of fixed length
that compilers turn into vector instructions of any machine.
"""

from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef enum:
    WIDE = 16
    FOLDED = 8  # 64-bit words of WIDE 32-bit ones


ctypedef fused term_t:
    uint16_t
    uint32_t


cdef inline void put(const term_t *row, Py_ssize_t count, term_t *words) noexcept nogil:
    """Copies a lane's words of ``count`` bricks; those up to WIDE have none."""
    cdef Py_ssize_t p
    if count >= WIDE:
        for p in range(WIDE):
            words[p] = row[p]
    else:
        for p in range(WIDE):
            words[p] = row[p] if p < count else 0


cdef inline void steps_of(term_t *words, Py_ssize_t lanes, int reach, term_t *steps) noexcept nogil:
    """Steps in which each brick's terms are consumed, lowest first; a step takes one of each lane within the reach.
    Uses ``words`` up."""
    cdef term_t every[WIDE]  # terms that some lane of the brick has
    cdef term_t lowest[WIDE]
    cdef term_t beyond[WIDE]  # positions out of reach
    cdef uint64_t folded[FOLDED]
    cdef uint64_t left
    cdef term_t word
    cdef Py_ssize_t l, p
    cdef int i
    for p in range(FOLDED):
        folded[p] = 0
    for p in range(WIDE):
        every[p] = 0
        steps[p] = 0
    for l in range(lanes):
        for p in range(WIDE):
            every[p] |= words[l * WIDE + p]
    while True:
        memcpy(folded, every, sizeof(every))
        left = 0
        for p in range(FOLDED):
            left |= folded[p]
        if not left:
            return
        for p in range(WIDE):
            lowest[p] = every[p] & <term_t>(0 - every[p])
            beyond[p] = lowest[p]
            steps[p] += every[p] != 0
            every[p] = 0
        for i in range(reach):
            for p in range(WIDE):
                beyond[p] = <term_t>(beyond[p] + beyond[p]) | lowest[p]
        for p in range(WIDE):
            beyond[p] = ~beyond[p]
        for l in range(lanes):
            for p in range(WIDE):
                word = words[l * WIDE + p]
                word &= <term_t>(word - 1) | beyond[p]  # without its lowest term, where that is within reach
                words[l * WIDE + p] = word
                every[p] |= word
