"""The page that is the simulator: a network's layers, one after another, through a machine.

Layer --dataflow.tiles--> Tile --timing.time--> Timed --engine.run--> Schedule --Result--> rows
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from accel_sim import timing
from accel_sim.accelerator import Accelerator
from accel_sim.actions import Actions
from accel_sim.address_map import AddressMap
from accel_sim.check import Sums
from accel_sim.dataflows.asymmetric import hint
from accel_sim.dataflows.common import TiledLayer
from accel_sim.engine import Engine
from accel_sim.jobs import Job, Port, Schedule, Transfer, merge
from accel_sim.levels import Buffer
from accel_sim.mac_unit import Mode
from accel_sim.mapping.nest import render
from accel_sim.post import TiledPost
from accel_sim.residency import Residency
from accel_sim.result import LayerRun, Result
from accel_sim.transfers import accesses, job_of
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import Operands
from workloads.registry import InputError
from workloads.walk import Walk, walk

#: more tiles than this in a layer are merged into fewer, larger swaps (and the result says so)
MAX_TILES = 2000


@dataclass
class Session:
    """What lives on from layer to layer: the schedule, the outer memory's state, and where tensors lie in it."""

    machine: Accelerator
    addresses: AddressMap
    memory_state: Any
    engine: Engine
    residency: Residency
    memory_actions: Actions = field(default_factory=Actions)
    mode: Mode | None = None

    @staticmethod
    def start(
        network: Network, machine: Accelerator, layers: str = "*", engine: Callable[[Any, Any], Engine] = Engine
    ) -> "Session":
        """layers: glob of those that run (a map stays on chip only between layers that do)."""
        addresses = AddressMap(network, machine.dram.level, machine.dataflow.output_bits, machine.array.lanes)
        state = machine.dram.new_state(machine.clock_mhz)
        running = frozenset(layer.name for layer in network.layers if fnmatchcase(layer.name, layers))
        kept = Residency(network, addresses, machine.buffers, running if machine.mapping.keep_maps else frozenset())
        return Session(machine, addresses, state, engine(machine.dram, state), kept)

    def reconfigure(self, mode: Mode | None) -> int:
        """Cycles in which the MAC units change to a layer's mode (None: it needs none); the first is set already."""
        before, self.mode = self.mode, mode or self.mode
        changes = before is not None and mode is not None and mode != before
        cycles = self.machine.mac.reconfigure_cycles if changes else 0
        self.engine.wait(cycles)
        return cycles

    def new_memory_actions(self) -> Actions:
        """What the outer memory has done since the last call, beside moving bytes."""
        now = self.engine.now
        before, self.memory_actions = self.memory_actions, self.machine.dram.actions(self.memory_state, now)
        return Actions({key: count - before[key] for key, count in self.memory_actions.items() if count > before[key]})


@dataclass
class Prepared:
    """A layer cut into jobs, with all that does not depend on when they move."""

    layer: Layer
    operands: Operands
    tiled: TiledLayer
    prelude: list[Job]
    jobs: list[Job]
    actions: Actions
    slots: dict[str, int]
    sums: Sums | None
    buffers: dict[str, Buffer]
    mode: Mode | None
    macs_effectual: int = 0
    stalled: int = 0

    @property
    def mapping(self) -> str:
        """The loop nest around the array, as text."""
        levels = {operand: tuple(each.level for each in buffer.path) for operand, buffer in self.buffers.items()}
        return render(self.tiled.nest, levels, "the array" if self.layer.has_macs else "the post-processing unit")

    @property
    def ahead(self) -> dict[Port, Transfer]:
        """First loads of weights, which can come before the layer begins."""
        if self.prelude or not self.jobs or self.layer.dynamic:
            return {}
        loads = self.jobs[0].loads.items()
        return {port: load for port, load in loads if port[0] in ("weights", "pointers") and load.outermost}


def simulate(
    network: Network,
    machine: Accelerator,
    *,
    seed: int = 0,
    check: bool = False,
    layers: str = "*",
    progress: Callable[[str], None] | None = None,
    data: Walk | None = None,
    engine: Callable[[Any, Any], Engine] = Engine,
) -> Result:
    """Runs the network's layers whose name matches the glob ``layers``; returns a Result whose sums close.

    seed: of synthetic codes. check: also compute each layer's output from the products its tiles issue, and compare.
    progress: called with each layer's name before it runs. data: walk(network, seed) where it is there already.
    engine: makes what plays the schedule of (memory, state).
    Raises InputError (a layer that cannot run on this machine) and CheckError (a checked output differs).
    """
    if not any(fnmatchcase(layer.name, layers) for layer in network.layers):
        raise InputError(f"network '{network.name}': no layer matches '{layers}'")
    session, runs, waiting = Session.start(network, machine, layers, engine), [], None
    data = walk(network, seed) if data is None else data
    for layer, operands in data:
        if not fnmatchcase(layer.name, layers):
            continue
        if progress is not None:
            progress(layer.name)
        ready = prepare(layer, operands, session, check=check)
        if waiting is not None:
            runs.append(play(waiting, session, ready.ahead))
            waiting = None
        if machine.mapping.prefetch_layers:  # play a layer when the next one is known
            waiting = ready
        else:
            runs.append(play(ready, session))
    if waiting is not None:
        runs.append(play(waiting, session))
    return Result.of(network, machine, runs, seed=seed, check=check, scores=data.scores)


