"""Experiments: one question, one table, one figure. They live on the floor above and are found by entry point."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim.output import whole
from workloads.registry import InputError, unknown

GROUP = "accel_sim.experiments"
COLUMNS = ("item", "published", "simulated", "ratio", "tolerance", "within", "class", "derived_from", "source")
CLASSES = ("exact", "measured", "read", "recalled", "self")


@dataclass(frozen=True)
class Experiment:
    """rows(): a mapping per item, as ``compared`` makes it; figure(frame, path): draws the table. Rows of class
    'recalled' are shown and gate nothing."""

    name: str
    question: str
    rows: Callable[[], list[dict[str, Any]]]
    figure: Callable[[pd.DataFrame, Path], None]


def experiments() -> dict[str, Any]:
    """name -> entry point of every installed experiment."""
    return {point.name: point for point in entry_points(group=GROUP)}


def run_experiments(name: str, out: Path) -> list[dict[str, Any]]:
    """Runs one experiment or 'all'; writes NAME.csv and NAME.png below ``out`` and returns a summary of each."""
    known = experiments()
    if name != "all" and name not in known:
        raise unknown("experiment", name, [*sorted(known), "all"])
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file, expected a directory")
    return [_run(known[each].load(), out) for each in (sorted(known) if name == "all" else [name])]


def compared(
    item: str, published: float, simulated: float, tolerance: float, kind: str, derived_from: str, source: str
) -> dict[str, Any]:
    """A row of an Experiment. tolerance: relative; kind: its class, one of CLASSES."""
    return {
        "item": item, "published": published, "simulated": simulated, "tolerance": tolerance, "class": kind,
        "derived_from": derived_from, "source": source,
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows with ratio and verdict filled in."""
    frame = pd.DataFrame(rows)
    frame["ratio"] = frame.simulated / frame.published
    frame["within"] = (frame.simulated - frame.published).abs() <= frame.tolerance * frame.published.abs()
    assert set(frame["class"]) <= set(CLASSES), "an experiment row of unknown class"
    return frame[list(COLUMNS)]


def _run(experiment: Experiment, out: Path) -> dict[str, Any]:
    frame = table(experiment.rows())
    with whole(out, beside=True) as scratch:
        frame.to_csv(scratch / f"{experiment.name}.csv", index=False, lineterminator="\n", float_format="%.12g")
        experiment.figure(frame, scratch / f"{experiment.name}.png")
    gated = frame[frame["class"] != "recalled"]
    return {
        "name": experiment.name,
        "question": experiment.question,
        "rows": len(frame),
        "within": int(frame.within.sum()),
        "passed": bool(gated.within.all()),
        "out": str(out / f"{experiment.name}.csv"),
    }
