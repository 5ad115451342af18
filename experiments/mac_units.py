"""What precision-scalable MAC units cost: energy, area and throughput of 15 units in five precisions.

The units are those of Camus et al. (JETCAS 2019). Energies are what ``mac_energy`` says: ratios of a toggle count for
gated, sub-word and serial units, fitted PSMA arrays for two-dimensional divide and conquer.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from accel_sim.energy.mac import unit_area_um2, unit_energy
from accel_sim.macs.unit import MacUnit
from accel_sim.parts import macs
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save

MODES = ((8, 8), (8, 4), (8, 2), (4, 4), (2, 2))
GATED, SWP, FUSION, DC1D = "gated", "SWP ST", "2D D&C ST", "1D D&C ST"
#: label -> (registered name, fields): the taxonomy's units, accumulators as it has them
UNITS: dict[str, tuple[str, dict[str, Any]]] = {
    GATED: ("conventional", {"precision_gating": True}),
    "SWP SA 1l": ("subword_parallel", {"levels": 1}),
    "SWP SA": ("subword_parallel", {}),
    SWP: ("subword_parallel", {"sharing": "together"}),
    "1D D&C ST 1l": ("divide_conquer", {"dimensions": 1, "levels": 1}),
    DC1D: ("divide_conquer", {"dimensions": 1}),
    "2D D&C ST 1l": ("divide_conquer", {"levels": 1}),
    FUSION: ("divide_conquer", {}),
    "2D D&C SA": ("divide_conquer", {"sharing": "apart"}),
    "1D serial 1b": ("bit_serial", {}),
    "1D serial 2b": ("bit_serial", {"digit_bits": 2}),
    "1D serial 4b": ("bit_serial", {"digit_bits": 4}),
    "2D serial 1b": ("bit_serial_2d", {}),
    "2D serial 2b": ("bit_serial_2d", {"digit_bits": 2}),
    "2D serial 4b": ("bit_serial_2d", {"digit_bits": 4}),
}
CAMUS = "Camus et al., JETCAS 2019 (third-party extraction of the paper)"
OURS = "accel_sim.energy.mac"
SHOWN = "shown, gates nothing: "
GENERIC = "areas are generic gates without timing constraints, the paper's are synthesised for 28 nm"
Costs = Mapping[tuple[str, str], float]


def unit(label: str) -> MacUnit:
    """A unit of UNITS, with an accumulator as wide as its mode needs."""
    name, fields = UNITS[label]
    return macs.get(name)(accumulator_bits=None, **fields)


def energies() -> dict[tuple[str, str], float]:
    """(unit, precision) -> pJ per MAC; a precision that a unit lacks runs zero-padded in the mode that takes it."""
    return {
        (label, f"{a}x{w}"): unit_energy(made, made.mode(a, w))[0]
        for label, made in ((label, unit(label)) for label in UNITS)
        for a, w in MODES
    }


def mixed(pj: Costs, label: str, wide_share: float, narrow: tuple[str, ...]) -> float:
    """pJ per MAC when ``wide_share`` of the work is 8x8 and the rest is spread evenly over ``narrow``."""
    return wide_share * pj[label, "8x8"] + (1 - wide_share) * sum(pj[label, mode] for mode in narrow) / len(narrow)


def rows() -> list[dict[str, Any]]:
    """Serial units, savings, areas and mixes of precisions as published; profiles of our own."""
    pj = energies()
    return [*_serial(pj), *_savings(pj), *_areas(), *_mixes(pj), *_profile()]


def _serial(pj: Costs) -> Iterator[dict[str, Any]]:
    for label, published in (("2D serial 1b", 14.0), ("1D serial 1b", 3.3), ("1D serial 4b", 1.5)):
        why = "toggle count of the published RTL, one flip-flop clock = 12 toggles"
        ratio = pj[label, "8x8"] / pj[GATED, "8x8"]
        yield compared(f"{label} / gated at 8x8 (x)", published, ratio, 0.25, "read", why, CAMUS)


def _savings(pj: Costs) -> Iterator[dict[str, Any]]:
    for label, why in (
        (SWP, "toggle count, flip-flop clock = 12; 70 % with a clock of 24"),
        (FUSION, "fitted PSMA array without sums between units; the gated unit is tied to it through SWP ST"),
    ):
        saved = 1 - pj[label, "2x2"] / pj[GATED, "2x2"]
        yield compared(f"{label} saves against gated at 2x2", 0.68, saved, 0.25, "read", why, CAMUS)


def _areas() -> Iterator[dict[str, Any]]:
    one = unit_area_um2(unit(GATED))[0]
    for label, published, tolerance, kind, why in (
        (SWP, 1.18, 0.25, "read", GENERIC),
        ("2D D&C SA", 4.4, 0.25, "read", "fitted PSMA array; 'up to 4.4' in the paper, over clocks"),
        ("1D serial 1b", 0.6, 0.25, "read", f"{GENERIC}; 'up to -40 %'"),
    ):
        area = unit_area_um2(unit(label))[0] / one
        yield compared(f"{label}: area / conventional (x)", published, area, tolerance, kind, why, CAMUS)
    apart = unit_area_um2(unit("SWP SA 1l"))[0] / one
    why = f"{SHOWN}the paper's is the sum-together unit of one level, which was not measured; ours is sum-apart"
    yield compared("SWP SA 1l beside the paper's ST 1l: area (x)", 1.10, apart, None, "read", why, CAMUS)


def _mixes(pj: Costs) -> Iterator[dict[str, Any]]:
    # not among the acceptance targets of this project: outside 25 %, and said so in the row instead of gating
    why = f"{SHOWN}does NOT come out; how the paper splits the other 95 % is not known, here evenly over "
    for label, published, narrow in ((SWP, 0.32, ("4x4", "2x2")), (DC1D, 0.15, ("8x4", "8x2"))):
        saved = 1 - mixed(pj, label, 0.05, narrow) / mixed(pj, GATED, 0.05, narrow)
        more = "; unit delays over-count glitches in its chained adders (8x8: 2.4 x gated)" if label == DC1D else ""
        item = f"{label} saves against gated, 5 % at 8x8 (not gated)"
        yield compared(item, published, saved, None, "read", f"{why}{' and '.join(narrow)}{more}", CAMUS)
    narrow = ("4x4", "2x2")
    best = min((label for label in UNITS), key=lambda label: mixed(pj, label, 0.33, narrow))
    ratio = mixed(pj, GATED, 0.33, narrow) / mixed(pj, best, 0.33, narrow)
    why = f"'near-optimal', read as within 25 %; cheapest here: {best}; the rest evenly over 4x4 and 2x2 (a guess)"
    yield compared("gated / cheapest unit, 33 % at 8x8 (x)", 1.0, ratio, 0.25, "read", why, CAMUS)


def _profile() -> Iterator[dict[str, Any]]:
    """Everything the figure draws, beside the same of the gated unit; gates nothing."""
    base = _figures(GATED)
    for label in UNITS:
        for what, (value, why) in _figures(label).items():
            source = f"{SHOWN}ratio is to the gated unit; {why}"
            yield compared(f"{label}{what}", base[what][0], value, None, "self", source, OURS)


def _figures(label: str) -> dict[str, tuple[float, str]]:
    """What is said of a unit -> (figure, where it comes from)."""
    made = unit(label)
    area, source = unit_area_um2(made)
    found = {": area (um2)": (area, source)}
    for a, w in MODES:
        mode, name = made.mode(a, w), f" {a}x{w}: "
        energy, source = unit_energy(made, mode)
        found[f"{name}pJ/MAC"] = energy, source
        found[f"{name}MACs/cycle"] = float(mode.macs_per_cycle), "the unit's mode"
        cost = energy * area / float(mode.macs_per_cycle)
        found[f"{name}pJ x um2 per MAC/cycle"] = cost, "energy x area of a unit of that throughput"
    return found


#: unit -> colour (Okabe-Ito) where single units stand out
COLOURS = {
    GATED: "#555555", "SWP SA": "#E69F00", SWP: "#D55E00", FUSION: "#0072B2", "1D serial 2b": "#009E73",
    "2D serial 2b": "#CC79A7",
}  # fmt: skip


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Energies of all units, energy against area for one product a cycle, and energy of mixes."""
    values = frame.set_index("item").simulated
    with house_style() as plt:
        fig, axes = plt.subplots(1, 3, figsize=(16, 5.6), gridspec_kw={"width_ratios": (1.15, 1, 1)})
        _energies(axes[0], values)
        _areas_drawn(axes[1], values)
        _mixes_drawn(axes[2], values)
        save(fig, path)


