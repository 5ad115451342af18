"""A filler is no weight: on every machine, in every encoding, whatever code the real zero has."""

import numpy as np
import pytest

from accel_sim.machine.config import load_hardware, presets
from accel_sim.run.session import Session
from accel_sim.run.simulate import run_layer
from workloads import Codes, InputError, Layer, Network, NumberFormat
from workloads.encoding import encodings
from workloads.operands import MacOperands

LAYERS = {
    "runs along k": Layer(name="k", kind="conv", C=40, H=1, W=3, M=4),
    "runs along filters": Layer(name="m", kind="conv", C=2, H=1, W=2, M=1300),
    "groups": Layer(name="g", kind="depthwise", C=3, H=6, W=6, M=3, G=3, R=5, S=5),
    "second operand": Layer(
        name="dynamic", kind="matmul", C=2 * 40, H=3, M=2 * 6, G=2, inputs=("input", "second"), dynamic=True
    ),
}  # fmt: skip
ZEROS = {"symmetric": 0, "low": -128, "middle": 53, "high": 127, "per filter": None}


def codes(shape: tuple[int, ...], zero: int | None, density: float, seed: int) -> Codes:
    """8-bit codes, most of them the real zero; zero None: another one for each slice along axis 0."""
    rng = np.random.default_rng(seed)
    each = rng.integers(-128, 128, shape[0]) if zero is None else np.full(shape[0], zero)
    values = rng.integers(-128, 128, shape)
    values = np.where(rng.random(shape) < density, values, each.reshape(-1, *[1] * (len(shape) - 1)))
    points = {"zero_point": zero} if zero is not None else {"zero_point": tuple(each.tolist()), "axis": 0}
    return Codes(values.astype(np.int8), NumberFormat(8, True, **points))


def expected(layer: Layer, x: Codes, w: Codes) -> np.ndarray:
    """[N, M, E, F] sums by definition; no padding, stride 1."""
    zero = w.format.zero_point
    real_w = w.values.astype(np.int64) - np.reshape(zero, (-1, 1, 1, 1) if isinstance(zero, tuple) else ())
    real_x = x.values.astype(np.int64) - x.format.zero_point
    per_group, filters = layer.C // layer.G, layer.M // layer.G
    sums = np.zeros(layer.output_shape, np.int64)
    for g in range(layer.G):
        own, part = slice(g * filters, (g + 1) * filters), real_x[:, g * per_group : (g + 1) * per_group]
        for r in range(layer.R):
            for s in range(layer.S):
                seen = part[:, :, r : r + layer.E, s : s + layer.F]
                sums[:, own] += np.einsum("mc,nchw->nmhw", real_w[own, :, r, s], seen)
    return sums


def alone(layer: Layer) -> Network:
    """A network of this layer, whose second operand enters beside the input if it has one."""
    beside = dict.fromkeys(layer.inputs[1:], (layer.weights,))
    return Network("one", (layer,), layer.input_shape[1:], side_inputs=beside)


@pytest.mark.slow
@pytest.mark.parametrize("name", encodings.names())
@pytest.mark.parametrize("preset", presets())
def test_sums_are_right_whatever_the_code_of_zero(preset, name):
    machine = load_hardware(preset, {"encodings.weights": {"name": name}})
    for title, layer in LAYERS.items():
        for zero in ZEROS.values():
            if zero is None and layer.dynamic:  # an activation has one zero point
                continue
            x, w = codes(layer.input_shape, -3, 0.6, 1), codes(layer.weight_shape, zero, 0.05, 2)
            network = alone(layer)
            try:
                run = run_layer(layer, MacOperands(x, w), Session.start(network, machine), check=True)
            except InputError as refusal:
                assert str(refusal).startswith("dataflow '"), title
                return
            assert np.array_equal(run.sums, expected(layer, x, w)), (title, zero)


@pytest.mark.parametrize("asymmetric", ["differences", "correction"])
@pytest.mark.parametrize("index_bits", [1, 2, 16])
@pytest.mark.parametrize("preset", ["systolic", "eie"])
def test_indices_of_other_widths(preset, index_bits, asymmetric):
    settings = {
        "encodings.weights": {"name": "relative_index", "index_bits": index_bits}, "dataflow.asymmetric": asymmetric,
    }  # fmt: skip
    machine, layer = load_hardware(preset, settings), LAYERS["runs along k"]
    x, w = codes(layer.input_shape, 5, 0.6, 3), codes(layer.weight_shape, 53, 0.1, 4)
    session = Session.start(Network("one", (layer,), layer.input_shape[1:]), machine)
    assert np.array_equal(run_layer(layer, MacOperands(x, w), session, check=True).sums, expected(layer, x, w))


def test_a_filler_still_takes_its_slot_by_hand():
    """A column of 17 zeros and a weight on one lane: a filler and the weight, two cycles behind the one on the way."""
    layer = Layer(name="fc", kind="fc", C=1, M=18)
    w = Codes(
        np.where(np.arange(18) == 17, 3, 53).astype(np.int8).reshape(18, 1, 1, 1), NumberFormat(8, True, zero_point=53)
    )
    x = Codes(np.array([[[[2]]]], np.int8), NumberFormat(8, True))
    session = Session.start(Network("one", (layer,), (1, 1, 1)), load_hardware("eie", {"array.rows": 1}))
    run = run_layer(layer, MacOperands(x, w), session, check=True)
    assert run.sums.ravel().tolist() == [0] * 17 + [-100]
    assert (run.array_cycles, run.slots["effectual"], run.slots["ineffectual"]) == (3, 1, 1)
    assert run.facts.macs_issued == 1


def test_a_second_operand_is_read_as_it_was_written():
    """Nobody encodes it for an array of plain weights: 8-bit codes, each once, and a note."""
    layer = LAYERS["second operand"]
    machine = load_hardware("systolic", {"encodings.weights": {"name": "relative_index"}})
    x, w = codes(layer.input_shape, 3, 0.6, 5), codes(layer.weight_shape, 3, 0.1, 6)
    session = Session.start(alone(layer), machine)
    run = run_layer(layer, MacOperands(x, w), session, check=True)
    assert run.facts.weight_bits == 8 * layer.weights
    assert "the second operand is an activation: it is read plain, not as relative_index" in run.notes
