"""The arithmetic of tflite-int8, kernel by kernel: what LiteRT 2.3.0 computed, and gemmlowp's own vectors."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tables
from tests.unit.workloads.tflite_cases import KINDS, case, golden
from tests.unit.workloads.tflite_run import output
from workloads import InputError
from workloads.formats.codes import Codes, NumberFormat
from workloads.importers.tflite_file import read_model
from workloads.layer import Layer
from workloads.models.tflite_int8 import TfliteInt8, limits
from workloads.network import Network
from workloads.requant import FixedPointRequant, fixed_point, quantise_multiplier


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kernel_computes_what_litert_did(kind, dtype):
    rows = [row for row in golden() if (row["kind"], row["dtype"]) == (kind, dtype)]
    assert len(rows) == 16
    for row in rows:
        data, x = case(kind, dtype, int(row["seed"]))
        made = (zlib.crc32(data), zlib.crc32(x.tobytes()))
        assert made == (int(row["file_crc32"]), int(row["input_crc32"])), "numpy draws other cases: record them again"
        assert zlib.crc32(output(data, x).tobytes()) == int(row["output_crc32"]), row


def test_both_gemmlowp_roundings_on_its_own_vectors(shared):
    rows = tables.read(shared / "reference/precision/requant_golden.csv")
    x, q, e = (np.array([int(row[name]) for row in rows], dtype=np.int64) for name in ("x", "m", "shift"))
    assert len(rows) == 456
    for rounding in ("double", "single"):
        expected = [int(row[f"{rounding}_rounding"]) for row in rows]
        assert fixed_point(x, q, e, rounding).tolist() == expected


def halves(rounding):
    """-2.5 .. 2.5 in steps of 1/2: multiplier 2^30 is 1/2, exponent 0; the shift that follows halves again."""
    values, q = np.arange(-10, 11, dtype=np.int64), np.int64(1 << 30)
    return fixed_point(values * 2, q, np.int64(-1), rounding).tolist()


def test_ties_go_up_or_away_from_zero():
    values = np.arange(-10, 11) / 2  # what is rounded
    assert halves("half_up") == np.floor(values + 0.5).tolist()
    assert halves("single") == np.floor(values + 0.5).tolist()
    assert halves("double") == (np.sign(values) * np.floor(np.abs(values) + 0.5)).tolist()


@given(st.integers(-(2**31), 2**31 - 1), st.floats(2.0**-20, 2.0**10))
def test_a_multiplier_is_within_one_of_the_real_product(x, real):
    q, e = quantise_multiplier(real)
    assert 1 << 30 <= q < 1 << 31
    assert q * 2.0 ** (e - 31) == pytest.approx(real, rel=2.0**-31)
    if abs(x) * 2.0 ** max(e, 0) < 2**31:  # what is shifted left must fit 32 bits
        for rounding in ("double", "half_up", "single"):
            found = int(fixed_point(np.int64(x), np.int64(q), np.int64(e), rounding))
            assert abs(found - x * real) <= 1 + abs(x * real) * 2.0**-30


def test_multipliers_at_the_edge():
    assert quantise_multiplier(1.0) == (1 << 30, 1)
    assert quantise_multiplier(1 - 2.0**-40) == (1 << 30, 1)  # rounds to 2^31: halved, one more in the exponent
    assert quantise_multiplier(2.0**-40) == (0, 0)  # nothing is left of it
    for wrong in (0.0, -1.0, 2.0**30, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="outside 0"):
            quantise_multiplier(wrong)


def test_channels_beyond_whole_vectors_round_the_other_way():
    form = NumberFormat(8, True)
    requant = FixedPointRequant((1 << 30,), (-1,), form, -128, 127, "half_up", tail=2)
    sums = np.full((1, 4, 1, 1), -6, dtype=np.int64)  # -1.5
    assert requant(sums).ravel().tolist() == [-1, -1, -2, -2]


def test_fused_activations_limit_the_codes():
    layer = Layer(name="a", kind="conv", C=1, M=1, activation="relu6")
    assert limits(layer, NumberFormat(8, False, 6 / 255, 0)) == (0, 255)
    assert limits(layer, NumberFormat(8, True, 0.05, -28)) == (-28, 92)
    assert limits(replace(layer, activation="relu"), NumberFormat(8, True, 0.05, -28)) == (-28, 127)
    assert limits(replace(layer, activation=None), NumberFormat(8, True, 0.05, -28)) == (-128, 127)


def test_a_network_without_formats_and_scales_that_cannot_be_are_refused():
    layer = Layer(name="a", kind="relu", C=1, M=1)
    with pytest.raises(InputError, match=r"^network 'n': tensor 'input' has no number format$"):
        TfliteInt8(Network("n", (layer,), (1, 1, 1)))
    forms = {"input": NumberFormat(8, True, 1e30), "a": NumberFormat(8, True, 1e-30)}
    model = TfliteInt8(Network("n", (layer,), (1, 1, 1), formats=forms))
    with pytest.raises(InputError, match=r"^layer 'a': its scales cannot be: multiplier inf is outside 0\.\.2\^30$"):
        model.post(layer, [Codes(np.zeros((1, 1, 1, 1), np.int8), forms["input"])])


@pytest.mark.parametrize(
    ("signed", "points", "pair", "expected"),
    [
        (True, (3, -5, 7), (126, -45), [8] * 16 + [9] * 10),
        (True, (3, -5, 7), (-120, 23), [-12] * 16 + [-13] * 10),
        (False, (131, 123, 135), (253, 84), [137] * 8 + [138] * 3),
    ],
)
def test_whole_vectors_of_an_addition_round_otherwise_than_their_rest(signed, points, pair, expected):
    """Scales 0.1 and 0.3 to 0.2, the same pair of codes in all places: as LiteRT 2.3.0 has it without delegate."""
    scales = (float(np.float32(scale)) for scale in (0.1, 0.3, 0.2))
    forms = [NumberFormat(8, signed, *each) for each in zip(scales, points, strict=True)]
    count = len(expected)
    layers = (
        Layer(name="b", kind="relu", C=count, M=count),
        Layer(name="z", kind="add", C=count, M=count, inputs=("input", "b")),
    )
    formats = dict(zip(("input", "b", "z"), forms, strict=True))
    maps = [Codes(np.full((1, count, 1, 1), q, form.dtype), form) for q, form in zip(pair, forms, strict=False)]
    model = TfliteInt8(Network("n", layers, (count, 1, 1), formats=formats))
    assert model.post(layers[1], maps).values.ravel().tolist() == expected


def test_an_addition_whose_sum_exceeds_16_bits_wraps_in_whole_vectors():
    """Measured: 122 + 122 at scale 0.1, zero point -123, to scale 0.001: 49000 steps are -16536 in lanes of 16 bits."""
    form, out = NumberFormat(8, True, float(np.float32(0.1)), -123), NumberFormat(8, True, float(np.float32(0.001)), 78)
    layer = Layer(name="a", kind="add", C=18, M=18, inputs=("input", "input"))
    model = TfliteInt8(Network("n", (layer,), (18, 1, 1), formats={"input": form, "a": out}))
    x = Codes(np.full((1, 18, 1, 1), 122, np.int8), form)
    assert model.post(layer, [x, x]).values.ravel().tolist() == [-128] * 16 + [127] * 2


def test_vectors_of_an_addition_run_over_channels_first():
    """Of 2 x 2 pixels and 9 channels the last 36 - 32 elements, in N, H, W, C order, are no whole vector."""
    form, out = NumberFormat(8, True, 0.1, 0), NumberFormat(8, True, 0.001, 0)
    layer = Layer(name="a", kind="add", C=9, M=9, H=2, W=2, inputs=("input", "input"))
    model = TfliteInt8(Network("n", (layer,), (9, 2, 2), formats={"input": form, "a": out}))
    x = Codes(np.full((1, 9, 2, 2), 127, np.int8), form)
    found = model.post(layer, [x, x]).values
    assert found.shape == (1, 9, 2, 2)
    assert found.transpose(0, 2, 3, 1).ravel().tolist() == [127] * 36  # 25400 steps fit 16 bits
    form = NumberFormat(8, True, 0.2, 0)
    x, model = Codes(x.values, form), TfliteInt8(replace(model.network, formats={"input": form, "a": out}))
    assert model.post(layer, [x, x]).values.transpose(0, 2, 3, 1).ravel().tolist() == [-128] * 32 + [127] * 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [2.0**-149, 2.0**-126, 3e38])
def test_scales_at_the_end_of_float32_are_computed_or_refused(kind, scale):
    """No overflow, no warning, no traceback, whichever tensor has them."""
    for seed in range(2):
        data, x = case(kind, "int8", seed)
        tables = read_model(data, "m").tables
        for table in tables:
            given = table.table(4, "quantisation")
            scales = given.array(2, "<f4", 64, "scales") if given is not None else ()
            if len(scales):
                at = scales.__array_interface__["data"][0] - np.frombuffer(data, "u1").__array_interface__["data"][0]
                edited = data[:at] + np.float32(scale).tobytes() + data[at + 4 :]
                try:
                    output(edited, x)
                except InputError as error:
                    assert "\n" not in str(error)
