"""Convolutions of one and two dimensions. A 1-D map is one of W = 1: its rows are what tiles are cut along."""

from dataclasses import replace
from typing import Any

from workloads.importers.onnx.file import Node, shown
from workloads.importers.onnx.graph import Graph, Value
from workloads.importers.onnx.operators import operators
from workloads.importers.onnx.tensors import Constant
from workloads.importers.onnx.weights import Draft
from workloads.window import outputs_of, reach_of, same_padding


@operators.add("Conv")
def conv(graph: Graph, node: Node) -> None:
    """A convolution of one or two spatial dimensions; its weights must be constants."""
    weights = graph.constant(node, 1, "its weight tensor")
    if weights is None:
        raise node.error("input 1 is missing")
    made = convolution(graph, node, graph.read(node, 0), weights, graph.constant(node, 2, "its bias"))
    graph.bind(node, made)


def convolution(graph: Graph, node: Node, value: Value, weights: Constant, bias: Constant | None) -> Value:
    """A convolution layer with the node's attributes; weights: [M, C/G, R] or [M, C/G, R, S], bias: [M]."""
    rank = len(value.shape)
    if rank not in (3, 4) or len(weights.shape) != rank:
        raise node.error(
            f"expected a map and filters of one or two spatial dimensions, not {list(value.shape)} and "
            f"{list(weights.shape)}"
        )
    groups, M = node.integer("group", 1), weights.shape[0]
    kernel = weights.shape[2:]
    given = node.integers("kernel_shape") or kernel
    if given != kernel:
        raise node.error(f"kernel_shape {list(given)} is not that of its weights {list(kernel)}")
    inner = value if value.unpadded is None else replace(value, shape=value.unpadded, pads=(0, 0, 0, 0), unpadded=None)
    C = inner.shape[1]
    if groups < 1 or weights.shape[1] * groups != C:
        raise node.error(f"weights {list(weights.shape)} in {groups} groups do not fit {C} channels")
    if bias is not None and bias.elements not in (1, M):
        raise node.error(f"has {bias.elements} bias values for {M} channels")
    window = windows(node, inner.shape[2:], kernel, value.pads)
    H, W = (*inner.shape[2:], 1)[:2]
    R, S = (*kernel, 1)[:2]
    made = graph.add(
        node, "depthwise" if 1 < groups == C else "conv", [inner], (inner.shape[0], M, *window.pop("output")), axis=1,
        N=inner.shape[0], C=C, H=H, W=W, M=M, R=R, S=S, G=groups, bias=bias is not None, **window,
    )  # fmt: skip
    draft = Draft(weights.reshape((M, C // groups, R, S)))
    if bias is not None:
        draft.add(bias)
    graph.drafts[made.maker] = draft
    return made


def windows(
    node: Node, size: tuple[int, ...], kernel: tuple[int, ...], extra: tuple[int, ...] = (0, 0, 0, 0), *, pool=False
) -> dict[str, Any]:
    """Layer fields (stride, dilation, padding) of a sliding window, and its ``output`` size per dimension.

    extra: padding (top, bottom, left, right) that a Pad before it left to it. pool: it may round its size up.
    """
    count = len(size)
    strides, dilations = node.sizes("strides", count, 1, 1), node.sizes("dilations", count, 1, 1)
    mode, pads = node.string("auto_pad", "NOTSET"), node.sizes("pads", 2 * count, 0)
    if mode not in ("NOTSET", "") and any(pads):
        raise node.error(f"has pads {list(pads)} and auto_pad '{shown(mode)}': expected one of them")
    if mode in ("NOTSET", ""):
        pairs = list(zip(pads[:count], pads[count:], strict=True))
    elif mode == "VALID":
        pairs = [(0, 0)] * count
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        pairs = []
        for place, (length, *spaced) in enumerate(zip(size, kernel, strides, dilations, strict=True)):
            pair = same_padding(length + sum(extra[2 * place : 2 * place + 2]), *spaced)
            pairs.append(pair if mode == "SAME_UPPER" else pair[::-1])
    else:
        raise node.error(f"auto_pad '{shown(mode)}': expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    pairs = [(a + extra[2 * i], b + extra[2 * i + 1]) for i, (a, b) in enumerate(pairs)]
    ceil, output = pool and bool(node.integer("ceil_mode", 0)), []
    for length, (a, b), taps, stride, apart in zip(size, pairs, kernel, strides, dilations, strict=True):
        output.append(outputs_of(length, taps, stride, apart, a, b, ceil=ceil, begins_inside=True))
        if not output[-1]:
            reach = reach_of(taps, apart)
            raise node.error(f"a window of {reach} does not fit {length} with padding {a} and {b}")
    pairs += [(0, 0)] * (2 - count)
    return {
        "output": tuple(output),
        "stride": (*strides, 1)[:2],
        "dilation": (*dilations, 1)[:2],
        "padding": (*pairs[0], *pairs[1]),
        "ceil_mode": ceil,
    }
