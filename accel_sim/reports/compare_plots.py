"""Stacked bars of several runs side by side: the whole, and a group for each layer, in the order they were given."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import fill

import pandas as pd

from accel_sim.reports.compare import Comparison
from accel_sim.results import plots
from accel_sim.results.rundir import write_frame
from accel_sim.results.style import written

#: all that a comparison's directory may hold
FILES = {
    "compare.csv", "changes.csv", "compare_cycles.csv", "compare_energy.csv", "compare_cycles.png",
    "compare_energy.png",
}  # fmt: skip


def write(done: Comparison, out: Path) -> None:
    """compare.csv, changes.csv, and for cycles and energy the figure and the CSV it shows."""
    write_frame(done.rows, out / "compare.csv")
    write_frame(done.changes, out / "changes.csv")
    with plots.house_style() as plt:
        for name, unit, table in (("cycles", "cycles", plots.cycles_table), ("energy", "pJ", plots.energy_table)):
            frames = [table(run.cycles if name == "cycles" else run.actions) for run in done.runs]
            if not done.by_layer:
                frames = [pd.DataFrame([frame.sum().rename("total")]) for frame in frames]
            rows = _rows(done, frames)
            write_frame(rows.rename(columns={"value": unit}), out / f"compare_{name}.csv")
            plots.save(_figure(plt, done, rows, name), out / f"compare_{name}.png")


def _rows(done: Comparison, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Columns layer, run, part, value; in the order of the first run's layers and of the parts' colours."""
    rows = [
        (layer, label, part, float(frame.at[layer, part]))
        for label, frame in zip(done.labels, frames, strict=True)
        for layer in frame.index
        for part in frame
    ]
    return pd.DataFrame(rows, columns=["layer", "run", "part", "value"])


def _figure(plt, done: Comparison, rows: pd.DataFrame, name: str):
    """Whole runs on the left; layer by layer on the right, where the runs have the same. Each bar has its run's number.
    """
    used = sorted(rows.part.unique(), key=plots.place_of)
    styles = plots.CAUSE_STYLE if name == "cycles" else plots.component_styles(used)
    parts = [part for part in styles if part in set(rows.part)]
    units = plots.COUNT_UNITS if name == "cycles" else plots.ENERGY_UNITS
    whole = _shape(rows.groupby(["run", "part"], as_index=False).value.sum(), ["run"], parts)
    said = [f"{number} {written(label)}" for number, label in enumerate(done.labels, 1)]
    panels = [("whole runs", whole.reindex(list(done.labels)))]
    if done.by_layer:
        panels.append((f"by layer; bars: {', '.join(said)}", _shape(rows, ["layer", "run"], parts)))
    layers = list(dict.fromkeys(rows.layer))
    wide = [0.45 * len(done.labels) + 0.6, max(6.0, 0.14 * len(layers) * len(done.labels))][: len(panels)]
    figure, axes = plt.subplots(1, len(panels), figsize=(sum(wide) + 3.6, 4.6), width_ratios=wide, squeeze=False)
    for axis, (title, table) in zip(axes[0], panels, strict=True):
        factor, unit = plots.largest_unit(table.sum(axis=1).max(), units)
        if table.index.nlevels == 1:
            _stack(axis, table / factor, range(len(table)), 0.8, styles)
            axis.set_xticks(range(len(table)), said, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
        else:
            width = 0.84 / len(done.labels)
            for number, label in enumerate(done.labels):
                of_run = table.xs(label, level="run").reindex(layers).fillna(0.0) / factor
                at = [place + (number - (len(done.labels) - 1) / 2) * width for place in range(len(layers))]
                _stack(axis, of_run, at, 0.92 * width, styles)
                for x, top in zip(at, of_run.sum(axis=1), strict=True):
                    place = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center"}
                    axis.annotate(f"{number + 1}", (x, top), fontsize=7, **place)
            axis.set_xticks(
                range(len(layers)), map(written, layers), rotation=60, ha="right", rotation_mode="anchor", fontsize=8
            )
            axis.set_xlim(-0.7, len(layers) - 0.3)
        axis.set_ylabel(f"{name} ({unit})" if unit else name)
        axis.set_title(fill(title, int(13 * wide[0 if axis is axes[0, 0] else 1])), fontsize=9)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[0, -1].legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.005, 1.0))
    return figure


def _shape(rows: pd.DataFrame, index: list[str], parts: list[str]) -> pd.DataFrame:
    return rows.pivot(index=index, columns="part", values="value").reindex(columns=parts).fillna(0.0)


def _stack(axis, table: pd.DataFrame, at: Iterable[float], width: float, styles: dict) -> None:
    base = pd.Series(0.0, index=table.index)
    for part in table:
        colour, hatch = styles[part]
        axis.bar(
            list(at), table[part], bottom=base, width=width, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0.3, label=part.replace("_", " "),
        )  # fmt: skip
        base += table[part]
