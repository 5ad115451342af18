"""A network's layers with their operands, one after another: real codes as they flow, or synthetic ones."""

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from workloads.format import spec_of
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.models import IntegerModel, integer_models
from workloads.network import CODE_BITS, Network
from workloads.operands import MacOperands, Operands, PostOperands
from workloads.profiles import densities, expectations
from workloads.reference import as_read, conv_integer
from workloads.registry import InputError
from workloads.requant import Requant
from workloads.synthetic import formatted_weights, in_format, synthetic_activations, synthetic_weights

#: synthetic activations are drawn at the width of their format up to this one, else at 8 bits
MAX_BITS = 16


class Walk(Protocol):
    """Layers with their operands in order."""

    @property
    def scores(self) -> np.ndarray | None:
        """[images, classes] integer scores of real images once it is over, else None."""

    def __iter__(self) -> Iterator[tuple[Layer, Operands]]: ...

    def codes(self, tensor: str) -> Codes:
        """Of 'input' or of what a layer makes, once that has been given or is about to be read."""


def walk(network: Network, seed: int) -> Walk:
    """Real codes if the network has images (and so weights), else synthetic inputs (and weights, if it has none)."""
    return SyntheticWalk(network, seed) if network.images is None else RealWalk(network)


class SyntheticWalk:
    """Every tensor on its own at its published density; layers that read the same tensor get the same codes."""

    scores = None

    def __init__(self, network: Network, seed: int):
        self.network, self.seed = network, seed
        self.densities, self.expected = densities(network), expectations(network)
        self.model: IntegerModel = integer_models.get(network.model)(network)

    def __iter__(self) -> Iterator[tuple[Layer, Operands]]:
        for layer in self.network.layers:
            yield layer, self._operands(layer)

    def codes(self, tensor: str) -> Codes:
        """As the first layer that reads it whole has them, else at the density that is expected of it."""
        size, shape = self.network.elements(tensor), (1, self.network.elements(tensor))
        for layer in self.network.layers:
            if layer.inputs[:1] == (tensor,) and layer.kind != "concat" and layer.input_elements == size:
                return self._tensor((tensor,), layer.input_shape, self.densities[layer.name].inputs)[0]
        return self._tensor((tensor,), shape, self.expected[tensor].density)[0]

    def _operands(self, layer: Layer) -> Operands:
        density = self.densities[layer.name]
        reads = layer.inputs if layer.kind == "concat" else layer.inputs[:1]
        inputs, source = self._tensor(reads, layer.input_shape, density.inputs)
        made_up: tuple[str, ...] = ("inputs",) if source is None else ()
        source = source or density.input_source
        if not layer.has_macs:
            return PostOperands(inputs, source, made_up)
        if layer.dynamic:
            second = self.expected[layer.inputs[-1]]
            other, recorded = self._tensor(layer.inputs[-1:], layer.weight_shape, second.density)
            made_up += ("weights",) if recorded is None else ()
            return MacOperands(
                inputs, other, input_source=source, weight_source=recorded or second.source, synthetic=made_up
            )
        real, part = self.network.weights.get(layer.name), self.network.weight_formats.get(layer.name)
        source_of_weights = density.weight_source if real is None else real.source
        if real is not None:
            weights = self.model.weight_codes(layer)
        elif part is None:
            weights = synthetic_weights(layer, density, self.seed)
        else:
            weights = formatted_weights(layer, density, part, self.seed)
            source_of_weights += f"; as {spec_of(part)}"
        bias, requant = self._finishing(layer)
        return MacOperands(
            inputs, weights, bias, requant, input_source=source,
            weight_source=source_of_weights,
            synthetic=made_up + (("weights",) if real is None else ()),
        )  # fmt: skip

    def _finishing(self, layer: Layer) -> tuple[np.ndarray | None, Requant | None]:
        """Bias and requantisation where the network's own formats say both, whatever flows; else neither."""
        forms = [self.network.formats.get(name) for name in (layer.inputs[0], layer.name)]
        known = all(form is not None and form.scale is not None and form.axis is None for form in forms)
        if not known or not self.model.fixed_formats or layer.name not in self.network.weights:
            return None, None
        return self.model.finishing(layer)

    def _tensor(self, names: tuple[str, ...], shape: tuple[int, ...], density: float) -> tuple[Codes, str | None]:
        """(codes, where they were recorded; None if they are made up) of what a layer reads.

        Recorded codes of another size (a part of them is read, or they are broadcast) are cut or repeated.
        """
        recorded = [self.network.activations[name] for name in names if name in self.network.activations]
        if len(recorded) < len(names):
            return self._synthetic(names, shape, density), None
        forms = {codes.format for codes in recorded}
        if len(forms) > 1:  # side by side at one scale and zero point: the first one's
            first = recorded[0].format
            recorded = [codes if codes.format == first else Codes.nearest(codes.real(), first) for codes in recorded]
        maps = [codes.values.reshape(shape[0], -1) for codes in recorded]
        values = maps[0] if len(maps) == 1 else np.concatenate(maps, axis=1)
        whole = values.size == math.prod(shape)
        values = values.reshape(shape) if whole else np.resize(values, shape)
        return Codes(values, recorded[0].format), "recorded activations" + ("" if whole else " (of another size)")

    def _synthetic(self, reads: tuple[str, ...], shape: tuple[int, ...], density: float) -> Codes:
        """Synthetic codes, around the zero point and in the format the network gives the tensor (if it does)."""
        form, expected = self.network.formats.get(reads[0]), [self.expected[name] for name in reads]
        signed = not all(each.positive for each in expected) if form is None else form.low < form.zero
        bits = CODE_BITS if form is None or form.bits > MAX_BITS else form.bits
        if all(each.boolean for each in expected) and not signed:
            bits, form = 1, form or NumberFormat(CODE_BITS, False)
        codes = synthetic_activations("+".join(reads), shape, density, self.seed, signed=signed, bits=bits)
        return codes if form is None else in_format(codes, form)