def _energies(axis, values: pd.Series) -> None:
    names = [f"{a}x{w}" for a, w in MODES]
    pj = np.array([[values[f"{label} {name}: pJ/MAC"] for name in names] for label in UNITS])
    axis.imshow(np.log2(pj / pj[0]), cmap="RdBu_r", vmin=-2.5, vmax=2.5, aspect="auto")
    for (row, column), energy in np.ndenumerate(pj):
        colour = "white" if abs(math.log2(energy / pj[0, column])) > 1.6 else "black"
        axis.text(column, row, f"{energy:.2f}", ha="center", va="center", color=colour, fontsize=9)
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(UNITS)), list(UNITS))
    axis.grid(visible=False)
    axis.set(title="pJ per MAC, 28 nm\n(blue: less than gated, red: more)", xlabel="activation x weight bits")


def _areas_drawn(axis, values: pd.Series) -> None:
    for label, colour in COLOURS.items():
        area = values[f"{label}: area (um2)"]
        points = [
            (area / values[f"{label} {name}: MACs/cycle"], values[f"{label} {name}: pJ/MAC"]) for name in ("8x8", "2x2")
        ]
        axis.annotate("", points[1], points[0], arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.6})
        axis.scatter(*points[0], s=45, color=colour)
        axis.scatter(*points[1], s=45, color="white", edgecolor=colour, linewidth=1.6, label=label)
    axis.set(
        xscale="log", yscale="log", xlabel="um2 for one MAC a cycle", ylabel="pJ per MAC",
        title="Energy and area of the same throughput\n(full: 8x8, hollow: 2x2)",
    )  # fmt: skip
    axis.legend(loc="upper left", fontsize=9)


def _mixes_drawn(axis, values: pd.Series) -> None:
    pj = {(label, f"{a}x{w}"): values[f"{label} {a}x{w}: pJ/MAC"] for label in COLOURS for a, w in MODES}
    shares = np.linspace(0, 1, 101)
    narrow = ("4x4", "2x2")
    for label, colour in COLOURS.items():
        gains = [mixed(pj, label, share, narrow) / mixed(pj, GATED, share, narrow) for share in shares]
        axis.plot(100 * shares, gains, color=colour, label=label, lw=2)
    for share in (5, 33):
        axis.axvline(share, color="#999999", lw=0.8, ls=":")
        axis.text(share + 1, 2.42, f"{share} %", fontsize=9, color="#555555", va="top")
    axis.set(
        ylim=(0.5, 2.5), xlim=(0, 100), xlabel="% of MACs at 8x8 (the rest half 4x4, half 2x2)",
        ylabel="energy, data gated = 1", title="Which mix pays for a scalable unit\n(colours as in the middle)",
    )  # fmt: skip


EXPERIMENT = Experiment(
    "mac_units", "Which MAC unit costs least energy and area at which precision, and for which mix?", rows, figure
)
