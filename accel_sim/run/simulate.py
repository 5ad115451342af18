"""The page that is the simulator: a network's layers, one after another, through a machine.

Layer --tile_layer--> Tile --work.time--> Timed --Prepared.add--> Job --Engine.play--> Schedule --Result--> rows
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from accel_sim.dataflows.asymmetric import hint
from accel_sim.dataflows.common import TiledLayer
from accel_sim.dataflows.post_tiles import TiledPost
from accel_sim.machine.accelerator import Accelerator
from accel_sim.run.check import Sums
from accel_sim.run.engine import Engine, MakeEngine
from accel_sim.run.prepared import Prepared, coarsen
from accel_sim.run.result import LayerRun, Result
from accel_sim.run.session import Session
from accel_sim.values.actions import Actions
from accel_sim.values.causes import Cause, Slots
from accel_sim.values.jobs import Port, Schedule, Transfer
from accel_sim.works.timed import timed
from workloads.layer import Layer
from workloads.layer_names import chosen
from workloads.network import Network
from workloads.operands import MacOperands, Operands, PostOperands
from workloads.registry import InputError
from workloads.walk import Walk, walk


def simulate(
    network: Network,
    machine: Accelerator,
    *,
    seed: int = 0,
    check: bool = False,
    layers: str = "*",
    progress: Callable[[str], None] | None = None,
    data: Walk | None = None,
    engine: MakeEngine = Engine,
) -> Result:
    """Runs the network's layers whose name matches the glob ``layers``; returns a Result whose sums close.

    seed: of synthetic codes. check: also compute each layer's output from the products its tiles issue, and compare.
    progress: called with each layer's name before it runs. data: walk(network, seed) where it is there already.
    engine: makes what plays the schedule of (memory, state).
    Raises InputError (a layer that cannot run on this machine) and CheckError (a checked output differs).
    """
    try:
        return _simulate(network, machine, seed, check, layers, progress, data, engine)
    except AssertionError as error:  # of ours, unless somebody else's parts take part
        own = machine.plugins
        if not own:
            raise
        raise InputError(f"{error}; this machine has parts of plug-ins: {', '.join(own)}") from None


def _simulate(
    network: Network, machine: Accelerator, seed: int, check: bool, layers: str,
    progress: Callable[[str], None] | None, data: Walk | None, engine: MakeEngine,
) -> Result:  # fmt: skip
    running = chosen(layers, network.names, f"network '{network.name}'")
    data = walk(network, seed) if data is None else data
    session = Session.start(network, machine, running, engine, lambda name: data.codes(name))

    def prepared() -> Iterator[Prepared]:
        for layer, operands in data:
            if layer.name in session.running:
                if progress is not None:
                    progress(layer.name)
                yield prepare(layer, operands, session, check=check)

    if machine.mapping.prefetch_layers:  # a layer is played when the next one is known
        pairs = _followed(prepared())
        runs = [play(ready, session, None if after is None else after.ahead) for ready, after in pairs]
    else:
        runs = [play(ready, session) for ready in prepared()]
    return Result.of(network, machine, runs, seed=seed, check=check, scores=data.scores)


def _followed(layers: Iterator[Prepared]) -> Iterator[tuple[Prepared, Prepared | None]]:
    """Each layer and the next one, None behind the last."""
    ready = next(layers, None)
    while ready is not None:
        after = next(layers, None)
        yield ready, after
        ready = after


def run_layer(layer: Layer, operands: Operands, session: Session, *, check: bool = False) -> LayerRun:
    """One layer's way: tiles, their time, the schedule of their transfers, and the actions all of it took."""
    return play(prepare(layer, operands, session, check=check), session)


def prepare(layer: Layer, operands: Operands, session: Session, *, check: bool = False) -> Prepared:
    """Cuts a layer into tiles, times each of them in the array, and makes jobs for the engine of them."""
    machine, tiled = session.machine, tile_layer(layer, operands, session)
    mode, sums = None, None
    if isinstance(operands, MacOperands):
        mode = machine.dataflow.mode(machine.mac, operands)
        sums = Sums(layer, operands, mode.sum_bits, machine.mac.overflow, session.network) if check else None
    given = session.given.get(layer.name)
    changes = () if given is None else given.changes(tiled.nest)
    ready = Prepared(layer, operands, tiled, [], [], Actions(), Slots(), sums, machine.buffers, mode, changes)
    for tiles, jobs in ((getattr(tiled, "prelude", ()), ready.prelude), (tiled, ready.jobs)):
        for tile in tiles:
            moved = session.residency.moved(tile.streams, machine.dram.level)
            tile = replace(tile, streams=session.maps.moved(moved, machine.dram.level))
            jobs.append(ready.add(tile, timed(tile.work, machine.array.lanes), machine))
        jobs[:] = coarsen(jobs)
    if check:
        session.maps.check(layer)
    ready.padding = (*session.addresses.padding(layer), *session.maps.notes(layer))
    return ready


def tile_layer(layer: Layer, operands: Operands, session: Session) -> TiledLayer:
    """The layer cut into tiles by the machine's dataflow, or by its post-processing unit if it has no MACs."""
    machine, placement = session.machine, session.addresses.place(layer)
    buffers = session.residency.shares(layer)
    widths = operands.inputs.format.bits, placement.inputs[0].bits
    assert widths[0] == widths[1], f"layer '{layer.name}': reads codes of {widths[0]} bits of a map in {widths[1]}"
    if isinstance(operands, PostOperands):
        moved, notes = session.addresses.moved(layer)
        return TiledPost(moved, buffers, placement, notes)
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
        session.mapper(layer),
    )


def play(ready: Prepared, session: Session, ahead: dict[Port, Transfer] | None = None) -> LayerRun:
    """Moves a layer's tiles through the machine. ahead: loads of the next layer that may begin during this one."""
    machine, engine = session.machine, session.engine
    start = engine.now
    ready.causes[Cause("reconfigure")] += session.reconfigure(ready.mode) * machine.array.lanes
    schedule = Schedule(start, engine.now, {}, 0)
    if ready.prelude:  # over before the layer's own tiles begin
        schedule = schedule.then(engine.play(ready.prelude, machine.buffers))
    schedule = schedule.then(engine.play(ready.jobs, machine.buffers, ahead))
    for cause, cycles in schedule.idle.items():
        ready.causes[cause] += cycles * machine.array.lanes
    for component, action in machine.static_pj:
        ready.actions[component, action, 0] += schedule.end - schedule.start
    ready.actions.update(session.new_memory_actions())
    return LayerRun.of(ready, schedule)
