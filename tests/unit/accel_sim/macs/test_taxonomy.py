"""The 16 units of Camus et al. (JETCAS 2019) in 5 modes: products a cycle, operand bits a cycle, accumulator bits."""

import csv
from fractions import Fraction

import pytest

from accel_sim.macs.bit_serial import BitSerial
from accel_sim.macs.bit_serial_2d import BitSerial2d
from accel_sim.macs.conventional import Conventional
from accel_sim.macs.divide_conquer import DivideConquer
from accel_sim.macs.subword_parallel import SubwordParallel

MODES = ((8, 8), (8, 4), (8, 2), (4, 4), (2, 2))
NATURAL = {"accumulator_bits": None}
TOGETHER = {**NATURAL, "sharing": "together"}
APART = {**NATURAL, "sharing": "apart"}
UNITS = {
    "conventional": Conventional(**NATURAL, precision_gating=True),
    "swp_sa_2l": SubwordParallel(**APART),
    "swp_sa_1l": SubwordParallel(**APART, levels=1),
    "swp_st_2l": SubwordParallel(**TOGETHER),
    "dc1d_sa": DivideConquer(**APART, dimensions=1),
    "dc1d_st_2l": DivideConquer(**TOGETHER, dimensions=1),
    "dc1d_st_1l": DivideConquer(**TOGETHER, dimensions=1, levels=1),
    "dc2d_sa": DivideConquer(**APART),
    "dc2d_st_2l": DivideConquer(**TOGETHER),
    "dc2d_st_1l": DivideConquer(**TOGETHER, levels=1),
    **{f"ser1d_{n}b": BitSerial(**NATURAL, digit_bits=n) for n in (1, 2, 4)},
    **{f"ser2d_{n}b": BitSerial2d(**NATURAL, digit_bits=n) for n in (1, 2, 4)},
}
#: bits of a step's products in the accumulator, MODES in order (precision.md section 1: "live" widths less 4)
LIVE = {
    "conventional": (16, 16, 16, 16, 16),
    "swp_sa_2l": (16, 16, 16, 8, 4),
    "swp_st_2l": (16, 16, 16, 9, 6),
    "dc1d_st_2l": (16, 13, 12, 13, 12),
    "dc2d_st_2l": (16, 13, 12, 10, 8),
}


@pytest.fixture(scope="module")
def rows(shared):
    with (shared / "reference/precision/mac_taxonomy.csv").open(encoding="utf-8") as file:
        return {row["unit"]: row for row in csv.DictReader(line for line in file if not line.startswith("#"))}


def column(row, prefixes):
    """Values of the five modes; the first column spells its prefix out."""
    names = [f"{prefixes[min(n, 1)]}_{a}x{w}" for n, (a, w) in enumerate(MODES)]
    return [Fraction(row[name]) if row[name] else None for name in names]


def test_all_units_of_the_table_are_here(rows):
    assert set(rows) == set(UNITS)


@pytest.mark.parametrize("name", UNITS)
def test_products_and_operand_bits_a_cycle(rows, name):
    modes = [UNITS[name].mode(*widths) for widths in MODES]
    for got, expected in zip(modes, column(rows[name], ("macs_per_cycle", "macs")), strict=True):
        assert expected in (got.macs_per_cycle, None), got.name
    for got, expected in zip(modes, column(rows[name], ("in_bits", "in_bits")), strict=True):
        assert expected in (got.operand_bits, None), got.name


@pytest.mark.parametrize("name", UNITS)
def test_accumulators_have_the_registers_of_the_table(rows, name):
    if rows[name]["acc_bits"]:
        assert UNITS[name].accumulator_register_bits == int(rows[name]["acc_bits"])


@pytest.mark.parametrize("name", LIVE)
def test_live_widths(name):
    modes = [UNITS[name].mode(*widths) for widths in MODES]
    assert tuple(mode.product_bits for mode in modes) == LIVE[name]
    assert [mode.sum_bits - mode.product_bits for mode in modes] == [4] * 5


def test_an_n_bit_serial_unit_never_goes_below_n_bits():
    assert [UNITS["ser1d_4b"].mode(8, w).cycles for w in (1, 2, 4, 5, 8)] == [1, 1, 1, 2, 2]
    assert [UNITS["ser2d_4b"].mode(w, w).cycles for w in (1, 2, 4, 5, 8)] == [1, 1, 1, 4, 4]
