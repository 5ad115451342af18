"""What does a number format cost, and what does it lose? Error of SqueezeNet's weights, and energy, format by format.

Weights: the released Deep Compression SqueezeNet below $ACCEL_SIM_SHARED (default ../shared), each layer quantised on
its own; without it, half-normal magnitudes of random sign (and the rows say so). Energy of a multiply-accumulate: the
45 nm table. Formats of both operands multiply at their own width; weight-only formats meet 8-bit activations. With the
released weights a photograph also runs through the integer model, in the formats that can flow.
"""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from accel_sim.energy import registers
from accel_sim.energy.table import EnergyTable
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save
from workloads import Network, load_network
from workloads.format import Linear, named
from workloads.formats.floating import FloatLayout, Fp8E4m3
from workloads.quantise import quantise_network
from workloads.requant import accumulator_bits
from workloads.walk import walk

#: format -> (largest finite, smallest normal, smallest subnormal number); int rows: largest, and one step
PUBLISHED = {
    "fp32": (3.4028234663852886e38, 1.1754943508222875e-38, 1.401298464324817e-45),
    "fp16": (65504.0, 6.103515625e-05, 5.960464477539063e-08),
    "bfloat16": (3.3895313892515355e38, 1.1754943508222875e-38, 9.183549615799121e-41),
    "fp8_e4m3": (448.0, 0.015625, 0.001953125),
    "fp8_e5m2": (57344.0, 6.103515625e-05, 1.52587890625e-05),
    "fp6_e2m3": (7.5, 1.0, 0.125),
    "fp6_e3m2": (28.0, 0.25, 0.0625),
    "fp4_e2m1": (6.0, 1.0, 0.5),
    "int8": (127.0, 1.0, 1.0),
    "int4": (7.0, 1.0, 1.0),
}  # fmt: skip
PARAMETERS = "IEEE 754 and OCP definitions as ml_dtypes 0.6.0 has them"
HOROWITZ = "Horowitz, ISSCC 2014, 45 nm 0.9 V (read in MIT 6.5930 notes)"
NOTES = "MIT 6.5930 notes, L12 (read)"
DRAM_PJ_PER_BIT = 20.0  # 640 pJ for 32 bit (Horowitz, ISSCC 2014)
SHOWN = "shown, gates nothing: "
#: family -> specs, in order of their bits
SPECS = {
    "integer, a scale each channel": tuple(f"int{b}:axis=0" for b in (2, 3, 4, 5, 6, 8)),
    "affine, a scale each channel": tuple(f"affine:bits={b},axis=0" for b in (2, 4, 8)),
    "dynamic fixed point": tuple(f"dynamic_fixed_point:bits={b}" for b in (4, 6, 8, 16)),
    "floating point": (
        "fp4_e2m1:scaled=true", "fp6_e2m3:scaled=true", "fp8_e4m3:scaled=true", "fp8_e5m2:scaled=true", "bfloat16",
        "fp16", "fp32",
    ),
    "logarithm": ("log2:bits=4", "log2:bits=5", "sqrt2:bits=4", "sqrt2:bits=5"),
    "codebook": tuple(f"codebook:bits={b}" for b in (2, 3, 4, 5, 6)),
    "ternary, binary": ("binary", "bwn", "xnor", "ternary", "ttq"),
    "DoReFa": ("dorefa:bits=2", "dorefa:bits=4"),
}  # fmt: skip
#: (weights, activations) whose scores are held against those of the 8-bit model
FLOWING = (
    ("int8:axis=0", "int8"), ("int6:axis=0", "int6"), ("int4:axis=0", "int8"), ("int4:axis=0", "int4"),
    ("affine:axis=0", "affine"), ("dynamic_fixed_point", "dynamic_fixed_point"), ("codebook:bits=5", "int8"),
    ("ternary", "int8"), ("bwn", "int8"),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Weights:
    """layers: [M, C/G, R, S] of every layer with MACs; source: where they come from. network: with a photograph, or
    shapes alone."""

    layers: tuple[np.ndarray, ...]
    source: str
    network: Network


@cache
def weights() -> Weights:
    """The released SqueezeNet, or half-normal weights of its shapes (He's deviation, seed 0)."""
    data = Path(os.environ.get("ACCEL_SIM_SHARED", "../shared")) / "data"
    file, photos = data / "squeezenet_deep_compression/compressed_SqueezeNet.net", data / "images"
    if file.is_file():
        photo = photos / "photos_227_rgb_uint8.npz"
        image = f"{photo}:coffee" if photo.is_file() else None
        network = load_network("squeezenet1_0", weights=file, image=image)
        held = tuple(network.weights[layer.name].real() for layer in network.mac_layers)
        return Weights(held, "released Deep Compression SqueezeNet", network)
    network, rng = load_network("squeezenet1_0"), np.random.default_rng(0)
    made = []
    for layer in network.mac_layers:
        magnitude = np.abs(rng.normal(size=layer.weight_shape)) * math.sqrt(2 / layer.K)
        made.append(np.where(rng.random(layer.weight_shape) < 0.5, -magnitude, magnitude))
    return Weights(tuple(made), "synthetic half-normal weights, SqueezeNet's shapes", network)


@dataclass(frozen=True)
class Loss:
    """bits: of a stored code; sqnr_db: signal over error power of all weights; zeros: share that became zero."""

    bits: int
    sqnr_db: float
    zeros: float

    @property
    def rms_percent(self) -> float:
        """Error over signal, both root mean square."""
        return 100 * 10 ** (-self.sqnr_db / 20)


@cache
def loss(spec: str) -> Loss:
    """Every layer quantised on its own; powers are summed over all weights."""
    part, signal, error, zeros, count = named(spec), 0.0, 0.0, 0, 0
    for real in weights().layers:
        back = part.quantise(real).real()
        signal += float((real**2).sum())
        error += float(((real - back) ** 2).sum())
        zeros += int((back == 0).sum())
        count += real.size
    return Loss(part.bits, 10 * math.log10(signal / error) if error else math.inf, zeros / count)


def mac_pj(spec: str, products: int) -> tuple[float, str]:
    """(pJ of a multiply-accumulate, how): sums of ``products`` products."""
    part, table = named(spec), EnergyTable()
    layout = getattr(part, "layout", None)
    if isinstance(layout, FloatLayout):
        return _float_pj(layout)
    form = part.quantise(np.linspace(-1, 1, 257)).format
    both = isinstance(part, Linear) or spec == "xnor"
    width = form.bits if form.layout is not None else form.value_bits
    other = (1 if spec == "xnor" else form.bits) if both else 8
    total = accumulator_bits(other, width, products)
    add = table.arithmetic("add", total)[0]
    if form.layout is not None:  # a logarithm: the product is a shift
        return table.arithmetic("add", 8)[
            0
        ] + add, "a shift of 8 bits priced as an addition (guess); sqrt2's factor is left out"
    if form.bits <= 2 and len(form.codebook or ()) <= 3 and not isinstance(part, Linear):
        return table.arithmetic("add", accumulator_bits(other, 2, products))[0], "the sign selects: no multiplier"
    read = 0.0
    if spec.startswith("codebook"):
        read = registers.price("read", width, 1 << form.bits, table.per_bit("flip_flop", width), 1.0)[0]
    how = f"int mult {max(width, other)} b, add {total} b" + ("; the table read as a register file" if read else "")
    return table.arithmetic("mult", max(width, other))[0] + add + read, how


def _float_pj(layout: FloatLayout) -> tuple[float, str]:
    """Multipliers follow a power law in the significant bits through the two published; sums are in 32-bit floats."""
    table = EnergyTable()
    mult, add = table.arithmetic("float_mult", layout.mantissa_bits + 1)[0], table.arithmetic("float_add", 24)[0]
    known = layout.bits == 32 or (layout.bits == 16 and layout.mantissa_bits == 10)
    how = "fp mult as published" if known else "fp mult by a power law in significant bits (guess)"
    return mult + add, f"{how}; sums in fp32"


EVERY_SPEC = tuple(spec for family in SPECS.values() for spec in family)


def rows(specs: Iterable[str] = EVERY_SPEC) -> list[dict[str, Any]]:
    """specs: formats to hold against each other."""
    return [*_parameter_rows(), *_energy_rows(), *_format_rows(tuple(specs)), *_law_rows(), *_network_rows()]


def _parameter_rows() -> list[dict[str, Any]]:
    found = []
    for name, figures in PUBLISHED.items():
        part = named(name)
        layout = getattr(part, "layout", None)
        if layout is None:
            ours = (float(part.quantise(np.array([1.0])).values[0]), 1.0, 1.0)
        else:
            ours = layout.decode(np.array([layout.largest, 1 << layout.mantissa_bits, 1])).tolist()
        what = ("largest finite number", "smallest normal number", "smallest subnormal number")
        for text, published, simulated in zip(what, figures, ours, strict=layout is not None):
            if layout is not None or text == what[0]:
                found.append(
                    compared(f"{name}: {text}", published, simulated, 0.0, "exact", "decoded code", PARAMETERS)
                )
    plain = Fp8E4m3(saturate=False).layout
    tie = float(plain.decode(plain.encode(np.array([464.0]), False))[0])
    found.append(
        compared("fp8_e4m3: 464 without saturation becomes", 448.0, tie, 0.0, "exact", "tie to even", PARAMETERS)
    )
    for network, products, bits in (("AlexNet", 9216, 14), ("VGG-16", 25088, 15)):
        more = accumulator_bits(8, 8, products) - 16
        item = f"{network}, first FC layer: accumulator bits beyond a product's"
        found.append(compared(item, bits, more, 0.0, "read", f"ceil(log2 {products})", NOTES))
    return found


def _energy_rows() -> list[dict[str, Any]]:
    table, found = EnergyTable(), []
    for name, published, ours in (
        ("int8 multiplication (pJ)", 0.2, table.arithmetic("mult", 8)[0]),
        ("int8 addition (pJ)", 0.03, table.arithmetic("add", 8)[0]),
        ("fp16 multiply, fp32 add (pJ)", 1.1 + 0.9, mac_pj("fp16", 1)[0]),
        ("fp32 multiply-add (pJ)", 3.7 + 0.9, mac_pj("fp32", 1)[0]),
    ):
        why = f"{SHOWN}our table carries the published one"
        found.append(compared(name, published, ours, None, "read", why, HOROWITZ))
    return found


def _format_rows(specs: tuple[str, ...]) -> list[dict[str, Any]]:
    held, found = weights(), []
    products = max(layer.K for layer in held.network.mac_layers)
    count, macs = sum(real.size for real in held.layers), held.network.macs
    float_mac, float_dram = mac_pj("fp32", products)[0], count * 32 * DRAM_PJ_PER_BIT / 1e9
    for spec in specs:
        lost, (each, how) = loss(spec), mac_pj(spec, products)
        if math.isfinite(lost.sqnr_db):
            found += [
                _own(f"{spec}: SQNR (dB)", 6.02 * lost.bits, lost.sqnr_db, "ratio to 6.02 dB a stored bit", held),
                _own(f"{spec}: relative RMS error (%)", 100.0, lost.rms_percent, "ratio to the signal", held),
            ]
        dram = count * lost.bits * DRAM_PJ_PER_BIT / 1e9
        found += [
            _own(f"{spec}: weight bits (bit)", 32, lost.bits, "ratio to fp32", held),
            _own(f"{spec}: multiply-accumulate (pJ)", float_mac, each, f"ratio to fp32; {how}", held),
            _own(f"{spec}: all MACs (mJ)", macs * float_mac / 1e9, macs * each / 1e9, "ratio to fp32", held),
            _own(f"{spec}: weights from DRAM once (mJ)", float_dram, dram, "ratio to fp32; stored dense", held),
        ]
    return found


def _law_rows() -> list[dict[str, Any]]:
    """What theory says of any bell-shaped tensor, gated."""
    source, found = weights().source, []
    for name, digits in (("bfloat16", 7), ("fp8_e5m2:scaled=true", 2), ("fp8_e4m3:scaled=true", 3)):
        # error step^2/12, mean square of a significand 3 / (2 ln 2) if its logarithm is uniform over 1..2
        expected = 10 * math.log10(12 * 3 / (2 * math.log(2))) + 20 * digits * math.log10(2)
        why = f"law: 12 x 3/(2 ln 2) x 4^{digits}, significands of uniform logarithm"
        found.append(compared(f"law, {name}: SQNR (dB)", expected, loss(name).sqnr_db, 0.05, "self", why, source))
    for low, high in ((4, 8), (5, 6)):
        gain = (loss(f"int{high}:axis=0").sqnr_db - loss(f"int{low}:axis=0").sqnr_db) / (high - low)
        item = f"law, integer:axis=0: SQNR a bit, from {low} to {high} bits (dB)"
        why = "law: a bit halves the step"
        found.append(compared(item, 20 * math.log10(2), gain, 0.1, "self", why, source))
    better = [loss(f"int{bits}:axis=0").sqnr_db > loss(f"int{bits}").sqnr_db for bits in (3, 4, 6, 8)]
    item = "law: widths at which a scale each channel beats one a tensor"
    found.append(
        compared(item, len(better), sum(better), 0.0, "self", "law: count of cases, and of those it holds", source)
    )
    return found


@cache
def scores(weight_spec: str | None, activation_spec: str | None) -> np.ndarray:
    """Class scores of the photograph."""
    network = quantise_network(weights().network, weights=weight_spec, activations=activation_spec)
    data = walk(network, 0)
    for _ in data:
        pass
    if data.scores is None:
        raise ValueError("scores: the network has no photograph")
    return data.scores[0].astype(np.float64)


def _network_rows() -> list[dict[str, Any]]:
    held = weights()
    if held.network.images is None:
        return []
    whole, found = scores(None, None), []
    for weight_spec, activation_spec in FLOWING:
        ours = scores(weight_spec, activation_spec)
        alike = float(np.corrcoef(whole, ours)[0, 1]) if ours.std() > 0 else 0.0
        item = f"{weight_spec} x {activation_spec}: correlation of class scores with int8-pow2"
        found.append(_own(item, 1.0, alike, "one photograph (coffee), not trained again", held))
    return found


def _own(item: str, published: float, simulated: float, why: str, held: Weights) -> dict[str, Any]:
    source = f"this simulator: {held.source}; 45 nm table ({HOROWITZ})"
    return compared(item, published, simulated, None, "self", f"{SHOWN}{why}", source)


#: colour and marker of each family, in order
MARKS = (
    ("#0072B2", "o"), ("#56B4E9", "^"), ("#009E73", "s"), ("#000000", "D"), ("#E69F00", "v"), ("#CC79A7", "P"),
    ("#D55E00", "X"), ("#999999", "*"),
)  # fmt: skip
STYLE = dict(zip(SPECS, MARKS, strict=True))


def _figures(frame: pd.DataFrame, what: str) -> dict[str, float]:
    """spec -> figure."""
    part = frame[frame["item"].str.endswith(f": {what}") & ~frame["item"].str.startswith("law")]
    return dict(zip(part["item"].str.removesuffix(f": {what}"), part["simulated"], strict=True))


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Signal over error against bits and against the energy of a multiply-accumulate; energy of the whole network."""
    error, each = _figures(frame, "SQNR (dB)"), _figures(frame, "multiply-accumulate (pJ)")
    stored = _figures(frame, "weight bits (bit)")
    with house_style() as plt:
        fig, (bits, energy, total) = plt.subplots(1, 3, figsize=(15, 5), width_ratios=(1, 1, 1.3))
        for family, (colour, marker) in STYLE.items():
            chosen = [spec for spec in SPECS[family] if spec in error and error[spec] < 100]
            y = [error[spec] for spec in chosen]
            for axis, x in ((bits, stored), (energy, each)):
                axis.scatter([x[spec] for spec in chosen], y, color=colour, marker=marker, label=family)
        grid = [2, 4, 8, 16]
        bits.plot(grid, [6.02 * b for b in grid], color="#555555", linestyle="--", linewidth=1, label="6.02 dB a bit")
        bits.set(xscale="log", xlabel="stored bits a weight", ylabel="signal / error of weights (dB)", title="Error")
        bits.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        bits.minorticks_off()
        bits.legend(fontsize=8, loc="upper left")
        energy.set(xscale="log", xlabel="multiply-accumulate (pJ, 45 nm)", title="Error and energy")
        _total(total, frame)
        save(fig, path)


def _total(axis, frame: pd.DataFrame) -> None:
    macs, dram = _figures(frame, "all MACs (mJ)"), _figures(frame, "weights from DRAM once (mJ)")
    order = sorted(macs, key=lambda spec: macs[spec] + dram[spec])
    place = np.arange(len(order))
    axis.barh(place, [macs[spec] for spec in order], color="#009E73", label="MACs")
    left = [macs[spec] for spec in order]
    axis.barh(place, [dram[spec] for spec in order], left=left, color="#0072B2", label="weights from DRAM")
    axis.set_yticks(place, order, fontsize=6)
    axis.set(xlabel="mJ an image", title="Energy of SqueezeNet 1.0")
    axis.legend(loc="lower right")


EXPERIMENT = Experiment(
    "number_formats", "What does a number format lose of a network's weights, and what does it cost?", rows, figure
)
