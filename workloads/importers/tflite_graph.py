"""What the operators of a TensorFlow Lite file build up: layers, weights and number formats, by tensor number."""

import math
from dataclasses import dataclass, field

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.importers.tflite_file import Model, Operator, Tensor
from workloads.layer import Layer
from workloads.network import LayerWeights
from workloads.registry import InputError

#: no dimension, and no map of one item, may be larger
LIMIT_SIZE, LIMIT_ELEMENTS = 1 << 20, 1 << 26
#: operator -> the second part of its layer's name
NAMES = {
    "CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "fc", "AVERAGE_POOL_2D": "avg_pool",
    "MAX_POOL_2D": "max_pool", "MEAN": "mean", "ADD": "add", "CONCATENATION": "concat", "SOFTMAX": "softmax",
    "RELU": "relu", "RELU6": "relu6",
}  # fmt: skip
Sides = tuple[int, int, int, int]


@dataclass
class Graph:
    """What is known while the operators are read; tensors by number.

    makers: the layer whose output a tensor is ('input': the network's). maps: layer -> (channels, height, width).
    pads: (top, bottom, left, right) that a PAD put around a tensor. flat: tensors whose map was flattened.
    """

    path: str
    model: Model
    bytes: int
    layers: list[Layer] = field(default_factory=list)
    weights: dict[str, LayerWeights] = field(default_factory=dict)
    formats: dict[str, NumberFormat] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)
    makers: dict[int, str] = field(default_factory=dict)
    maps: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    pads: dict[int, Sides] = field(default_factory=dict)
    flat: set[int] = field(default_factory=set)
    stray_axes: list[str] = field(default_factory=list)
    weight_bytes: int = 0
    batch: int = 1

    def enter(self, number: int) -> None:
        """Begins with the graph's input tensor; its first dimension is the batch."""
        tensor = self.model.tensor(number)
        self.batch = tensor.shape[0] if len(tensor.shape) > 1 else 1
        self.makers[number], self.maps["input"] = "input", self.shape(tensor)
        if tensor.eight_bit:
            self.formats["input"] = self.format(tensor)

    def shape(self, tensor: Tensor) -> tuple[int, int, int]:
        """(C, H, W) of an [C], [N, C], [N, W, C] or [N, H, W, C] tensor."""
        rank = len(tensor.shape)
        sizes = (1,) * (4 - rank) + tensor.shape
        if not 1 <= rank <= 4 or not 1 <= min(sizes) <= max(sizes) <= LIMIT_SIZE:
            raise InputError(
                f"{tensor.where}: shape {list(tensor.shape)}: expected one to four sizes of 1 to {LIMIT_SIZE}"
            )
        batch = tensor.shape[0] if rank > 1 else 1
        if batch != self.batch:
            raise InputError(f"{tensor.where}: shape {list(tensor.shape)}: the network's batch is {self.batch}")
        if math.prod(sizes[1:]) > LIMIT_ELEMENTS:
            raise InputError(f"{tensor.where}: {math.prod(sizes[1:])} elements; a map may have {LIMIT_ELEMENTS}")
        return sizes[3], sizes[1], sizes[2]

    def format(self, tensor: Tensor) -> NumberFormat:
        """A tensor's number format, its axis checked."""
        self.check_axis(tensor)
        return tensor.format

    def check_axis(self, tensor: Tensor) -> None:
        """Remembers a tensor whose scales lie along an axis that it has not, for the network's warnings."""
        if len(tensor.scales) and not 0 <= tensor.axis < max(1, len(tensor.shape)):
            self.stray_axes.append(tensor.where)

    def source(self, op: Operator, place: int, *, flat: bool = False, padded: bool = False) -> str:
        """The layer that made an operator's input, which must be 8 bits wide."""
        number = op.inputs[place] if place < len(op.inputs) else -1
        if number not in self.makers:
            constant = number >= 0 and self.model.tensor(number).is_constant
            what = "is a constant" if constant else "is made by no operator before it"
            raise op.refuse(f"input {place} {'is missing' if number < 0 else what}")
        if number in self.flat and not flat:
            raise op.refuse("reads a flattened map, which only FULLY_CONNECTED can here")
        if number in self.pads and not padded:
            raise op.refuse("reads a padded map, which only convolutions and pools can here")
        self.format(self.model.tensor(number))
        return self.makers[number]

    def output(self, op: Operator) -> int:
        """The one tensor that an operator makes; InputError if it has another number of them."""
        if len(op.outputs) != 1 or op.outputs[0] < 0 or op.outputs[0] in self.makers:
            raise op.refuse("expected one output that no other operator makes")
        return op.outputs[0]

    def add(self, op: Operator, kind: str, inputs: tuple[str, ...], M: int | None = None, **fields) -> Layer:
        """Appends a layer; its output must be the tensor the file declares."""
        number = self.output(op)
        C, H, W = self.maps[inputs[0]]
        sizes = {"C": C, "H": H, "W": W, "M": C if M is None else M} | fields
        try:
            layer = Layer(name=f"{op.number}_{NAMES[op.name]}", kind=kind, inputs=inputs, **sizes)
        except InputError as error:
            raise op.refuse(str(error)) from None
        tensor = self.model.tensor(number)
        declared = self.shape(tensor)
        if declared != (layer.M, layer.E, layer.F):
            raise op.refuse(f"its output is {[layer.M, layer.E, layer.F]} (C, H, W), the file says {list(declared)}")
        self.formats[layer.name] = self.format(tensor)
        self.maps[layer.name], self.makers[number] = declared, layer.name
        self.layers.append(layer)
        return layer

    def alias(self, op: Operator) -> int:
        """The output is the input under another number; returns it."""
        number, source = self.output(op), op.inputs[0]
        self.makers[number] = self.makers[source]
        if source in self.flat:
            self.flat.add(number)
        return number

    def keeps_format(self, op: Operator) -> None:
        """InputError unless all inputs with codes have the output's scale and zero point."""
        wanted = self.format(self.model.tensor(self.output(op)))
        for number in filter(self.makers.__contains__, op.inputs):
            found = self.format(self.model.tensor(number))
            if found != wanted:
                raise op.refuse(f"changes scale, zero point or type ({_said(found)} to {_said(wanted)})")

    def load(self, op: Operator, layer: Layer, values: np.ndarray, axis: int) -> None:
        """The layer's weights (``values``: [M, C/G, R, S]) and bias. axis: of the channels in the file's tensor."""
        source, tensor = self.model.tensor(op.inputs[0]), self.model.tensor(op.inputs[1])
        if tensor.dtype != source.dtype:
            raise op.refuse(f"weights are {tensor.kind}, its input {source.kind}: expected the same")
        self.check_axis(tensor)
        codes = Codes(values, weight_format(op, tensor, axis, layer.M))
        bias = None
        if layer.bias:
            given = self.model.tensor(op.inputs[2])
            if given.dtype != "<i4" or given.shape != (layer.M,):
                raise op.refuse(f"bias is {given.kind} of shape {list(given.shape)}: expected int32 [{layer.M}]")
            self.check_axis(given)
            step = self.formats[layer.inputs[0]].scale * np.asarray(codes.format.scale)
            bias = given.constant() * step
        self.weights[layer.name] = LayerWeights(codes, bias, file_bytes=values.size + 4 * layer.M * layer.bias)

    def constant(self, op: Operator, place: int, rank: int | None = None) -> Tensor:
        """An input that must be a constant; weights count against the bytes of the file."""
        number = op.inputs[place] if place < len(op.inputs) else -1
        if number < 0:
            raise op.refuse(f"input {place} is missing")
        tensor = self.model.tensor(number)
        if rank is not None and len(tensor.shape) != rank:
            raise op.refuse(f"input {place} has shape {list(tensor.shape)}: expected {rank} sizes")
        self.weight_bytes += len(tensor.data)
        if self.weight_bytes > 2 * self.bytes:
            raise op.refuse(
                f"the operators so far read {self.weight_bytes} bytes of constants, the file has {self.bytes}"
            )
        tensor.constant()
        return tensor


