"""Work of the post-processing unit alone."""

from dataclasses import dataclass
from typing import ClassVar

from accel_sim.values.causes import Slots
from accel_sim.values.work import Timed


@dataclass(frozen=True)
class PostWork:
    """A tile of a layer without MACs: nothing for the array; its time is that of the post-processing unit."""

    of_array: ClassVar[bool] = False

    def time(self, lanes: int) -> Timed:
        """None of the array's."""
        return Timed(0, Slots())
