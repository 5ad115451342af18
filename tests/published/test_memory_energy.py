"""The classic table of energies (Horowitz, ISSCC 2014) and its true ratios, and what follows for all weights."""

import pytest

from accel_sim.results.experiment import table
from experiments.memory_energy import MACHINES, SIZES, rows, run, sram_of


@pytest.fixture(scope="module")
def frame():
    """AlexNet's last layer on the three machines, and all that needs no run."""
    return table(rows(layers="fc8")).set_index("item")


def test_every_gated_row_is_within_its_tolerance(frame):
    gated = frame[frame["class"] != "recalled"]
    assert gated[~gated.within].index.tolist() == []


def test_a_word_from_dram_costs_128_words_of_sram_and_6400_additions(frame):
    """640 pJ against 5, 0.9 and 0.1: not the rounded 100 and 1000 of many slides."""
    ratios = {"SRAM of 8 KB": 128, "FP32 addition": 711.1, "int32 addition": 6400}
    for name, ratio in ratios.items():
        assert frame.simulated[f"DRAM / {name} (x)"] == pytest.approx(ratio, rel=1e-4)
    assert frame.simulated["CACTI 8 KiB, 32 bit (pJ)"] == 5.247


def test_dram_takes_most_of_a_plain_layer_and_less_of_a_compressed_one(frame):
    """fc8 by hand: 4096 x 1000 weights of a byte, 4096 inputs, 1000 outputs, 160 pJ a byte."""
    energy = frame.simulated
    plain, compressed, eie = (energy[f"its fc layers on {machine}: DRAM (mJ)"] for machine in MACHINES)
    assert plain == pytest.approx((4096 * 1000 + 4096 + 1000) * 160 / 1e9, rel=1e-12)
    assert compressed < eie < plain / 2  # the same entries, but eie keeps a pointer for each PE and column
    shares = [energy[f"its fc layers on {machine}: share of DRAM"] for machine in MACHINES]
    assert shares[0] > 0.85
    assert shares[1] < shares[0]
    stored = run("eie", "fc8").layers.weight_machine_bytes.iloc[0]
    spent = energy["its fc layers on eie: all (mJ)"] - energy["its fc layers on eie, weights already in SRAM (mJ)"]
    assert spent == pytest.approx(stored * 160 / 1e9, rel=1e-9)


@pytest.mark.parametrize("network", SIZES)
def test_the_sram_holds_the_compressed_network(network):
    small = SIZES[network][1]
    for macro_kib in (128, 4096):
        sram = sram_of(small, macro_kib)
        assert sram.capacity_kib / 2 < small * 1e6 / 1024 <= sram.capacity_kib == macro_kib * sram.banks


def test_smaller_and_in_sram_multiply(frame):
    """AlexNet: 35 times fewer bytes, 40 times less a byte (128 KiB macros, 64 bit): 1400 together."""
    name = "alexnet, all weights once"
    plain, small, sram = (
        frame.simulated[f"{name}: {what} (mJ)"]
        for what in ("DRAM, 32-bit floats", "DRAM, compressed", "SRAM of 64 x 128 KiB, compressed")
    )
    assert small / sram == pytest.approx(1280 / 32.3, rel=0.001)
    assert plain / sram == pytest.approx(1400, rel=0.01)
