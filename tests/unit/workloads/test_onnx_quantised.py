"""Quantised ONNX models: number formats, the file's integers as codes, and checked runs with them."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from accel_sim import load_hardware, simulate
from tests.presets import EVERY_PRESET
from tests.unit.workloads.onnx_models import Model, quantised
from workloads import InputError, NumberFormat, load_network
from workloads.importers.onnx.tensors import TYPES, stored_tensor
from workloads.synthetic import in_format, synthetic_activations
from workloads.walk import walk


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    built = quantised()
    return built, load_network(built.save(tmp_path_factory.mktemp("m") / "q.onnx", "y"))


def stored(model: Model, name: str) -> np.ndarray:
    from onnx import numpy_helper

    return numpy_helper.to_array(next(t for t in model.tensors if t.name == name))


def test_layers_and_formats(model):
    built, net = model
    assert [(layer.name, layer.kind) for layer in net.layers] == [
        ("qconv", "conv"), ("pool", "pool"), ("fc4", "fc"), ("dynamic", "elementwise"), ("fc8", "fc"),
    ]  # fmt: skip
    assert net.model == "stored"
    conv, fc4, fc8 = (net.weights[name].codes.format for name in ("qconv", "fc4", "fc8"))
    scales = tuple(stored(built, "ws").astype(np.float64).tolist())
    assert conv == NumberFormat(8, True, scales, 0, axis=0)
    assert (fc4.bits, fc4.signed, fc4.axis, len(fc4.scale)) == (4, True, 0, 10)
    assert (fc8.bits, fc8.signed, fc8.zero_point, fc8.scale) == (8, False, 121, None)
    formats = dict(net.formats)
    assert formats["input"] == NumberFormat(8, False, float(np.float32(0.02)), 12)
    assert formats["qconv"] == NumberFormat(8, False, float(np.float32(0.1)), 128)


def test_codes_are_the_files_integers(model):
    built, net = model
    assert (net.weights["qconv"].codes.values == stored(built, "w")).all()
    assert (stored(built, "w4").astype(np.int8) == net.weights["fc4"].codes.values.reshape(10, 24).T).all()
    assert (stored(built, "w8").astype(int) - 121 == net.weights["fc8"].codes.integers().reshape(5, 10).T).all()
    assert net.weights["fc4"].file_bytes == 120


def test_real_values_are_what_dequantising_gives(model):
    built, net = model
    real = stored(built, "w") * stored(built, "ws").astype(np.float64).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(net.weights["qconv"].real(), real)
    bias = stored(built, "b") * np.float64(np.float32(0.02)) * stored(built, "ws")
    np.testing.assert_allclose(net.weights["qconv"].bias, bias)


@EVERY_PRESET
def test_runs_with_check(hardware, model):
    result = simulate(model[1], load_hardware(hardware), check=True)
    assert result.summary["check"] == {"passed": True, "layers": 3, "overflows": 0}
    sources = dict(zip(result.layers.layer, result.layers.weight_source, strict=True))
    assert sources["qconv"] == "q.onnx: 8-bit codes"
    assert sources["fc4"] == "q.onnx: 4-bit codes"


def test_synthetic_inputs_lie_in_the_files_format(model):
    for layer, operands in walk(model[1], 0):
        if layer.name in ("qconv", "pool"):
            assert operands.inputs.format.zero_point == (12 if layer.name == "qconv" else 128)
            assert operands.inputs.values.dtype == np.uint8


def test_codes_in_another_format_keep_their_zeros():
    codes = synthetic_activations("x", (4000,), 0.5, 0, signed=True)
    for form in (NumberFormat(8, False, 1.0, 128), NumberFormat(8, True, 1.0, -3), NumberFormat(4, False, 1.0, 7)):
        made = in_format(codes, form)
        assert ((made.integers() == 0) == (codes.integers() == 0)).all()
        assert (np.sign(made.integers()) == np.sign(codes.integers())).all()


def test_images_are_refused_in_one_line(model, tmp_path):
    from dataclasses import replace

    images = np.zeros((1, 3, 8, 8), np.uint8)
    with pytest.raises(InputError, match=r"layer 'fc8': images need real weights|have no forward pass of images yet"):
        list(walk(replace(model[1], images=images, image_names=("a",)), 0))


def test_qdq_convolution_is_the_integer_one(tmp_path):
    """Weights through QuantizeLinear - DequantizeLinear, an activation between two pairs: no layers of their own."""
    m = Model()
    x, one = m.input("x", [1, 3, 6, 6]), m.tensor("unit", np.float32(0.05))
    zero = m.tensor("zero", np.int8(-7))
    x = m.op("DequantizeLinear", [m.op("QuantizeLinear", [x, one, zero], "q1"), one, zero], "d1")
    scales, zeros = m.tensor("ws", np.float32([0.01, 0.02, 0.03, 0.04])), m.tensor("wz", np.zeros(4, np.int8))
    w = m.op("QuantizeLinear", [m.weights("w", 4, 3, 3, 3), scales, zeros], "wq", axis=0)
    w = m.op("DequantizeLinear", [w, scales, zeros], "wd", axis=0)
    x = m.op("Relu", [m.op("Conv", [x, w, m.weights("b", 4)], "c")], "r")
    x = m.op("DequantizeLinear", [m.op("QuantizeLinear", [x, one, zero], "q2"), one, zero], "d2")
    m.op("MaxPool", [x], "y", kernel_shape=[2, 2])
    path = m.save(tmp_path / "qdq.onnx", "y", "wq")
    net = load_network(path)
    assert [(layer.name, layer.activation) for layer in net.layers] == [("c", "relu"), ("y", None)]
    assert net.formats["input"] == net.formats["c"] == NumberFormat(8, True, float(np.float32(0.05)), -7)
    values = np.zeros((1, 3, 6, 6), np.float32)
    expected = ReferenceEvaluator(m.proto("y", "wq")).run(None, {"x": values})[1]
    assert (net.weights["c"].codes.values == expected).all()


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4, TensorProto.INT2, TensorProto.UINT2])
@pytest.mark.parametrize("raw", [False, True])
def test_narrow_integers(kind, raw, tmp_path):
    bits, signed = (4 if "4" in TensorProto.DataType.Name(kind) else 2), kind in (TensorProto.INT4, TensorProto.INT2)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    m = Model()
    codes = m.rng.integers(low, high + 1, 35)
    tensor = helper.make_tensor("w", kind, [5, 7], codes.tolist())
    if raw:
        data = bytes(value & 255 for value in tensor.int32_data)
        tensor.ClearField("int32_data")
        tensor.raw_data = data
    m.tensors.append(tensor)
    m.op("MatMul", [m.input("x", [1, 5]), m.op("DequantizeLinear", ["w", m.tensor("s", np.float32(0.5))], "d")], "y")
    net = load_network(m.save(tmp_path / "m.onnx", "y", opset=25))
    form = net.weights["y"].codes.format
    assert (form.bits, form.signed, form.scale) == (bits, signed, 0.5)
    assert (net.weights["y"].codes.values.reshape(7, 5).T.reshape(-1) == codes).all()


@EVERY_PRESET
@pytest.mark.parametrize("asymmetric", [False, True])
def test_blocks_of_scales_keep_the_integers(hardware, asymmetric, tmp_path):
    """One scale per 8 weights along K, as 4-bit language models have: the products are of codes less zero points."""
    m = Model()
    codes = m.rng.integers(0, 16, (16, 12))
    m.tensors.append(helper.make_tensor("w", TensorProto.UINT4, [16, 12], codes.reshape(-1).tolist()))
    points = m.rng.integers(0, 16, (2, 12))
    m.tensors.append(helper.make_tensor("z", TensorProto.UINT4, [2, 12], points.reshape(-1).tolist()))
    scales = m.tensor("s", m.rng.uniform(0.1, 0.2, (2, 12)).astype(np.float32))
    names = ["w", scales, "z"] if asymmetric else ["w", scales]
    w = m.op("DequantizeLinear", names, "d", axis=0, block_size=8)
    w = m.op("Transpose", [m.op("Cast", [m.op("Transpose", [w], "t1")], "half", to=TensorProto.FLOAT16)], "t2")
    m.op("MatMul", [m.input("x", [1, 3, 16]), w], "y")
    net = load_network(m.save(tmp_path / "m.onnx", "y"))
    made = net.weights["y"].codes
    expected = codes - np.repeat(points, 8, axis=0) if asymmetric else codes
    assert (expected == made.integers().reshape(12, 16).T).all()
    assert made.format.scale is None
    assert simulate(net, load_hardware(hardware), check=True).summary["check"]["passed"]


def test_ort_operators(tmp_path):
    m = Model()
    x, s, z = m.input("x", [1, 4, 6, 6], TensorProto.INT8), m.tensor("s", np.float32(0.1)), m.tensor("z", np.int8(5))
    x = m.op("QLinearAdd", [x, s, z, x, s, z, s, z], "a", domain="com.microsoft")
    m.op("QLinearGlobalAveragePool", [x, s, z, s, z], "y", domain="com.microsoft")
    net = load_network(m.save(tmp_path / "m.onnx", "y"))
    assert [(layer.name, layer.kind) for layer in net.layers] == [("a", "add"), ("y", "pool")]
    assert net.formats["y"] == NumberFormat(8, True, float(np.float32(0.1)), 5)


@pytest.mark.parametrize(
    ("scale", "zero", "message"),
    [
        (np.float32(0), np.int8(0), "a scale is not positive and finite"),
        (np.float32("nan"), np.int8(0), "a scale is not positive and finite"),
        (np.ones(3, np.float32), np.zeros(3, np.int8), "has 3 values of scale for 7 slices of axis 1 of [5, 7]"),
        (np.ones(7, np.float32), np.zeros(6, np.int8), "has 6 values of zero point for 7 slices of axis 1 of [5, 7]"),
        (np.float32(1), np.int16(999), "a zero point is outside -128..127"),
    ],
)
def test_wrong_formats_are_refused(scale, zero, message, tmp_path):
    m = Model()
    w = m.tensor("w", np.ones((5, 7), np.int8))
    w = m.op("DequantizeLinear", [w, m.tensor("s", scale), m.tensor("z", zero)], "d")
    m.op("MatMul", [m.input("x", [1, 5]), w], "y")
    with pytest.raises(InputError) as caught:
        load_network(m.save(tmp_path / "m.onnx", "y"))
    assert str(caught.value).endswith(f"node 'd' (DequantizeLinear): {message}")


#: element type -> (bits in a file, whether numbers may be negative), as onnx.proto has them
WIDTHS = {
    "FLOAT": (32, True), "UINT8": (8, False), "INT8": (8, True), "UINT16": (16, False), "INT16": (16, True),
    "INT32": (32, True), "INT64": (64, True), "FLOAT16": (16, True), "DOUBLE": (64, True), "UINT32": (32, False),
    "UINT64": (64, False), "BFLOAT16": (16, True), "UINT4": (4, False), "INT4": (4, True), "UINT2": (2, False),
    "INT2": (2, True), "BOOL": (8, True),
}  # fmt: skip


def test_every_element_type_has_a_width():
    assert {getattr(TensorProto, name) for name in WIDTHS} == set(TYPES)


@pytest.mark.parametrize("name", WIDTHS)
def test_the_width_of_every_element_type(name, tmp_path):
    """Five elements take exactly as many bytes as their bits need, as raw data and in their repeated field."""
    bits, signed = WIDTHS[name]
    kind, size = getattr(TensorProto, name), -(-5 * bits // 8)
    raw = TensorProto(dims=[5], data_type=kind, raw_data=bytes(size))
    constant = stored_tensor(raw, "t", tmp_path)
    assert (constant.bits, constant.elements, constant.array.tolist()) == (bits, 5, [0] * 5)
    assert name == "BOOL" or constant.signed == signed
    for wrong in (size - 1, size + 1):
        raw.raw_data = bytes(wrong)
        with pytest.raises(InputError, match=rf"5 elements of .* take {size} bytes, it holds {wrong}$"):
            stored_tensor(raw, "t", tmp_path)
    if name not in ("FLOAT16", "BFLOAT16", "UINT2", "INT2"):  # whose repeated fields hold bits
        typed = helper.make_tensor("t", kind, [5], [0, 1, 1, 0, 1])
        assert stored_tensor(typed, "t", tmp_path).array.tolist() == [0, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("INT8", -128, 127), ("UINT8", 0, 255), ("INT16", -32768, 32767), ("UINT16", 0, 65535), ("INT4", -8, 7),
     ("UINT4", 0, 15)],
)  # fmt: skip
def test_weights_keep_the_width_they_have_in_the_file(name, low, high, tmp_path):
    m, bits = Model(), WIDTHS[name][0]
    codes = np.array([[low, high, 0], [1, low, high]])
    m.tensors.append(helper.make_tensor("w", getattr(TensorProto, name), [2, 3], codes.reshape(-1).tolist()))
    w = m.op("DequantizeLinear", ["w", m.tensor("s", np.float32(0.5))], "wd")
    m.op("MatMul", [m.input("x", [1, 2]), w], "y")
    weights = load_network(m.save(tmp_path / "m.onnx", "y")).weights["y"]
    assert (weights.codes.format.bits, weights.codes.format.signed) == (bits, low < 0)
    assert np.array_equal(weights.codes.values.reshape(3, 2).T, codes)
    assert weights.file_bytes == 6 * bits // 8
