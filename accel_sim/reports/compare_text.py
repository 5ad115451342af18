"""A comparison in the terminal."""

import math

from rich.console import Console
from rich.table import Table

from accel_sim.reports.compare import METRICS, Comparison
from accel_sim.results.console import plain_console

TITLES = {"energy_pj": "energy (pJ)", "dram_bytes": "DRAM bytes"}
#: settings of a run that the terminal shows
MOST_CHANGES = 15


def show(done: Comparison) -> None:
    """What changed in the configs; then each metric's figure and, behind it, its ratio to the first run."""
    console = plain_console()
    if done.note:
        console.print(f"note: {done.note}", markup=False)
    _show_changes(console, done)
    table = Table(title=f"ratios to {done.labels[0]}", title_justify="left")
    for heading in ("layer", "run"):
        table.add_column(heading, no_wrap=True)
    for metric in METRICS:
        table.add_column(TITLES.get(metric, metric), justify="right")
    for layer, rows in done.rows.groupby("layer", sort=False):
        if (rows[list(METRICS)] == 0).all(axis=None):
            continue
        table.add_section()
        for number, row in enumerate(rows.to_dict("records")):
            cells = (_cell(row[metric], row[f"{metric}_ratio"]) for metric in METRICS)
            table.add_row("" if number else str(layer), row["run"], *cells)
    console.print(table)


def _show_changes(console: Console, done: Comparison) -> None:
    if done.changes.empty:
        console.print("configs: no difference")
        return
    table = Table(title="what changed in the configs", title_justify="left")
    for heading in ("run", "path", f"{done.labels[0]}", "this run"):
        table.add_column(heading, overflow="fold")
    for _, rows in done.changes.groupby("run", sort=False):
        for row in rows.head(MOST_CHANGES).itertuples(index=False):
            table.add_row(row.run, row.path, row.first, row.value)
    console.print(table)
    left = int((done.changes.groupby("run").size() - MOST_CHANGES).clip(lower=0).sum())
    if left:
        console.print(f"and {left} more settings; --out DIR writes all of them to changes.csv, --json prints them")


def _cell(figure: float, ratio: float) -> str:
    ratio_text = "-" if math.isnan(ratio) else f"x{ratio:.3g}"
    if math.isnan(figure):
        return ratio_text
    shown = f"{figure:,.0f}" if figure > 1 or figure == 0 else f"{figure:.3f}"
    return f"{shown} {ratio_text:>7}"
