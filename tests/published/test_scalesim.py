"""SCALE-Sim 3.0.0 without stalls: every reference row, as a layer of its own and inside our built-in networks.

Tolerance 0: the tool's own compute cycles, not its reported total (one less). Source: this project's reference run.
"""

import pytest

from accel_sim.results.experiment import table
from experiments.systolic_reference import compare, reference_rows
from tests import tables


@pytest.fixture(scope="module")
def rows(shared):
    return tables.read(shared / "reference/dense/scalesim_reference_cycles.csv")


def verdict(rows):
    frame = table(compare(rows))
    return frame[frame.within.eq(False)]["item"].tolist()


def test_a_sample_of_rows_of_every_dataflow_is_exact(rows):
    assert verdict(rows[::89]) == []


@pytest.mark.slow
def test_a_quarter_of_the_rows_is_exact(rows):
    assert verdict(rows[::4]) == []


@pytest.mark.long
def test_every_row_is_exact(rows):
    assert len(rows) >= 757
    assert verdict(rows) == []


def test_shipped_rows_are_reference_rows(rows):
    known = {(row["network"], row["layer_id"], row["rows"], row["dataflow"]): row["compute_cycles"] for row in rows}
    shipped = reference_rows()
    assert len(shipped) > 700
    for row in shipped:
        key = (row["network"], row["layer_id"], row["rows"], row["dataflow"])
        assert known.get(key, row["compute_cycles"]) == row["compute_cycles"]
