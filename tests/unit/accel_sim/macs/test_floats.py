"""float_mac and the tensor core's FP16 path, bit for bit those of numpy and ml_dtypes types."""

import ml_dtypes
import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.energy.table import EnergyTable
from accel_sim.machine.config import from_tree, to_tree
from accel_sim.macs.float_mac import OPERANDS, FloatMac
from accel_sim.macs.tensor_core import TensorCore
from workloads import InputError, load_network

TYPES = {
    "fp32": np.float32, "fp16": np.float16, "bfloat16": ml_dtypes.bfloat16, "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
}  # fmt: skip


def vectors(kind, k: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values around 1 with some far off, so that sums cancel, absorb and lose."""
    rng = np.random.default_rng(seed)
    return tuple(
        (rng.standard_normal((k, outputs)) * np.exp2(rng.integers(-4, 5, (k, outputs)))).astype(kind) for _ in range(2)
    )


def codes(values: np.ndarray) -> np.ndarray:
    return values.view(f"uint{8 * values.itemsize}")


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("accumulate", ["fp32", "fp16"])
def test_dot_products_are_those_of_the_types(operand, accumulate):
    a, w = vectors(TYPES[operand], 40, 300, 1)
    unit, sums = FloatMac(operand=operand, accumulate=accumulate), np.zeros(300, TYPES[accumulate])
    for x, y in zip(a, w, strict=True):
        # float64 holds a product of two fp32, so the cast rounds once
        sums = sums + (x.astype(np.float64) * y.astype(np.float64)).astype(TYPES[accumulate])
    assert np.array_equal(unit.dot_codes(codes(a), codes(w)), codes(sums))


def test_fused_dot_products_of_fp16_are_those_of_float64_rounded():
    """Sums of an fp16 and an exact product within 2^9 of each other fit float64."""
    a, w = vectors(np.float16, 20, 300, 2)
    sums = np.zeros(300, np.float16)
    for x, y in zip(a, w, strict=True):
        sums = (sums.astype(np.float64) + x.astype(np.float64) * y.astype(np.float64)).astype(np.float16)
    got = FloatMac(accumulate="fp16", fused=True).dot_codes(codes(a), codes(w))
    assert np.array_equal(got, codes(sums))
    assert not np.array_equal(got, FloatMac(accumulate="fp16").dot_codes(codes(a), codes(w)))


def test_an_fp16_sum_absorbs_what_an_fp32_sum_keeps():
    """2048 + 1 is a tie in fp16, to even: 2048; fp32 has 2058 after ten of them."""
    a = np.array([2048] + 10 * [1], np.float16)[:, None]
    ones = np.ones((11, 1), np.float16)
    short, long = (FloatMac(accumulate=kind).dot_codes(codes(a), codes(ones)) for kind in ("fp16", "fp32"))
    assert short.astype(np.uint16).view(np.float16) == 2048
    assert long.view(np.float32) == 2058


def test_specials_by_hand():
    """fp16: the largest number times 2 overflows, infinity less infinity is NaN, the least subnormal halves to 0."""
    unit = FloatMac(accumulate="fp16")
    largest, two, infinity, nan, least, half = (
        codes(np.array([value], np.float16))[0] for value in (65504, 2, np.inf, np.nan, 2**-24, 0.5)
    )
    zero = np.uint32(0)
    assert unit.multiply_add(largest, two, zero) == infinity
    assert unit.multiply_add(infinity, two, infinity | 0x8000) == nan
    assert unit.multiply_add(infinity, zero, two) == nan
    assert unit.multiply_add(least, half, zero) == 0, "a tie between 0 and the least subnormal"
    assert unit.multiply_add(least, two, zero) == 2


def test_energy_is_horowitz_rows_and_a_law_between():
    """fp16 in, fp32 sums: 1.1 + 0.9 pJ; bfloat16 has 8 significant bits: 1.1 (8/11)^(log(3.7/1.1) / log(24/11))."""
    table = EnergyTable()

    def pj(unit):
        return sum(count * table.arithmetic(action, bits)[0] for (_, action, bits), count in unit.actions(1, 1).items())

    assert pj(FloatMac()) == pytest.approx(2.0)
    assert pj(FloatMac(operand="fp32")) == pytest.approx(4.6)
    assert pj(FloatMac(accumulate="fp16")) == pytest.approx(1.5)
    assert pj(FloatMac(operand="bfloat16")) == pytest.approx(0.9 + 0.6704, abs=1e-4)
    assert table.arithmetic("float_mult", 8)[1] == "law: 1.1 pJ x (b/11)^1.55, float_mult of horowitz_45nm"


def test_a_layer_of_integers_is_refused():
    tree = to_tree(load_hardware("systolic")) | {"mac": {"name": "float_mac"}}
    refusal = (
        r"^layer '.*': MAC unit 'float_mac': multiplies fp16 numbers, not integer codes \(.* bits\); give the machine "
        "a unit of integers, such as conventional"
    )
    with pytest.raises(InputError, match=refusal):
        simulate(load_network("lenet5_twn"), from_tree(tree, "systolic"))


def test_fields_are_checked():
    with pytest.raises(ValueError, match=r"^operand='fp64' must be one of fp32, fp16, bfloat16, fp8_e4m3, fp8_e5m2$"):
        FloatMac(operand="fp64")
    with pytest.raises(ValueError, match=r"^accumulate='bfloat16' must be fp32 or fp16$"):
        FloatMac(accumulate="bfloat16")


def matmul(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """As numpy's float32 adds, in the unit's order."""
    sums = c.astype(np.float32)
    products = a.astype(np.float32)[:, :, None] * b.astype(np.float32)[None]
    for k in range(0, products.shape[1], 4):
        p = [products[:, k + i] if k + i < products.shape[1] else np.zeros_like(sums) for i in range(4)]
        sums = sums + ((p[0] + p[1]) + (p[2] + p[3]))
    return sums


@pytest.mark.parametrize(("m", "k", "n"), [(4, 4, 4), (16, 16, 16), (3, 7, 5), (2, 0, 2)])
def test_matmul_is_float32_in_its_order(m, k, n):
    unit, rng = TensorCore(), np.random.default_rng(3)
    a, b = vectors(np.float16, m, k, 4)[0], vectors(np.float16, k, n, 5)[1]
    c = rng.standard_normal((m, n)).astype(np.float32)
    expected = matmul(a, b, c)
    assert np.array_equal(codes(unit.matmul(a, b, c)), codes(expected))
    assert np.array_equal(codes(unit.matmul(a, b, c, "fp16")), codes(expected.astype(np.float16)))
    half = c.astype(np.float16)
    assert np.array_equal(codes(unit.matmul(a, b, half)), codes(matmul(a, b, half)))


def test_matmul_keeps_in_fp32_what_fp16_loses():
    """2048 + 4 x 0.5 x 0.5 = 2049, which fp16 rounds to 2048 at the end only."""
    unit, c = TensorCore(), np.full((1, 1), 2048, np.float32)
    a, b = np.full((1, 4), 0.5, np.float16), np.full((4, 1), 0.5, np.float16)
    assert unit.matmul(a, b, c) == 2049
    assert unit.matmul(a, b, c, "fp16") == 2048


def test_matmul_refuses_other_types_and_shapes():
    unit, a, c = TensorCore(), np.zeros((4, 4), np.float16), np.zeros((4, 4), np.float32)
    with pytest.raises(ValueError, match=r"^matmul takes float16 a and b and float16 or float32 c, not float32, "):
        unit.matmul(c, a, c)
    with pytest.raises(ValueError, match=r"^matmul of shapes \(4, 4\) and \(4, 4\) plus \(4, 3\)$"):
        unit.matmul(a, a, c[:, :3])
    with pytest.raises(ValueError, match=r"^out='fp8' must be fp32 or fp16$"):
        unit.matmul(a, a, c, "fp8")
