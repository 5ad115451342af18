"""Which DRAM for a compressed network? AlexNet, plain and compressed, on six parts played command by command.

First every part streams and jumps about alone, beside the reference runs of the same traces; then the `systolic`
machine runs AlexNet from it, with weights dense and as a relative-index stream that a decoder opens before the weight
SRAM. Energy falls apart into what each access costs (commands) and what time costs (background, refresh).
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.memories import dram_part, dram_trace
from accel_sim.memories.dram_banked import DramBanked
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save
from accel_sim.run.result import Result
from workloads import load_network

PARTS = ("ddr3_1600", "ddr4_2400", "lpddr3_1600", "lpddr4_2400", "hbm2_2000", "gddr6_14000")
#: (part, trace) -> pJ/bit of ACT, PRE and reads, and with refresh and background: 16384 reads of 64 B at saturation
REFERENCE = {
    ("ddr3_1600", "stream"): (12.7, 17.5), ("ddr3_1600", "random"): (31.8, 39.2),
    ("ddr4_2400", "stream"): (5.8, 9.8), ("ddr4_2400", "random"): (12.5, 18.0),
    ("lpddr3_1600", "stream"): (5.4, 6.1), ("lpddr3_1600", "random"): (10.9, 12.6),
    ("lpddr4_2400", "stream"): (6.2, 8.1), ("lpddr4_2400", "random"): (12.9, 14.8),
}  # fmt: skip
REFERENCE_SOURCE = "DRAMsim3 2981759 on the same trace, energies with the factor tCK"
SOURCE = "this simulator: dram_banked, synthetic AlexNet at Deep Compression's densities (recalled)"
SOURCES = {"measured": REFERENCE_SOURCE, "recalled": f"{SOURCE}; the part's currents are recalled"}
REQUESTS = 16384
ENCODINGS = {"dense": "plain", "relative_index": "compressed"}
#: commands: the figures are printed to 0.1 pJ/bit; in all: DRAMsim3's controller streams 5 % faster on DDR4
TOLERANCE = {"commands": 0.01, "all": 0.05}
#: of whole bursts: shorter streams, rows shared by several operands (HBM2's hold 1 KiB and are opened again most often:
#: 8 % more), and writes (cheaper than reads by up to 27 %). Set after the figures were seen
STREAMING = 0.1
SHOWN = "shown, gates nothing: "
#: parts whose currents are recalled: their rows gate nothing
RECALLED = ("gddr6_14000",)
#: commands; the rest is what time costs
COMMANDS = ("act_pre", "rd", "wr")


def addresses(trace: str, burst_bytes: int) -> np.ndarray:
    """[REQUESTS] byte addresses: one after another, or by the generator of the reference runs (256 MiB)."""
    if trace == "stream":
        return burst_bytes * np.arange(REQUESTS)
    state, found = 12345, []
    for _ in range(REQUESTS):
        state = (1664525 * state + 1013904223) % (1 << 32)
        found.append((state >> 8) % (1 << 22) * 64)
    return np.array(found)


@cache
def saturated(part: str, trace: str) -> tuple[float, float]:
    """pJ/bit of (commands, all) of a read trace that keeps the part as busy as it can be."""
    memory = DramBanked(part=part)
    requests = np.zeros((REQUESTS, 3), np.int64)
    requests[:, 0] = addresses(trace, memory.found.burst_bytes)
    report = dram_trace.play(requests, memory)
    return report["pj_per_bit_commands"], report["pj_per_bit"]


@cache
def run(part: str, encoding: str, network: str = "alexnet", layers: str = "*") -> Result:
    """The systolic machine with that part as its DRAM and weights in that encoding."""
    memory = {"name": "dram_banked", "level": "dram", "part": part}
    machine = load_hardware("systolic", {"memories.dram": memory, "encodings.weights.name": encoding})
    return simulate(load_network(network), machine, layers=layers)


def split(result: Result) -> tuple[float, float]:
    """(commands, background and refresh) of the DRAM, in mJ."""
    dram = result.actions[result.actions.component == "dram"]
    spent = dram.energy_pj.groupby(dram.action.isin(COMMANDS)).sum() / 1e9
    return float(spent[True]), float(spent[False])


def moved(result: Result) -> int:
    """Bytes to and from DRAM."""
    return result.summary["dram_read_bytes"] + result.summary["dram_write_bytes"]


def on_the_bus(result: Result, burst_bytes: int) -> int:
    """Bytes of the bursts that moved them: whole ones, though an extent may begin and end inside one."""
    dram = result.actions[(result.actions.component == "dram") & result.actions.action.isin(("rd", "wr"))]
    return int(dram["count"].sum()) * burst_bytes


def roof_ms(result: Result) -> float:
    """Every layer at the slower of its array and its DRAM bus."""
    frame, machine = result.layers, result.machine
    bus = (frame.dram_read_bytes + frame.dram_write_bytes) / float(machine.dram.peak_bytes_per_cycle(machine.clock_mhz))
    return float(frame.array_cycles.where(frame.array_cycles > bus, bus).sum()) / machine.clock_mhz / 1e3


def rows(parts: Iterable[str] = PARTS, network: str = "alexnet", layers: str = "*") -> list[dict[str, Any]]:
    """parts: those to play; network, layers: what runs on them."""
    parts = tuple(parts)
    found = [row for part in parts for row in _trace_rows(part)]
    found += [row for part in parts for encoding in ENCODINGS for row in _run_rows(part, encoding, network, layers)]
    return found + _comparison(parts, network, layers)


def _trace_rows(part: str) -> list[dict[str, Any]]:
    found = []
    for trace in ("stream", "random"):
        published = REFERENCE.get((part, trace))
        for place, what in enumerate(("commands", "all")):
            if published is not None:
                item = f"{part}, {trace} reads: pJ/bit, {what}"
                why = "same currents and trace; printed to 0.1 pJ/bit; another controller"
                found.append(
                    _row(item, published[place], saturated(part, trace)[place], TOLERANCE[what], "measured", why)
                )
    return found


def _run_rows(part: str, encoding: str, network: str, layers: str) -> list[dict[str, Any]]:
    result, name = run(part, encoding, network, layers), f"{network} {ENCODINGS[encoding]} on {part}"
    commands, background = split(result)
    bits, bursts, time_s = (
        8 * moved(result),
        8 * on_the_bus(result, dram_part.find(part).burst_bytes),
        result.summary["time_s"],
    )
    per_bit, per_bit_all = saturated(part, "stream")
    found = dram_part.find(part)
    open_mj = found.energies["background_open"][0] / found["tCK_ns"] * time_s  # pJ/ns x s = mJ
    roof, kind = roof_ms(result), "recalled" if part in RECALLED else "self"
    near = None if part in RECALLED else STREAMING
    return [
        _row(f"{name}: time (ms)", roof, 1e3 * time_s, None, kind, f"{SHOWN}ratio is to every layer at its roof"),
        _row(
            f"{name}: commands (mJ)", bursts * per_bit / 1e9, commands, near, kind,
            "bits of whole bursts x pJ/bit of the part's own stream of reads",
        ),
        _row(
            f"{name}: bits on the bus (Mbit)", bits / 1e6, bursts / 1e6, None, kind,
            f"{SHOWN}whole bursts beside what was asked for: a narrow tensor begins and ends inside bursts more often",
        ),
        _row(
            f"{name}: background (mJ)", open_mj, background, None, kind,
            f"{SHOWN}with refresh; ratio is to a row open all the time, without refresh",
        ),
        _row(
            f"{name}: pJ/bit", per_bit_all, (commands + background) * 1e9 / bits, None, kind,
            f"{SHOWN}ratio is to the saturated stream: how far idle time makes bits dearer",
        ),
    ]  # fmt: skip


def _comparison(parts: tuple[str, ...], network: str, layers: str) -> list[dict[str, Any]]:
    found, faster, cheaper, less_than_bytes = [], 0, 0, 0
    for part in parts:
        plain, compressed = (run(part, encoding, network, layers) for encoding in ENCODINGS)
        bytes_saved, energy_saved = moved(plain) / moved(compressed), sum(split(plain)) / sum(split(compressed))
        faster += compressed.summary["cycles"] <= plain.summary["cycles"]
        cheaper += energy_saved >= 1
        less_than_bytes += energy_saved <= bytes_saved
        why = f"{SHOWN}DRAM energy beside bytes: background does not shrink with them"
        found.append(_row(f"{network} on {part}: plain / compressed (x)", bytes_saved, energy_saved, None, "self", why))
    for law, held in (
        ("compressed weights are no slower", faster),
        ("compressed weights cost no more DRAM energy", cheaper),
        ("DRAM energy falls by less than bytes do", less_than_bytes),
    ):
        found.append(_row(f"{network}, parts: {law}", len(parts), held, 0.0, "self", "law: parts, and where it holds"))
    return found


def _row(item: str, published: float, simulated: float, tolerance: float | None, kind: str, why: str) -> dict[str, Any]:
    return compared(item, published, simulated, tolerance, kind, why, SOURCES.get(kind, SOURCE))


COLOURS = {"plain": ("#0072B2", "#9CC9E6"), "compressed": ("#D55E00", "#F2B48A")}
NAMES = {
    "ddr3_1600": "DDR3-1600", "ddr4_2400": "DDR4-2400", "lpddr3_1600": "LPDDR3-1600", "lpddr4_2400": "LPDDR4-2400",
    "hbm2_2000": "HBM2", "gddr6_14000": "GDDR6",
}  # fmt: skip


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Energy of a bit, energy of an image split in two, and its time, part by part."""
    values = frame.set_index("item").simulated
    with house_style() as plt:
        fig, (bit, energy, time) = plt.subplots(1, 3, figsize=(14, 4.6))
        _bits(bit, frame.set_index("item"))
        for place, part in enumerate(PARTS):
            for shift, kind in ((-0.2, "plain"), (0.2, "compressed")):
                name, (dark, light) = f"alexnet {kind} on {part}", COLOURS[kind]
                commands, background = values[f"{name}: commands (mJ)"], values[f"{name}: background (mJ)"]
                first = place == 0
                energy.bar(place + shift, commands, 0.38, color=dark, label=f"{kind}: commands" if first else None)
                energy.bar(
                    place + shift, background, 0.38, bottom=commands, color=light,
                    label=f"{kind}: background, refresh" if first else None,
                )  # fmt: skip
                time.bar(place + shift, values[f"{name}: time (ms)"], 0.38, color=dark, label=kind if first else None)
        energy.set(ylabel="mJ an image", title="DRAM energy of AlexNet")
        time.set(ylabel="ms an image", title="Time of AlexNet")
        for axis in (energy, time):
            axis.set_xticks(range(len(PARTS)), [NAMES[part] for part in PARTS], rotation=30, ha="right")
            axis.legend()
        save(fig, path)


