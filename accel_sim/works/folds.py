"""Folds of a matrix product on a two-dimensional array, in closed form."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from accel_sim.values.causes import Cause, Slots
from accel_sim.values.work import EFFECTUAL, FILL_DRAIN, INEFFECTUAL, UNMAPPED, Timed


class Passes(NamedTuple):
    """So many folds of load and skew cycles each; mapped: lanes with work, summed over them."""

    folds: int
    load: int
    skew: int
    mapped: int


@dataclass(frozen=True)
class FoldWork:
    """Passes of a uniform grid over a 2-D array, in closed form.

    passes: equal ones together; stream: cycles of each beside its load and skew.
    effectual, ineffectual: slots, counted each by its own rule; lanes: of the whole array. loading: what a load waits
    for. stalls: cause -> (cycles that all folds together last longer for a level or network that cannot feed them,
    slots of mapped lanes in them).
    again: cycles of loads and skews beyond one a fold, because buffers too small for its stream have cut it.
    """

    of_array: ClassVar[bool] = True

    passes: tuple[Passes, ...]
    stream: int
    lanes: int
    effectual: int
    ineffectual: int
    loading: Cause | None = None
    stalls: dict[Cause, tuple[int, int]] = field(default_factory=dict)
    again: int = 0

    def __post_init__(self) -> None:
        if self.loading is None and any(each.load for each in self.passes):
            raise ValueError("folds that are loaded must say from where")

    def time(self, lanes: int) -> Timed:
        """In closed form; lanes: those of the array are a field, for what is unmapped is counted over all folds."""
        stalled = sum(cycles for cycles, _ in self.stalls.values())
        slots = Slots({
            UNMAPPED: sum(cycles * self.lanes - mapped for cycles, mapped in self.stalls.values()),
            EFFECTUAL: self.effectual,
            INEFFECTUAL: self.ineffectual,
        })  # fmt: skip
        took = stalled
        for folds, load, skew, mapped in self.passes:
            each = load + self.stream + skew
            took += folds * each
            slots[UNMAPPED] += (folds * self.lanes - mapped) * each
            slots[FILL_DRAIN] += mapped * skew
            if load and self.loading is not None:
                slots[self.loading] += mapped * load
        for cause, (_, mapped) in self.stalls.items():
            slots[cause] += mapped
        return Timed(took, slots, stalled + self.again)