def _said(form: NumberFormat) -> str:
    return f"{'int8' if form.signed else 'uint8'} {form.scale:g} * (q - {form.zero_point})"


def weight_format(op: Operator, tensor: Tensor, axis: int, channels: int) -> NumberFormat:
    """Number format of weights whose channels are our axis 0 and the file's ``axis``.

    One scale: of the whole tensor, whatever axis the file names. As many as channels: the axis must be the right one,
    or one that does not exist (then no other reading is possible).
    """
    scales, zeros = tensor.checked_scales
    if not tensor.eight_bit:
        raise op.refuse(f"weights are {tensor.kind}; only 8-bit models are read (quantise it to int8)")
    if len(scales) not in (1, channels):
        raise op.refuse(f"{len(scales)} scales for {channels} output channels: expected 1 or {channels}")
    outside = not 0 <= tensor.axis < len(tensor.shape)
    if len(scales) > 1 and tensor.axis != axis and not outside:
        raise op.refuse(f"its weight scales lie along axis {tensor.axis}, expected {axis} (the output channels)")
    signed = tensor.dtype == "i1"
    if zeros.any() and (len(zeros) > 1 or (signed and op.name != "FULLY_CONNECTED")):
        raise op.refuse("int8 weights have a zero point; the reference kernels take them as symmetric")
    if len(scales) == 1:
        return NumberFormat(8, signed, float(scales[0]), int(zeros[0]))
    return NumberFormat(8, signed, tuple(scales.tolist()), 0, axis=0)
