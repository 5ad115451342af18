"""Units of extreme precision: every product, sums against integers, what they refuse, cases by hand."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.machine.config import from_tree, to_tree
from accel_sim.macs.add_subtract import AddSubtract
from accel_sim.macs.codebook import Codebook
from accel_sim.macs.digits import low
from accel_sim.macs.log_shift import LogShift
from accel_sim.macs.xnor_popcount import XnorPopcount
from tests.contracts import samples
from workloads import Codes, InputError, Layer, Network, NumberFormat, load_network
from workloads.formats.logarithm import LogLayout
from workloads.network import LayerWeights
from workloads.quantise import quantise_network

from .units import SIGNS, check_dot

LOGS = ("weights", "activations", "both")
UNITS = {
    "xnor 1": XnorPopcount(lanes=1),
    "xnor 16": XnorPopcount(lanes=16),
    "ternary": AddSubtract(),
    "binary 16": AddSubtract(activation_bits=16, weights="binary"),
    "ternary 16": AddSubtract(activation_bits=16),
    "codebook": Codebook(activation_bits=8, table_bits=8),
    **{f"log {side}": LogShift(logarithmic=side) for side in LOGS},
    "log half octaves": LogShift(activation_bits=9, per_octave=2),
}


def taken(unit, mode, side: str, signed: bool) -> np.ndarray:
    """Every operand of a side."""
    bits = mode.activation_bits if side == "activations" else mode.weight_bits
    every = np.arange(1 << bits) + low(bits, signed)
    return every[unit.takes(every, side)]


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_every_product(unit):
    (mode,) = unit.modes
    for signs in SIGNS:
        values = [
            taken(unit, mode, side, signed) for side, signed in zip(("activations", "weights"), signs, strict=True)
        ]
        a, w = (each.ravel() for each in np.meshgrid(*values, indexing="ij"))
        lanes = range(mode.reduction)
        a, w = (np.stack([np.roll(each, 3 * lane) for lane in lanes], axis=-1)[:, None] for each in (a, w))
        assert np.array_equal(unit.products(a, w, mode, *signs), (a * w).sum(axis=-1)), signs


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_dot_products(unit, overflow):
    rng = np.random.default_rng(1)
    for bits, signs in itertools.product((None, 40), SIGNS):
        sized = replace(unit, accumulator_bits=bits, headroom_bits=1, overflow=overflow)
        (mode,) = sized.modes
        a, w = (
            rng.choice(taken(sized, mode, side, signed), (60 * mode.reduction, 1))
            for side, signed in zip(("activations", "weights"), signs, strict=True)
        )
        assert check_dot(sized, mode, a, w, signs) == 0 or bits is None


def test_xnor_by_hand():
    """1011 xnor 1101 = 1001: two ones of four, 2 x 2 - 4 = 0; equal vectors of 4 give 4."""
    unit = XnorPopcount(lanes=4)
    a, w = np.array([1, 0, 1, 1]), np.array([1, 1, 0, 1])
    assert unit.dot_codes(a, w) == 0
    assert unit.dot_codes(a, a) == 4
    assert unit.dot_codes(a, 1 - a) == -4
    parts = unit.components(unit.modes[0])
    assert parts["multipliers"] == ((4, 1, 1),)
    assert parts["adders"] == ((1, 2, 2), (2, 1, 3), (3, 1, 4))
    assert unit.modes[0].operand_bits == 8
    assert unit.actions(5, 5)["mac", "mult", 1] == 8, "two steps of 4 gates"


def test_add_subtract_by_hand():
    unit = AddSubtract()
    a, w = np.array([-128, -128, 127, 5]), np.array([-1, 1, -1, 0])
    assert unit.products(a[:, None, None], w[:, None, None], unit.modes[0]).ravel().tolist() == [128, -128, -127, 0]
    assert unit.actions(10, 4) == {("mac", "add", 32): 10}
    assert replace(unit, zero_operand_gating=True).actions(10, 4) == {("mac", "add", 32): 4}
    assert unit.modes[0].operand_bits == 10
    assert AddSubtract(weights="binary").modes[0].operand_bits == 9


def test_a_codebook_by_hand():
    """Codes 0, 1, 2 name -7, 0, 90."""
    unit = Codebook(index_bits=2)
    table = unit.table(np.array([90, -7, 0, 90]))
    assert table.tolist() == [-7, 0, 90]
    assert unit.look_up(np.array([3, 3, -2]), np.array([0, 1, 2]), table).tolist() == [-21, 0, -180]
    assert unit.modes[0].operand_bits == 18
    assert unit.actions(2, 1) == {("codebook", "read", 16): 2, ("mac", "mult", 16): 2, ("mac", "add", 32): 2}
    unit.table(np.arange(4))
    with pytest.raises(
        ValueError, match=r"^MAC unit 'codebook': 5 different weights, and a code of index_bits=2 tells 4 apart$"
    ):
        unit.table(np.arange(5))


def test_log_products_by_hand():
    """4-bit codes: 1..7 are 2^-6..1, 9..15 their negatives. 100 x 2^-3 = 12.5; one bit of fraction keeps .5, none cuts
    it off, towards zero on either side."""
    layout, codes = LogLayout(4, 1), np.array([7, 4, 12, 0, 8])
    a = np.array([100, 100, 100, 100, 100])
    assert LogShift(fraction_bits=1).log_products(a, codes, layout).tolist() == [200, 25, -25, 0, 0]
    assert LogShift(fraction_bits=0).log_products(a, codes, layout).tolist() == [100, 12, -12, 0, 0]
    assert LogShift(fraction_bits=0).log_products(-a, codes, layout).tolist() == [-100, -12, 12, 0, 0]
    both = LogShift(logarithmic="both", fraction_bits=12)
    assert both.log_products(np.array([7, 1, 9]), np.array([1, 1, 14]), layout).tolist() == [64, 1, 32]


def test_the_constant_of_half_octaves():
    """sqrt(1/2) = 0.70711: 181 / 256 in 8 bits. 100 x 0.70711 = 70.711, here 100 x 181 / 256 = 70.703: 70.5."""
    unit = LogShift(per_octave=2, fraction_bits=1)
    assert unit.constant == 181
    assert unit.log_products(np.array([100]), np.array([6]), LogLayout(4, 2)).tolist() == [141]
    assert unit.actions(3, 3)["mac", "mult", 8] == 3


@pytest.mark.parametrize("per_octave", [1, 2])
@pytest.mark.parametrize("side", LOGS)
def test_log_products_are_off_by_no_more_than_is_cut(side, per_octave):
    """Below the exact product by less than a unit of the fraction, and the constant's own error on odd exponents."""
    unit, layout = LogShift(logarithmic=side, per_octave=per_octave, fraction_bits=10), LogLayout(5, per_octave)
    codes = np.arange(1 << layout.bits)
    values = codes if side == "both" else np.arange(-255, 256)
    a, w = (each.ravel() for each in np.meshgrid(values, codes))
    exact = (layout.decode(a) if side == "both" else a) * layout.decode(w)
    got = unit.log_products(a, w, layout) / 2**10
    off = abs(unit.constant / 2**unit.constant_bits / math.sqrt(0.5) - 1) * (per_octave == 2)
    assert (np.abs(got) <= np.abs(exact) * (1 + off) + 1e-12).all()
    assert (np.abs(exact - got) < 2**-10 + np.abs(exact) * off + 1e-12).all()
    assert (np.sign(got) * np.sign(exact) >= 0).all()


