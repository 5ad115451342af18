"""How much on-chip memory does a dense accelerator need? DRAM traffic, energy and time over the capacity of its SRAMs.

The three SRAMs of the `systolic` preset (inputs 2 : weights 1 : outputs 1) are scaled together; for every size the
mapping search finds the tiles that move the fewest bytes, and CACTI prices the macros. Weights are dense, 8 bit.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save
from accel_sim.run.result import Result
from experiments.traffic import compulsory, moved
from workloads import Layer, load_network

SOURCE = (
    "this simulator: presets/systolic.yaml, CACTI 7.0 macros (45 nm, itrs-lstp, 256 bit), DRAM 20 pJ/bit (Horowitz)"
)
SRAMS = ("input_sram", "weight_sram", "output_sram")
#: share of the whole capacity that each SRAM has in the preset
SHARES = {"input_sram": 2, "weight_sram": 1, "output_sram": 1}
#: KiB on chip in all; the largest input SRAM is the largest macro of the table (4 MiB)
SIZES_KIB = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
#: network -> layers that run
CASES = {"squeezenet1_0": "*", "alexnet": "conv*"}
#: traffic within this of the compulsory bytes counts as having reached them
NEAR = 0.10
SHOWN = "shown, gates nothing: "


@cache
def run(network: str, size_kib: int, layers: str | None = None) -> Result:
    """The layers of CASES (or ``layers``) with ``size_kib`` of SRAM in all."""
    settings: dict[str, Any] = {f"memories.{name}.capacity_kib": size_kib * SHARES[name] / 4 for name in SRAMS}
    machine = load_hardware("systolic", settings | {"mapping.objective": "dram"})
    return simulate(load_network(network), machine, layers=layers or CASES[network])


def fits_whole(result: Result) -> bool:
    """Every layer's inputs, weights and outputs each fit their SRAM."""
    frame, buffers = result.layers, result.machine.buffers
    parts = {
        "inputs": frame.N * frame.C * frame.H * frame.W,
        "weights": frame.weight_machine_bytes,
        "outputs": frame.N * frame.M * frame.E * frame.F,
    }
    working = frame.kind != "concat"
    return all(bool((size[working] <= buffers[operand].bytes).all()) for operand, size in parts.items())


def rows(networks: Iterable[str] = tuple(CASES), sizes: Iterable[int] = SIZES_KIB) -> list[dict[str, Any]]:
    """networks, sizes: those of CASES and SIZES_KIB to run (sizes in order)."""
    return [row for network in networks for row in _network_rows(network, tuple(sizes))]


