"""Columns of PEs that take a brick of operands in a step, and wait for each other as far as the array says."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from accel_sim.values.causes import Slots
from accel_sim.values.work import DISPATCH, EFFECTUAL, IMBALANCE, INEFFECTUAL, UNMAPPED, Timed
from cython_core import serial


@dataclass(frozen=True, eq=False)
class ColumnWork:
    """Steps of columns of ``high`` lanes that move together; a column reads a brick of operands in a step.

    cost: [rows, columns] int32 cycles of data-dependent steps; step t costs cost[rows[t]] in its first mapped[t]
    columns, height[t] lanes of which have work. rows, mapped, height: [T] int32. depth: as in ``serial.columns``.
    staggered: [T] int32 the one column that does step t, with costs in column 0 of ``cost``, or empty: all do.
    effectual, places: products with two non-zero operands, and all multiplier places, of the steps: their share of the
    busy slots is effectual.
    """

    of_array: ClassVar[bool] = True

    cost: np.ndarray
    rows: np.ndarray
    mapped: np.ndarray
    height: np.ndarray
    columns: int
    high: int
    depth: int
    effectual: int
    places: int
    staggered: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    def time(self, lanes: int) -> Timed:
        """By the kernels of ``cython_core.serial``."""
        if self.staggered.size:
            cost = np.ascontiguousarray(self.cost[self.rows, 0])
            cycles, busy, waiting, unmapped = serial.staggered(
                cost, self.staggered, self.height, self.columns, self.high
            )
            cause = DISPATCH
        else:
            cycles, busy, waiting, unmapped = serial.columns(
                self.cost, self.rows, self.mapped, self.height, self.high, self.depth
            )
            cause = IMBALANCE
        effectual = busy * self.effectual // max(1, self.places)
        slots = {UNMAPPED: unmapped, EFFECTUAL: effectual, INEFFECTUAL: busy - effectual, cause: waiting}
        return Timed(cycles, Slots(slots))
