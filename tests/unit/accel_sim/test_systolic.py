"""The systolic array: whole layers against the PE-by-PE machine, with outputs and every lane-slot state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.clocked_systolic import Array, matrix_product
from tests.oracle.im2col import columns
from tests.unit.accel_sim.layers import Case, cases
from workloads.layer import Layer

STATIONARY = ("os", "ws", "is")


def clocked(case: Case, rows: int, cols: int, stationary: str) -> tuple[Array, np.ndarray]:
    """Groups run one after another."""
    layer, array = case.layer, Array(rows, cols)
    pixels, weights = columns(case.inputs(), case.shape), case.weights()
    per_group = layer.M // layer.G
    out = []
    for g in range(layer.G):
        a = [pixel[g] for pixel in pixels]
        w = [list(column) for column in zip(*weights[g * per_group : (g + 1) * per_group], strict=True)]
        out.append(np.array(matrix_product(array, a, w, stationary)))
    sums = np.concatenate(out, axis=1).reshape(layer.N, layer.E, layer.F, layer.M)
    return array, sums.transpose(0, 3, 1, 2)


@settings(max_examples=120)
@given(cases(), st.integers(1, 5), st.integers(1, 5), st.sampled_from(STATIONARY))
def test_a_layer_equals_the_clocked_array(case, rows, cols, stationary):
    array, sums = clocked(case, rows, cols, stationary)
    run = case.run("systolic", {"array.rows": rows, "array.cols": cols, "dataflow.stationary": stationary})
    assert run.array_cycles == array.cycles
    assert {name: run.slots[name] for name in array.slots} == array.slots
    assert np.array_equal(run.output, sums)
    assert run.facts.macs_issued == run.slots["effectual"] + run.slots["ineffectual"] == case.layer.macs


@settings(max_examples=60)
@given(cases(), st.sampled_from(STATIONARY), st.sampled_from([0.05, 0.15, 0.5]))
def test_small_buffers_change_neither_array_cycles_nor_outputs(case, stationary, kib):
    """Every product is issued exactly once, however the layer is cut into tiles."""
    size = {"array.rows": 2, "array.cols": 3, "dataflow.stationary": stationary}
    small = {f"memories.{name}_sram.capacity_kib": kib for name in ("input", "weight", "output")}
    whole = case.run("systolic", size)
    try:
        cut = case.run("systolic", size | small)
    except ValueError as error:
        assert "cannot fit" in str(error)
        return
    assert cut.array_cycles == whole.array_cycles
    assert {k: cut.slots[k] for k in ("effectual", "ineffectual", "unmapped", "sram", "fill_drain")} == {
        k: whole.slots[k] for k in ("effectual", "ineffectual", "unmapped", "sram", "fill_drain")
    }
    assert np.array_equal(cut.output, whole.output)


@pytest.mark.parametrize(
    ("stationary", "cycles"),
    [("os", 2 * 3 * (5 + 4 + 4 - 2)), ("ws", 2 * 3 * (7 + 2 * 4 + 4 - 2)), ("is", 2 * 2 * (9 + 2 * 4 + 4 - 2))],
)
def test_closed_forms_by_hand(stationary, cycles):
    """7 pixels, K = 5, 9 filters on 4 x 4: pixels 2 folds, K 2 folds, filters 3 folds."""
    layer = Layer(name="fc", kind="fc", C=5, M=9, N=7)
    case = Case(layer, random_operands(layer))
    run = case.run("systolic", {"array.rows": 4, "array.cols": 4, "dataflow.stationary": stationary})
    assert run.array_cycles == cycles


def random_operands(layer: Layer, seed: int = 0):
    from workloads.formats.codes import Codes, NumberFormat
    from workloads.operands import Operands

    rng = np.random.default_rng(seed)
    x = Codes(rng.integers(0, 256, layer.input_shape).astype(np.uint8), NumberFormat(8, False))
    return Operands(x, Codes(rng.integers(-127, 128, layer.weight_shape).astype(np.int8), NumberFormat(8, True)))


def test_an_exposed_drain_takes_rows_more_cycles_per_fold():
    layer = Layer(name="fc", kind="fc", C=5, M=9, N=7)
    case, size = Case(layer, random_operands(layer)), {"array.rows": 4, "array.cols": 4, "dataflow.stationary": "os"}
    hidden = case.run("systolic", size).array_cycles
    assert case.run("systolic", size | {"dataflow.drain": "exposed"}).array_cycles == hidden + 6 * 4


def test_packed_groups_share_a_pass():
    """8 groups of 1 x 2 products on 4 x 8: four groups lie on the diagonal of one fold."""
    layer = Layer(name="dw", kind="depthwise", G=8, C=8, M=8, H=3, W=3, R=1, S=1)
    case, size = Case(layer, random_operands(layer)), {"array.rows": 4, "array.cols": 8, "dataflow.stationary": "ws"}
    serial = case.run("systolic", size)
    packed = case.run("systolic", size | {"dataflow.groups": "packed"})
    assert serial.array_cycles == 8 * (9 + 2 * 4 + 8 - 2)
    assert packed.array_cycles == 2 * (9 + 2 * 4 + 8 - 2)
    assert np.array_equal(serial.output, packed.output)
    assert serial.slots["effectual"] == packed.slots["effectual"]


def test_partial_sums_that_do_not_fit_are_written_and_read_back_as_often():
    """K = 6 on 2 rows: three row folds; sums of the first two go out and come back."""
    layer = Layer(name="fc", kind="fc", C=6, M=4, N=64)
    case = Case(layer, random_operands(layer))
    size = {"array.rows": 2, "array.cols": 4, "dataflow.stationary": "ws"}
    tight = case.run("systolic", size | {"memories.output_sram.capacity_kib": 0.5})
    roomy = case.run("systolic", size)
    sums = 64 * 4 * 4  # pixels x filters x 32 bits
    assert tight.bytes_written == roomy.bytes_written + 2 * sums
    assert tight.bytes_read == roomy.bytes_read + 2 * sums
    assert tight.array_cycles == roomy.array_cycles
