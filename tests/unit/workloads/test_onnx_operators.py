"""What each kind of ONNX operator becomes: layers and their shapes, what folds away, what costs traffic."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from accel_sim import load_hardware, simulate
from accel_sim.dataflows.post import FUNCTION_OPERATIONS, OPERATIONS, operations
from tests import small_buffers
from tests.presets import EVERY_PRESET
from tests.unit.workloads.onnx_models import Model, convolutions
from workloads import InputError, Layer, load_network
from workloads.importers.onnx.arity import _most
from workloads.importers.onnx.constants import AT_IMPORT
from workloads.importers.onnx.operators import operators
from workloads.layer import FUNCTIONS, POST_KINDS
from workloads.network import Network
from workloads.reference import forward_float
from workloads.walk import walk


def network(model: Model, tmp_path, *outputs, opset=21, **options):
    return load_network(model.save(tmp_path / "m.onnx", *(outputs or ["y"]), opset=opset), **options)


def one(tmp_path, kind, shape, *tensors, opset=21, **attributes):
    """Layers of a model of one node that reads an input of this shape and stored tensors (None: left out)."""
    m = Model()
    names = [m.input("x", shape)]
    names += ["" if values is None else m.tensor(f"t{i}", values) for i, values in enumerate(tensors)]
    m.op(kind, names, "y", **attributes)
    return network(m, tmp_path, opset=opset)


# --- what a node may read ---

W, V = np.ones((4, 3, 1, 1), np.float32), np.ones(4, np.float32)
EXTRA = {  # operator -> (its inputs beside x, the first that is too many, of how many)
    "Conv": ([W, V, V], 3, 3), "Relu": ([V], 1, 1), "Add": ([V, V], 2, 2), "MaxPool": ([V], 1, 1),
    "Softmax": ([V], 1, 1), "Flatten": ([V], 1, 1), "Gemm": ([None, V, V], 3, 3), "Identity": ([V], 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", EXTRA)
def test_an_input_that_no_such_operator_takes_is_refused_by_name(kind, tmp_path):
    """An Add of three tensors was one of three, a fourth input of a convolution was not there."""
    tensors, place, most = EXTRA[kind]
    with pytest.raises(InputError) as caught:
        one(tmp_path, kind, [1, 3, 4, 4], *tensors, **({"kernel_shape": [1, 1]} if kind == "MaxPool" else {}))
    text = f"node 'y' ({kind}): input {place} ('t{place - 1}') is not read: {kind} takes {most} at most here"
    assert str(caught.value).endswith(text)


def test_inputs_that_are_left_out_or_came_with_a_later_operator_set(tmp_path):
    assert len(one(tmp_path, "Conv", [1, 3, 4, 4], W, None, None).layers) == 1
    assert len(one(tmp_path, "Clip", [1, 3, 4, 4], np.float32(0), np.float32(6), opset=11).layers) == 1
    with pytest.raises(InputError, match=r"input 1 \('t0'\) is not read: Clip takes 1 at most here$"):
        one(tmp_path, "Clip", [1, 3, 4, 4], np.float32(0), np.float32(6), opset=7)
    with pytest.raises(InputError, match=r"com.microsoft.FastGelu takes 1 at most here$"):
        one(tmp_path, "FastGelu", [1, 3, 4, 4], V, domain="com.microsoft")


def test_the_number_of_inputs_is_known_of_every_operator():
    for kind in {*operators.names(), *AT_IMPORT}:
        assert _most(kind, 21) is not None, kind


def test_an_image_and_a_tensor_that_is_read_from_memory(tmp_path):
    m = Model()
    c = m.op("Conv", [m.input("x", [1, 3, 4, 4]), m.weights("w", 4, 3, 1, 1)], "c")
    m.op("Add", [c, m.weights("b", 4)], "y")
    net = replace(network(m, tmp_path), images=np.zeros((1, 3, 4, 4), np.uint8), image_names=("a",))
    with pytest.raises(InputError, match=r"^layer 'y': no forward pass: 'b' is read, of which there is no image"):
        forward_float(net)


# --- the order in which values lie ---


def map_of(m: Model, *sizes: int) -> str:
    """A convolution of an image with so many channels, rows and columns."""
    C, H, W_ = sizes
    return m.op("Conv", [m.input("x", [1, 3, H, W_]), m.weights("w0", C, 3, 1, 1)], "c")


def dense(m: Model, value: str, elements: int) -> None:
    m.op("Gemm", [m.op("Flatten", [value], "f"), m.weights("w", elements, 5)], "y")


def last_pooled(m: Model, value: str, op: str, **attributes) -> str:
    scale = [m.tensor("s", np.float32(1.0)), m.tensor("z", np.uint8(0))]
    coded = m.op("QuantizeLinear", [value, *scale], "q")
    made = m.op(op, [coded, *scale, *scale], "p", domain="com.microsoft", channels_last=1, **attributes)
    return m.op("DequantizeLinear", [made, *scale], "d")


def viewed(m: Model, value: str, *shape: int) -> str:
    return m.op("Reshape", [value, m.tensor("shape", np.array(shape))], "r")


#: a square map, whose channels and pixels could be taken for one another; image -> its first layer in another order
CROSSED = {
    "pool of the input": (lambda m: dense(
        m, last_pooled(m, m.input("x", [1, 3, 3, 3]), "QLinearAveragePool", kernel_shape=[2, 2]), 12), "p"),
    "pool": (lambda m: dense(
        m, last_pooled(m, map_of(m, 4, 4, 4), "QLinearAveragePool", kernel_shape=[2, 2], strides=[2, 2]), 16), "p"),
    "global pool": (lambda m: dense(m, last_pooled(m, map_of(m, 4, 4, 4), "QLinearGlobalAveragePool"), 4), "p"),
    "rows": (lambda m: dense(m, m.op("MatMul", [m.input("x", [1, 6, 5]), m.weights("v", 5, 7)], "mm"), 42), "y"),
    "pixels": (lambda m: dense(
        m, m.op("MatMul", [viewed(m, map_of(m, 16, 4, 4), 1, 16, 16), m.weights("v", 16, 7)], "mm"), 112), "mm"),
    "columns": (lambda m: m.op("Gemm", [m.input("x", [5, 5]), m.weights("v", 5, 7)], "y", transA=1), "y"),
    "mean": (lambda m: m.op("Gemm", [
        m.op("ReduceMean", [map_of(m, 4, 4, 4), m.tensor("axes", np.array([1, 2]))], "rd", keepdims=0),
        m.weights("w", 4, 5)], "y"), "rd"),
}  # fmt: skip


def with_images(net: Network) -> tuple[Network, np.ndarray]:
    images = np.random.default_rng(1).integers(0, 256, (net.batch, *net.input_shape), dtype=np.uint8)
    return replace(net, images=images, image_names=("a",) * net.batch), images


@pytest.mark.parametrize("name", CROSSED)
def test_an_image_does_not_flow_through_values_in_another_order(name, tmp_path):
    """Their products were those of other values, without a word, wherever the sizes happened to agree."""
    m = Model()
    make, layer = CROSSED[name]
    make(m)
    net, _ = with_images(network(m, tmp_path))
    for run in (lambda: forward_float(net), lambda: list(walk(net, 0))):
        with pytest.raises(InputError, match=f"^layer '{layer}': no forward pass: it reads channels and pixels in "):
            run()
    assert simulate(replace(net, images=None), load_hardware("systolic"), check=True).summary["check"]["passed"]


STRAIGHT = {
    "flat": lambda m: dense(m, map_of(m, 4, 4, 4), 64),
    "pooled": lambda m: dense(m, m.op("GlobalAveragePool", [map_of(m, 4, 4, 4)], "g"), 4),
    "mean": lambda m: dense(
        m, m.op("ReduceMean", [map_of(m, 4, 4, 4), m.tensor("axes", np.array([2, 3]))], "rd"), 4),
    "one pixel": lambda m: dense(m, m.op("MatMul", [
        m.op("Transpose", [map_of(m, 4, 1, 1)], "t", perm=[0, 2, 3, 1]), m.weights("v", 4, 7)], "mm"), 7),
    "softmax": lambda m: dense(m, m.op("Softmax", [map_of(m, 4, 4, 4)], "sm", axis=1), 64),
    "twice": lambda m: m.op("MatMul", [m.op("MatMul", [m.input("x", [4, 5]), m.weights("v", 5, 5)], "a"),
                                       m.weights("w", 5, 7)], "y"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRAIGHT)
def test_an_image_flows_where_the_order_stays(name, tmp_path):
    m = Model()
    STRAIGHT[name](m)
    net, images = with_images(network(m, tmp_path))
    proto = m.proto("y")
    shape = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    (expected,) = ReferenceEvaluator(proto).run(None, {"x": images.astype(np.float32).reshape(shape)})
    assert np.allclose(forward_float(net)["y"].ravel(), expected.ravel(), rtol=1e-3, atol=1e-2)


# --- convolutions and pools ---

WINDOWS = {
    "plain": ([1, 4, 9, 11], [6, 4, 3, 3], {}, (7, 9), (0, 0, 0, 0)),
    "asymmetric": ([1, 4, 9, 11], [6, 4, 3, 3], {"pads": [1, 0, 2, 1]}, (10, 10), (1, 2, 0, 1)),
    "strided": ([1, 4, 9, 11], [6, 4, 3, 3], {"strides": [2, 3], "pads": [1, 1, 1, 1]}, (5, 4), (1, 1, 1, 1)),
    "dilated": ([1, 4, 9, 11], [6, 4, 3, 3], {"dilations": [2, 3]}, (5, 5), (0, 0, 0, 0)),
    "same upper": (
        [1, 4, 9, 11], [6, 4, 4, 4], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (5, 6), (1, 2, 1, 2),
    ),
    "same lower": (
        [1, 4, 9, 11], [6, 4, 4, 4], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (5, 6), (2, 1, 2, 1),
    ),
    "valid": ([1, 4, 9, 11], [6, 4, 3, 3], {"auto_pad": "VALID"}, (7, 9), (0, 0, 0, 0)),
    "grouped": ([2, 4, 9, 11], [6, 2, 1, 1], {"group": 2}, (9, 11), (0, 0, 0, 0)),
    "depthwise": ([1, 4, 9, 11], [4, 1, 3, 3], {"group": 4}, (7, 9), (0, 0, 0, 0)),
    "one-dimensional": ([1, 4, 20], [6, 4, 5], {"pads": [2, 1], "strides": [2]}, (10, 1), (2, 1, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_convolution(name, tmp_path):
    shape, weights, attributes, output, padding = WINDOWS[name]
    (layer,) = one(tmp_path, "Conv", shape, np.ones(weights, np.float32), **attributes).layers
    assert output == (layer.E, layer.F)
    assert layer.padding == padding
    assert (shape[0], shape[1], weights[0], attributes.get("group", 1)) == (layer.N, layer.C, layer.M, layer.G)
    assert layer.kind == ("depthwise" if name == "depthwise" else "conv")
    assert layer.macs == shape[0] * np.prod(weights) * output[0] * output[1]


@pytest.mark.parametrize(
    ("kind", "attributes", "output"),
    [
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2]}, (4, 5)),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, (5, 6)),
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1]}, (8, 10)),
        ("MaxPool", {"kernel_shape": [3, 3], "dilations": [2, 2]}, (5, 7)),
        ("AveragePool", {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]}, (5, 6)),
        ("GlobalAveragePool", {}, (1, 1)),
        ("GlobalMaxPool", {}, (1, 1)),
    ],
)
def test_pool(kind, attributes, output, tmp_path):
    (layer,) = one(tmp_path, kind, [1, 4, 9, 11], **attributes).layers
    assert (layer.kind, layer.pool, layer.E, layer.F) == ("pool", "max" if "Max" in kind else "avg", *output)
    assert layer.global_pool == kind.startswith("Global")


@pytest.mark.parametrize(
    ("axes", "taps", "outputs"), [([2, 3], 99, 4), ([1], 4, 99), ([-1], 11, 36), ([1, 2, 3], 396, 1)]
)
def test_reduction(axes, taps, outputs, tmp_path):
    for kind, made in (("ReduceMean", ("pool", "avg", None)), ("ReduceSum", ("reduce", None, "sum"))):
        (layer,) = one(tmp_path, kind, [1, 4, 9, 11], np.array(axes)).layers
        assert (layer.kind, layer.pool, layer.function) == made
        assert (layer.R * layer.S, layer.output_elements) == (taps, outputs)


# --- folding ---


def test_forward_is_that_of_the_reference_evaluator(tmp_path):
    """Norms, factors, summands, alpha and beta are folded into weights and biases with their right values."""
    m = Model(3)
    x = m.input("x", [2, 3, 10, 9])
    x = m.op("Conv", [x, m.weights("w1", 8, 3, 3, 3), m.weights("b1", 8)], "c1", pads=[1, 0, 2, 1], strides=[2, 1])
    norm = [m.weights(f"n{i}", 8) for i in range(3)] + [m.tensor("n3", np.full(8, 0.3, np.float32))]
    x = m.op("Relu", [m.op("BatchNormalization", [x, *norm], "bn", epsilon=1e-3)], "r1")
    x = m.op("MaxPool", [x], "p", kernel_shape=[2, 2], strides=[2, 2])
    a = m.op("Conv", [x, m.weights("w2", 4, 8, 1, 1)], "c2")
    a = m.op("Div", [m.op("Add", [a, m.weights("shift", 4, 1, 1)], "plus"), m.tensor("half", np.float32(0.5))], "over")
    b = m.op("Conv", [x, m.weights("w3", 4, 4, 3, 3)], "c3", group=2, auto_pad="SAME_LOWER")
    b = m.op("Mul", [m.tensor("gain", np.array([1, -2, 3, 4], np.float32).reshape(4, 1, 1)), b], "times")
    x = m.op("Flatten", [m.op("Concat", [m.op("Relu", [a], "r2"), b], "cat", axis=1)], "flat")
    x = m.op("Gemm", [x, m.weights("w4", 96, 6), m.weights("b4", 1, 6)], "fc1", alpha=0.5, beta=3.0)
    x = m.op("Sub", [m.op("MatMul", [x, m.weights("w5", 6, 5)], "fc2"), m.weights("b5", 5)], "minus")
    m.op("Relu", [x], "y")
    net = network(m, tmp_path)
    assert [layer.name for layer in net.layers] == ["c1", "p", "c2", "c3", "cat", "fc1", "fc2"]
    assert [layer.activation for layer in net.layers] == ["relu", None, "relu", None, None, None, "relu"]
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 10, 9), dtype=np.uint8)
    (expected,) = ReferenceEvaluator(m.proto("y")).run(None, {"x": images.astype(np.float32)})
    found = forward_float(replace(net, images=images, image_names=("a", "b")))["fc2"]
    np.testing.assert_allclose(found.reshape(2, 5), expected, rtol=1e-4, atol=1e-4)


def test_norm_that_cannot_be_folded_is_a_layer(tmp_path):
    m = Model()
    norm = [m.weights(f"n{i}", 4) for i in range(3)] + [m.tensor("n3", np.full(4, 0.4, np.float32))]
    x = m.op("BatchNormalization", [m.input("x", [1, 4, 5, 5]), *norm], "bn")
    x = m.op("Mul", [x, m.weights("scale", 4, 1, 1)], "scale_node")
    m.op("Relu", [m.op("Add", [x, m.weights("shift", 4, 1, 1)], "shift_node")], "y")
    net = network(m, tmp_path)
    (layer,) = net.layers
    assert (layer.name, layer.kind, layer.activation, layer.params) == ("bn", "batchnorm", "relu", 8)
    x = np.random.default_rng(1).normal(size=(1, 4, 5, 5)).astype(np.float32)
    (expected,) = ReferenceEvaluator(m.proto("y")).run(None, {"x": x})
    found = x * net.weights["bn"].real().reshape(1, -1, 1, 1) + net.weights["bn"].bias.reshape(1, -1, 1, 1)
    np.testing.assert_allclose(np.maximum(found, 0), expected, rtol=1e-4, atol=1e-5)


def test_nothing_folds_into_a_layer_that_others_read(tmp_path):
    m = Model()
    c = m.op("Conv", [m.input("x", [1, 4, 5, 5]), m.weights("w", 4, 4, 1, 1)], "c")
    m.op("Add", [m.op("Relu", [c], "r"), c], "y")
    assert [(layer.name, layer.kind) for layer in network(m, tmp_path).layers] == [
        ("c", "conv"), ("r", "relu"), ("y", "add"),
    ]  # fmt: skip


def test_padding_before_convolutions_is_theirs(tmp_path):
    def build(also: str | None):
        m = Model()
        p = m.op("Pad", [m.input("x", [1, 4, 5, 5]), m.tensor("pads", [0, 0, 1, 0, 0, 0, 0, 2])], "p")
        m.op("Conv", [p, m.weights("w", 4, 4, 3, 3)], "y", pads=[1, 1, 1, 1])
        if also:
            m.op(also, [p], "z")
        return network(m, tmp_path, *("y", "z")[: 1 + bool(also)])

    (layer,) = build(None).layers
    assert (layer.padding, layer.E, layer.F) == ((2, 1, 1, 3), 6, 7)
    assert [layer.kind for layer in build("Relu").layers] == ["move", "conv", "relu"]


@pytest.mark.parametrize(
    ("mode", "padding"), [("SAME_UPPER", (1, 1, 1, 3)), ("SAME_LOWER", (2, 0, 1, 3)), ("VALID", (1, 0, 0, 2))]
)
def test_a_pad_before_a_convolution_that_pads_itself_counts_for_what_it_adds(mode, padding, tmp_path):
    """[5, 5] padded to [6, 7]; SAME at stride 2 makes [3, 4]: 3 + 2 * 2 - 6 = 1 more row, 3 + 3 * 2 - 7 = 2 columns."""
    m = Model()
    p = m.op("Pad", [m.input("x", [1, 4, 5, 5]), m.tensor("pads", [0, 0, 1, 0, 0, 0, 0, 2])], "p")
    m.op("Conv", [p, m.weights("w", 4, 4, 3, 3)], "y", auto_pad=mode, strides=[2, 2])
    (layer,) = network(m, tmp_path).layers
    assert layer.padding == padding
    assert layer.output_shape == ((1, 4, 2, 3) if mode == "VALID" else (1, 4, 3, 4))
    made = ReferenceEvaluator(m.proto("y")).run(None, {"x": np.ones((1, 4, 5, 5), np.float32)})[0]
    assert made.shape == layer.output_shape


# --- what moves and what does not ---

FREE = {
    "Reshape": ([2, 6, 4], [np.array([0, -1])], {}),
    "Flatten": ([2, 6, 4], [], {}),
    "Squeeze": ([2, 1, 4], [np.array([1])], {}),
    "Unsqueeze": ([2, 4], [np.array([0, -1])], {}),
    "Identity": ([2, 4], [], {}),
    "Cast": ([2, 4], [], {"to": TensorProto.FLOAT16}),
    "Dropout": ([2, 4], [], {}),
    "Clip": ([2, 4], [], {}),
    "Transpose": ([2, 1, 4], [], {"perm": [1, 0, 2]}),
    "Slice": ([2, 4], [np.array([0]), np.array([9]), np.array([1])], {}),
    "Expand": ([2, 4], [np.array([2, 1])], {}),
    "Pad": ([2, 4], [np.zeros(4, np.int64)], {}),
}


@pytest.mark.parametrize("kind", FREE)
def test_views_are_free(kind, tmp_path):
    shape, tensors, attributes = FREE[kind]
    m = Model()
    names = [m.op("Sigmoid", [m.input("x", shape)], "s"), *(m.tensor(f"t{i}", t) for i, t in enumerate(tensors))]
    m.op(kind, names, "y", **attributes)
    assert [layer.name for layer in network(m, tmp_path).layers] == ["s"]


MOVES = {  # operator -> input, tensors, attributes, (elements read, elements written)
    "Transpose": ([2, 3, 4], [], {"perm": [0, 2, 1]}, (24, 24)),
    "Slice": ([2, 9, 4], [np.array([1]), np.array([8]), np.array([1]), np.array([3])], {}, (24, 24)),
    "Gather": ([2, 9, 4], [np.array([3, 5])], {"axis": 1}, (16, 16)),
    "Expand": ([2, 1, 4], [np.array([1, 5, 1])], {}, (8, 40)),
    "Tile": ([2, 4], [np.array([1, 3])], {}, (8, 24)),
    "Pad": ([2, 4], [np.array([0, 1, 0, 2])], {}, (8, 14)),
    "DepthToSpace": ([1, 8, 3, 3], [], {"blocksize": 2}, (72, 72)),
    "Resize": ([1, 2, 3, 3], [None, np.array([1, 1, 2, 2], np.float32)], {}, (18, 72)),
}


@EVERY_PRESET
@pytest.mark.parametrize("kind", MOVES)
def test_moves_cost_their_traffic(kind, hardware, tmp_path):
    shape, tensors, attributes, (read, written) = MOVES[kind]
    net = one(tmp_path, kind, shape, *tensors, **attributes)
    assert [layer.kind for layer in net.layers] == ["move"]
    (row,) = simulate(net, load_hardware(hardware)).layers.itertuples()
    assert (row.dram_read_bytes, row.dram_write_bytes) == (read, written)
    assert row.cycles > 0


def test_split_copies_only_what_is_read(tmp_path):
    m = Model()
    first, _, last = m.op("Split", [m.input("x", [1, 7, 4]), m.tensor("n", [2, 4, 1])], "s", ["a", "b", "c"], axis=1)
    m.op("Sigmoid", [first], "y")
    m.op("Sigmoid", [last], "z")
    net = network(m, tmp_path, "y", "z")
    assert [(layer.name, layer.kind, layer.output_elements) for layer in net.layers[:2]] == [
        ("s.0", "move", 8), ("s.2", "move", 4),
    ]  # fmt: skip


def test_a_concat_of_one_tensor_is_that_tensor(tmp_path):
    m = Model()
    a = m.op("Conv", [m.input("x", [1, 3, 6, 6]), m.weights("w", 4, 3, 1, 1)], "a")
    alone = m.op("Concat", [a], "alone", axis=1)
    m.op("Conv", [alone, m.weights("v", 2, 4, 1, 1)], "b")
    network = load_network(m.save(tmp_path / "m.onnx", "b"))
    assert [(layer.name, layer.inputs) for layer in network.layers] == [("a", ("input",)), ("b", ("a",))]


def test_concat_is_free_where_tensors_can_be_written_side_by_side(tmp_path):
    def kinds(axis: int, names: tuple[str, str]):
        m = Model()
        m.input("x", [1, 4, 6, 6])
        m.op("Sigmoid", ["x"], "a")
        m.op("Tanh", ["x"], "b")
        m.op("Concat", names, "y", axis=axis)
        return [layer.kind for layer in network(m, tmp_path, "y").layers if layer.name == "y"]

    assert kinds(1, ("a", "b")) == ["concat"]
    assert kinds(2, ("a", "b")) == ["move"]  # rows of both alternate in memory
    assert kinds(1, ("a", "x")) == ["move"]  # the network's input lies where it lies
    assert kinds(1, ("a", "a")) == ["move"]


def test_channel_shuffle_is_recognised(tmp_path):
    net = load_network(convolutions().save(tmp_path / "m.onnx", "y"))
    (layer,) = [layer for layer in net.layers if layer.kind == "shuffle"]
    assert (layer.name, layer.G, layer.C, layer.H, layer.W) == ("t1", 2, 16, 6, 6)
    assert not [layer for layer in net.layers if layer.kind == "move"]


def test_embedding_reads_rows_and_indices(tmp_path):
    m = Model()
    m.op("Gather", [m.weights("table", 100, 16), m.input("ids", [2, 5], TensorProto.INT64)], "y")
    net = network(m, tmp_path)
    (layer,) = net.layers
    assert (layer.kind, layer.inputs, layer.input_sizes) == ("move", ("table", "input"), (160, 10))
    assert dict(net.side_inputs) == {"table": (100, 16)}


# --- elementwise ---


def test_every_function_and_kind_has_its_operations():
    assert set(FUNCTION_OPERATIONS) <= set(FUNCTIONS["elementwise"])
    for kind in POST_KINDS:
        fields = {"pool": "avg"} if kind == "pool" else {"function": FUNCTIONS.get(kind, [None])[0]}
        assert operations(Layer(name="l", kind=kind, C=4, M=4, **fields)) >= (0 if kind == "concat" else 1)
    assert OPERATIONS["softmax"] == 5
    assert operations(Layer(name="l", kind="elementwise", function="gelu+mul", C=1, M=1)) == 6
    with pytest.raises(InputError, match=r"^layer 'l': function 'glu' must be one of add, sub, "):
        Layer(name="l", kind="elementwise", function="add+glu", C=1, M=1)


def test_chains_are_one_pass(tmp_path):
    """GELU as older exporters write it: five operators, one layer, read once and written once."""
    m = Model()
    x = m.op("Sigmoid", [m.input("x", [1, 8, 16])], "s")
    e = m.op("Erf", [m.op("Div", [x, m.tensor("root", np.float32(2**0.5))], "d")], "e")
    e = m.op("Mul", [x, m.op("Add", [e, m.tensor("unit", np.float32(1))], "a")], "m")
    m.op("Mul", [e, m.tensor("half", np.float32(0.5))], "y")
    net = network(m, tmp_path)
    assert [(layer.name, layer.function, layer.inputs) for layer in net.layers] == [
        ("s", "sigmoid", ("input",)), ("y", "div+erf+add+mul+mul", ("s",)),
    ]  # fmt: skip
    rows = simulate(net, load_hardware("systolic")).layers
    assert (list(rows.dram_read_bytes), list(rows.dram_write_bytes)) == ([128, 128], [128, 128])


def test_broadcast_operands_are_read_once_if_they_stay_in_the_buffer(tmp_path):
    m = Model()
    x = m.input("x", [1, 64, 16, 16])
    m.op("Mul", [x, m.op("Sigmoid", [m.op("GlobalAveragePool", [x], "g")], "s")], "y")
    net = network(m, tmp_path)
    assert net["y"].input_sizes == (64 * 256, 64)
    (row,) = simulate(net, load_hardware("systolic"), layers="y").layers.itertuples()
    assert row.dram_read_bytes == 64 * 256 + 64
    small = load_hardware("eie", small_buffers.settings("eie", act=10.24))
    (row,) = simulate(net, small, layers="y").layers.itertuples()
    assert row.tiles > 1
    assert row.dram_read_bytes == 64 * 256 + 64


CONSTANT = [
    ("Clip", [np.float32(0), np.float32(6)], "relu6", None),
    ("Clip", [np.float32(0)], "relu", None),
    ("Clip", [np.float32(-1), np.float32(1)], "elementwise", "clip"),
    ("Mul", [np.float32(3)], "elementwise", "mul"),
    ("Pow", [np.float32(2)], "elementwise", "pow"),
    ("Max", [np.float32(2)], "elementwise", "max"),
    ("LeakyRelu", [], "elementwise", "leakyrelu"),
    ("Gelu", [], "elementwise", "gelu"),
    ("Erf", [], "elementwise", "erf"),
    ("HardSigmoid", [], "elementwise", "hardsigmoid"),
    ("HardSwish", [], "elementwise", "hardswish"),
    ("Tanh", [], "elementwise", "tanh"),
]


@pytest.mark.parametrize(("kind", "tensors", "made", "function"), CONSTANT)
def test_elementwise(kind, tensors, made, function, tmp_path):
    (layer,) = one(tmp_path, kind, [2, 4, 8], *tensors).layers
    assert (layer.kind, layer.function, layer.output_elements, layer.inputs) == (made, function, 64, ("input",))


@pytest.mark.parametrize(
    ("opset", "shape", "attributes", "length"),
    [(13, [2, 3, 5], {}, 5), (13, [2, 3, 5], {"axis": 1}, 3), (11, [2, 3, 5], {}, 15), (9, [1, 8, 1, 1], {}, 8)],
)
def test_softmax(opset, shape, attributes, length, tmp_path):
    (layer,) = one(tmp_path, "Softmax", shape, opset=opset, **attributes).layers
    assert (layer.kind, layer.M, layer.output_elements) == ("softmax", length, np.prod(shape))
