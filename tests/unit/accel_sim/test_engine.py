"""The schedule of tiles against the one that is stepped cycle by cycle, and by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim import engine
from accel_sim.memories.flat import FlatDram
from accel_sim.tile import Extent, Stream
from tests.oracle.clocked_schedule import Channel, Schedule, Tile

OPERANDS = ("inputs", "pointers", "weights")


@st.composite
def tiles(draw):
    found = []
    for number in range(draw(st.integers(1, 6))):
        reads = {o: draw(st.integers(1, 40)) for o in OPERANDS if draw(st.integers(0, 2 if number else 1))}
        found.append(
            Tile(
                draw(st.integers(0, 12)), draw(st.integers(0, 6)), reads,
                draw(st.one_of(st.none(), st.integers(1, 40))), draw(st.integers(0, 4)) == 0,
            )
        )  # fmt: skip
    return found


def stream(operand: str, size: int, is_write: bool) -> Stream:
    return Stream(operand, operand, is_write, (Extent(0, size),), "dram", "buffer")


def job(tile: Tile) -> engine.Job:
    reads = {operand: (stream(operand, size, False),) for operand, size in tile.reads.items()}
    writes = () if tile.write is None else (stream("outputs", tile.write, True),)
    return engine.Job(0 if tile.post_only else tile.array, tile.post, reads, writes, tile.post_only)


def run(jobs, slots, bandwidth, latency, start=0):
    memory = FlatDram(bandwidth_bytes_per_cycle=bandwidth, latency_cycles=latency)
    state = memory.new_state()
    state[0] = start
    return engine.run([job(tile) for tile in jobs], memory, state, slots, start)


@settings(max_examples=300)
@given(tiles(), st.integers(1, 2), st.integers(1, 2), st.sampled_from([1, 3, 8]), st.integers(0, 9), st.integers(0, 99))
def test_schedule_equals_the_clocked_one(jobs, inputs, outputs, bandwidth, latency, start):
    slots = {"inputs": inputs, "pointers": 2, "weights": 2, "outputs": outputs}
    end, idle, overlapped = Schedule(jobs, slots, Channel(bandwidth, latency)).run()
    found = run(jobs, slots, bandwidth, latency, start)
    assert found.end - found.start == end
    assert {cause: cycles for cause, cycles in found.idle.items() if cycles} == {c: n for c, n in idle.items() if n}
    assert found.overlapped == overlapped


SLOTS = {"inputs": 2, "weights": 2, "outputs": 2}


def test_double_buffering_hides_the_second_load_by_hand():
    """Loads take 10, work takes 10: load, then work while the next load runs; three tiles end at 40."""
    three = [Tile(10, 0, {"inputs": 10})] * 3
    found = run(three, SLOTS, 1, 0)
    assert (found.end, found.idle, found.overlapped) == (40, {"dram_read": 10}, 20)
    single = run(three, SLOTS | {"inputs": 1}, 1, 0)
    assert (single.end, single.idle, single.overlapped) == (60, {"dram_read": 30}, 0)


def test_reads_and_writes_share_the_channel():
    """The write of tile 0 (10 cycles from 15 on) delays nobody; the last write ends the layer."""
    two = [Tile(5, 0, {"inputs": 10}, 10), Tile(5, 0, {"inputs": 10}, 10)]
    found = run(two, SLOTS, 1, 0)
    # loads 0..10 and 10..20, tile 0 10..15, its write 20..30, tile 1 20..25, its write 30..40
    assert (found.end, found.idle) == (40, {"dram_read": 15, "dram_write": 15})


def test_a_layer_begins_where_the_channel_stands():
    memory, state = FlatDram(bandwidth_bytes_per_cycle=1, latency_cycles=3), np.array([50], dtype=np.int64)
    found = engine.run([job(Tile(5, 0, {"inputs": 10}))], memory, state, SLOTS, 40)
    assert (found.start, found.end) == (40, 50 + 10 + 3 + 5)


def test_few_events_a_tile(monkeypatch):
    import simpy

    steps = [0]
    step = simpy.Environment.step

    def counted(env):
        steps[0] += 1
        step(env)

    monkeypatch.setattr(simpy.Environment, "step", counted)
    many = [Tile(7, 3, {"inputs": 10, "weights": 5, "pointers": 5}, 9)] * 200
    run(many, SLOTS | {"pointers": 2}, 4, 5)
    assert steps[0] <= 15 * 200
