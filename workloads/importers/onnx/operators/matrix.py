"""Matrix products: with a constant operand a layer with weights, of two activations a dynamic one."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from workloads.importers.onnx.file import Node
from workloads.importers.onnx.graph import LOST, Graph, Value, order_of
from workloads.importers.onnx.operators import operators
from workloads.importers.onnx.tensors import Constant, broadcast
from workloads.importers.onnx.weights import Draft


@operators.add("MatMul")
def matmul(graph: Graph, node: Node) -> None:
    """A product of matrices, with constants a fully connected layer."""
    graph.bind(node, product(graph, node, graph.read(node, 0), graph.read(node, 1)))


@operators.add("com.microsoft.FusedMatMul")
def fused_matmul(graph: Graph, node: Node) -> None:
    """A product of operands that may be transposed, times alpha."""
    for name in ("transBatchA", "transBatchB"):
        node.only(name, 0, "batches in front")
    a = _transposed(graph.read(node, 0), node.integer("transA", 0))
    b = _transposed(graph.read(node, 1), node.integer("transB", 0))
    made = product(graph, node, a, b)
    _scale(graph, made, node.real("alpha", 1.0))
    graph.bind(node, made)


@operators.add("Gemm")
def gemm(graph: Graph, node: Node) -> None:
    """alpha * A' * B' + beta * C."""
    a = _transposed(graph.read(node, 0), node.integer("transA", 0))
    b = _transposed(graph.read(node, 1), node.integer("transB", 0))
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise node.error(f"expected two matrices, not {list(a.shape)} and {list(b.shape)}")
    made = product(graph, node, a, b)
    _scale(graph, made, node.real("alpha", 1.0))
    graph.bind(node, _with_summand(graph, node, made, graph.peek(node, 2), node.real("beta", 1.0)))


def _transposed(value: Value, wanted: int) -> Value:
    """The value with its last two dimensions swapped; an activation is read that way, which costs nothing."""
    rank = len(value.shape)
    if not wanted or rank < 2:
        return value
    order = (*range(rank - 2), rank - 1, rank - 2)
    constant = None if value.constant is None else value.constant.transpose(order)
    lies = value.order if min(value.shape[-2:]) == 1 else LOST
    return replace(value, shape=tuple(value.shape[axis] for axis in order), constant=constant, order=lies)


def _scale(graph: Graph, made: Value, factor: float) -> None:
    draft = graph.drafts.get(made.maker)
    if factor != 1 and draft is not None:
        draft.multiply(Constant.of(np.array([factor])))


def _with_summand(graph: Graph, node: Node, made: Value, summand: Value | None, beta: float) -> Value:
    """A product's third operand: its bias if it is a constant row, else an addition of its own."""
    if summand is None or beta == 0:
        return made
    J = made.shape[-1]
    draft, constant = graph.drafts.get(made.maker), summand.constant
    row = summand.elements == 1 or (summand.elements == J and summand.shape[-1] == J and made.axis == 1)
    if constant is not None and row and draft is not None:
        draft.add(constant, beta)
        graph.change(made, bias=True)
        return made
    try:
        fits = broadcast(summand.shape, made.shape) == made.shape
    except ValueError:
        fits = False
    if not fits:
        raise node.error(f"C {list(summand.shape)} does not broadcast to the product {list(made.shape)}")
    return graph.post(node, "elementwise", [made, summand], made.shape, made.axis, suffix=".add", function="add")


