"""Fewer bits on one array of different MAC units: what latency and energy really gain.

AlexNet, SqueezeNet 1.0 and MobileNet run at 8, 4 and 2 bits, weights and activations alike, on the 32 x 32 ``systolic``
array, output stationary, whose PEs are MAC units of five kinds at one clock. Shapes and synthetic codes are the same
for all of them, so a row differs from its neighbours by its unit or its bits alone.
"""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.macs.unit import MacUnit
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save
from accel_sim.run.result import Result
from workloads import load_network

NETWORKS = {"alexnet": "AlexNet", "squeezenet1_0": "SqueezeNet 1.0", "mobilenet_v1": "MobileNet"}
BITS = (8, 4, 2)
#: name in the table -> fields of the unit
UNITS: dict[str, dict[str, Any]] = {
    "data gated": {"name": "conventional", "precision_gating": True},
    "sub-word": {"name": "subword_parallel", "sharing": "together"},
    "bricks": {"name": "divide_conquer"},
    "1-bit serial": {"name": "bit_serial"},
    "2-bit serial 2D": {"name": "bit_serial_2d", "digit_bits": 2},
}
SOURCE = "this simulator: presets/systolic.yaml, synthetic codes of these widths"
SHOWN = "shown, gates nothing: "


@cache
def run(network: str, unit: str, bits: int) -> Result:
    """The network with all of its weights and activations ``bits`` wide, on PEs of this unit."""
    narrow = load_network(network, precision={"weights": bits, "activations": bits})
    mac = UNITS[unit] | {"accumulator_bits": 32}
    return simulate(narrow, load_hardware("systolic", {"mac": mac, "mapping.objective": "cycles"}))


def unit_of(unit: str) -> MacUnit:
    """The MAC unit of the runs."""
    return load_hardware("systolic", {"mac": UNITS[unit] | {"accumulator_bits": 32}}).mac


def rows() -> list[dict[str, Any]]:
    """Time and energy of every run beside the data-gated unit at 8 bits, and the laws they keep."""
    found = []
    for network, label in NETWORKS.items():
        base = run(network, "data gated", 8).summary
        for unit in UNITS:
            found += [row for bits in BITS for row in _run_rows(network, label, unit, bits, base)]
        found += _laws(network, label)
    return found


def _run_rows(network: str, label: str, unit: str, bits: int, base: dict[str, Any]) -> list[dict[str, Any]]:
    result, name = run(network, unit, bits), f"{label}, {unit}, {bits} bit"
    gated = mac_energy(run(network, "data gated", 8))
    shown = f"{SHOWN}ratio is to the data-gated unit at 8 bits"
    return [
        _row(f"{name}: time (ms)", base["time_s"] * 1e3, result.summary["time_s"] * 1e3, None, shown),
        _row(f"{name}: energy (mJ)", base["energy_pj"] / 1e9, result.summary["energy_pj"] / 1e9, None, shown),
        _row(f"{name}: MAC energy (mJ)", gated, mac_energy(result), None, shown),
    ]  # fmt: skip


def mac_energy(result: Result) -> float:
    """mJ of multipliers and adders."""
    rows = result.actions[(result.actions.component == "mac") & (result.actions.action != "leakage")]
    return float(rows.energy_pj.sum()) / 1e9


def _laws(network: str, label: str) -> list[dict[str, Any]]:
    """How often a law was tried, and how often it held."""
    steps = [(unit, wide, narrow) for unit in UNITS for wide, narrow in pairwise(BITS)]
    fewer = [_array(network, unit, narrow) <= _array(network, unit, wide) for unit, wide, narrow in steps]
    bound = [
        _array(network, unit, 8) / _array(network, unit, bits) <= _ideal(unit, bits) * (1 + 1e-9)
        for unit in UNITS for bits in BITS[1:]
    ]  # fmt: skip
    still = [_array(network, "data gated", bits) == _array(network, "data gated", 8) for bits in BITS[1:]]
    energy = [
        mac_energy(run(network, unit, narrow)) < mac_energy(run(network, unit, wide)) for unit, wide, narrow in steps
    ]
    laws = {
        "steps to fewer bits that take no more array cycles": fewer,
        "array speed-ups not above the products a cycle that the mode gains": bound,
        "bits at which data gating takes the cycles of 8": still,
        "steps to fewer bits that take less MAC energy": energy,
    }
    return [
        _row(f"{label}: {name}", len(held), sum(held), 0.0, "law: count of cases, and of those in which it holds")
        for name, held in laws.items()
    ]


def _array(network: str, unit: str, bits: int) -> int:
    return run(network, unit, bits).summary["array_cycles"]


def _ideal(unit: str, bits: int) -> float:
    """Products a cycle at these bits over those at 8."""
    mac = unit_of(unit)
    return float(mac.mode(bits, bits).macs_per_cycle / mac.mode(8, 8).macs_per_cycle)


def _row(item: str, published: float, simulated: float, tolerance: float | None, derived_from: str) -> dict[str, Any]:
    return compared(item, published, simulated, tolerance, "self", derived_from, SOURCE)


COLOURS = ("#555555", "#0072B2", "#D55E00", "#009E73", "#CC79A7")


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Time (top) and energy (below) of each network over the bits, a bar a unit; 1 = data gated at 8 bits."""
    with house_style() as plt:
        fig, axes = plt.subplots(2, len(NETWORKS), figsize=(13, 7), sharex=True, sharey="row")
        for column, label in enumerate(NETWORKS.values()):
            for axis, what in zip(axes[:, column], ("time", "energy"), strict=True):
                for place, (unit, colour) in enumerate(zip(UNITS, COLOURS, strict=True)):
                    ratios = [_ratio(frame, f"{label}, {unit}, {bits} bit: {what} (") for bits in BITS]
                    at = [group + (place - 2) * 0.16 for group in range(len(BITS))]
                    axis.bar(at, ratios, 0.15, color=colour, label=unit)
                axis.axhline(1, color="#555555", linestyle="--", linewidth=1)
                axis.set_xticks(range(len(BITS)), [f"{bits} x {bits} bit" for bits in BITS])
                axis.set_yscale("log", base=2)
                axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}x")
            axes[0, column].set_title(label)
        axes[0, 0].set_ylabel("time / data gated at 8 bits")
        axes[1, 0].set_ylabel("energy / data gated at 8 bits")
        axes[0, 0].legend(fontsize=9)
        save(fig, path)


def _ratio(frame: pd.DataFrame, start: str) -> float:
    return float(frame[frame["item"].str.startswith(start)].ratio.iloc[0])


EXPERIMENT = Experiment(
    "precision_scaling", "What do 4 and 2 bits gain on arrays of different MAC units?", rows, figure
)
