"""Nodes whose inputs are all known are worked out at import: shape arithmetic, masks, weights on their way to a layer.

Sizes are worked out before memory is taken. Semantics: the ONNX operator reference (onnx.ai/onnx/operators).
"""

import math
from collections.abc import Callable

import numpy as np

from workloads.importers.onnx.file import Node
from workloads.importers.onnx.graph import Graph, Value
from workloads.importers.onnx.tensors import TYPES, Constant, broadcast, check_shape
from workloads.registry import InputError

Array = np.ndarray
#: errors that numpy raises for operands that do not go together
_MISFIT = (ValueError, IndexError, TypeError, OverflowError, ArithmeticError, AttributeError, KeyError)


def evaluate(graph: Graph, node: Node) -> bool:
    """Binds the node's outputs if it can be worked out at import; False if it cannot."""
    values = [graph.values[name] if name else None for name in node.inputs]
    if node.kind in ("Shape", "Size"):
        _shape(graph, node)
        return True
    if node.kind not in EVALUATORS or any(value is not None and value.constant is None for value in values):
        return False
    constants = [None if value is None else value.constant for value in values]
    needed = constants[1:] if node.kind in VIEWS else constants
    if any(constant is not None and not constant.exact for constant in needed):
        return _unknown(graph, node, constants)
    try:
        with np.errstate(all="ignore"):
            made = EVALUATORS[node.kind](graph, node, constants)
    except InputError:
        raise
    except _MISFIT as error:
        raise node.error(f"cannot be worked out: {str(error).splitlines()[0][:120]}") from None
    for place, constant in enumerate(made if isinstance(made, list) else [made]):
        graph.bind(node, Value(constant.shape, constant=constant), place)
    return True


def _shape(graph: Graph, node: Node) -> None:
    shape = graph.read(node, 0).shape
    if node.kind == "Size":
        array = np.array(math.prod(shape), dtype=np.int64)
    else:
        end = node.integer("end", len(shape))
        array = np.array(shape[node.integer("start", 0) : end], dtype=np.int64)
    graph.bind(node, Value(array.shape, constant=Constant.of(array)))


def _unknown(graph: Graph, node: Node, constants: list[Constant | None]) -> bool:
    """A scale that is computed at run time stays a number per tensor or channel, of unknown value."""
    if node.kind not in BINARY:
        return False
    shapes = [constant.shape for constant in constants if constant is not None]
    try:
        shape = broadcast(*shapes)
    except ValueError:
        raise node.error(
            f"its inputs {' and '.join(str(list(shape)) for shape in shapes)} do not go together"
        ) from None
    graph.bind(node, Value(shape, constant=Constant(shape)))
    return True


# --- evaluators: (graph, node, constants) -> Constant, or one per output ---


def _elementwise(function: Callable[..., Array]):
    def evaluator(graph: Graph, node: Node, constants: list[Constant | None]) -> Constant:
        parts = [constant.real() for constant in constants if constant is not None]
        shape = check_shape(broadcast(*(part.shape for part in parts)), node.where)
        if parts and all(part.size == 1 or not any(part.strides) for part in parts):  # one value, however often
            value = np.asarray(function(*(part.reshape(-1)[:1] for part in parts if part.size)))
            return Constant.of(np.broadcast_to(value.reshape((1,) * len(shape)), shape))
        graph.budget.spend(math.prod(shape), node.where)
        return Constant.of(np.asarray(function(*parts)))

    return evaluator


def _folded(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """A function of two as a function of many (Sum, Max, Min)."""

    def many(first: Array, *others: Array) -> Array:
        for other in others:
            first = function(first, other)
        return first

    return many


def _divide(a: Array, b: Array) -> Array:
    """Integers divide towards zero."""
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)
    return a / b


def _mod(graph: Graph, node: Node, constants: list[Constant | None]) -> Constant:
    """The sign of the divisor, or with ``fmod`` that of the dividend."""
    return _elementwise(np.fmod if node.integer("fmod", 0) else np.mod)(graph, node, constants)


