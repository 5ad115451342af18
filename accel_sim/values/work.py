"""What an array does of a tile, and how long that takes (docs/model.md 3 and 4); accel_sim.works has the kinds."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from accel_sim.values.causes import Cause, Slots

UNMAPPED, EFFECTUAL, INEFFECTUAL = Cause("unmapped"), Cause("effectual"), Cause("ineffectual")
IMBALANCE, DISPATCH, FILL_DRAIN, OUTPUT = Cause("imbalance"), Cause("dispatch"), Cause("fill_drain"), Cause("output")


@dataclass(frozen=True)
class Timed:
    """cycles of the array; causes: lane-slots, their sum = lanes * cycles; stalled: cycles of them in which
    whole folds wait for a level or a network, or are begun again because a buffer is too small for their stream."""

    cycles: int
    causes: Slots
    stalled: int = 0

    @property
    def slots(self) -> dict[str, int]:
        """State -> lane-slots, whatever the level and operand."""
        return self.causes.by_name


class Work(Protocol):
    """One kind of work; it times itself.

    of_array: the array has it to do; else the post-processing unit has, and no lane takes part.
    """

    of_array: ClassVar[bool]

    def time(self, lanes: int) -> Timed:
        """Exact cycles and lane-slots on an array of so many lanes."""
