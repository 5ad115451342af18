"""A clocked machine whose timing MODEL 3's recurrence describes: one issuer, lanes with input queues, a wall clock.

Nothing here evaluates a max over finish times. The clock advances by one; within a cycle the parts look at each
other until nothing changes any more (a slot freed with `free = 0`, a step of no cost, a step issued with `lat = 0`
all act in the same cycle). Each condition a part waits for is a flag; the flag that was down in the cycle before and
is up now is the one that let the part go, and that names the idle time (MODEL 4).
"""

from collections import deque
from dataclasses import dataclass, field

STATES = ("busy", "avail", "imbalance", "dispatch", "fill_drain", "output")


@dataclass(frozen=True)
class Constants:
    """The constants of one machine; None as a depth means an infinite queue, `links[l]` None means no neighbour."""

    depth: int | None = None
    gap: int = 0
    lat: int = 0
    free: int = 0
    floor: int = 0
    tail: int = 0
    links: tuple[int | None, ...] = ()
    hop: int = 0
    out_depth: int | None = None
    out_cycles: int = 1


@dataclass(eq=False)
class Lane:
    """A lane: steps waiting in its input queue, the step it works on, entries waiting in its output queue."""

    queue: deque = field(default_factory=deque)  # (step, cycle of issue, cause of issue)
    working: bool = False
    remaining: int = 0  # cycles of the running step still to do
    started: int = 0  # number of steps begun
    finished: int = 0  # number of steps done
    slots_returned: int = 0  # input slots that may be taken again
    slots_on_their_way: deque = field(default_factory=deque)  # cycles at which a slot comes back
    start_cycles: list = field(default_factory=list)
    idle: int = 0  # cycles waited since the last step ended
    outputs_waiting: int = 0
    output_remaining: int = 0  # cycles until the entry at the head of the output queue is gone
    outputs_gone: int = 0


@dataclass(frozen=True)
class Seen:
    """What each part saw at the end of the cycle before."""

    returned: tuple[int, ...]
    finished: tuple[int, ...]
    gone: tuple[int, ...]


