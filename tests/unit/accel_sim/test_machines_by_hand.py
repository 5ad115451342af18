"""Both machines where a pencil is enough, and options the clocked models do not have."""

import numpy as np
import pytest
import simpy

from accel_sim.memories.flat import FlatDram
from accel_sim.values.tile import Extent
from tests import small_buffers
from tests.schedule import job, play
from tests.unit.accel_sim.layers import Case
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.operands import MacOperands

INSIDE = ("unmapped", "effectual", "ineffectual", "decode", "imbalance", "dispatch")


def dense(layer: Layer) -> Case:
    rng = np.random.default_rng(0)
    x = Codes(rng.integers(0, 256, layer.input_shape).astype(np.uint8), NumberFormat(8, False))
    return Case(
        layer, MacOperands(x, Codes(rng.integers(-127, 128, layer.weight_shape).astype(np.int8), NumberFormat(8, True)))
    )


MATRIX = dense(Layer(name="fc", kind="fc", C=5, M=9, N=7))
SQUARE = {"array.rows": 4, "array.cols": 4}


@pytest.mark.parametrize(
    ("stationary", "cycles"),
    [("os", 2 * 3 * (5 + 4 + 4 - 2)), ("ws", 2 * 3 * (7 + 2 * 4 + 4 - 2)), ("is", 2 * 2 * (9 + 2 * 4 + 4 - 2))],
)
def test_closed_forms(stationary, cycles):
    """7 pixels, K = 5, 9 filters on 4 x 4: pixels 2 folds, K 2 folds, filters 3 folds."""
    assert MATRIX.run("systolic", SQUARE | {"dataflow.stationary": stationary}).array_cycles == cycles


def test_an_exposed_drain_takes_rows_more_cycles_per_fold():
    size = SQUARE | {"dataflow.stationary": "os"}
    hidden = MATRIX.run("systolic", size).array_cycles
    assert MATRIX.run("systolic", size | {"dataflow.drain": "exposed"}).array_cycles == hidden + 6 * 4


def test_packed_groups_share_a_pass():
    """8 groups of 1 x 2 products on 4 x 8: four groups lie on the diagonal of one fold."""
    case = dense(Layer(name="dw", kind="depthwise", G=8, C=8, M=8, H=3, W=3, R=1, S=1))
    size = {"array.rows": 4, "array.cols": 8, "dataflow.stationary": "ws"}
    serial = case.run("systolic", size)
    packed = case.run("systolic", size | {"dataflow.groups": "packed"})
    assert serial.array_cycles == 8 * (9 + 2 * 4 + 8 - 2)
    assert packed.array_cycles == 2 * (9 + 2 * 4 + 8 - 2)
    assert np.array_equal(serial.sums, packed.sums)
    assert serial.slots["effectual"] == packed.slots["effectual"]


def test_partial_sums_that_do_not_fit_are_written_and_read_back_as_often():
    """K = 6 on 2 rows: three row folds, outermost; sums of the first two go out and come back."""
    case = dense(Layer(name="fc", kind="fc", C=6, M=4, N=64))
    size = {"array.rows": 2, "array.cols": 4, "dataflow.stationary": "ws"}
    mapping = {"order": ["groups", "k", "filters", "pixels"], "tiles": {"k": 2, "pixels": 16}}
    tight = case.run(
        "systolic", size | small_buffers.settings("systolic", output_sram=512) | {"mapping.layers": {"fc": mapping}}
    )
    roomy = case.run("systolic", size)
    sums = 64 * 4 * 4  # pixels x filters x 32 bits
    assert tight.bytes_written == roomy.bytes_written + 2 * sums
    assert tight.bytes_read == roomy.bytes_read + 2 * sums
    assert tight.array_cycles == roomy.array_cycles


def test_sums_hop_to_the_bottom_edge_through_rows_without_work():
    one = dense(Layer(name="fc", kind="fc", C=1, M=1))
    run = one.run("systolic", {"array.rows": 3, "array.cols": 3, "dataflow.stationary": "ws"})
    assert run.actions["register", "hop", 32] == 3
    assert run.actions["register", "hop", 8] == 2  # one to load the weight, one for the input


def fc(weights, inputs) -> Case:
    w = np.array(weights, np.uint8)
    layer = Layer(name="fc", kind="fc", C=w.shape[1], M=w.shape[0])
    form = NumberFormat(4, False, codebook=tuple(range(16)))
    x = np.array(inputs, np.uint8).reshape(1, -1, 1, 1)
    return Case(layer, MacOperands(Codes(x, NumberFormat(8, False)), Codes(w.reshape(*w.shape, 1, 1), form)))


def test_one_product_on_two_pes():
    """Rows 0 and 2 on PE 0, row 1 on PE 1; the second input is zero and takes no step."""
    run = fc([[1, 9, 1], [0, 9, 2], [3, 9, 0]], [4, 0, 5]).run("eie", {"array.rows": 2})
    # issue 0 -> both start at 1; PE 0 takes 2 entries (to 3), PE 1 an empty slice (to 2); issue 1 -> 3..4 and 2..3
    assert run.array_cycles == 4
    assert {k: v for k, v in run.slots.items() if v and k in INSIDE} == {
        "effectual": 4, "ineffectual": 1, "dispatch": 2, "imbalance": 1,
    }  # fmt: skip
    assert run.sums.ravel().tolist() == [4 + 5, 10, 12]


def test_a_scan_without_barriers_is_never_slower():
    """An empty product and trailing zeros cost the scan nothing in either form."""
    case = dense(Layer(name="fc", kind="fc", C=4, M=2, N=3))
    x = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 3, 0]], np.uint8).reshape(3, 4, 1, 1)
    case.operands = MacOperands(Codes(x, NumberFormat(8, False)), case.operands.weights)
    slow = {"array.rows": 1, "dataflow.scan_width": 1}
    with_barriers = case.run("eie", slow).array_cycles
    assert case.run("eie", slow | {"dataflow.double_buffer_accumulators": True}).array_cycles <= with_barriers


def test_few_simpy_events_a_tile(monkeypatch):
    steps = [0]
    step = simpy.Environment.step

    def counted(env):
        steps[0] += 1
        step(env)

    monkeypatch.setattr(simpy.Environment, "step", counted)
    reads = {operand: Extent(0, 10) for operand in ("inputs", "weights")}
    jobs = [job(7, 3, reads, Extent(0, 9), number) for number in range(200)]
    memory = FlatDram(bandwidth_gb_s=4, latency_ns=5)
    play(jobs, memory, memory.new_state(1000), dict.fromkeys(("inputs", "weights", "outputs"), 2))
    assert steps[0] <= 15 * 200


def test_a_batch_reports_the_spread_of_its_densities():
    case = dense(Layer(name="fc", kind="fc", C=4, M=2, N=2))
    x = np.array([[1, 0, 0, 0], [1, 2, 3, 0]], np.uint8).reshape(2, 4, 1, 1)
    case.operands = MacOperands(Codes(x, NumberFormat(8, False)), case.operands.weights)
    assert case.run("eie", {}).input_densities == (0.25, 0.75)
