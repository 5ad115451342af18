"""Several on-chip levels: the engine against clocked loaders and writers; sums spilled before they are read."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.mapping.buffer import Buffer
from accel_sim.memories.flat import FlatDram, FlatState
from accel_sim.run.engine import Engine
from accel_sim.values.causes import Cause
from accel_sim.values.jobs import Job, Schedule, Transfer
from accel_sim.values.tile import Extent, Stream
from tests.oracle import two_levels
from tests.oracle.two_levels import Hop, Made, Tile
from tests.schedule import by_name

CAUSES = ("sram", "noc", "decode")
BANDWIDTHS = (Fraction(1, 2), Fraction(1), Fraction(3))


def path(slots: tuple[int, int], waits: tuple[int, int] = (0, 0)) -> Buffer:
    far = Buffer("far", 1 << 20, slots[0], 8, latency=waits[0])
    return Buffer("near", 1 << 20, slots[1], 8, latency=waits[1], outer=(far,))


def transfer(operand: str, hop: Hop, source: str, target: str) -> Transfer:
    ends = source, target
    stream = Stream(operand, operand, target in ("far", "dram") and source != "dram", (Extent(0, hop.size),), *ends)
    return Transfer((stream,), hop.least, Cause(hop.cause, "far", operand), hop.epoch, "dram" in ends)


def play(jobs: list[Job], buffers: dict[str, Buffer], bandwidth: Fraction, latency: int) -> Schedule:
    return Engine(FlatDram(), FlatState(bandwidth, latency)).play(jobs, buffers)


def outcome(schedule: Schedule) -> tuple[int, dict[str, int]]:
    return schedule.end, by_name(schedule.idle)


hops = st.builds(Hop, st.just(0), st.integers(1, 9), st.integers(0, 12), st.sampled_from(CAUSES))


@st.composite
def inward_tiles(draw):
    """A tile may go on with what a level holds, or bring more into the same slot, or replace it."""
    tiles: list[Tile] = []
    epochs = {"far": 0, "near": 0}
    for number in range(draw(st.integers(1, 5))):
        near = far = None
        if number == 0 or draw(st.booleans()):
            epochs["near"] += number > 0 and draw(st.booleans())
            near = replace(draw(hops), epoch=epochs["near"])
            if number == 0 or draw(st.booleans()):
                epochs["far"] += number > 0 and draw(st.booleans())
                far = replace(draw(hops), epoch=epochs["far"])
        tiles.append(Tile(draw(st.integers(0, 12)), far, near))
    return tiles


two = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=300)
@given(inward_tiles(), st.sampled_from(BANDWIDTHS), st.integers(0, 5), two, st.tuples(*[st.integers(0, 4)] * 2))
def test_inwards_every_cycle_and_cause(tiles, bandwidth, latency, slots, waits):
    jobs = []
    for tile in tiles:
        loads = {("weights", "far"): transfer("weights", tile.far, "dram", "far")} if tile.far else {}
        if tile.near:
            loads["weights", "near"] = transfer("weights", tile.near, "far", "near")
        jobs.append(Job(tile.array, 0, loads, {}))
    found = play(jobs, {"weights": path(slots, waits)}, bandwidth, latency)
    assert outcome(found) == two_levels.inward(tiles, bandwidth, latency, slots, waits)


@st.composite
def outward_tiles(draw):
    tiles = []
    for _ in range(draw(st.integers(1, 5))):
        near = draw(st.one_of(st.none(), hops))
        far = draw(st.one_of(st.none(), hops)) if near else None
        tiles.append(Made(draw(st.integers(0, 6)), draw(st.integers(0, 4)), near, far))
    return tiles


@settings(max_examples=300)
@given(outward_tiles(), st.sampled_from(BANDWIDTHS), st.integers(0, 5), two)
def test_outwards_every_cycle_and_cause(tiles, bandwidth, latency, slots):
    jobs = []
    for number, tile in enumerate(tiles):
        drains = {"near": transfer("outputs", tile.near, "near", "far")} if tile.near else {}
        if tile.far:
            drains["far"] = transfer("outputs", tile.far, "far", "dram")
        own = {level: replace(drain, epoch=number) for level, drain in drains.items()}  # a slot for every tile
        jobs.append(Job(tile.array, tile.post, {}, own))
    found = play(jobs, {"outputs": path(slots)}, bandwidth, latency)
    assert outcome(found) == two_levels.outward(tiles, bandwidth, latency, slots)


def test_sums_are_read_back_after_they_were_spilled():
    """4 bytes in 4 cycles: made in 5 cycles, they leave until 9, are back at 13; 1 cycle more, 1 out."""
    near = Buffer("near", 1 << 20, 2, 8)
    sums = (Extent(100, 4),)
    spill = Transfer((Stream("partial_sums", "outputs", True, sums, "near", "dram"),))
    back = Transfer((Stream("partial_sums", "outputs", False, sums, "dram", "near"),), epoch=1)
    out = Transfer((Stream("outputs", "outputs", True, (Extent(0, 1),), "near", "dram"),))
    jobs = [Job(5, 0, {}, {"near": spill}), Job(1, 0, {("outputs", "near"): back}, {"near": out})]
    assert outcome(play(jobs, {"outputs": near}, Fraction(1), 0)) == (15, {"dram_read": 8, "dram_write": 1})


def test_prefetched_weights_by_hand():
    """Two layers of 8 bytes in 8 cycles and 10 cycles of work: the second's load hides behind the first's work."""
    near = {"weights": Buffer("near", 16, 2, 8)}

    def load(address: int) -> Transfer:
        return Transfer((Stream("weights", "weights", False, (Extent(address, 8),), "dram", "near"),))

    port = ("weights", "near")
    first, second = ([Job(10, 0, {port: load(address)}, {})] for address in (0, 8))
    for ahead, end, waits in ((None, 36, 8), ({port: second[0].loads[port]}, 28, 0)):
        engine = Engine(FlatDram(), FlatState(Fraction(1), 0))
        assert outcome(engine.play(first, near, ahead)) == (18, {"dram_read": 8})
        found = engine.play(second, near)
        assert (found.end, by_name(found.idle).get("dram_read", 0)) == (end, waits)
        assert not engine.ahead
