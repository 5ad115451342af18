"""Recorded tensors: their number formats are the network's, and a checked run does not take them from the run."""

from dataclasses import replace

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.values.errors import CheckError
from tests.unit.workloads.tflite_builder import Builder, window
from tests.unit.workloads.tflite_run import output
from workloads import Codes, InputError, Layer, Network, NumberFormat, load_network
from workloads.activations import recorded_codes
from workloads.importers.scalesim import HEADER
from workloads.network import LayerWeights
from workloads.walk import walk

#: the input's zero point and scale in the file
POINT, STEP = 3, 0.1
RNG = np.random.default_rng(5)
X = RNG.integers(-128, 128, (1, 4, 4, 8)).astype(np.int8)  # N, H, W, C
W = RNG.integers(-127, 128, (5, 1, 1, 8)).astype(np.int8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """conv.tflite, one convolution whose input has zero point 3, and what may be recorded of it."""
    here, b = tmp_path_factory.mktemp("recorded"), Builder()
    x = b.tensor([1, 4, 4, 8], "int8", STEP, POINT)
    w = b.tensor([5, 1, 1, 8], "int8", 0.02, 0, data=W)
    bias = b.tensor([5], "int32", STEP * 0.02, data=[100, -200, 300, -400, 500])
    b.inputs = [x]
    b.outputs = [b.op("CONV_2D", [x, w, bias], b.tensor([1, 4, 4, 5], "int8", 2.0, -7), window())]
    (here / "conv.tflite").write_bytes(b.data())
    np.savez(here / "x.npz", input=X.transpose(0, 3, 1, 2))
    return here


@pytest.mark.parametrize("machine", ["systolic", "eie", "bitfusion"])
def test_sums_are_of_what_the_recorded_codes_stand_for(folder, machine):
    network = load_network(folder / "conv.tflite", activations=folder / "x.npz")
    assert network.activations["input"].format == network.formats["input"]
    result = simulate(network, load_hardware(machine), check=True)
    expected = np.einsum("nhwc,mrsc->nmhw", X.astype(np.int64) - POINT, W.astype(np.int64))
    assert np.array_equal(result.sums["0_conv"], expected)
    codes = output((folder / "conv.tflite").read_bytes(), X)
    assert np.array_equal(result.outputs["0_conv"], codes.transpose(0, 3, 1, 2))
    assert result.summary["data"] == "real"
    assert result.summary["data_detail"] == "real data"


def test_without_a_check_there_are_no_sums(folder):
    result = simulate(load_network(folder / "conv.tflite"), load_hardware("systolic"))
    assert (result.sums, result.outputs) == (None, None)
    assert result.summary["data"] == "synthetic"
    assert result.summary["data_detail"] == "real weights, synthetic activations"


def test_a_network_without_formats_has_sums_and_no_codes():
    network = Network("n", (Layer(name="a", kind="conv", C=3, M=2),), (3, 1, 1))
    result = simulate(network, load_hardware("systolic"), check=True)
    assert (list(result.sums), result.outputs) == (["a"], {})
    assert result.summary["data_detail"] == "synthetic data"


class Lost:
    """A walk with other codes for some operands, which it takes for numbers unless ``keep``: the zero point is gone."""

    scores = None

    def __init__(self, network, keep=False, **lost):
        self.walk, self.keep, self.lost = walk(network, 0), keep, lost

    def __iter__(self):
        for layer, operands in self.walk:
            changed = {}
            for name, change in self.lost.items():
                held = getattr(operands, name)
                changed[name] = Codes(change(held.values), held.format if self.keep else NumberFormat(8, True))
            yield layer, replace(operands, **changed)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_check_fails_where_the_zero_point_is_lost(folder, recorded):
    network = load_network(folder / "conv.tflite", activations=folder / "x.npz" if recorded else None)
    machine = load_hardware("systolic")
    simulate(network, machine, check=True, data=Lost(network))
    with pytest.raises(CheckError, match=r"^check failed: layer '0_conv': \d+ of 80 sums differ"):
        simulate(network, machine, check=True, data=Lost(network, inputs=lambda values: values))


@pytest.mark.parametrize("what", ["inputs", "weights"])
def test_a_check_fails_where_other_codes_run(folder, what):
    network = load_network(folder / "conv.tflite", activations=folder / "x.npz")
    with pytest.raises(CheckError, match=r"^check failed: layer '0_conv'"):
        turned = Lost(network, keep=True, **{what: lambda values: values[:, ::-1].copy()})
        simulate(network, load_hardware("systolic"), check=True, data=turned)


def test_a_dynamic_operand_has_its_zero_point():
    """[1, 2, 3] x [1, 3, 4]: both operands recorded, both around a zero point of their own."""
    q, k = NumberFormat(8, False, 0.1, 120), NumberFormat(8, False, 0.2, 7)
    layers = (
        Layer(name="k", kind="conv", C=3, H=2, M=6, reshaped=False),
        Layer(name="qk", kind="matmul", C=3, H=2, M=4, dynamic=True, inputs=("input", "k")),
    )
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 256, (1, 3, 2, 1), np.uint8), rng.integers(0, 256, (1, 6, 2, 1), np.uint8)
    held = LayerWeights(Codes(rng.integers(-9, 9, (6, 3, 1, 1), np.int8), NumberFormat(8, True)))
    network = Network(
        "n", layers, (3, 2, 1), weights={"k": held}, model="stored", formats={"input": q, "k": k},
        activations={"input": Codes(x, q), "k": Codes(y, k)},
    )  # fmt: skip
    result = simulate(network, load_hardware("systolic"), check=True)
    second = y.reshape(4, 3).astype(int) - 7
    assert np.array_equal(result.sums["qk"][0, :, :, 0], second @ (x[0, :, :, 0].astype(int) - 120))


