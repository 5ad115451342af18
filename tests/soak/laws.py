"""The laws: what must hold of every run, whatever the network and the machine. Counts come from ``count`` alone."""

import math
import tempfile
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property
from pathlib import Path

import numpy as np

from accel_sim import load_hardware, simulate
from accel_sim.machine.config import to_tree
from accel_sim.run.result import Result
from tests.soak.cases import Case
from tests.soak.count import Count, Spec, count
from workloads import load_network
from workloads.registry import InputError

#: name -> law(run), of one run and of several; a law raises AssertionError
LAWS: dict[str, Callable] = {}
DEAR: dict[str, Callable] = {}


class RefusedError(Exception):
    """The case is not taken, in one line."""


def law(function: Callable) -> Callable:
    """Registers a law by its function's name."""
    LAWS[function.__name__] = function
    return function


def dear(function: Callable) -> Callable:
    """The same for a law that simulates again: each case is held to one of these, as its seed says."""
    DEAR[function.__name__] = function
    return function


def laws_of(case: Case) -> dict[str, Callable]:
    """The laws that a case is held to."""
    names = sorted(DEAR)
    return LAWS | {name: DEAR[name] for name in names[case.seed % len(names) :][:1]}


class Run:
    """A case as it was simulated, checked."""

    def __init__(self, case: Case):
        self.case = case
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
            net, trace = case.write(Path(folder))
            recorded = None if case.precision else trace  # requantised maps are not those that were recorded
            self.network = self.taken(
                lambda: load_network(net, batch=case.batch, activations=recorded, precision=case.precision or None)
            )
        self.machine = self.taken(lambda: load_hardware(case.preset, case.settings))
        self.result = self.simulate()
        self.rows = self.result.layers.set_index("layer")

    def taken(self, make: Callable):
        """What ``make`` gives; RefusedError if it is an InputError of one line that says something."""
        try:
            return make()
        except InputError as error:
            assert str(error).strip(), "an empty refusal"
            assert "\n" not in str(error), f"a refusal of several lines: {error}"
            raise RefusedError(str(error)) from None

    def simulate(self, check: bool = True, **settings) -> Result:
        """The network on the machine, with further settings."""
        machine = self.machine
        if settings:
            machine = self.taken(lambda: load_hardware(self.case.preset, {**self.case.settings, **settings}))
        return self.taken(lambda: simulate(self.network, machine, check=check, seed=self.seed))

    @property
    def seed(self) -> int:
        """Of whatever is made up."""
        return self.case.seed % 1000

    @cached_property
    def counted(self) -> dict[str, Count]:
        """Of each layer with MACs whose operands are known: recorded maps and the file's weights."""
        case, found = self.case, {}
        if case.precision:
            return found
        for spec in case.layers:
            if not spec.has_macs:
                continue
            x = case.trace[spec.inputs[0]].reshape(case.batch, spec.C, spec.H, spec.W)
            if spec.name in case.weights:
                codes, zero = case.weights[spec.name]
                w = codes.astype(np.int64) - np.broadcast_to(zero, (spec.M,)).reshape(-1, 1, 1, 1)
            elif case.batch > 1:
                continue
            else:
                w = case.trace[spec.inputs[1]].reshape(spec.weight_shape)
            found[spec.name] = count(spec, x, w)
        return found

    def specs(self) -> list[Spec]:
        """The case's layers."""
        return list(self.case.layers)


@law
def sums_are_those_of_numpy(run: Run) -> None:
    held = run.result.sums if hasattr(run.result, "sums") else run.result.outputs
    for name, counted in run.counted.items():
        if not run.rows.overflows[name]:
            assert np.array_equal(held[name], counted.sums), name


@law
def products_are_those_of_numpy(run: Run) -> None:
    for name, counted in run.counted.items():
        row = run.rows.loc[name]
        found = row.macs_nominal, row.macs_nonpad, row.macs_effectual
        assert found == (counted.nominal, counted.nonpad, counted.effectual), (name, found, counted)
        assert counted.effectual <= row.macs_issued <= counted.nominal, name


@law
def lane_slots_fill_the_time(run: Run) -> None:
    slots = run.result.cycles.groupby("layer").lane_slots
    assert (run.result.cycles.lane_slots >= 0).all()
    for name, row in run.rows.iterrows():
        assert slots.sum()[name] == row.cycles * row.lanes, name
        assert 0 <= row.utilization <= 1, name
        assert row.array_cycles <= row.cycles, name


@law
def energy_is_counts_times_prices(run: Run) -> None:
    actions = run.result.actions
    assert np.isfinite(actions.energy_pj).all()
    assert (actions["count"] >= 0).all()
    assert (actions.energy_pj >= 0).all()
    assert np.allclose(actions["count"] * actions.pj_each, actions.energy_pj, rtol=1e-9)
    assert math.isclose(actions.energy_pj.sum(), run.result.summary["energy_pj"], rel_tol=1e-9, abs_tol=1e-9)
    assert actions.source.astype(str).str.len().min() > 0


