"""What is physics does not change with the clock: GB/s and ns of DRAM, mW of leakage, time of what DRAM bounds."""

from dataclasses import replace
from fractions import Fraction

import pytest

from accel_sim import load_hardware, simulate
from accel_sim.energy.tech_scaling import most_mhz
from accel_sim.machine.config import presets
from accel_sim.memories.flat import FlatDram
from workloads import Layer, Network

#: preset -> (bytes a cycle, cycles of latency) of its DRAM at its own clock
DRAM = dict.fromkeys(presets(), (32, 40)) | {
    "systolic": (16, 50), "eie": (16, 40), "bitfusion": (24, 0), "tpu_v1": (Fraction(340, 7), 70),
    "tensor_core": (Fraction(125, 17), 300),
}  # fmt: skip


@pytest.mark.parametrize("preset", presets())
def test_dram_of_a_preset_in_its_own_cycles(preset):
    """TPU v1: 34 GB/s; tensor_core: a share of 1/80 of 900 GB/s."""
    machine = load_hardware(preset)
    rate, latency = DRAM[preset]
    found = machine.dram.peak_bytes_per_cycle(machine.clock_mhz)
    assert found == (Fraction("19.392") * 1000 / 606 if rate == 32 else rate)
    assert machine.dram.idle_latency(machine.clock_mhz) == latency


@pytest.mark.parametrize("preset", presets())
def test_twice_the_clock_changes_no_physical_figure(preset):
    slow = load_hardware(preset)
    fast = load_hardware(preset, {"clock_mhz": 2 * slow.clock_mhz})
    assert fast == replace(slow, clock_mhz=2 * slow.clock_mhz)
    both = slow, fast
    rates = [machine.dram.peak_bytes_per_cycle(machine.clock_mhz) * Fraction(machine.clock_mhz) for machine in both]
    assert rates[0] == rates[1] == Fraction(str(slow.dram.bandwidth_gb_s)) * 1000
    waits = [machine.dram.idle_latency(machine.clock_mhz) / machine.clock_mhz for machine in both]
    assert all(0 <= wait * 1000 - slow.dram.latency_ns < 1000 / slow.clock_mhz for wait in waits)
    power = [{key: pj * machine.clock_mhz for key, (pj, _) in machine.static_pj.items()} for machine in both]
    assert power[0] == pytest.approx(power[1])
    for near, far in zip(slow.on_chip, fast.on_chip, strict=True):
        assert (near.macro, near.leakage_mw, near.area_um2) == (far.macro, far.leakage_mw, far.area_um2)


@pytest.mark.parametrize("preset", presets())
def test_twice_the_clock_leaves_a_layer_that_dram_bounds_as_long(preset):
    """2,048 x 512 weights for one vector: their bytes take the time; only what the array adds is halved."""
    network = Network("vector", (Layer(name="fc", kind="fc", C=2048, M=512),), (2048, 1, 1))
    clock = load_hardware(preset).clock_mhz
    slow, fast = (simulate(network, load_hardware(preset, {"clock_mhz": f * clock})) for f in (1, 2))
    moved = [run.summary["dram_read_bytes"] + run.summary["dram_write_bytes"] for run in (slow, fast)]
    assert moved[0] == moved[1]
    seconds = moved[0] / (slow.machine.dram.bandwidth_gb_s * 1e9)
    array = slow.summary["array_cycles"] / (slow.machine.clock_mhz * 1e6)
    saved = slow.summary["time_s"] - fast.summary["time_s"]
    assert -1e-9 <= saved <= array / 2 + 0.01 * seconds
    assert fast.summary["time_s"] >= seconds > array


def test_flat_memory_by_hand():
    """3 GB/s beside 700 MHz: 30/7 bytes a cycle; 10 ns are 7 cycles, 10.1 ns 8."""
    memory = FlatDram(bandwidth_gb_s=3, latency_ns=10)
    state = memory.new_state(700)
    memory.submit(state, 0, 0, ((0, 30, 1, 0),), False)
    memory.submit(state, 1, 0, ((0, 1, 1, 0),), False)
    assert memory.advance(state, None) == [(0, 0, 7, 14)]
    assert memory.advance(state, None) == [(1, 7, 8, 15)]
    assert FlatDram(latency_ns=10.1).idle_latency(700) == 8


def test_a_clock_beyond_its_node_is_told():
    assert all(not load_hardware(name).warnings for name in presets())
    (told,) = load_hardware("tpu_v1", {"clock_mhz": 2800}).warnings
    assert told.startswith("clock_mhz=2800 is beyond 1,543 MHz, the most that a MAC unit in 45 nm is taken to reach")
    assert not load_hardware("tpu_v1", {"clock_mhz": 2400, "energy.node_nm": 28}).warnings
    assert most_mhz(45) == pytest.approx(1e6 / (40 * 0.36 * 45))
