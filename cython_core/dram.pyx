"""Command-level DRAM channels: FR-FCFS controllers that jump from one legal command to the next.

All state lies in arrays the caller owns: ``channels`` [C, words()] holds each channel's queues, banks and counters,
``pending`` [C, n, 5] the bursts not yet taken in, ``tickets`` [k, 3] the transfers they belong to. Times are memory
clocks. In clock t a channel first issues at most one command, for bursts taken in before t, then takes in one burst.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memmove

cdef enum:
    PATIENCE = 100

COMMANDS = ("ACT", "PRE", "PREA", "RD", "WR", "REF")
COUNTS = ("ACT", "PRE", "PREA", "RD", "WR", "REF", "forwarded", "merged", "latency", "open", "precharged", "last_beat")
#: order of the ``timing`` array: geometry, controller, then gaps in clocks (see struct Timing)
TIMING = (
    "ranks", "groups", "banks", "read_depth", "write_depth", "drain_above", "drain_below", "closed", "protect_hits",
    "refresh", "rcd_rd", "rcd_wr", "rp", "ras", "rc", "rrd_s", "rrd_l", "faw", "ccd_s", "ccd_l", "rtp", "rfc", "refi",
    "read_done", "write_done", "read_to_write", "write_to_read_s", "write_to_read_l", "write_to_pre",
    "other_rr", "other_rw", "other_wr", "other_ww",
)


cdef void scan(View *v, int64_t t) noexcept nogil:
    """Chooses the next command from clock t on: active bursts, then refresh, then the oldest ready of a queue."""
    cdef Channel *c = v.channel
    cdef Timing *k = v.timing
    cdef int64_t i, n, when, waiting = 0
    cdef uint64_t bit, hits = 0, others = 0
    cdef const Request *q
    cdef const Bank *b
    c.dirty, c.when, c.kind = 0, NEVER, NOTHING
    for i in range(c.actives):
        q = &v.active[i]
        when = later(t, cas_clock(v, &v.banks[q.bank], q.tag & 1))
        if when < c.when or (when == c.when and q.age < v.active[c.index].age):
            c.when, c.kind, c.index = when, ACTIVE, i
    if c.when == t:
        return
    for i in range(k.ranks):
        if v.ranks[i].due:
            waiting += 1
            when = later(t, refresh_clock(v, i))
            if when < c.when:
                c.when, c.kind, c.index = when, REFRESH, i
    if waiting == k.ranks:
        return
    if c.write_mode:
        if c.writes < k.drain_below and c.reads > 0:
            c.write_mode = 0
    elif c.writes > k.drain_above or c.reads == 0:
        c.write_mode = 1
    q = v.writes if c.write_mode else v.reads
    n = c.writes if c.write_mode else c.reads
    for i in range(n):
        b = &v.banks[q[i].bank]
        bit = <uint64_t>1 << q[i].bank
        if b.row == q[i].row:
            if hits & bit or v.ranks[b.rank].due or (k.closed and b.active):
                continue
            hits |= bit  # a younger hit of the same bank cannot be earlier
            when = cas_clock(v, b, c.write_mode)
        elif others & bit or v.ranks[b.rank].due:
            continue
        elif b.row < 0:
            others |= bit
            when = act_clock(v, b)
        else:
            if b.active or (k.protect_hits and hits & bit):
                continue
            others |= bit
            when = b.pre
        when = later(when, t)
        if when < c.when:
            c.when, c.kind, c.index = when, QUEUED, i
            if when == t:
                return


cdef void issue(View *v, int64_t t) noexcept nogil:
    cdef Channel *c = v.channel
    cdef Request *queue = v.writes if c.write_mode else v.reads
    cdef int64_t *length = &c.writes if c.write_mode else &c.reads
    cdef Request *q = &queue[c.index]
    cdef Bank *b
    c.dirty = 1
    if c.kind == REFRESH:
        maintain(v, c.index, t)
        return
    if c.kind == ACTIVE:
        queue, length, q = v.active, &c.actives, &v.active[c.index]
        v.banks[q.bank].active = 0
    b = &v.banks[q.bank]
    if b.row == q.row:
        cas(v, q, t)
    elif b.row < 0:
        activate(v, q, t)
        v.active[c.actives] = q[0]
        c.actives += 1
    else:
        note(v, t, PRE, q.bank, q.row, q.column)
        b.row = -1
        b.act = later(b.act, t + v.timing.rp)
        close_bank(&v.ranks[b.rank], t)
        return
    length[0] -= 1
    memmove(q, q + 1, (length[0] - c.index) * sizeof(Request))


cdef void take_in(View *v, int64_t t) noexcept nogil:
    """Moves the first pending burst into its queue, if it has arrived and there is room."""
    cdef Channel *c = v.channel
    cdef Request *p = &v.pending[v.ends[0]]
    cdef int64_t i
    cdef bint write
    if v.ends[0] == v.ends[1] or p.age > t:
        return
    write = p.tag & 1
    for i in range(c.writes):  # a buffered write of the same burst serves a read and takes in a write
        if v.writes[i].row == p.row and v.writes[i].bank == p.bank and v.writes[i].column == p.column:
            c.merged += write
            c.forwarded += not write
            break
    else:
        if write and c.writes < v.timing.write_depth:
            v.writes[c.writes] = p[0]
            v.writes[c.writes].age = t
            c.writes += 1
        elif not write and c.reads < v.timing.read_depth:
            v.reads[c.reads] = p[0]
            v.reads[c.reads].age = t
            c.reads += 1
        else:
            return
        i = -1
    p.age = t
    v.ends[0] += 1
    c.dirty = 1
    if v.tickets[3 * (p.tag >> 1) + 1] < 0:
        v.tickets[3 * (p.tag >> 1) + 1] = t
    if i >= 0:
        finish(v, p, t + 1)


cdef inline void step(View *v) noexcept nogil:
    """All that happens in one clock of a channel, and the next clock in which something can."""
    cdef Channel *c = v.channel
    cdef int64_t i, t = c.next
    c.now = t
    c.next = NEVER
    if v.timing.refresh:
        for i in range(v.timing.ranks):
            if t >= v.ranks[i].next_refresh:
                v.ranks[i].due += 1
                v.ranks[i].next_refresh += v.timing.refi
                c.dirty = 1
            if v.ranks[i].next_refresh < c.next:
                c.next = v.ranks[i].next_refresh
    if c.dirty:
        scan(v, t)
    if c.when <= t:
        issue(v, t)
    take_in(v, t)
    watch(v, t)
    if c.dirty:
        c.next = t + 1
    else:
        if c.when < c.next:
            c.next = c.when
        if v.ends[0] < v.ends[1] and t < v.pending[v.ends[0]].age < c.next:
            c.next = v.pending[v.ends[0]].age


def words(const int64_t[::1] timing) -> int:
    """Length of a channel's row of state, in int64."""
    return size(<const Timing *>&timing[0])


