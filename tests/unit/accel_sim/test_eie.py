"""The EIE-like machine: whole layers against the clocked one, with outputs, entries and every lane-slot state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.clocked_eie import Eie, encode
from tests.oracle.im2col import columns
from tests.unit.accel_sim.layers import Case, cases
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.operands import Operands

OPTIONS = st.fixed_dictionaries(
    {
        "array.rows": st.integers(1, 6),
        "encodings.weights.index_bits": st.integers(1, 3),
        "dataflow.queue_depth": st.integers(1, 3),
        "dataflow.registered_queue": st.booleans(),
        "dataflow.scan_width": st.sampled_from([None, 1, 2]),
        "dataflow.double_buffer_accumulators": st.booleans(),
    }
)
INSIDE = ("unmapped", "effectual", "ineffectual", "decode", "imbalance", "dispatch")


def clocked(case: Case, options: dict) -> dict:
    machine = Eie(
        case.weights(), case.weights("kept"), options["array.rows"], options["encodings.weights.index_bits"],
        options["dataflow.queue_depth"], options["dataflow.registered_queue"], options["dataflow.scan_width"],
        options["dataflow.double_buffer_accumulators"], case.layer.G,
    )  # fmt: skip
    products = [(g, vector) for pixel in columns(case.inputs(), case.shape) for g, vector in enumerate(pixel)]
    return machine.run(products)


def sums(case: Case, found: dict) -> np.ndarray:
    """[N, M, E, F] from the machine's sums per product (one per pixel and group)."""
    layer = case.layer
    per_pixel = np.array(found["sums"]).reshape(layer.N, layer.E, layer.F, layer.G, layer.M).sum(axis=3)
    return per_pixel.transpose(0, 3, 1, 2)


@settings(max_examples=150)
@given(cases(), OPTIONS)
def test_a_layer_equals_the_clocked_machine(case, options):
    expected = clocked(case, options)
    # buffers are large, so that the whole layer is one tile, as in the clocked machine
    run = case.run("eie", options | {"memories.act.capacity_kib": 1024, "memories.spmat.capacity_kib": 1024})
    assert run.tiles == 1
    assert run.array_cycles == expected["cycles"]
    assert {name: run.slots[name] for name in INSIDE} == expected["slots"]
    assert run.actions["accumulator", "read", 32] == expected["entries"]
    assert np.array_equal(run.output, sums(case, expected))
    assert run.facts.macs_issued == expected["entries"] - expected["fillers"]


@settings(max_examples=60)
@given(cases(), st.integers(1, 4))
def test_small_buffers_change_the_tiles_and_not_the_products(case, rows):
    """Every effectual product is issued exactly once, however the layer is cut."""
    options = {"array.rows": rows, "memories.act.capacity_kib": 0.25, "memories.spmat.capacity_kib": 0.1}
    whole = case.run("eie", {"array.rows": rows, "memories.act.capacity_kib": 1024})
    try:
        cut = case.run("eie", options)
    except ValueError as error:
        assert "cannot fit" in str(error)
        return
    assert cut.slots["effectual"] == whole.slots["effectual"]
    assert cut.facts.macs_issued == whole.facts.macs_issued
    assert np.array_equal(cut.output, whole.output)


def test_encoding_by_hand():
    """Four zeros between entries and a 2-bit index: one filler stands for three zeros and its own place."""
    column = [5, 0, 0, 0, 0, 0, 7, 0]
    entries = encode(column, [w != 0 for w in column], list(range(8)), 2)
    assert entries == [(0, 5, False), (4, 0, True), (6, 7, False)]


def fc(weights, inputs, book=None):
    w = np.array(weights, np.uint8)
    layer = Layer(name="fc", kind="fc", C=w.shape[1], M=w.shape[0])
    form = NumberFormat(4, False, codebook=tuple(book or range(16)))
    x = np.array(inputs, np.uint8).reshape(1, -1, 1, 1)
    return Case(layer, Operands(Codes(x, NumberFormat(8, False)), Codes(w.reshape(*w.shape, 1, 1), form)))


def test_one_product_by_hand():
    """Two PEs, rows 0 and 2 on PE 0, row 1 on PE 1; the second input is zero and takes no step."""
    case = fc([[1, 9, 1], [0, 9, 2], [3, 9, 0]], [4, 0, 5])
    run = case.run("eie", {"array.rows": 2})
    # issue 0 -> both start at 1; PE 0 takes 2 entries (to 3), PE 1 an empty slice (to 2); issue 1 -> 3..4 and 2..3
    assert run.array_cycles == 4
    assert {k: v for k, v in run.slots.items() if v and k in INSIDE} == {
        "effectual": 4, "ineffectual": 1, "dispatch": 2, "imbalance": 1,
    }  # fmt: skip
    assert run.output.ravel().tolist() == [4 + 5, 10, 12]


@pytest.mark.parametrize(("rows", "fillers"), [(1, 1), (2, 0)])
def test_a_filler_costs_a_cycle_and_more_pes_need_none(rows, fillers):
    column = [[1]] + [[0]] * 17 + [[1]]  # 17 zeros between two entries: more than 4 bits count
    run = fc(column, [1]).run("eie", {"array.rows": rows})
    assert run.actions["accumulator", "read", 32] == 2 + fillers
    assert run.slots["effectual"] == 2
    assert run.facts.macs_issued == 2


def test_a_kept_weight_that_stands_for_zero_costs_a_cycle_and_is_ineffectual():
    run = fc([[1]], [3], book=[0, 0]).run("eie", {"array.rows": 1})
    assert (run.slots["effectual"], run.slots["ineffectual"], run.facts.macs_issued) == (0, 1, 1)
