"""The recurrence kernels and the timing of tiles against the clocked machine, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.actions import Actions
from accel_sim.tile import GridWork, Recurrence, Tile
from accel_sim.timing import time
from cython_core import recurrence
from tests.oracle.clocked_grid import Machine

NONE64, NONE32 = np.zeros(0, np.int64), np.zeros(0, np.int32)
TERMS = ("avail", "imbalance", "dispatch", "fill_drain", "output")


@st.composite
def machines(draw, plain=False):
    steps, lanes = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    grid = st.lists(st.lists(st.integers(0, 4), min_size=lanes, max_size=lanes), min_size=steps, max_size=steps)
    links = [draw(st.integers(-1, lane - 1)) for lane in range(lanes)] if not plain and draw(st.booleans()) else []
    return Machine(
        cost=draw(grid),
        bar=[draw(st.integers(0, 3)) == 0 for _ in range(steps)],
        avail=[draw(st.integers(0, 8)) for _ in range(steps)] if draw(st.booleans()) else [0] * steps,
        depth=draw(st.integers(0, 4)), gap=draw(st.integers(0, 2)), lat=draw(st.integers(0, 2)),
        free=draw(st.integers(0, 2)), floor=draw(st.integers(0, 1)), tail=draw(st.integers(0, 3)), link=links,
        hop=draw(st.integers(1, 2)), out_depth=0 if plain else draw(st.integers(0, 3)),
        out_cycles=draw(st.integers(0, 3)),
    )  # fmt: skip


def arrays(machine):
    table = np.maximum(np.array(machine.cost, np.int32), machine.floor)
    rows = np.arange(len(machine.cost), dtype=np.int32)
    return table, rows, np.array(machine.bar, np.uint8), np.array(machine.avail, np.int64)


def grid_work(machine):
    table, rows, bar, avail = arrays(machine)
    constants = Recurrence(
        machine.depth, machine.gap, machine.lat, machine.free, machine.floor, machine.tail, machine.hop,
        machine.out_depth, machine.out_cycles,
    )  # fmt: skip
    busy = table.sum(axis=1, dtype=np.int64)
    return GridWork(
        np.array(machine.cost, np.int32), rows, bar, busy, 0 * busy, constants, 0, avail if avail.any() else NONE64,
        np.array(machine.link, np.int32),
    )  # fmt: skip


@settings(max_examples=400)
@given(machines(plain=True))
def test_broadcast_kernel_equals_the_clocked_machine(machine):
    cycles, slots = machine.run()
    found = recurrence.broadcast(*arrays(machine), machine.depth, machine.gap, machine.lat, machine.free)
    assert found == (
        cycles - machine.tail,
        [slots[t] - len(machine.cost[0]) * machine.tail * (t == "fill_drain") for t in TERMS],
    )


@settings(max_examples=400)
@given(machines())
def test_schedule_kernel_equals_the_clocked_machine(machine):
    cycles, slots = machine.run()
    found = recurrence.schedule(
        *arrays(machine), np.array(machine.link, np.int32), machine.depth, machine.gap, machine.lat, machine.free,
        machine.hop, machine.out_depth, machine.out_cycles,
    )  # fmt: skip
    assert found == (
        cycles - machine.tail,
        [slots[t] - len(machine.cost[0]) * machine.tail * (t == "fill_drain") for t in TERMS],
    )


@settings(max_examples=300)
@given(machines(), st.integers(0, 2))
def test_a_timed_tile_has_the_cycles_and_the_states_of_the_clocked_machine(machine, unmapped):
    from dataclasses import replace

    cycles, slots = machine.run()
    work = replace(grid_work(machine), unmapped=unmapped)
    timed = time(Tile(work, (), Actions()), len(machine.cost[0]) + unmapped)
    expected = {"unmapped": unmapped * cycles, "effectual": slots["busy"], "decode": slots["avail"]}
    expected |= {name: slots[name] for name in ("imbalance", "dispatch", "fill_drain", "output")}
    assert timed.cycles == cycles
    assert {name: count for name, count in timed.slots.items() if count} == {n: c for n, c in expected.items() if c}


EIE = {"gap": 1, "lat": 1, "floor": 1}


def cycles(cost, bar=None, avail=None, **constants):
    steps = len(cost)
    machine = Machine(cost, bar or [False] * steps, avail or [0] * steps, **constants)
    timed = time(Tile(grid_work(machine), (), Actions()), len(cost[0]))
    assert timed.cycles == machine.run()[0]
    return timed.cycles


def test_lockstep_is_the_sum_of_row_maxima():
    assert cycles([[3, 1], [2, 5], [0, 0]], bar=[True] * 3) == 3 + 5 + 0


def test_independent_is_the_largest_column_sum():
    assert cycles([[3, 1], [2, 5], [0, 0]]) == max(3 + 2, 1 + 5)


def test_deep_queues_are_not_independence_because_the_broadcast_takes_its_time():
    cost = [[1, 0]] * 10
    assert cycles(cost, **EIE) == 11  # one cycle until the first start, then one a broadcast
    assert cycles(cost) == 10


def test_queue_depth_by_hand_one_step_either_side():
    """Lane 0 is slow in the first two steps, lane 1 in the last two."""
    assert cycles([[4, 1], [1, 4]], depth=1, **EIE) == 6  # its slot was freed at 1, so step 1 is issued at 1
    cost = [[4, 1], [4, 1], [1, 4], [1, 4]]
    # depth 1: step 2 waits for lane 0 to start step 1 (at 5), step 3 until it starts step 2 (at 9): lane 1 runs 10..14
    assert cycles(cost, depth=1, **EIE) == 14
    # depth 2: step 2 is issued at 2, step 3 at 5 (lane 0 starts step 1): lane 1 runs 3..7 and 7..11
    assert cycles(cost, depth=2, **EIE) == 11


@given(machines(plain=True))
def test_cycles_never_rise_with_depth(machine):
    from dataclasses import replace

    depths = [replace(machine, depth=depth).run()[0] for depth in (1, 2, 4, 0)]
    assert depths == sorted(depths, reverse=True)


def test_a_registered_slot_costs_a_cycle_when_the_queue_is_full():
    cost = [[2], [2], [2], [2]]
    assert cycles(cost, depth=1, gap=1, lat=1, floor=1, free=0) == 9
    assert cycles(cost, depth=1, gap=1, lat=1, floor=1, free=1) == 9
    assert cycles([[1]] * 4, depth=1, gap=1, lat=1, floor=1, free=0) == 5
    assert cycles([[1]] * 4, depth=1, gap=1, lat=1, floor=1, free=1) == 8


@pytest.mark.parametrize("lanes", [1, 7, 64, 65])
def test_long_grids_take_the_same_path_as_the_general_kernel(lanes):
    rng = np.random.default_rng(lanes)
    table = rng.integers(0, 9, (50, lanes)).astype(np.int32).clip(1)
    rows = rng.integers(0, 50, 4000).astype(np.int32)
    bar = (rng.random(4000) < 0.01).astype(np.uint8)
    fast = recurrence.broadcast(table, rows, bar, NONE64, 8, 1, 1, 0)
    assert fast == recurrence.schedule(table, rows, bar, NONE64, NONE32, 8, 1, 1, 0, 1, 0, 0)
