"""Model files nobody should send, each with the end of the line that refuses it."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.unit.workloads.onnx_models import Model, convolutions

TOO_LARGE = "1073741824 is the limit (check sizes and batch)"


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def changed(edit) -> bytes:
    """A small CNN's file after ``edit(graph)``."""
    proto = convolutions().proto("y")
    edit(proto.graph)
    return proto.SerializeToString()


def node(kind: str, *tensors, shape=(1, 4, 5, 5), outputs=("y",), **attributes) -> bytes:
    m = Model()
    names = [m.input("x", shape), *(m.tensor(f"t{i}", values) for i, values in enumerate(tensors))]
    m.op(kind, names, "y", list(outputs), **attributes)
    return m.proto("y").SerializeToString()


def constants(*steps) -> bytes:
    """Constants worked out one from another, the last one added to the input."""
    m = Model()
    for number, (kind, inputs, attributes) in enumerate(steps):
        names = [m.tensor(f"t{number}_{i}", v) if not isinstance(v, str) else v for i, v in enumerate(inputs)]
        m.op(kind, names, f"c{number}", **attributes)
    m.op("Add", [m.input("x", [1]), f"c{len(steps) - 1}"], "y")
    return m.proto("y").SerializeToString()


def first_tensor(**fields) -> bytes:
    def edit(graph):
        tensor = next(t for t in graph.initializer if t.name == "w1")
        for name, value in fields.items():
            if name == "dims":
                del tensor.dims[:]
                tensor.dims.extend(value)
            else:
                setattr(tensor, name, value)

    return changed(edit)


def swap_nodes(graph):
    first, second = graph.node[0].SerializeToString(), graph.node[1].SerializeToString()
    graph.node[0].ParseFromString(second)
    graph.node[1].ParseFromString(first)


def branch(graph):
    graph.node.append(helper.make_node("If", ["y"], ["z"], then_branch=onnx.GraphProto()))
    graph.output[0].name = "z"


def nested(depth: int) -> bytes:
    """A graph in an attribute of a node in a graph in an attribute ..."""
    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))
    return field(7, graph)


def input_sizes(*sizes) -> bytes:
    def edit(graph):
        for dim, size in zip(graph.input[0].type.tensor_type.shape.dim, sizes, strict=True):
            dim.dim_value = size

    return changed(edit)