class GridMachine:
    """Runs `cost[t][l]` on the machine of `constants`; `avail` counts from the last barrier, 0 = no bound."""

    def __init__(self, cost, constants: Constants, avail=None, bar=None):
        self.cost = [[int(c) for c in row] for row in cost]
        self.steps = len(self.cost)
        self.avail = [int(a) for a in avail] if avail is not None else [0] * self.steps
        self.bar = [bool(b) for b in bar] if bar is not None else [False] * self.steps
        self.k = constants
        self.lanes = [Lane() for _ in self.cost[0]] if self.steps else []
        self.slots = dict.fromkeys(STATES, 0)
        self.clock = 0
        self.issued = 0
        self.last_issue = None
        self.barrier_at = 0
        self.barrier_passed = False  # of the step about to be issued

    def run(self) -> tuple[int, dict[str, int]]:
        """Total cycles and the lane-slots spent in each state."""
        while not self.done():
            self.seen = self.look()
            self.settle()
            if self.done():
                break
            self.tick()
        for lane in self.lanes:  # since its last finish a lane has waited for the slowest, then comes the tail
            self.slots["imbalance"] += lane.idle
            self.slots["fill_drain"] += self.k.tail
        return self.clock + (self.k.tail if self.steps else 0), dict(self.slots)

    def done(self) -> bool:
        return all(lane.finished == self.steps for lane in self.lanes)

    def look(self) -> Seen:
        if self.clock == 0:  # nothing was true before time began
            nothing = (-1,) * len(self.lanes)
            return Seen(nothing, nothing, nothing)
        return Seen(
            tuple(lane.slots_returned for lane in self.lanes),
            tuple(lane.finished for lane in self.lanes),
            tuple(lane.outputs_gone for lane in self.lanes),
        )

    def settle(self) -> None:
        """Let the parts react to each other within this cycle until nothing changes."""
        moved = 1
        while moved:
            moved = sum(self.finish(lane) for lane in self.lanes)  # a sum: all of them act
            moved += sum(self.return_slots(lane) for lane in self.lanes)
            moved += sum(self.drain_output(lane) for lane in self.lanes)
            moved += self.issue()
            moved += sum(self.start(i) for i in range(len(self.lanes)))

    def tick(self) -> None:
        """One cycle passes."""
        for lane in self.lanes:
            if lane.working:
                lane.remaining -= 1
                self.slots["busy"] += 1
            else:
                lane.idle += 1
            if lane.outputs_waiting:
                lane.output_remaining -= 1
        self.clock += 1

    # the parts ---------------------------------------------------------------------------------------------------

    def finish(self, lane: Lane) -> bool:
        if not lane.working or lane.remaining:
            return False
        lane.working, lane.finished = False, lane.finished + 1
        if self.k.out_depth is not None:
            if not lane.outputs_waiting:
                lane.output_remaining = self.k.out_cycles
            lane.outputs_waiting += 1
        return True

    def drain_output(self, lane: Lane) -> bool:
        if not lane.outputs_waiting or lane.output_remaining:
            return False
        lane.outputs_waiting -= 1
        lane.outputs_gone += 1
        lane.output_remaining = self.k.out_cycles
        return True

    def return_slots(self, lane: Lane) -> bool:
        if not lane.slots_on_their_way or lane.slots_on_their_way[0] > self.clock:
            return False
        lane.slots_on_their_way.popleft()
        lane.slots_returned += 1
        return True

    def issue(self) -> bool:
        """Broadcast the next step if its operands are there, every lane has a slot, and the barrier is open."""
        t = self.issued
        if t == self.steps:
            return False
        finished = [lane.finished for lane in self.lanes]
        barrier = bool(self.bar[t] and t > 0)
        if barrier and not self.barrier_passed:
            if min(finished) < t:
                return False
            self.barrier_passed, self.barrier_at = True, self.clock
        since_barrier = self.clock - self.barrier_at
        returned = [lane.slots_returned for lane in self.lanes]
        needed = None if t == 0 or self.k.depth is None else t - self.k.depth + 1  # slots that must have come back
        since_issue = None if t == 0 else self.clock - self.last_issue
        if since_barrier < self.avail[t] or (needed is not None and min(returned) < needed):
            return False
        if since_issue is not None and since_issue < self.k.gap:
            return False
        slot_came_now = needed is not None and needed > 0 and min(self.seen.returned) < needed
        if self.avail[t] and since_barrier == self.avail[t]:
            cause = "avail"
        elif slot_came_now or (barrier and min(self.seen.finished) < t):
            cause = "imbalance"
        else:
            cause = "dispatch"
        for lane in self.lanes:
            lane.queue.append((t, self.clock, cause))
        self.issued, self.last_issue, self.barrier_passed = t + 1, self.clock, False
        return True

    def start(self, number: int) -> bool:
        """Begin the step at the head of the lane's queue if the lane is free, its link has it, an output has room."""
        lane = self.lanes[number]
        if lane.working or not lane.queue:
            return False
        t, issued_at, issue_cause = lane.queue[0]
        since_issue = self.clock - issued_at
        if since_issue < self.k.lat:
            return False
        since_link = self.since_link(number, t)
        if since_link is not None and since_link < self.k.hop:
            return False
        room_from = None if self.k.out_depth is None else t - self.k.out_depth + 1  # entries that must be gone
        if room_from is not None and lane.outputs_gone < room_from:
            return False
        if since_issue == self.k.lat:
            self.charge_issue(lane, t, issue_cause)
        elif since_link is not None and since_link == self.k.hop:
            self.charge(lane, "fill_drain")
        elif room_from is not None and room_from > 0 and self.seen.gone[number] < room_from:
            self.charge(lane, "output")
        assert lane.idle == 0, "a lane that waited must have waited for something"
        self.begin(lane, max(self.k.floor, self.cost[t][number]))
        return True

    def since_link(self, number: int, t: int) -> int | None:
        """Cycles since the neighbour began step t; -1 if it has not; None without a neighbour."""
        neighbour = self.k.links[number] if self.k.links else None
        if neighbour is None:
            return None
        other = self.lanes[neighbour]
        return self.clock - other.start_cycles[t] if other.started > t else -1

    def begin(self, lane: Lane, cycles: int) -> None:
        lane.queue.popleft()
        lane.working, lane.remaining = True, cycles
        lane.started += 1
        lane.start_cycles.append(self.clock)
        lane.slots_on_their_way.append(self.clock + self.k.free)

    def charge(self, lane: Lane, state: str) -> None:
        self.slots[state] += lane.idle
        lane.idle = 0

    def charge_issue(self, lane: Lane, t: int, cause: str) -> None:
        """The whole wait to what held the issue back, but the first `lat` cycles of a tile to dispatch."""
        if t == 0:
            first = min(self.k.lat, lane.idle)
            self.slots["dispatch"] += first
            lane.idle -= first
        self.charge(lane, cause)
