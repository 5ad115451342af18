"""A layer cut into tiles on a machine, and the bytes of its streams."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from accel_sim.machine.accelerator import Accelerator
from accel_sim.machine.config import load_hardware
from accel_sim.mapping.nest import Nest
from accel_sim.mapping.search import Candidates, Metrics, evaluate
from accel_sim.run.prepared import Prepared
from accel_sim.run.session import Session
from accel_sim.run.simulate import prepare
from tests.unit.accel_sim.layers import CALM, Case


@dataclass(frozen=True, eq=False)
class Cut:
    """A layer that is ready to be played."""

    case: Case
    machine: Accelerator
    ready: Prepared

    @staticmethod
    def of(case: Case, preset: str, settings: dict[str, Any]) -> "Cut":
        return Cut.on(case, load_hardware(preset, CALM | settings))

    @staticmethod
    def on(case: Case, machine: Accelerator) -> "Cut":
        return Cut(case, machine, prepare(case.layer, case.operands, Session.start(case.network, machine)))

    @property
    def nest(self) -> Nest:
        return self.ready.tiled.nest

    @property
    def streams(self) -> list:
        jobs = self.ready.jobs
        transfers = [t for job in jobs for moved in (job.loads, job.drains) for t in moved.values()]
        return [stream for transfer in transfers for stream in transfer.streams]

    def moved(self, tensor: str, *, is_write: bool = False) -> int:
        """Bytes of a tensor to or from the outermost memory."""
        return self.dram[tensor, is_write]

    @property
    def dram(self) -> Counter:
        found: Counter = Counter()
        for stream in self.streams:
            if "dram" in (stream.source, stream.target):
                found[stream.tensor, stream.is_write] += stream.bytes
        return found

    def predicted(self) -> Metrics:
        """What the search says of this very nest."""
        tiled, nest = self.ready.tiled, self.nest
        tiles = {loop.dim: [loop.tile] for loop in nest.loops}
        one = Candidates(tiles, {dim: np.zeros(1, np.int64) for dim in tiles}, tiled.space.sizes)
        order = tuple(loop.dim for loop in nest.loops)
        return evaluate(tiled.space, order, one, tiled.buffers, self.machine.goal)
