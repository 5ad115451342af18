"""Weights of one tap of a block of channels are the least that an array takes at once: its buffer need hold no more."""

import re
from itertools import pairwise

import numpy as np
import pytest

from tests import small_buffers
from tests.unit.accel_sim.layers import Case
from tests.unit.accel_sim.mapping.runs import Cut
from workloads import InputError
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.operands import MacOperands

SQUARE = {"array.rows": 2, "array.cols": 3, "dataflow.reduction_order": "taps"}
#: stationary -> bytes of a fold's or step's weights: channels x filters
ONE_TAP = {"os": 1 * 3, "ws": 2 * 3, "is": 2 * 1}
VECTOR = {"array.rows": 2, "array.cols": 2, "dataflow.lanes": 2}
VECTORS = ("dadiannao", "bit_tactical", "stripes")
#: words of one value: as many accesses whatever comes together
SINGLE = {f"memories.{level}.packed": False for level in ("input_sram", "weight_sram", "output_sram")}


def conv(*, C: int = 3, M: int = 4, H: int = 2, bits: int = 8, zero: int = 0, low: int | None = None, **fields) -> Case:
    """A convolution of 5x5 taps whose map is as large as its input, one column; low: the least weight."""
    layer = Layer(
        **{"name": "conv", "kind": "conv", "C": C, "M": M, "H": H, "W": 1, "R": 5, "S": 5, "padding": (2,) * 4} | fields
    )
    rng = np.random.default_rng(0)
    x = Codes(rng.integers(0, 256, layer.input_shape).astype(np.uint8), NumberFormat(8, False, zero_point=zero))
    half = 1 << bits >> 1
    weights = rng.integers(-half if low is None else low, half, layer.weight_shape)
    return Case(layer, MacOperands(x, Codes(weights.astype(np.int8), NumberFormat(bits, True))))


def room(size: int, preset: str = "systolic") -> dict:
    return small_buffers.settings(preset, weight_sram=size)


def loops(found: Cut) -> dict[str, tuple[int, int]]:
    return {loop.dim: (loop.count, loop.tile) for loop in found.nest.loops}


def too_small(case: Case, preset: str, settings: dict, tap: int) -> str:
    with pytest.raises(InputError) as refusal:
        Cut.of(case, preset, settings | room(2 * tap - 1, preset))
    assert str(refusal.value) == (
        f"layer 'conv' cannot fit: its smallest tile needs {tap} bytes of weights at once, level 'weight_sram' holds "
        f"{tap - 1} (2 slots); raise its capacity_bytes to at least {2 * tap}"
    )


@pytest.mark.parametrize("stationary", list(ONE_TAP))
def test_two_slots_of_one_tap_are_enough_for_an_array_and_no_less_is(stationary):
    case, machine, tap = conv(), SQUARE | {"dataflow.stationary": stationary}, ONE_TAP[stationary]
    roomy = case.run("systolic", machine)
    tight = case.run("systolic", machine | room(2 * tap))  # checked: bit for bit the reference
    assert np.array_equal(tight.output, roomy.output)
    found = Cut.of(case, "systolic", machine | room(2 * tap))
    assert loops(found)["taps"] == (25, 1)
    assert found.predicted().dram.tolist() == [sum(found.dram.values())]
    too_small(case, "systolic", machine, tap)


@pytest.mark.parametrize("preset", VECTORS)
def test_two_slots_of_one_tap_are_enough_for_a_vector_machine_and_no_less_is(preset):
    case, machine, tap = conv(), VECTOR, 2 * 2  # lanes x rows
    tight = case.run(preset, machine | room(2 * tap, preset))
    assert np.array_equal(tight.output, case.run(preset, machine).output)
    found = Cut.of(case, preset, machine | room(2 * tap, preset))
    assert loops(found)["taps"] == (25, 1)
    assert found.predicted().dram.tolist() == [sum(found.dram.values())]
    too_small(case, preset, machine, tap)


def with_taps(case: Case, preset: str, machine: dict, taps: int):
    """A tile of one pass: two windows of two filters, or one of four."""
    filters = 4 if case.layer.E * case.layer.F == 1 else 2
    wish = {"mapping.layers": {"conv": {"tiles": {"k": 1, "taps": taps, "pixels": 2, "filters": filters}}}}
    return case.run(preset, machine | wish)


@pytest.mark.parametrize("preset", ["dadiannao", "laconic", "shapeshifter"])
def test_a_step_of_a_vector_machine_takes_as_long_whatever_taps_are_in_its_tile(preset):
    """Costs of nothing, of pairs of operands, and of groups of windows."""
    case = conv()
    whole, cut = (with_taps(case, preset, VECTOR, taps) for taps in (25, 5))
    assert (cut.array_cycles, cut.macs_effectual) == (whole.array_cycles, whole.macs_effectual)
    assert {key: n for key, n in cut.actions.items() if key[0] in ("mac", "accumulator") and key[1] != "leakage"} == {
        key: n for key, n in whole.actions.items() if key[0] in ("mac", "accumulator") and key[1] != "leakage"
    }


