"""Quantised models: integer operators, and QuantizeLinear - DequantizeLinear pairs around float ones.

Scales and zero points become the number formats of weights and of the activations between layers. Requantisation is
part of the post-processing unit's work on every sum, so that it makes no layers.
"""

from dataclasses import replace

import numpy as np

from workloads.formats.codes import NumberFormat
from workloads.importers.onnx.file import Node
from workloads.importers.onnx.graph import LOST, Graph, Value, order_of
from workloads.importers.onnx.operators import operators
from workloads.importers.onnx.operators.convolution import convolution
from workloads.importers.onnx.operators.matrix import product
from workloads.importers.onnx.operators.pooling import globally_pooled, pooled
from workloads.importers.onnx.tensors import TYPES, Constant


def number_format(
    node: Node,
    scale: Constant | None,
    zero: Constant | None,
    shape: tuple[int, ...],
    axis: int,
    bits: int,
    signed: bool,
) -> NumberFormat:
    """Format of a tensor of this shape with one scale and zero point, or one per slice along ``axis``."""
    scales = None if scale is None or not scale.known else np.asarray(scale.real(), np.float64).reshape(-1)
    zeros = np.zeros(1, np.int64)
    if zero is not None and zero.known:
        zeros = zero.array.reshape(-1).astype(np.int64)
    along = shape[axis] if -len(shape) <= axis < len(shape) else 1
    for what, values in (("scale", scales), ("zero point", zeros)):
        if values is not None and values.size not in (1, along):
            raise node.error(f"has {values.size} values of {what} for {along} slices of axis {axis} of {list(shape)}")
    if scales is not None and not (np.isfinite(scales).all() and (scales > 0).all()):
        raise node.error("a scale is not positive and finite")
    per_axis = (scales is not None and scales.size > 1) or (zeros != zeros[0]).any()
    one = None if scales is None else float(scales[0]) if scales.size == 1 else tuple(scales.tolist())
    point = int(zeros[0]) if (zeros == zeros[0]).all() else tuple(zeros.tolist())
    if not 1 <= bits <= 32:
        raise node.error(f"codes of {bits} bits are not supported (1 to 32)")
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if zeros.min() < low or zeros.max() > high:
        raise node.error(f"a zero point is outside {low}..{high}")
    return NumberFormat(bits, signed, one, point, axis % len(shape) if per_axis else None)


def _quantised(node: Node, constant: Constant, scale: Constant | None, zero: Constant | None, axis: int) -> Constant:
    """Stored integers with their format."""
    if constant.known and constant.array.dtype.kind not in "iu":
        raise node.error("its stored operand holds no integers")
    form = number_format(node, scale, zero, constant.shape, axis, constant.bits, constant.signed)
    return replace(constant, format=form, key=(*constant.key, "quantised", node.index))


def _blocked(graph: Graph, node: Node, constant: Constant, zero: Constant | None, block: int, axis: int) -> Constant:
    """One scale per block along an axis: no number format says that; the integers less their zero points are kept."""
    bits, signed = constant.bits, constant.signed
    if zero is None or not zero.known or not np.any(zero.array):
        return replace(constant, format=NumberFormat(bits, signed), key=(*constant.key, "blocked", node.index))
    if len(zero.shape) != len(constant.shape):
        raise node.error(f"zero points {list(zero.shape)} do not go with blocks of {list(constant.shape)}")
    graph.budget.spend(constant.elements, node.where)
    size = constant.shape[axis]
    points = np.repeat(zero.array.astype(np.int32), block, axis=axis).take(range(size), axis=axis, mode="clip")
    try:
        difference = constant.array.astype(np.int32) - points
    except ValueError:
        raise node.error(f"zero points {list(zero.shape)} do not go with blocks of {list(constant.shape)}") from None
    narrow = difference.astype(np.int16 if bits < 15 else np.int32)
    return replace(Constant.of(narrow), bits=bits + 1, signed=True, format=NumberFormat(bits + 1, True))


@operators.add("DequantizeLinear")
def dequantize(graph: Graph, node: Node) -> None:
    """A constant keeps its codes, scale and zero point; other values are renamed."""
    value, zero = graph.read(node, 0), graph.constant(node, 2, "its zero point")
    scale = graph.constant(node, 1, "its scale")
    axis, block = node.integer("axis", 1), node.integer("block_size", 0)
    if value.constant is None:
        node.only("block_size", 0, "blocks of a value that is computed are not supported")
        graph.rename(node, value)
        return
    if block and len(value.shape):
        constant = _blocked(
            graph, node, value.constant, zero, min(abs(block), 1 << 20), graph.axis(node, axis, len(value.shape))
        )
    else:
        constant = _quantised(node, value.constant, scale, zero, axis)
    graph.bind(node, Value(value.shape, constant=constant))


