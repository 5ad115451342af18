"""The network while it is read: which layer holds each value, and what still folds into the layer before."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from workloads.fit import fits
from workloads.formats.codes import NumberFormat
from workloads.importers.onnx.file import ModelFile, Node, shown
from workloads.importers.onnx.tensors import Constant, check_shape, kept_axis
from workloads.importers.onnx.weights import Budget, Draft
from workloads.importers.record import RESERVED, Names
from workloads.layer import Layer
from workloads.registry import InputError

#: integers in a shape or a list of axes
LIMIT_NUMBERS = 64
#: kinds of layers whose output a ReLU may be fused into
FUSING = ("conv", "depthwise", "fc", "matmul", "add", "batchnorm")
#: kinds that a factor or summand per channel folds into: their sums are rescaled anyway
FOLDING = ("conv", "depthwise", "fc", "matmul", "batchnorm")


#: see order_of; LOST: one that nobody works out
Order = tuple[int, int, int, int]
LOST: Order = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the graph: either known at import (``constant``), or the output of a layer (``source``).

    shape: as in the file. name: its name there. axis: the dimension its layer calls channels, None if a reshape broke
    it up. order: how the map of its layer lies in the file's order (see order_of). single: nobody but the next reader
    sees the layer's output. origin: shape before a reshape.
    pads: zeros around the map that the convolution which reads it adds itself (top, bottom, left, right).
    """

    shape: tuple[int, ...]
    source: str | None = None
    constant: Constant | None = None
    name: str = ""
    axis: int | None = None
    order: Order | None = None
    single: bool = False
    origin: tuple[int, ...] | None = None
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    unpadded: tuple[int, ...] | None = None

    @property
    def maker(self) -> str:
        """The layer or input that holds it; ValueError for a value that lies nowhere yet (a constant)."""
        if self.source is None:
            raise ValueError(f"value '{self.name}': no layer makes it")
        return self.source

    @property
    def elements(self) -> int:
        """Of its shape."""
        return math.prod(self.shape)


