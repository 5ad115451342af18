"""Steps of bit-serial vector arrays: what a brick of lanes costs, and when columns of windows do their steps."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free as release

from cython_core.terms cimport WIDE, put, steps_of, term_t
from cython_core.window cimport Pixel, Window, column_of, pixel_of, row_of, window_of


cdef inline int64_t group_width(uint64_t pattern, bint trim) noexcept nogil:
    """Cycles of a group whose patterns OR to this: at least one."""
    cdef int64_t width = 0  # unsigned above: the sign of a negative pattern would be shifted in for ever
    if trim:
        while pattern and not pattern & 1:
            pattern >>= 1
    while pattern:
        width += 1
        pattern >>= 1
    return width if width > 0 else 1


def two_stage(const term_t[:, :, ::1] patterns, int reach, int32_t[:, ::1] out):
    """patterns: [groups, lanes, pixels] uint16 or uint32 bits of outstanding terms -> out: [groups, pixels] steps, at
    least one each (Pragmatic's two shifters: all lanes share the first, which follows the lowest term; each reaches
    ``reach`` positions beyond)."""
    cdef Py_ssize_t lanes = patterns.shape[1], pixels = patterns.shape[2], b, c, l, p, count
    cdef term_t steps[WIDE]
    cdef term_t *words = <term_t *>calloc(lanes * WIDE + 1, sizeof(term_t))
    if words == NULL:
        raise MemoryError("two_stage: no memory for a brick")
    with nogil:
        for b in range(patterns.shape[0]):
            for c in range((pixels + WIDE - 1) // WIDE):
                count = pixels - c * WIDE if pixels - c * WIDE < WIDE else WIDE
                for l in range(lanes):
                    put(&patterns[b, l, c * WIDE], count, words + l * WIDE)
                steps_of(words, lanes, reach, steps)
                for p in range(count):
                    out[b, c * WIDE + p] = steps[p] if steps[p] > 0 else 1
    release(words)


def widths(const int32_t[:, ::1] patterns, bint trim, int32_t[::1] out):
    """patterns: [groups, values] -> out: [groups] bits from the highest set bit of their OR to bit 0, or with ``trim``
    to the lowest; at least 1."""
    cdef Py_ssize_t g, v
    cdef int64_t every
    with nogil:
        for g in range(patterns.shape[0]):
            every = 0
            for v in range(patterns.shape[1]):
                every |= patterns[g, v]
            out[g] = <int32_t>group_width(every, trim)


def gather(
    const int32_t[:, :, :, ::1] bricks, const int64_t[::1] geometry, int64_t first, int64_t last, int64_t b_first,
    int64_t b_last, int32_t padding, int32_t[:, :, ::1] out,
):
    """What output pixels [first, last) (N, E, F order) read of bricks [b_first, b_last) of channels.

    bricks: [N, H, W, bricks]; geometry: as in window.pxd; padding: value of a tap outside the map. out: [window groups,
    (b_last - b_first)*R*S steps, windows], bricks outside and taps inside; places beyond the last pixel are untouched.
    """
    cdef Window s = window_of(geometry)
    cdef Pixel at
    cdef int64_t windows = out.shape[2], taps = s.R * s.S, p, b, r, q, h, w, g, l
    with nogil:
        for p in range(first, last):
            g = (p - first) // windows
            l = (p - first) % windows
            at = pixel_of(&s, p)
            for r in range(s.R):
                h = row_of(&s, at.e, r)
                for q in range(s.S):
                    w = column_of(&s, at.f, q)
                    if h >= 0 and w >= 0:
                        for b in range(b_first, b_last):
                            out[g, (b - b_first) * taps + r * s.S + q, l] = bricks[at.n, h, w, b]
                    else:
                        for b in range(b_first, b_last):
                            out[g, (b - b_first) * taps + r * s.S + q, l] = padding


def pair_max(
    const int32_t[:, :, ::1] codes, const int32_t[:, :, ::1] weights, const int32_t[:, ::1] table, int32_t[::1] out
):
    """The dearest product of every step of a window. codes: [steps, windows, lanes] rows of the table; weights: [steps,
    filters, lanes] columns of it; out: [steps * windows]."""
    cdef Py_ssize_t t, v, f, l, windows = codes.shape[1]
    cdef int32_t top, each
    with nogil:
        for t in range(codes.shape[0]):
            for v in range(windows):
                top = 0
                for f in range(weights.shape[1]):
                    for l in range(codes.shape[2]):
                        each = table[codes[t, v, l], weights[t, f, l]]
                        top = each if each > top else top
                out[t * windows + v] = top


def columns(
    const int32_t[:, ::1] cost, const int32_t[::1] rows, const int32_t[::1] mapped, const int32_t[::1] height,
    int64_t high, int64_t depth,
):
    """When columns of ``high`` lanes do steps of which they may run ahead.

    cost: [rows, columns] cycles; step t costs cost[rows[t]] in its first mapped[t] columns, height[t] lanes of which
    have work; the others are idle and cost nothing. depth: 0 = all columns begin a step together, d > 0 = a column may
    begin step t when all have begun step t - d (d registers hold what it needs of steps begun by others), < 0 = freely.
    Returns (cycles, busy, waiting, unmapped): lane-slots whose sum is cycles * columns * high.
    """
    cdef Py_ssize_t T = rows.shape[0], L = cost.shape[1], t, l, slot = 0
    cdef int64_t issue, start, top, busy = 0, waiting = 0, unmapped = 0, idle, used
    cdef int64_t *finish = <int64_t *>calloc(L + 1, sizeof(int64_t))
    cdef int64_t *starts = <int64_t *>calloc((depth if depth > 0 else 0) + 1, sizeof(int64_t))
    if finish == NULL or starts == NULL:
        release(finish)
        release(starts)
        raise MemoryError("columns: no memory for one row of columns")
    with nogil:
        for t in range(T):
            issue = 0
            if depth == 0:
                for l in range(L):
                    issue = finish[l] if finish[l] > issue else issue
            elif depth > 0:
                issue = starts[slot]
            top = 0
            for l in range(L):
                start = finish[l] if finish[l] > issue else issue
                idle = start - finish[l]
                if l < mapped[t]:
                    used = cost[rows[t], l]
                    busy += used * height[t]
                    waiting += idle * height[t]
                    unmapped += (used + idle) * (high - height[t])
                    finish[l] = start + used
                else:
                    unmapped += idle * high
                    finish[l] = start
                top = start if start > top else top
            if depth > 0:
                starts[slot] = top
                slot = (slot + 1) % depth
        top = 0
        for l in range(L):
            top = finish[l] if finish[l] > top else top
        for l in range(L):
            if T > 0 and l < mapped[T - 1]:
                waiting += (top - finish[l]) * height[T - 1]
                unmapped += (top - finish[l]) * (high - height[T - 1])
            else:
                unmapped += (top - finish[l]) * high
    release(finish)
    release(starts)
    return top, busy, waiting, unmapped


def staggered(
    const int32_t[::1] cost, const int32_t[::1] column, const int32_t[::1] height, Py_ssize_t L, int64_t high
):
    """Columns that each take other weights: one column a cycle is fed, in order, and works while the others are fed.

    cost: [T] cycles of step t in column[t], height[t] of its ``high`` lanes have work; L: columns. Returns (cycles,
    busy, waiting, unmapped) as ``columns``: a column waits from its first step to its last, else it is unmapped.
    """
    cdef Py_ssize_t T = cost.shape[0], t, l
    cdef int64_t start, last = -1, top = 0, busy = 0, waiting = 0, unmapped = 0, idle
    cdef int64_t *finish = <int64_t *>calloc(L + 1, sizeof(int64_t))
    cdef int64_t *used = <int64_t *>calloc(L + 1, sizeof(int64_t))  # lanes of the column's step before
    if finish == NULL or used == NULL:
        release(finish)
        release(used)
        raise MemoryError("staggered: no memory for one row of columns")
    with nogil:
        for t in range(T):
            l = column[t]
            start = last + 1 if last + 1 > finish[l] else finish[l]
            idle = start - finish[l]
            busy += <int64_t>cost[t] * height[t]
            waiting += idle * height[t]
            unmapped += (cost[t] + idle) * (high - height[t])
            finish[l] = start + cost[t]
            used[l] = height[t]
            last = start
            top = finish[l] if finish[l] > top else top
        for l in range(L):
            waiting += (top - finish[l]) * used[l]
            unmapped += (top - finish[l]) * (high - used[l])
    release(finish)
    release(used)
    return top, busy, waiting, unmapped
