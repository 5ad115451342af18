"""The recurrence kernels and `GridWork.time` against the clocked machine with real queues and slots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.values.causes import Cause
from accel_sim.works.grid import GridWork, Recurrence
from accel_sim.works.timed import timed as took
from cython_core import recurrence
from tests.oracle.grid_machine import Constants, GridMachine

TERMS = ("avail", "imbalance", "dispatch", "fill_drain", "output")
#: the state each of the clocked machine's waits has in a timed tile
STATES = ("decode", "imbalance", "dispatch", "fill_drain", "output")
NOTHING = np.zeros(0, np.int64)
NO_LINK = np.zeros(0, np.int32)


@st.composite
def grids(draw, costs=(0, 1, 2, 3, 4)):
    """(cost [T, L], bar [T], avail [T] or empty)."""
    steps, lanes = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    cost = draw(
        st.lists(st.lists(st.sampled_from(costs), min_size=lanes, max_size=lanes), min_size=steps, max_size=steps)
    )
    bar = draw(st.lists(st.booleans(), min_size=steps, max_size=steps))
    late = st.one_of(st.just(0), st.integers(1, 9))
    avail = draw(st.one_of(st.just([]), st.lists(late, min_size=steps, max_size=steps)))
    return np.array(cost, np.int32), np.array(bar, np.uint8), np.array(avail, np.int64)


#: depth (0 = unbounded), gap, lat, free
constants = st.tuples(*(st.integers(0, high) for high in (4, 2, 3, 2)))


def clocked(cost, bar, avail, fixed, **more) -> tuple[int, list[int]]:
    depth, gap, lat, free = fixed
    machine = Constants(depth=depth or None, gap=gap, lat=lat, free=free, **more)
    cycles, slots = GridMachine(cost.tolist(), machine, avail.tolist() if avail.size else None, bar.tolist()).run()
    assert sum(slots.values()) == cycles * cost.shape[1]
    assert slots["busy"] == int(np.maximum(cost, machine.floor).sum())
    return cycles, [slots[term] for term in TERMS]


def rows(cost) -> np.ndarray:
    return np.arange(len(cost), dtype=np.int32)


@pytest.mark.slow
@settings(max_examples=200)
@given(grids(), constants)
def test_both_kernels_agree_with_the_machine(grid, fixed):
    cost, bar, avail = grid
    expected = clocked(cost, bar, avail, fixed)
    assert recurrence.broadcast(cost, rows(cost), bar, avail, *fixed) == expected
    assert recurrence.schedule(cost, rows(cost), bar, avail, NO_LINK, *fixed, 1, 0, 0) == expected


@pytest.mark.slow
@settings(max_examples=200)
@given(grids(), constants, st.data())
def test_links_and_output_queues_agree_with_the_machine(grid, fixed, data):
    cost, bar, avail = grid
    links = [data.draw(st.integers(-1, lane - 1)) for lane in range(cost.shape[1])]
    hop, out_depth, out_cycles = (data.draw(st.integers(0, 3)) for _ in range(3))
    expected = clocked(
        cost, bar, avail, fixed, hop=hop, links=tuple(None if link < 0 else link for link in links),
        out_depth=out_depth or None, out_cycles=out_cycles,
    )  # fmt: skip
    found = recurrence.schedule(
        cost, rows(cost), bar, avail, np.array(links, np.int32), *fixed, hop, out_depth, out_cycles
    )
    assert found == expected


@settings(max_examples=150)
@given(grids(), constants, st.integers(0, 2), st.integers(0, 2), st.booleans(), st.data())
def test_a_timed_tile_has_the_machines_cycles_and_states(grid, fixed, floor, tail, unit, data):
    """All paths: closed form (all costs 1), 32 bits, and the general one (an output queue)."""
    cost, bar, avail = grid
    if unit:
        cost, avail = np.ones_like(cost), NOTHING
        fixed = (fixed[0], 1, *fixed[2:])
    unmapped, out_depth = data.draw(st.integers(0, 3)), data.draw(st.sampled_from([0, 0, 2]))
    cycles, waits = clocked(cost, bar, avail, fixed, floor=floor, tail=tail, out_depth=out_depth or None, out_cycles=2)
    lanes, work = cost.shape[1] + unmapped, np.maximum(cost, floor)
    depth, gap, lat, free = fixed
    tile = GridWork(
        cost, rows(cost), bar, effectual=cost.sum(axis=1), ineffectual=(work - cost).sum(axis=1), unmapped=unmapped,
        recurrence=Recurrence(depth, gap, lat, free, floor, tail, out_depth=out_depth, out_cycles=2), avail=avail,
        late=Cause("decode", "act", "inputs"),
    )  # fmt: skip
    timed = took(tile, lanes)
    assert timed.cycles == cycles
    assert [timed.slots[state] for state in STATES] == waits
    assert timed.slots["unmapped"] == unmapped * cycles
    assert timed.slots["effectual"] + timed.slots["ineffectual"] == work.sum()


def test_no_steps_take_no_time():
    empty, none = np.zeros((1, 2), np.int32), np.zeros(0, np.int32)
    assert recurrence.broadcast(empty, none, NOTHING.astype(np.uint8), NOTHING, 1, 1, 1, 0) == (0, [0] * 5)
    assert GridMachine([], Constants(depth=1, lat=1, tail=4)).run()[0] == 0


#: three steps: lane 0 does 3, 1, 1; lane 1 does 1, 1, 3 (worked out on paper, issue times in the comments)
STEPS = np.array([[3, 1], [1, 1], [1, 3]], np.int32)


@pytest.mark.parametrize(
    ("depth", "free", "cycles", "waits"),
    [
        (1, 0, 8, [0, 4, 2, 0, 0]),  # issued 0, 1, 4: step 2 waits until lane 0 takes step 1 at 4
        (1, 1, 9, [0, 6, 2, 0, 0]),  # issued 0, 2, 5: every slot comes back a cycle later
        (2, 0, 6, [0, 0, 2, 0, 0]),  # issued 0, 1, 2: the queue never holds anyone up
        (0, 0, 6, [0, 0, 2, 0, 0]),
    ],
)
def test_a_queue_one_slot_either_side_by_hand(depth, free, cycles, waits):
    no_bar = np.zeros(3, np.uint8)
    fixed = (depth, 1, 1, free)
    assert clocked(STEPS, no_bar, NOTHING, fixed) == (cycles, waits)
    assert recurrence.broadcast(STEPS, rows(STEPS), no_bar, NOTHING, *fixed) == (cycles, waits)


def test_the_first_lat_cycles_are_dispatch_and_the_rest_of_the_wait_is_the_terms():
    cost, avail = np.array([[2]], np.int32), np.array([3], np.int64)
    expected = (3 + 1 + 2, [3, 0, 1, 0, 0])
    assert clocked(cost, np.zeros(1, np.uint8), avail, (0, 1, 1, 0)) == expected
    assert recurrence.broadcast(cost, rows(cost), np.zeros(1, np.uint8), avail, 0, 1, 1, 0) == expected


@given(grids(), st.integers(0, 2), st.integers(0, 2))
def test_the_special_machines_and_depth(grid, lat, free):
    """Lockstep is the sum of row maxima, independence the largest column sum; depth never costs cycles."""
    cost, bar, avail = grid
    all_bars, no_bars = np.ones_like(bar), np.zeros_like(bar)
    assert recurrence.broadcast(cost, rows(cost), all_bars, NOTHING, 0, 0, 0, 0)[0] == cost.max(axis=1).sum()
    assert recurrence.broadcast(cost, rows(cost), no_bars, NOTHING, 0, 0, 0, 0)[0] == cost.sum(axis=0).max()
    by_depth = [recurrence.broadcast(cost, rows(cost), bar, avail, d, 1, lat, free)[0] for d in (1, 2, 3, 8, 0)]
    assert by_depth == sorted(by_depth, reverse=True)


def test_an_infinite_queue_is_not_independence():
    cost = np.array([[0], [0], [1]], np.int32)  # the broadcast of step 2 leaves at cycle 2 however deep the queue
    assert recurrence.broadcast(cost, rows(cost), np.zeros(3, np.uint8), NOTHING, 0, 1, 1, 0)[0] == 2 + 1 + 1
    assert cost.sum(axis=0).max() == 1


# the bound of 32 bits must count `lat` for every step: behind a full queue issue[t] = start[t-1] = issue[t-1] + lat
def test_a_long_latency_behind_a_full_queue_does_not_overflow_32_bits():
    steps, lat = 4096, 1 << 20
    work = GridWork(
        np.ones((1, 1), np.int32), np.zeros(steps, np.int32), np.zeros(steps, np.uint8), np.array([1]), np.array([0]),
        Recurrence(depth=1, lat=lat),
    )  # fmt: skip
    assert took(work, 1).cycles == steps * lat + 1  # issued when the step before has started
