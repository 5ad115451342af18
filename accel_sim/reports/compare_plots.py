"""Stacked bars of several runs side by side: one group per layer, one bar per run in the order they were given."""

from pathlib import Path

import pandas as pd

from accel_sim import plots
from accel_sim.reports.compare import Comparison
from accel_sim.rundir import write_frame

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
    styles = plots.CAUSE_STYLE if name == "cycles" else plots.component_styles(sorted(rows.part.unique()))
    parts = [part for part in styles if part in set(rows.part)]
    layers = list(dict.fromkeys(rows.layer))
    units = plots.COUNT_UNITS if name == "cycles" else plots.ENERGY_UNITS
    factor, said = plots.largest_unit(rows.groupby(["layer", "run"]).value.sum().max(), units)
    width = 0.84 / len(done.labels)
    figure, axis = plt.subplots(figsize=(max(8.0, 0.2 * len(layers) * len(done.labels) + 5.0), 4.6))
    for number, label in enumerate(done.labels):
        table = rows[rows.run == label].pivot(index="layer", columns="part", values="value")
        table = table.reindex(index=layers, columns=parts).fillna(0.0) / factor
        base = pd.Series(0.0, index=table.index)
        for part in parts:
            colour, hatch = styles[part]
            axis.bar(
                [at + (number - (len(done.labels) - 1) / 2) * width for at in range(len(layers))], table[part],
                bottom=base, width=0.92 * width, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3,
                label=part.replace("_", " ") if number == 0 else None,
            )  # fmt: skip
            base += table[part]
    axis.set_xticks(range(len(layers)), layers, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axis.set_ylabel(f"{name} ({said})" if said else name)
    axis.set_title(f"{name}: bars left to right are {', '.join(done.labels)}", fontsize=9)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.005, 1.0))
    return figure
