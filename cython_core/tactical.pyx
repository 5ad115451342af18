"""Weights of a vector array scheduled ahead (Bit-Tactical): zero weights leave their places to later ones."""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free as release

from cython_core.terms cimport steps_of


def schedule(uint8_t[:, :, ::1] pending, const int32_t[:, ::1] offsets, int32_t[:, :, ::1] sources):
    """pending: [filters, T, lanes] weights that are not zero, used up; offsets: [n, 2] (steps ahead, lanes aside, modulo
    the lanes), tried in order where a place has no weight of its own. Fills sources: [T, filters, lanes] step * lanes +
    lane of the weight that a place takes, -1 = none; returns how many steps are left. All filters move together, and
    steps without a weight for any of them take none."""
    cdef Py_ssize_t F = pending.shape[0], T = pending.shape[1], L = pending.shape[2], head = 0, found = 0
    cdef Py_ssize_t f, l, n, t, m
    cdef bint empty
    with nogil:
        while head < T:
            empty = True
            for f in range(F):
                for l in range(L):
                    if pending[f, head, l]:
                        empty = False
                        break
                if not empty:
                    break
            if empty:
                head += 1
                continue
            for f in range(F):
                for l in range(L):
                    sources[found, f, l] = -1
                    if pending[f, head, l]:
                        pending[f, head, l] = 0
                        sources[found, f, l] = <int32_t>(head * L + l)
                for l in range(L):
                    if sources[found, f, l] >= 0:
                        continue
                    for n in range(offsets.shape[0]):
                        t = head + offsets[n, 0]
                        m = (l + offsets[n, 1]) % L
                        m = m + L if m < 0 else m
                        if t < T and pending[f, t, m]:
                            pending[f, t, m] = 0
                            sources[found, f, l] = <int32_t>(t * L + m)
                            break
            found += 1
            head += 1
    return found


def costs(
    const int32_t[:, :, ::1] entries, const int32_t[:, :, ::1] sources, Py_ssize_t steps, bint two_stage, int reach,
    int32_t[:, ::1] out,
):
    """entries: [windows, T, lanes] what an activation costs: cycles, or its terms if ``two_stage``; sources: as
    ``schedule`` fills them, ``steps`` of them. out: [steps, windows] cycles of the slowest filter, at least 1."""
    cdef Py_ssize_t W = entries.shape[0], L = entries.shape[2], F = sources.shape[1], s, w, f, l
    cdef int32_t top, each, at
    cdef const int32_t *mine
    cdef uint32_t *words = <uint32_t *>calloc(L + 1, sizeof(uint32_t))
    if words == NULL:
        raise MemoryError("costs: no memory for a brick")
    with nogil:
        for s in range(steps):
            for w in range(W):
                mine = &entries[w, 0, 0]
                top = 1
                for f in range(F):
                    each = 0
                    for l in range(L):
                        at = sources[s, f, l]
                        words[l] = <uint32_t>mine[at] if at >= 0 else 0
                        each = <int32_t>words[l] if <int32_t>words[l] > each else each
                    if two_stage:
                        each = steps_of(words, L, reach)
                    top = each if each > top else top
                out[s, w] = top
    release(words)