@operators.add("QuantizeLinear")
def quantize(graph: Graph, node: Node) -> None:
    """The format of the value's codes: stored in a constant, remembered for what else is computed."""
    value, zero = graph.read(node, 0), graph.constant(node, 2, "its zero point")
    scale = graph.constant(node, 1, "its scale")
    bits, signed = _width(node, zero)
    axis = node.integer("axis", 1)
    node.only("block_size", 0, "quantisation in blocks is supported in DequantizeLinear alone")
    form = number_format(node, scale, zero, value.shape, axis, bits, signed)
    constant = value.constant
    if constant is None:
        _remember(graph, value, form)
        graph.rename(node, value)
        return
    graph.budget.spend(constant.elements, node.where)
    codes = Constant(value.shape, lambda: _round(constant.real(), form), bits=bits, signed=signed)
    graph.bind(node, Value(value.shape, constant=codes if constant.known else Constant(value.shape)))


def _width(node: Node, zero: Constant | None) -> tuple[int, bool]:
    """(bits, signed) of what QuantizeLinear writes: its zero point's type, or its output_dtype, or uint8."""
    wanted = node.integer("output_dtype", 0) if node.op == "QuantizeLinear" else 0
    kind = TYPES.get(wanted or 2)
    if zero is not None:
        if wanted and (kind is None or (kind.bits, kind.signed) != (zero.bits, zero.signed)):
            raise node.error(f"output_dtype {wanted} is not the type of its zero point")
        if zero.known and zero.array.dtype.kind not in "iu":
            raise node.error("its zero point is no integer")
        return min(zero.bits, 32), zero.signed
    if kind is None or kind.is_float or kind.bits > 32:
        raise node.error("quantises to an element type that is not supported")
    return kind.bits, kind.signed


def _round(real: np.ndarray, form: NumberFormat) -> np.ndarray:
    """Codes of real values: round half to even, add the zero point, saturate."""
    shape = [1] * real.ndim
    if form.axis is not None:
        shape[form.axis] = -1
    scale, zero = np.asarray(1.0 if form.scale is None else form.scale), np.asarray(form.zero_point)
    scale, zero = (part.reshape(shape) if part.ndim else part for part in (scale, zero))
    with np.errstate(all="ignore"):
        codes = np.nan_to_num(np.rint(real.astype(np.float64) / scale) + zero)
    return np.clip(codes, form.low, form.high).astype(np.int64)


def _remember(graph: Graph, value: Value, form: NumberFormat) -> None:
    """The format in which a layer's output (or the input) lies in memory; whole tensors only."""
    if value.source is not None and form.axis is None:
        graph.formats.setdefault(value.source, form)


@operators.add("DynamicQuantizeLinear")
def dynamic_quantize(graph: Graph, node: Node) -> None:
    """Codes whose scale and zero point are found at run time: one pass for the range, one to write the codes."""
    value = graph.read(node, 0)
    made = graph.post(node, "elementwise", [value], value.shape, value.axis, function="min+max+quantise")
    graph.formats[made.maker] = NumberFormat(8, False, zero_point=128)
    graph.bind(node, made)
    for place in (1, 2):
        graph.bind(node, Value((), constant=Constant(())), place)


def _stored(graph: Graph, node: Node, place: int, scale: int | None, zero: int, axis: int) -> Value:
    """An operand, with its format if it is stored: input ``place``, its scale's and its zero point's inputs."""
    value = graph.read(node, place)
    scales = None if scale is None else graph.constant(node, scale, "a scale")
    zeros = graph.constant(node, zero, "a zero point")
    if value.constant is not None:
        return replace(value, constant=_quantised(node, value.constant, scales, zeros, axis))
    if scales is not None:
        bits, signed = _width(node, zeros)
        _remember(graph, value, number_format(node, scales, zeros, value.shape, axis, bits, signed))
    return value


def _finish(graph: Graph, node: Node, made: Value, scale: int, zero: int) -> None:
    """Binds an output that is written as codes."""
    zeros = graph.constant(node, zero, "a zero point")
    bits, signed = _width(node, zeros)
    scales = graph.constant(node, scale, "a scale")
    graph.formats[made.maker] = number_format(node, scales, zeros, made.shape, 1, bits, signed)
    graph.bind(node, made)