@pytest.mark.parametrize("more", [{}, {"dataflow.column_registers": 1}])
@pytest.mark.parametrize("preset", ["dadiannao", "bit_tactical", "laconic"])
def test_one_window_tap_by_tap(preset, more):
    """Columns take filters: two groups of them, for a map as small as its kernel."""
    case = conv(padding=(0,) * 4, H=5, W=5, M=7)
    whole, cut = (with_taps(case, preset, VECTOR | more, taps) for taps in (25, 4))
    assert np.array_equal(cut.output, whole.output)
    assert cut.macs_effectual == whole.macs_effectual
    assert cut.tiles == 7 * whole.tiles


def test_the_layer_of_2048_bytes_a_tap_is_not_asked_for_51200():
    """32 x 32 weights a tap in two slots."""
    machine = SQUARE | {"array.rows": 32, "array.cols": 32, "dataflow.stationary": "ws"}
    case = conv(C=32, M=32)
    assert case.run("systolic", machine | room(2048)).tiles == 25
    too_small(case, "systolic", machine, 1024)


def test_a_block_with_all_taps_is_waited_for():
    """docs/model.md 10: 25,600 bytes come before the first fold, not 1,024, at the 32 a cycle that the buffer takes."""
    machine = SQUARE | {"array.rows": 32, "array.cols": 32, "dataflow.stationary": "ws"}
    case = conv(C=32, M=32, H=5, W=5)
    cycles = [case.run("systolic", machine | room(size), check=False).cycles for size in (2048, 51200)]
    assert cycles == [3143, 3878]
    assert cycles[1] - cycles[0] <= 24 * 1024 // 32


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cycles", "dram"])
@pytest.mark.parametrize("stationary", list(ONE_TAP))
def test_twice_the_room_for_weights_never_makes_the_objective_worse(stationary, objective):
    """From two slots of one tap to all weights."""
    case, found = conv(H=3, W=2, M=7), []
    machine = SQUARE | {"dataflow.stationary": stationary, "mapping.objective": objective}
    for size in (2 * ONE_TAP[stationary] << doubled for doubled in range(9)):
        cut = Cut.of(case, "systolic", machine | room(size))
        moved = sum(cut.dram.values())
        assert cut.predicted().dram.tolist() == [moved]
        found.append({"cycles": cut.predicted().cycles[0], "dram": moved}[objective])
    assert all(more <= less * (1 + 1e-12) for less, more in pairwise(found)), found


@pytest.mark.parametrize("bits", [8, 5])
def test_a_tile_of_some_taps_is_one_run_of_each_filter_and_all_tiles_are_the_weights_once(bits):
    """Blocks of 2 and 1 channels: 7 taps of a block lie behind each other, 14 or 7 weights."""
    case = conv(bits=bits)
    tiles = {"pixels": 2, "filters": 4, "k": 1, "taps": 7}
    machine = SQUARE | {"dataflow.stationary": "ws", "mapping.layers": {"conv": {"tiles": tiles}}}
    found = Cut.of(case, "systolic", machine | room(4096))
    assert loops(found)["taps"] == (4, 7)
    streams = [stream for stream in found.streams if stream.tensor == "weights"]
    assert len(streams) == 2 * 4
    row, base = -(-75 * bits // 8), min(extent.address for stream in streams for extent in stream.extents)
    taken = np.zeros(4 * row, int)
    for stream in streams:
        for extent in stream.extents:
            for at in range(extent.count):
                first = extent.address + at * extent.stride - base
                taken[first : first + extent.bytes] += 1
    assert (taken == 1).all()  # kept together: what two tiles touch of a byte is moved once
    if bits == 8:
        expected = [(0, 14), (14, 28), (28, 42), (42, 50), (50, 57), (57, 64), (64, 71), (71, 75)]
        assert [[(e.address - base, e.bytes, e.count, e.stride) for e in s.extents] for s in streams] == [
            [(first, last - first, 4, row)] for first, last in expected
        ]


@pytest.mark.parametrize("overlap", ["none", "loads", "folds"])
@pytest.mark.parametrize("stationary", list(ONE_TAP))
def test_taps_that_come_apart_are_the_same_work(stationary, overlap):
    """Folds as many and as long, products, hops and accesses of the array as often; sums stay where they are."""
    case, runs = conv(), []
    streamed = {"os": {"pixels": 2, "filters": 3}, "ws": {"pixels": 2}, "is": {"filters": 4}}[stationary]
    for taps in (25, 4):
        tiles = {"mapping.layers": {"conv": {"tiles": {"k": 1, "taps": taps, **streamed}}}}
        machine = SQUARE | {"dataflow.stationary": stationary, "dataflow.overlap": overlap} | tiles
        run = case.run("systolic", machine | SINGLE)
        array = {key: count for key, count in run.actions.items() if key[1] not in ("fill", "drain", "leakage")}
        runs.append((run.array_cycles, array))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("preset", "machine"),
    [("systolic", SQUARE | {"dataflow.stationary": each}) for each in ONE_TAP] + [("dadiannao", VECTOR)],
)
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_narrow_sums_are_added_in_the_order_of_the_array(preset, machine, overflow):
    """The checked run's reference adds in the same steps, of which a tile has some."""
    narrow = {"mac.accumulator_bits": 18, "mac.overflow": overflow, "mac.activation_bits": 9, "mac.weight_bits": 9}
    cut = {"mapping.layers": {"conv": {"tiles": {"k": 1, "taps": 3}}}}
    runs = [conv(low=100, H=3, W=2).run(preset, machine | narrow | more) for more in (cut, {})]
    assert runs[0].overflows == runs[1].overflows > 0
    assert np.array_equal(runs[0].sums, runs[1].sums)


