"""Operators that make each output element of one element of every input, and what folds into the layer before."""

import math
from dataclasses import replace

import numpy as np

from workloads.importers.onnx.file import Node
from workloads.importers.onnx.graph import Graph, Value
from workloads.importers.onnx.operators import operators
from workloads.importers.onnx.tensors import Constant, broadcast
from workloads.importers.onnx.weights import Draft

#: operator -> the function of workloads.layer.FUNCTIONS it computes
UNARY = {
    "LeakyRelu": "leakyrelu", "PRelu": "leakyrelu", "Elu": "elu", "Celu": "elu", "Selu": "elu",
    "ThresholdedRelu": "leakyrelu", "Softplus": "softplus", "Softsign": "softsign", "Sigmoid": "sigmoid",
    "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish", "Swish": "swish", "Mish": "mish", "Tanh": "tanh",
    "Erf": "erf", "Gelu": "gelu", "com.microsoft.Gelu": "gelu", "com.microsoft.FastGelu": "gelu",
    "com.microsoft.QuickGelu": "swish", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal",
    "Neg": "neg", "Abs": "abs", "Sign": "sign", "Floor": "round", "Ceil": "round", "Round": "round", "Not": "not",
    "Sin": "sin", "Cos": "cos",
}  # fmt: skip
#: operators of two or more operands that broadcast
BINARY = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Sum": "add", "Max": "max", "Min": "min",
    "Mean": "add", "Mod": "mod", "Where": "where", "Equal": "compare", "Less": "compare", "LessOrEqual": "compare",
    "Greater": "compare", "GreaterOrEqual": "compare", "And": "and", "Or": "or", "Xor": "xor",
}  # fmt: skip
FACTORS, SUMMANDS = ("Mul", "Div"), ("Add", "Sub", "Sum")


@operators.add("Relu")
def relu(graph: Graph, node: Node) -> None:
    """Folded into the layer before where that has no activation of its own."""
    _rectify(graph, node, "relu")


@operators.add("Clip")
def clip(graph: Graph, node: Node) -> None:
    """A clip at 0 and 6, or at 0 alone, is a ReLU6 or a ReLU; one without bounds is nothing."""
    low, high = (_bound(graph, node, place, name) for place, name in ((1, "min"), (2, "max")))
    kinds: dict[tuple[float | None, float | None], str] = {(0.0, 6.0): "relu6", (0.0, None): "relu"}
    kind = kinds.get((low, high))
    if (low, high) == (None, None):
        graph.rename(node, graph.read(node, 0))
    elif kind is not None:
        _rectify(graph, node, kind)
    else:
        unary(graph, node, "clip")


def _bound(graph: Graph, node: Node, place: int, name: str) -> float | None:
    """A bound of a clip, None if there is none that matters."""
    value = graph.peek(node, place)
    if value is None:
        bound = node.real(name, math.inf)
    elif value.constant is not None and value.constant.known and value.elements == 1:
        bound = float(value.constant.real().reshape(-1)[0])
    else:
        return math.nan
    return None if abs(bound) > 1e30 else bound


def _rectify(graph: Graph, node: Node, kind: str) -> None:
    value = graph.read(node, 0)
    if value.constant is None and graph.fuse(value, kind):
        graph.bind(node, value, renames=value)
    else:
        graph.bind(node, graph.post(node, kind, [value], value.shape, value.axis))


def unary(graph: Graph, node: Node, function: str) -> None:
    """A function of each value, on the post-processing unit."""
    value = graph.read(node, 0)
    graph.bind(node, graph.post(node, "elementwise", [value], value.shape, value.axis, function=function))


def _binary(graph: Graph, node: Node) -> None:
    """Folded into the layer before, an addition of equal maps, or a function with broadcast operands."""
    values = [graph.read(node, place) for place in range(len(node.inputs))]
    if not values:
        raise node.error("has no inputs")
    if len(values) == 1:
        graph.rename(node, values[0])
        return
    try:
        shape = broadcast(*(value.shape for value in _aligned(graph, node, values)))
    except ValueError:
        shapes = " and ".join(str(list(value.shape)) for value in values[:8])
        raise node.error(f"shapes {shapes} do not broadcast together") from None
    if len(values) == 2 and _fold(graph, node, values, shape):
        return
    values = _aligned(graph, node, values)
    reads = [value for value in values if value.constant is None or value.elements > 1]
    first = next((value for value in reads if value.shape == shape and value.constant is None), None)
    axis = None if first is None else first.axis
    if node.op in ("Add", "Sum") and len(reads) == len(values) and all(value.shape == shape for value in reads):
        made = graph.post(node, "add", values, shape, axis)
    else:
        names = [BINARY[node.op]] * (1 if node.op == "Where" else len(values) - 1)
        function = "+".join([*names, "div"] if node.op == "Mean" else names)
        made = graph.post(node, "elementwise", reads or values[:1], shape, axis, function=function)
    graph.bind(node, made)