def _bits(axis, rows: pd.DataFrame) -> None:
    """Of a bit, all included: the span from stream to random, and where AlexNet lies."""
    for place, part in enumerate(PARTS):
        y, first = len(PARTS) - 1 - place, place == 0
        ends = [saturated(part, trace)[1] for trace in ("stream", "random")]
        axis.plot(ends, [y, y], color="#BBBBBB", linewidth=7, solid_capstyle="butt", zorder=1)
        for trace, marker in (("stream", "|"), ("random", "|")):
            item = f"{part}, {trace} reads: pJ/bit, all"
            if item in rows.index:
                label = "reference: stream, random" if first and trace == "stream" else None
                axis.scatter(rows.published[item], y, marker=marker, s=220, color="black", label=label, zorder=2)
        for kind, marker in (("plain", "o"), ("compressed", "D")):
            axis.scatter(
                rows.simulated[f"alexnet {kind} on {part}: pJ/bit"], y, color=COLOURS[kind][0], marker=marker,
                label=f"AlexNet, {kind}" if first else None, zorder=3,
            )  # fmt: skip
    axis.axvline(20, color="#555555", linestyle="--", linewidth=1)
    axis.text(20.6, -0.2, "20 pJ/bit: the 640 pJ\nof the classic table", color="#555555", fontsize=9, va="bottom")
    axis.set_yticks(range(len(PARTS)), [NAMES[part] for part in reversed(PARTS)])
    axis.grid(axis="x")
    axis.set(xlabel="pJ/bit, background included", title="A bit: from stream to random (grey)", xlim=(0, None))
    axis.legend(loc="center left", bbox_to_anchor=(0.49, 0.48), fontsize=9)


EXPERIMENT = Experiment(
    "dram_parts", "Which DRAM for a compressed network: what do time, an access and idle time cost?", rows, figure
)
