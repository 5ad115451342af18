"""Layers on the `systolic` preset against an array whose registers hand real numbers from PE to PE."""

from collections import Counter
from functools import reduce

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import small_buffers
from tests.oracle.patches import patches
from tests.oracle.systolic_machine import STATES, Run, matmul
from tests.unit.accel_sim.layers import Case, cases
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.operands import MacOperands
from workloads.registry import InputError

#: width of sums, unlike that of any operand, so that hops of sums and of operands are told apart
SUM_BITS = 30
#: what is held and what streams past it
MOVING = {"ws": ("weights", "inputs"), "is": ("inputs", "weights")}
LEVEL = {"inputs": "input_sram", "weights": "weight_sram"}
#: an access for every operand, banks enough for all of a step, and nothing to wait for when a tile begins
UNPACKED = {
    f"memories.{level}.{field}": value
    for level in ("input_sram", "weight_sram", "output_sram")
    for field, value in (("packed", False), ("banks", 16), ("latency_cycles", 0))
}


def clocked(case: Case, rows: int, cols: int, stationary: str, used_alone: bool = False) -> tuple[np.ndarray, Run]:
    """Outputs [N, M, E, F] and what the array did, group after group."""
    layer = case.layer
    a = patches(case.operands.inputs.integers().astype(np.int64), layer)
    b = case.operands.weights.integers().astype(np.int64).reshape(layer.G, -1, layer.K)
    groups = (matmul(a[:, g], b[g].T, rows, cols, stationary, used_alone) for g in range(layer.G))
    outputs, runs = zip(*groups, strict=True)
    total = Run(rows, cols, sum(run.cycles for run in runs))
    total.slots = {state: sum(run.slots[state] for run in runs) for state in STATES}
    total.counts = reduce(lambda x, y: x + y, (run.counts for run in runs), Counter())
    out = np.concatenate(outputs, axis=1).reshape(layer.N, layer.E, layer.F, layer.M)
    return out.transpose(0, 3, 1, 2), total


def simulated(case: Case, rows: int, cols: int, stationary: str, more: dict | None = None):
    settings = {"array.rows": rows, "array.cols": cols, "dataflow.stationary": stationary}
    return case.run("systolic", settings | {"mac.accumulator_bits": SUM_BITS} | UNPACKED | (more or {}))


@given(
    cases(codebook=False), st.integers(1, 5), st.integers(1, 5), st.sampled_from(["os", "ws", "is"]),
    st.sampled_from(["whole", "used"]),
)  # fmt: skip
def test_cycles_states_outputs_and_accesses(case, rows, cols, stationary, part_folds):
    out, array = clocked(case, rows, cols, stationary, part_folds == "used")
    run = simulated(case, rows, cols, stationary, {"dataflow.part_folds": part_folds})
    assert run.array_cycles == array.cycles
    assert {state: run.slots[state] for state in STATES} == array.slots
    assert np.array_equal(run.sums, out)
    assert run.actions["mac", "mult", 9] == array.counts["macs"] == case.layer.macs
    accesses(case, run.actions, array.counts, stationary)


def accesses(case: Case, actions, counts: Counter, stationary: str) -> None:
    """Reads at the edges, and sums written to and read back from the output buffer (each output once more by the
    post-processing unit, which writes its code)."""
    outputs = case.layer.output_elements
    assert actions["output_sram", "write", 256] == counts["sum_writes"] + outputs
    assert actions["output_sram", "read", 256] == counts["sum_read_backs"] + outputs
    names = {"a_reads": "inputs", "b_reads": "weights"}
    if stationary != "os":
        held, streamed = MOVING[stationary]
        names = {"held_reads": held, "streamed_reads": streamed}
    for count, operand in names.items():
        assert actions[LEVEL[operand], "read", 256] == counts[count]


@settings(max_examples=25)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from(["os", "ws", "is"]), st.data())
def test_hops_of_a_full_array(rows, cols, stationary, data):
    """Where every PE of every fold has work, the count of `_actions` is that of the registers: each operand is written
    into one register at the edge and one more per PE it is handed to, each sum leaves every PE it is added in."""
    across = {"os": "rows", "ws": "k", "is": "k"}[stationary]
    K = data.draw(st.integers(1, 2)) * rows if across == "k" else data.draw(st.integers(1, 4))
    filters, pixels = (
        {"os": (cols, rows), "ws": (cols, 3), "is": (3, cols)}[stationary][i] * data.draw(st.integers(1, 2))
        for i in (0, 1)
    )
    case = plain_matrix(pixels, K, filters)
    _, array = clocked(case, rows, cols, stationary)
    assert array.slots["unmapped"] == 0
    run, counts = simulated(case, rows, cols, stationary), array.counts
    operands = ("a", "b") if stationary == "os" else ("held", "streamed")
    hops = sum(counts[f"{name}_{what}"] for name in operands for what in ("reads", "hops"))
    assert run.actions["register", "hop", 8] == hops
    if stationary != "os":
        handed_on = counts["sum_hops"] + counts["sum_writes"]
        assert run.actions["register", "hop", SUM_BITS] == handed_on


