"""Bit-level products and dot products of the integer units against exact integers."""

from dataclasses import replace

import numpy as np
import pytest

from accel_sim.macs.conventional import Conventional
from accel_sim.macs.divide_conquer import DivideConquer

from .units import SIGNS, UNITS, check_dot, span

#: of an operand; 16 bits cannot be gone through
MOST_BITS = 9


def every_pair(mode, a_signed, w_signed):
    """[steps, outputs, reduction]: each lane meets each pair of operands, beside other pairs in the other lanes."""
    ranges = span(mode.activation_bits, a_signed), span(mode.weight_bits, w_signed)
    a, w = (each.ravel() for each in np.meshgrid(*(np.arange(low, high + 1) for low, high in ranges), indexing="ij"))
    lanes = range(mode.outputs * mode.reduction)
    # a stride that is coprime to every number of pairs (a power of two)
    shape = (-1, mode.outputs, mode.reduction)
    return tuple(np.stack([np.roll(each, 7919 * lane) for lane in lanes], axis=-1).reshape(shape) for each in (a, w))


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_every_product_of_every_mode(unit):
    for mode in unit.modes:
        if max(mode.activation_bits, mode.weight_bits) <= MOST_BITS:
            for signs in SIGNS:
                a, w = every_pair(mode, *signs)
                assert np.array_equal(unit.products(a, w, mode, *signs), (a * w).sum(axis=-1)), (mode.name, signs)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_corner_and_random_products_of_the_widest_mode(unit):
    mode, rng = unit.modes[0], np.random.default_rng(1)
    for signs in SIGNS:
        ranges = span(mode.activation_bits, signs[0]), span(mode.weight_bits, signs[1])
        a, w = (
            np.concatenate(([low, low, high, high, 0][::step], rng.integers(low, high, 500, endpoint=True)))
            for (low, high), step in zip(ranges, (1, -1), strict=True)
        )
        got = unit.products(a[:, None, None], w[:, None, None], mode, *signs)[:, 0]
        assert got.tolist() == [int(x) * int(y) for x, y in zip(a, w, strict=True)]


def vectors(mode, signs, steps, rng):
    """Operands [K, outputs]: random, all lowest, all highest, highest times lowest."""
    ranges = span(mode.activation_bits, signs[0]), span(mode.weight_bits, signs[1])
    shape = (steps * mode.reduction, mode.outputs)
    yield tuple(rng.integers(low, high, shape, endpoint=True) for low, high in ranges)
    for corner in ((0, 0), (1, 1), (1, 0)):
        yield tuple(np.full(shape, each[end], np.int64) for each, end in zip(ranges, corner, strict=True))


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_dot_products_wrap_or_saturate_and_count(unit, overflow):
    """Headroom of 2 bits holds four worst products (of an unsigned pair only two): most of these vectors overflow."""
    tight = replace(unit, accumulator_bits=None, headroom_bits=2, overflow=overflow)
    rng, lost = np.random.default_rng(2), 0
    for mode in tight.modes[:: max(1, len(tight.modes) // 6)]:
        for signs in SIGNS:
            for a, w in vectors(mode, signs, 11, rng):
                lost += check_dot(tight, mode, a, w, signs)
    assert lost


def test_a_wide_enough_accumulator_gives_the_exact_sum():
    unit, rng = DivideConquer(), np.random.default_rng(3)
    for mode in unit.modes:
        a, w = next(vectors(mode, (True, True), 40, rng))
        assert unit.dot(a, w, mode) == ([(a * w).sum()], 0)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_operands_of_another_width_are_refused(unit):
    mode = unit.modes[-1]
    zeros = np.zeros((3, mode.outputs, mode.reduction), np.int64)
    wide = zeros + (1 << (mode.activation_bits - 1))
    with pytest.raises(ValueError, match=f"^operands from .* do not fit {mode.activation_bits} signed bits$"):
        unit.products(wide, zeros, mode)
    with pytest.raises(ValueError, match=f"^operands from -1 to -1 do not fit {mode.weight_bits} unsigned bits$"):
        unit.products(zeros, zeros - 1, mode, w_signed=False)
    assert not unit.products(wide, zeros, mode, a_signed=False).any()


@pytest.mark.parametrize("unit", [unit for unit in UNITS.values() if not isinstance(unit, Conventional)], ids=str)
def test_operands_of_another_shape_are_refused(unit):
    mode = unit.modes[-1]
    zeros = np.zeros((3, mode.outputs + 1, mode.reduction), np.int64)
    takes = rf"mode {mode.name} takes \[..., steps, {mode.outputs}, {mode.reduction}\]$"
    with pytest.raises(ValueError, match=takes):
        unit.products(zeros, zeros, mode)