def test_log_operands_are_refused():
    with pytest.raises(ValueError, match=r"^per_octave=2 of the codes is not the unit's 1$"):
        LogShift().log_products(np.ones(1), np.ones(1), LogLayout(4, 2))
    with pytest.raises(ValueError, match=r"^integers up to 16777216 have more than 24 bits$"):
        LogShift().log_products(np.array([1 << 24]), np.ones(1, int), LogLayout(4, 1))


@pytest.mark.parametrize(
    ("unit", "a", "w", "text"),
    [
        (XnorPopcount(lanes=1), 0, 1, "'xnor_popcount': takes no activations of value 0"),
        (XnorPopcount(lanes=1), 1, -2, "'xnor_popcount': takes no weights of value -2"),
        (AddSubtract(), 5, -2, "'add_subtract': takes no weights of value -2"),
        (AddSubtract(weights="binary"), 5, 0, "'add_subtract': takes no weights of value 0"),
        (LogShift(), 5, 3, "'log_shift': takes no weights of value 3"),
        (LogShift(logarithmic="both"), 5, 4, "'log_shift': takes no activations of value 5"),
    ],
)
def test_operands_that_have_no_code_are_refused(unit, a, w, text):
    with pytest.raises(ValueError, match=f"^MAC unit {text}$"):
        unit.products(*(np.full((1, 1, 1), each) for each in (a, w)), unit.modes[0])


