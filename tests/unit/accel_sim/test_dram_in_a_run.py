"""Memories behind the engine: command-level DRAM in a whole run, flat DRAM as before, arrivals in time."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import simpy

from accel_sim.host import yaml_io
from accel_sim.machine.config import from_tree, load_hardware, to_tree
from accel_sim.memories.dram_banked import DramBanked, DramState
from accel_sim.memories.flat import FlatDram
from accel_sim.run.simulate import simulate
from accel_sim.values.tile import Extent
from tests.schedule import job, play
from workloads import load_network
from workloads.registry import InputError

LEVEL = "{name: dram_banked, level: dram, part: ddr4_2400}"


def hardware(tmp_path, preset: str = "eie", level: str = LEVEL):
    """The preset with another first level, by way of a YAML file."""
    tree = to_tree(load_hardware(preset))
    tree["memories"][0] = yaml_io.parse(level, "test")
    path = tmp_path / "machine.yaml"
    path.write_text(yaml_io.dump(tree), encoding="utf-8")
    return load_hardware(path)


@pytest.mark.parametrize("preset", ["eie", "systolic"])
def test_a_run_with_command_level_dram(tmp_path, preset):
    """Causes add up (Result refuses otherwise), energy is that of the commands, and the bytes are those of flat."""
    network = load_network("lenet5")
    flat, banked = (simulate(network, machine) for machine in (load_hardware(preset), hardware(tmp_path, preset)))
    for layer, rows in banked.cycles.groupby("layer"):
        lanes = banked.machine.array.lanes
        assert rows.lane_slots.sum() == lanes * banked.layers.set_index("layer").cycles[layer]
    for column in ("dram_read_bytes", "dram_write_bytes", "array_cycles"):
        assert banked.layers[column].tolist() == flat.layers[column].tolist()
    actions = banked.actions[banked.actions.component == "dram"].set_index(["layer", "action"])
    assert actions.source.str.len().min() > 0
    assert (actions.xs("read", level="action").energy_pj == 0).all()
    assert actions["count"].min() > 0
    for layer in banked.layers.itertuples():
        bursts = actions["count"].get((layer.layer, "rd"), 0)
        assert bursts * 64 >= layer.dram_read_bytes  # whole bursts
        assert bursts <= layer.dram_read_bytes / 64 + 2 * 64 * layer.tiles


def test_actions_of_the_layers_add_up_to_those_of_the_memory(tmp_path):
    """Each layer has the difference of the memory's counters; background clocks are the run's time."""
    machine = hardware(tmp_path)
    result = simulate(load_network("lenet5"), machine)
    totals = result.actions[result.actions.component == "dram"].groupby("action")["count"].sum()
    clocks = machine.dram.new_state(machine.clock_mhz).clock(result.summary["cycles"])
    assert totals["background_open"] + totals["background_precharged"] == clocks
    assert totals["ref"] == pytest.approx(clocks / machine.dram.found["tREFI"], abs=1.01)
    assert totals["act_pre"] >= 1


def test_it_survives_its_own_config(tmp_path):
    machine = hardware(tmp_path, level="{name: dram_banked, part: {base: ddr4_2400, tRFC: 350}, channels: 2}")
    assert from_tree(to_tree(machine), "again") == machine


def test_a_field_can_be_set():
    tree = to_tree(load_hardware("eie"))
    tree["memories"][0] = yaml_io.parse(LEVEL, "test")
    machine = from_tree(tree, "test", {"memories.dram.part": "ddr3_1600", "memories.dram.page": "closed"})
    assert (machine.dram.part, machine.dram.page) == ("ddr3_1600", "closed")


def test_presets_keep_the_flat_dram():
    assert {type(load_hardware(name).dram) for name in ("eie", "systolic")} == {FlatDram}


@dataclass(frozen=True)
class Recorder(DramBanked):
    """Command-level DRAM that keeps what was submitted and when, and every state it made."""

    seen: list = field(default_factory=list, compare=False)
    made: list = field(default_factory=list, compare=False)

    def new_state(self, clock_mhz, log=0) -> DramState:
        self.made.append(super().new_state(clock_mhz, 60_000))
        return self.made[-1]

    def submit(self, state, ticket, time, extents, is_write):
        self.seen.append((time, extents, is_write))
        super().submit(state, ticket, time, extents, is_write)


@pytest.mark.parametrize("preset", ["eie", "systolic"])
def test_the_engine_never_runs_the_memory_past_an_arrival(preset):
    """All transfers shown to a fresh memory at once, with the times at which they came, give the same commands."""
    machine, memory = load_hardware(preset), Recorder()
    object.__setattr__(machine, "memories", (memory, *machine.memories[1:]))
    end = simulate(load_network("lenet5"), machine).summary["cycles"]
    again = DramBanked().new_state(machine.clock_mhz, 60_000)
    for ticket, (time, extents, is_write) in enumerate(memory.seen):
        DramBanked().submit(again, ticket, time, extents, is_write)
    while DramBanked().advance(again, end):
        pass
    assert DramBanked().counts(again, end)["RD"] > 1000
    assert 1000 < memory.made[0].log[0, 0] < 60_000
    assert np.array_equal(memory.made[0].log, again.log)


@pytest.mark.parametrize("memory", [DramBanked(), FlatDram()], ids=["dram_banked", "flat"])
def test_at_most_15_events_a_tile(memory, monkeypatch):
    events = [0]
    schedule = simpy.Environment.schedule

    def counted(self, *arguments, **named):
        events[0] += 1
        return schedule(self, *arguments, **named)

    monkeypatch.setattr(simpy.Environment, "schedule", counted)
    used = []
    for tiles in (100, 300):
        jobs = [
            job(
                90 + 37 * (i % 5), 11, {"inputs": Extent(i << 12, 999), "weights": Extent(1 << 22 | i << 14, 3000)},
                Extent(1 << 24 | i << 12, 777), i,
            )
            for i in range(tiles)
        ]  # fmt: skip
        events[0] = 0
        play(jobs, memory, memory.new_state(800), {"inputs": 2, "weights": 2, "outputs": 2})
        used.append(events[0])
    assert (used[1] - used[0]) / 200 <= 15


def test_flat_serves_in_order_and_reports_one_cycle_at_a_time():
    memory = FlatDram(bandwidth_gb_s=4, latency_ns=10)
    state = memory.new_state(1000)
    memory.submit(state, 0, 5, ((0, 40, 1, 0),), False)
    memory.submit(state, 1, 5, ((0, 0, 1, 0),), True)
    memory.submit(state, 2, 6, ((0, 5, 2, 8),), True)
    assert memory.advance(state, 24) == []
    assert memory.advance(state, 25) == [(0, 5, 15, 25), (1, 15, 15, 25)]
    assert memory.advance(state, None) == [(2, 15, 18, 28)]
    assert memory.advance(state, None) == []
    assert memory.actions(state, 28) == {}


def test_transfers_compete_for_the_memory():
    """Two operands and a writer on one channel take about as long as their bytes, and overlap is counted once."""
    size = 64_000
    first = {"inputs": Extent(0, size), "weights": Extent(1 << 22, size)}
    second = {"inputs": Extent(1 << 20, size)}
    jobs = [job(10, 0, first, None, 0), job(5000, 0, second, Extent(1 << 24, size), 1)]
    memory = DramBanked()
    state = memory.new_state(float(memory.memory_mhz))
    schedule = play(jobs, memory, state, {"inputs": 2, "weights": 2, "outputs": 2})
    assert 4 * 1000 * 4 < schedule.end - 5010 < 4 * 1000 * 7  # bursts x BL/2 .. tCCD_L and some
    assert 0 < schedule.overlapped <= 5010


def test_a_network_that_does_not_fit_is_refused(tmp_path):
    small = "{name: dram_banked, part: {base: ddr3_1600, rows: 1, banks_per_group: 1}}"
    with pytest.raises(InputError, match=r"^memory 'dram': address 0x[0-9a-f]+ lies beyond the 8192 bytes of 1 x "):
        simulate(load_network("lenet5"), hardware(tmp_path, level=small))


def test_commands_of_loads_ahead_are_counted_once_whichever_layer_they_run_in():
    """A layer retires while the next one's weights are on their way; a command belongs to the layer it is issued in."""
    level = {"name": "sram", "word_bits": 256}
    memories = [
        {"name": "dram_banked", "level": "dram", "part": "lpddr4_2400"},
        level | {"level": "glb", "capacity_kib": 2048, "banks": 4, "holds": ["inputs", "weights", "outputs"]},
        level | {"level": "weight_sram", "capacity_kib": 256, "holds": ["weights"]},
        level | {"level": "input_sram", "capacity_kib": 256, "holds": ["inputs"]},
        level | {"level": "output_sram", "capacity_kib": 256, "holds": ["outputs"]},
    ]
    bursts = []
    for ahead in (False, True):
        machine = load_hardware("systolic", {"memories": memories, "mapping.prefetch_layers": ahead})
        result = simulate(load_network("squeezenet1_0"), machine, layers="fire[89]/*")
        counts = result.actions[result.actions.component == "dram"].groupby("action")["count"].sum()
        bursts.append((counts["rd"], counts["wr"]))
    assert bursts[0] == bursts[1]
