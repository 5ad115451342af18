"""Work grid -> cycles and lane-slot states: the recurrence of docs/model.md, section 3, O(T*L) whatever the number of cycles.

A grid is a table of rows, cost[t, l] = table[rows[t], l], so that repeated steps (the columns of a weight matrix)
are stored once.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free as release, malloc

# terms that can set a start, in order of precedence at a tie
cdef enum:
    AVAIL = 0
    WAIT = 1
    GAP = 2
    LINK = 3
    OUTPUT = 4

#: a slot never yet taken: far enough back that no shift to a new base makes it count
cdef int64_t NEVER = -(1 << 60)


cdef inline int64_t lane_max(const int64_t *values, Py_ssize_t n) noexcept nogil:
    cdef int64_t top = 0
    cdef Py_ssize_t l
    for l in range(n):
        if values[l] > top:
            top = values[l]
    return top


cdef inline int32_t broadcast_step(
    int32_t *finish, const int32_t *cost, int32_t ready, Py_ssize_t lanes, int64_t *idle
) noexcept nogil:
    """One step of the vector path: lanes start at max(ready, finish); returns the latest start."""
    cdef int32_t start, before, top = ready, waited = 0
    cdef Py_ssize_t l
    for l in range(lanes):
        before = finish[l]
        start = before if before > ready else ready
        waited += start - before
        top = start if start > top else top
        finish[l] = start + cost[l]
    idle[0] = waited
    return top


def broadcast(
    const int32_t[:, ::1] table, const int32_t[::1] rows, const uint8_t[::1] bar, const int64_t[::1] avail,
    int64_t depth, int64_t gap, int64_t lat, int64_t free,
):
    """Grid without link and output queue, in 32-bit vector arithmetic.

    table: [rows, L] cycles, floor already applied. rows: [T] row of each step. bar: [T] 1 = barrier before the step.
    avail: [T] earliest issue, counted from the last barrier (length 0: always available; 0 = no bound).
    depth: input queue slots, 0 = unbounded. The caller bounds the sum of row maxima between barriers times L to 2^31.
    Returns (cycles, idle) with idle: [5] lane-slots by term (avail, queue or barrier, gap or latency, link, output)
    and the wait after a lane's last finish in the second.
    """
    cdef Py_ssize_t T = rows.shape[0], L = table.shape[1], t, l, slot
    cdef bint has_avail = avail.shape[0] > 0
    cdef int64_t base = 0, waited = 0, idle[5], issue, top
    cdef int cause
    cdef int32_t *finish
    cdef int64_t *starts
    for l in range(5):
        idle[l] = 0
    if T == 0 or L == 0:
        return 0, [0, 0, 0, 0, 0]
    finish = <int32_t *>calloc(L, sizeof(int32_t))
    starts = <int64_t *>malloc((depth if depth > 0 else 1) * sizeof(int64_t))
    if finish == NULL or starts == NULL:
        release(finish)
        release(starts)
        raise MemoryError("recurrence: no memory for one row of lanes")
    with nogil:
        # times are relative to `base`, the moment of the last barrier, so that 32 bits last for one product
        issue = 0
        for t in range(depth):
            starts[t] = NEVER
        slot = 0
        for t in range(T):
            cause = GAP
            if t == 0:
                issue = avail[0] if has_avail else 0
                cause = AVAIL if issue > 0 else GAP
            elif bar[t]:
                top = 0
                for l in range(L):
                    if finish[l] > top:
                        top = finish[l]
                base += top
                for l in range(L):
                    finish[l] -= <int32_t>top
                for l in range(depth):
                    starts[l] -= top
                issue = issue + gap - top
                cause = GAP
                if issue <= 0:
                    issue = 0
                    cause = WAIT
                if depth > 0 and starts[slot] + free >= issue:
                    issue = starts[slot] + free
                    cause = WAIT
                if has_avail and avail[t] > 0 and avail[t] >= issue:
                    issue = avail[t]
                    cause = AVAIL
            else:
                issue += gap
                if depth > 0 and starts[slot] + free >= issue:
                    issue = starts[slot] + free
                    cause = WAIT
                if has_avail and avail[t] > 0 and avail[t] >= issue:
                    issue = avail[t]
                    cause = AVAIL
            top = broadcast_step(finish, &table[rows[t], 0], <int32_t>(issue + lat), L, &waited)
            if t == 0:  # the first `lat` cycles of a tile are dispatch, the rest is the term's
                idle[GAP] += lat * L
                idle[cause] += waited - lat * L
            else:
                idle[cause] += waited
            if depth > 0:
                starts[slot] = top
                slot += 1
                if slot == depth:
                    slot = 0
        top = 0
        for l in range(L):
            if finish[l] > top:
                top = finish[l]
        for l in range(L):
            idle[WAIT] += top - finish[l]
        base += top
        release(finish)
        release(starts)
    return base, [idle[l] for l in range(5)]


def schedule(
    const int32_t[:, ::1] table, const int32_t[::1] rows, const uint8_t[::1] bar, const int64_t[::1] avail,
    const int32_t[::1] link, int64_t depth, int64_t gap, int64_t lat, int64_t free, int64_t hop,
    int64_t out_depth, int64_t out_cycles,
):
    """The whole recurrence, in 64 bits.

    As ``broadcast``, and: link: [L] the lane each lane takes operands from, -1 = none, always a lower lane (length 0:
    no links), ``hop`` cycles later. out_depth: entries of a lane's output queue (0 = unbounded), emptied one entry
    every ``out_cycles`` cycles. Returns (cycles, idle) as ``broadcast``.
    """
    cdef Py_ssize_t T = rows.shape[0], L = table.shape[1], t, l, slot = 0, out_slot = 0
    cdef bint has_avail = avail.shape[0] > 0, has_link = link.shape[0] > 0
    cdef int64_t idle[5], issue = 0, bound, base = 0, top = 0, ready, began, last
    cdef int cause, why
    cdef int64_t *finish
    cdef int64_t *start
    cdef int64_t *starts
    cdef int64_t *taken
    for l in range(5):
        idle[l] = 0
    if T == 0 or L == 0:
        return 0, [0, 0, 0, 0, 0]
    finish = <int64_t *>calloc(L, sizeof(int64_t))
    start = <int64_t *>calloc(L, sizeof(int64_t))
    starts = <int64_t *>calloc(depth + 1, sizeof(int64_t))
    taken = <int64_t *>calloc(L * (out_depth + 1), sizeof(int64_t))  # ring of the times at which outputs left
    if finish == NULL or start == NULL or starts == NULL or taken == NULL:
        release(finish)
        release(start)
        release(starts)
        release(taken)
        raise MemoryError("recurrence: no memory for one row of lanes")
    with nogil:
        for t in range(T):
            cause = GAP
            if t == 0:
                issue = avail[0] if has_avail else 0
                cause = AVAIL if issue > 0 else GAP
            else:
                issue += gap
                if depth > 0 and t >= depth:
                    bound = starts[slot] + free
                    if bound >= issue:
                        issue = bound
                        cause = WAIT
                if bar[t]:
                    base = lane_max(finish, L)
                    if base >= issue:
                        issue = base
                        cause = WAIT
                if has_avail and avail[t] > 0 and base + avail[t] >= issue:
                    issue = base + avail[t]
                    cause = AVAIL
            top = 0
            for l in range(L):
                ready = issue + lat
                why = cause
                if has_link and link[l] >= 0 and start[link[l]] + hop > ready:
                    ready = start[link[l]] + hop
                    why = LINK
                if out_depth > 0 and t >= out_depth and taken[l * out_depth + out_slot] > ready:
                    ready = taken[l * out_depth + out_slot]
                    why = OUTPUT
                began = finish[l]
                if ready > began:
                    if t == 0 and (why == AVAIL or why == GAP):
                        idle[GAP] += lat
                        idle[why] += ready - began - lat
                    else:
                        idle[why] += ready - began
                    began = ready
                start[l] = began
                if began > top:
                    top = began
                finish[l] = began + table[rows[t], l]
                if out_depth > 0:
                    last = taken[l * out_depth + (out_slot + out_depth - 1) % out_depth] if t > 0 else 0
                    if finish[l] > last:
                        last = finish[l]
                    taken[l * out_depth + out_slot] = last + out_cycles
            if depth > 0:
                starts[slot] = top
                slot = (slot + 1) % depth
            if out_depth > 0:
                out_slot = (out_slot + 1) % out_depth
        top = lane_max(finish, L)
        for l in range(L):
            idle[WAIT] += top - finish[l]
        release(finish)
        release(start)
        release(starts)
        release(taken)
    return top, [idle[l] for l in range(5)]
