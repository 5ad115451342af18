"""Small ONNX models for the tests, built with the onnx package's helper."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


class Model:
    """Collects nodes and stored tensors; values are named after their nodes."""

    def __init__(self, seed: int = 0):
        self.nodes, self.tensors, self.inputs, self.rng = [], [], [], np.random.default_rng(seed)

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def tensor(self, name, values):
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def weights(self, name, *shape, density=1.0):
        """Normal float32 values, the share 1 - density of them zero."""
        values = self.rng.normal(0, 0.1, shape) * (self.rng.random(shape) < density)
        return self.tensor(name, values.astype(np.float32))

    def filled(self, name, *shape):
        """A placeholder: ConstantOfShape."""
        self.tensor(f"{name}_shape", np.array(shape, np.int64))
        value = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.02])
        self.nodes.append(helper.make_node("ConstantOfShape", [f"{name}_shape"], [name], value=value))
        return name

    def op(self, kind, inputs, name, outputs=None, domain="", **attributes):
        made = outputs or [name]
        self.nodes.append(helper.make_node(kind, list(inputs), made, name=name, domain=domain, **attributes))
        return made[0] if outputs is None else made

    def proto(self, *outputs, opset=21):
        infos = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "test", self.inputs, infos, self.tensors)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets)

    def save(self, path, *outputs, opset=21):
        Path(path).write_bytes(self.proto(*outputs, opset=opset).SerializeToString())
        return path


def convolutions() -> Model:
    """A small CNN with most of what CNNs have."""
    m = Model()
    x = m.input("x", ["N", 3, 12, 12])
    x = m.op("Conv", [x, m.weights("w1", 8, 3, 3, 3, density=0.3), m.weights("b1", 8)], "c1", pads=[1, 1, 1, 1])
    norm = [m.weights(f"n{i}", 8) for i in range(3)] + [m.tensor("n3", np.full(8, 0.5, np.float32))]
    x = m.op("Relu", [m.op("BatchNormalization", [x, *norm], "bn1")], "r1")
    x = m.op("MaxPool", [x], "p1", kernel_shape=[2, 2], strides=[2, 2])
    y = m.op("Conv", [x, m.weights("w2", 8, 1, 3, 3)], "dw", group=8, auto_pad="SAME_UPPER", strides=[1, 1])
    y = m.op("Clip", [y, m.tensor("zero", np.float32(0)), m.tensor("six", np.float32(6))], "r6")
    x = m.op("Concat", [x, m.op("Add", [x, y], "sum")], "cat", axis=1)
    x = m.op("HardSwish", [x], "hs")
    x = m.op("Reshape", [x, m.tensor("five", np.array([0, 2, 8, 6, 6]))], "g1")
    x = m.op("Reshape", [m.op("Transpose", [x], "t1", perm=[0, 2, 1, 3, 4]), m.tensor("four", [0, 16, 6, 6])], "g2")
    x = m.op("Flatten", [m.op("GlobalAveragePool", [x], "gap")], "flat")
    x = m.op("Gemm", [x, m.weights("w3", 10, 16), m.weights("b3", 10)], "fc", transB=1, alpha=0.5)
    m.op("Softmax", [x], "y", axis=-1)
    return m


def block(S="S", D=32, heads=4, F=64, *, batch="B", filled=False) -> Model:
    """One encoder layer (post-norm, as BERT): x [batch, S, D], additive mask [batch, 1, 1, S]."""
    m = Model()
    make = m.filled if filled else m.weights
    x, mask = m.input("x", [batch, S, D]), m.input("mask", [batch, 1, 1, S])
    split, merge = m.tensor("split", [0, 0, heads, D // heads]), m.tensor("merge", [0, 0, D])
    root = m.tensor("root", np.float32((D // heads) ** 0.5))

    def linear(name, source, inner, outer):
        product = m.op("MatMul", [source, make(f"{name}_w", inner, outer)], name)
        return m.op("Add", [product, make(f"{name}_b", outer)], f"{name}_bias")

    def head(name, order):
        return m.op(
            "Transpose", [m.op("Reshape", [linear(name, x, D, D), split], f"{name}_r")], f"{name}_t", perm=order
        )

    q, k, v = head("q", [0, 2, 1, 3]), head("k", [0, 2, 3, 1]), head("v", [0, 2, 1, 3])
    scores = m.op("Add", [m.op("Div", [m.op("MatMul", [q, k], "scores"), root], "scaled"), mask], "masked")
    context = m.op("MatMul", [m.op("Softmax", [scores], "probs", axis=-1), v], "context")
    context = m.op("Reshape", [m.op("Transpose", [context], "back", perm=[0, 2, 1, 3]), merge], "joined")
    first = m.op("Add", [linear("out", context, D, D), x], "residual1")
    first = m.op("LayerNormalization", [first, make("g1", D), make("s1", D)], "norm1", axis=-1)
    inner = m.op("Gelu", [linear("up", first, D, F)], "gelu")
    second = m.op("Add", [linear("down", inner, F, D), first], "residual2")
    m.op("LayerNormalization", [second, make("g2", D), make("s2", D)], "y", axis=-1)
    return m


def quantised() -> Model:
    """QLinearConv per channel, a QDQ pair around a product of INT4 weights, and dynamic quantisation."""
    m = Model()
    x = m.input("x", [1, 3, 8, 8], TensorProto.UINT8)
    scale, zero = m.tensor("xs", np.float32(0.02)), m.tensor("xz", np.uint8(12))
    w = m.tensor("w", m.rng.integers(-90, 90, (6, 3, 3, 3)).astype(np.int8))
    ws = m.tensor("ws", m.rng.uniform(0.01, 0.02, 6).astype(np.float32))
    x = m.op(
        "QLinearConv", [x, scale, zero, w, ws, m.tensor("wz", np.zeros(6, np.int8)), m.tensor("ys", np.float32(0.1)),
        m.tensor("yz", np.uint8(128)), m.tensor("b", m.rng.integers(-99, 99, 6).astype(np.int32))], "qconv",
        pads=[1, 1, 1, 1],
    )  # fmt: skip
    x = m.op("DequantizeLinear", [x, "ys", "yz"], "dq")
    x = m.op("Flatten", [m.op("AveragePool", [x], "pool", kernel_shape=[4, 4], strides=[4, 4])], "flat")
    codes = m.rng.integers(-8, 8, (24, 10))
    m.tensors.append(helper.make_tensor("w4", TensorProto.INT4, [24, 10], codes.reshape(-1).tolist()))
    w4 = m.op(
        "DequantizeLinear", ["w4", m.tensor("w4s", m.rng.uniform(0.1, 0.2, 10).astype(np.float32))], "w4d", axis=1
    )
    x = m.op("MatMul", [x, w4], "fc4")
    q, s, z = m.op("DynamicQuantizeLinear", [x], "dynamic", ["q", "s", "z"])
    w8 = m.tensor("w8", m.rng.integers(0, 255, (10, 5)).astype(np.uint8))
    x = m.op("MatMulInteger", [q, w8, z, m.tensor("w8z", np.uint8(121))], "fc8")
    x = m.op("Cast", [x], "float", to=TensorProto.FLOAT)
    m.op("Mul", [x, m.op("Mul", [s, m.tensor("w8s", np.float32(0.01))], "both")], "y")
    return m
