"""The integer model "quantised": codes of any width and scale, as ``workloads.quantise`` gave them to a network.

Weights are the codes held; every tensor has a format. A sum becomes round(sum * s_in * s_w / s_out) + zero point, by a
31-bit multiplier per scale of the weights and one shift that rounds half up (with power-of-two scales: what int8-pow2
does); where 32 bits do not hold the sums, by a 16-bit multiplier on 64-bit sums. Layers without MACs work on codes
where these stand for values of one format, else on real values, rounded half to even.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.models import integer_models
from workloads.models.tflite_int8 import limits, multipliers
from workloads.network import Network
from workloads.reference import INTEGER_KINDS, post_layer
from workloads.registry import InputError
from workloads.requant import FixedPointRequant, accumulator_bits

#: kinds that do nothing but move codes, whatever the zero point
MOVES = ("concat", "shuffle")


@integer_models.add("quantised")
@dataclass(frozen=True, eq=False)
class Quantised:
    """The integers of a quantised network; InputError for a forward pass of one without formats on every tensor."""

    network: Network
    fixed_formats: ClassVar[bool] = True

    def input_codes(self) -> Codes:
        """As the network carries them."""
        return self.network.activations["input"]

    def weight_codes(self, layer: Layer) -> Codes:
        """As the network carries them."""
        return self.network.weights[layer.name].codes

    def finishing(self, layer: Layer) -> tuple[np.ndarray, FixedPointRequant]:
        """(bias [M] int64 at accumulator scale, requantisation) of a layer with MACs."""
        held, own = self.network.weights[layer.name], self.network.formats[layer.name]
        weights, source = held.codes.format, self.network.formats[layer.inputs[0]]
        scales = weights.scale if isinstance(weights.scale, tuple) else (weights.scale or 1.0,)
        steps = np.asarray(scales) * source.step
        bias = np.zeros(layer.M) if held.bias is None else held.bias
        # a filter of scale 0 (all of it pruned) leaves its bias alone, at a step so fine that no sum of codes shows
        steps = np.where(steps > 0, steps, np.maximum(np.abs(bias), own.step) / (1 << 30))
        factors = multipliers(layer, (float(step) / own.step for step in steps))
        width = accumulator_bits(source.value_bits, weights.value_bits, layer.K)
        try:
            requant = FixedPointRequant(*factors, own, *limits(layer, own), "int16" if width > 32 else "single")
        except ValueError as error:
            raise InputError(f"layer '{layer.name}': {error}") from None
        return np.rint(bias / steps).astype(np.int64), requant

    def post(self, layer: Layer, maps: list[Codes]) -> Codes:
        """Output codes of a layer without MACs."""
        own = self.network.formats[layer.name]
        moves = layer.kind in MOVES or (layer.kind == "pool" and layer.pool == "max")
        if own.zero_point == 0:
            integers = layer.kind in INTEGER_KINDS and layer.kind != "add" and layer.activation != "relu6"
        else:
            integers = moves and layer.activation is None
        if integers and all(codes.format == own for codes in maps):
            return Codes(post_layer(layer, [codes.values for codes in maps]), own)
        real = post_layer(layer, [codes.real() for codes in maps], self.network.weights.get(layer.name))
        return Codes.nearest(real, own)
