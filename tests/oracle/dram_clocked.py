"""A DRAM channel that advances a clock by 1: the rules of the controller, told once more, slowly and plainly.

Written from reference/memory.md 2.1 and 3.1 alone; it imports none of our packages. A command is legal if no earlier
command forbids it: RULES names, for a pair of commands, where both must lie and how many clocks must be between them.
"""

from dataclasses import dataclass, field

ANYWHERE = -1


@dataclass
class Burst:
    """One request: arrival clock, place, direction; ``name`` comes back with its completion."""

    arrival: int
    rank: int
    group: int
    bank: int
    row: int
    column: int
    write: bool
    name: int = 0

    @property
    def place(self) -> tuple[int, int, int]:
        return self.rank, self.group, self.bank


@dataclass
class Machine:
    """Parameters by their JEDEC names in clocks; the controller's by their own."""

    ranks: int
    groups: int
    banks: int
    read_depth: int
    write_depth: int
    drain_above: int
    drain_below: int
    closed: bool
    protect_hits: bool
    refresh: bool
    t: dict[str, int]

    @property
    def rules(self) -> list[tuple[str, str, str, int]]:
        """(earlier command, later command, where, clocks between them)."""
        t, burst, CL, CWL = self.t, self.t["burst"], self.t["CL"], self.t["CWL"]
        return [
            ("ACT", "RD", "bank", t["RCDRD"]),
            ("ACT", "WR", "bank", t["RCDWR"]),
            ("ACT", "PRE", "bank", t["RAS"]),
            ("ACT", "ACT", "bank", t["RAS"] + t["RP"]),
            ("ACT", "REF", "rank", t["RAS"] + t["RP"]),
            ("PRE", "ACT", "bank", t["RP"]),
            ("PRE", "REF", "rank", t["RP"]),
            ("ACT", "ACT", "rank", t["RRD_S"]),
            ("ACT", "ACT", "group", t["RRD_L"]),
            ("RD", "RD", "rank", t["CCD_S"]),
            ("WR", "WR", "rank", t["CCD_S"]),
            ("RD", "RD", "group", t["CCD_L"]),
            ("WR", "WR", "group", t["CCD_L"]),
            ("RD", "WR", "rank", CL + burst + t["RTW"] - CWL),
            ("WR", "RD", "rank", CWL + burst + t["WTR_S"]),
            ("WR", "RD", "group", CWL + burst + t["WTR_L"]),
            ("RD", "PRE", "bank", t["RTP"]),
            ("WR", "PRE", "bank", CWL + burst + t["WR"]),
            ("REF", "ACT", "rank", t["RFC"]),
            ("REF", "REF", "rank", t["RFC"]),
            ("RD", "RD", "other rank", burst + t["RTRS"]),
            ("RD", "WR", "other rank", CL + burst + t["RTRS"] - CWL),
            ("WR", "RD", "other rank", max(burst, CWL + burst + t["RTRS"] - CL)),
            ("WR", "WR", "other rank", burst),
        ]


