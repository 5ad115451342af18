"""Bit-Tactical's front end: the schedule against its rule told plainly, and what it makes of a whole layer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.dataflows.vector.vector_schedule import ASIDE, Schedule
from tests.contracts import samples
from tests.oracle import tactical


def offsets(lookahead: int, lookaside: int) -> list[tuple[int, int]]:
    return [(t, 0) for t in range(1, lookahead + 1)] + [each for each in ASIDE[:lookaside] if each[0] <= lookahead]


def places(schedule: Schedule) -> list:
    lanes = schedule.sources.shape[2]
    return [
        [[None if at < 0 else divmod(int(at), lanes) for at in row] for row in step] for step in schedule.sources
    ]  # fmt: skip


def test_by_hand():
    """Two lanes, three steps: the zero of lane 0 takes its own weight of the next step, and the last step is left."""
    weights = np.array([[[0, 5], [7, 0], [0, 3]]])
    alone = Schedule.of(weights, 1, 0)
    assert places(alone) == [[[(1, 0), (0, 1)]], [[None, (2, 1)]]]
    assert places(Schedule.of(weights, 2, 1)) == places(alone)
    assert len(Schedule.of(np.array([[[0, 0], [0, 2], [0, 0], [4, 0]]]), 2, 0).sources) == 1
    assert Schedule.of(np.zeros((2, 3, 4), int), 2, 5).sources.tolist() == [[[-1] * 4] * 2]


@given(
    st.integers(1, 4), st.integers(1, 9), st.integers(1, 6), st.floats(0, 1), st.integers(1, 3), st.integers(0, 5),
    st.integers(0, 999),
)  # fmt: skip
def test_the_schedule_is_that_of_the_rule(filters, steps, lanes, density, ahead, aside, seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 9, (filters, steps, lanes)) * (rng.random((filters, steps, lanes)) < density)
    ours = Schedule.of(weights, ahead, aside)
    expected = tactical.schedule(weights.tolist(), offsets(ahead, aside))
    assert places(ours) == (expected or [[[None] * lanes] * filters])
    taken = sorted((f, *at) for step in places(ours) for f, row in enumerate(step) for at in row if at)
    assert taken == [tuple(map(int, at)) for at in np.argwhere(weights)], "every weight once"
    windows = int(rng.integers(1, 40))
    costs = rng.integers(0, 7, (steps, lanes, windows)).astype(np.int32)
    found = ours.costs(costs, False, 0)
    for window in range(windows):
        mine = costs[:, :, window].tolist()
        assert found[:, window].tolist() == [tactical.slowest(step, mine) for step in places(ours)]


def test_without_zeros_it_is_pragmatic():
    network, _, _ = samples.given(samples.LAYERS["padded"], inputs=0.6, weights=1.0)
    network.weights["padded"].codes.values[network.weights["padded"].codes.values == 0] = 1
    settings = {"array.rows": 4, "array.cols": 4, "dataflow.lanes": 2}
    ahead, plain = (
        simulate(network, load_hardware(preset, settings), check=True).layers
        for preset in ("bit_tactical", "pragmatic")
    )
    assert ahead.array_cycles.tolist() == plain.array_cycles.tolist()
    assert ahead.macs_issued.tolist() == plain.macs_issued.tolist()


@pytest.mark.parametrize("name", ["padded", "grouped", "fc", "batch"])
def test_zero_weights_are_not_issued(name):
    layer = samples.LAYERS[name]
    network, _, weights = samples.given(layer, inputs=0.7, weights=0.3)
    settings = {"array.rows": 4, "array.cols": 4, "dataflow.lanes": 2}
    result = simulate(network, load_hardware("bit_tactical", settings), check=True)
    kept = int(np.count_nonzero(weights.integers())) * layer.N * layer.E * layer.F
    assert result.layers.macs_issued.tolist() == [kept]
    assert result.summary["check"]["passed"]


def test_what_it_cannot_schedule_for_is_refused():
    network, _, _ = samples.given(samples.LAYERS["fc"], "narrow")
    with pytest.raises(ValueError, match=r"MAC unit 'group_precision': lookahead=2 takes units whose cost depends on"):
        simulate(network, load_hardware("bit_tactical", {"mac.name": "group_precision"}))
    with pytest.raises(ValueError, match=r"lookaside=6 must be at most 5, and 0 without lookahead"):
        load_hardware("bit_tactical", {"dataflow.lookaside": 6})
