"""What a machine needs of its outermost memory, and the schedule of it."""

from fractions import Fraction
from typing import Any, Protocol, TypeVar

from accel_sim.values.actions import Actions
from accel_sim.values.prices import Prices
from accel_sim.values.tile import Extent
from workloads.registry import Registry, lacking

#: what a memory keeps of a run; it belongs to the caller, who never looks into it
State = TypeVar("State")
Kept = TypeVar("Kept", contravariant=True)
#: (ticket, begin, end, completion) of a transfer, in cycles of the array clock
Completed = tuple[int, int, int, int]


class Priced(Protocol):
    """A memory or network: what its actions cost."""

    def price(self, action: str, bits: int, table: Prices) -> tuple[float, str]:
        """(pJ, source) of one action."""


class Level(Priced, Protocol):
    """A memory, outermost or on chip."""

    @property
    def level(self) -> str:
        """Its name in results."""


class Channel(Protocol[Kept]):
    """What serves transfers; times are cycles of the array clock.

    A transfer is submitted under a ticket, and reported when it completes. Whoever serves the memory runs it only as
    far as no later transfer can matter:

    submit(state, ticket, time, extents, is_write): enqueues extents (address, bytes, count, stride) at ``time``.
    advance(state, limit): runs to the first completion, or to ``limit`` (None = no bound); commits nothing at or after
        limit, so that a transfer submitted then takes part. Returns [(ticket, begin, end, completion)] of all that
        complete in that first cycle: the memory was busy with it from begin to end; the waiter goes on at completion.
        Any sequence of limits gives the same commands.
    """

    @property
    def level(self) -> str:
        """Its name in results."""

    def submit(self, state: Kept, ticket: int, time: int, extents: tuple[Extent, ...], is_write: bool) -> None:
        """Enqueues extents (address, bytes, count, stride) at cycle ``time``."""

    def advance(self, state: Kept, limit: int | None) -> list[Completed]:
        """To the first completion before ``limit`` (None = no bound)."""


class Memory(Channel[State], Level, Protocol[State]):
    """The outermost level. Its state belongs to the caller.

    new_state(clock_mhz): of memory that has done nothing; clock_mhz: of the array.
    actions(state, time): what it has done from the beginning up to ``time``, whatever is under way then (loads ahead of
        their layer); bytes moved are counted elsewhere.
    peak_bytes_per_cycle(clock_mhz): no transfer is faster; idle_latency(clock_mhz): cycles of a request on idle memory.
        Both only draw roofs and choose tiles.
    """

    def new_state(self, clock_mhz: float) -> State:
        """State of memory that has done nothing; clock_mhz: of the array."""

    def actions(self, state: State, time: int) -> Actions:
        """What it has done from the beginning up to cycle ``time``."""

    def peak_bytes_per_cycle(self, clock_mhz: float) -> Fraction:
        """Bytes per array cycle that no transfer exceeds."""

    def idle_latency(self, clock_mhz: float) -> int:
        """Array cycles of a request on idle memory."""


#: a machine's: which state it keeps, itself alone knows
Outermost = Memory[Any]
#: what a memory is asked for, as outermost level or on chip: of one that lacks any, no run could come to its end
OUTERMOST = ("new_state", "submit", "advance", "actions", "price", "peak_bytes_per_cycle", "idle_latency")
ON_CHIP = ("price", "macro", "port_kind", "leakage", "area_um2", "latency", "reads_per_cycle", "writes_per_cycle")
#: name -> frozen dataclass
memories: Registry[type[Level]] = Registry(
    "memory", "accel_sim.memories", lambda part: lacking(part, *(OUTERMOST if hasattr(part, "submit") else ON_CHIP))
)
