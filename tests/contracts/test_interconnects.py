"""What every on-chip network promises: pure counts that grow with the work, and wires with a sourced price."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.energy.table import EnergyTable
from accel_sim.parts import interconnects
from accel_sim.values.actions import Actions

from . import samples

PARTS = {name: samples.default(part) for name, part in interconnects.items()}
arrays = st.tuples(st.integers(1, 40), st.integers(1, 40))


def blocks(array):
    return st.tuples(st.just(array), st.integers(0, array[0]), st.integers(0, array[1]))


def test_the_four_kinds_are_there():
    assert {"bus", "crossbar", "multicast", "neighbour"} <= set(PARTS)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(case=arrays.flatmap(blocks))
def test_more_pes_drive_no_less_wire(part, case):
    (rows, cols), to_rows, to_cols = case
    hops = part.hops(rows, cols, to_rows, to_cols)
    assert isinstance(hops, int)
    assert (hops > 0) == (to_rows * to_cols > 0)
    assert to_rows == rows or part.hops(rows, cols, to_rows + 1, to_cols) >= hops
    assert to_cols == cols or part.hops(rows, cols, to_rows, to_cols + 1) >= hops
    assert hops >= to_rows * to_cols or part.hops(rows, cols, rows, cols) >= rows * cols  # no PE without a wire


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(case=arrays.flatmap(blocks), count=st.integers(0, 1 << 30), bits=st.integers(1, 64))
def test_deliveries_are_counts_of_hops(part, case, count, bits):
    (rows, cols), to_rows, to_cols = case
    many = part.deliver("weights", count, bits, rows, cols, to_rows, to_cols)
    assert isinstance(many, Actions)
    assert many == {("weights", "hop", bits): count * part.hops(rows, cols, to_rows, to_cols)}
    one = part.scatter("weights", 1, bits, rows, cols, to_rows, to_cols)
    assert part.scatter("weights", count, bits, rows, cols, to_rows, to_cols) == one.times(count)
    if to_rows * to_cols:  # to each alone is never cheaper than one value to all
        assert one["weights", "hop", bits] >= part.hops(rows, cols, to_rows, to_cols)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("block", [(4, 1), (1, 5), (-1, 1), (1, -1)])
def test_a_block_outside_the_array_is_refused(part, block):
    text = rf"^a block of {block[0]} x {block[1]} PEs is no part of an array of 3 x 4$"
    for count in (part.deliver, part.scatter):
        with pytest.raises(ValueError, match=text):
            count("x", 1, 8, 3, 4, *block)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(
    values=st.integers(0, 500), bits=st.integers(1, 64), places=st.integers(1, 50), width=st.integers(1, 128),
)  # fmt: skip
def test_time_grows_with_the_values_and_shrinks_with_the_width(part, values, bits, places, width):
    def cycles(values, bits, places, width):
        found = replace(part, width_bits=width).cycles(values, bits, places)
        assert isinstance(found, int)
        return found

    taken = cycles(values, bits, places, width)
    assert (taken > 0) == (values > 0)
    assert cycles(values + 1, bits, places, width) >= taken
    assert cycles(values, bits + 1, places, width) >= taken
    assert cycles(values, bits, places, width + 1) <= taken
    assert cycles(values, bits, places, None) == 0


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_wires_have_a_price_with_a_source_and_the_pitch_is_called_a_guess(part):
    prices = [part.price("hop", bits, EnergyTable()) for bits in (1, 8, 16, 64)]
    assert [pj for pj, _ in prices] == sorted(pj for pj, _ in prices)
    assert all(pj > 0 and "pJ/bit/mm" in source and source.endswith("guess") for pj, source in prices)
    twice, source = replace(part, pitch_um=2 * part.pitch_um).price("hop", 8, EnergyTable())
    assert twice == pytest.approx(2 * prices[1][0])
    assert "guess" not in source


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_part_is_frozen_and_refuses_negative_sizes_by_name(part):
    assert part.__dataclass_params__.frozen
    for field in fields(part):
        with pytest.raises(ValueError, match=rf"^{field.name}=-1\b.* must be "):
            replace(part, **{field.name: -1})
