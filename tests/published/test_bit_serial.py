"""Experiment bit_serial: ideal speed-ups of Stripes, and the laws of columns that run ahead."""

import pytest

from experiments.bit_serial import PROFILES, REGISTERS, cycles, ideal, rows
from tests import tables
from workloads.profiles import read_table


@pytest.mark.parametrize("name", PROFILES)
def test_ideal_speed_ups_are_those_of_the_reference(name, shared):
    """Recomputed there from its own layer shapes, so within 0.1 %: the last digit printed."""
    found = tables.read(shared / "reference" / "precision" / "precision_profiles.csv")
    (row,) = [
        row
        for row in found
        if row["network"].replace("_", "").lower() == name.replace("_", "")
        and (row["operand"], row["relative_accuracy"]) == ("act", "100 %")
    ]
    ours = {row["profile"]: row["activations"] for row in read_table("precision_profiles")}
    assert row["bits"] == ours[PROFILES[name][0]]
    assert ideal(name) == pytest.approx(float(row["ideal_recomputed"]), rel=0.001)


@pytest.mark.slow
def test_more_registers_never_cost_cycles():
    took = [sum(cycles("pragmatic", registers, "fire9/*").values()) for registers in REGISTERS.values()]
    assert took == sorted(took, reverse=True)
    assert took[0] > took[-1]


@pytest.mark.slow
def test_rows_are_whole():
    found = rows("fire9/*")
    assert {row["class"] for row in found} == {"recalled", "self"}
    assert all(row["source"] for row in found)
