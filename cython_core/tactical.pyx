"""Weights of a vector array scheduled ahead (Bit-Tactical): zero weights leave their places to later ones."""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free as release

from cython_core.terms cimport WIDE, put, steps_of, term_t


def schedule(uint8_t[:, :, ::1] pending, const int32_t[:, ::1] offsets, int32_t[:, :, ::1] sources):
    """pending: [filters, T, lanes] weights that are not zero, used up; offsets: [n, 2] (steps ahead, lanes aside, modulo
    the lanes), tried in order where a place has no weight of its own. Fills sources: [T, filters, lanes] step * lanes +
    lane of the weight that a place takes, -1 = none; returns how many steps are left. All filters move together, and
    steps without a weight for any of them take none. ValueError for an offset that does not look ahead."""
    cdef Py_ssize_t F = pending.shape[0], T = pending.shape[1], L = pending.shape[2], O = offsets.shape[0]
    cdef Py_ssize_t head = 0, found = 0, f, l, n
    cdef int32_t *aside = <int32_t *>calloc(O * L + 1, sizeof(int32_t))  # [offsets, lanes]: where a lane looks
    if aside == NULL:
        raise MemoryError("schedule: no memory for the lanes")
    for n in range(O):
        if offsets[n, 0] < 1:
            release(aside)
            raise ValueError(f"schedule: a place cannot look {offsets[n, 0]} steps ahead")
    with nogil:
        for n in range(O):
            for l in range(L):
                aside[n * L + l] = <int32_t>(((l + offsets[n, 1]) % L + L) % L)
        while head < T:
            for f in range(F):
                if any_of(&pending[f, head, 0], L):
                    break
            else:
                head += 1
                continue
            for f in range(F):
                place(&pending[f, 0, 0], head, T, L, offsets, aside, &sources[found, f, 0])
            found += 1
            head += 1
    release(aside)
    return found


cdef inline bint any_of(const uint8_t *row, Py_ssize_t lanes) noexcept nogil:
    cdef uint8_t some = 0
    cdef Py_ssize_t l
    for l in range(lanes):
        some |= row[l]
    return some != 0


cdef inline void place(
    uint8_t *pending, Py_ssize_t head, Py_ssize_t T, Py_ssize_t L, const int32_t[:, ::1] offsets, const int32_t *aside,
    int32_t *sources,
) noexcept nogil:
    """What one filter's lanes take in the step of ``head``; pending: [T, L] of it."""
    cdef Py_ssize_t l, n, t
    cdef int32_t m
    for l in range(L):
        sources[l] = <int32_t>(head * L + l) if pending[head * L + l] else -1
        pending[head * L + l] = 0
    for n in range(offsets.shape[0]):
        t = head + offsets[n, 0]
        if t < T and any_of(pending + t * L, L):
            break
    else:
        return
    for l in range(L):
        if sources[l] >= 0:
            continue
        for n in range(offsets.shape[0]):
            t = head + offsets[n, 0]
            m = aside[n * L + l]
            if t < T and pending[t * L + m]:
                pending[t * L + m] = 0
                sources[l] = <int32_t>(t * L + m)
                break


def costs(
    const term_t[:, :, ::1] entries, const int32_t[:, :, ::1] sources, bint two_stage, int reach, int32_t[:, ::1] out
):
    """entries: [T, lanes, windows] uint16 or uint32 what an activation costs: cycles, or its terms if ``two_stage``;
    sources: [steps, filters, lanes] as ``schedule`` fills them. out: [steps, windows] cycles of the slowest filter, at
    least 1."""
    cdef Py_ssize_t L = entries.shape[1], W = entries.shape[2], s, c, f, l, p, count
    cdef int32_t at
    cdef term_t top[WIDE]
    cdef term_t each[WIDE]
    cdef term_t *words = <term_t *>calloc(L * WIDE + 1, sizeof(term_t))
    if words == NULL:
        raise MemoryError("costs: no memory for a brick")
    with nogil:
        for s in range(sources.shape[0]):
            for c in range((W + WIDE - 1) // WIDE):
                count = W - c * WIDE if W - c * WIDE < WIDE else WIDE
                for p in range(WIDE):
                    top[p] = 1
                for f in range(sources.shape[1]):
                    for l in range(L):
                        at = sources[s, f, l]
                        if at >= 0:
                            put(&entries[at // L, at % L, c * WIDE], count, words + l * WIDE)
                        else:
                            put(NULL, 0, words + l * WIDE)
                    if two_stage:
                        steps_of(words, L, reach, each)
                    else:
                        dearest(words, L, each)
                    for p in range(WIDE):
                        top[p] = each[p] if each[p] > top[p] else top[p]
                for p in range(count):
                    out[s, c * WIDE + p] = top[p]
    release(words)


cdef inline void dearest(const term_t *words, Py_ssize_t lanes, term_t *top) noexcept nogil:
    """words: [lanes, WIDE] cycles -> the most of every column."""
    cdef Py_ssize_t l, p
    for p in range(WIDE):
        top[p] = 0
    for l in range(lanes):
        for p in range(WIDE):
            top[p] = words[l * WIDE + p] if words[l * WIDE + p] > top[p] else top[p]
