"""Floating-point formats bit for bit: every code, every tie, overflow and NaN; held against gfloat and ml_dtypes."""

import math

import gfloat.formats
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests import tables
from workloads.format import formats, named
from workloads.formats.floating import FloatLayout

#: name -> (gfloat's description, numpy type)
FLOATS = {
    "fp16": (gfloat.formats.format_info_binary16, np.float16),
    "bfloat16": (gfloat.formats.format_info_bfloat16, ml_dtypes.bfloat16),
    "fp8_e4m3": (gfloat.formats.format_info_ocp_e4m3, ml_dtypes.float8_e4m3fn),
    "fp8_e5m2": (gfloat.formats.format_info_ocp_e5m2, ml_dtypes.float8_e5m2),
    "fp6_e2m3": (gfloat.formats.format_info_ocp_e2m3, ml_dtypes.float6_e2m3fn),
    "fp6_e3m2": (gfloat.formats.format_info_ocp_e3m2, ml_dtypes.float6_e3m2fn),
    "fp4_e2m1": (gfloat.formats.format_info_ocp_e2m1, ml_dtypes.float4_e2m1fn),
}


def same(found, expected):
    signs = (np.signbit(each[~np.isnan(each)]) for each in (found, expected))
    return np.array_equal(found, expected, equal_nan=True) and np.array_equal(*signs)


@pytest.mark.parametrize("name", FLOATS)
def test_every_code_of_a_float_decodes_as_in_both_libraries_and_comes_back(name):
    info, dtype = FLOATS[name]
    layout = named(name).layout
    codes = np.arange(1 << layout.bits)
    values = layout.decode(codes)
    narrow = np.uint16 if layout.bits == 16 else np.uint8
    assert same(values, gfloat.decode_ndarray(info, codes.astype(narrow)))
    with np.errstate(invalid="ignore"):  # signalling NaN
        theirs = codes.astype(narrow).view(dtype).astype(np.float64)
    assert np.array_equal(values, theirs, equal_nan=True)
    numbers = ~np.isnan(values)
    for saturate in (False, True):
        back = layout.encode(values[numbers], saturate)
        kept = np.isfinite(values[numbers]) | (not saturate)
        assert np.array_equal(back[kept], codes[numbers][kept])


def between(layout):
    """Every number of the format, every midpoint of two, and what float32 has on either side of a midpoint."""
    codes = np.arange(layout.largest + 1, dtype=np.int64)
    values = layout.decode(codes)
    middle = ((values[1:] + values[:-1]) / 2).astype(np.float32)
    beyond = values[-1] * np.array([1.01, 1.0357142, 1.04, 1.0714285, 1.1, 1.5, 1.5 + 2**-20, 2, 1e3])
    points = np.concatenate(
        [values, middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(9e9))]
    )
    with np.errstate(over="ignore"):  # of bfloat16, some is infinite in float32 already
        points = np.concatenate([points, beyond.astype(np.float32)]).astype(np.float32)
    return np.concatenate([points, -points])


@pytest.mark.parametrize("name", FLOATS)
def test_every_tie_and_its_neighbours_round_as_in_both_libraries(name):
    info, dtype = FLOATS[name]
    layout = named(name).layout
    x = between(layout)
    with np.errstate(over="ignore"):
        theirs = x.astype(dtype).astype(np.float64)
    if layout.special != "none":
        assert same(layout.decode(layout.encode(x, False)), theirs)
    saturated = gfloat.round_ndarray(info, x.astype(np.float64), sat=True)
    assert same(layout.decode(layout.encode(x, True)), saturated)


