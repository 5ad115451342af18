"""The state of a DRAM channel as it lies in the caller's int64 arrays, and when a command may come (memory clocks)."""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #define DRAM_NEVER ((int64_t)1 << 62)
    """
    const int64_t NEVER "DRAM_NEVER"

cdef enum:
    ACT, PRE, PREA, RD, WR, REF  # commands, in the order of COMMANDS

cdef enum:
    NOTHING, ACTIVE, REFRESH, QUEUED  # where the next command comes from

cdef struct Timing:
    int64_t ranks, groups, banks  # a channel's ranks, a rank's bank groups, a group's banks
    int64_t read_depth, write_depth  # queue entries
    int64_t drain_above, drain_below  # writes queued: above begins a write phase, below ends it
    int64_t closed, protect_hits, refresh  # switches: auto-precharge; no PRE before a queued hit; refresh
    int64_t rcd_rd, rcd_wr, rp, ras, rc, rrd_s, rrd_l, faw, ccd_s, ccd_l, rtp, rfc, refi
    int64_t read_done, write_done  # CAS to the end of its data
    int64_t read_to_write, write_to_read_s, write_to_read_l, write_to_pre
    int64_t other_rr, other_rw, other_wr, other_ww  # CAS to CAS in different ranks

cdef struct Request:
    int64_t age, bank, row, column, tag  # age: clock it arrives, then clock it was taken in; tag: 2 x ticket + is_write

cdef struct Bank:
    int64_t row, active, act, rd, wr, pre, group, rank  # row: -1 = closed; act .. pre: earliest clock of that command

cdef struct Group:
    int64_t act, rd, wr

cdef struct Rank:
    int64_t act, rd, wr, faw[4], oldest, due, next_refresh
    int64_t open, since, until, open_clocks, precharged_clocks  # banks open; since: last change of state

cdef struct Channel:
    int64_t now, next, dirty, write_mode, reads, writes, actives
    int64_t when, kind, index  # the next command: its clock, where it comes from, place there
    int64_t count[6]
    int64_t forwarded, merged, latency, last_beat
    int64_t served, since  # bursts served so far; clock in which that grew or nothing was left

cdef struct View:  # one channel's arrays
    Timing *timing
    Channel *channel
    Rank *ranks
    Group *groups
    Bank *banks
    Request *reads
    Request *writes
    Request *active
    Request *pending
    int64_t *ends  # first and last + 1 of the pending bursts
    int64_t *tickets
    int64_t *earliest  # completion of the first transfer to be complete
    int64_t *log
    int64_t log_rows, number


cdef inline int64_t later(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b


cdef inline int64_t size(const Timing *k) noexcept nogil:
    cdef int64_t groups = k.ranks * k.groups, banks = k.ranks * k.groups * k.banks
    return <int64_t>(sizeof(Channel) + k.ranks * sizeof(Rank) + groups * sizeof(Group) + banks * sizeof(Bank)
                     + (k.read_depth + k.write_depth + banks) * sizeof(Request)) // <int64_t>sizeof(int64_t)


cdef inline void look(View *v, Timing *k, int64_t *words, int64_t number) noexcept nogil:
    cdef int64_t groups = k.ranks * k.groups
    v.timing = k
    v.number = number
    v.channel = <Channel *>words
    v.ranks = <Rank *>(v.channel + 1)
    v.groups = <Group *>(v.ranks + k.ranks)
    v.banks = <Bank *>(v.groups + groups)
    v.reads = <Request *>(v.banks + groups * k.banks)
    v.writes = v.reads + k.read_depth
    v.active = v.writes + k.write_depth


cdef inline int64_t cas_clock(const View *v, const Bank *b, bint write) noexcept nogil:
    if write:
        return later(b.wr, later(v.groups[b.group].wr, v.ranks[b.rank].wr))
    return later(b.rd, later(v.groups[b.group].rd, v.ranks[b.rank].rd))


cdef inline int64_t act_clock(const View *v, const Bank *b) noexcept nogil:
    cdef const Rank *r = &v.ranks[b.rank]
    return later(later(b.act, v.groups[b.group].act), later(r.act, r.faw[r.oldest]))


cdef inline int64_t refresh_clock(const View *v, int64_t rank) noexcept nogil:
    """Earliest REF of a rank, or PREA if a bank is open; NEVER while a bank waits for the CAS of its ACT."""
    cdef int64_t i, n = v.timing.groups * v.timing.banks, when = 0
    cdef const Bank *banks = &v.banks[rank * n]
    for i in range(n):
        if banks[i].active:
            return NEVER
        when = later(when, banks[i].pre if v.ranks[rank].open else banks[i].act)
    return when


cdef inline void note(View *v, int64_t t, int64_t command, int64_t bank, int64_t row, int64_t column) noexcept nogil:
    cdef int64_t *line
    v.channel.count[command] += 1
    if v.log_rows > 0 and v.log[0] + 1 < v.log_rows:
        v.log[0] += 1
        line = v.log + 6 * v.log[0]
        line[0], line[1], line[2], line[3], line[4], line[5] = t, v.number, command, bank, row, column


cdef inline void finish(View *v, const Request *q, int64_t t) noexcept nogil:
    """The last beat of a burst is over at t."""
    cdef int64_t *ticket = v.tickets + 3 * (q.tag >> 1)
    if not q.tag & 1:
        v.channel.latency += t - q.age
    v.channel.last_beat = later(v.channel.last_beat, t)
    ticket[0] -= 1
    ticket[2] = later(ticket[2], t)
    if ticket[0] == 0 and ticket[2] < v.earliest[0]:
        v.earliest[0] = ticket[2]


cdef inline void close_bank(Rank *r, int64_t t) noexcept nogil:
    r.open -= 1
    r.until = later(r.until, t)
    if r.open == 0:
        r.open_clocks += r.until - r.since
        r.since = r.until


cdef inline void cas(View *v, const Request *q, int64_t t) noexcept nogil:
    """RD or WR, with auto-precharge where pages are closed."""
    cdef Timing *k = v.timing
    cdef Bank *b = &v.banks[q.bank]
    cdef Group *g = &v.groups[b.group]
    cdef Rank *r
    cdef int64_t i
    cdef bint write = q.tag & 1
    note(v, t, WR if write else RD, q.bank, q.row, q.column)
    for i in range(k.ranks):
        r = &v.ranks[i]
        if write:
            r.wr = later(r.wr, t + (k.ccd_s if i == b.rank else k.other_ww))
            r.rd = later(r.rd, t + (k.write_to_read_s if i == b.rank else k.other_wr))
        else:
            r.rd = later(r.rd, t + (k.ccd_s if i == b.rank else k.other_rr))
            r.wr = later(r.wr, t + (k.read_to_write if i == b.rank else k.other_rw))
    if write:
        g.wr = t + k.ccd_l
        g.rd = later(g.rd, t + k.write_to_read_l)
        b.pre = later(b.pre, t + k.write_to_pre)
    else:
        g.rd = later(g.rd, t + k.ccd_l)
        b.pre = later(b.pre, t + k.rtp)
    if k.closed:
        b.row = -1
        b.act = later(b.act, b.pre + k.rp)
        close_bank(&v.ranks[b.rank], b.pre)
    finish(v, q, t + (k.write_done if write else k.read_done))


cdef inline void activate(View *v, const Request *q, int64_t t) noexcept nogil:
    cdef Timing *k = v.timing
    cdef Bank *b = &v.banks[q.bank]
    cdef Rank *r = &v.ranks[b.rank]
    note(v, t, ACT, q.bank, q.row, q.column)
    b.row, b.active = q.row, 1
    b.rd, b.wr, b.pre, b.act = t + k.rcd_rd, t + k.rcd_wr, t + k.ras, t + k.rc
    v.groups[b.group].act = t + k.rrd_l
    r.act = t + k.rrd_s
    r.faw[r.oldest] = t + k.faw
    r.oldest = (r.oldest + 1) & 3
    if r.open == 0 and t > r.since:
        r.precharged_clocks += t - r.since
        r.since = t
    r.open += 1


cdef inline void maintain(View *v, int64_t rank, int64_t t) noexcept nogil:
    """PREA if a bank of the rank is open, else REF."""
    cdef int64_t i, n = v.timing.groups * v.timing.banks
    cdef Bank *banks = &v.banks[rank * n]
    cdef bint opened = v.ranks[rank].open > 0
    note(v, t, PREA if opened else REF, rank * n, -1, -1)
    for i in range(n):
        banks[i].act = later(banks[i].act, t + (v.timing.rp if opened else v.timing.rfc))
        if opened and banks[i].row >= 0:
            banks[i].row = -1
            close_bank(&v.ranks[rank], t)
    if not opened:
        v.ranks[rank].due -= 1
