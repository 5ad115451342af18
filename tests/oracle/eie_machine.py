"""An EIE-like machine clocked PE by PE, built from the prose of MODEL 3 ("The EIE-like machine in full").

One `EieTile` is one tile: whole matrix-vector products back to back. A scanner looks for non-zero activations, a
broadcaster puts each into the queue of every PE, a PE walks the entries of its slice of that column one a cycle and
adds to the accumulators of the output rows it owns. Weights and activations are plain integers whose zero is 0.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

STATES = ("unmapped", "effectual", "ineffectual", "decode", "imbalance", "dispatch")


@dataclass(frozen=True)
class Machine:
    """The fixed parts; `scan_width` None finds a non-zero every cycle however many zeros lie between."""

    pes: int
    index_bits: int = 4
    queue_depth: int = 8
    registered_queue: bool = False
    scan_width: int | None = None
    double_buffer: bool = False


@dataclass(frozen=True)
class Product:
    """One matrix-vector product: weights [M, K], kept [M, K] bool, activations [K] with zero at 0."""

    weights: np.ndarray
    kept: np.ndarray
    activations: np.ndarray
    rows: np.ndarray  # [M] number of the output row in the machine, whose PE is rows[i] mod PEs


@dataclass(frozen=True)
class Entry:
    """One stored word: how many zeros of the slice lie before it, the row it adds to (None: filler), its weight."""

    index: int
    row: int | None
    weight: int


@dataclass(frozen=True)
class Broadcast:
    """One non-zero activation on its way to a PE, with the entries of that PE's slice of its column."""

    product: int
    activation: int
    entries: list[Entry]
    broadcast_at: int
    cause: str  # what held the broadcast back until then


@dataclass(eq=False)
class Pe:
    """A PE: broadcasts in its queue, and what it still has to do for the one it works on."""

    mapped: bool
    slots_free: int
    queue: deque = field(default_factory=deque)  # broadcasts not begun
    work: deque = field(default_factory=deque)  # (broadcast, entry or None) for each cycle still to spend
    slots_on_their_way: deque = field(default_factory=deque)  # cycles at which a queue slot may be taken again
    idle: int = 0  # cycles waited since it last worked
    started: bool = False


def encode_slice(kept: np.ndarray, weights: np.ndarray, index_bits: int) -> list[Entry]:
    """Relative index of one (PE, column) slice, walking it row by row: fillers bridge runs, trailing zeros are free."""
    longest = 2**index_bits - 1
    entries, pending, zeros = [], [], 0
    for row, (keep, weight) in enumerate(zip(kept, weights, strict=True)):
        if keep:
            entries += [*pending, Entry(zeros, row, int(weight))]
            pending, zeros = [], 0
        elif zeros == longest:  # the run no longer fits: this zero itself is stored, if anything follows it
            pending.append(Entry(longest, None, 0))
            zeros = 0
        else:
            zeros += 1
    return entries


def encode(product: Product, machine: Machine) -> dict[tuple[int, int], list[Entry]]:
    """(PE, column) -> its stored entries; `row` of an entry counts the rows of the product."""
    slices = {}
    for pe in range(machine.pes):
        mine = np.flatnonzero(product.rows % machine.pes == pe)
        for column in range(product.weights.shape[1]):
            found = encode_slice(product.kept[mine, column], product.weights[mine, column], machine.index_bits)
            slices[pe, column] = [Entry(e.index, None if e.row is None else int(mine[e.row]), e.weight) for e in found]
    return slices


class Scanner:
    """Leading-non-zero detection over one or more vectors, running ahead of the broadcaster into `found`.

    Without a width it finds one non-zero a cycle. With one, it looks at `width` positions of a vector a cycle, whatever
    it finds there, and a new vector begins a new window.
    """

    def __init__(self, vectors: dict[int, np.ndarray], width: int | None):
        self.found: deque = deque()  # (product, column, cycles after the scan began)
        self.cycles = 0
        self.width = width
        if width is None:
            self.windows = deque([[(p, k)] for p, vector in vectors.items() for k in np.flatnonzero(vector)])
        else:
            self.windows = deque(
                [(p, k) for k in range(at, min(at + width, len(vector))) if vector[k] != 0]
                for p, vector in vectors.items()
                for at in range(0, len(vector), width)
            )

    def tick(self) -> None:
        """One cycle: one more window."""
        if self.windows:
            self.found.extend((product, int(column), self.cycles) for product, column in self.windows.popleft())
        self.cycles += 1

    def exhausted(self) -> bool:
        return not self.found and not any(self.windows)


