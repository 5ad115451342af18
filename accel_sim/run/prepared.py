"""A layer cut into jobs: what its tiles cost, before any of them moves."""

from dataclasses import dataclass, replace

from accel_sim.dataflows.common import Facts, TiledLayer
from accel_sim.dataflows.post import ENCODE, operations
from accel_sim.machine.accelerator import Accelerator
from accel_sim.macs.unit import Mode
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import render
from accel_sim.run.check import Sums
from accel_sim.run.transfers import accesses, job_of
from accel_sim.values.actions import Actions
from accel_sim.values.causes import Slots
from accel_sim.values.jobs import Job, Port, Transfer, merge
from accel_sim.values.tile import Tile
from accel_sim.values.work import Timed
from workloads.layer import Layer
from workloads.operands import Operands

#: more tiles than this in a layer are merged into fewer, larger swaps (and the result says so)
MAX_TILES = 2000


@dataclass
class Prepared:
    """A layer cut into jobs, with all that does not depend on when they move.

    changes: what is not played as the user gave it, a sentence each; padding: where maps take more than their codes.
    """

    layer: Layer
    operands: Operands
    tiled: TiledLayer
    prelude: list[Job]
    jobs: list[Job]
    actions: Actions
    causes: Slots
    sums: Sums | None
    buffers: dict[str, Buffer]
    mode: Mode | None
    changes: tuple[str, ...] = ()
    padding: tuple[str, ...] = ()
    macs_effectual: int = 0
    stalled: int = 0

    def add(self, tile: Tile, timed: Timed, machine: Accelerator) -> Job:
        """Counts what a tile takes in the array, the post-processing unit and the memories; returns it as a job."""
        self.causes.update(timed.causes)
        self.stalled += timed.stalled
        effectual = tile.macs_effectual
        self.macs_effectual += timed.slots.get("effectual", 0) if effectual is None else effectual
        self.actions.update(tile.actions)
        ops = tile.outputs * operations(self.layer) + tile.correction_ops if tile.post_ops is None else tile.post_ops
        ops += ENCODE * sum(stream.values for stream in tile.streams if stream.is_write)
        self.actions.update(machine.post.actions(ops))
        self.actions.update(accesses(tile, machine))
        if self.sums is not None and tile.products is not None:
            self.sums.issue(self.tiled, tile)
        return job_of(tile, timed.cycles, machine.post.cycles(ops), machine)

    @property
    def mapping(self) -> str:
        """The loop nest around the array, as text."""
        levels = {operand: tuple(each.level for each in buffer.path) for operand, buffer in self.buffers.items()}
        nest = render(self.tiled.nest, levels, "the array" if self.layer.has_macs else "the post-processing unit")
        return "\n".join([*(f"# {change}" for change in self.changes), nest])

    @property
    def facts(self) -> Facts:
        """What the dataflow knows of the layer; in its notes, what was changed comes first and padding last."""
        facts = self.tiled.facts
        return replace(facts, notes=self.changes + facts.notes + self.padding)

    @property
    def ahead(self) -> dict[Port, Transfer]:
        """First loads of weights, which can come before the layer begins."""
        if self.prelude or not self.jobs or self.layer.dynamic:
            return {}
        loads = self.jobs[0].loads.items()
        return {port: load for port, load in loads if port[0] in ("weights", "pointers") and load.outermost}


def coarsen(jobs: list[Job]) -> list[Job]:
    """At most MAX_TILES jobs: runs of neighbours become one swap."""
    size = -(-len(jobs) // MAX_TILES)
    return jobs if size <= 1 else [merge(jobs[i : i + size]) for i in range(0, len(jobs), size)]
