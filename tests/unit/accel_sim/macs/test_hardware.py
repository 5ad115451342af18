"""Cycles, widths and counts of the hardware of the integer units, and fields that make no unit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.macs.bit_serial import BitSerial
from accel_sim.macs.bit_serial_2d import BitSerial2d
from accel_sim.macs.divide_conquer import DivideConquer
from accel_sim.macs.essential_bits import EssentialBits
from accel_sim.macs.group_precision import GroupPrecision
from accel_sim.macs.subword_parallel import SubwordParallel
from accel_sim.macs.term_product import TermProduct
from tests.oracle import accumulators, serial_macs

from .units import NINE, SIGNS, UNITS, span


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_a_step_of_products_fits_its_bits(unit):
    """As a two's complement number, or as an unsigned one where both operands are unsigned."""
    for mode in unit.modes:
        for a_signed, w_signed in SIGNS:
            corners = [
                mode.reduction * a * w
                for a in span(mode.activation_bits, a_signed)
                for w in span(mode.weight_bits, w_signed)
            ]
            least, most = span(mode.product_bits, a_signed or w_signed)
            assert least <= min(corners) <= max(corners) <= most


@pytest.mark.parametrize("digit", [1, 2, 4])
@given(data=st.data(), signs=st.sampled_from(SIGNS))
def test_serial_units_take_the_cycles_of_a_clocked_one_and_their_adders_hold_its_sums(digit, data, signs):
    for unit in (
        BitSerial(**NINE, digit_bits=digit),
        BitSerial(**NINE, digit_bits=digit, serial="activations"),
        BitSerial2d(**NINE, digit_bits=digit),
    ):
        mode = data.draw(st.sampled_from(unit.modes))
        bits = mode.activation_bits, mode.weight_bits
        a, w = (
            data.draw(st.one_of(st.sampled_from(span(*each)), st.integers(*span(*each))))
            for each in zip(bits, signs, strict=True)
        )
        parts = [serial_macs.split(*each) for each in zip((a, w), bits, (digit, digit), signs, strict=True)]
        if isinstance(unit, BitSerial2d):
            product, cycles, greatest = serial_macs.two_sided(*parts, digit)
        elif unit.serial == "activations":
            product, cycles, greatest = serial_macs.one_sided(parts[0], w, digit)
        else:
            product, cycles, greatest = serial_macs.one_sided(parts[1], a, digit)
        ((_, _, adder_bits),) = unit.components(mode)["adders"]
        assert cycles == mode.cycles
        assert greatest < 2**adder_bits
        got = unit.products(*(np.full((1, 1, 1), each) for each in (a, w)), mode, *signs)
        assert got.item() == product == a * w


def or_width(cost, codes):
    """Cycles of a group by the rule of the table (CostTable)."""
    joined = np.bitwise_or.reduce(cost.table[codes - cost.a_min])
    bits = [k for k in range(32) if joined >> k & 1]
    return max(1, (max(bits) - (min(bits) if cost.trim else 0) + 1) if bits else 1)


@pytest.mark.parametrize("digit", [1, 2, 4])
@pytest.mark.parametrize("trim", [True, False])
@pytest.mark.parametrize("signs", ["none", "sign_magnitude", "twos_complement"])
def test_a_group_lasts_as_long_as_its_widest_value(signs, trim, digit):
    rng, signed = np.random.default_rng(4), signs != "none"
    unit = GroupPrecision(trim=trim, digit_bits=digit, **({"signs": signs} if signed else {}))
    cost = unit.cost(unit.modes[0], a_signed=signed)
    assert (cost.operator, cost.trim, cost.constant) == ("or_width", trim, None)
    least, most = span(8, signed)
    groups = [np.array([value]) for value in range(least, most + 1)]
    groups += [rng.integers(least, most + 1, 16) >> rng.integers(0, 8) << rng.integers(0, 3) for _ in range(200)]
    for group in groups:
        group = group.clip(least, most)
        expected = accumulators.group_cycles(group.tolist(), 8, trim, signs, digit)
        assert or_width(cost, group) == expected <= unit.modes[0].cycles


def test_a_group_of_weights_costs_by_its_weights():
    unit = GroupPrecision(serial="weights")
    cost = unit.cost(unit.modes[0], False, True)
    assert (cost.table.shape, cost.a_min, cost.w_min) == ((256, 256), 0, -128)
    assert (cost.table == cost.table[0]).all()
    # 3, -3 (a bit more for its sign) and 4
    assert cost.table[0, [128 + 3, 128 - 3, 128 + 4]].tolist() == [0b11, 0b111, 0b100]


def test_the_cycles_a_group_took_are_the_cycles_it_pays_for():
    unit = GroupPrecision(accumulator_bits=20)
    assert unit.actions(16, 10, cycles=48) == {
        ("mac", "mult", 1): 8 * 48,
        ("mac", "add", 9): 48,
        ("mac", "add", 20): 16,
    }
    gated = replace(unit, zero_operand_gating=True)
    assert gated.actions(16, 8, cycles=48) == {("mac", "mult", 1): 8 * 24, ("mac", "add", 9): 24, ("mac", "add", 20): 8}


