"""The integer arithmetic of TensorFlow Lite's 8-bit kernels, bit for bit (LiteRT 2.3.0 on x86, no delegate).

Rules: tensorflow/lite/kernels (kernel_util.cc, quantization_util.cc, reference and optimised ops), Apache-2.0; what
could not be told from them was measured on LiteRT 2.3.0. Sums are of (q_in - z_in) * (q_w - z_w), in 32 bits.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.models import integer_models
from workloads.network import Network
from workloads.reference import pool_counts, post_layer
from workloads.registry import InputError
from workloads.requant import FixedPointRequant, Rounding, fixed_point, quantise_multiplier

#: largest real output of a fused activation
CEILING = {"relu6": 6.0}
#: inputs of an ADD are brought to a common scale with this many more bits
ADD_SHIFT = 20
#: codes are signed -> (rounding, elements) of the vectors in which an ADD scales its inputs (measured)
ADD_VECTORS: dict[bool, tuple[Rounding, int]] = {True: ("single", 16), False: ("floor", 8)}


def limits(layer: Layer, form: NumberFormat) -> tuple[int, int]:
    """(lowest, highest) output code after the fused activation."""
    activation = layer.kind if layer.kind in ("relu", "relu6") else layer.activation
    low = form.low if activation is None else max(form.low, form.zero)
    if activation not in CEILING:
        return low, form.high
    with np.errstate(over="ignore"):
        steps = float(np.float32(CEILING[activation]) / np.float32(form.step))
    return low, min(form.high, form.zero + math.floor(min(steps, 65536.0) + 0.5))


@integer_models.add("tflite-int8")
@dataclass(frozen=True, eq=False)
class TfliteInt8:
    """A network whose every tensor has an 8-bit format (``Network.formats``); InputError if one has none."""

    network: Network
    fixed_formats: ClassVar[bool] = True

    def __post_init__(self):
        names = ["input", *(layer.name for layer in self.network.layers)]
        missing = [name for name in names if name not in self.network.formats]
        if missing:
            raise InputError(f"network '{self.network.name}': tensor '{missing[0]}' has no number format")

    def input_codes(self) -> Codes:
        """Pixels in the format of the file's input."""
        return Codes.of_pixels(self.network.pixels, self.network.formats["input"])

    def weight_codes(self, layer: Layer) -> Codes:
        """As they are stored."""
        return self.network.weights[layer.name].codes

    def finishing(self, layer: Layer) -> tuple[np.ndarray, FixedPointRequant]:
        """(bias [M] int64, requantisation with multiplier s_in * s_w / s_out) of a layer with MACs."""
        weights, form = self.network.weights[layer.name], self.network.formats[layer.name]
        source = self.network.formats[layer.inputs[0]]
        held = weights.codes.format
        per_channel = isinstance(held.scale, tuple)
        steps: np.ndarray = np.asarray(held.scale if per_channel else (held.step,)) * source.step
        bias = np.zeros(layer.M, np.int64)
        if weights.bias is not None:
            bias = np.rint(weights.bias / steps).astype(np.int64)
        if not per_channel and (layer.kind == "fc" or not source.signed):
            # GetQuantizedConvolutionMultipler multiplies the two scales in float32; the per-channel path does not
            with np.errstate(over="ignore"):
                steps = np.float32(source.step) * np.asarray([held.step], dtype=np.float32)
        factors = multipliers(layer, (float(step) / form.step for step in steps))
        return bias, FixedPointRequant(*factors, form, *limits(layer, form), *self._rounding(layer))

    def _rounding(self, layer: Layer) -> tuple[Rounding, int | None]:
        """(rounding, first channel that rounds 'double' instead), as the kernel that runs the operator does it.

        Matrix products round half up. Grouped convolutions run the reference kernel; depthwise ones round as it does,
        but int8 in whole vectors of 8 channels.
        """
        if self.network.variants.get(layer.name) == "grouped":
            return "double", None
        if layer.kind != "depthwise":
            return "half_up", None
        signed = self.network.formats[layer.name].signed
        return ("half_up", vectors(layer.M, 8)) if signed else ("double", None)

    def post(self, layer: Layer, maps: list[Codes]) -> Codes:
        """Output codes of a layer without MACs."""
        form = self.network.formats[layer.name]
        if layer.kind in _KERNELS:
            values = _KERNELS[layer.kind](layer, maps, form)
        elif layer.kind == "pool" and layer.pool == "avg":
            kernel = {"mean": _mean, "mean_keep_dims": _mean_keep_dims, "": _average}
            values = kernel[self.network.variants.get(layer.name, "")](layer, maps[0], form)
        else:
            values = post_layer(replace(layer, activation=None), [codes.values for codes in maps])
        return Codes(np.clip(values, *limits(layer, form)).astype(maps[0].values.dtype), form)


def vectors(channels: int, width: int) -> int | None:
    """Channels that fill whole vector registers of ``width``; None if all do."""
    return channels // width * width if channels % width else None


def multiplier(layer: Layer, real: float) -> tuple[int, int]:
    """quantise_multiplier; InputError that names the layer."""
    try:
        return quantise_multiplier(real)
    except ValueError as error:
        raise InputError(f"layer '{layer.name}': its scales cannot be: {error}") from None