def product(graph: Graph, node: Node, a: Value, b: Value) -> Value:
    """[..., I, K] x [..., K, J] -> [..., I, J], as numpy's matmul has it (a vector's missing dimension is left out)."""
    if not a.shape or not b.shape:
        raise node.error("expected matrices, not a single number")
    vector_a, vector_b = len(a.shape) == 1, len(b.shape) == 1
    a = _shaped(a, (1, *a.shape)) if vector_a else a
    b = _shaped(b, (*b.shape, 1)) if vector_b else b
    (*lead_a, height, K), (*lead_b, depth, J) = a.shape, b.shape
    try:
        lead = broadcast(tuple(lead_a), tuple(lead_b))
    except ValueError:
        lead = None
    if lead is None or depth != K:
        raise node.error(f"{list(a.shape)} and {list(b.shape)} cannot be multiplied")
    shape = (*lead, height, J)
    if b.constant is not None and a.constant is None and math.prod(lead_b) == 1:
        made = _linear(graph, node, a, b.constant.reshape((K, J)).transpose((1, 0)), shape, len(shape) - 1)
    elif a.constant is not None and b.constant is None and math.prod(lead_a) == 1:
        made = _linear(graph, node, b, a.constant.reshape((height, K)), shape, len(shape) - 2)
    else:
        made = _batched(graph, node, a, b, shape)
    if vector_a or vector_b:
        shape = (*lead, *(() if vector_a else (height,)), *(() if vector_b else (J,)))
        made = replace(made, shape=shape, axis=None)
    return made


def _shaped(value: Value, shape: tuple[int, ...]) -> Value:
    constant = None if value.constant is None else value.constant.reshape(shape)
    return replace(value, shape=shape, constant=constant)


def _linear(graph: Graph, node: Node, value: Value, weights: Constant, shape: tuple[int, ...], axis: int) -> Value:
    """Every row (or column) of an activation times one matrix; weights: [M, K].

    Rows are the batch of a fully connected layer, or else the pixels of a pointwise convolution.
    """
    M, K = weights.shape
    rows = value.elements // K if K else 0
    items = graph.batch if rows % graph.batch == 0 else 1
    H = rows // items
    orders = [order_of(value.shape, axis - len(shape) + len(value.shape), items)]
    kind = "fc" if H == 1 else "conv"
    made = graph.add(node, kind, [value], shape, axis=axis, orders=orders, N=items, C=K, H=H, W=1, M=M)
    graph.drafts[made.maker] = Draft(weights.reshape((M, K, 1, 1)))
    return made


def _batched(graph: Graph, node: Node, a: Value, b: Value, shape: tuple[int, ...]) -> Value:
    """One product per item of the leading dimensions: G groups. Rows of A that share a B are one group's rows.

    An A that several B share is read once for each of them.
    """
    (*lead, rows, J), K = shape, a.shape[-1]
    lead_a, lead_b = ((1,) * (len(lead) - len(x.shape) + 2) + x.shape[:-2] for x in (a, b))
    while lead and lead_b[-1] == 1 and lead_a[-1] == lead[-1]:
        rows *= lead.pop()
        lead_a, lead_b = lead_a[:-1], lead_b[:-1]
    G = math.prod(lead)
    if b.constant is not None and a.constant is None:
        rank = len(b.shape)
        weights = b.constant.transpose((*range(rank - 2), rank - 1, rank - 2))
        lies = None if rows == 1 else LOST  # groups, rows, channels
        sizes = {"G": G, "C": G * K, "H": rows, "M": G * J, "orders": (lies,), "order": lies}
        return _stored(graph, node, a, weights, shape, sizes)
    if a.constant is not None and b.constant is None:
        return _stored(graph, node, b, a.constant, shape, {"G": G, "C": G * K, "H": J, "M": G * rows})
    lies = None if rows == 1 else LOST
    read = a.elements, b.elements  # fewer than the product's where an operand is broadcast
    return graph.add(
        node, "matmul", [a, b], shape, axis=len(shape) - 1, G=G, C=G * K, H=rows, M=G * J, dynamic=True,
        orders=(lies, None), order=lies,
        input_sizes=() if read == (G * K * rows, G * K * J) else read,
    )  # fmt: skip


def _stored(
    graph: Graph, node: Node, value: Value, weights: Constant, shape: tuple[int, ...], sizes: dict[str, Any]
) -> Value:
    """A product with one stored matrix per group; where the file repeats one, only its shape is kept."""
    made = graph.add(node, "matmul", [value], shape, **sizes)
    wanted = graph.layers[made.maker].weight_shape
    try:
        weights = weights.reshape(wanted) if weights.elements == math.prod(wanted) else Constant(wanted)
    except ValueError:
        weights = Constant(wanted)
    graph.drafts[made.maker] = Draft(weights)
    return made
