"""Pooling windows and reductions over whole dimensions."""

import math

from workloads.importers.onnx.file import LIMIT_SIZE, Node
from workloads.importers.onnx.graph import LOST, Graph, Value, layout
from workloads.importers.onnx.operators import operators
from workloads.importers.onnx.operators.convolution import windows

POOLS = {"MaxPool": "max", "AveragePool": "avg", "GlobalMaxPool": "max", "GlobalAveragePool": "avg"}
#: reductions that are a pool over a whole map; others are named by what they compute
REDUCTIONS = {
    "ReduceMean": "avg", "ReduceMax": "max", "ReduceSum": "sum", "ReduceMin": "min", "ReduceProd": "prod",
    "ReduceL1": "l1", "ReduceL2": "l2", "ReduceSumSquare": "sumsquare", "ReduceLogSumExp": "logsumexp",
    "ArgMax": "argmax", "ArgMin": "argmin",
}  # fmt: skip


@operators.add("MaxPool")
@operators.add("AveragePool")
def pool(graph: Graph, node: Node) -> None:
    """A window's maximum or mean; an error where the index of the maximum is read."""
    graph.bind(node, pooled(graph, node, graph.read(node, 0)))


def pooled(graph: Graph, node: Node, value: Value) -> Value:
    """The output of a pool of a map [N, C, W] or [N, C, H, W]."""
    if len(value.shape) not in (3, 4):
        raise node.error(f"expected a map of one or two spatial dimensions, not {list(value.shape)}")
    if len(node.outputs) > 1 and graph.uses[node.outputs[1]]:
        raise node.error("its index output is not supported")
    kernel = node.sizes("kernel_shape", len(value.shape) - 2, 0, 1)
    if 0 in kernel:
        raise node.error("has no kernel_shape")
    window = windows(node, value.shape[2:], kernel, pool=True)
    if node.op == "AveragePool":
        window["count_include_pad"] = bool(node.integer("count_include_pad", 0))
    (N, C), (H, W), (R, S) = value.shape[:2], (*value.shape[2:], 1)[:2], (*kernel, 1)[:2]
    return graph.add(
        node, "pool", [value], (N, C, *window.pop("output")), axis=1,
        N=N, C=C, M=C, H=H, W=W, R=R, S=S, pool=POOLS[node.op], **window,
    )  # fmt: skip


@operators.add("GlobalAveragePool")
@operators.add("GlobalMaxPool")
def global_pool(graph: Graph, node: Node) -> None:
    """A pool whose window is the map."""
    graph.bind(node, globally_pooled(graph, node, graph.read(node, 0)))


def globally_pooled(graph: Graph, node: Node, value: Value) -> Value:
    """The output of a pool whose window is the map."""
    if len(value.shape) < 3:
        raise node.error(f"expected a map, not {list(value.shape)}")
    N, C, *sizes = value.shape
    H, W = (*sizes, 1)[:2] if len(sizes) < 3 else (math.prod(sizes), 1)
    return graph.add(
        node, "pool", [value], (N, C, *(1 for _ in sizes)), axis=1,
        N=N, C=C, M=C, H=H, W=W, R=H, S=W, pool=POOLS[node.op], global_pool=True,
    )  # fmt: skip


def _reduce(graph: Graph, node: Node) -> None:
    """Every output is made of all elements along the axes: a pool whose window is the map it reads."""
    value = graph.read(node, 0)
    rank, keep = len(value.shape), bool(node.integer("keepdims", 1))
    along: tuple[int, ...] | None
    if node.op.startswith("Arg"):
        along = (node.integer("axis", 0),)
    else:
        along, nothing = graph.numbers(node, 1, "axes"), node.integer("noop_with_empty_axes", 0)
        if not along and nothing:
            graph.rename(node, value)
            return
    axes = {graph.axis(node, axis, rank) for axis in along} if along else set(range(rank))
    kept = tuple(1 if place in axes else size for place, size in enumerate(value.shape))
    shape = kept if keep else tuple(size for place, size in enumerate(kept) if place not in axes)
    N, C, H, W = layout(kept, None, graph.batch)
    taps = math.prod(value.shape[axis] for axis in axes)
    if taps > LIMIT_SIZE * 16:
        raise node.error(f"reduces {taps} elements to one; {LIMIT_SIZE * 16} is the limit")
    R, S = (value.shape[2], value.shape[3]) if rank == 4 and axes == {2, 3} else (taps, 1)
    what = REDUCTIONS[node.op]
    fields = {"kind": "pool", "pool": what, "global_pool": True} if what in ("avg", "max") else {
        "kind": "reduce", "function": what,
    }  # fmt: skip
    last = axes == set(range(rank - len(axes), rank))
    made = graph.add(
        node, inputs=[value], shape=shape, orders=(None if last else LOST,), order=None,
        axis=1 if rank == 4 and axes == {2, 3} else None,
        N=N, C=C * H * W, M=C * H * W, H=R, W=S, R=R, S=S, **fields,
    )  # fmt: skip
    graph.bind(node, made)


for _name in REDUCTIONS:
    operators.add(_name)(_reduce)
