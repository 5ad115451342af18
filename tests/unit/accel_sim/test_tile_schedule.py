"""`engine.Engine` against a schedule clocked cycle by cycle."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.memories.flat import FlatDram, FlatState
from accel_sim.values.tile import Extent
from tests.oracle.tile_schedule import Layer, Memory, Outcome, Work, by_name, outcomes
from tests.schedule import by_name as named
from tests.schedule import job, play

BANDWIDTHS = (0.5, 1.0, 1.5, 3.0)


@st.composite
def layers(draw, operands=("inputs", "weights")):
    """Small tiles; the first reads every operand, a later one may go on with what is loaded."""
    works, post_only = [], draw(st.sampled_from([False, False, False, True]))
    for number in range(draw(st.integers(1, 4))):
        used = [name for name in operands if number == 0 or draw(st.booleans())]
        reads = {name: draw(st.integers(1, 9)) for name in used}
        write = draw(st.one_of(st.none(), st.integers(1, 9)))
        array = 0 if post_only else draw(st.integers(0, 9))
        works.append(Work(array, draw(st.integers(0, 5)), reads, write, post_only))
    return works


def engine(works: list[Work], memory: Memory, slots: dict[str, int], start: int = 0) -> Outcome:
    jobs = [
        job(
            work.array, work.post, {name: Extent(0, size) for name, size in work.reads.items()},
            None if work.write is None else Extent(0, work.write), number, post_only=work.post_only,
        )
        for number, work in enumerate(works)
    ]  # fmt: skip
    state = FlatState(memory.bandwidth, memory.latency, memory.busy_until)
    schedule = play(jobs, FlatDram(), state, {"outputs": 1} | slots, start)
    return Outcome(schedule.end, named(schedule.idle), schedule.overlapped)


def clocked(works: list[Work], memory: Memory, slots: dict[str, int], start: int = 0) -> Outcome:
    return Layer(works, memory, slots, by_name, start).run()


memories = st.builds(Memory, st.sampled_from(BANDWIDTHS), st.integers(0, 5), st.integers(0, 9))
buffers = st.fixed_dictionaries({name: st.integers(1, 3) for name in ("inputs", "weights", "outputs")})


@settings(max_examples=150)
@given(layers(), memories, buffers, st.integers(0, 4))
def test_the_engine_plays_one_of_the_possible_schedules(works, memory, slots, start):
    """More than one only where requests reach the channel in the same cycle, which MODEL leaves open."""
    found = engine(works, memory, slots, start)
    assert any(found == outcome for outcome in outcomes(works, memory, slots, start))
    assert sum(found.idle.values()) + sum(work.array for work in works) == found.end - start


@settings(max_examples=100)
@given(layers(operands=("inputs",)), memories, st.integers(1, 3), st.integers(1, 3))
def test_one_operand_and_no_outputs_has_no_tie(works, memory, inputs, outputs):
    works = [replace(work, write=None) for work in works]
    slots = {"inputs": inputs, "outputs": outputs}
    assert engine(works, memory, slots) == clocked(works, memory, slots)


def same(works: list[Work], memory: Memory, slots: dict[str, int], expected: Outcome) -> None:
    assert clocked(works, memory, slots) == expected
    assert engine(works, memory, slots) == expected


def test_one_tile_by_hand():
    """8 bytes in 4 cycles + 3 of latency; 5 in the array; 2 of post; 3 bytes out in 2 cycles + 3."""
    same(
        [Work(5, 2, {"inputs": 8}, 3)], Memory(2, 3), {"inputs": 1, "outputs": 1},
        Outcome(7 + 5 + 2 + 5, {"dram_read": 7, "post": 2, "dram_write": 5}, 0),
    )  # fmt: skip


def test_double_buffering_one_cycle_either_side_of_hiding_the_load():
    """The second load ends when the first tile does, or one cycle before or after."""
    for size, wait in ((3, 0), (4, 0), (5, 1)):
        works = [Work(4, 0, {"inputs": 4}), Work(4, 0, {"inputs": size})]
        same(works, Memory(1, 0), {"inputs": 2}, Outcome(12 + wait, {"dram_read": 4 + wait}, min(size, 4)))
    one_slot = Outcome(4 + 4 + 4 + 4, {"dram_read": 8}, 0)
    same([Work(4, 0, {"inputs": 4})] * 2, Memory(1, 0), {"inputs": 1}, one_slot)


def test_a_full_output_buffer_stops_the_array_one_slot_either_side():
    """The first write takes 6 cycles: with one slot the second tile, loaded long ago, waits for it."""
    works = [Work(1, 0, {"inputs": 1}, 6), Work(1, 0, {}, 1)]
    same(works, Memory(1, 0), {"inputs": 1, "outputs": 2}, Outcome(1 + 1 + 6 + 1, {"dram_read": 1, "dram_write": 6}, 1))
    same(works, Memory(1, 0), {"inputs": 1, "outputs": 1}, Outcome(8 + 1 + 1, {"dram_read": 1, "dram_write": 7}, 0))


def test_latency_is_pipelined_in_the_channel_but_a_loader_waits_for_its_own_data():
    """Two operands overlap their latencies; one operand asks for its next tile only when the last one is there."""
    two = [Work(1, 0, {"inputs": 1, "weights": 1})]
    same(two, Memory(1, 9), {"inputs": 1, "weights": 1}, Outcome(2 + 9 + 1, {"dram_read": 11}, 0))
    one = [Work(0, 0, {"inputs": 1}), Work(1, 0, {"inputs": 1})]
    same(one, Memory(1, 9), {"inputs": 2}, Outcome(2 * (1 + 9) + 1, {"dram_read": 20}, 0))


def test_a_channel_an_earlier_layer_left_busy_delays_the_first_load():
    same([Work(1, 0, {"inputs": 1})], Memory(1, 0, busy_until=3), {"inputs": 1}, Outcome(5, {"dram_read": 4}, 0))


def test_hidden_memory_time_is_overlapped_only_under_the_array():
    """The same two tiles through the array and through the post-processing unit alone."""
    under_array = [Work(4, 0, {"inputs": 4})] * 2
    same(under_array, Memory(1, 0), {"inputs": 2}, Outcome(12, {"dram_read": 4}, 4))
    under_post = [Work(0, 4, {"inputs": 4}, post_only=True)] * 2
    same(under_post, Memory(1, 0), {"inputs": 2}, Outcome(12, {"dram_read": 4, "post": 8}, 0))