def reset(int64_t[::1] timing, int64_t[:, ::1] channels):
    """Writes the state of memory that has done nothing: all banks closed, clock 0."""
    cdef View v
    cdef int64_t i, n
    channels[:, :] = 0
    for n in range(channels.shape[0]):
        look(&v, <Timing *>&timing[0], &channels[n, 0], n)
        v.channel.now, v.channel.when = -1, NEVER
        v.channel.next = v.timing.refi // v.timing.ranks if v.timing.refresh else NEVER
        for i in range(v.timing.ranks):
            v.ranks[i].next_refresh = v.timing.refi * (i + 1) // v.timing.ranks  # ranks take turns
        for i in range(v.timing.ranks * v.timing.groups * v.timing.banks):
            v.banks[i].row = -1
            v.banks[i].group = i // v.timing.banks
            v.banks[i].rank = i // (v.timing.banks * v.timing.groups)


cdef inline void watch(const View *v, int64_t t) noexcept nogil:
    """Notes the last clock in which a channel served a burst or had none, in its queues or at their door."""
    cdef Channel *c = v.channel
    cdef int64_t served = c.count[RD] + c.count[WR] + c.forwarded + c.merged
    cdef bint idle = c.reads + c.writes + c.actives == 0 and (v.ends[0] == v.ends[1] or v.pending[v.ends[0]].age > t)
    if idle or served != c.served:
        c.served, c.since = served, t