class EieTile:
    """The machine while it works on one tile; `run` leaves clock, slots, entries, fillers and outputs behind."""

    def __init__(self, products: list[Product], machine: Machine):
        self.machine, self.products = machine, products
        owned = {int(row) % machine.pes for product in products for row in product.rows}
        self.pes = [Pe(mapped=p in owned, slots_free=machine.queue_depth) for p in range(machine.pes)]
        self.slots = dict.fromkeys(STATES, 0)
        self.outputs = [np.zeros(product.weights.shape[0], dtype=np.int64) for product in products]
        self.entries = self.fillers = self.broadcasts = self.clock = 0
        vectors = {i: product.activations for i, product in enumerate(products)}
        if machine.double_buffer:  # the scan runs on from a product's last non-zero to the next product
            ends = {i: np.flatnonzero(v)[-1] + 1 for i, v in vectors.items() if np.any(v != 0)}
            self.coming = deque([{i: vectors[i][:end] for i, end in ends.items()}] if ends else [])
        else:  # a barrier before each product that has a step
            self.coming = deque({i: v} for i, v in vectors.items() if np.any(v != 0))
        self.opened_now = False  # did a barrier open in this cycle
        self.scanner = Scanner({}, machine.scan_width)
        self.slices = [encode(product, machine) for product in products]

    def run(self) -> "EieTile":
        """Clock until every PE has finished every broadcast of every product."""
        while True:
            room_before = [pe.slots_free for pe in self.pes]
            self.return_slots()
            self.next_product()
            if self.scanner.exhausted() and self.drained():
                break
            self.scanner.tick()
            for pe in self.pes:
                self.start(pe)
            self.return_slots()
            self.broadcast(room_before)
            self.tick()
        for pe in self.pes:  # after its last finish a PE waits for the slowest one
            self.charge(pe, "imbalance")
        self.slots["unmapped"] = self.clock * sum(not pe.mapped for pe in self.pes)
        return self

    def drained(self) -> bool:
        return all(not pe.queue and not pe.work for pe in self.pes)

    def next_product(self) -> None:
        """Turn to what comes next when all has been broadcast and every PE has drained (the barrier)."""
        self.opened_now = False
        if self.coming and self.scanner.exhausted() and self.drained():
            self.opened_now = self.broadcasts > 0
            self.scanner = Scanner(self.coming.popleft(), self.machine.scan_width)

    def return_slots(self) -> None:
        for pe in self.pes:
            while pe.slots_on_their_way and pe.slots_on_their_way[0] <= self.clock:
                pe.slots_on_their_way.popleft()
                pe.slots_free += 1

    def start(self, pe: Pe) -> None:
        """An idle PE takes from its queue what was broadcast at least one cycle ago."""
        if pe.work or not pe.queue or pe.queue[0].broadcast_at == self.clock:
            return
        step = pe.queue.popleft()
        if not pe.started and pe.idle:  # the first cycle of a tile is the way from the broadcaster to the PE
            pe.idle -= 1
            self.slots["dispatch"] += int(pe.mapped)
        self.charge(pe, step.cause)
        pe.started = True
        pe.work.extend((step, entry) for entry in step.entries or [None])
        pe.slots_on_their_way.append(self.clock + int(self.machine.registered_queue))

    def charge(self, pe: Pe, cause: str) -> None:
        if pe.mapped:
            self.slots[cause] += pe.idle
        pe.idle = 0

    def broadcast(self, room_before: list[int]) -> None:
        """Send the oldest activation found to all PEs if every queue has room; note what held it back until now."""
        if not self.scanner.found or min(pe.slots_free for pe in self.pes) == 0:
            return
        product, column, found_after = self.scanner.found.popleft()
        found_now = found_after == self.scanner.cycles - 1
        if found_now and found_after > 0:  # found in the first cycle of the scan, it has waited for no scan
            cause = "decode"
        elif min(room_before) == 0 or self.opened_now:
            cause = "imbalance"
        else:
            cause = "dispatch"
        activation = int(self.products[product].activations[column])
        for number, pe in enumerate(self.pes):
            pe.slots_free -= 1
            pe.queue.append(Broadcast(product, activation, self.slices[product][number, column], self.clock, cause))
        self.broadcasts += 1

    def tick(self) -> None:
        """One cycle passes: each working PE reads one entry (or spends the cycle an empty slice costs)."""
        for pe in self.pes:
            if not pe.work:
                pe.idle += 1
                continue
            step, entry = pe.work.popleft()
            real = entry is not None and entry.row is not None
            if pe.mapped:
                self.slots["effectual" if real and entry.weight != 0 else "ineffectual"] += 1
            self.entries += entry is not None
            self.fillers += entry is not None and entry.row is None
            if real:
                self.outputs[step.product][entry.row] += entry.weight * step.activation
        self.clock += 1
