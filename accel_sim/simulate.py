"""The page that is the simulator: a network's layers, one after another, through a machine.

    Layer --dataflow.tiles--> Tile --timing.time--> Timed --engine.run--> Schedule --Result--> rows
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from accel_sim import check, engine, timing
from accel_sim.accelerator import Accelerator
from accel_sim.actions import Actions
from accel_sim.dataflows.common import Placement, TiledLayer
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
class _Clock:
    """Where the machine stands between two layers: time, the outer memory's state, and where tensors lie in it."""

    now: int
    memory_state: np.ndarray
    addresses: dict[str, int]
    top: int = 0

    def allocate(self, size: int) -> int:
        address, self.top = self.top, self.top + -(-size // 64) * 64
        return address


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
    clock = _Clock(0, machine.dram.new_state(), {})
    clock.addresses["input"] = clock.allocate(network.batch * int(np.prod(network.input_shape)) * 4)
    data = walk(network, seed)
    runs = []
    for layer, operands in data:
        if fnmatchcase(layer.name, layers):
            if progress is not None:
                progress(layer.name)
            runs.append(run_layer(layer, operands, machine, clock, check))
        else:
            clock.addresses[layer.name] = clock.allocate(layer.output_elements * 4)
    return Result.of(network, machine, runs, seed=seed, check=check, scores=data.scores)


def run_layer(layer: Layer, operands: Operands, machine: Accelerator, clock: _Clock, checked: bool) -> LayerRun:
    """One layer's way: tiles, their time, the schedule of their transfers, and the actions all of it took."""
    tiled = tile_layer(layer, operands, machine, clock)
    actions, slots, jobs = Actions(), dict.fromkeys(timing.CAUSES, 0), []
    sums = check.Sums(layer, machine.mac) if checked and layer.has_macs else None
    for tile in tiled:
        timed = timing.time(tile, machine.array.lanes)
        for cause, count in timed.slots.items():
            slots[cause] += count
        actions.update(tile.actions)
        actions.update(machine.post.actions(layer, tile.outputs))
        actions.update(_transfers(tile, machine))
        jobs.append(_job(tile, timed.cycles, machine.post.cycles(layer, tile.outputs)))
        if sums is not None:
            sums.issue(tiled, tile)
    merged = _coarsen(jobs)
    buffers = {operand: buffer.slots for operand, buffer in machine.buffers.items()}
    schedule = engine.run(merged, machine.dram, clock.memory_state, buffers, clock.now)
    for cause, cycles in schedule.idle.items():
        slots[cause] += cycles * machine.array.lanes
    for component, action in machine.static_pj:
        actions[component, action, 0] += schedule.end - schedule.start
    clock.now = schedule.end
    return LayerRun(
        layer=layer,
        operands=replace(operands, weights=None, second=None),
        cycles=schedule.end - schedule.start,
        array_cycles=sum(job.array for job in jobs),
        slots=slots,
        actions=actions,
        facts=tiled.facts,
        bytes_read=sum(stream.bytes for job in jobs for read in job.reads.values() for stream in read),
        bytes_written=sum(stream.bytes for job in jobs for stream in job.writes),
        tiles=len(merged),
        overlapped=schedule.overlapped,
        weight_density=check.density(operands.weights),
        output=None if sums is None else sums.output(operands),
        overflows=None if sums is None else sums.overflows,
    )


def tile_layer(layer: Layer, operands: Operands, machine: Accelerator, clock: _Clock) -> TiledLayer:
    """The layer cut into tiles by the machine's dataflow, or by its post-processing unit if it has no MACs."""
    bits = operands.inputs.format.bits
    placement = Placement(
        machine.dram.level,
        clock.addresses[layer.inputs[0]],
        clock.allocate(layer.weights * 4),
        clock.allocate(layer.output_elements * 4),
        clock.allocate(layer.output_elements * 8),
    )
    clock.addresses[layer.name] = placement.outputs
    if not layer.has_macs:
        return TiledPost(layer, machine.buffers, placement, bits)
    try:
        machine.mac.check_mode(*machine.dataflow.multiplier_bits(operands))
    except ValueError as error:
        raise InputError(f"layer '{layer.name}': {error}") from None
    return machine.dataflow.tiles(
        layer, operands, machine.array.rows, machine.array.cols, machine.mac, machine.buffers, machine.encodings, placement
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