class RealWalk:
    """The exact integer forward pass of the network's images; ``scores`` are there once it is over."""

    def __init__(self, network: Network):
        if not network.weights:
            raise InputError(f"network '{network.name}': images need real weights")
        if network.independent:
            raise InputError(f"network '{network.name}': images do not flow through the rows of a topology")
        if network.side_inputs:
            raise InputError(f"network '{network.name}': reads '{next(iter(network.side_inputs))}' beside its images")
        for layer in network.mac_layers:
            if layer.name not in network.weights:
                raise InputError(f"layer '{layer.name}': images need real weights on every layer; it has none")
        self.network = network
        self.model: IntegerModel = integer_models.get(network.model)(network)
        #: [images, classes] integer scores of the last layer that is no softmax
        self.scores: np.ndarray | None = None
        self._tensors: dict[str, Codes] = {}

    def codes(self, tensor: str) -> Codes:
        """InputError where its layers have gone by, or are yet to come."""
        if tensor not in self._tensors:
            raise InputError(f"'{tensor}': codes that flow are known while they flow alone")
        return self._tensors[tensor]

    def __iter__(self) -> Iterator[tuple[Layer, Operands]]:
        tensors = self._tensors = {"input": self.model.input_codes()}
        last_use = {name: layer.name for layer in self.network.layers for name in layer.inputs}
        for layer in self.network.layers:
            operands, tensors[layer.name] = self._step(layer, [tensors[name] for name in layer.inputs])
            if layer.kind != "softmax":
                self.scores = _scores(layer, operands.inputs, tensors[layer.name])
            yield layer, operands
            for name in layer.inputs:
                if last_use[name] == layer.name:
                    tensors.pop(name, None)

    def _step(self, layer: Layer, maps: list[Codes]) -> tuple[Operands, Codes]:
        """(what a layer reads, its output). maps: what it reads, as the layers before it left them."""
        source = f"integer forward ({self.network.model}) of {', '.join(self.network.image_names) or 'images'}"
        if not layer.has_macs:
            output = self.model.post(layer, maps)
            return PostOperands(_joined(layer, maps, output), source), output
        inputs = _joined(layer, maps)
        bias, requant = self.model.finishing(layer)
        operands = MacOperands(
            inputs, self.model.weight_codes(layer), bias, requant,
            weight_source=self.network.weights[layer.name].source, input_source=source,
        )  # fmt: skip
        return operands, reference_output(layer, operands)


def _joined(layer: Layer, maps: list[Codes], output: Codes | None = None) -> Codes:
    """[N, C, H, W] codes a layer reads: the maps of a concat side by side, of other layers the first one.

    output: of a layer without MACs; what a concat joins is in its format where the maps differ in theirs.
    """
    for codes in maps if layer.crossed else ():
        as_read(layer, codes.values)  # InputError
    if output is not None and layer.kind == "concat" and len({codes.format for codes in maps}) > 1:
        return Codes(output.values.reshape(layer.input_shape), output.format)
    if layer.kind == "concat":
        values = np.concatenate([codes.values for codes in maps], axis=1)
    elif layer.input_sizes:  # the first map may be one that is broadcast
        values = np.broadcast_to(maps[0].values, layer.input_shape)
    else:
        values = as_read(layer, maps[0].values)
    return Codes(values.reshape(layer.input_shape), maps[0].format)


def reference_output(layer: Layer, operands: MacOperands) -> Codes:
    """The layer's exact output codes: integer sums, bias, requantisation."""
    sums = conv_integer(operands.inputs.integers(), operands.weights.integers(), layer)
    if operands.bias is not None:
        sums += operands.bias.reshape(1, -1, 1, 1)
    if operands.requant is None:
        return Codes(sums, NumberFormat(32, True))
    return Codes(operands.requant(sums), operands.requant.format)


def _scores(layer: Layer, inputs: Codes, output: Codes) -> np.ndarray:
    """A global average keeps its full precision: the sum over each map."""
    if layer.kind == "pool" and layer.global_pool and layer.pool == "avg":
        return inputs.values.sum(axis=(2, 3), dtype=np.int64)
    return output.values.reshape(layer.N, -1).astype(np.int64)


def top_classes(scores: np.ndarray, count: int = 5) -> list[list[list[int]]]:
    """scores: [images, classes] -> per image [[class, score], ...], best first, ties by class index."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return [[[int(c), int(row[c])] for c in pick] for row, pick in zip(scores, order, strict=True)]
