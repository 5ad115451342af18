"""What a layer moves: never less than it must, exactly that where all of it fits, and what the search foresaw."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accel_sim.machine.config import from_tree, load_hardware, to_tree
from tests import small_buffers
from tests.oracle import traffic
from tests.unit.accel_sim.layers import cases
from tests.unit.accel_sim.mapping.runs import Cut
from tests.unit.accel_sim.test_machines_by_hand import dense
from workloads.layer import Layer
from workloads.registry import InputError

STATIONARY = ("os", "ws", "is")
SQUARE = {"array.rows": 3, "array.cols": 2}


@st.composite
def tight(draw, **parts):
    """A layer on a small systolic array with small buffers."""
    case, stationary = draw(cases(**parts)), draw(st.sampled_from(STATIONARY))
    layer = case.layer
    full = {"input_sram": layer.input_elements, "weight_sram": layer.weights, "output_sram": 4 * layer.output_elements}
    sizes = {level: max(8, size * draw(st.sampled_from([0.25, 0.5, 1.0, 2.0]))) for level, size in full.items()}
    settings = SQUARE | {
        "dataflow.stationary": stationary, "mapping.objective": draw(st.sampled_from(["dram", "edp"])),
    }  # fmt: skip
    return case, settings | small_buffers.settings("systolic", **sizes)


def cut(case, preset, machine) -> Cut:
    try:
        return Cut.of(case, preset, machine)
    except InputError as error:
        assume("cannot fit" not in str(error))
        raise


def compulsory(found: Cut) -> dict:
    shape, bits = found.case.shape, found.ready.tiled.operands.weights.format.bits
    return {
        ("inputs", False): len(traffic.read_positions(shape)),
        ("weights", False): traffic.weight_bytes(shape, bits),
        ("outputs", True): traffic.outputs(shape),
    }


@settings(max_examples=60)
@given(tight())
def test_tight_buffers_move_no_less_than_they_must_and_spill_in_pairs(drawn):
    found = cut(drawn[0], "systolic", drawn[1])
    for (tensor, is_write), least in compulsory(found).items():
        assert found.moved(tensor, is_write=is_write) >= least, tensor
    assert found.moved("outputs", is_write=True) == traffic.outputs(found.case.shape)
    assert found.moved("partial_sums") == found.moved("partial_sums", is_write=True)
    if drawn[1]["dataflow.stationary"] == "os":
        assert not found.moved("partial_sums")


@settings(max_examples=30)
@given(cases(), st.sampled_from(STATIONARY))
def test_roomy_buffers_move_everything_once(case, stationary):
    found = Cut.of(case, "systolic", SQUARE | {"dataflow.stationary": stationary, "mapping.objective": "dram"})
    must = compulsory(found)
    rows = traffic.whole_rows(case.shape)
    assert must.pop(("inputs", False)) <= found.moved("inputs") <= rows
    if len(found.ready.jobs) == 1:
        assert found.moved("inputs") == rows
    for (tensor, is_write), size in must.items():
        assert found.moved(tensor, is_write=is_write) == size
    assert not found.moved("partial_sums")
    assert not found.moved("partial_sums", is_write=True)


@settings(max_examples=60)
@given(tight(), st.sampled_from(["im2col", "taps"]))
def test_the_search_foresaw_every_byte(drawn, order):
    found = cut(drawn[0], "systolic", drawn[1] | {"dataflow.reduction_order": order})
    assert found.predicted().dram.tolist() == [sum(found.dram.values())]


@settings(max_examples=40)
@given(tight())
def test_words_at_the_edges_of_the_array(drawn):
    case, machine = drawn
    plain = {f"memories.{level}.packed": False for level in ("input_sram", "weight_sram", "output_sram")}
    wide = {f"memories.{level}.word_bits": 32 for level in ("input_sram", "weight_sram", "output_sram")}
    found = cut(case, "systolic", machine | plain | wide)
    levels = {"inputs": "input_sram", "weights": "weight_sram", "outputs": "output_sram"}
    stationary = machine["dataflow.stationary"]
    expected = traffic.edge_values(case.shape, stationary, 3, 2)
    held = {"os": None, "ws": "weights", "is": "inputs"}[stationary]
    for (operand, action), values in expected.items():
        words = found.ready.actions[levels[operand], action, 32]
        if operand == held and len(found.ready.jobs) > 1:  # loaded again at every cut of what streams
            assert words % values == 0 if values else words == 0
            counts = {loop.dim: loop.count for loop in found.nest.loops}
            assert words // values in (1, counts["pixels" if held == "weights" else "filters"])
        else:
            assert words == values, (operand, action)


@settings(max_examples=30)
@given(cases(), st.sampled_from([2, 4, 5]), st.sampled_from([0.25, 0.5, 1.0, 4.0]))
def test_a_broadcast_machine_writes_each_output_once_and_reads_what_it_must(case, rows, share):
    layer = case.layer
    size = max(4, share * (layer.input_elements + layer.output_elements) / rows)
    spmat = max(4, share * layer.weights / rows)
    machine = {"array.rows": rows, **small_buffers.settings("eie", act=size, spmat=spmat)}
    found = cut(case, "eie", machine)
    assert found.moved("outputs", is_write=True) == traffic.outputs(case.shape)
    assert found.moved("inputs") >= len(traffic.read_positions(case.shape))
    if len(found.ready.tiled.cuts.blocks) == 1:
        stream = found.moved("weights") + found.moved("pointers")
        assert 8 * stream == found.ready.tiled.facts.weight_bits
    assert not found.moved("partial_sums")


@st.composite
def layered(draw):
    """As ``tight``, with a level of its own before each of the buffers, larger or smaller."""
    case, machine = draw(tight())
    tree = to_tree(load_hardware("systolic", machine))
    for level in ("input_sram", "weight_sram", "output_sram"):
        at = next(i for i, part in enumerate(tree["memories"]) if part["level"] == level)
        near = tree["memories"][at]
        size = near["capacity_bytes"] * draw(st.sampled_from([0.5, 1, 2, 4]))
        tree["memories"].insert(at, near | {"level": f"far_{level}", "capacity_bytes": size, "word_bits": 8})
    order = draw(st.sampled_from(["im2col", "taps"]))
    return case, from_tree(tree, "layered", {"memories.dram.bandwidth_gb_s": 64, "dataflow.reduction_order": order})


@settings(max_examples=20)
@given(layered())
def test_the_search_foresaw_every_byte_of_a_hierarchy(drawn):
    case, machine = drawn
    try:
        found = Cut.on(case, machine)
    except InputError as error:
        assume("cannot fit" not in str(error))
        raise
    assert found.predicted().dram.tolist() == [sum(found.dram.values())]


@pytest.mark.parametrize("far", [16, 32, 64])
def test_a_level_larger_than_the_one_before_it_is_foreseen_to_ask_once(far):
    """All 32 bytes of weights lie in the near level, whatever the far one holds of them."""
    order = {"order": ["groups", "pixels", "filters", "k"], "tiles": {"pixels": 2, "filters": 2, "k": 2}}
    near = small_buffers.settings("systolic", input_sram=64, weight_sram=32, output_sram=128)
    square = {"array.rows": 2, "array.cols": 2, "dataflow.stationary": "ws", "mapping.layers": {"fc": order}}
    tree = to_tree(load_hardware("systolic", square | near))
    tree["memories"].insert(2, tree["memories"][2] | {"level": "far", "capacity_bytes": far, "word_bits": 8})
    found = Cut.on(dense(Layer(name="fc", kind="fc", C=8, M=4, N=8)), from_tree(tree, "far"))
    assert found.moved("weights") == 32
    assert found.predicted().dram.tolist() == [sum(found.dram.values())] == [32 + 64 + 32]


@pytest.mark.parametrize("stationary", STATIONARY)
def test_a_gap_between_windows_is_foreseen_as_it_is_moved(stationary):
    """Rows 0, 3 and 6 of a map are read; tiles of one output row leave the rows between where they are."""
    case = dense(Layer(name="conv", kind="conv", C=1, M=2, H=7, W=6, stride=(3, 1)))
    given_tiles = {"mapping.layers": {"conv": {"tiles": {"pixels": 6, "filters": 1}}}}
    found = Cut.of(
        case, "systolic", {"array.rows": 6, "array.cols": 1, "dataflow.stationary": stationary} | given_tiles
    )
    assert found.predicted().dram.tolist() == [sum(found.dram.values())]