def test_overflow_and_nan_as_published():
    e4m3, e5m2, fp16 = (named(name).layout for name in ("fp8_e4m3", "fp8_e5m2", "fp16"))
    above = np.nextafter(464.0, 500.0)
    assert e4m3.decode(e4m3.encode(np.array([448.0, 464.0, -464.0]), False)).tolist() == [448, 448, -448]
    assert np.isnan(e4m3.decode(e4m3.encode(np.array([above, np.inf, np.nan]), False))).all()
    assert e4m3.decode(e4m3.encode(np.array([above, np.inf, -np.inf]), True)).tolist() == [448, 448, -448]
    assert e4m3.encode(np.array([np.nan, -np.nan]), True).tolist() == [0x7F, 0xFF]
    below = np.nextafter(61440.0, 0.0)
    assert e5m2.decode(e5m2.encode(np.array([below, 61440.0, -1e9]), False)).tolist() == [57344, np.inf, -np.inf]
    assert e5m2.decode(e5m2.encode(np.array([61440.0]), True)).tolist() == [57344]
    assert fp16.decode(fp16.encode(np.array([65519.0, 65520.0]), False)).tolist() == [65504, np.inf]
    with pytest.raises(ValueError, match="no code for NaN"):
        named("fp4_e2m1").quantise(np.array([np.nan]))


def test_parameters_equal_the_table(shared):

    rows = tables.read(shared / "reference/precision/number_formats.csv")
    seen = 0
    for row in rows:
        name = row["format"].split(" ")[0]
        if name not in formats.names():
            continue
        seen += 1
        layout = named(name).layout
        assert (layout.exponent_bits, layout.mantissa_bits, layout.bias) == tuple(
            int(row[k]) for k in ("e", "m", "bias")
        )
        numbers = layout.decode(np.array([layout.largest, 1 << layout.mantissa_bits, 1]))
        assert numbers.tolist() == [float(row[key]) for key in ("max_finite", "min_normal", "min_subnormal")]
        assert (row["has_inf"] == "yes") is (layout.special == "ieee")
        assert (row["nan"] == "no") is (layout.nan is None)
    assert seen == 8


@given(hnp.arrays(np.float32, 40, elements=st.floats(width=32)))
def test_bfloat16_is_the_rounded_upper_half_of_a_float32(x):
    u = x.view(np.uint32).astype(np.uint64)
    expected = ((u + 0x7FFF + ((u >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)).astype(np.uint32)
    found = named("bfloat16").layout.encode(x.astype(np.float64), False)
    assert np.array_equal(found[~np.isnan(x)], expected[~np.isnan(x)])


@given(st.integers(2, 8), st.integers(1, 10), st.integers(-20, 20), st.data())
def test_any_layout_rounds_to_a_nearest_of_its_numbers(e, m, bias, data):
    layout = FloatLayout(e, m, bias, "none")
    x = data.draw(st.floats(-1e30, 1e30))
    found = float(layout.decode(layout.encode(np.array([x]), True))[0])
    largest = float(layout.decode(np.array(layout.largest)))
    if abs(x) >= largest:
        assert abs(found) == largest
    else:
        step = math.ldexp(1.0, max(math.frexp(x)[1] - 1, 1 - bias) - m)
        assert abs(found - x) <= step / 2
        assert found / step == round(found / step)


@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        ("float:exponent_bits=3,mantissa_bits=4", ml_dtypes.float8_e3m4),
        ("float:exponent_bits=4,mantissa_bits=3", ml_dtypes.float8_e4m3),
        ("float:exponent_bits=4,mantissa_bits=3,bias=11,special=ieee", None),
    ],
)
def test_a_layout_of_ones_own_is_coded_as_ml_dtypes_has_it(spec, dtype):
    layout = named(spec).layout
    codes = np.arange(256)
    values = layout.decode(codes)
    numbers = ~np.isnan(values)
    assert np.array_equal(layout.encode(values[numbers], False), codes[numbers])
    if dtype is None:
        assert layout.bias == 11
        return
    with np.errstate(invalid="ignore", over="ignore"):
        assert np.array_equal(values, codes.astype(np.uint8).view(dtype).astype(np.float64), equal_nan=True)
        x = between(layout)
        assert same(layout.decode(layout.encode(x, False)), x.astype(dtype).astype(np.float64))


@pytest.mark.parametrize("name", ["fp16", "bfloat16", "fp8_e4m3", "fp6_e3m2"])
@given(x=hnp.arrays(np.float64, 20, elements=st.floats(-1e300, 1e300)))
def test_any_double_rounds_once_as_gfloat_rounds_it(name, x):
    layout, info = named(name).layout, FLOATS[name][0]
    assert same(layout.decode(layout.encode(x, True)), gfloat.round_ndarray(info, x, sat=True))
