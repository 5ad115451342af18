"""The matrix unit: Volta's peak, layers of mixed precision, sums by hand."""

from dataclasses import replace

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.macs.tensor_core import TensorCore
from tests.oracle import accumulators
from workloads import Layer, Network
from workloads.quantise import quantise_network

MACHINE = load_hardware("tensor_core")
MULTIPROCESSORS = 80


def chain(names: str) -> Network:
    """64 x 64 pointwise layers over 8 x 8 pixels, one after another: 262144 MACs each, no lane left over."""
    before = ("input", *names)
    layers = tuple(
        Layer(name=name, kind="conv", C=64, H=8, W=8, M=64, inputs=(of,))
        for name, of in zip(names, before, strict=False)
    )
    return Network("chain", layers, (64, 8, 8))


def test_volta_peak():
    """125 TFLOPS = 2 x 64 x 640 units x 1.53 GHz (NVIDIA's figure, 125.3 before rounding)."""
    per_cycle = MACHINE.array.lanes * MACHINE.mac.mode(16, 16).macs_per_cycle
    assert 2 * per_cycle == 1024
    assert MULTIPROCESSORS * MACHINE.array.lanes == 640
    assert 2 * per_cycle * MULTIPROCESSORS * MACHINE.clock_mhz * 1e6 == pytest.approx(125e12, rel=0.005)


def test_a_layer_that_fits_reaches_the_peak():
    wide = quantise_network(chain("a"), weights="integer:bits=16", activations="integer:bits=16")
    row = simulate(wide, MACHINE, check=True).layers.iloc[0]
    assert 2 * row.macs_nominal / row.array_cycles == 1024


@pytest.mark.slow
@pytest.mark.parametrize("mix", [(16, 16, 16), (16, 8, 16), (8, 16, 8), (16, 8, 4), (4, 4, 8)])
def test_a_mix_takes_the_cycles_of_its_layers(mix):
    """A layer of 16 bits takes 262144 / 512 cycles, one of fewer bits as much less as the unit gains from them."""
    formats = {name: (f"integer:bits={bits}",) * 2 for name, bits in zip("abc", mix, strict=True)}
    network = quantise_network(chain("abc"), layers=formats)
    for least in (16, 8, 4):
        ran = simulate(network, replace(MACHINE, mac=TensorCore(least_bits=least)), check=True)
        assert ran.layers.array_cycles.tolist() == [512 * max(bits, least) // 16 for bits in mix]


def test_sums_have_their_widths():
    """8 x (-128)^2 = 2^17 needs 19 signed bits; 16-bit products get 48-bit sums beside 32."""
    unit = TensorCore()
    wide, narrow = unit.modes
    assert [(m.name, m.reduction, m.outputs, m.product_bits, m.sum_bits) for m in (wide, narrow)] == [
        ("16x16", 4, 16, 34, 48), ("8x8", 8, 16, 19, 32),
    ]  # fmt: skip
    least = np.full((1, 16, 8), -128)
    assert unit.products(least, least, narrow).tolist() == [[8 * 128 * 128] * 16]
    assert (wide.operand_bits, narrow.operand_bits) == (512, 512)


def test_the_tree_of_adders_is_counted():
    unit = TensorCore()
    assert unit.components(unit.modes[0])["adders"] == ((1, 32, 33), (2, 16, 34))
    assert unit.actions(64, 64) == {
        ("mac", "mult", 16): 64, ("mac", "add", 33): 32, ("mac", "add", 34): 16, ("mac", "add", 48): 16,
    }  # fmt: skip
    assert unit.actions(65, 65)["mac", "mult", 16] == 128, "a step that is begun is made whole"


def test_fields_are_checked():
    with pytest.raises(ValueError, match=r"^least_bits=2 must be 16, 8 or 4$"):
        TensorCore(least_bits=2)


def test_every_lane_meets_every_pair_of_four_bits():
    unit = TensorCore(least_bits=4)
    mode = unit.mode(4, 4)
    assert (mode.reduction, mode.macs_per_cycle) == (16, 256)
    a, w = (each.ravel() for each in np.meshgrid(np.arange(-8, 8), np.arange(16)))
    a, w = (np.stack([np.roll(each, 7 * lane) for lane in range(256)], axis=-1).reshape(-1, 16, 16) for each in (a, w))
    assert np.array_equal(unit.products(a, w, mode, w_signed=False), (a * w).sum(axis=-1))


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_a_tight_accumulator_overflows_as_one_does(overflow):
    unit, rng = TensorCore(accumulator_bits=None, headroom_bits=0, overflow=overflow), np.random.default_rng(1)
    for mode in unit.modes:
        half = 1 << (mode.activation_bits - 1)
        a, w = (rng.integers(half - half // 8, half, (6 * mode.reduction, 16)) for _ in range(2))
        got = unit.dot(a, w, mode)
        expected = [
            accumulators.dot(x.tolist(), y.tolist(), mode.reduction, mode.sum_bits, overflow == "saturate")
            for x, y in zip(a.T, w.T, strict=True)
        ]
        assert got.values.tolist() == [total for total, _ in expected]
        assert got.overflows == sum(count for _, count in expected) > 0
