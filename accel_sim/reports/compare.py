"""Runs side by side: each metric of each layer and of the whole, over that of the first run."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim.reports import run_files
from accel_sim.reports.run_files import RunFiles
from workloads.registry import InputError

METRICS = ("cycles", "energy_pj", "dram_bytes", "utilization")
TOTAL, MEAN = "(total)", "(geometric mean)"


@dataclass(frozen=True, eq=False)
class Comparison:
    """labels: of the runs, the first is the base; rows: one per (layer, run), then totals and geometric means.

    rows: columns layer, run, METRICS and ``<metric>_ratio``: to the first run, NaN where its figure is 0. changes: one
    per (run, path) of config.yaml whose value is not the first run's. by_layer: False if layers are not the same.
    """

    runs: tuple[RunFiles, ...]
    labels: tuple[str, ...]
    rows: pd.DataFrame
    changes: pd.DataFrame
    by_layer: bool
    note: str

    def tree(self) -> dict[str, Any]:
        """As JSON; a ratio that cannot be is null."""
        rows = self.rows.astype(object).where(self.rows.notna(), None).to_dict("records")
        return {
            "runs": [
                {"label": label, "dir": str(run.folder), "network": run.summary["network"],
                 "hardware": run.summary["hardware"]}
                for label, run in zip(self.labels, self.runs, strict=True)
            ],
            "by_layer": self.by_layer,
            "note": self.note,
            "layers": [row for row in rows if row["layer"] not in (TOTAL, MEAN)],
            "total": [row for row in rows if row["layer"] == TOTAL],
            "geometric_mean": [row for row in rows if row["layer"] == MEAN],
            "changes": self.changes.to_dict("records"),
        }  # fmt: skip


def compare(folders: list[Path]) -> Comparison:
    """InputError for fewer than two directories, or one that is no run."""
    if len(folders) < 2:
        raise InputError("expected two or more run directories")
    runs = tuple(run_files.read(folder) for folder in folders)
    labels = _labels(folders)
    orders = [list(run.layers.layer) for run in runs]
    by_layer = all(sorted(order) == sorted(orders[0]) for order in orders)
    notes = []
    if len({run.summary["network"] for run in runs}) > 1:
        notes.append("different networks: " + ", ".join(run.summary["network"] for run in runs))
    if not by_layer:
        notes.append("their layers are not the same: totals only")
    rows = list(_rows(runs, labels, orders[0] if by_layer else []))
    changed = list(changes(runs, labels))
    return Comparison(
        runs, labels, pd.DataFrame(rows), pd.DataFrame(changed, columns=["run", "path", "first", "value"]),
        by_layer, "; ".join(notes),
    )  # fmt: skip


def _labels(folders: list[Path]) -> tuple[str, ...]:
    """Shortest ends of the paths that tell them apart; a directory given twice is numbered."""
    parts = [folder.resolve().parts for folder in folders]
    depth = 1
    while depth < max(map(len, parts)) and len({part[-depth:] for part in parts}) < len(set(parts)):
        depth += 1
    names = ["/".join(part[-depth:]) for part in parts]
    return tuple(f"{name} #{names[:i].count(name) + 1}" if name in names[:i] else name for i, name in enumerate(names))


def _rows(runs: tuple[RunFiles, ...], labels: tuple[str, ...], layers: list[str]) -> Iterator[dict[str, Any]]:
    tables = [_figures(run) for run in runs]
    ratios: dict[str, dict[str, list[float]]] = {label: {metric: [] for metric in METRICS} for label in labels}
    for layer in layers:
        for label, table in zip(labels, tables, strict=True):
            row = _row(layer, label, table.loc[layer].to_dict(), tables[0].loc[layer].to_dict())
            for metric in METRICS:
                ratios[label][metric].append(row[f"{metric}_ratio"])
            yield row
    totals = [_total(run) for run in runs]
    yield from (_row(TOTAL, label, total, totals[0]) for label, total in zip(labels, totals, strict=True))
    for label in labels if layers else ():
        means = {f"{metric}_ratio": geometric_mean(ratios[label][metric]) for metric in METRICS}
        yield {"layer": MEAN, "run": label, **dict.fromkeys(METRICS, math.nan), **means}


def _figures(run: RunFiles) -> pd.DataFrame:
    """[layers, METRICS]"""
    frame = run.layers.set_index("layer")
    return frame.assign(dram_bytes=frame.dram_read_bytes + frame.dram_write_bytes)[list(METRICS)]


def _total(run: RunFiles) -> dict[str, float]:
    total = run.summary
    figures = {metric: total[metric] for metric in METRICS if metric != "dram_bytes"}
    return figures | {"dram_bytes": total["dram_read_bytes"] + total["dram_write_bytes"]}


def _row(layer: str, label: str, figures: dict[str, float], first: dict[str, float]) -> dict[str, Any]:
    ratios = {f"{metric}_ratio": _ratio(figures[metric], first[metric]) for metric in METRICS}
    return {"layer": layer, "run": label, **{metric: float(figures[metric]) for metric in METRICS}, **ratios}


def _ratio(figure: float, first: float) -> float:
    if first == 0:
        return 1.0 if figure == 0 else math.nan
    return figure / first


def geometric_mean(ratios: list[float]) -> float:
    """Of those that are positive and finite; NaN if none is."""
    logs = [math.log(ratio) for ratio in ratios if ratio > 0 and math.isfinite(ratio)]
    return math.exp(math.fsum(logs) / len(logs)) if logs else math.nan


def changes(runs: tuple[RunFiles, ...], labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Dotted paths of config.yaml whose value differs from the first run's, run by run."""
    first = dict(flat(runs[0].config))
    for run, label in zip(runs[1:], labels[1:], strict=True):
        other = dict(flat(run.config))
        for path in sorted(first | other):
            values = [_text(tree[path]) if path in tree else "(not there)" for tree in (first, other)]
            if values[0] != values[1]:
                yield {"run": label, "path": path, "first": values[0], "value": values[1]}


def flat(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    """(dotted path, leaf) of a tree of mappings; a list is a leaf unless it holds mappings."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list) and any(isinstance(value, dict) for value in tree):
        for number, value in enumerate(tree):
            yield from flat(value, f"{path}.{number}")
    else:
        yield path, tree


def _text(value: object) -> str:
    return "none" if value is None else str(value)