def network(x: np.ndarray, w: np.ndarray, bits: tuple[int, int], padding: int = 0) -> Network:
    """One convolution of these integers."""
    layer = Layer(
        name="conv", kind="conv", C=x.shape[1], H=x.shape[2], W=x.shape[3], M=w.shape[0], R=w.shape[2], S=w.shape[3],
        padding=(padding,) * 4,
    )  # fmt: skip
    codes = [Codes(each.astype(np.int8), NumberFormat(wide, True)) for each, wide in zip((x, w), bits, strict=True)]
    one, _, _ = samples.given(layer)
    return replace(one, weights={"conv": LayerWeights(codes[1])}, activations={"input": codes[0]})


def machine(**mac):
    tree = to_tree(load_hardware("systolic"))
    return from_tree(tree | {"mac": mac}, "systolic")


def test_a_layer_of_signs_takes_a_step_for_each_lanes_products():
    """K = 32 signs by 8 lanes: 4 steps where a unit of one product takes 32."""
    rng = np.random.default_rng(2)
    x, w = rng.choice([-1, 1], (1, 32, 4, 4)), rng.choice([-1, 1], (8, 32, 1, 1))
    ran = {
        name: simulate(network(x, w, (2, 2)), machine(**mac), check=True)
        for name, mac in {"xnor": {"name": "xnor_popcount", "lanes": 8}, "one": {"name": "conventional"}}.items()
    }
    steps = {name: int(each.layers.array_cycles[0]) for name, each in ran.items()}
    assert steps["one"] - steps["xnor"] == 32 - 4
    assert np.array_equal(ran["xnor"].sums["conv"], ran["one"].sums["conv"])


@pytest.mark.parametrize(
    ("mac", "x", "w", "bits", "padding", "text"),
    [
        ({"name": "xnor_popcount"}, 1, 1, (2, 2), 1, "'xnor_popcount': takes no activations of value 0"),
        ({"name": "xnor_popcount"}, 1, 0, (2, 2), 0, "'xnor_popcount': takes no weights of value 0"),
        ({"name": "add_subtract"}, 7, -2, (8, 2), 0, "'add_subtract': takes no weights of value -2"),
        ({"name": "log_shift"}, 7, 5, (8, 8), 0, "'log_shift': takes no weights of value 5"),
        ({"name": "codebook", "index_bits": 1}, 7, None, (8, 8), 0, "'codebook': 3 different weights, and a code"),
    ],
)
def test_a_layer_of_other_values_is_refused(mac, x, w, bits, padding, text):
    weights = np.arange(3) if w is None else np.full(3, w)
    layer = network(np.full((1, 3, 2, 2), x), weights.reshape(1, 3, 1, 1), bits, padding)
    with pytest.raises(InputError, match=f"^layer 'conv': MAC unit {text}"):
        simulate(layer, machine(**mac))


@pytest.mark.parametrize(
    ("unit", "fields", "text"),
    [
        (XnorPopcount, {"lanes": 12}, "lanes=12 must be a power of two"),
        (AddSubtract, {"weights": "quinary"}, "weights='quinary' must be ternary or binary"),
        (Codebook, {"index_bits": 13}, "index_bits=13 must be at most 12"),
        (LogShift, {"logarithmic": "none"}, "logarithmic='none' must be weights, activations or both"),
        (LogShift, {"per_octave": 3}, r"per_octave=3 must be 1 or 2 \(half octaves\)"),
        (LogShift, {"fraction_bits": 17}, "fraction_bits=17, constant_bits=8: at most 16"),
    ],
)
def test_fields_are_checked(unit, fields, text):
    with pytest.raises(ValueError, match=f"^{text}$"):
        unit(**fields)


@pytest.mark.parametrize(
    ("weights", "mac"),
    [
        ("ternary", {"name": "add_subtract"}),
        ("binary", {"name": "add_subtract", "weights": "binary"}),
        ("codebook:bits=4", {"name": "codebook", "index_bits": 4}),
        ("binary", {"name": "log_shift", "weight_bits": 2}),
    ],
)
def test_a_network_of_such_weights_runs(weights, mac):
    """The same sums and cycles as on a unit that multiplies."""
    small = quantise_network(load_network("lenet_300_100"), weights=weights, activations="affine:bits=8")
    ran = simulate(small, machine(**mac), check=True)
    plain = simulate(small, machine(name="conventional", activation_bits=16, weight_bits=16), check=True)
    assert ran.layers.array_cycles.tolist() == plain.layers.array_cycles.tolist()
    assert all(np.array_equal(ran.sums[name], plain.sums[name]) for name in plain.sums)
    spent = [each.actions.groupby("component").energy_pj.sum()["mac"] for each in (ran, plain)]
    assert spent[0] < spent[1] or mac["name"] == "codebook"