def multipliers(layer: Layer, reals: Iterable[float]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(multipliers, exponents) of one real number per channel; InputError that names the layer."""
    pairs = [multiplier(layer, real) for real in reals]
    return tuple(q for q, _ in pairs), tuple(e for _, e in pairs)


def _scaled(layer: Layer, values: np.ndarray, real: float, rounding: Rounding = "double") -> np.ndarray:
    q, e = multiplier(layer, real)
    return fixed_point(values, np.int64(q), np.int64(e), rounding)


def _wide(codes: Codes) -> np.ndarray:
    return codes.integers().astype(np.int64)


def _relu(layer: Layer, maps: list[Codes], form: NumberFormat) -> np.ndarray:
    """RELU and RELU6: the ratio of the scales is a float32, widened afterwards."""
    with np.errstate(over="ignore"):
        ratio = float(np.float32(maps[0].format.step) / np.float32(form.step))
    return _scaled(layer, _wide(maps[0]), ratio) + form.zero


def _add(layer: Layer, maps: list[Codes], form: NumberFormat) -> np.ndarray:
    """Both inputs in steps of twice the larger scale, 2^20 times finer; then to the output's scale.

    The inputs are scaled by vectors of elements as they lie in memory (N, H, W, C), with a rounding of their own; what
    fills no whole vector, and the sum, as the reference does.
    """
    twice = 2.0 * max(codes.format.step for codes in maps)
    rounding, width = ADD_VECTORS[form.signed]
    total = np.zeros((), np.int64)
    for codes in maps:
        flat = np.moveaxis(_wide(codes) << ADD_SHIFT, 1, -1)
        parts = np.split(flat.ravel(), [flat.size // width * width])
        real = codes.format.step / twice
        parts = [_scaled(layer, part, real, way) for part, way in zip(parts, (rounding, "double"), strict=True)]
        total = total + np.moveaxis(np.concatenate(parts).reshape(flat.shape), -1, 1)
    values = np.moveaxis(_scaled(layer, total, twice / ((1 << ADD_SHIFT) * form.step)) + form.zero, 1, -1)
    flat = values.ravel()
    body = flat[: flat.size // width * width]
    body[:] = body.astype(np.int16)  # lanes of 16 bits, which wrap where the output's range is exceeded 128 times
    return np.moveaxis(flat.reshape(values.shape), -1, 1)


def _softmax(layer: Layer, maps: list[Codes], form: NumberFormat) -> np.ndarray:
    """Exponentials from a table of 256 float32, added one after another in float32."""
    (codes,) = maps
    with np.errstate(over="ignore"):
        table = np.exp(-(np.arange(256, dtype=np.float32) * np.float32(codes.format.step)).astype(np.float64))
    values = codes.values.astype(np.int32)
    powers = table.astype(np.float32)[values.max(axis=1, keepdims=True) - values]
    total = np.add.accumulate(powers, axis=1, dtype=np.float32)[:, -1:]
    share = powers * (np.float32(1) / (total * np.float32(form.step)))
    return (share + np.float32(0.5)).astype(np.int64) + form.zero


def _average(layer: Layer, inputs: Codes, form: NumberFormat) -> np.ndarray:
    """AVERAGE_POOL_2D: raw codes over each window, rounded half away from zero; a PAD's codes are the zero point."""
    fill = inputs.format.zero if layer.count_include_pad else 0
    windows = (layer.window.view(item.astype(np.int64), fill) for item in inputs.values)
    sums = np.stack([window.sum(axis=(1, 2)) for window in windows])
    counts = pool_counts(layer)
    half = counts // 2
    return np.where(sums > 0, (sums + half) // counts, -((half - sums) // counts))


def _mean_keep_dims(layer: Layer, inputs: Codes, form: NumberFormat) -> np.ndarray:
    """MEAN with keep_dims: raw sums times s_in / (places * s_out) in float32, the zero points as one rounded bias."""
    sums = inputs.values.sum(axis=(2, 3), dtype=np.int64, keepdims=True)
    step, places = np.float32(inputs.format.step), np.float32(layer.R * layer.S)
    with np.errstate(over="ignore"):
        real = float(step / (places * np.float32(form.step)))
    values, tail = _scaled(layer, sums, real, "half_up"), vectors(layer.C, 16)
    shift = np.float32(inputs.format.zero) * step / np.float32(form.step)
    bias = form.zero - int(shift + np.float32(0.5 if shift > 0 else -0.5))
    if tail is not None:
        values[:, tail:] = _scaled(layer, sums, real, "double")[:, tail:]
    return values + bias


def _mean(layer: Layer, inputs: Codes, form: NumberFormat) -> np.ndarray:
    """MEAN without keep_dims: the division by the places goes into the multiplier, with as many bits as fit."""
    sums, places = _wide(inputs).sum(axis=(2, 3), keepdims=True), layer.R * layer.S
    q, e = multiplier(layer, inputs.format.step / form.step)
    more = min(places.bit_length() - 1, 31 + e)
    values = fixed_point(sums, np.int64((q << more) // places), np.int64(e - more), "double")
    return values + form.zero


_Kernel = Callable[[Layer, list[Codes], NumberFormat], np.ndarray]
#: kind -> output values, before they are clipped
_KERNELS: dict[str, _Kernel] = {"add": _add, "softmax": _softmax, "relu": _relu, "relu6": _relu}