def run_layer(layer: Layer, operands: Operands, session: Session, *, check: bool = False) -> LayerRun:
    """One layer's way: tiles, their time, the schedule of their transfers, and the actions all of it took."""
    return play(prepare(layer, operands, session, check=check), session)


def prepare(layer: Layer, operands: Operands, session: Session, *, check: bool = False) -> Prepared:
    """Cuts a layer into tiles and times each of them in the array."""
    machine, tiled = session.machine, tile_layer(layer, operands, session)
    mode = machine.dataflow.mode(machine.mac, operands) if layer.has_macs else None
    sums = Sums(layer, mode.sum_bits, machine.mac.overflow) if check and mode is not None else None
    slots = dict.fromkeys(timing.CAUSES, 0)
    ready = Prepared(layer, operands, tiled, [], [], Actions(), slots, sums, machine.buffers, mode)
    for tiles, jobs in ((getattr(tiled, "prelude", ()), ready.prelude), (tiled, ready.jobs)):
        for tile in tiles:
            tile = replace(tile, streams=session.residency.moved(tile.streams, machine.dram.level))
            timed = timing.time(tile, machine.array.lanes)
            for cause, count in timed.slots.items():
                ready.slots[cause] += count
            ready.stalled += timed.stalled
            effectual = tile.macs_effectual
            ready.macs_effectual += timed.slots.get("effectual", 0) if effectual is None else effectual
            ready.actions.update(tile.actions)
            ready.actions.update(machine.post.actions(layer, tile.outputs, tile.correction_ops))
            ready.actions.update(accesses(tile, machine))
            post = machine.post.cycles(layer, tile.outputs, tile.correction_ops)
            jobs.append(job_of(tile, timed.cycles, post, machine))
            if sums is not None and tile.products is not None:
                sums.issue(tiled, tile)
        jobs[:] = _coarsen(jobs)
    return ready


def play(ready: Prepared, session: Session, ahead: dict[Port, Transfer] | None = None) -> LayerRun:
    """Moves a layer's tiles through the machine. ahead: loads of the next layer that may begin during this one."""
    machine, engine = session.machine, session.engine
    start = engine.now
    ready.slots["reconfigure"] += session.reconfigure(ready.mode) * machine.array.lanes
    schedule = Schedule(start, engine.now, {}, 0)
    if ready.prelude:  # over before the layer's own tiles begin
        schedule = schedule.then(engine.play(ready.prelude, machine.buffers))
    schedule = schedule.then(engine.play(ready.jobs, machine.buffers, ahead))
    for cause, cycles in schedule.idle.items():
        ready.slots[cause] += cycles * machine.array.lanes
    for component, action in machine.static_pj:
        ready.actions[component, action, 0] += schedule.end - schedule.start
    ready.actions.update(session.new_memory_actions())
    return LayerRun.of(ready, schedule)


def tile_layer(layer: Layer, operands: Operands, session: Session) -> TiledLayer:
    """The layer cut into tiles by the machine's dataflow, or by its post-processing unit if it has no MACs."""
    machine, placement = session.machine, session.addresses.place(layer)
    buffers = session.residency.shares(layer)
    if not layer.has_macs:
        return TiledPost(layer, buffers, placement, operands.inputs.format.bits)
    try:
        machine.dataflow.mode(machine.mac, operands)
        machine.mac.check_operands(layer, operands)
    except ValueError as error:
        raise InputError(f"layer '{layer.name}': {error}{hint(operands, machine.dataflow)}") from None
    return machine.dataflow.tiles(
        layer,
        operands,
        machine.array.rows,
        machine.array.cols,
        machine.mac,
        buffers,
        machine.encodings,
        placement,
        machine.mapper(layer.name),
    )


def _coarsen(jobs: list[Job]) -> list[Job]:
    """At most MAX_TILES jobs: runs of neighbours become one swap."""
    size = -(-len(jobs) // MAX_TILES)
    return jobs if size <= 1 else [merge(jobs[i : i + size]) for i in range(0, len(jobs), size)]
