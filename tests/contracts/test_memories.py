"""What every memory level promises: time never runs back, state is its caller's, and accesses have a price."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.energy import EnergyTable
from accel_sim.parts import memories
from accel_sim.tile import Extent

from . import samples

PARTS = {name: samples.default(part) for name, part in memories.items()}
SERVING = {name: part for name, part in PARTS.items() if hasattr(part, "submit")}
BUFFERS = {name: part for name, part in PARTS.items() if not hasattr(part, "submit")}

extents = st.builds(Extent, st.integers(0, 1 << 20), st.integers(0, 300), st.integers(1, 4), st.just(512))
#: (cycles after the request before, its extents, is it a write)
requests = st.lists(
    st.tuples(st.integers(0, 500), st.lists(extents, min_size=1, max_size=3), st.booleans()), max_size=8
)


def play(part, asked, state=None) -> list[tuple[int, int, int]]:
    """(begin, end, completion) of each request."""
    state, now, answers = part.new_state() if state is None else state, 0, []
    for wait, extents, is_write in asked:
        now += wait
        answers.append(part.submit(state, now, tuple(extents), is_write))
    return answers


def test_there_are_memories_of_both_kinds():
    assert SERVING
    assert BUFFERS


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(asked=requests)
def test_completions_follow_their_requests_in_order(part, asked):
    now, previous = 0, 0
    for (wait, _, _), answer in zip(asked, play(part, asked), strict=True):
        begin, end, completion = answer
        now += wait
        assert all(isinstance(time, int) for time in answer)
        assert now <= begin <= end <= completion
        assert completion >= previous
        previous = completion


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(asked=requests)
def test_no_byte_is_lost_or_moved_twice(part, asked):
    """The same bytes in other pieces take the channel as long; more bytes take longer."""
    whole = play(part, asked)
    cut = [
        (wait, [Extent(e.address + i * e.stride, e.bytes) for e in extents for i in range(e.count)], write)
        for wait, extents, write in asked
    ]
    assert play(part, cut) == whole
    for (_, extents, write), (begin, end, _) in zip(asked, whole, strict=True):
        size = sum(extent.bytes * extent.count for extent in extents)
        assert (end > begin) == (size > 0)
        _, more, _ = part.submit(part.new_state(), 0, (*extents, Extent(0, 1 << 16)), write)
        assert more > end - begin


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(asked=requests)
def test_its_state_is_the_callers(part, asked):
    """The part itself remembers nothing, and two states do not know of each other."""
    before = repr(part)
    first, second = part.new_state(), part.new_state()
    assert isinstance(first, np.ndarray)
    assert not np.shares_memory(first, second)
    alone = play(part, asked)
    state, now, answers = first, 0, []
    for wait, extents, is_write in asked:
        now += wait
        answers.append(part.submit(state, now, tuple(extents), is_write))
        part.submit(second, now, (Extent(0, 10_000),), not is_write)
    assert answers == alone
    assert repr(part) == before
    assert part.__dataclass_params__.frozen


@pytest.mark.parametrize("part", SERVING.values(), ids=SERVING)
@given(asked=requests)
def test_a_later_clock_only_shifts_time(part, asked):
    early, late = play(part, [(0, [Extent(0, 1)], False), *asked]), play(part, [(1000, [Extent(0, 1)], False), *asked])
    assert [tuple(time + 1000 for time in answer) for answer in early] == late


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_accesses_have_a_price_with_a_source(part):
    assert part.level
    for action in ("read", "write"):
        prices = [part.price(action, bits, EnergyTable()) for bits in (8, 16, 64, 256)]
        assert all(pj > 0 and source for pj, source in prices)
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
            with pytest.raises(ValueError, match=f"{field.name}=-1 must be "):
                replace(part, **{field.name: -1})
