"""What every memory level promises: time never runs back, state is its caller's, and accesses have a price."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.energy.table import EnergyTable
from accel_sim.parts import memories
from accel_sim.values.tile import Extent

from . import samples

#: fields of a part that has no default and stands in no preset
GIVEN = {"register_file": {"level": "spad", "capacity_bytes": 64, "holds": ("weights",)}}
PARTS = {name: part(**GIVEN[name]) if name in GIVEN else samples.default(part) for name, part in memories.items()}
SERVING = {name: part for name, part in PARTS.items() if hasattr(part, "submit")}
BUFFERS = {name: part for name, part in PARTS.items() if not hasattr(part, "submit")}

extents = st.builds(Extent, st.integers(0, 1 << 20), st.integers(0, 300), st.integers(1, 4), st.just(512))
#: (cycles after the request before, its extents, is it a write)
requests = st.lists(
    st.tuples(st.integers(0, 500), st.lists(extents, min_size=1, max_size=3), st.booleans()), max_size=8
)


CLOCK_MHZ = 800


class Player:
    """Submits requests in order and runs the memory no further than the next one."""

    def __init__(self, part):
        self.part, self.state, self.answers, self.now = part, part.new_state(CLOCK_MHZ), {}, 0

    def ask(self, wait, extents, is_write) -> None:
        self.now += wait
        self.collect(self.now)
        self.part.submit(self.state, len(self.answers), self.now, tuple(extents), is_write)
        self.answers[len(self.answers)] = None

    def collect(self, limit=None) -> None:
        while done := self.part.advance(self.state, limit):
            for ticket, *times in done:
                self.answers[ticket] = tuple(times)
            if limit is not None and done[0][3] >= limit:
                return


def play(part, asked) -> list[tuple[int, int, int]]:
    """(begin, end, completion) of each request."""
    player = Player(part)
    for request in asked:
        player.ask(*request)
    player.collect()
    return list(player.answers.values())


def test_there_are_memories_of_both_kinds():
    assert SERVING
    assert BUFFERS


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(asked=requests)
def test_every_request_completes_after_it_came(part, asked):
    now = 0
    for (wait, _, _), answer in zip(asked, play(part, asked), strict=True):
        begin, end, completion = answer
        now += wait
        assert all(isinstance(time, int) for time in answer)
        assert now <= begin <= end <= completion


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(asked=requests)
def test_no_byte_is_lost_or_moved_twice(part, asked):
    """The same bytes in other pieces take as long; more bytes take longer."""
    whole = play(part, asked)
    cut = [
        (wait, [Extent(e.address + i * e.stride, e.bytes) for e in extents for i in range(e.count)], write)
        for wait, extents, write in asked
    ]
    assert play(part, cut) == whole
    for _, extents, write in asked:
        ((begin, end, _),) = play(part, [(0, extents, write)])
        assert (end > begin) == any(extent.bytes for extent in extents)
        ((_, more, _),) = play(part, [(0, [*extents, Extent(0, 1 << 16)], write)])
        assert more > end


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(size=st.integers(1, 1 << 16), is_write=st.booleans())
def test_nothing_moves_faster_than_the_peak(part, size, is_write):
    peak = part.peak_bytes_per_cycle(CLOCK_MHZ)
    assert peak > 0
    ((begin, end, _),) = play(part, [(0, [Extent(0, size)], is_write)])
    assert size <= peak * (end - begin)


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(asked=requests)
def test_its_state_is_the_callers(part, asked):
    """The part itself remembers nothing, and two states do not know of each other."""
    before = repr(part)
    first, second = Player(part), Player(part)
    for wait, extents, is_write in asked:
        first.ask(wait, extents, is_write)
        second.ask(wait, [Extent(0, 10_000)], not is_write)
    first.collect()
    second.collect()
    assert list(first.answers.values()) == play(part, asked)
    assert repr(part) == before
    assert part.__dataclass_params__.frozen


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_accesses_have_a_price_with_a_source(part):
    assert part.level
    for action in ("read", "write"):
        prices = [part.price(action, bits, EnergyTable()) for bits in (8, 16, 64, 256)]
        assert all(pj >= 0 and source for pj, source in prices)  # 0 where a memory's commands carry the energy
        assert [pj for pj, _ in prices] == sorted(pj for pj, _ in prices)


@pytest.mark.parametrize("part", BUFFERS.values(), ids=BUFFERS)
def test_a_buffer_says_what_it_holds_and_how_wide_an_access_is(part):
    assert set(part.holds) <= {"inputs", "weights", "pointers", "outputs"}
    assert part.word_bits >= 1
    assert part.slots >= 1


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_negative_sizes_are_refused_by_name(part):
    for field in fields(part):
        if type(getattr(part, field.name)) in (int, float):
            with pytest.raises(ValueError, match=rf"{field.name}=-1\b.* must be "):
                replace(part, **{field.name: -1})