cdef int64_t patience(const Timing *k) noexcept nogil:
    """Clocks in which a channel with work must serve a burst: far beyond all gaps in a row, whatever their order."""
    cdef const int64_t *gaps = &k.rcd_rd
    cdef int64_t total = 0, n = &k.other_ww - gaps + 1, i
    for i in range(n):
        total += gaps[i]
    return PATIENCE * (k.ranks + 1) * total


def advance(
    int64_t[::1] timing, int64_t[:, ::1] channels, int64_t[:, :, ::1] pending, int64_t[:, ::1] ends,
    int64_t[:, ::1] tickets, int64_t limit, int64_t[:, ::1] log,
):
    """Runs all channels, in the order of time, to the first completion of a transfer or to ``limit``.

    Nothing happens at or after either. timing: [TIMING]; channels: [C, words]; pending: [C, n, 5] bursts (arrival,
    bank in the channel, row, column, 2 x ticket + is_write) in the order in which they are taken in; ends: [C, 2]
    first and last + 1 of them; tickets: [k, 3] bursts still to finish (-1 = free), clock at which the first was taken
    in (-1 = none), end of the last beat so far; log: [m, 6] clock, channel, command, bank, row, column from line 1 on,
    line 0 counts them (m = 0: no log). Returns the completion found, else -1. RuntimeError if a channel with work
    serves none of it however long: its timing leaves no clock for that.
    """
    cdef Py_ssize_t C = channels.shape[0], n, first
    cdef int64_t earliest = NEVER, t, stuck = -1, most = patience(<Timing *>&timing[0])
    cdef View v
    v.pending, v.tickets, v.earliest = NULL, &tickets[0, 0], &earliest
    v.log_rows = log.shape[0]
    v.log = &log[0, 0] if v.log_rows else NULL
    with nogil:
        for n in range(tickets.shape[0]):
            if tickets[n, 0] == 0 and tickets[n, 2] < earliest:
                earliest = tickets[n, 2]
        for n in range(C):
            look(&v, <Timing *>&timing[0], &channels[n, 0], n)
            if ends[n, 0] < ends[n, 1]:  # bursts may have come since the last call
                t = later(pending[n, ends[n, 0], 0], v.channel.now + 1)
                if t < v.channel.next:
                    v.channel.next = t
        first = 0
        while True:
            if C > 1:
                first = 0
                for n in range(1, C):
                    if (<Channel *>&channels[n, 0]).next < (<Channel *>&channels[first, 0]).next:
                        first = n
                look(&v, <Timing *>&timing[0], &channels[first, 0], first)
            v.pending = <Request *>&pending[first, 0, 0]
            v.ends = &ends[first, 0]
            if v.channel.next >= limit or v.channel.next >= earliest:
                break
            step(&v)
            if v.channel.now - v.channel.since > most:
                stuck = first
                break
    if stuck >= 0:
        raise RuntimeError(f"dram: channel {stuck} has served no burst for {most} clocks, and never will")
    return -1 if earliest == NEVER else earliest


def counts(int64_t[::1] timing, int64_t[:, ::1] channels, int64_t t) -> list:
    """COUNTS, summed over the channels (last_beat: the latest), once ``advance`` has run to clock t.

    latency: of all reads, taken in to last beat; open, precharged: rank-clocks with a bank open and with none.
    """
    cdef View v
    cdef int64_t i, n, total[12]
    for i in range(12):
        total[i] = 0
    for n in range(channels.shape[0]):
        look(&v, <Timing *>&timing[0], &channels[n, 0], n)
        for i in range(6):
            total[i] += v.channel.count[i]
        total[6] += v.channel.forwarded
        total[7] += v.channel.merged
        total[8] += v.channel.latency
        for i in range(v.timing.ranks):  # the state since its last change; a page that closes after t is open until t
            total[9] += v.ranks[i].open_clocks + (t - v.ranks[i].since) * (v.ranks[i].open > 0 or t < v.ranks[i].since)
            total[10] += v.ranks[i].precharged_clocks
            if v.ranks[i].open == 0 and t > v.ranks[i].since:
                total[10] += t - v.ranks[i].since
        total[11] = later(total[11], v.channel.last_beat)
    return [total[i] for i in range(12)]