def _trilu(graph: Graph, node: Node, constants: list[Constant | None]) -> Constant:
    data, diagonal = constants[0], 0
    if data is None:
        raise node.error("input 0 is missing")
    array = data.array
    if len(constants) > 1 and constants[1] is not None:
        diagonal = int(constants[1].array.reshape(-1)[0])
    graph.budget.spend(2 * array.size, node.where)
    return Constant.of((np.triu if node.integer("upper", 1) else np.tril)(array, diagonal))


def _constant(graph: Graph, node: Node, _constants: list) -> Constant:
    tensor = node.tensor("value")
    if tensor is not None:
        return tensor
    kinds: dict[str, Callable[[str], Array]] = {
        "value_int": lambda name: np.array(node.integer(name, 0), dtype=np.int64),
        "value_float": lambda name: np.array(node.real(name, 0), dtype=np.float32),
        "value_ints": lambda name: np.array(node.integers(name), dtype=np.int64),
        "value_floats": lambda name: np.array(node.reals(name), dtype=np.float32),
    }
    for name, made in kinds.items():
        if name in node.attributes:
            return Constant.of(made(name))
    raise node.error("expected a value, value_int, value_ints, value_float or value_floats")


def _constant_of_shape(graph: Graph, node: Node, constants: list) -> Constant:
    shape = check_shape(tuple(int(size) for size in constants[0].array.reshape(-1)), node.where)
    fill = node.tensor("value")
    value = np.zeros(1, np.float32) if fill is None else fill.array.reshape(-1)
    if value.size != 1:
        raise node.error("its value must be one number")
    return Constant.of(np.broadcast_to(value.reshape((1,) * len(shape)), shape))


def _cast(graph: Graph, node: Node, constants: list) -> Constant:
    kind = TYPES.get(node.integer("to", 1))
    if kind is None:
        raise node.error("casts to an element type that is not supported")
    (constant,) = constants
    if kind.bits < 8 or kind.name == "bfloat16" or constant.load is None or (constant.format and kind.is_float):
        return constant
    array = constant.real()
    if constant.filled:
        return Constant.of(
            np.broadcast_to(array.reshape(-1)[:1].astype(kind.numpy).reshape((1,) * array.ndim), array.shape)
        )
    graph.budget.spend(array.size, node.where)
    return Constant.of(array.astype(kind.numpy))


def _expand(graph: Graph, node: Node, constants: list) -> Constant:
    data, sizes = constants[0].array, tuple(int(size) for size in constants[1].array.reshape(-1))
    shape = check_shape(broadcast(data.shape, sizes), node.where)
    return Constant.of(np.broadcast_to(data, shape))


def _gather(graph: Graph, node: Node, constants: list) -> Constant:
    data, index = constants[0].array, constants[1].array
    axis = graph.axis(node, node.integer("axis", 0), data.ndim)
    shape = check_shape(data.shape[:axis] + index.shape + data.shape[axis + 1 :], node.where)
    graph.budget.spend(math.prod(shape), node.where)
    return Constant.of(np.take(data, index.astype(np.int64), axis=axis))


def _concat(graph: Graph, node: Node, constants: list) -> Constant:
    arrays = [constant.real() for constant in constants if constant is not None]
    graph.budget.spend(sum(array.size for array in arrays), node.where)
    return Constant.of(np.concatenate(arrays, axis=graph.axis(node, node.integer("axis", 1), arrays[0].ndim)))


def _range(graph: Graph, node: Node, constants: list) -> Constant:
    start, limit, delta = (constant.array.reshape(-1)[0] for constant in constants)
    count = max(0, math.ceil((float(limit) - float(start)) / float(delta)))
    graph.budget.spend(count, node.where)
    check_shape((count,), node.where)
    return Constant.of((start + np.arange(count) * delta).astype(constants[0].array.dtype))


