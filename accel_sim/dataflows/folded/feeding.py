"""What a 2-D array asks of the levels and networks at its edges, step by step and value by value."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from accel_sim.dataflows.folded.fold_space import Shape
from accel_sim.mapping.buffer import Buffer
from accel_sim.values.actions import Actions
from accel_sim.values.causes import Cause


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
    def step(self, shape: Shape, read_back: bool) -> tuple[int, Cause]:
        """(cycles, cause) of one step of a fold: what the slowest level (sram) or network (noc) needs."""
        edges = list(self._edges(shape, read_back))
        needs = [*_ports(edges), *(each.passing for each in edges)]  # a tie is the level's
        cycles, *cause = max(needs, key=lambda need: need[0])
        return cycles, Cause(*cause)

    def _edges(self, shape: Shape, read_back: bool) -> Iterator["Edge"]:
        entering, lanes = self._entering(shape), {"rows": shape.rows, "cols": shape.cols}
        for edge, (operand, bits) in self.streamed.items():
            yield Edge(operand, self.buffers[operand], entering[edge], bits, lanes[edge], 1, 0)
        if self.sums is not None:
            back = int(read_back)
            yield Edge("partial_sums", self.buffers["outputs"], entering["cols"], self.sums, shape.cols, back, 1)

    def late(self, shape: Shape, read_back: bool) -> tuple[int, Cause]:
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


class Edge(NamedTuple):
    """What passes an edge in a step: so many values, spread over ``places``, read and written so many times each."""

    tensor: str
    buffer: Buffer
    values: int
    bits: int
    places: int
    reads: int
    writes: int

    @property
    def words(self) -> int:
        """Words of its level that hold the values; 0 where they lie as in the tensor, and addresses say how many."""
        by_address = self.buffer.layout == "tensor" and self.tensor != "partial_sums"
        return 0 if by_address else self.buffer.words(self.values, self.bits)

    @property
    def passing(self) -> tuple[int, str, str, str]:
        """(cycles, and the cause) that its network needs."""
        network, times = self.buffer.network, self.reads + self.writes
        cycles = 0 if network is None else times * network.cycles(self.values, self.bits, self.places)
        return cycles, "noc", f"{self.buffer.level}_noc", self.tensor


def _ports(edges: list[Edge]) -> Iterator[tuple[int, str, str, str]]:
    """(cycles, and the cause) that the ports of each level need: for the tensor with most words through the slower."""
    for level in dict.fromkeys(edge.buffer.level for edge in edges):
        here = [edge for edge in edges if edge.buffer.level == level]
        uses = [(edge.words * edge.reads, edge.words * edge.writes) for edge in here]
        reads, writes, buffer = sum(use[0] for use in uses), sum(use[1] for use in uses), here[0].buffer
        needs = buffer.access_cycles(reads, 0), buffer.access_cycles(0, writes)
        both, by_reads = buffer.shared_ports, needs[0] >= needs[1]
        through = [sum(use) if both else use[0] if by_reads else use[1] for use in uses]
        yield buffer.access_cycles(reads, writes), "sram", level, here[through.index(max(through))].tensor
