"""Experiments: one question, one table, one figure. They live on the floor above and are found by entry point."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim.host.output import whole
from workloads.registry import InputError, unknown

GROUP = "accel_sim.experiments"
COLUMNS = ("item", "published", "simulated", "ratio", "tolerance", "within", "class", "derived_from", "source")
#: what a row's other figure is: another's, by definition, by a run of their tool or as printed; printed and recalled;
#: our own (a law or a prediction by hand where it has a tolerance)
CLASSES = ("exact", "measured", "read", "recalled", "self")
#: rows that are evidence: gated by their tolerance
EVIDENCE = ("exact", "measured", "read")


@dataclass(frozen=True)
class Experiment:
    """rows(): a mapping per item, as ``compared`` makes it; figure(frame, path): draws the table.

    What gates is evidence: a figure of others (EVIDENCE) beside one that is simulated, with a tolerance. Rows of class
    'self' with a tolerance are laws of our own, counted apart. All other rows are shown: recalled figures, figures
    beside our own, and what agrees because both sides come from one table.
    """

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
    item: str, published: float, simulated: float, tolerance: float | None, kind: str, derived_from: str, source: str
) -> dict[str, Any]:
    """A row of an Experiment. tolerance: relative, None = shown, gates nothing; kind: its class, one of CLASSES."""
    return {
        "item": item, "published": published, "simulated": simulated, "tolerance": tolerance, "class": kind,
        "derived_from": derived_from, "source": source,
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows with ratio and verdict filled in; ``within`` is empty where there is no tolerance."""
    frame = pd.DataFrame(rows)
    frame["tolerance"] = frame.tolerance.astype(float)
    assert set(frame["class"]) <= set(CLASSES), "an experiment row of unknown class"
    assert not frame.tolerance.isin([math.inf]).any(), "an infinite tolerance is none"
    frame["ratio"] = frame.simulated / frame.published
    within = (frame.simulated - frame.published).abs() <= frame.tolerance * frame.published.abs()
    frame["within"] = within.astype("boolean").mask(frame.tolerance.isna())
    return frame[list(COLUMNS)]


def verdict(frame: pd.DataFrame) -> dict[str, Any]:
    """Counts of a table's rows: gated and those within, laws and those held, shown; passed: all of the former two are.

    within: rows inside a tolerance, whatever their class.
    """
    judged = frame.tolerance.notna()
    gated, laws = frame[judged & frame["class"].isin(EVIDENCE)], frame[judged & (frame["class"] == "self")]
    held = int(gated.within.sum()), int(laws.within.sum())
    return {
        "rows": len(frame), "within": int(frame.within.sum()), "gated": len(gated), "gated_within": held[0],
        "laws": len(laws), "laws_held": held[1], "shown": len(frame) - len(gated) - len(laws),
        "passed": held == (len(gated), len(laws)),
    }  # fmt: skip


def _run(experiment: Experiment, out: Path) -> dict[str, Any]:
    frame = table(experiment.rows())
    with whole(out, beside=True) as scratch:
        frame.to_csv(scratch / f"{experiment.name}.csv", index=False, lineterminator="\n", float_format="%.12g")
        experiment.figure(frame, scratch / f"{experiment.name}.png")
    name = {"name": experiment.name, "question": experiment.question}
    return name | verdict(frame) | {"out": str(out / f"{experiment.name}.csv")}
