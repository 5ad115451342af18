"""Whether a network's layers fit together: what a layer is made for is what the layers it reads make."""

import math
from collections.abc import Mapping, Sequence

from workloads.layer import Layer

Shape = tuple[int, ...]


def items_of_input(layers: Sequence[Layer], input_shape: Shape) -> int:
    """Items (N) of the network's input: those its first reader takes, or of the first layer if none reads it."""
    reader = next((layer for layer in layers if "input" in layer.inputs), None)
    if reader is None:
        return layers[0].N
    part = reader.kind == "concat" or (reader.kind == "move" and reader.input_sizes)
    if part or not (reader.reshaped or reader.input_sizes):
        return reader.N
    return max(1, (reader.input_sizes or wholes(reader))[reader.inputs.index("input")] // math.prod(input_shape))


def misfit(layers: Sequence[Layer], input_shape: Shape, side_inputs: Mapping[str, Shape]) -> str | None:
    """The first layer that does not fit what it reads, with its own sizes and those, as a text; None if all do.

    layers: in order, each after those it reads. The time is proportional to their number.
    """
    made: dict[str, Shape] = {**side_inputs, "input": (items_of_input(layers, input_shape), *input_shape)}
    for layer in layers:
        if not fits(layer, [made[name] for name in layer.inputs]):
            return _told(layer, made)
        made[layer.name] = layer.output_shape
    return None


def wholes(layer: Layer) -> tuple[int, ...]:
    """Elements of each whole input of a layer that is no concat (operands that are broadcast may have fewer)."""
    second = layer.weights if layer.dynamic else layer.input_elements
    return (layer.input_elements, *(second for _ in layer.inputs[1:]))


def fits(layer: Layer, read: Sequence[Shape]) -> bool:
    """read: (N, M, E, F) of each layer it reads, or the shape of an input of the network (of any rank).

    A fully connected layer flattens a map. A layer that is ``reshaped``, an input beside the network's first, a move
    and the second operand of a product say elements only. A broadcast operand is as large as its ``input_sizes`` says,
    which divides the whole; a move reads no more than there is, or repeats what it reads as often as it writes it.
    """
    elements = [math.prod(shape) for shape in read]
    if layer.kind == "concat":
        sides = {(shape[0], *shape[2:]) for shape in read if len(shape) == 4}
        return sum(elements) == layer.input_elements and (layer.reshaped or sides <= {(layer.N, layer.H, layer.W)})
    if layer.input_sizes:
        if layer.kind == "move":
            pairs = zip(layer.input_sizes, elements, strict=True)
            return all(size <= max(there, layer.output_elements) for size, there in pairs)
        pairs = zip(elements, wholes(layer), strict=True)
        return list(layer.input_sizes) == elements and all(whole % size == 0 for size, whole in pairs)
    if elements != list(wholes(layer)):
        return False
    if layer.reshaped or layer.kind == "move":
        return True
    maps = [shape for shape in (read[:1] if layer.dynamic else read) if len(shape) == 4]
    if layer.kind == "fc":
        return all(shape[0] == layer.N for shape in maps)
    return all(tuple(shape) == layer.input_shape for shape in maps)


def _told(layer: Layer, made: Mapping[str, Shape]) -> str:
    own = _sizes(layer.input_shape)
    if layer.dynamic:
        own += f" times {layer.weights} values"
    if layer.input_sizes:
        own += f" (elements of each input: {', '.join(map(str, layer.input_sizes))})"
    sources = " and ".join(f"'{name}', which is {_sizes(made[name])}" for name in dict.fromkeys(layer.inputs))
    return f"layer '{layer.name}' ({layer.kind}) is made for {own}, but reads {sources}"


def _sizes(shape: Shape) -> str:
    return " ".join(f"{a}={b}" for a, b in zip("NCHW", shape, strict=True)) if len(shape) == 4 else str(list(shape))
