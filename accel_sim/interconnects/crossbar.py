"""A crossbar: several words at once, as long as no two of them want the same output."""

from dataclasses import dataclass

import numpy as np

from accel_sim.interconnects.common import Wires, block, through_ports
from accel_sim.interconnects.interconnect import interconnects
from accel_sim.values.checks import require


@interconnects.add("crossbar")
@dataclass(frozen=True)
class Crossbar(Wires):
    """ports: inputs (banks of the memory it leaves), each of which passes a word in a cycle to the output of any PE.

    A word goes to one output: values are packed into it only if they go to the same place. An input line passes every
    output, rows x cols segments, and toggles from end to end; each PE addressed costs one segment more, the line of its
    output (that an output line crosses ``ports`` input lines is left out: tracks, not PE pitches, lie between them).
    """

    ports: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, 1, "ports")

    def cycles(self, values: int, bits: int, places: int = 1) -> int:
        """Array-clock cycles for ``values`` spread evenly over ``places`` outputs and over the input ports.

        What they take without further conflicts; ``conflict_cycles`` gives the cycles of known transfers.
        """
        width = self.width_bits
        return 0 if width is None else through_ports(values, bits, places, width, self.ports)

    def hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """The input line past all outputs, and the output line of each PE of the block."""
        outputs = block(rows, cols, to_rows, to_cols)
        return rows * cols + outputs if outputs else 0


def conflict_cycles(step: np.ndarray, source: np.ndarray, destination: np.ndarray, steps: int) -> np.ndarray:
    """[steps] int64 cycles that the transfers of each step take, step after step, with real conflicts.

    step, source, destination: [transfers] integers, the step in which a word is to pass and its ports; any order. A
    port passes one word a cycle, so a step lasts as long as its busiest port has words. That many cycles are always
    enough (Konig's theorem on the edge colouring of bipartite graphs), given an arbiter that sees the whole step.
    Raises ValueError for arrays of different lengths, a step outside 0 ... steps - 1 or a negative port.
    """
    step, source, destination = (np.asarray(each, np.int64) for each in (step, source, destination))
    if not step.shape == source.shape == destination.shape:
        raise ValueError(f"transfers: {step.shape} steps, {source.shape} sources, {destination.shape} destinations")
    cycles = np.zeros(steps, np.int64)
    if step.size:
        if min(step.min(), source.min(), destination.min()) < 0 or step.max() >= steps:
            raise ValueError(f"transfers: steps must lie in 0 ... {steps - 1} and ports be at least 0")
        for ports in (source, destination):
            many = int(ports.max()) + 1
            wanted, count = np.unique(step * many + ports, return_counts=True)
            np.maximum.at(cycles, wanted // many, count)
    return cycles
