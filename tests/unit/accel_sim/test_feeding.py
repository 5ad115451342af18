"""Levels and networks that cannot feed the array in time: stalls by hand, and bank conflicts address by address."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.accel_sim.layers import Case, cases
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.operands import MacOperands

SMALL = {"array.rows": 4, "array.cols": 3}


def matrix(pixels: int, K: int, filters: int) -> Case:
    layer = Layer(name="fc", kind="fc", C=K, M=filters, N=pixels)
    ones = np.ones(layer.weight_shape, np.int8), np.ones(layer.input_shape, np.uint8)
    return Case(layer, MacOperands(Codes(ones[1], NumberFormat(8, False)), Codes(ones[0], NumberFormat(8, True))))


def stalls(case: Case, more: dict) -> tuple[int, dict]:
    """(cycles more than an array that is fed in time, their lane-slots by cause)."""
    fed, slow = (case.run("systolic", SMALL | settings) for settings in ({}, more))
    assert slow.array_cycles == fed.array_cycles
    assert np.array_equal(slow.output, fed.output)
    causes = {cause: slow.slots[cause] - fed.slots[cause] for cause in ("sram", "noc", "unmapped")}
    return slow.cycles - fed.cycles, causes


def test_a_bus_that_passes_one_of_four_rows_a_cycle():
    """OS, 4 pixels x K = 5 x 3 filters in one fold: each of 5 steps needs 4 cycles for its 4 inputs, 12 PEs wait."""
    bus = {"memories.input_sram.network": {"name": "bus", "width_bits": 8}}
    assert stalls(matrix(4, 5, 3), bus) == (5 * 3, {"sram": 0, "noc": 5 * 3 * 12, "unmapped": 0})
    wide = {"memories.input_sram.network": {"name": "bus", "width_bits": 32}}
    assert stalls(matrix(4, 5, 3), wide) == (0, {"sram": 0, "noc": 0, "unmapped": 0})


def test_words_one_by_one_from_two_banks():
    """Unpacked, an input is a word: 3 of them take 2 cycles from 2 banks; 9 PEs work, 3 have no row."""
    unpacked = {"memories.input_sram.packed": False}
    assert stalls(matrix(3, 5, 3), unpacked) == (5, {"sram": 5 * 9, "noc": 0, "unmapped": 5 * 3})
    assert stalls(matrix(2, 5, 3), unpacked)[0] == 0


def test_sums_read_back_share_the_port_with_sums_written():
    """WS, K = 8 on 4 rows: two row folds; in the second 3 words of sums come back while 3 leave, through 4 banks."""
    level = {"memories.output_sram.packed": False, "dataflow.stationary": "ws"}
    fed = {"dataflow.stationary": "ws"}
    case = matrix(7, 8, 3)
    cycles = {
        banks: case.run("systolic", SMALL | level | {"memories.output_sram.banks": banks}).cycles for banks in (4, 8)
    }
    assert cycles[8] == case.run("systolic", SMALL | fed).cycles
    assert cycles[4] - cycles[8] == 7  # 6 words in 2 cycles, for 7 pixels


@pytest.mark.parametrize("stationary", ["os", "ws"])
@settings(max_examples=25)
@given(cases(codebook=False), st.sampled_from([1, 2, 4]), st.sampled_from([8, 32]))
def test_inputs_that_lie_as_in_the_tensor_meet_in_banks(stationary, case, banks, word_bits):
    layout = {
        "memories.input_sram": {
            "name": "sram", "level": "input_sram", "capacity_kib": 64, "holds": ["inputs"], "word_bits": word_bits,
            "banks": banks, "layout": "tensor", "latency_cycles": 0, "fill_bytes_per_cycle": 64,
        }
    }  # fmt: skip
    hidden = {f"memories.{level}.latency_cycles": 0 for level in ("input_sram", "weight_sram", "output_sram")}
    flow = hidden | {
        "dataflow.stationary": stationary,
        "mapping.layers": {"*": {"tiles": {"pixels": 1 << 20, "k": 1 << 20}}},
    }
    run = case.run("systolic", SMALL | hidden | flow | layout)
    fed = case.run("systolic", SMALL | flow)
    assert run.array_cycles == fed.array_cycles
    assert stalled(run, fed) == naive(case.layer, stationary, banks, word_bits)


def stalled(run, fed) -> int:
    """Cycles of stalled folds: lane-slots in the array beyond those of one that is fed in time."""
    inside = ("unmapped", "effectual", "ineffectual", "fill_drain", "sram")
    return sum(run.slots[state] - fed.slots[state] for state in inside) // 12


def naive(layer: Layer, stationary: str, banks: int, word_bits: int) -> int:
    """Fold by fold, step by step, word by word."""
    K, per_group = layer.K, layer.C // layer.G
    pixels = [(n, e, f) for n in range(layer.N) for e in range(layer.E) for f in range(layer.F)]
    row_bits = layer.W * 8

    def address(group, p, k):
        n, e, f = pixels[p]
        c, r, s = k // (layer.R * layer.S), k // layer.S % layer.R, k % layer.S
        h = e * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
        w = f * layer.stride[1] + s * layer.dilation[1] - layer.padding[2]
        if not (0 <= h < layer.H and 0 <= w < layer.W):
            return None
        return ((n * layer.C + group * per_group + c) * layer.H + h) * row_bits + w * 8

    rows, stream = (len(pixels), K) if stationary == "os" else (K, len(pixels))
    more = 0
    for group in range(layer.G):
        for low in range(0, rows, 4):
            high = min(4, rows - low)
            for step in range(stream + high - 1):
                wanted = defaultdict(set)
                for row in range(high):
                    if 0 <= step - row < stream:
                        pair = (low + row, step - row)
                        at = address(group, *(pair if stationary == "os" else pair[::-1]))
                        if at is not None:
                            wanted[at // word_bits % banks].add(at // word_bits)
                cycles = max([1, *map(len, wanted.values())])
                more += (cycles - 1) * -(-(layer.M // layer.G) // 3)
    return more