INT8 = NumberFormat(8, True, STEP, POINT)


@pytest.mark.parametrize(
    ("values", "members", "text"),
    [
        (np.array([1], np.uint8), {}, "has type uint8; in the network its codes are int8"),
        (np.array([1], np.int64), {"zero_point": 0}, "has zero point 0, in the network it is 3"),
        (np.array([1], np.int8), {"scale": 0.2}, "has scale 0.2, in the network it is 0.1"),
        (np.array([200], np.int16), {}, "holds codes 200..200; in the network they are int8, -128..127"),
        (np.array([np.nan]), {}, "holds values that are not finite"),
        (np.array([True]), {}, "has type bool; in the network its codes are int8"),
    ],
)
def test_what_contradicts_the_network_is_refused(values, members, text):
    with pytest.raises(ValueError, match="^" + text.replace(".", r"\.") + "$"):
        recorded_codes(values, INT8, **members)


def test_what_agrees_is_taken():
    assert recorded_codes(np.array([1], np.int8), INT8, scale=np.float32(0.1), zero_point=3).format == INT8
    assert recorded_codes(np.array([100], np.int16), INT8).values.dtype == np.int8
    real = recorded_codes(np.array([0.0, 1.0, -1.0, 99.0]), INT8)
    assert (real.values.tolist(), real.format) == ([3, 13, -7, 127], INT8)
    assert recorded_codes(np.array([7], np.uint8), None, scale=0.5, zero_point=7).real().tolist() == [0.0]
    open_scale = NumberFormat(8, False, None, 128)
    assert recorded_codes(np.array([7], np.uint8), open_scale, scale=0.5).format == replace(open_scale, scale=0.5)
    with pytest.raises(ValueError, match="the network says no scale for them: give its uint8 codes"):
        recorded_codes(np.array([0.5]), open_scale)
    with pytest.raises(ValueError, match="a scale and a zero point go with integer codes"):
        recorded_codes(np.array([0.5]), None, scale=0.5)


def test_a_network_with_codes_of_another_format_is_refused():
    layer = Layer(name="a", kind="conv", C=1, M=1)
    for wrong in (NumberFormat(8, True, STEP), NumberFormat(8, True, 0.2, POINT), NumberFormat(4, True, STEP, POINT)):
        with pytest.raises(InputError, match=r"^network 'n': tensor 'input' is recorded as NumberFormat"):
            Network(
                "n", (layer,), (1, 1, 1), formats={"input": INT8},
                activations={"input": Codes(np.full((1, 1, 1, 1), 3, np.int8), wrong)},
            )  # fmt: skip


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"input": X, "input.zero_point": np.int8(4)}, "'input' has zero point 4, in the network it is 3"),
        ({"input": X, "input.scale": np.float32([1, 2])}, r"'input' has a scale of float32 \[2\]; expected one number"),
        ({"input": X, "input.zero_point": 0.5}, r"'input' has a zero_point of float64 \[\]; expected one integer"),
        ({"input": X.view(np.uint8)}, "'input' has type uint8; in the network its codes are int8"),
        ({"input.scale": 0.1}, "unknown tensor 'input.scale'"),
    ],
)
def test_a_file_that_contradicts_the_network_is_refused(folder, arrays, text, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=r"^--activations .*x\.npz: " + text):
        load_network(folder / "conv.tflite", activations=tmp_path / "x.npz")


def test_part_of_a_topologys_map_is_no_map(tmp_path):
    rows = f"{HEADER}\na, 8, 8, 3, 3, 2, 4, 1,\nb, 8, 8, 3, 3, 4, 4, 1,\n"
    (tmp_path / "t.csv").write_text(rows)
    np.savez(tmp_path / "a.npz", a=np.zeros((1, 4, 6, 6), np.uint8))
    with pytest.raises(InputError, match="'a' has 144 values, layer 'b' reads 256: only what is read as it is can be"):
        load_network(tmp_path / "t.csv", activations=tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", input=np.ones((1, 2, 8, 8), np.uint8))
    load_network(tmp_path / "t.csv", activations=tmp_path / "a.npz")


def test_a_part_that_a_move_takes_of_a_recorded_map():
    layers = (
        Layer(name="a", kind="conv", C=2, H=4, M=4),
        Layer(name="part", kind="move", C=2, H=4, M=2, inputs=("a",), input_sizes=(8,)),
    )
    recorded = Codes(np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1), NumberFormat(8, False))
    result = simulate(Network("n", layers, (2, 4, 1), activations={"a": recorded}), load_hardware("systolic"))
    assert result.layers.set_index("layer").input_source["part"] == "recorded activations (of another size)"
