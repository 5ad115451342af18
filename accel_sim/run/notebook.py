"""A result in a notebook: its figures, and a table of layers with bars of where the cycles went."""

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from accel_sim.values.cause_style import CAUSE_STYLE
from accel_sim.values.causes import CAUSES

#: rows shown; the rest is counted
MOST = 60


def html(total: dict[str, Any], runs: Sequence[Any], layers: pd.DataFrame) -> str:
    """total: summary; runs, layers: one of each layer (LayerRun and its row). No script, no file, no colour of its own
    for text: it follows the notebook's theme."""
    head = (
        f"<b>{escape(total['network'])} on {escape(total['hardware'])}</b>: {total['cycles']:,} cycles, "
        f"{total['time_s'] * 1e3:.4g} ms, {total['energy_pj'] / 1e6:,.4g} µJ, "
        f"{100 * total['utilization']:.1f} % of lane-slots effectual; {total['data_detail']}"
    )
    rows = "".join(
        f"<tr><td style='text-align:left'>{escape(run.layer.name)}</td><td>{escape(run.layer.kind)}</td>"
        f"<td>{run.cycles:,}</td><td>{row.energy_pj / 1e6:,.3f}</td><td>{100 * row.utilization:.1f}</td>"
        f"<td>{_bar(run.slots, CAUSE_STYLE)}</td></tr>"
        for run, row in zip(runs[:MOST], layers.itertuples(index=False), strict=False)
    )
    more = f"<p>and {len(runs) - MOST} more layers</p>" if len(runs) > MOST else ""
    titles = "".join(
        f"<th>{title}</th>" for title in ("layer", "kind", "cycles", "energy µJ", "utilisation %", "cycles by cause")
    )
    legend = "".join(
        f"<span style='display:inline-block;margin-right:1em'><span style='display:inline-block;width:12px;height:12px;"
        f"background:{_fill(CAUSE_STYLE[cause])}'></span> {cause.replace('_', ' ')}</span>"
        for cause in CAUSES
        if any(run.slots[cause] for run in runs)
    )
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<div>{head}{table}{more}<div>{legend}</div></div>"


def _fill(style: tuple[str, str]) -> str:
    """(colour, hatch) as CSS; a hatch is white lines."""
    colour, hatch = style
    return f"repeating-linear-gradient(-45deg,{colour} 0 3px,#fff 3px 4px)" if hatch else colour


def _bar(slots: dict[str, int], styles: dict[str, tuple[str, str]]) -> str:
    whole = sum(slots.values()) or 1
    parts = [(cause, 100 * slots[cause] / whole) for cause in CAUSES if slots[cause]]
    label = ", ".join(f"{cause.replace('_', ' ')} {share:.1f} %" for cause, share in parts)
    pieces = "".join(
        f"<span style='width:{share:.2f}%;background:{_fill(styles[cause])}'></span>" for cause, share in parts
    )
    return f"<span role='img' title='{label}' aria-label='{label}' style='display:flex;width:180px;height:12px'>" \
        f"{pieces}</span>"  # fmt: skip
