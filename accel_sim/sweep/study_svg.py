"""A study's inline SVG: the front and its dominated points, and the effect of one setting at a time."""

import math
from collections.abc import Callable
from html import escape

import numpy as np
import pandas as pd

from accel_sim.results import svg
from accel_sim.results.svg import number
from accel_sim.sweep import charts

#: of a figure alone in its line, and of one of two beside each other
WIDE, HALF = 1156.0, 566.0
HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 440.0, 64.0, 24.0, 30.0, 388.0
PREFIXES = (("p", 1e-12), ("n", 1e-9), ("µ", 1e-6), ("m", 1e-3), ("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9))


def prefix_of(name: str, most: float) -> tuple[str, float]:
    """(unit with its prefix, what one of it is in the column ``name``) for values of about ``most``."""
    factor, unit = charts.unit_of(name)
    if not unit or unit == "mm²":
        return unit, 1 / factor
    prefix, size = next((pair for pair in reversed(PREFIXES) if most * factor >= pair[1]), PREFIXES[0])
    return prefix + unit, size / factor


def said(value: float, name: str) -> str:
    """A figure with its unit."""
    unit, size = prefix_of(name, abs(value))
    return f"{value / size:,.4g} {unit}".strip()


def _ticks(low: float, high: float, *, ratios: bool) -> list[float]:
    """Round values in low..high; in ratios: 1, 2 and 5 of each power, or every power if those are too many."""
    if not ratios:
        step = 10 ** math.floor(math.log10((high - low) or abs(high) or 1))
        step = next(step * share for share in (0.1, 0.2, 0.5, 1.0, 2.0) if (high - low) / (step * share) <= 7)
        return [step * at for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]
        if len(found) <= 9:
            break
    return found


def _axis(column: pd.Series, start: float, end: float) -> tuple[Callable[[float], float], list[tuple[float, str]], str]:
    """(value -> coordinate, (coordinate, text) of its ticks, what stands at the axis)."""
    low, high = float(column.min()), float(column.max())
    ratios = low > 0 and high > charts.FAR_APART * low
    unit, size = prefix_of(str(column.name), math.sqrt(low * high) if ratios else max(abs(low), abs(high)))
    if ratios:
        low, high = low / 1.15, high * 1.15
    else:
        room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        low, high = (max(0.0, low - room) if low >= 0 else low - room), high + room

    def place(value: float) -> float:
        share = math.log(value / low) / math.log(high / low) if ratios else (value - low) / (high - low)
        return start + (end - start) * share

    found = [(place(at * size), f"{at:,.5g}") for at in _ticks(low / size, high / size, ratios=ratios)]
    name = charts.title_of(str(column.name))
    return place, found, f"{name} in {unit}" if unit else name


def front(part: pd.DataFrame, names: list[str], key: str, label: str, width: float) -> str:
    """part: points of one network (columns front, knee, row); names: objectives, across and up the first two; of a
    third, the area of the front's dots. A point without the first two has no dot. Each dot says its row in data-p."""
    known = part[np.isfinite(part[names[:2]].to_numpy(dtype=float)).all(axis=1)]
    x_of, x_ticks, x_name = _axis(known[names[0]], LEFT, width - RIGHT)
    y_of, y_ticks, y_name = _axis(known[names[1]], BOTTOM, TOP)
    inside = []
    for x, text in x_ticks:
        inside.append(f'<line class="grid" x1="{number(x)}" x2="{number(x)}" y1="{TOP:g}" y2="{BOTTOM:g}"/>')
        inside.append(f'<text class="soft" text-anchor="middle" x="{number(x)}" y="{BOTTOM + 18:g}">{text}</text>')
    for y, text in y_ticks:
        inside.append(f'<line class="grid" x1="{LEFT:g}" x2="{width - RIGHT:g}" y1="{number(y)}" y2="{number(y)}"/>')
        inside.append(f'<text class="soft" text-anchor="end" x="{LEFT - 8:g}" y="{number(y)}" dy=".35em">{text}</text>')
    inside.append(f'<text x="{width - RIGHT:g}" y="{HEIGHT - 10:g}" text-anchor="end">{escape(x_name)} →</text>')
    inside.append(f'<text x="4" y="14">{escape(y_name)} ↑</text>')
    best = known[known.front].sort_values(names[:2], kind="stable")
    most = float(best[names[2]].max()) if len(names) > 2 else 0.0
    for row in known[~known.front].sort_values(names[:2], kind="stable").to_dict("records"):
        inside.append(_dot(row["row"], x_of(row[names[0]]), y_of(row[names[1]]), 3.5, "pt"))
    if len(names) == 2:
        path = "".join(
            f"{'H' if at else 'M'}{number(x_of(x))}{'V' if at else ' '}{number(y_of(y))}"
            for at, (x, y) in enumerate(zip(best[names[0]], best[names[1]], strict=True))
        )
        inside.append(f'<path class="front" d="{path}"/>')
    for row in best.to_dict("records"):
        x, y = x_of(row[names[0]]), y_of(row[names[1]])
        radius = 4 + 7 * math.sqrt(max(0.0, row[names[2]]) / most) if most > 0 else 5.5
        inside.append(_star(row["row"], x, y) if row["knee"] else _dot(row["row"], x, y, radius, "pt best"))
    return svg.figure(key, label, width, HEIGHT, "".join(inside))


def _dot(row: int, x: float, y: float, radius: float, kind: str) -> str:
    return f'<circle class="mark {kind}" data-p="{row}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"/>'


def _star(row: int, x: float, y: float) -> str:
    corners = (
        (x + size * math.sin(math.pi * at / 5), y - size * math.cos(math.pi * at / 5))
        for at, size in enumerate((11, 4.6) * 5)
    )
    path = "L".join(f"{number(a)} {number(b)}" for a, b in corners)
    return f'<path class="mark pt best knee" data-p="{row}" d="M{path}Z"/>'


def tornado(table: pd.DataFrame, name: str, key: str, label: str) -> str:
    """table: see chart_data.tornado, of the column ``name``: one bar a setting, from its best to its worst value."""
    left, right, pitch, top = 96.0, 96.0, 48, 30
    low, high = float(table.y_low.min()), float(table.y_high.max())
    unit, size = prefix_of(name, max(abs(low), abs(high)))
    span = (high - low) or 1.0
    base, bottom = float(table.y_base.iloc[0]), top + pitch * len(table)

    def place(value: float) -> float:
        return left + (HALF - left - right) * (value - low) / span

    inside = []
    for tick in _ticks(low / size, high / size, ratios=False):
        x = number(place(tick * size))
        inside.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
        inside.append(f'<text class="soft" text-anchor="middle" x="{x}" y="{bottom + 16}">{tick:,.4g}</text>')
    x = number(place(base))
    inside.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{top - 4}" y2="{bottom}"/>')
    for at, row in enumerate(table.itertuples(index=False)):
        y, a, b, c = top + pitch * at, place(row.y_low), place(row.y_high), place(base)
        shown = [charts.text_of(value) for value in (row.low, row.high, row.base)]
        head = escape(f"{row.setting} ({shown[2]})")
        tip = (
            f"{row.setting}\n{shown[0]}: {said(row.y_low, name)}\n{shown[1]}: {said(row.y_high, name)}\n"
            f"base {shown[2]}: {said(base, name)}"
        )
        pieces = (
            f'<rect x="{number(a)}" y="{y + 20}" width="{number(max(0, c - a))}" height="22" fill="#0072B2"/>'
            f'<rect x="{number(c)}" y="{y + 20}" width="{number(max(0, b - c))}" height="22" fill="#D55E00"/>'
            f'<text text-anchor="end" x="{number(a - 5)}" y="{y + 31}" dy=".35em">{escape(_cut(shown[0]))}</text>'
            f'<text x="{number(b + 5)}" y="{y + 31}" dy=".35em">{escape(_cut(shown[1]))}</text>'
            f'<rect class="ring" x="{left:g}" y="{y + 2}" width="{HALF - left - right:g}" height="44"/>'
        )
        inside.append(f'<text class="halo" x="4" y="{y + 9}" dy=".35em">{head}</text>' + svg.mark(tip, pieces))
    inside.append(f'<text class="soft" x="4" y="14">{escape(f"{charts.title_of(name)} in {unit}")}</text>')
    return svg.figure(key, label, HALF, bottom + 26, "".join(inside))


def _cut(text: str) -> str:
    return text if len(text) <= 13 else f"{text[:12]}…"
