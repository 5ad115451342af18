"""The exact integer model "int8-pow2": 8-bit codes, one power-of-two scale per tensor, rounding half up.

Weights: w_q = clip(rint(w * 2^fw), -127, 127) with fw = floor(log2(127 / max|w|)). Pixels enter as they are and the
mean is folded into the first bias. A sum becomes min(255, (max(acc, 0) + 2^(s-1)) >> s), s = fw + fi - fo, where fi
and fo are the fractional bits of a layer's input and output. Rule and golden values: this project's reference data.
Pooling, joining, shuffling and ReLU keep a tensor's scale; other layers without MACs (adds, LRN, softmax ...) are made
in real values and rounded half to even to the nearest code of a scale of their own.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.formats.pow2 import fraction_bits
from workloads.layer import Layer
from workloads.models import integer_models
from workloads.network import LayerWeights, Network
from workloads.reference import CEILING, forward_float, post_layer
from workloads.registry import InputError
from workloads.requant import ShiftRequant


def pow2_codes(real: np.ndarray) -> tuple[np.ndarray, int]:
    """Real values of any shape -> (int8 integers, fractional bits): the rule's clip(rint(w * 2^fw), -127, 127)."""
    largest = float(np.abs(real).max(initial=0.0))
    fraction = fraction_bits(largest, 127)
    return np.clip(np.rint(np.ldexp(real, fraction)), -127, 127).astype(np.int8), fraction


def quantise_weights(weights: LayerWeights) -> tuple[Codes, int]:
    """(codes, fractional bits): shared weights keep their codes, whose codebook then holds the integers."""
    table = weights.real() if weights.shared is None else weights.shared.astype(np.float64)
    integers, fraction = pow2_codes(table)
    scale = math.ldexp(1.0, -fraction)
    if weights.shared is None:
        return Codes(integers, NumberFormat(8, True, scale)), fraction
    book = tuple(int(value) for value in integers)
    return Codes(weights.codes.values, NumberFormat(weights.codes.format.bits, False, scale, codebook=book)), fraction


#: kinds whose output has the scale and the sign of their inputs
KEEPS_SCALE = ("pool", "concat", "shuffle", "relu")


def unsigned(network: Network) -> dict[str, bool]:
    """Tensor name -> its codes have no sign."""
    found = {"input": True}
    for layer in network.layers:
        rectifies = layer.activation is not None or layer.kind in ("relu6", "softmax")
        passes = layer.kind in (*KEEPS_SCALE, "lrn") and all(found[name] for name in layer.inputs)
        found[layer.name] = rectifies or passes
    return found


def calibrate(network: Network) -> dict[str, int]:
    """Layer name -> fractional bits of its output, so that the largest float output over the images fits 8 bits.

    Tensors that are joined, and those they are pooled or shuffled from, share the smallest of their scales.
    """
    bits, positive = {}, unsigned(network)
    for name, blob in forward_float(network).items():
        largest = float(np.abs(blob).max(initial=0.0))
        bits[name] = fraction_bits(largest, 255 if positive[name] else 127)
    tied = {name: {name} for name in bits}
    for layer in network.layers:
        if layer.kind in KEEPS_SCALE and "input" not in layer.inputs:
            group = tied[layer.name].union(*(tied[name] for name in layer.inputs))
            tied |= dict.fromkeys(group, group)
    return {name: min(bits[other] for other in tied[name]) for name in bits}


@integer_models.add("int8-pow2")
@dataclass(frozen=True, eq=False)
class Int8Pow2:
    """The integers of a network with real weights; InputError if it is outside the model."""

    network: Network
    fixed_formats: ClassVar[bool] = False

    @cached_property
    def fractions(self) -> dict[str, int]:
        """Tensor name -> fractional bits."""
        given = dict(self.network.calibration)
        if any(layer.kind not in KEEPS_SCALE and layer.name not in given for layer in self.network.layers):
            given = calibrate(self.network) | given
        found = {"input": 0}
        for layer in self.network.layers:
            if layer.kind not in KEEPS_SCALE:
                found[layer.name] = given[layer.name]
                continue
            sources = {found[name] for name in layer.inputs}
            if len(sources) > 1:
                raise InputError(f"layer '{layer.name}': int8-pow2 joins maps of one scale only, not {sorted(sources)}")
            (found[layer.name],) = sources
        return found

    def input_codes(self) -> Codes:
        """Raw pixels; where the first layer pads, the mean is the zero point instead of part of the bias."""
        if self._folds_mean:
            return Codes(self.network.pixels, NumberFormat(8, False, 1.0))
        mean = tuple(round(value) for value in self.network.mean)
        return Codes(self.network.pixels, NumberFormat(8, False, 1.0, mean, axis=1))

    def weight_codes(self, layer: Layer) -> Codes:
        """The layer's float weights as 8-bit codes whose step is a power of two."""
        return quantise_weights(self.network.weights[layer.name])[0]

    @property
    def _folds_mean(self) -> bool:
        readers = [layer for layer in self.network.layers if "input" in layer.inputs]
        return not any(self.network.mean) or not any(sum(layer.padding) for layer in readers)

    def finishing(self, layer: Layer) -> tuple[np.ndarray, ShiftRequant]:
        """(bias [M] int64 at accumulator scale, requantisation) of a layer with MACs."""
        weights = self.network.weights[layer.name]
        codes, fraction = quantise_weights(weights)
        point = fraction + self.fractions[layer.inputs[0]]
        real = weights.bias if weights.bias is not None else np.zeros(layer.M)
        bias = np.rint(np.ldexp(real, point)).astype(np.int64)
        if layer.inputs == ("input",) and self._folds_mean and any(self.network.mean):
            mean = np.rint(np.asarray(self.network.mean)).astype(np.int64)
            bias -= np.einsum("mcrs,c->m", codes.integers().astype(np.int64), mean)
        own = self.fractions[layer.name]
        rectified = layer.activation is not None
        high = None if layer.activation != "relu6" else min(255, round(math.ldexp(CEILING["relu6"], own)))
        return bias, ShiftRequant(point - own, NumberFormat(8, not rectified, math.ldexp(1.0, -own)), rectified, high)

    def post(self, layer: Layer, maps: list[Codes]) -> Codes:
        """Codes keep their scale, or get the one calibrated for the layer."""
        if layer.kind in KEEPS_SCALE:
            if len({codes.format.signed for codes in maps}) > 1:
                raise InputError(f"layer '{layer.name}': int8-pow2 joins maps of one sign only")
            return Codes(post_layer(layer, [codes.values for codes in maps]), maps[0].format)
        real = post_layer(layer, [codes.real() for codes in maps], self.network.weights.get(layer.name))
        own, positive = self.fractions[layer.name], unsigned(self.network)[layer.name]
        form = NumberFormat(8, not positive, math.ldexp(1.0, -own))
        values = np.clip(np.rint(np.ldexp(real, own)), form.low, form.high)
        return Codes(values.astype(np.uint8 if positive else np.int8), form)
