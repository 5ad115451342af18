"""Floating point in integers, bit for bit that of numpy and ml_dtypes; NaNs are compared as NaNs."""

import ml_dtypes
import numpy as np
import pytest

from accel_sim.macs import soft_float
from workloads.format import formats
from workloads.formats.floating import FloatLayout

TYPES = {
    "fp32": np.float32, "fp16": np.float16, "bfloat16": ml_dtypes.bfloat16, "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
}  # fmt: skip
LAYOUTS = {name: formats.get(name).layout for name in TYPES}
EIGHT = ["fp8_e4m3", "fp8_e5m2"]


def numbers(codes: np.ndarray, name: str) -> np.ndarray:
    return codes.astype(f"uint{LAYOUTS[name].bits}").view(TYPES[name])


def codes_of(values: np.ndarray, name: str) -> np.ndarray:
    return values.view(f"uint{LAYOUTS[name].bits}").astype(np.uint32)


def same(got: np.ndarray, expected: np.ndarray, name: str) -> bool:
    """Bit for bit; any NaN for any NaN, and ours the one."""
    nan = np.isnan(expected)
    assert (got[nan] == LAYOUTS[name].nan).all()
    return np.array_equal(got[~nan], codes_of(expected, name)[~nan])


def samples(name: str, count: int, seed: int) -> np.ndarray:
    """Codes all over the layout, near each other, at its ends, and small ones."""
    layout, rng = LAYOUTS[name], np.random.default_rng(seed)
    every = rng.integers(0, 1 << layout.bits, count)
    near = (rng.integers(-2, 3, count) << layout.mantissa_bits) + rng.integers(0, 1 << layout.mantissa_bits, count)
    near = (near + (layout.bias << layout.mantissa_bits)) | (rng.integers(0, 2, count) << (layout.bits - 1))
    tiny = rng.integers(0, 4 << layout.mantissa_bits, count) | (rng.integers(0, 2, count) << (layout.bits - 1))
    ends = np.array(
        [0, 1, 2, layout.largest, layout.largest - 1, layout.largest + 1, layout.nan, 1 << layout.mantissa_bits]
    )
    ends = np.concatenate([ends, ends | (1 << (layout.bits - 1))])
    return np.concatenate([every, near, tiny, rng.choice(ends, count)]).astype(np.uint32)


def pairs(name: str, count: int = 50_000) -> tuple[np.ndarray, np.ndarray]:
    a, b = samples(name, count, 1), samples(name, count, 2)
    shuffled = np.random.default_rng(3).permutation(b)
    ends = samples(name, 1, 4)[-1:]
    return np.concatenate([a, a, a, ends]), np.concatenate([b, shuffled, a ^ (1 << (LAYOUTS[name].bits - 1)), ends])


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.filterwarnings("ignore:invalid value|overflow|underflow")
def test_sums_and_products_are_those_of_the_type(name):
    layout = LAYOUTS[name]
    if name in EIGHT:
        a, b = (each.ravel() for each in np.meshgrid(*2 * [np.arange(256, dtype=np.uint32)]))
    else:
        a, b = pairs(name)
    x, y = numbers(a, name), numbers(b, name)
    with np.errstate(all="ignore"):
        assert same(soft_float.add(a, b, layout), x + y, name)
        assert same(soft_float.multiply(a, b, layout), x * y, name)


@pytest.mark.parametrize("name", ["fp16", "bfloat16", *EIGHT])
def test_products_in_fp32_are_those_of_float32(name):
    a, b = pairs(name)
    with np.errstate(all="ignore"):
        expected = numbers(a, name).astype(np.float32) * numbers(b, name).astype(np.float32)
    assert same(soft_float.multiply(a, b, LAYOUTS[name], LAYOUTS["fp32"]), expected, "fp32")


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("into", TYPES)
def test_conversions_are_those_of_the_types(name, into):
    if LAYOUTS[into].bits > LAYOUTS[name].bits or name == "fp32":
        codes = samples(name, 20_000, 5)
        with np.errstate(all="ignore"):
            expected = numbers(codes, name).astype(TYPES[into])
        assert same(soft_float.convert(codes, LAYOUTS[name], LAYOUTS[into]), expected, into)


def test_an_exact_product_may_be_added_before_it_is_rounded():
    """(1 + 2^-23)^2 - (1 + 2^-22) = 2^-46: rounding the product first would leave nothing."""
    fp32 = LAYOUTS["fp32"]
    a, c = (codes_of(np.array([value], np.float32), "fp32") for value in (1 + 2**-23, -(1 + 2**-22)))
    exact = soft_float.times(soft_float.unpack(a, fp32), soft_float.unpack(a, fp32))
    fused = soft_float.pack(soft_float.plus(exact, soft_float.unpack(c, fp32)), fp32)
    assert numbers(fused, "fp32") == 2.0**-46
    assert numbers(soft_float.add(soft_float.multiply(a, a, fp32), c, fp32), "fp32") == 0


def test_fused_sums_are_those_of_float64_where_it_is_exact():
    """fp16 products and an fp16 addend of near magnitude fit 53 bits: float64 is exact, and rounds once to fp16."""
    fp16, rng = LAYOUTS["fp16"], np.random.default_rng(6)
    a, b, c = (rng.integers(10 << 10, 20 << 10, 50_000) | rng.integers(0, 2, 50_000) << 15 for _ in range(3))
    x, y, z = (numbers(each, "fp16").astype(np.float64) for each in (a, b, c))
    number = soft_float.plus(
        soft_float.times(soft_float.unpack(a, fp16), soft_float.unpack(b, fp16)), soft_float.unpack(c, fp16)
    )
    assert same(soft_float.pack(number, fp16), (x * y + z).astype(np.float16), "fp16")


def test_a_layout_without_nan_refuses_one_and_saturates():
    tiny = FloatLayout(2, 1, 1, "none")
    fp16 = LAYOUTS["fp16"]
    infinity = np.array([31 << 10, 1 << 15 | 31 << 10])
    assert soft_float.convert(infinity, fp16, tiny).tolist() == [7, 15]
    with pytest.raises(ValueError, match=r"^the layout has no code for NaN$"):
        soft_float.convert(np.array([fp16.nan]), fp16, tiny)


def test_lengths_near_powers_of_two():
    values = np.array([0, 1, 2, (1 << 53) - 1, (1 << 54) - 1, (1 << 60) - 1, 1 << 60, (1 << 62) - 1])
    assert soft_float.length(values).tolist() == [int(value).bit_length() for value in values]