def _tile(graph: Graph, node: Node, constants: list) -> Constant:
    data, repeats = constants[0].array, [int(count) for count in constants[1].array.reshape(-1)]
    shape = check_shape(tuple(size * count for size, count in zip(data.shape, repeats, strict=True)), node.where)
    graph.budget.spend(math.prod(shape), node.where)
    return Constant.of(np.tile(data, repeats))


def _slice(graph: Graph, node: Node, constants: list) -> Constant:
    from workloads.importers.onnx.operators.movement import slices

    return Constant.of(constants[0].array[slices(graph, node, constants[0].shape)])


def _split(graph: Graph, node: Node, constants: list) -> list[Constant]:
    from workloads.importers.onnx.operators.movement import split_sizes

    axis, sizes = split_sizes(graph, node, constants[0].shape)
    return [Constant.of(part) for part in np.split(constants[0].array, np.cumsum(sizes)[:-1], axis=axis)]


def _reduce(function: Callable[..., Array]):
    def evaluator(graph: Graph, node: Node, constants: list) -> Constant:
        array = constants[0].real()
        axes, keep = graph.numbers(node, 1, "axes"), bool(node.integer("keepdims", 1))
        nothing = node.integer("noop_with_empty_axes", 0)
        if not axes and nothing:
            return constants[0]
        axes = tuple(graph.axis(node, axis, array.ndim) for axis in axes or range(array.ndim))
        graph.budget.spend(array.size, node.where)
        made = function(array, axis=axes, keepdims=keep)
        return Constant.of(np.asarray(made).astype(array.dtype))

    return evaluator


def _view(graph: Graph, node: Node, constants: list) -> Constant:
    """Reshape and its kin: the shape is worked out as for any value, the bytes stay."""
    from workloads.importers.onnx.operators.movement import renamed_shape

    shape = check_shape(renamed_shape(graph, node, constants[0].shape), node.where)
    return constants[0].reshape(shape)


def _transpose(graph: Graph, node: Node, constants: list) -> Constant:
    from workloads.importers.onnx.operators.movement import permutation

    return constants[0].transpose(permutation(graph, node, len(constants[0].shape)))


BINARY: dict[str, Callable[..., Array]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _divide, "Pow": np.power,
    "Equal": np.equal, "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal, "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor,
}  # fmt: skip
UNARY: dict[str, Callable[..., Array]] = {
    "Floor": np.floor, "Ceil": np.ceil, "Round": np.rint, "Sqrt": np.sqrt, "Neg": np.negative, "Abs": np.abs,
    "Not": np.logical_not, "Exp": np.exp, "Log": np.log, "Reciprocal": np.reciprocal, "Sign": np.sign,
    "Sin": np.sin, "Cos": np.cos,
}  # fmt: skip
#: operators that leave their first input's bytes as they are, whatever those stand for
VIEWS = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
MANY = {"Sum": np.add, "Max": np.maximum, "Min": np.minimum}
EVALUATORS: dict[str, Callable] = {
    "Constant": _constant, "ConstantOfShape": _constant_of_shape, "Cast": _cast, "Expand": _expand, "Gather": _gather,
    "Concat": _concat, "Range": _range, "Tile": _tile, "Slice": _slice, "Split": _split, "Transpose": _transpose,
    "ReduceProd": _reduce(np.prod), "ReduceSum": _reduce(np.sum), "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min), "ReduceMean": _reduce(np.mean),
    "Mod": _mod, "Trilu": _trilu, "Where": _elementwise(np.where),
    "Identity": lambda graph, node, constants: constants[0],
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _view),
    **{op: _elementwise(function) for op, function in (BINARY | UNARY).items()},
    **{op: _elementwise(_folded(function)) for op, function in MANY.items()},
}  # fmt: skip
#: operators that are worked out at import and cost nothing
AT_IMPORT = {*EVALUATORS, "Shape", "Size"}