@dataclass
class Channel:
    """The state after some clocks. log: (clock, command, place, row, column); done: name -> clock of the last beat."""

    machine: Machine
    waiting: list[Burst]
    clock: int = 0
    reads: list[Burst] = field(default_factory=list)
    writes: list[Burst] = field(default_factory=list)
    active: list[Burst] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)
    write_mode: bool = False
    rows: dict[tuple, int] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    history: list[tuple[int, str, tuple]] = field(default_factory=list)
    log: list[tuple] = field(default_factory=list)
    done: dict[int, int] = field(default_factory=dict)
    forwarded: int = 0
    merged: int = 0
    open_clocks: int = 0
    precharged_clocks: int = 0

    def legal(self, command: str, place: tuple) -> bool:
        """Whether the history lets ``command`` come now. place: (rank, group, bank), ANYWHERE below a rank for REF."""
        for earlier, later, where, gap in self.machine.rules:
            if later != command:
                continue
            for when, past, there in self.history:
                if past == earlier and self._same(where, place, there) and self.clock < when + gap:
                    return False
        acts = [when for when, past, there in self.history if past == "ACT" and there[0] == place[0]]
        return command != "ACT" or len(acts) < 4 or self.clock >= acts[-4] + self.machine.t["FAW"]

    @staticmethod
    def _same(where: str, a: tuple, b: tuple) -> bool:
        if where == "other rank":
            return a[0] != b[0]
        depth = {"rank": 1, "group": 2, "bank": 3}[where]
        return all(x == y or ANYWHERE in (x, y) for x, y in zip(a[:depth], b[:depth], strict=True))

    def wanted(self, burst: Burst) -> str:
        """The command a burst needs next."""
        row = self.rows.get(burst.place)
        if row is None:
            return "ACT"
        if row != burst.row:
            return "PRE"
        return "WR" if burst.write else "RD"

    def has_active(self, place: tuple) -> bool:
        return any(burst.place == place for burst in self.active)

    def tick(self) -> None:
        """One clock: refreshes fall due, at most one command goes, at most one burst is taken in."""
        m = self.machine
        if m.refresh:
            for rank in range(m.ranks):
                first = m.t["REFI"] * (rank + 1) // m.ranks
                if self.clock >= first and (self.clock - first) % m.t["REFI"] == 0:
                    self.due[rank] = self.due.get(rank, 0) + 1
        if self.clock > 0:
            self._command()
        self._take_in()
        for rank in range(m.ranks):
            if any(self._is_open(place) for place in self._places(rank)):
                self.open_clocks += 1
            else:
                self.precharged_clocks += 1
        self.clock += 1

    def _places(self, rank: int) -> list[tuple]:
        return [(rank, g, b) for g in range(self.machine.groups) for b in range(self.machine.banks)]

    def _is_open(self, place: tuple) -> bool:
        """A row that precharges itself is open until its precharge begins."""
        if place in self.rows:
            return True
        return any(past == "PRE" and there == place and self.clock < when for when, past, there in self.history)

    def _command(self) -> None:
        ready = [b for b in self.active if self.legal(self.wanted(b), b.place)]
        if ready:
            return self._issue(min(ready, key=lambda b: self.taken[id(b)]), self.active)
        waiting = [rank for rank in range(self.machine.ranks) if self.due.get(rank)]
        refreshed = any(self._refresh(rank) for rank in waiting)
        if len(waiting) == self.machine.ranks:
            return None
        if self.write_mode:
            if len(self.writes) < self.machine.drain_below and self.reads:
                self.write_mode = False
        elif len(self.writes) > self.machine.drain_above or not self.reads:
            self.write_mode = True
        if refreshed:
            return None
        queue = self.writes if self.write_mode else self.reads
        for position, burst in enumerate(queue):  # the oldest first
            if burst.rank not in waiting and self._may_go(queue, position):
                return self._issue(burst, queue)
        return None

    def _may_go(self, queue: list[Burst], position: int) -> bool:
        burst = queue[position]
        command = self.wanted(burst)
        if command == "PRE" and self.has_active(burst.place):
            return False
        if command in ("RD", "WR") and self.machine.closed and self.has_active(burst.place):
            return False
        if command == "PRE" and self.machine.protect_hits:
            older = queue[:position]
            if any(b.place == burst.place and self.rows.get(b.place) == b.row for b in older):
                return False
        return self.legal(command, burst.place)

    def _refresh(self, rank: int) -> bool:
        """Issues PREA or REF if it may come now."""
        everywhere = (rank, ANYWHERE, ANYWHERE)
        if any(burst.rank == rank for burst in self.active):
            return False
        opened = [place for place in self._places(rank) if place in self.rows]
        if opened:
            if not all(self.legal("PRE", place) for place in self._places(rank)):
                return False
            self.log.append((self.clock, "PREA", everywhere, -1, -1))
            for place in opened:
                del self.rows[place]
            self.history.append((self.clock, "PRE", everywhere))
            return True
        if not self.legal("REF", everywhere):
            return False
        self.log.append((self.clock, "REF", everywhere, -1, -1))
        self.history.append((self.clock, "REF", everywhere))
        self.due[rank] -= 1
        return True

    def _issue(self, burst: Burst, queue: list[Burst]) -> None:
        command = self.wanted(burst)
        self.log.append((self.clock, command, burst.place, burst.row, burst.column))
        self.history.append((self.clock, command, burst.place))
        if command == "PRE":
            del self.rows[burst.place]
        elif command == "ACT":
            self.rows[burst.place] = burst.row
            queue.remove(burst)
            self.active.append(burst)
        else:
            queue.remove(burst)
            latency = self.machine.t["CWL" if burst.write else "CL"] + self.machine.t["burst"]
            self.done[burst.name] = self.clock + latency
            if self.machine.closed:
                self._precharge_by_itself(burst)

    def _precharge_by_itself(self, burst: Burst) -> None:
        """At the first clock at which a PRE would be legal."""
        now = self.clock
        while not self.legal("PRE", burst.place):
            self.clock += 1
        self.history.append((self.clock, "PRE", burst.place))
        self.clock = now
        del self.rows[burst.place]

    def _take_in(self) -> None:
        if not self.waiting or self.waiting[0].arrival > self.clock:
            return
        burst = self.waiting[0]
        if any(w.place == burst.place and w.row == burst.row and w.column == burst.column for w in self.writes):
            self.done[burst.name] = self.clock + 1
            self.merged += burst.write
            self.forwarded += not burst.write
        elif burst.write and len(self.writes) < self.machine.write_depth:
            self.writes.append(burst)
        elif not burst.write and len(self.reads) < self.machine.read_depth:
            self.reads.append(burst)
        else:
            return
        self.taken[id(burst)] = self.clock
        self.waiting.pop(0)

    def run(self, clocks: int) -> "Channel":
        while self.clock < clocks:
            self.tick()
        return self


def play(machine: Machine, bursts: list[Burst], clocks: int) -> Channel:
    """The state just before clock ``clocks``."""
    return Channel(machine, list(bursts)).run(clocks)
