"""The search against every tile size and order, tried one by one; a mapping of the user's; a nest as text."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.mapping.nest import Loop, Nest, render
from accel_sim.mapping.search import distinct_tiles
from tests import small_buffers
from tests.oracle import best_nest, loop_nest
from tests.unit.accel_sim.layers import Case
from tests.unit.accel_sim.mapping.runs import Cut
from tests.unit.accel_sim.test_machines_by_hand import dense
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.operands import MacOperands
from workloads.registry import InputError

BLOCKS = {  # stationary -> (streamed, dims on the rows and on the columns)
    "os": ("k", "pixels", "filters"), "ws": ("pixels", "k", "filters"), "is": ("filters", "k", "pixels"),
}  # fmt: skip


@st.composite
def tiny(draw):
    """At most 4 pixels, 3 filters and 4 reduction steps in each of at most 2 groups."""
    number = st.integers
    groups = draw(st.sampled_from([1, 1, 2]))
    R, S = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (1, 1)]))
    channels = groups * draw(number(1, 4 // (R * S)))
    E, F, N = draw(st.sampled_from([(1, 4, 1), (2, 2, 1), (3, 1, 1), (1, 2, 2), (1, 1, 3), (4, 1, 1)]))
    stride = draw(st.sampled_from([(1, 1), (2, 1), (1, 3), (3, 3)]))
    layer = Layer(
        name="conv", kind="conv", G=groups, C=channels, M=groups * draw(number(1, 3)), N=N,
        H=(E - 1) * stride[0] + R, W=(F - 1) * stride[1] + S, R=R, S=S, stride=stride,
    )  # fmt: skip
    assert (layer.E, layer.F) == (E, F)
    rng = np.random.default_rng(0)
    x = Codes(rng.integers(0, 256, layer.input_shape).astype(np.uint8), NumberFormat(8, False))
    bits = draw(st.sampled_from([8, 5]))
    w = Codes(rng.integers(-15, 16, layer.weight_shape).astype(np.int8), NumberFormat(bits, True))
    return Case(layer, MacOperands(x, w)), bits


@settings(max_examples=25)
@given(tiny(), st.sampled_from(list(BLOCKS)), st.sampled_from([(2, 1), (1, 2), (2, 2)]), st.data())
def test_no_tile_size_and_order_moves_less(drawn, stationary, array, data):
    (case, bits), layer = drawn, drawn[0].layer
    full = {"inputs": layer.input_elements, "weights": layer.weights, "outputs": 4 * layer.output_elements}
    room = {operand: data.draw(st.integers(2, max(2, size)), operand) for operand, size in full.items()}
    levels = {"inputs": "input_sram", "weights": "weight_sram", "outputs": "output_sram"}
    machine = {
        "array.rows": array[0], "array.cols": array[1], "dataflow.stationary": stationary, "mapping.objective": "dram",
        **small_buffers.settings("systolic", **{levels[operand]: size for operand, size in room.items()}),
    }  # fmt: skip
    streamed, *laid_out = BLOCKS[stationary]
    block = {"groups": 1, streamed: 1} | dict(zip(laid_out, array, strict=True))
    least = best_nest.least(case.shape, bits, best_nest.Array(block, streamed), room, slots=2)
    if least is None:
        with pytest.raises(InputError, match="cannot fit"):
            Cut.of(case, "systolic", machine)
    else:
        assert sum(Cut.of(case, "systolic", machine).dram.values()) == least


@given(st.integers(1, 60), st.integers(1, 9))
def test_every_number_of_tiles_has_its_smallest_tile(size, block):
    """One tile size for each number of tiles that whole blocks can make; a larger one of the same number gains none."""
    tiles = distinct_tiles(size, block)
    possible = {-(-size // tile) for tile in range(block, size + block, block)}
    assert sorted({-(-size // tile) for tile in tiles}) == sorted(possible)
    assert len(tiles) == len(possible)
    for tile in tiles:
        assert tile == size or (tile % block == 0 and (tile == block or -(-size // (tile - block)) > -(-size // tile)))


FC = dense(Layer(name="fc", kind="fc", C=5, M=9, N=7))
SQUARE = {"array.rows": 4, "array.cols": 4, "dataflow.stationary": "ws"}


def mapped(**wanted) -> dict:
    return SQUARE | {"mapping.layers": {"f*": wanted}}


def test_a_given_order_and_imperfect_tiles_are_played_as_given():
    order = ["groups", "k", "pixels", "filters"]
    found = Cut.of(FC, "systolic", mapped(order=order, tiles={"pixels": 3, "filters": 4, "k": 4}))
    assert [(loop.dim, loop.size, loop.tile, loop.count) for loop in found.nest.loops] == [
        ("groups", 1, 1, 1), ("k", 5, 4, 2), ("pixels", 7, 3, 3), ("filters", 9, 4, 3),
    ]  # fmt: skip
    assert len(found.ready.jobs) == 18
    assert np.array_equal(FC.run("systolic", mapped(order=order)).output, FC.run("systolic", SQUARE).output)


def test_a_given_tile_is_rounded_up_to_what_the_array_takes():
    found = Cut.of(FC, "systolic", mapped(tiles={"filters": 5, "k": 1, "pixels": 100}))
    assert {loop.dim: loop.tile for loop in found.nest.loops} == {"groups": 1, "k": 4, "pixels": 7, "filters": 8}


def test_the_first_glob_that_matches_counts_and_others_are_searched():
    layers = {"f?": {"tiles": {"pixels": 2}}, "*": {"tiles": {"pixels": 3}}}
    found = Cut.of(FC, "systolic", SQUARE | {"mapping.layers": layers})
    assert found.nest.loops[found.nest.place("pixels")].tile == 2


def test_a_given_order_moves_what_a_replay_of_it_moves():
    """Sums of 7 x 9 outputs do not stay: k is the outer loop, so they are spilled once and read back once."""
    order = ["groups", "k", "pixels", "filters"]
    tight = small_buffers.settings("systolic", input_sram=14, weight_sram=72, output_sram=200)
    found = Cut.of(FC, "systolic", mapped(order=order, tiles={"pixels": 1, "filters": 9, "k": 4}) | tight)
    assert found.moved("partial_sums") == found.moved("partial_sums", is_write=True) == 4 * 7 * 9
    assert found.moved("inputs") == 7 * 5
    assert found.moved("weights") == 9 * 5


def test_a_given_tile_that_does_not_fit_says_what_would():
    tight = small_buffers.settings("systolic", input_sram=14, weight_sram=64, output_sram=200)
    with pytest.raises(InputError) as error:
        Cut.of(FC, "systolic", mapped(tiles={"pixels": 7, "k": 5}) | tight)
    assert str(error.value) == (
        "layer 'fc' cannot fit: its smallest tile needs 35 bytes of inputs at once, level 'input_sram' holds 14; "
        "raise its capacity_bytes to at least 35"
    )


@pytest.mark.parametrize("share", [1, 3])
@pytest.mark.parametrize("per_lane", [False, True])
def test_the_capacity_that_a_refusal_asks_for_is_enough_and_no_less_is(share, per_lane):
    """For a level of one operand or shared by three, one in all or one a lane."""

    def level(size: float) -> dict:
        part = {
            "name": "register_file", "level": "glb", "capacity_bytes": size, "slots": 2,
            "word_bits": 1 if per_lane else 8,
            "per_lane": per_lane, "holds": ["inputs", "weights", "outputs"][:share],
        }  # fmt: skip
        return SQUARE | {"memories.input_sram": part, **moved_away}

    moved_away = {
        f"memories.{name}.holds": ["pointers"] for name in ("weight_sram", "output_sram")[: max(0, share - 1)]
    }
    case = dense(Layer(name="fc", kind="fc", C=101, M=3, N=5))
    text, asked = refusal(case, level(0.2 if per_lane else 1)), 0.0
    while text is not None:  # one operand after another
        asked, before = float(text.rsplit(" ", 1)[1]), text
        text = refusal(case, level(asked))
        assert text is None or text.split(" at once")[0] != before.split(" at once")[0]
    assert asked == 1 or refusal(case, level(asked - 1)) is not None  # it is rounded up to whole bytes


def refusal(case: Case, settings: dict) -> str | None:
    try:
        Cut.of(case, "systolic", settings)
    except InputError as error:
        assert "cannot fit" in str(error)
        return str(error)
    return None


def test_a_nest_as_text():
    loops = (Loop("groups", 1, 1), Loop("filters", 10, 4), Loop("pixels", 6, 3), Loop("k", 5, 5))
    nest = Nest(loops, {"inputs": (0, 3), "weights": (2,), "outputs": (4,)})
    levels = {"inputs": ("glb", "near"), "weights": ("near",), "outputs": ("near",)}
    assert render(nest, levels, "array") == (
        "# kept here: inputs in glb\n"
        "for groups in all 1:\n"
        "  for filters in 3 x 4, last 2:\n"
        "    # kept here: weights in near\n"
        "    for pixels in 2 x 3:\n"
        "      # kept here: inputs in near\n"
        "      for k in all 5:\n"
        "        # kept here: outputs in near\n"
        "        array"
    )
    assert len(nest) == 6 == len(list(nest))
    counted = loop_nest.Loops(tuple(loop.dim for loop in loops), tuple(loop.count for loop in loops))
    assert list(counted) == list(nest)


@settings(max_examples=30)
@given(
    tiny(), st.sampled_from(list(BLOCKS)), st.sampled_from(["im2col", "taps"]), st.sampled_from(["cycles", "dram"]),
    st.sampled_from(["inputs", "weights", "outputs"]), st.data(),
)  # fmt: skip
def test_twice_the_room_never_makes_the_objective_worse(drawn, stationary, reduction, objective, grown, data):
    """Estimated cycles and exact bytes: more room leaves every nest that there was. (Energy may rise: an access
    of a larger SRAM costs more.)"""
    case, _ = drawn
    levels = {"inputs": "input_sram", "weights": "weight_sram", "outputs": "output_sram"}
    room = {operand: data.draw(st.integers(8, 64), operand) for operand in levels}
    found = []
    for more in (1, 2):
        sizes = {level: room[operand] * (more if operand == grown else 1) for operand, level in levels.items()}
        machine = {
            "array.rows": 2, "array.cols": 2, "dataflow.stationary": stationary, "mapping.objective": objective,
            "dataflow.reduction_order": reduction, **small_buffers.settings("systolic", **sizes),
        }  # fmt: skip
        try:
            cut = Cut.of(case, "systolic", machine)
        except InputError:
            assert more == 1  # what fits, fits twice the room
            return
        predicted = cut.predicted()
        moved = sum(cut.dram.values())
        assert predicted.dram[0] == moved
        found.append({"cycles": predicted.cycles[0], "dram": moved}[objective])
    assert found[1] <= found[0] * (1 + 1e-12)


#: what the search's estimate may cost where room is doubled, told where a study prints
ESTIMATE = 0.002


@pytest.mark.parametrize("stationary", list(BLOCKS))
@pytest.mark.parametrize("level", ["input_sram", "weight_sram", "output_sram"])
def test_twice_the_room_costs_hardly_a_cycle(level, stationary):
    """Played tile by tile, from 8 KiB to 256 KiB; latencies do not grow with the level here."""
    rng, took = np.random.default_rng(1), []
    layer = Layer(name="conv", kind="conv", C=24, M=40, H=14, W=14, R=3, S=3, padding=(1, 1, 1, 1))
    x = Codes(rng.integers(0, 256, layer.input_shape).astype(np.uint8), NumberFormat(8, False))
    w = Codes(rng.integers(-15, 16, layer.weight_shape).astype(np.int8), NumberFormat(8, True))
    for kib in (8, 16, 32, 64, 128, 256):
        sizes = dict.fromkeys(("input_sram", "weight_sram", "output_sram"), 16) | {level: kib}
        machine = {
            "array.rows": 8, "array.cols": 8, "dataflow.stationary": stationary, "mapping.objective": "cycles",
            **{f"memories.{name}.capacity_kib": size for name, size in sizes.items()},
            **{f"memories.{name}.latency_cycles": 2 for name in sizes},
            "memories.dram.bandwidth_gb_s": 4,
        }  # fmt: skip
        took.append(Case(layer, MacOperands(x, w)).run("systolic", machine, check=False).cycles)
    assert all(larger <= smaller * (1 + ESTIMATE) for smaller, larger in pairwise(took)), took
    assert took[-1] <= took[0]
