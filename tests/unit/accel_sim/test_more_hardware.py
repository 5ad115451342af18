"""Cases in which more hardware costs cycles, as docs/model.md lists them: each is what a clocked model says as well.

Everything else is monotone; tests of each part hold that.
"""

import numpy as np
import pytest

from accel_sim.dataflows.vector.vector_schedule import Schedule
from accel_sim.memories import dram_trace
from accel_sim.memories.dram_banked import DramBanked
from tests.oracle.tile_schedule import Memory, Work, outcomes
from tests.unit.accel_sim.test_tile_schedule import engine

SLOTS = {"inputs": 1, "weights": 2, "outputs": 2}


def played(works: list[Work], memory: Memory, slots: dict[str, int] = SLOTS) -> int:
    """Last cycle by the engine, which is that of a clocked model."""
    found = engine(works, memory, slots)
    assert any(found == outcome for outcome in outcomes(works, memory, slots, 0))
    return found.end


def test_a_faster_post_processing_unit_lets_a_write_overtake_a_load():
    """Twice the lanes: the first tile's outputs are written before the second tile's weights are asked for."""
    def works(*post: int) -> list[Work]:
        return [
            Work(6, post[0], {"inputs": 1, "weights": 3}, 8), Work(5, post[1], {"weights": 9}, None),
            Work(8, post[2], {"weights": 1}, 1),
        ]  # fmt: skip

    memory = Memory(1.5, 4, 0)
    assert (played(works(5, 1, 1), memory), played(works(3, 1, 1), memory)) == (36, 41)


def test_a_shorter_latency_lets_a_far_load_overtake_a_near_one():
    works = [
        Work(5, 3, {"inputs": 6, "weights": 5}, 1), Work(9, 5, {"inputs": 7, "weights": 2}, None),
        Work(3, 3, {"weights": 9}, None),
    ]  # fmt: skip
    assert (played(works, Memory(0.5, 2, 0)), played(works, Memory(0.5, 1, 0))) == (69, 78)


def test_more_slots_let_a_far_load_overtake_a_near_one():
    works = [
        Work(3, 4, {"inputs": 1, "weights": 3}, 5), Work(3, 5, {"inputs": 5, "weights": 9}, None),
        Work(9, 0, {"weights": 8}, 3),
    ]  # fmt: skip
    memory = Memory(1.5, 1, 0)
    more = {operand: 2 * count for operand, count in SLOTS.items()}
    assert (played(works, memory), played(works, memory, more)) == (33, 36)


@pytest.mark.parametrize(
    ("field", "entries", "cycles", "requests"),
    [
        ("read_queue", (1, 2), (80, 82), [(54080, 1), (30016, 0), (61312, 0), (61248, 1), (16064, 0)]),
        ("write_queue", (1, 2), (68, 78), [(637056, 1), (803392, 0), (871744, 0), (659648, 1)]),
    ],
)
def test_a_deeper_dram_queue_lets_the_controller_choose_what_looks_better(field, entries, cycles, requests):
    """Ready commands go first: rows are opened and the bus is turned in an order that ends later."""
    trace = np.array([(address, is_write, 0) for address, is_write in requests], np.int64)
    parts = [DramBanked(part="ddr4_2400", **{field: count}) for count in entries]
    assert tuple(dram_trace.play(trace, part)["cycles"] for part in parts) == cycles


def test_farther_lookahead_takes_a_weight_that_a_later_step_needs_as_company():
    """Two lanes, by hand. One step ahead: lane 0 takes the second step's weight from lane 1 beside it, then the third
    and fourth steps share one. Two ahead: lane 0 prefers its own lane's weight of the third step, and the second and
    fourth steps are left, which are too far apart to share one."""
    weights = np.array([[[0, 1], [0, 1], [1, 0], [0, 1]]])
    assert [len(Schedule.of(weights, ahead, 1).sources) for ahead in (1, 2)] == [2, 3]