def plain_matrix(pixels: int, K: int, filters: int) -> Case:
    """A fully connected layer whose weights and inputs are all 8 bits wide."""
    layer = Layer(name="fc", kind="fc", C=K, M=filters, N=pixels)
    x = np.arange(pixels * K, dtype=np.uint8).reshape(layer.input_shape)
    w = (np.arange(filters * K) % 7 - 3).astype(np.int8).reshape(layer.weight_shape)
    return Case(layer, MacOperands(Codes(x, NumberFormat(8, False)), Codes(w, NumberFormat(8, True))))


@pytest.mark.parametrize(
    ("stationary", "fold", "slots"),
    [
        # 2 pixels, K = 3, 2 filters on a 3 x 3 array; OS: 4 PEs work 3 cycles, 4 cycles are skew
        ("os", 3 + 3 + 3 - 2, {"unmapped": 5 * 7, "sram": 0, "fill_drain": 4 * 4}),
        # 6 PEs hold a weight: 3 cycles to load it, 2 pixels, 4 cycles of skew
        ("ws", 2 + 2 * 3 + 3 - 2, {"unmapped": 3 * 9, "sram": 6 * 3, "fill_drain": 6 * 4}),
        ("is", 2 + 2 * 3 + 3 - 2, {"unmapped": 3 * 9, "sram": 6 * 3, "fill_drain": 6 * 4}),
    ],
)
def test_one_partly_filled_fold_by_hand(stationary, fold, slots):
    case = plain_matrix(2, 3, 2)
    out, array = clocked(case, 3, 3, stationary)
    run = simulated(case, 3, 3, stationary)
    assert run.array_cycles == array.cycles == fold
    assert {state: run.slots[state] for state in slots} == {state: array.slots[state] for state in slots} == slots
    assert out[0, 0, 0, 0] == 0 * -3 + 1 * -2 + 2 * -1


def test_a_fold_that_uses_a_part_of_the_array_by_hand():
    """2 pixels, K = 3, 2 filters on 3 x 3 PEs: 2 x 2 (OS) or 3 x 2 (WS, IS) of them do a fold in as many cycles as if
    there were no others; the note says what the rest of the array would have cost."""
    used = {"dataflow.part_folds": "used"}
    held = 3 + 2 + 3 + 2 - 2
    for stationary, cycles, more in (("os", 3 + 2 + 2 - 2, 2), ("ws", held, 1), ("is", held, 1)):
        run, whole = (simulated(plain_matrix(2, 3, 2), 3, 3, stationary, each) for each in (used, {}))
        assert (run.array_cycles, whole.array_cycles) == (cycles, cycles + more)
        (note,), (before,) = run.facts.notes, whole.facts.notes
        assert note == (
            f"part-filled folds take as long as the rows and columns they use, {more} cycles less than as the whole "
            "array (dataflow.part_folds)"
        )
        assert f"{more} cycles more than as the rows and columns they use" in before


@settings(max_examples=40)
@given(cases(codebook=False), st.integers(1, 6), st.integers(1, 6), st.sampled_from(["os", "ws", "is"]), st.booleans())
def test_where_folds_last_as_what_they_use_a_larger_array_costs_no_cycle(case, rows, cols, stationary, packed):
    flow = {"dataflow.part_folds": "used", "dataflow.groups": "packed" if packed else "serial"}
    took = simulated(case, rows, cols, stationary, flow).array_cycles
    assert simulated(case, 2 * rows, cols, stationary, flow).array_cycles <= took
    assert simulated(case, rows, 2 * cols, stationary, flow).array_cycles <= took


@settings(max_examples=25)
@given(cases(codebook=False), st.sampled_from(["os", "ws", "is"]), st.sampled_from([0.1, 0.3]))
def test_small_buffers_change_no_array_cycle(case, stationary, kib):
    """The same products; folds begun again because their stream was cut are memory's fault, not the array's."""
    size = 1024 * kib
    levels = small_buffers.settings("systolic", input_sram=size, weight_sram=size, output_sram=size)
    levels = {path: part | {"latency_cycles": 0} for path, part in levels.items()}
    try:
        run = simulated(case, 2, 3, stationary, levels)
    except InputError:
        assume(False)
    out, array = clocked(case, 2, 3, stationary)
    assert run.array_cycles == array.cycles
    assert run.slots["effectual"] == array.slots["effectual"]
    assert run.slots["ineffectual"] == array.slots["ineffectual"]
    assert np.array_equal(run.sums, out)
