"""Energy of a bit on four DRAM parts beside the reference runs, and a layer on two of them, plain and compressed."""

import pytest

from accel_sim.results.experiment import table
from experiments.dram_parts import REFERENCE, addresses, moved, rows, run, split
from tests.dram_traces import trace

pytestmark = pytest.mark.slow

PARTS = ("ddr4_2400", "lpddr3_1600")


@pytest.fixture(scope="module")
def frame():
    """AlexNet's last layer: 4096 x 1000 weights, a quarter of them not zero."""
    return table(rows(PARTS, layers="fc8"))


def test_every_row_is_within_its_tolerance(frame):
    assert frame[frame.within.eq(False)]["item"].tolist() == []


def test_the_four_parts_with_a_reference_stream_and_jump_as_it_does():
    measured = table([row for part, _ in REFERENCE for row in rows([part], layers="fc8")])
    measured = measured[measured["class"] == "measured"].drop_duplicates("item")
    assert measured[~measured.within]["item"].tolist() == []
    assert len(measured) == 2 * len(REFERENCE) == 16


def test_the_random_trace_is_the_reference_generator():
    """x0 = 12345; x = (1664525 x + 1013904223) mod 2^32; the first by hand: 87628868, bits 8 to 29 = 342300."""
    assert addresses("random", 64)[0] == 64 * 342300
    assert addresses("random", 64).tolist() == trace("rand_read")[0].tolist()


def test_energy_falls_by_less_than_bytes(frame):
    """A quarter of the weights with 5-bit codes and 4-bit distances; background does not shrink with them."""
    for part in PARTS:
        plain, compressed = run(part, "dense", layers="fc8"), run(part, "relative_index", layers="fc8")
        assert moved(plain) == 4096 * 1000 + 4096 + 1000
        saved = moved(plain) / moved(compressed)
        assert 1 < sum(split(plain)) / sum(split(compressed)) < saved
    laws = frame[frame.derived_from.str.startswith("law")]
    assert laws.simulated.tolist() == [2, 2, 2]