def _network_rows(network: str, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    results = {size: run(network, size) for size in sizes}
    traffic = {size: sum(moved(result).values()) for size, result in results.items()}
    least = sum(compulsory(results[sizes[0]]).values())
    found = [row for size in sizes for row in _size_rows(network, size, results[size], traffic[size], least)]
    laws = _laws(network, results, traffic)
    return found + laws + _knee(network, results, traffic, least)


def _size_rows(network: str, size: int, result: Result, traffic: int, least: int) -> list[dict[str, Any]]:
    name, summary = f"{network}, {size} KiB", result.summary
    parts = result.actions.groupby("component").energy_pj.sum() / 1e9
    clock_hz = result.machine.clock_mhz * 1e6
    sram, total = float(parts[list(SRAMS)].sum()), summary["energy_pj"] / 1e9
    return [
        _row(f"{name}: DRAM traffic (MB)", least / 1e6, traffic / 1e6, None, f"{SHOWN}ratio to compulsory bytes"),
        _row(f"{name}: DRAM energy (mJ)", total, float(parts["dram"]), None, f"{SHOWN}ratio is to all energy"),
        _row(f"{name}: SRAM energy (mJ)", total, sram, None, f"{SHOWN}ratio is to all energy"),
        _row(f"{name}: energy (mJ)", float(parts["dram"]), total, None, f"{SHOWN}ratio is to DRAM's energy"),
        _row(
            f"{name}: time (ms)", summary["array_cycles"] / clock_hz * 1e3, summary["time_s"] * 1e3, None,
            f"{SHOWN}ratio is to the array's own time, without any transfer",
        ),
    ]  # fmt: skip


def _laws(network: str, results: dict[int, Result], traffic: dict[int, int]) -> list[dict[str, Any]]:
    """How often a law was tried, and how often it held."""
    steps = list(zip(list(traffic)[:-1], list(traffic)[1:], strict=True))
    above = [
        bytes_moved >= least
        for result in results.values()
        for bytes_moved, least in zip(moved(result).values(), compulsory(result).values(), strict=True)
    ]
    whole = [moved(result) == compulsory(result) for result in results.values() if fits_whole(result)]
    laws = {
        "steps to twice the size at which traffic does not grow": [
            traffic[big] <= traffic[small] for small, big in steps
        ],
        "layers x sizes that move at least their compulsory bytes": above,
    }
    if whole:
        laws["sizes that hold every tensor whole, at which each layer moves its compulsory bytes alone"] = whole
    return [
        _row(f"{network}: {name}", len(held), sum(held), 0.0, "law: count of cases, and of those in which it holds")
        for name, held in laws.items()
    ]


def blocks_fit(result: Result) -> bool:
    """Two blocks of weights, a filter for every column of the array and all of its taps, fit the weight SRAM.

    Output-stationary sums cannot leave a PE unfinished. A block that does not fit twice (one in use, one arriving) is
    cut along its taps, and then fetched again for every fold of pixels.
    """
    block = max(result.machine.array.cols * layer.K for layer in _with_macs(result))
    return 2 * block <= result.machine.buffers["weights"].bytes


def _with_macs(result: Result) -> list[Layer]:
    ran = set(result.layers.layer)
    return [layer for layer in result.network.layers if layer.has_macs and layer.name in ran]


def _knee(network: str, results: dict[int, Result], traffic: dict[int, int], least: int) -> list[dict[str, Any]]:
    fitting = [size for size in results if blocks_fit(results[size])]
    near = [size for size in traffic if traffic[size] <= (1 + NEAR) * least]
    if not near or not fitting:
        return []
    cheapest = min(results, key=lambda size: results[size].summary["energy_pj"])
    return [
        _row(
            f"{network}: knee, first size with traffic within 10 % of compulsory (KiB)", fitting[0], near[0], 0.0,
            "by hand: the first size whose weight SRAM holds two blocks of 32 filters x all taps of every layer",
        ),
        _row(
            f"{network}: size of the least energy (KiB)", near[0], cheapest, 1.0,
            "the knee, or one doubling on: beyond, every access costs more and there is no traffic left to save",
        ),
    ]  # fmt: skip


def _row(item: str, published: float, simulated: float, tolerance: float | None, derived_from: str) -> dict[str, Any]:
    return compared(item, published, simulated, tolerance, "self", derived_from, SOURCE)


def series(frame: pd.DataFrame, network: str, what: str) -> pd.DataFrame:
    """The rows of one quantity of a network, with their size in KiB as column ``size``."""
    found = frame["item"].str.extract(rf"^{network}, (\d+) KiB: {what} \(")[0]
    return frame[found.notna()].assign(size=found.dropna().astype(int))


STYLE = {"squeezenet1_0": ("SqueezeNet 1.0", "#0072B2", "o"), "alexnet": ("AlexNet, conv layers", "#D55E00", "s")}


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Traffic over compulsory bytes, where SqueezeNet's energy goes, time over the array's own."""
    with house_style() as plt:
        fig, (traffic, energy, time) = plt.subplots(1, 3, figsize=(13, 4.4))
        for network, (label, colour, marker) in STYLE.items():
            for axis, what in ((traffic, "DRAM traffic"), (time, "time")):
                part = series(frame, network, what)
                axis.plot(part["size"], part.ratio, marker=marker, color=colour, label=label)
        traffic.axhline(1, color="#555555", linestyle="--", linewidth=1)
        traffic.text(32, 1.03, "every byte once", va="bottom", color="#555555", fontsize=9)
        traffic.set(yscale="log", ylabel="bytes moved / compulsory bytes", title="DRAM traffic")
        traffic.set_yticks([1, 2, 4, 8], ["1x", "2x", "4x", "8x"])
        traffic.minorticks_off()
        traffic.legend()
        time.set(ylabel="time / time of the array alone", title="Time", ylim=(1, None))
        _energy(energy, frame)
        for axis in (traffic, energy, time):
            axis.set_xscale("log", base=2)
            axis.set_xticks(SIZES_KIB[::2], [f"{s} KiB" if s < 1024 else f"{s // 1024} MiB" for s in SIZES_KIB[::2]])
            axis.set_xlabel("SRAM on chip (inputs 2 : weights 1 : outputs 1)")
        save(fig, path)


def _energy(axis, frame: pd.DataFrame) -> None:
    network = "squeezenet1_0"
    total, dram, sram = (series(frame, network, what) for what in ("energy", "DRAM energy", "SRAM energy"))
    rest = total.simulated.to_numpy() - dram.simulated.to_numpy() - sram.simulated.to_numpy()
    axis.stackplot(
        total["size"], rest, sram.simulated, dram.simulated, colors=("#BBBBBB", "#56B4E9", "#0072B2"),
        labels=("MACs, registers, post", "SRAM", "DRAM"),
    )  # fmt: skip
    best = total.loc[total.simulated.idxmin()]
    axis.annotate(
        f"least: {best.simulated:.2f} mJ\nat {best['size']} KiB", (best["size"], best.simulated),
        (best["size"], 1.45 * best.simulated), ha="center", arrowprops={"arrowstyle": "->"},
    )  # fmt: skip
    axis.set(ylabel="mJ an image", title="Energy of SqueezeNet 1.0")
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="upper right")


EXPERIMENT = Experiment(
    "buffer_size", "How much on-chip memory does a dense accelerator need, and what does more of it cost?", rows, figure
)