@pytest.mark.parametrize("unit", [BitSerial(), EssentialBits(), TermProduct()], ids=lambda unit: type(unit).__name__)
def test_a_gated_product_has_no_share_of_the_cycles_that_operands_decided(unit):
    gated = replace(unit, zero_operand_gating=True)
    assert gated.actions(16, 8, cycles=48) == unit.actions(8, 8, cycles=24)


def parts(unit, activation_bits, weight_bits):
    found = unit.components(unit.mode(activation_bits, weight_bits))
    return found["multipliers"], found["adders"], found["accumulators"], found["input_register_bits"]


def test_bricks_and_trees_by_hand():
    """Bit Fusion: 16 bricks; level 1 joins four of them four times, level 2 joins those four sums."""
    natural = {"accumulator_bits": None}
    fusion = DivideConquer(**natural)
    bricks = ((16, 2, 2),)
    assert parts(fusion, 8, 8) == (bricks, ((1, 12, 8), (2, 3, 16)), (1, 20), 16)
    assert parts(fusion, 8, 2) == (bricks, ((1, 12, 7), (2, 3, 12)), (1, 16), 40)
    assert parts(fusion, 2, 2) == (bricks, ((1, 12, 6), (2, 3, 8)), (1, 12), 64)
    apart = DivideConquer(**natural, sharing="apart")
    assert parts(apart, 8, 8) == parts(fusion, 8, 8)
    assert parts(apart, 8, 4) == (bricks, ((1, 12, 8), (2, 2, 12)), (2, 16), 24)
    assert parts(apart, 2, 2) == (bricks, (), (16, 8), 64)
    rows = DivideConquer(**natural, dimensions=1)
    assert parts(rows, 8, 8) == (((4, 8, 2),), ((1, 2, 12), (2, 1, 16)), (1, 20), 16)
    assert parts(rows, 8, 2) == (((4, 8, 2),), ((1, 2, 11), (2, 1, 12)), (1, 16), 40)


def test_subwords_gate_the_blocks_between_them():
    for sharing, sums in (("apart", (4, 8)), ("together", (1, 10))):
        unit = SubwordParallel(accumulator_bits=None, sharing=sharing)
        assert parts(unit, 8, 2) == (((1, 8, 8),), (), (1, 20), 16)
        assert parts(unit, 2, 2) == (((4, 2, 2),), (), sums, 16)


def test_a_step_of_a_narrow_mode_is_one_addition_tree_for_all_its_products():
    fusion = DivideConquer(accumulator_bits=None)
    mode = fusion.mode(4, 4)
    once = {("mac", "mult", 2): 16, ("mac", "add", 8): 12, ("mac", "add", 10): 3, ("mac", "add", 14): 1}
    assert fusion.actions(4, 4, mode) == once
    assert fusion.actions(1, 1, mode) == once, "a step that is not full"
    assert fusion.actions(8, 8, mode) == {key: 2 * number for key, number in once.items()}


def test_bricks_without_a_sign_on_the_activation_side_take_unsigned_ones_only():
    unit = DivideConquer(signed_activations=False)
    mode, ones = unit.modes[0], np.ones((1, 1, 1), np.int64)
    assert unit.components(mode)["sign_inputs"] == (0, 1)
    assert unit.products(ones, -ones, mode, False, True).item() == -1
    for call in (lambda: unit.products(ones, ones, mode), lambda: unit.cost(mode)):
        with pytest.raises(ValueError, match=r"^MAC unit 'divide_conquer': signed activations need bricks with a sign"):
            call()


@pytest.mark.parametrize(
    ("part", "fields", "text"),
    [
        (DivideConquer, {"max_bits": 12}, "max_bits=12 must be 8 or 16"),
        (DivideConquer, {"levels": 3}, "levels=3 must leave bricks of 2 bits or more of max_bits=8"),
        (DivideConquer, {"levels": 0}, "levels=0 must leave bricks of 2 bits or more of max_bits=8"),
        (DivideConquer, {"dimensions": 3}, "dimensions=3 must be 1 (weights are cut) or 2 (both operands are)"),
        (SubwordParallel, {"max_bits": 4}, "max_bits=4 must be 8 or 16"),
        (SubwordParallel, {"levels": 3}, "levels=3 must leave sub-words of 2 bits or more of max_bits=8"),
        (BitSerial, {"digit_bits": 3}, "digit_bits=3 must be 1, 2 or 4"),
        (BitSerial, {"weight_bits": 0}, "weight_bits=0 must be at least 1"),
        (BitSerial2d, {"digit_bits": 3}, "digit_bits=3 must be 1, 2, 4 or 8"),
        (GroupPrecision, {"group_values": 0}, "group_values=0 must be at least 1"),
        (BitSerial, {"accumulator_bits": 15},
         "accumulator_bits=15 must hold a product of 8x8 bits and be at most 62"),
    ],
)  # fmt: skip
def test_fields_that_make_no_unit(part, fields, text):
    with pytest.raises(ValueError) as refusal:
        part(**fields)
    assert str(refusal.value) == text