@operators.add("QLinearConv")
def qlinear_conv(graph: Graph, node: Node) -> None:
    """A convolution of codes, scaled to codes; its weights must be constants."""
    value, weights = _stored(graph, node, 0, 1, 2, 1), _stored(graph, node, 3, 4, 5, 0)
    if weights.constant is None:
        raise node.error("its weight tensor is computed at run time; it must be a constant")
    bias = graph.constant(node, 8, "its bias")
    if bias is not None and bias.known:
        scales = [graph.constant(node, place, "a scale") for place in (1, 4)]
        real = bias.array.reshape(-1).astype(np.float64)
        for scale in scales:
            factor = (
                np.asarray(scale.real(), np.float64).reshape(-1) if scale is not None and scale.known else np.ones(1)
            )
            if factor.size not in (1, real.size):
                raise node.error(f"has {factor.size} scales for {real.size} bias values")
            real = real * factor
        bias = Constant.of(real)
    _finish(graph, node, convolution(graph, node, value, weights.constant, bias), 6, 7)


@operators.add("ConvInteger")
def conv_integer(graph: Graph, node: Node) -> None:
    """A convolution of codes, left as integer sums."""
    value, weights = graph.read(node, 0), _stored(graph, node, 1, None, 3, 0)
    if weights.constant is None:
        raise node.error("its weight tensor is computed at run time; it must be a constant")
    graph.bind(node, convolution(graph, node, value, weights.constant, None))


@operators.add("QLinearMatMul")
def qlinear_matmul(graph: Graph, node: Node) -> None:
    """A product of codes, scaled to codes."""
    a, b = _stored(graph, node, 0, 1, 2, -2), _stored(graph, node, 3, 4, 5, -1)
    _finish(graph, node, product(graph, node, a, b), 6, 7)


@operators.add("MatMulInteger")
def matmul_integer(graph: Graph, node: Node) -> None:
    """A product of codes, left as integer sums."""
    a, b = _stored(graph, node, 0, None, 2, -2), _stored(graph, node, 1, None, 3, -1)
    graph.bind(node, product(graph, node, a, b))


#: ONNX Runtime's integer operators: (the float operator each is, inputs that are data, inputs scale and zero point of
#: its output); other inputs are scales and zero points
_WRAPPED = {
    "QLinearAdd": ("Add", (0, 3), (6, 7)),
    "QLinearMul": ("Mul", (0, 3), (6, 7)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,), (3, 4)),
    "QLinearAveragePool": ("AveragePool", (0,), (3, 4)),
    "QLinearSigmoid": ("Sigmoid", (0,), (3, 4)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,), (3, 4)),
}


#: those that may have their channels last -> the layer
_POOLS = {"AveragePool": pooled, "GlobalAveragePool": globally_pooled}


def _pool(graph: Graph, node: Node) -> Value:
    """A pool of a map whose channels lie last if the node says so: read as it lies, which costs nothing."""
    value = graph.read(node, 0)
    if not node.integer("channels_last", 0):
        return _POOLS[node.op](graph, node, value)
    rank = len(value.shape)
    if rank < 3:
        raise node.error(f"expected a map, not {list(value.shape)}")
    value = graph.flush(node, value)
    first = (value.shape[0], value.shape[-1], *value.shape[1:-1])
    read = order_of(value.shape, rank - 1, value.shape[0])
    order = None if value.order == read else LOST
    made = _POOLS[node.op](graph, node, replace(value, shape=first, axis=1, order=order))
    shape = (made.shape[0], *made.shape[2:], made.shape[1])
    return replace(made, shape=shape, axis=rank - 1, order=order_of(shape, rank - 1, shape[0]))


def _register() -> None:
    for name, entry in _WRAPPED.items():

        def wrapped(graph: Graph, node: Node, entry: tuple = entry) -> None:
            op, data, (scale, zero) = entry
            if max(data) >= len(node.inputs):
                raise node.error(f"input {max(data)} is missing")
            inner = replace(node, op=op, kind=op, inputs=tuple(node.inputs[place] for place in data))
            if op in _POOLS:
                graph.bind(node, _pool(graph, inner))
            else:
                operators.get(op)(graph, inner)
            made = graph.values[node.outputs[0]]
            zeros = graph.constant(node, zero, "a zero point")
            form = number_format(
                node, graph.constant(node, scale, "a scale"), zeros, made.shape, 1, *_width(node, zeros)
            )
            _remember(graph, made, form)

        operators.add(f"com.microsoft.{name}")(wrapped)


_register()
