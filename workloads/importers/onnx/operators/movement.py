"""Renaming costs nothing, moving costs traffic: Reshape and its kin, and Transpose, Slice, Gather, Concat and theirs.

Tensors lie in memory row by row as the file shapes them. What keeps every byte where it is only renames; what does not
is a copy on the post-processing unit (kind 'move').
"""

import math
from dataclasses import replace

import numpy as np

from workloads.importers.onnx.file import LIMIT_SIZE, Node, shown
from workloads.importers.onnx.graph import Graph, Value, layout
from workloads.importers.onnx.operators import operators
from workloads.importers.onnx.tensors import broadcast

PAD_MODES = ("constant", "reflect", "edge", "wrap")
#: attribute of a nearest-neighbour Resize -> values with which its size is what sizes or scales say
RESIZE_RULES = {
    "coordinate_transformation_mode": (
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    ),
    "keep_aspect_ratio_policy": ("stretch",),
    "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
}  # fmt: skip

# --- views ---


@operators.add("Identity")
@operators.add("Dropout")
@operators.add("Cast")
@operators.add("CastLike")
def identity(graph: Graph, node: Node) -> None:
    """Dropout does nothing outside training; a cast is part of writing the value."""
    graph.rename(node, graph.read(node, 0))
    if len(node.outputs) > 1 and graph.uses[node.outputs[1]]:
        raise node.error("its mask output is not supported")


@operators.add("Reshape")
@operators.add("Flatten")
@operators.add("Squeeze")
@operators.add("Unsqueeze")
def reshape(graph: Graph, node: Node) -> None:
    """Another name and shape of the same values."""
    value = graph.read(node, 0)
    graph.rename(node, value, renamed_shape(graph, node, value.shape))


