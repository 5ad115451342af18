"""What a 2-D array asks of the levels and networks at its edges, step by step and value by value."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from accel_sim.actions import Actions
from accel_sim.levels import Buffer


@dataclass(frozen=True, eq=False)
class Feeding:
    """rows, cols: of the array; streamed: edge (rows, cols) -> (operand, bits) that enters there each step; sums: width
    of the sums that leave the columns each step and are read back, None = they stay in the PEs."""

    rows: int
    cols: int
    buffers: dict[str, Buffer]
    streamed: dict[str, tuple[str, int]]
    sums: int | None

    @cache  # noqa: B019  a plan lives as long as its layer
    def step(self, used_rows: int, used_cols: int, read_back: bool) -> tuple[int, str]:
        """(cycles, cause) of one step of a fold: 1, or what the slowest level (sram) or network (noc) needs."""
        used, words, noc = {"rows": used_rows, "cols": used_cols}, {}, 0
        for edge, (operand, bits) in self.streamed.items():
            buffer = self.buffers[operand]
            noc = max(noc, _passing(buffer.network, used[edge], bits))
            if buffer.layout == "tensor":
                continue  # by its addresses
            words.setdefault(buffer.level, [buffer, 0, 0])[1] += buffer.words(used[edge], bits)
        if self.sums is not None:
            buffer = self.buffers["outputs"]
            entry = words.setdefault(buffer.level, [buffer, 0, 0])
            moved = buffer.words(used_cols, self.sums)
            entry[1], entry[2] = entry[1] + moved * read_back, entry[2] + moved
            noc = max(noc, (1 + read_back) * _passing(buffer.network, used_cols, self.sums))
        sram = max((buffer.access_cycles(reads, writes) for buffer, reads, writes in words.values()), default=0)
        return (sram, "sram") if sram >= noc else (noc, "noc")

    def hops(self, used_rows: int, used_cols: int, steps: int, read_back: bool) -> Actions:
        """Wire segments of ``steps`` steps of one fold."""
        used, reach = {"rows": used_rows, "cols": used_cols}, {"rows": (1, used_cols), "cols": (used_rows, 1)}
        actions = Actions()
        for edge, (operand, bits) in self.streamed.items():
            actions.update(self._deliver(operand, used[edge] * steps, bits, reach[edge]))
        if self.sums is not None:
            actions.update(self._deliver("outputs", (1 + read_back) * used_cols * steps, self.sums, (self.rows, 1)))
        return actions

    def held(self, operand: str, bits: int, used_rows: int, used_cols: int) -> Actions:
        """Wire segments of one value to or from each PE with work."""
        buffer = self.buffers[operand]
        if buffer.network is None:
            return Actions()
        return buffer.network.scatter(f"{buffer.level}_noc", 1, bits, self.rows, self.cols, used_rows, used_cols)

    def _deliver(self, operand: str, count: int, bits: int, reach: tuple[int, int]) -> Actions:
        buffer = self.buffers[operand]
        if buffer.network is None:
            return Actions()
        return buffer.network.deliver(f"{buffer.level}_noc", count, bits, self.rows, self.cols, *reach)


def _passing(network: Any, values: int, bits: int) -> int:
    """Cycles in which a network passes one value for each of so many rows or columns."""
    return 0 if network is None else network.cycles(values, bits, values)