@dataclass
class Graph:
    """dims: open dimension -> its size. batch: items of the network's input.

    sides: further inputs and large constants that layers read from memory.
    """

    model: ModelFile
    budget: Budget
    dims: dict[str | int, int] = field(default_factory=dict)
    batch: int = 1
    input_shape: tuple[int, int, int] = (1, 1, 1)
    layers: dict[str, Layer] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    sides: dict[str, tuple[int, ...]] = field(default_factory=dict)
    formats: dict[str, NumberFormat] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.uses = Counter(name for node in self.model.live for name in node.inputs)
        self.uses.update(self.model.outputs)
        self.values |= {
            name: Value(constant.shape, constant=constant, name=name) for name, constant in self.model.constants.items()
        }
        self.readers: dict[str, list[Node]] = defaultdict(list)
        for node in self.model.live:
            for name in node.inputs:
                self.readers[name].append(node)
        self.names = Names()
        for name, value in self.values.items():
            self.check_declared(name, value.shape, f"{self.model.path}: stored tensor '{shown(name)}'")

    @property
    def opset(self) -> int:
        """Version of the default operator set."""
        return self.model.opset

    def check_declared(self, name: str, shape: tuple[int, ...], where: str) -> None:
        """InputError if the file says another shape of a value than the one worked out. A negative size is open."""
        declared = self.model.declared.get(name)
        if declared is None:
            return
        sizes = tuple(self.dims.get(size, size) if isinstance(size, str) else size for size in declared)
        fits = len(sizes) == len(shape) and all(
            not isinstance(says, int) or says < 0 or says == size for says, size in zip(sizes, shape, strict=True)
        )
        if not fits:
            raise InputError(f"{where}: '{shown(name)}' comes out as {list(shape)}, the file declares {list(declared)}")

    # --- what a node reads ---

    def read(self, node: Node, place: int) -> Value:
        """Input ``place`` of a node, which must be there."""
        value = self.peek(node, place)
        if value is None:
            raise node.error(f"input {place} is missing")
        return value

    def peek(self, node: Node, place: int) -> Value | None:
        """Input ``place`` of a node, or None if it is left out."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        return self.values[name] if name else None

    def constant(self, node: Node, place: int, what: str) -> Constant | None:
        """Input ``place``, which must be known at import; None if it is left out."""
        value = self.peek(node, place)
        if value is None:
            return None
        if value.constant is None:
            raise node.error(f"{what} is computed at run time; it must be a constant")
        return value.constant

    def numbers(self, node: Node, place: int, attribute: str) -> tuple[int, ...] | None:
        """A short list of integers: input ``place`` (newer operator sets) or an attribute (older ones)."""
        constant = self.constant(node, place, f"'{attribute}'")
        if constant is None:
            found = node.integers(attribute)
        elif constant.elements > LIMIT_NUMBERS or constant.array.dtype.kind not in "iu":
            found = (0,) * (LIMIT_NUMBERS + 1)
        else:
            found = tuple(int(number) for number in constant.array.reshape(-1))
        if found is not None and len(found) > LIMIT_NUMBERS:
            raise node.error(f"'{attribute}' must be at most {LIMIT_NUMBERS} integers")
        return found

    def axis(self, node: Node, axis: int, rank: int) -> int:
        """An axis counted from the front; negative ones count from the back."""
        if not -rank <= axis < rank:
            raise node.error(f"axis {axis} is outside a tensor of {rank} dimensions")
        return axis % rank

    # --- what it makes ---

    def bind(self, node: Node, value: Value, place: int = 0, *, renames: Value | None = None) -> None:
        """Names output ``place``; ``renames``: the value it is another view of."""
        name = node.outputs[place] if place < len(node.outputs) else ""
        if not name:
            return
        check_shape(value.shape, node.where)
        self.check_declared(name, value.shape, node.where)
        single = self.uses[name] == 1 and (renames is None or renames.single)
        self.values[name] = replace(value, name=name, single=single)

    def rename(self, node: Node, value: Value, shape: tuple[int, ...] | None = None, place: int = 0) -> None:
        """The same bytes in the same order under another name or shape."""
        if shape is None or shape == value.shape:
            self.bind(node, value, place, renames=value)
            return
        constant = value.constant
        if constant is not None:
            try:
                constant = constant.reshape(shape)
            except ValueError as error:
                raise node.error(str(error)) from None
        value = self.flush(node, value)
        axis = kept_axis(value.shape, shape, value.axis)
        view = replace(value, shape=shape, constant=constant, axis=axis, origin=value.shape)
        self.bind(node, view, place, renames=value)

    def add(
        self, node: Node, kind: str, inputs: Iterable[Value], shape: tuple[int, ...], *, suffix="", **fields
    ) -> Value:
        """A layer for a node; returns its output, of this shape in the file's terms.

        orders: in which the layer reads each input (default: the file's own); order: of what it makes, where the axis
        of its channels does not say.
        """
        name, inputs = self._layer_name(node, suffix), tuple(inputs)
        sources = tuple(self.source(node, value) for value in inputs)
        axis = fields.pop("axis", None)
        orders = fields.pop("orders", (None,) * len(inputs))
        made = fields.pop("order") if "order" in fields else order_of(shape, axis, fields.get("N", 1))
        crossed = any(value.order != order for value, order in zip(inputs, orders, strict=True))
        try:
            layer = Layer(name=name, kind=kind, inputs=sources, crossed=crossed, **fields)
            layer = replace(layer, reshaped=not fits(layer, [self._made(source) for source in sources]))
        except InputError as error:
            raise InputError(f"{self.model.path}: {error}") from None
        check_shape(layer.input_shape, node.where)
        if layer.has_macs:
            check_shape(layer.weight_shape, node.where)
        if layer.output_elements != math.prod(shape):
            raise node.error(f"output {list(shape)} does not fit its layer's {list(layer.output_shape)}")
        self.layers[name] = layer
        return Value(shape, source=name, axis=axis, order=made)

    def _made(self, source: str) -> tuple[int, ...]:
        """(N, C, H, W) of what a layer makes or the network reads; of its other inputs the file's shape."""
        if source in self.layers:
            return self.layers[source].output_shape
        return (self.batch, *self.input_shape) if source == "input" else self.sides[source]

    def post(self, node: Node, kind: str, inputs: list[Value], shape: tuple[int, ...], axis=None, **fields) -> Value:
        """A layer of the post-processing unit whose outputs each take one element of every input that is as large.

        reads: elements of each input that are read, where that is not all of it.
        """
        N, C, H, W = layout(shape, axis, self.batch)
        there = tuple(value.elements for value in inputs)
        sizes = tuple(fields.pop("reads", there))
        place = layout_axis(shape) if axis is None else axis
        orders = [order_of(each.shape, place, N) if len(each.shape) == len(shape) else each.order for each in inputs]
        fields |= {"orders": orders, "order": order_of(shape, place, N)}
        whole = kind == "concat" or (sizes == there and set(sizes) == {math.prod(shape)})
        return self.add(
            node, kind, inputs, shape, axis=axis, N=N, C=C, H=H, W=W, M=C, input_sizes=() if whole else sizes, **fields
        )

    def source(self, node: Node, value: Value) -> str:
        """The layer (or input) that holds a value; a constant becomes an input of its own that is read from memory."""
        value = self.flush(node, value)
        if value.source is not None:
            return value.source
        name = self.unique(value.name or f"{node.outputs[0]}.constant")
        self.sides[name] = value.shape or (1,)
        self.values[value.name] = replace(self.values.get(value.name, value), source=name)
        return name

    def flush(self, node: Node, value: Value) -> Value:
        """The value after padding that no convolution takes over: a copy into a larger map."""
        if value.unpadded is None:
            return value
        inner = replace(value, shape=value.unpadded, pads=(0, 0, 0, 0), unpadded=None)
        made = replace(self.post(node, "move", [inner], value.shape, 1, suffix=".pad"), name=value.name)
        self.values[value.name] = made
        return made

    def unique(self, name: str) -> str:
        """A layer or input name that is not taken."""
        return self.names.unique(shown(name) or "layer")

    def _layer_name(self, node: Node, suffix: str) -> str:
        wanted = shown((node.name or next(filter(None, node.outputs), node.op)) + suffix) or "layer"
        return self.names.renamed(wanted) if wanted in RESERVED else self.names.unique(wanted)

    # --- what folds into the layer before ---

    def fuse(self, value: Value, activation: str) -> bool:
        """Folds an activation into the layer that makes the value, if only this reader sees it."""
        layer = self.layers.get(value.source or "")
        if layer is None or not value.single or layer.kind not in FUSING or layer.activation is not None:
            return False
        self.layers[layer.name] = replace(layer, activation=activation)
        return True

    def folds(self, value: Value, constant: Constant) -> bool:
        """A factor or summand of this shape is one number per channel of the layer that makes the value."""
        layer = self.layers.get(value.source or "")
        if layer is None or not value.single or layer.kind not in FOLDING or layer.activation is not None:
            return False
        if value.unpadded is not None:
            return False
        if constant.elements == 1 and len(constant.shape) <= len(value.shape):
            return True
        if layer.dynamic or (layer.G > 1 and layer.kind == "matmul") or value.axis is None:
            return False
        shape = (1,) * (len(value.shape) - len(constant.shape)) + constant.shape
        wanted = [layer.M if axis == value.axis else 1 for axis in range(len(value.shape))]
        return value.shape[value.axis] == layer.M and list(shape) == wanted

    def change(self, value: Value, **fields) -> None:
        """Other fields for the layer that makes a value."""
        self.layers[value.maker] = replace(self.layers[value.maker], **fields)


def layout_axis(shape: tuple[int, ...]) -> int:
    """Where the channels of a tensor lie if nothing says: the second axis of four, else the last."""
    return 1 if len(shape) >= 4 else max(0, len(shape) - 1)


def order_of(shape: tuple[int, ...], axis: int | None, items: int) -> Order | None:
    """How a map of [items, channels, pixels] lies in the row-major order of a tensor with its channels along an axis:
    (items, pixels before the channels, channels, pixels behind); None where the two orders are the same."""
    if axis is None or not shape:
        return None
    ahead, channels, behind = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    if ahead % items:
        return LOST
    return None if ahead == items or channels == 1 else (items, ahead // items, channels, behind)


def layout(shape: tuple[int, ...], axis: int | None, batch: int = 1) -> tuple[int, int, int, int]:
    """(N, C, H, W) of a tensor whose channels lie along ``axis`` (default: the second of four, else the last)."""
    if not shape:
        return 1, 1, 1, 1
    if axis is None:
        axis = layout_axis(shape)
    items = batch if axis > 0 and shape[0] % batch == 0 else 1
    rest = [size for place, size in enumerate(shape) if place != axis]
    if axis > 0:
        rest[0] //= items
    if len(rest) > 2 and rest[0] == 1:
        rest = rest[1:]
    H, W = rest if len(rest) == 2 and rest[0] > 1 else (math.prod(rest), 1)
    return items, shape[axis], H, W