@law
def what_must_be_read_is_read(run: Run) -> None:
    """Weights that are kept are read at least once at their width, and every element of a map that a product needs."""
    keeps = run.machine.mapping.keep_maps
    for name, counted in run.counted.items():
        spec = next(each for each in run.specs() if each.name == name)
        row, least = run.rows.loc[name], 0
        if name in run.case.weights and not keeps:
            codes, zero = run.case.weights[name]
            kept = codes != np.broadcast_to(zero, (spec.M,)).reshape(-1, 1, 1, 1)
            least = int(kept.sum())
        if not keeps:
            least += counted.touched
        if row.macs_effectual:
            assert row.dram_read_bytes >= least, (name, row.dram_read_bytes, least)


@law
def waits_stand_at_levels_that_hold_the_operand(run: Run) -> None:
    """A wait names the outermost memory, or an on-chip level (or its network) that holds what was waited for."""
    machine = run.machine
    holds = {memory.level: set(memory.holds) for memory in machine.on_chip}
    places = (run.result.cycles[key] for key in ("cause", "level", "operand"))
    for cause, level, operand in set(zip(*places, strict=True)):
        if not level:
            continue
        if cause in ("dram_read", "dram_write"):
            assert level == machine.dram.level, (cause, level, operand)
        elif (at := level.removesuffix("_noc")) != machine.dram.level:
            kin = {"outputs", "partial_sums"} if operand in ("outputs", "partial_sums") else {operand}
            kin |= {"weights"} if operand == "pointers" else set()
            assert holds[at] & kin, (cause, level, operand)


@law
def maps_are_written_once_as_they_are_read(run: Run) -> None:
    """Bytes written of a map = the plain bytes that a streaming reader of it alone reads."""
    if run.machine.mapping.keep_maps:
        return
    specs = {spec.name: spec for spec in run.specs()}
    for spec in run.specs():
        if spec.kind not in ("relu", "elementwise", "batchnorm") or spec.inputs[0] not in specs:
            continue
        writer, reader = run.rows.loc[spec.inputs[0]], run.rows.loc[spec.name]
        if writer.tiles == 1:  # sums of several may be spilled and read back
            assert writer.dram_write_bytes == reader.dram_read_bytes, (spec.inputs[0], spec.name)


@dear
def a_run_repeats_to_the_byte(run: Run) -> None:
    again = run.simulate()
    for table in ("layers", "cycles", "actions"):
        assert getattr(again, table).to_csv() == getattr(run.result, table).to_csv(), table


@dear
def a_check_changes_no_figure(run: Run) -> None:
    plain = run.simulate(check=False)
    assert plain.outputs is None
    assert plain.cycles.to_csv() == run.result.cycles.to_csv()
    assert plain.actions.to_csv() == run.result.actions.to_csv()


@law
def a_machine_equals_its_yaml(run: Run) -> None:
    from accel_sim.machine.config import from_tree

    tree = to_tree(run.machine)
    again = from_tree(tree, "again")
    assert to_tree(again) == tree
    assert again == run.machine


@dear
def a_layer_alone_takes_its_own_products(run: Run) -> None:
    name = run.specs()[-1].name
    alone = run.taken(lambda: simulate(run.network, run.machine, check=True, layers=name, seed=run.seed))
    both = ("macs_nominal", "macs_nonpad", "macs_issued", "macs_effectual", "weight_machine_bytes")
    for column in both:
        assert alone.layers[column][0] == run.rows[column][name], column


@dear
def twice_the_clock_is_no_slower(run: Run) -> None:
    fast = run.simulate(check=False, clock_mhz=run.machine.clock_mhz * 2)
    assert fast.summary["time_s"] <= run.result.summary["time_s"] * 1.02 + 1e-7
    for column in ("dram_read_bytes", "dram_write_bytes", "macs_issued"):
        assert fast.summary[column] == run.result.summary[column], column


@dear
def twice_the_bandwidth_is_no_slower(run: Run) -> None:
    field = "memories.dram.bandwidth_gb_s"
    if not hasattr(run.machine.dram, "bandwidth_gb_s"):
        return
    fast = run.simulate(check=False, **{field: run.machine.dram.bandwidth_gb_s * 2})
    if "post" not in run.result.cycles.query("cycles > 0").cause.tolist():  # greedy arbitration may lose
        assert fast.summary["cycles"] <= run.result.summary["cycles"]


@dear
def twice_a_level_moves_no_more_bytes(run: Run) -> None:
    """Of all levels at once, where tiles are chosen by bytes; those that the user chose stay."""
    sizes = {
        f"memories.{memory.level}.{name}": getattr(memory, name) * 2
        for memory in run.machine.on_chip
        for name in ("capacity_kib", "capacity_bytes")
        if name in {each.name for each in fields(memory)}
    }
    less = run.simulate(check=False, **{"mapping.objective": "dram"})
    roomy = run.simulate(check=False, **{"mapping.objective": "dram"}, **sizes)
    bytes_of = [each.layers.dram_read_bytes + each.layers.dram_write_bytes for each in (roomy, less)]
    assert bytes_of[0].sum() <= bytes_of[1].sum(), [each.tolist() for each in bytes_of]
