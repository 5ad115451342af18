"""Number formats bit for bit, held against apytypes, kmeans1d and figures by hand; floats: test_float_formats."""

import math
import sys

import apytypes
import kmeans1d
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workloads import Codes, InputError, Layer, NumberFormat, load_network
from workloads.format import Linear, formats, named, spec_of
from workloads.formats.binary import Xnor, xnor_dot
from workloads.formats.codebook import Codebook, k_means
from workloads.quantise import quantise_network
from workloads.requant import FixedPointRequant, accumulator_bits, fixed_point
from workloads.walk import walk

REALS = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 12)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda v: v if abs(v) > 1e-9 else 0.0),
)  # fmt: skip
#: formats whose quantised values are their own nearest values again
IDEMPOTENT = ("integer", "affine", "pow2", "log2", "sqrt2", "codebook", "ternary", "bwn", "fp8_e4m3", "fp4_e2m1")
EVEN = ("integer:bits=5", "integer:bits=8,axis=0", "affine:bits=3", "affine:bits=8,axis=0,signed=true", "pow2:bits=4")


@given(REALS, st.integers(2, 16))
def test_dynamic_fixed_point_equals_apytypes(x, bits):
    codes = named(f"dynamic_fixed_point:bits={bits}").quantise(x)
    fraction = -round(math.log2(codes.format.scale))
    whole = bits - fraction
    wide = apytypes.APyFixedArray.from_float(x, int_bits=80, frac_bits=100)
    mode, over = apytypes.QuantizationMode.RND_CONV, apytypes.OverflowMode.SAT
    theirs = wide.cast(int_bits=whole, frac_bits=fraction, quantization=mode, overflow=over)
    assert np.array_equal(codes.real(), theirs.to_numpy())
    largest = np.abs(x).max()
    assert largest == 0 or 2.0 ** (whole - 2) < largest <= 2.0 ** (whole - 1)


@pytest.mark.parametrize("spec", EVEN)
@given(x=REALS)
def test_the_error_is_at_most_half_a_step(spec, x):
    codes = named(spec).quantise(x)
    assert (np.abs(codes.real() - x) <= codes.scales() * (0.5 + 1e-9)).all()
    assert (codes.real()[x == 0] == 0).all()


@given(REALS)
def test_dynamic_fixed_point_is_half_a_step_off_or_saturates_by_one(x):
    codes = named("dynamic_fixed_point:bits=6").quantise(x)
    inside = np.abs(x) <= codes.format.scale * codes.format.high
    assert (np.abs(codes.real() - x) <= codes.format.scale * np.where(inside, 0.5, 1)).all()


