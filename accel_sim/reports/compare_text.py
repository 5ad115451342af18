"""A comparison in the terminal."""

import math

from rich.table import Table

from accel_sim.console import plain_console
from accel_sim.reports.compare import METRICS, Comparison


def show(done: Comparison) -> None:
    """Each metric's figure and, behind it, its ratio to the first run; then what changed in the configs."""
    console = plain_console()
    if done.note:
        console.print(f"note: {done.note}", markup=False)
    table = Table(title=f"ratios to {done.labels[0]}", title_justify="left")
    for heading in ("layer", "run"):
        table.add_column(heading, no_wrap=True)
    for metric in METRICS:
        table.add_column(metric.replace("_", " "), justify="right")
    last = None
    for row in done.rows.to_dict("records"):
        if last not in (None, row["layer"]):
            table.add_section()
        name, last = row["layer"] if row["layer"] != last else "", row["layer"]
        table.add_row(name, row["run"], *(_cell(row[metric], row[f"{metric}_ratio"]) for metric in METRICS))
    console.print(table)
    if done.changes.empty:
        console.print("configs: no difference")
        return
    table = Table(title="what changed in the configs", title_justify="left")
    for heading in ("run", "path", f"{done.labels[0]}", "this run"):
        table.add_column(heading, overflow="fold")
    for row in done.changes.itertuples(index=False):
        table.add_row(row.run, row.path, row.first, row.value)
    console.print(table)


def _cell(figure: float, ratio: float) -> str:
    ratio_text = "-" if math.isnan(ratio) else f"x{ratio:.3g}"
    if math.isnan(figure):
        return ratio_text
    return f"{figure:,.0f} {ratio_text:>7}" if figure > 1 else f"{figure:.3f} {ratio_text:>7}"
