"""Operators that need a whole vector at once: softmax, layer norm and their kin, and local response normalisation."""

import math

from workloads.importers.onnx.file import Node
from workloads.importers.onnx.graph import Graph, order_of
from workloads.importers.onnx.operators import operators
from workloads.layer import Lrn
from workloads.registry import InputError


@operators.add("Softmax")
@operators.add("LogSoftmax")
def softmax(graph: Graph, node: Node) -> None:
    """Along one axis; before operator set 13 along all axes from it on."""
    value = graph.read(node, 0)
    rank = len(value.shape)
    whole = graph.opset < 13
    axis = graph.axis(node, node.integer("axis", 1 if whole else -1), rank) if rank else 0
    _vectors(graph, node, "softmax", math.prod(value.shape[axis:]) if whole else (*value.shape, 1)[axis], axis)


@operators.add("LayerNormalization")
@operators.add("RMSNormalization")
@operators.add("com.microsoft.SimplifiedLayerNormalization")
@operators.add("SimplifiedLayerNormalization")
def layer_normalization(graph: Graph, node: Node) -> None:
    """Vectors along the last axes, each with its own mean and deviation or root mean square."""
    value = graph.read(node, 0)
    if any(graph.uses[name] for name in node.outputs[1:] if name):
        raise node.error("its mean and deviation outputs are not supported")
    axis = graph.axis(node, node.integer("axis", -1), len(value.shape))
    _vectors(graph, node, "layernorm", math.prod(value.shape[axis:]), axis, affine=len(node.inputs) > 2)


@operators.add("InstanceNormalization")
@operators.add("GroupNormalization")
def instance_normalization(graph: Graph, node: Node) -> None:
    """Each channel (or group of channels) of each item is one vector."""
    value = graph.read(node, 0)
    if len(value.shape) < 3:
        raise node.error(f"expected a map, not {list(value.shape)}")
    groups = node.integer("num_groups", value.shape[1])
    if groups < 1 or value.shape[1] % groups:
        raise node.error(f"{value.shape[1]} channels do not make {groups} groups")
    _vectors(graph, node, "layernorm", math.prod(value.shape[1:]) // groups, 1)


def _vectors(graph: Graph, node: Node, kind: str, length: int, axis: int, *, affine: bool = False) -> None:
    """A layer over vectors of this length along an axis (or from it on), one pixel each; affine: it has a gain and a
    shift for each element."""
    value = graph.read(node, 0)
    count = value.elements // max(1, length)
    items = graph.batch if count % graph.batch == 0 else 1
    ahead = math.prod(value.shape[:axis])
    lies = order_of((ahead, length, value.elements // max(1, ahead * length)), 1, items)
    made = graph.add(
        node,
        kind,
        [value],
        value.shape,
        axis=value.axis,
        orders=(lies,),
        order=lies,
        N=items,
        C=length,
        M=length,
        H=max(1, count // items),
        bn=affine,
    )
    graph.bind(node, made)


@operators.add("LRN")
def lrn(graph: Graph, node: Node) -> None:
    """Local response normalisation over channels."""
    value = graph.read(node, 0)
    if len(value.shape) < 2:
        raise node.error(f"expected a map, not {list(value.shape)}")
    constants = [node.real(name, default) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))]
    try:
        fields = Lrn(node.integer("size", 0), *constants)
    except InputError as error:
        raise node.error(str(error)) from None
    graph.bind(node, graph.post(node, "lrn", [value], value.shape, 1, lrn=fields))