def renamed_shape(graph: Graph, node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that Reshape, Flatten, Squeeze or Unsqueeze gives a value."""
    return {"Reshape": _reshaped, "Flatten": _flattened, "Squeeze": _squeezed, "Unsqueeze": _unsqueezed}[node.op](
        graph, node, shape
    )


def _reshaped(graph: Graph, node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    wanted = graph.numbers(node, 1, "shape")
    if wanted is None:
        raise node.error("has no shape")
    sizes = list(wanted)
    if not node.integer("allowzero", 0):
        if any(size == 0 and place >= len(shape) for place, size in enumerate(sizes)):
            raise node.error(f"shape {sizes}: 0 keeps a dimension that {list(shape)} does not have")
        sizes = [shape[place] if size == 0 else size for place, size in enumerate(sizes)]
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes):
        raise node.error(f"shape {list(wanted)} is none (one -1 at most)")
    if -1 in sizes:
        others = math.prod(size for size in sizes if size != -1)
        if others < 1 or math.prod(shape) % others:
            raise node.error(f"{math.prod(shape)} elements {list(shape)} do not fit shape {list(wanted)}")
        sizes[sizes.index(-1)] = math.prod(shape) // others
    if math.prod(sizes) != math.prod(shape):
        raise node.error(f"{math.prod(shape)} elements {list(shape)} do not fit shape {list(wanted)}")
    return tuple(sizes)


def _flattened(graph: Graph, node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    axis = node.integer("axis", 1)
    axis = axis if axis == len(shape) else graph.axis(node, axis, len(shape))
    return math.prod(shape[:axis]), math.prod(shape[axis:])


def _squeezed(graph: Graph, node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    axes = graph.numbers(node, 1, "axes")
    if axes is None:
        return tuple(size for size in shape if size != 1)
    gone = {graph.axis(node, axis, len(shape)) for axis in axes}
    if any(shape[axis] != 1 for axis in gone):
        raise node.error(f"axes {sorted(gone)} of {list(shape)} are not all of size 1")
    return tuple(size for place, size in enumerate(shape) if place not in gone)


def _unsqueezed(graph: Graph, node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    axes = graph.numbers(node, 1, "axes") or ()
    rank = len(shape) + len(axes)
    new = {graph.axis(node, axis, rank) for axis in axes}
    if len(new) != len(axes):
        raise node.error(f"axes {list(axes)} name one dimension twice")
    sizes = iter(shape)
    return tuple(1 if place in new else next(sizes) for place in range(rank))


# --- moves ---


@operators.add("Transpose")
def transpose(graph: Graph, node: Node) -> None:
    """A rename where nothing moves, a channel shuffle, or a permutation on the post-processing unit."""
    value = graph.read(node, 0)
    order = permutation(graph, node, len(value.shape))
    shape = tuple(value.shape[axis] for axis in order)
    moved = [axis for axis in order if value.shape[axis] > 1]
    axis = None if value.axis is None else order.index(value.axis)
    if moved == sorted(moved):
        graph.rename(node, value, shape)
        return
    shuffled = _shuffled(value, order)
    if shuffled is not None:
        groups, origin = shuffled
        N, C, H, W = layout(origin, 1, origin[0])
        graph.bind(node, graph.add(node, "shuffle", [value], shape, N=N, C=C, M=C, H=H, W=W, G=groups))
        return
    graph.bind(node, graph.post(node, "move", [value], shape, axis))


def permutation(graph: Graph, node: Node, rank: int) -> tuple[int, ...]:
    """Attribute perm, by default the reverse order; an error if it is no order of ``rank`` axes."""
    order = node.integers("perm")
    order = tuple(reversed(range(rank))) if order is None else order
    if sorted(order) != list(range(rank)):
        raise node.error(f"perm {list(order[:16])} is no order of {rank} dimensions")
    return order


def _shuffled(value: Value, order: tuple[int, ...]) -> tuple[int, tuple[int, ...]] | None:
    """(groups, shape of the map) of a channel shuffle; None if it is none.

    One is [N, C, ...] seen as [N, g, C/g, ...] with its second and third axes swapped.
    """
    shape, origin = value.shape, value.origin
    if origin is None or len(shape) < 4 or len(origin) < 3 or order != (0, 2, 1, *range(3, len(shape))):
        return None
    same = origin[0] == shape[0] and origin[1] == shape[1] * shape[2]
    shuffled = same and shape[1] > 0 and math.prod(origin[2:]) == math.prod(shape[3:])
    return (shape[1], origin) if shuffled else None


@operators.add("Concat")
def concat(graph: Graph, node: Node) -> None:
    """Free where its inputs can be written side by side: outputs of layers, each part of no other joined tensor."""
    values = [graph.read(node, place) for place in range(len(node.inputs))]
    values = [value for value in values if value.elements] or values  # an empty cache adds nothing
    if not values:
        raise node.error("has no inputs")
    shape = values[0].shape
    axis = graph.axis(node, node.integer("axis", 1), len(shape))
    others = [value.shape[:axis] + value.shape[axis + 1 :] for value in values]
    if any(len(value.shape) != len(shape) for value in values) or len(set(others)) > 1:
        shapes = ", ".join(str(list(value.shape)) for value in values[:8])
        raise node.error(f"joins {shapes} along axis {axis}, which differ in other dimensions")
    shape = (*shape[:axis], sum(value.shape[axis] for value in values), *shape[axis + 1 :])
    if len(values) == 1:
        graph.rename(node, values[0])
        return
    values = [graph.flush(node, value) for value in values]
    sources = [value.source or "" for value in values]
    apart = len(set(sources)) == len(sources) and not graph.joined.intersection(sources)
    if apart and all(source in graph.layers for source in sources) and axis > 0 and math.prod(shape[1:axis]) == 1:
        graph.joined.update(sources)
        made = graph.post(node, "concat", values, shape, axis)
    else:
        made = graph.post(node, "move", values, shape, axis)
    graph.bind(node, made)


@operators.add("Split")
def split(graph: Graph, node: Node) -> None:
    """A part for every output that is read."""
    value = graph.read(node, 0)
    axis, sizes = split_sizes(graph, node, value.shape)
    for place, size in enumerate(sizes):
        if not graph.uses[node.outputs[place]]:
            continue
        shape = (*value.shape[:axis], size, *value.shape[axis + 1 :])
        _part(graph, node, value, shape, place)


def split_sizes(graph: Graph, node: Node, shape: tuple[int, ...]) -> tuple[int, list[int]]:
    """(axis, size of each output)."""
    axis = graph.axis(node, node.integer("axis", 0), len(shape))
    given, count = graph.numbers(node, 1, "split"), len(node.outputs)
    node.only("num_outputs", count, "as it has outputs")
    each = -(-shape[axis] // max(1, count))
    sizes = [min(each, shape[axis] - each * place) for place in range(count)] if given is None else list(given)
    if len(sizes) != count or min(sizes, default=0) < 1 or sum(sizes) != shape[axis]:
        raise node.error(f"splits {shape[axis]} into {sizes[:8]} for {count} outputs")
    return axis, sizes


@operators.add("Slice")
def slice_(graph: Graph, node: Node) -> None:
    """The part that its windows leave; an error if that is nothing."""
    value = graph.read(node, 0)
    window = slices(graph, node, value.shape)
    shape = tuple(len(range(*part.indices(size))) for part, size in zip(window, value.shape, strict=True))
    if 0 in shape:
        raise node.error(f"takes nothing of {list(value.shape)}")
    _part(graph, node, value, shape)


def _part(graph: Graph, node: Node, value: Value, shape: tuple[int, ...], place: int = 0) -> None:
    """A copy of part of a value; all of it is the value itself."""
    if shape == value.shape:
        graph.rename(node, value, place=place)
        return
    suffix = f".{place}" if len(node.outputs) > 1 else ""
    made = graph.post(node, "move", [value], shape, value.axis, suffix=suffix, reads=(math.prod(shape),))
    graph.bind(node, made, place)


def slices(graph: Graph, node: Node, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """One Python slice per dimension."""
    starts, ends = graph.numbers(node, 1, "starts"), graph.numbers(node, 2, "ends")
    if starts is None or ends is None:
        raise node.error("has no starts or ends")
    axes = graph.numbers(node, 3, "axes") or tuple(range(len(starts)))
    steps = graph.numbers(node, 4, "steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise node.error("its starts, ends, axes and steps do not go together")
    window = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = graph.axis(node, axis, len(shape))
        size = shape[axis]
        if step > 0:
            window[axis] = slice(start, end, step)
        else:  # the end -size - 1 is "before the first", which Python calls None
            window[axis] = slice(start, end if end >= -size else None, step)
    return tuple(window)


@operators.add("Gather")
def gather(graph: Graph, node: Node) -> None:
    """Rows of a table: as many bytes are read as are written, and the indices if they are computed."""
    data, index = graph.read(node, 0), graph.read(node, 1)
    axis = graph.axis(node, node.integer("axis", 0), len(data.shape))
    shape = data.shape[:axis] + index.shape + data.shape[axis + 1 :]
    inputs, reads = [data], [math.prod(shape)]
    if index.constant is None:
        inputs.append(index)
        reads.append(index.elements)
    graph.bind(node, graph.post(node, "move", inputs, shape, reads=tuple(reads)))


@operators.add("Expand")
@operators.add("Tile")
def expand(graph: Graph, node: Node) -> None:
    """Values repeated to a broadcast or tiled shape."""
    value, sizes = graph.read(node, 0), graph.numbers(node, 1, "shape")
    if sizes is None:
        raise node.error("has no shape")
    try:
        if node.op == "Tile":
            shape = tuple(size * count for size, count in zip(value.shape, sizes, strict=True))
        else:
            shape = broadcast(value.shape, sizes)
    except ValueError:
        raise node.error(f"{list(value.shape)} does not become {list(sizes)}") from None
    if math.prod(shape) == value.elements:
        graph.rename(node, value, shape)
    else:
        graph.bind(node, graph.post(node, "move", [value], shape))


@operators.add("Pad")
def pad(graph: Graph, node: Node) -> None:
    """Zeros around a map are left to the convolutions that read it; any other padding is a copy."""
    value, amounts = graph.read(node, 0), graph.numbers(node, 1, "pads")
    axes, rank = graph.numbers(node, 3, "axes"), len(value.shape)
    mode, zero = node.string("mode", "constant"), node.real("value", 0.0) == 0
    if mode not in PAD_MODES:
        raise node.error(f"mode '{shown(mode)}': expected one of {', '.join(PAD_MODES)}")
    axes = tuple(range(rank)) if axes is None else tuple(graph.axis(node, axis, rank) for axis in axes)
    if amounts is None or len(amounts) != 2 * len(axes) or any(abs(n) > 1 << 20 for n in amounts):
        raise node.error(f"expected two amounts for each of {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = amounts[place], amounts[len(axes) + place]
    shape = tuple(size + a + b for size, a, b in zip(value.shape, before, after, strict=True))
    if min(shape) < 1:
        raise node.error(f"pads {list(value.shape)} by {before} and {after}, which leaves nothing")
    if shape == value.shape and not any(before):
        graph.rename(node, value)
        return
    if mode == "constant" and zero and _left_to_convolutions(graph, node, value, before, after):
        top, left = (*before[2:], 0)[:2]
        bottom, right = (*after[2:], 0)[:2]
        padded = replace(value, shape=shape, pads=(top, bottom, left, right), unpadded=value.shape)
        graph.bind(node, padded, renames=value)
        return
    graph.bind(node, graph.post(node, "move", [value], shape, value.axis))


def _left_to_convolutions(graph: Graph, node: Node, value: Value, before: list[int], after: list[int]) -> bool:
    fill = graph.peek(node, 2)
    zero = fill is None or (fill.constant is not None and fill.constant.known and not np.any(fill.constant.array))
    plain = all(each.kind == "Conv" and each.inputs[0] == node.outputs[0] for each in graph.readers[node.outputs[0]])
    spatial = len(value.shape) in (3, 4) and not any((*before[:2], *after[:2])) and min(before + after) >= 0
    seen = node.outputs[0] in graph.model.outputs
    return zero and plain and spatial and not seen and value.unpadded is None and value.constant is None


@operators.add("DepthToSpace")
@operators.add("SpaceToDepth")
def depth_to_space(graph: Graph, node: Node) -> None:
    """Blocks of b x b pixels become channels, or the other way round."""
    value, block = graph.read(node, 0), node.integer("blocksize", 0)
    if len(value.shape) != 4 or not 1 <= block <= LIMIT_SIZE:
        raise node.error(f"expected a map and a blocksize, not {list(value.shape)} and {block}")
    N, C, H, W = value.shape
    if node.op == "DepthToSpace":
        if node.string("mode", "DCR") not in ("DCR", "CRD"):
            raise node.error(f"mode '{shown(node.string('mode', ''))}': expected DCR or CRD")
        shape, fits = (N, C // block**2, H * block, W * block), C % block**2 == 0
    else:
        shape, fits = (N, C * block**2, H // block, W // block), H % block == 0 and W % block == 0
    if not fits:
        raise node.error(f"{list(value.shape)} has no whole blocks of {block} x {block}")
    graph.bind(node, graph.post(node, "move", [value], shape, 1))


@operators.add("Resize")
@operators.add("Upsample")
def resize(graph: Graph, node: Node) -> None:
    """Nearest neighbour: a copy into a map of another size."""
    value, rank = graph.read(node, 0), len(graph.read(node, 0).shape)
    if node.string("mode", "nearest") != "nearest":
        raise node.error(f"mode '{shown(node.string('mode', ''))}' is not supported (supported: nearest)")
    if node.integers("axes") is not None:
        raise node.error("its attribute 'axes' is not supported")
    for name, allowed in RESIZE_RULES.items():
        rule = node.string(name, allowed[0])
        if rule not in allowed:
            raise node.error(f"{name} '{shown(rule)}' is not supported (supported: {', '.join(allowed)})")
    sizes = graph.numbers(node, 3, "sizes")
    if not sizes:
        place = 2 if node.op == "Resize" and len(node.inputs) > 2 else 1
        scales = graph.constant(node, place, "its scale")
        factors = node.reals("scales") if scales is None else tuple(scales.real().reshape(-1)[:16].tolist())
        if factors is None or len(factors) != rank or not all(0 < factor <= LIMIT_SIZE for factor in factors):
            raise node.error(f"expected sizes or one scale for each of {rank} dimensions")
        sizes = tuple(math.floor(size * factor) for size, factor in zip(value.shape, factors, strict=True))
    if len(sizes) != rank or min(sizes) < 1:
        raise node.error(f"resizes {list(value.shape)} to {list(sizes)}")
    if tuple(sizes) == value.shape:
        graph.rename(node, value)
    else:
        graph.bind(node, graph.post(node, "move", [value], tuple(sizes), value.axis))
