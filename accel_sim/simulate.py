"""The page that is the simulator: a network's layers, one after another, through a machine.

Layer --dataflow.tiles--> Tile --timing.time--> Timed --engine.run--> Schedule --Result--> rows
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from accel_sim import engine, timing
from accel_sim.accelerator import Accelerator
from accel_sim.actions import Actions
from accel_sim.address_map import AddressMap
from accel_sim.check import Sums
from accel_sim.dataflows.asymmetric import hint
from accel_sim.dataflows.common import TiledLayer
from accel_sim.post import TiledPost
from accel_sim.result import LayerRun, Result
from accel_sim.tile import PostWork, Tile
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import Operands
from workloads.registry import InputError
from workloads.walk import walk

#: more tiles than this in a layer are merged into fewer, larger swaps (and the result says so)
MAX_TILES = 2000


@dataclass
class Session:
    """What lives on from layer to layer: the time, the outer memory's state, and where tensors lie in it."""

    machine: Accelerator
    addresses: AddressMap
    memory_state: Any
    now: int = 0
    memory_actions: Actions = field(default_factory=Actions)

    @staticmethod
    def start(network: Network, machine: Accelerator) -> "Session":
        addresses = AddressMap(network, machine.dram.level, machine.dataflow.output_bits, machine.array.lanes)
        return Session(machine, addresses, machine.dram.new_state(machine.clock_mhz))

    def new_memory_actions(self) -> Actions:
        """What the outer memory has done since the last call, beside moving bytes."""
        before, self.memory_actions = self.memory_actions, self.machine.dram.actions(self.memory_state, self.now)
        return Actions({key: count - before[key] for key, count in self.memory_actions.items() if count > before[key]})


def simulate(
    network: Network,
    machine: Accelerator,
    *,
    seed: int = 0,
    check: bool = False,
    layers: str = "*",
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Runs the network's layers whose name matches the glob ``layers``; returns a Result whose sums close.

    seed: of synthetic codes. check: also compute each layer's output from the products its tiles issue, and compare.
    progress: called with each layer's name before it runs.
    Raises InputError (a layer that cannot run on this machine) and CheckError (a checked output differs).
    """
    if not any(fnmatchcase(layer.name, layers) for layer in network.layers):
        raise InputError(f"network '{network.name}': no layer matches '{layers}'")
    session, runs = Session.start(network, machine), []
    data = walk(network, seed)
    for layer, operands in data:
        if fnmatchcase(layer.name, layers):
            if progress is not None:
                progress(layer.name)
            runs.append(run_layer(layer, operands, session, check=check))
    return Result.of(network, machine, runs, seed=seed, check=check, scores=data.scores)


def run_layer(layer: Layer, operands: Operands, session: Session, *, check: bool = False) -> LayerRun:
    """One layer's way: tiles, their time, the schedule of their transfers, and the actions all of it took."""
    machine = session.machine
    tiled = tile_layer(layer, operands, session)
    actions, slots, swaps = Actions(), dict.fromkeys(timing.CAUSES, 0), []
    sums = Sums(layer, machine.mac) if check and layer.has_macs else None
    buffers = {operand: buffer.slots for operand, buffer in machine.buffers.items()}
    schedule = engine.Schedule(session.now, session.now, {}, 0)
    for tiles in (getattr(tiled, "prelude", ()), tiled):  # a prelude is over before the layer's own tiles begin
        jobs = []
        for tile in tiles:
            timed = timing.time(tile, machine.array.lanes)
            for cause, count in timed.slots.items():
                slots[cause] += count
            actions.update(tile.actions)
            actions.update(machine.post.actions(layer, tile.outputs, tile.correction_ops))
            actions.update(_transfers(tile, machine))
            jobs.append(_job(tile, timed.cycles, machine.post.cycles(layer, tile.outputs, tile.correction_ops)))
            if sums is not None and tile.products is not None:
                sums.issue(tiled, tile)
        jobs = _coarsen(jobs)
        swaps += jobs
        schedule = schedule.then(engine.run(jobs, machine.dram, session.memory_state, buffers, schedule.end))
    for cause, cycles in schedule.idle.items():
        slots[cause] += cycles * machine.array.lanes
    for component, action in machine.static_pj:
        actions[component, action, 0] += schedule.end - schedule.start
    session.now = schedule.end
    actions.update(session.new_memory_actions())
    return LayerRun.of(layer, operands, tiled.facts, schedule, swaps, slots, actions, sums)


def tile_layer(layer: Layer, operands: Operands, session: Session) -> TiledLayer:
    """The layer cut into tiles by the machine's dataflow, or by its post-processing unit if it has no MACs."""
    machine, placement = session.machine, session.addresses.place(layer)
    if not layer.has_macs:
        return TiledPost(layer, machine.buffers, placement, operands.inputs.format.bits)
    try:
        machine.mac.check_mode(*machine.dataflow.multiplier_bits(operands))
    except ValueError as error:
        raise InputError(f"layer '{layer.name}': {error}{hint(operands, machine.dataflow)}") from None
    return machine.dataflow.tiles(
        layer,
        operands,
        machine.array.rows,
        machine.array.cols,
        machine.mac,
        machine.buffers,
        machine.encodings,
        placement,
    )


def _transfers(tile: Tile, machine: Accelerator) -> Actions:
    """Bytes of the outermost level and the accesses that fill or empty the buffers."""
    actions = Actions()
    for stream in tile.streams:
        buffer = machine.buffers[stream.operand]
        words = -(-stream.bytes * 8 // buffer.word_bits)
        actions[machine.dram.level, "write" if stream.is_write else "read", 8] += stream.bytes
        actions[buffer.level, "read" if stream.is_write else "write", buffer.word_bits] += words
    return actions


def _job(tile: Tile, array: int, post: int) -> engine.Job:
    reads: dict[str, tuple] = {}
    for stream in tile.streams:
        if not stream.is_write:
            reads[stream.operand] = (*reads.get(stream.operand, ()), stream)
    writes = tuple(stream for stream in tile.streams if stream.is_write)
    return engine.Job(array, post, reads, writes, isinstance(tile.work, PostWork))


def _coarsen(jobs: list[engine.Job]) -> list[engine.Job]:
    """At most MAX_TILES jobs: runs of neighbours become one swap."""
    size = -(-len(jobs) // MAX_TILES)
    return jobs if size <= 1 else [engine.merge(jobs[i : i + size]) for i in range(0, len(jobs), size)]