@pytest.mark.parametrize("name", IDEMPOTENT)
@given(x=REALS)
def test_quantising_twice_changes_nothing_more(name, x):
    once = named(name).quantise(x).real()
    assert named(name).quantise(once).real() == pytest.approx(once, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("spec", ["integer:bits=4", "affine:bits=4"])
def test_a_scale_per_channel_is_never_worse_in_its_largest_error(spec):
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = rng.normal(size=(6, 40)) * rng.lognormal(size=(6, 1))
        whole, each = (named(text).quantise(x) for text in (spec, f"{spec},axis=0"))
        assert (each.scales() <= whole.scales() * (1 + 1e-12)).all()
        assert ((each.real() - x) ** 2).sum() < ((whole.real() - x) ** 2).sum()


def test_every_integer_like_code_comes_back():
    for spec in (
        "integer:bits=4",
        "affine:bits=4",
        "pow2:bits=4",
        "dynamic_fixed_point:bits=4",
        "affine:bits=6,signed=true",
    ):
        form = named(spec).of_range(-1.7, 1.7)
        codes = Codes(np.arange(form.low, form.high + 1).astype(form.dtype), form)
        assert np.array_equal(Codes.nearest(codes.real(), form).values, codes.values), spec
        assert isinstance(named(spec), Linear)


@pytest.mark.parametrize("spec", ["log2:bits=4", "sqrt2:bits=5", "log2:bits=8,fsr=3", "sqrt2:bits=2"])
def test_every_log_code_comes_back(spec):
    part = named(spec)
    first = part.quantise(np.array([1.0]))
    every = np.delete(np.arange(1 << part.bits, dtype=np.uint8), 1 << part.bits - 1)  # there is one zero, of no sign
    values = Codes(every, first.format).real()
    assert np.array_equal(part.quantise(values).values, every)
    assert not isinstance(part, Linear)
    with pytest.raises(ValueError, match="not integers"):
        first.integers()


def test_log_codes_by_hand():
    x = np.array([0.0, 1.0, -0.36, 0.34, 1e-9, 1.4, -1.42])
    assert named("log2:bits=4,fsr=0").quantise(x).real().tolist() == [0, 1, -0.5, 0.25, 2**-6, 1, -1]
    root = named("sqrt2:bits=4,fsr=0").quantise(x).real()
    assert root == pytest.approx([0, 1, -(2**-1.5), 2**-1.5, 2**-3, 1, -1])
    assert named("log2").quantise(np.array([3.0, -0.1])).format.scale == 4.0  # 3 is nearest to 4 in octaves


def test_ternary_by_hand():
    x = np.array([1.0, -0.5, 0.1, 0.0, -0.9, 0.2])  # mean|x| = 0.45, D = 0.315
    codes = named("ternary").quantise(x)
    assert codes.values.tolist() == [1, -1, 0, 0, -1, 0]
    assert codes.format.scale == pytest.approx((1 + 0.5 + 0.9) / 3)
    trained = named("ttq:positive=2,negative=0.5").quantise(np.array([1.0, -0.5, 0.05, 0.0, -0.051]))  # D = 0.05
    assert trained.real() == pytest.approx([2, -0.5, 0, 0, -0.5], abs=2 / 2**15)
    assert trained.kept().tolist() == [True, True, False, False, True]
    assert named("ttq").quantise(x).real() == pytest.approx([1.3 / 3, -0.7, 1.3 / 3, 0, -0.7, 1.3 / 3], abs=1e-4)


def test_binary_by_hand():
    x = np.array([[0.0, -3.0], [1.0, -0.0]])
    assert named("binary").quantise(x).real().tolist() == [[1, -1], [1, 1]]
    assert named("bwn").quantise(x).real().tolist() == [[1.5, -1.5], [0.5, 0.5]]
    assert named("bwn:axis=none").quantise(x).real().tolist() == [[1, -1], [1, 1]]
    assert named("xnor").quantise(x).kept().all()


@given(hnp.arrays(np.uint8, (2, 37), elements=st.integers(0, 1)))
def test_an_xnor_dot_is_the_dot_of_signs(codes):
    a, w = (Codes(row, NumberFormat(1, False, codebook=(-1, 1))).integers() for row in codes)
    assert xnor_dot(codes[0], codes[1]) == int(a @ w)


def test_xnor_scales_are_a_box_filter_of_the_mean_magnitude():
    layer = Layer(name="x", kind="conv", C=4, H=5, W=4, M=3, R=3, S=2, stride=(2, 1), padding=(1, 1, 0, 1))
    x = np.random.default_rng(0).normal(size=layer.input_shape)
    found = Xnor().activations(x, layer)
    assert found.scale.shape == (1, 1, layer.E, layer.F)
    mean = np.pad(np.abs(x).mean(axis=1)[0], ((1, 1), (0, 1)))
    for e in range(layer.E):
        for f in range(layer.F):
            assert found.scale[0, 0, e, f] == pytest.approx(mean[2 * e : 2 * e + 3, f : f + 2].sum() / 6)
    assert np.array_equal(found.codes.integers() > 0, x >= 0)


def test_dorefa_by_hand():
    x = np.array([0.0, 1.0, -1.0, 0.5])
    codes = named("dorefa:bits=2").quantise(x)  # tanh(0.5)/tanh(1) = 0.6068 -> 0.8034 * 3 = 2.41
    assert codes.values.tolist() == [2, 3, 0, 2]
    assert codes.real() == pytest.approx([1 / 3, 1, -1, 1 / 3])
    activations = Codes.nearest(np.array([-0.3, 0.4, 0.9, 7.0]), named("dorefa:bits=2").of_range(0, 9))
    assert activations.real() == pytest.approx([0, 1 / 3, 1, 1])


@given(st.integers(0, 99), st.integers(2, 15))
def test_a_codebook_is_a_local_optimum_no_better_than_the_best(seed, clusters):
    x = np.random.default_rng(seed).normal(size=300)
    centroids = k_means(x, clusters)

    def cost(table):
        return float((np.abs(x[:, None] - np.asarray(table)).min(axis=1) ** 2).sum())

    best = cost(kmeans1d.cluster(x, clusters)[1])
    assert best * (1 - 1e-9) <= cost(centroids) <= 1.6 * best
    nearest = np.abs(x[:, None] - centroids).argmin(axis=1)
    assert centroids == pytest.approx([x[nearest == i].mean() for i in range(len(centroids))])


def test_clear_clusters_are_found_as_the_best_ones_are():
    x = np.concatenate([np.random.default_rng(i).normal(3 * i, 0.5, 50) for i in range(6)])
    assert k_means(x, 6) == pytest.approx(kmeans1d.cluster(x, 6)[1])


def test_a_codebook_keeps_pruned_weights_and_holds_integers():
    x = np.array([[0.0, 0.5, -1.0], [0.51, 0.0, -0.99]])
    codes = Codebook(bits=2, table_bits=8).quantise(x)
    assert codes.kept().tolist() == (x != 0).tolist()
    assert codes.format.codebook[0] == 0
    assert min(codes.format.codebook) == -127
    assert codes.real() == pytest.approx(x, abs=0.02)
    assert codes.format.value_bits == 8


@pytest.mark.parametrize("name", formats.names())
def test_every_format_keeps_its_promises(name):
    part = named(name)
    x = np.random.default_rng(5).normal(size=(4, 3, 3, 3)) * 0.2
    codes = part.quantise(x)
    assert codes.values.shape == codes.real().shape == x.shape
    assert codes.values.dtype == codes.format.dtype
    assert codes.format.bits == part.bits
    assert np.isfinite(codes.real()).all()
    assert np.array_equal(codes.kept(), codes.real() != 0)
    assert named(spec_of(part)) == part
    assert part.quantise(np.zeros((2, 2))).real().shape == (2, 2)
    if codes.format.layout is None:
        assert np.allclose(codes.integers() * codes.scales(), codes.real())


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("afine:bits=4", "unknown number format 'afine'; did you mean 'affine'? (known: affine,"),
        ("affine:bit=4", "number format 'affine:bit=4': unknown key 'bit'; did you mean 'bits'? (known: bits, axis,"),
        ("affine:bits=x", "number format 'affine:bits=x': bits: expected int, not 'x'"),
        ("affine:bits", "number format 'affine:bits': expected KEY=VALUE, not 'bits'"),
        ("int99", "number format 'int99': bits=99 is outside 2..16"),
        ("int4:bits=3", "number format 'int4:bits=3': bits is given twice"),
        ("affine:signed=1", "number format 'affine:signed=1': signed: expected bool, not '1'"),
        ("float:special=odd", "number format 'float:special=odd': special='odd' is none of ieee, one_nan, none"),
    ],
)  # fmt: skip
def test_a_wrong_spec_is_refused_in_one_line(spec, error):
    with pytest.raises(InputError) as refused:
        named(spec)
    assert str(refused.value).startswith(error)
    assert "\n" not in str(refused.value)