def _aligned(graph: Graph, node: Node, values: list[Value]) -> list[Value]:
    """Operands of operator sets before 7, whose second one is aligned at an ``axis``."""
    if graph.opset >= 7:  # neither attribute exists any more
        return values
    broadcasts, given = node.integer("broadcast", 0), "axis" in node.attributes
    if not given or len(values) != 2 or not broadcasts:
        return values
    axis, (first, second) = node.integer("axis", 0), values
    behind = len(first.shape) - max(axis, 0) - len(second.shape)
    return [first, replace(second, shape=(*second.shape, *(1,) * max(behind, 0)))]


def _fold(graph: Graph, node: Node, values: list[Value], shape: tuple[int, ...]) -> bool:
    """Takes a constant per channel (or one number) into the layer that makes the other operand."""
    data, other = values if values[1].constant is not None else reversed(values)
    swapped = values[1].constant is None
    constant = other.constant
    if data.constant is not None or constant is None or data.shape != shape:
        return False
    aligned = _aligned(graph, node, values)[1].shape if not swapped else constant.shape
    constant = replace(constant, shape=aligned) if aligned != constant.shape else constant
    if not graph.folds(data, constant) or (swapped and node.op in ("Div", "Sub")):
        return False
    layer, draft = graph.layers[data.maker], graph.drafts.get(data.maker)
    if node.op in FACTORS:
        factor = constant
        if node.op == "Div" and constant.exact:
            with np.errstate(all="ignore"):
                inverse = 1.0 / constant.real().astype(np.float64)
            factor = replace(constant, load=lambda: inverse, format=None)
        if draft is not None:
            draft.multiply(factor)
    elif node.op in SUMMANDS:
        if layer.dynamic:  # its sums have no bias to join
            return False
        if draft is not None:
            draft.add(constant, -1.0 if node.op == "Sub" else 1.0)
        if not layer.bn:
            graph.change(data, bias=True)
    else:
        return False
    graph.bind(node, data, renames=data)
    return True


@operators.add("BatchNormalization")
def batch_normalization(graph: Graph, node: Node) -> None:
    """y = scale * (x - mean) / sqrt(var + epsilon) + shift: folded into the convolution before it where it can be."""
    value = graph.read(node, 0)
    if len(value.shape) < 2:
        raise node.error(f"expected a map, not {list(value.shape)}")
    node.only("spatial", 1, "one mean and variance a channel")
    if node.integer("training_mode", 0) or any(graph.uses[name] for name in node.outputs[1:] if name):
        raise node.error("is in training mode; export the model for inference")
    C, given = value.shape[1], [graph.constant(node, place, "a parameter") for place in range(1, 5)]
    vectors = [vector for vector in given if vector is not None and vector.elements == C]
    if len(vectors) < len(given):
        raise node.error(f"expected scale, shift, mean and variance of {C} channels")
    draft = graph.drafts.get(value.source or "")
    layer = graph.layers.get(value.source or "")
    folds = value.axis == 1 and graph.folds(value, replace(vectors[0], shape=(C, *(1,) * (len(value.shape) - 2))))
    if (
        folds
        and layer is not None
        and not layer.dynamic
        and (draft is None or draft.weights.format is None)
        and layer.kind != "batchnorm"
    ):
        if draft is not None:
            _fold_norm(node, draft, [vector.real().astype(np.float64).reshape(-1) for vector in vectors])
        graph.change(value, bn=True)
        graph.bind(node, value, renames=value)
        return
    made = graph.post(node, "batchnorm", [value], value.shape, 1, bn=True)
    if all(vector.exact and not vector.filled for vector in vectors):
        own = replace(Constant.of(np.ones((C, 1, 1, 1), np.float32)), bits=3 * 32)  # scale, mean and variance
        draft = Draft(own)
        _fold_norm(node, draft, [vector.real().astype(np.float64).reshape(-1) for vector in vectors])
        graph.drafts[made.maker] = draft
    graph.bind(node, made)


def _fold_norm(node: Node, draft: Draft, vectors: list[np.ndarray]) -> None:
    scale, shift, mean, variance = vectors
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + node.real("epsilon", 1e-5))
        draft.scale = factor if draft.scale is None else draft.scale * factor
        old = np.zeros(1) if draft.bias is None else draft.bias
        draft.bias = (old - mean) * factor + shift


def _register() -> None:
    for name, function in UNARY.items():

        def one(graph: Graph, node: Node, function: str = function) -> None:
            unary(graph, node, function)

        operators.add(name)(one)
    for name in BINARY:
        operators.add(name)(_binary)


_register()