HUGE = 1 << 62
#: name -> (file, end of the refusal)
FILES = {
    "empty": (b"", "is no ONNX model: it is empty"),
    "text": (b"name: 'squeezenet' layer { }", "broken file: unknown wire type 6 before byte 1"),
    "no graph": (b"\x08\x07", "is no ONNX model: it has no graph"),
    "cut off": (convolutions().proto("y").SerializeToString()[:-40], "reach past the end of their message"),
    "length past the end": (b"\x3a\x05abc", "broken file: 5 bytes at byte 2 reach past the end of their message"),
    "length without end": (b"\x3a" + b"\xff" * 12, "broken file: an integer at byte 11 does not end"),
    "deep nesting": (nested(200), "messages are nested deeper than 32"),
    "two million empty nodes": (field(7, b"\x0a\x00" * 2_000_000), "has more than 400000 fields"),
    "100,000 nodes": (field(7, b"\x0a\x00" * 100_000), "has 100000 nodes; 20000 is the limit"),
    "packed integers": (
        field(7, field(5, field(7, b"\x01" * (40 << 20)))),
        "more than 33554432 bytes of packed integers (store them as raw data)",
    ),
    "operator set of the future": (
        convolutions().proto("y", opset=999).SerializeToString(), "the onnx package's newest",
    ),
    "name that is no text": (changed(lambda g: None).replace(b"HardSwish", b"Hard\xff\xfeish"), "is no UTF-8 text"),
    "huge stored tensor": (
        first_tensor(dims=(HUGE, HUGE)), f"shape [{HUGE}, {HUGE}] has more than 268435456 elements",
    ),
    "negative size": (first_tensor(dims=(-8, 3, 3, 3)), "has a negative size in its shape [-8, 3, 3, 3]"),
    "more dims than bytes": (
        first_tensor(dims=(1 << 14, 1 << 14)), "268435456 elements of float32 take 1073741824 bytes, it holds 864",
    ),
    "too many dims": (first_tensor(dims=(1,) * 500), "has 500 dimensions; 16 is the limit"),
    "unknown element type": (first_tensor(data_type=77), "uint64, bfloat16, uint4, int4, uint2, int2)"),
    "not finite": (
        first_tensor(raw_data=np.full((8, 3, 3, 3), np.nan, np.float32).tobytes()),
        "layer 'c1': its weights hold a value that is not finite",
    ),
    "huge input": (input_sizes(1, 3, HUGE, HUGE), "has more than 268435456 elements"),
    "negative input": (input_sizes(1, 3, -1, 12), "input 'x': axis 2 has size -1, expected at least 1"),
    "unsorted": (
        changed(swap_nodes), "node 'bn1' (BatchNormalization): reads 'c1' before it is made: the graph is unsorted or "
        "has a cycle",
    ),
    "cycle": (
        changed(lambda g: g.node[0].input.__setitem__(0, "y")),
        "node 'c1' (Conv): reads 'y' before it is made: the graph is unsorted or has a cycle",
    ),
    "own output": (
        changed(lambda g: g.node[0].input.__setitem__(0, "c1")),
        "node 'c1' (Conv): reads 'c1' before it is made: the graph is unsorted or has a cycle",
    ),
    "missing input": (
        changed(lambda g: g.node[0].input.__setitem__(0, "nowhere")),
        "node 'c1' (Conv): reads 'nowhere', which no node, input or stored tensor provides",
    ),
    "missing output": (
        changed(lambda g: setattr(g.output[0], "name", "nowhere")), "output 'nowhere' is made by no node",
    ),
    "too few inputs": (
        changed(lambda g: g.node[0].input.__delitem__(slice(1, 3))), "node 'c1' (Conv): input 1 is missing",
    ),
    "value made twice": (
        changed(lambda g: g.node[2].output.__setitem__(0, "c1")),
        "node 'r1' (Relu): makes 'c1', which is there already",
    ),
    "node name twice": (
        changed(lambda g: setattr(g.node[2], "name", "c1")), "node 'c1' (Relu): its name is used twice",
    ),
    "tensor twice": (changed(lambda g: g.initializer.append(g.initializer[0])), "tensor 'w1' is stored twice"),
    "input twice": (changed(lambda g: g.input.append(g.input[0])), "input 'x' is declared twice"),
    "attribute twice": (
        changed(lambda g: g.node[0].attribute.append(g.node[0].attribute[0])),
        "node 'c1' (Conv): has an attribute twice",
    ),
    "sequence input": (
        changed(lambda g: g.input[0].type.sequence_type.elem_type.tensor_type.Clear()),
        "input 'x': expected a tensor with a shape, not sequence_type",
    ),
    "sparse tensor": (changed(lambda g: g.sparse_initializer.add()), "sparse initialisers are not supported"),
    "subgraph": (
        changed(branch),
        "unsupported operators in 1 of 17 nodes: If (node 16); fold constants and inline functions, or export without",
    ),
    "huge padding": (
        node("Conv", np.ones((4, 4, 3, 3), np.float32), pads=[1 << 40] * 4),
        "attribute 'pads': expected 4 integers from 0 to 1048576, not "
        "[1099511627776, 1099511627776, 1099511627776, 1099511627776]",
    ),
    "padding to a huge map": (
        node("Conv", np.ones((4, 4, 1, 1), np.float32), pads=[1 << 19] * 4), TOO_LARGE,
    ),
    "negative stride": (
        node("MaxPool", kernel_shape=[2, 2], strides=[-1, 1]),
        "attribute 'strides': expected 2 integers from 1 to 1048576, not [-1, 1]",
    ),
    "zero groups": (node("Conv", np.ones((4, 4, 1, 1), np.float32), group=0), "in 0 groups do not fit 4 channels"),
    "expanded for ever": (node("Expand", np.array([HUGE, 1, 1, 1, 1])), TOO_LARGE),
    "tiled for ever": (node("Tile", np.array([1 << 40, 1, 1, 1])), TOO_LARGE),
    "padded for ever": (node("Pad", np.array([0, 0, 0, 0, HUGE, 0, 0, 0])), "expected two amounts for each of 4 axes"),
    "filled for ever": (
        constants(("ConstantOfShape", [np.array([HUGE, 2])], {})),
        f"node 'c0' (ConstantOfShape): shape [{HUGE}, 2] has more than 268435456 elements",
    ),
    "filled and changed": (
        constants(
            ("ConstantOfShape", [np.array([1 << 28])], {}),
            ("Range", [np.float32(0), np.float32(1e8), np.float32(1)], {}),
            ("Add", ["c0", "c1"], {}),
        ),
        "node 'c1' (Range): constants worked out at import have more elements than the file can account for",
    ),
    "outer product of constants": (
        constants(
            ("ConstantOfShape", [np.array([1 << 14, 1])], {}), ("Add", [np.ones((1, 1 << 12), np.float32), "c0"], {}),
        ),
        "node 'c1' (Add): constants worked out at import have more elements than the file can account for",
    ),
    "range without end": (
        constants(("Range", [np.float32(0), np.float32(1), np.float32(0)], {})),
        "'c0' (Range): cannot be worked out: float division by zero",
    ),
    "a hundred thousand axes": (node("Squeeze", axes=[0] * 100_000), "'axes' must be at most 64 integers"),
    "reshape to nothing": (
        node("Reshape", np.array([7, -1])), "node 'y' (Reshape): 100 elements [1, 4, 5, 5] do not fit shape [7, -1]",
    ),
    "axis that is none": (node("Softmax", axis=9), "node 'y' (Softmax): axis 9 is outside a tensor of 4 dimensions"),
    "wrong attribute type": (node("Softmax", axis=0.5), "node 'y' (Softmax): attribute 'axis' is no integer"),
}  # fmt: skip


def external(location: str, **entries) -> bytes:
    """A model whose first weights lie outside it."""
    m = Model()
    tensor = TensorProto(name="w", data_type=1, dims=[4, 4, 1, 1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    m.tensors.append(tensor)
    m.op("Conv", [m.input("x", [1, 4, 5, 5]), "w"], "y")
    return m.proto("y").SerializeToString()