def test_short_names_and_settings():
    assert named("int4") == named("integer:bits=4")
    assert named("int8:axis=0").axis == 0
    assert named("affine: bits = 4, axis = none").axis is None
    assert spec_of(named("affine:bits=4,signed=true")) == "affine:bits=4,signed=True"
    assert named(named("fp16")) == named("fp16")


@pytest.mark.parametrize("axis", [3, -1])
def test_an_axis_that_is_not_there_is_refused(axis):
    with pytest.raises(ValueError, match=r"is outside 0\.\.1"):
        named(f"integer:axis={axis}").quantise(np.ones((2, 2)))


def test_accumulators_hold_the_lectures_sums():
    assert accumulator_bits(8, 8, 9216) == 30  # AlexNet's first FC layer: 14 more
    assert accumulator_bits(8, 8, 25088) == 31  # VGG-16's: 15 more
    assert [accumulator_bits(1, 1, k) for k in (1, 2, 3, 4, 5)] == [2, 3, 4, 4, 5]


@given(st.integers(-(2**47), 2**47 - 1), st.integers(1 << 30, (1 << 31) - 1), st.integers(-31, 7))
def test_the_16_bit_path_shifts_a_16_bit_multiplier(x, q, e):
    short = 0x7FFF if q >= 0x7FFF0000 else (q + (1 << 15)) >> 16
    expected = (x * short + (1 << (14 - e))) >> (15 - e)
    assert int(fixed_point(np.int64(x), np.int64(q), np.int64(e), "int16")) == expected


def test_the_16_bit_path_refuses_large_multipliers():
    with pytest.raises(ValueError, match="too large for 'int16' rounding"):
        FixedPointRequant((1 << 30,), (8,), NumberFormat(16, True), -9, 9, "int16")


def gemmlowp(x: int, q: int, e: int) -> int:
    """Double rounding with the integers of the definition: a truncating division, then ties away from zero."""
    product = (x << max(e, 0)) * q
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    high = abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)
    right = max(-e, 0)
    rest, threshold = high & ((1 << right) - 1), ((1 << right) - 1 >> 1) + (high < 0)
    return (high >> right) + (rest > threshold)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(1 << 30, (1 << 31) - 1), st.integers(-31, 0))
def test_32_bit_roundings_are_those_of_their_definitions(x, q, e):
    arguments = np.int64(x), np.int64(q), np.int64(e)
    assert int(fixed_point(*arguments, "double")) == gemmlowp(x, q, e)
    assert int(fixed_point(*arguments, "single")) == (x * q + (1 << (30 - e))) >> (31 - e)


PLUGIN = """
from dataclasses import dataclass

from workloads.format import formats
from workloads.formats.codes import Codes, NumberFormat


@formats.add("halves")
@dataclass(frozen=True)
class Halves:
    bits: int = 4

    def quantise(self, values):
        return Codes.nearest(values, self.of_range(values.min(), values.max()))

    def of_range(self, low, high):
        return NumberFormat(self.bits, True, 0.5)
"""


def test_a_format_of_ones_own_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "halves.py").write_text(PLUGIN)
    monkeypatch.setattr(formats, "_parts", dict(formats._parts))
    monkeypatch.setattr(formats, "_complete", False)
    monkeypatch.setenv("ACCEL_SIM_PLUGINS", str(tmp_path))
    try:
        assert named("halves:bits=3").quantise(np.array([0.3, -9.0])).real().tolist() == [0.5, -2.0]
        network = quantise_network(load_network("lenet_300_100"), weights="halves", activations="halves:bits=6")
        seen = next(operands for _, operands in walk(network, 0))
        assert (seen.weights.format.bits, seen.inputs.format.bits) == (4, 6)
    finally:
        sys.modules.pop("accel_sim_plugin_halves", None)
