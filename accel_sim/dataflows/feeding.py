"""What a 2-D array asks of the levels and networks at its edges, step by step and value by value."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from accel_sim.actions import Actions
from accel_sim.dataflows.fold_space import Shape
from accel_sim.levels import Buffer


@dataclass(frozen=True, eq=False)
class Feeding:
    """rows, cols: of the array; streamed: edge (rows, cols) -> (operand, bits) that enters there each step; sums: width
    of the sums that leave the columns each step and are read back, None = they stay in the PEs. together: elements of
    the streamed dimension that a step takes; step_cycles: of a step."""

    rows: int
    cols: int
    buffers: dict[str, Buffer]
    streamed: dict[str, tuple[str, int]]
    sums: int | None
    together: int = 1
    step_cycles: int = 1

    @cache  # noqa: B019  a plan lives as long as its layer
    def step(self, shape: Shape, read_back: bool) -> tuple[int, str]:
        """(cycles, cause) of one step of a fold: what the slowest level (sram) or network (noc) needs."""
        entering, words, noc = self._entering(shape), {}, 0
        lanes = {"rows": shape.rows, "cols": shape.cols}
        for edge, (operand, bits) in self.streamed.items():
            buffer = self.buffers[operand]
            noc = max(noc, _passing(buffer.network, entering[edge], bits, lanes[edge]))
            if buffer.layout == "tensor":
                continue  # by its addresses
            words.setdefault(buffer.level, [buffer, 0, 0])[1] += buffer.words(entering[edge], bits)
        if self.sums is not None:
            buffer = self.buffers["outputs"]
            entry = words.setdefault(buffer.level, [buffer, 0, 0])
            moved = buffer.words(entering["cols"], self.sums)
            entry[1], entry[2] = entry[1] + moved * read_back, entry[2] + moved
            noc = max(noc, (1 + read_back) * _passing(buffer.network, entering["cols"], self.sums, shape.cols))
        sram = max((buffer.access_cycles(reads, writes) for buffer, reads, writes in words.values()), default=0)
        return (sram, "sram") if sram >= noc else (noc, "noc")

    def late(self, shape: Shape, read_back: bool) -> tuple[int, str]:
        """(cycles, cause) that a step lasts longer than the MAC unit needs."""
        need, cause = self.step(shape, read_back)
        return max(0, need - self.step_cycles), cause

    def _entering(self, shape: Shape) -> dict[str, int]:
        """Values at each edge in a step."""
        return {"rows": shape.down * self.together, "cols": shape.across * self.together}

    def hops(self, shape: Shape, steps: int, read_back: bool) -> Actions:
        """Wire segments of ``steps`` steps of one fold."""
        entering, reach = self._entering(shape), {"rows": (1, shape.cols), "cols": (shape.rows, 1)}
        actions = Actions()
        for edge, (operand, bits) in self.streamed.items():
            actions.update(self._deliver(operand, entering[edge] * steps, bits, reach[edge]))
        if self.sums is not None:
            moved = (1 + read_back) * entering["cols"] * steps
            actions.update(self._deliver("outputs", moved, self.sums, (self.rows, 1)))
        return actions

    def held(self, operand: str, bits: int, shape: Shape, each: int) -> Actions:
        """Wire segments of ``each`` values to or from every PE with work."""
        buffer = self.buffers[operand]
        if buffer.network is None:
            return Actions()
        block = self.rows, self.cols, shape.rows, shape.cols
        return buffer.network.scatter(f"{buffer.level}_noc", each, bits, *block)

    def _deliver(self, operand: str, count: int, bits: int, reach: tuple[int, int]) -> Actions:
        buffer = self.buffers[operand]
        if buffer.network is None:
            return Actions()
        return buffer.network.deliver(f"{buffer.level}_noc", count, bits, self.rows, self.cols, *reach)


def _passing(network: Any, values: int, bits: int, places: int) -> int:
    """Cycles in which a network passes values for so many rows or columns."""
    return 0 if network is None else network.cycles(values, bits, places)