@pytest.mark.parametrize(
    "more",
    [
        {"encodings.weights": {"name": "relative_index"}},
        {"dataflow.asymmetric": "correction"}, {"dataflow.initial_sums": "loaded"}, {"dataflow.stored_sums": True},
        {"dataflow.part_folds": "used"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("stationary", list(ONE_TAP))
def test_other_ways_of_an_array_with_a_tap_at_a_time(stationary, more):
    machine = SQUARE | {"dataflow.stationary": stationary} | more
    cut = {"mapping.layers": {"conv": {"tiles": {"k": 1, "taps": 2}}}}
    case = conv(zero=3)
    runs = [case.run("systolic", machine | some) for some in (cut, {})]
    assert np.array_equal(runs[0].output, runs[1].output)
    assert runs[0].tiles > runs[1].tiles


def test_groups_side_by_side_with_a_tap_at_a_time():
    """Four depthwise channels, two of which fit the two rows: a weight a group, tap by tap."""
    machine = SQUARE | {"dataflow.stationary": "ws", "dataflow.groups": "packed"}
    case = conv(C=4, M=4, G=4, kind="depthwise")
    found = Cut.of(case, "systolic", machine | room(2 * 2))
    assert loops(found)["taps"] == (25, 1)
    assert np.array_equal(case.run("systolic", machine | room(4)).output, case.run("systolic", machine).output)
    too_small(case, "systolic", machine, 2)


def test_counts_before_a_slice_cut_taps_too():
    """Two channels x 25 taps with a weight each: 3 bits count 7 of 50, three taps of a block."""
    machine = SQUARE | {"dataflow.stationary": "ws", "encodings.weights": {"name": "relative_index"}}
    case = conv()
    found = Cut.of(case, "systolic", machine | {"dataflow.pointer_bits": 3})
    assert loops(found)["taps"][1] <= 3
    case.run("systolic", machine | {"dataflow.pointer_bits": 3})
    with pytest.raises(InputError, match="the smallest tile has 2: raise it to at least 2"):
        Cut.of(case, "systolic", machine | {"dataflow.pointer_bits": 1})


def test_taps_are_cut_only_where_all_of_them_do_not_fit():
    """Two slots of 3 x 2 x 25 bytes hold a block of one column fold."""
    machine = SQUARE | {"dataflow.stationary": "ws"}
    assert "taps" in loops(Cut.of(conv(), "systolic", machine | room(299)))
    everything = conv(M=3)
    assert "taps" not in loops(Cut.of(everything, "systolic", machine | room(300)))


def test_a_nest_with_some_of_the_taps_says_what_a_tile_is():
    machine = SQUARE | {"dataflow.stationary": "ws"} | room(2 * ONE_TAP["ws"])
    text = Cut.of(conv(), "systolic", machine).ready.mapping
    assert re.search(
        r"\n +for k in 2 x 50, last 25:\n +# a tile: 1 of 25 taps of 2 channels\n +for taps in 25 x 1:\n", text
    )


def test_a_wish_for_taps_where_no_fold_takes_one_alone_is_refused():
    wish = {"mapping.layers": {"conv": {"tiles": {"taps": 5}}}}
    with pytest.raises(InputError) as refusal:
        Cut.of(conv(), "systolic", SQUARE | wish | {"dataflow.reduction_order": "im2col"})
    assert str(refusal.value) == (
        "layer 'conv': mapping.layers.conv: tiles.taps: no fold of this dataflow takes one of the 25 taps alone"
    )
    assert "taps" not in loops(Cut.of(conv(R=1, S=1, padding=(0,) * 4), "systolic", SQUARE | wish))


def test_one_slot_is_enough_where_there_is_one_tile():
    """3 reduction steps on 2 rows: two tiles of 2 need 4 bytes a filter, one of all needs 3."""
    case = conv(R=1, S=1, padding=(0,) * 4, M=1)
    machine = SQUARE | {"dataflow.stationary": "ws"}
    with pytest.raises(InputError, match=r"needs 3 bytes of weights at once, .* to at least 3$"):
        Cut.of(case, "systolic", machine | room(2))
    assert len(Cut.of(case, "systolic", machine | room(3)).ready.jobs) == 1
