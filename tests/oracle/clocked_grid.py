"""A work grid run by a machine whose clock advances by one: issuer, lane queues, lanes, links, output queues.

Slow and obvious; knows nothing of the simulator. In every cycle everything that may happen happens, then the clock
ticks. A condition's time is the first cycle at which it was seen to hold.
"""

from dataclasses import dataclass, field


@dataclass
class Machine:
    """depth, out_depth: queue slots, 0 = no limit. avail: earliest issue after the last barrier, 0 = no bound."""

    cost: list[list[int]]
    bar: list[bool]
    avail: list[int]
    depth: int = 0
    gap: int = 0
    lat: int = 0
    free: int = 0
    floor: int = 0
    tail: int = 0
    link: list[int] = field(default_factory=list)
    hop: int = 1
    out_depth: int = 0
    out_cycles: int = 0

    def run(self) -> tuple[int, dict[str, int]]:
        """(cycles, lane-slots by state: busy, avail, imbalance, dispatch, fill_drain, output)."""
        steps, lanes = len(self.cost), len(self.cost[0]) if self.cost else 0
        self.now, self.base = 0, 0
        self.issued: list[int] = []
        self.issue_cause: list[str] = []
        self.start = [[] for _ in range(lanes)]
        self.finish = [[] for _ in range(lanes)]
        self.taken = [[] for _ in range(lanes)]
        self.held: dict[tuple, int] = {}
        self.slots = dict.fromkeys(("busy", "avail", "imbalance", "dispatch", "fill_drain", "output"), 0)
        if not steps or not lanes:
            return 0, self.slots
        while any(len(done) < steps for done in self.finish) or any(done[-1] > self.now for done in self.finish):
            moved = True
            while moved:
                moved = sum(self._begin(lane) for lane in range(lanes)) + self._issue() > 0
            self.now += 1
        end = max(done[-1] for done in self.finish)
        for done in self.finish:
            self.slots["imbalance"] += end - done[-1]
            self.slots["fill_drain"] += self.tail
        return end + self.tail, self.slots

    def _since(self, what: tuple, holds: bool) -> bool:
        """Notes the first cycle at which a condition holds."""
        if holds and what not in self.held:
            self.held[what] = self.now
        return holds

    def _issue(self) -> bool:
        t = len(self.issued)
        if t == len(self.cost):
            return False
        finished = all(len(done) >= t and (not t or done[t - 1] <= self.now) for done in self.finish)
        if t and self.bar[t] and finished and ("base", t) not in self.held:
            self.held["base", t] = self.now
            self.base = self.now
        conditions = {
            "avail": self.avail[t] == 0
            or (self.now >= self.base + self.avail[t] and (not self.bar[t] or not t or finished)),
            "queue": self.depth == 0 or t < self.depth or self._all_started(t - self.depth),
            "bar": not self.bar[t] or not t or finished,
            "gap": t == 0 or self.now >= self.issued[t - 1] + self.gap,
        }
        held = [self._since((name, t), holds) for name, holds in conditions.items()]
        if not all(held):
            return False
        last = {name for name in conditions if self.held[name, t] == self.now}
        needed = {
            "avail": self.avail[t] > 0 and self.now == (self.base if t else 0) + self.avail[t],
            "queue": self.depth > 0 and t >= self.depth and self._slot_freed(t - self.depth) == self.now,
            "bar": t > 0 and self.bar[t] and max(done[t - 1] for done in self.finish) == self.now,
        }
        cause = "dispatch"
        if "avail" in last and needed["avail"]:
            cause = "avail"
        elif ("queue" in last and needed["queue"]) or ("bar" in last and needed["bar"]):
            cause = "imbalance"
        self.issued.append(self.now)
        self.issue_cause.append(cause)
        return True

    def _slot_freed(self, t: int) -> int:
        return max(lane[t] for lane in self.start) + self.free

    def _all_started(self, t: int) -> bool:
        return all(len(lane) > t for lane in self.start) and self.now >= self._slot_freed(t)

    def _begin(self, lane: int) -> bool:
        t = len(self.start[lane])
        if t >= len(self.issued) or self.now < self.issued[t] + self.lat:
            return False
        before = self.finish[lane][-1] if t else 0
        source = self.link[lane] if self.link else -1
        linked = source < 0 or (len(self.start[source]) > t and self.now >= self.start[source][t] + self.hop)
        room = self.out_depth == 0 or t < self.out_depth or self.taken[lane][t - self.out_depth] <= self.now
        if not (linked and room and before <= self.now):
            return False
        self._charge(lane, t, before, source)
        self.start[lane].append(self.now)
        work = max(self.floor, self.cost[t][lane])
        self.slots["busy"] += work
        self.finish[lane].append(self.now + work)
        last = self.taken[lane][-1] if t else 0
        self.taken[lane].append(max(self.now + work, last) + self.out_cycles)
        return True

    def _charge(self, lane: int, t: int, before: int, source: int) -> None:
        """The whole idle interval before a start goes to the condition that came last (ties: issue, link, output)."""
        idle = self.now - before
        if not idle:
            return
        if self.issued[t] + self.lat == self.now:
            cause = self.issue_cause[t]
            if t == 0:  # the first `lat` cycles of a tile
                self.slots["dispatch"] += self.lat
                idle -= self.lat
        elif source >= 0 and self.start[source][t] + self.hop == self.now:
            cause = "fill_drain"
        else:
            cause = "output"
        self.slots[cause] += idle
