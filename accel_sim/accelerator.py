"""A machine: one frozen record, equal to its YAML."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from accel_sim.actions import Actions
from accel_sim.address_map import Placement
from accel_sim.dataflows.common import Buffer, TiledLayer
from accel_sim.energy import ARITHMETIC, REGISTERS, EnergyTable
from accel_sim.memories.sram import Sram
from accel_sim.parts import require
from accel_sim.post import PostUnit
from workloads.encoding import Encoding
from workloads.layer import Layer
from workloads.operands import Operands


class MacUnit(Protocol):
    """What a dataflow needs of a MAC unit; its fields are its parameters."""

    accumulator_bits: int
    overflow: str

    def check_mode(self, activation_bits: int, weight_bits: int) -> None: ...

    def actions(self, issued: int, effectual: int) -> Actions: ...


class Memory(Protocol):
    """The outermost level. Its state belongs to the caller; times are cycles of the array clock.

    A transfer is submitted under a ticket, and reported when it completes. Whoever serves the memory runs it only as
    far as no later transfer can matter:

    new_state(clock_mhz): of memory that has done nothing; clock_mhz: of the array.
    submit(state, ticket, time, extents, is_write): enqueues extents (address, bytes, count, stride) at ``time``.
    advance(state, limit): runs to the first completion, or to ``limit`` (None = no bound); commits nothing at or after
        limit, so that a transfer submitted then takes part. Returns [(ticket, begin, end, completion)] of all that
        complete in that first cycle: the memory was busy with it from begin to end; the waiter goes on at completion.
        Any sequence of limits gives the same commands.
    actions(state, time): what it has done from the beginning up to ``time``, at which nothing is under way; bytes
        moved are counted elsewhere.
    price(action, bits, table): (pJ, source) of one action.
    """

    level: str

    def new_state(self, clock_mhz: float) -> Any: ...

    def submit(self, state: Any, ticket: int, time: int, extents: tuple, is_write: bool) -> None: ...

    def advance(self, state: Any, limit: int | None) -> list[tuple[int, int, int, int]]: ...

    def actions(self, state: Any, time: int) -> Actions: ...

    def price(self, action: str, bits: int, table: EnergyTable) -> tuple[float, str]: ...


class Dataflow(Protocol):
    """Which products fall in which (step, lane); it sees no memory beyond its buffers, and no energy."""

    def multiplier_bits(self, operands: Operands) -> tuple[int, int]: ...

    def tiles(
        self, layer: Layer, operands: Operands, rows: int, cols: int, mac: MacUnit, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement,
    ) -> TiledLayer: ...  # fmt: skip


MOST_LANES = 1 << 22
#: components that are priced by their own rules; no memory level may carry their name
COMPONENTS = ("post", *ARITHMETIC, *REGISTERS)


@dataclass(frozen=True)
class Array:
    """rows x cols lanes."""

    rows: int
    cols: int = 1

    def __post_init__(self):
        require(self, 1, "rows", "cols")
        if self.rows * self.cols > MOST_LANES:
            raise ValueError(f"rows={self.rows} x cols={self.cols}: at most {MOST_LANES} lanes can be simulated")

    @property
    def lanes(self) -> int:
        return self.rows * self.cols


@dataclass(frozen=True)
class Accelerator:
    """memories: outermost level first; the first serves requests, the others are buffers that hold operands."""

    name: str
    description: str
    clock_mhz: float
    array: Array
    mac: Any
    dataflow: Any
    encodings: dict[str, Any]
    memories: tuple[Any, ...]
    post: PostUnit
    energy: EnergyTable

    def __post_init__(self):
        if self.clock_mhz <= 0:
            raise ValueError(f"clock_mhz={self.clock_mhz:g} must be positive")
        if not self.memories or not hasattr(self.memories[0], "submit"):
            raise ValueError("memories: the first level must serve requests (such as flat)")
        levels = [memory.level for memory in self.memories]
        twice = {level for level in levels if levels.count(level) > 1}
        if twice:
            raise ValueError(f"memories: level '{min(twice)}' is used twice")
        for level in levels:
            if level in COMPONENTS:
                raise ValueError(f"memories: level '{level}' has the name of another component")
        for operand in ("inputs", "weights", "outputs"):
            if operand not in self.buffers:
                raise ValueError(f"memories: no level holds {operand}")

    @property
    def dram(self) -> Any:
        return self.memories[0]

    def kib(self, memory: Sram) -> float:
        """Capacity of all instances of a level."""
        return memory.capacity_kib * (self.array.lanes if memory.per_lane else 1)

    @cached_property
    def buffers(self) -> dict[str, Buffer]:
        """operand -> its share of the level that holds it."""
        found = {}
        for memory in self.memories[1:]:
            share = int(self.kib(memory) * 1024) // len(memory.holds)
            for operand in memory.holds:
                if operand in found:
                    raise ValueError(f"memories: {operand} are held by '{found[operand].level}' and '{memory.level}'")
                found[operand] = Buffer(memory.level, share, memory.slots, memory.word_bits)
        return found

    @cached_property
    def levels(self) -> dict[str, Any]:
        return {memory.level: memory for memory in self.memories}

    @cached_property
    def static_pj(self) -> dict[tuple[str, str], tuple[float, str]]:
        """(component, action) -> (pJ per cycle, source) of leakage and background power."""
        per_mw = 1e3 / self.clock_mhz  # 1 mW for one cycle, in pJ
        guess = "of the hardware (a guess), x time"
        found = {}
        if self.energy.leakage_mw_per_lane is not None:
            lanes = self.energy.leakage_mw_per_lane * self.array.lanes
            found["mac", "leakage"] = lanes * per_mw, f"energy.leakage_mw_per_lane {guess}"
        if self.energy.leakage_mw_per_kib is not None:
            for memory in self.memories[1:]:
                kib = self.energy.leakage_mw_per_kib * self.kib(memory)
                found[memory.level, "leakage"] = kib * per_mw, f"energy.leakage_mw_per_kib {guess}"
        background = getattr(self.dram, "background_mw", None)  # a memory with states of its own counts them as actions
        if background is not None:
            found[self.dram.level, "background"] = background * per_mw, f"background_mw {guess}"
        return found
