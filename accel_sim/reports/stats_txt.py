"""stats.txt in gem5's form: ``name  value  # what it is (Unit)``, one line each, between its two rulers."""

import re
from collections.abc import Iterator, Mapping

from accel_sim.run.result import Result

BEGIN = "---------- Begin Simulation Statistics ----------"
END = "---------- End Simulation Statistics   ----------"
#: ticks a second, as gem5 counts them
TICKS = 10**12
#: statistic -> (column of layers.csv and key of summary.json, what it is, gem5's unit)
STATISTICS = {
    "numCycles": ("cycles", "cycles from the first load to the last write", "Cycle"),
    "arrayCycles": ("array_cycles", "cycles that the array alone needs", "Cycle"),
    "utilization": ("utilization", "effectual lane-slots over all", "Ratio"),
    "energy": ("energy_pj", "energy of all components", "Joule"),
    "macsNominal": ("macs_nominal", "multiply-accumulates by the formula", "Count"),
    "macsIssued": ("macs_issued", "multiply-accumulates that took a slot", "Count"),
    "macsEffectual": ("macs_effectual", "multiply-accumulates of two non-zero operands", "Count"),
    "dram.bytesRead": ("dram_read_bytes", "bytes read from the outermost memory", "Byte"),
    "dram.bytesWritten": ("dram_write_bytes", "bytes written to the outermost memory", "Byte"),
}


def render(result: Result) -> str:
    """The whole file."""
    return "\n".join(["", BEGIN, *_lines(result), "", END, ""])


def _lines(result: Result) -> Iterator[str]:
    seconds = result.summary["time_s"]
    yield _line("simSeconds", seconds, "Number of seconds simulated", "Second")
    yield _line("simTicks", round(seconds * TICKS), "Number of ticks simulated", "Tick")
    yield _line("simFreq", TICKS, "The number of ticks per simulated second", "(Tick/Second)")
    yield from _statistics("system", result.summary)
    causes = result.cycles.groupby("cause", sort=False).lane_slots.sum()
    for cause, slots in causes.items():
        yield _line(f"system.laneSlots::{cause}", int(slots), "lane-slots in this state", "Count")
    yield _line("system.laneSlots::total", int(causes.sum()), "lane-slots in all states", "Count")
    slots = dict(iter(result.cycles.groupby("layer", sort=False)))
    for row, name in zip(result.layers.to_dict("records"), layer_names(result), strict=True):
        yield from _statistics(f"system.layers.{name}", row)
        own = slots[row["layer"]].groupby("cause", sort=False).lane_slots.sum()
        for cause, count in own[own > 0].items():
            yield _line(f"system.layers.{name}.laneSlots::{cause}", int(count), "lane-slots in this state", "Count")
        yield _line(f"system.layers.{name}.laneSlots::total", int(own.sum()), "lane-slots in all states", "Count")


def _statistics(part: str, values: Mapping[str, float]) -> Iterator[str]:
    """values: by the keys of STATISTICS."""
    for name, (key, what, unit) in STATISTICS.items():
        value = values[key] / 1e12 if unit == "Joule" else values[key]
        yield _line(f"{part}.{name}", value, what, unit)


def _line(name: str, value: float, what: str, unit: str) -> str:
    text = f"{value:.12g}" if isinstance(value, float) else str(value)
    return f"{name:<56} {text:>18}  # {what} ({unit})"


def layer_names(result: Result) -> list[str]:
    """Layer names as a statistic's name can hold them, each only once."""
    found: list[str] = []
    for name in result.layers.layer:
        plain = re.sub(r"\W", "_", name)
        while plain in found:
            plain += "_"
        found.append(plain)
    return found
