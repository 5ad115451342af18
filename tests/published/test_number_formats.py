"""Number formats held against their published parameters, and the laws of quantisation on SqueezeNet's weights."""

import pytest

from accel_sim.energy.table import EnergyTable
from accel_sim.results.experiment import table
from experiments import number_formats
from workloads.requant import accumulator_bits


@pytest.fixture
def fresh():
    """The experiment's memory of weights and scores, emptied before and after."""
    memories = (number_formats.weights, number_formats.loss, number_formats.scores)
    for each in memories:
        each.cache_clear()
    yield
    for each in memories:
        each.cache_clear()


def test_energies_of_a_multiply_accumulate_by_hand():
    energy = EnergyTable()
    assert number_formats.mac_pj("fp32", 512)[0] == pytest.approx(4.6)
    assert number_formats.mac_pj("fp16", 512)[0] == pytest.approx(2.0)
    assert number_formats.mac_pj("int8", 512)[0] == pytest.approx(0.2 + energy.arithmetic("add", 25)[0])
    assert number_formats.mac_pj("ternary", 512)[0] == energy.arithmetic("add", accumulator_bits(8, 2, 512))[0]
    table_read = 16 * 0.009 + 16 * 4 / 32 * 0.0295  # 16 words of 16 flip-flops, a comparator of 4 bits in each
    assert number_formats.mac_pj("codebook:bits=4", 512)[0] == pytest.approx(
        energy.arithmetic("mult", 16)[0] + energy.arithmetic("add", 33)[0] + table_read
    )


@pytest.mark.slow
def test_every_gated_row_is_within_on_the_released_weights(shared, fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("ACCEL_SIM_SHARED", str(shared))
    frame = table(number_formats.rows())
    assert frame[frame.within.eq(False)]["item"].tolist() == []
    assert (frame["class"] == "exact").sum() == 27
    assert frame.source.str.contains("released Deep Compression SqueezeNet").any()
    assert frame["item"].is_unique
    number_formats.figure(frame, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


@pytest.mark.slow
def test_without_data_the_rows_say_that_weights_are_made_up(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("ACCEL_SIM_SHARED", str(tmp_path))
    frame = table(number_formats.rows(("int8:axis=0", "fp16")))
    assert frame[frame.within.eq(False)]["item"].tolist() == []
    own = frame[frame.source.str.startswith("this simulator")]
    assert len(own) == 12
    assert own.source.str.contains("synthetic half-normal weights").all()
    assert not frame["item"].str.contains("correlation").any()
