"""Inline SVG figures: stacked bars, roofline, heat map. Same input, same bytes; every mark can be focused and read."""

import math
from collections.abc import Callable, Iterable
from html import escape

import pandas as pd

#: hatch of matplotlib -> path inside an 8 x 8 pattern
HATCHES = {
    "////": "M-2 2L2 -2M0 8L8 0M6 10L10 6", "....": "M2 2h1M6 6h1", "xxxx": "M0 0L8 8M8 0L0 8",
}  # fmt: skip
LEFT, TOP, LABELS = 56, 22, 92
UNITS = (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9))


def number(value: float) -> str:
    """At most two decimals, no trailing zeros: a coordinate."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def short(value: float) -> str:
    """Three digits and a suffix, as 12.3 k."""
    suffix, factor = next((pair for pair in reversed(UNITS) if abs(value) >= pair[1]), UNITS[0])
    return f"{value / factor:.3g} {suffix}".strip()


def patterns(styles: dict[str, tuple[str, str]]) -> str:
    """<defs> for hatched styles, once per page."""
    hatched = sorted({style for style in styles.values() if style[1]})
    found = "".join(
        f'<pattern id="{_pattern(style)}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{style[0]}"/><path d="{HATCHES[style[1]]}" stroke="#fff" fill="none"/>'
        "</pattern>"
        for style in hatched
    )
    return f'<svg width="0" height="0" aria-hidden="true" style="position:absolute"><defs>{found}</defs></svg>'


def _pattern(style: tuple[str, str]) -> str:
    return f"p{style[0].lstrip('#')}{sorted(HATCHES).index(style[1])}"


def paint(style: tuple[str, str]) -> str:
    """What fill is in SVG: a colour, or a reference to its pattern."""
    return f"url(#{_pattern(style)})" if style[1] else style[0]


def keys(parts: Iterable[tuple[str, str]], styles: dict[str, tuple[str, str]]) -> str:
    """A legend; parts: (name, what is said behind it)."""
    items = "".join(
        '<li><svg width="14" height="14" aria-hidden="true">'
        f'<rect width="14" height="14" fill="{paint(styles[name])}"/></svg>'
        f"{escape(name.replace('_', ' '))} <span class=soft>{escape(said)}</span></li>"
        for name, said in parts
    )
    return f"<ul class=keys>{items}</ul>"


def mark(tip: str, inside: str) -> str:
    """A group that shows ``tip`` on hover and focus, and reads it out."""
    return (
        f'<g class="mark" role="img" aria-label="{escape(tip.replace(chr(10), "; "))}" '
        f'data-tip="{escape(tip)}">{inside}</g>'
    )


def figure(name: str, label: str, width: float, height: float, inside: str, row: int = 1) -> str:
    """An SVG of that size in pixels, in a box that scrolls. name, row: for scripts; label: what is read aloud."""
    return (
        f'<div class=wide><svg data-figure="{name}" data-row="{row}" role="group" aria-label="{escape(label)}" '
        f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}">'
        f"{inside}</svg></div>"
    )


def ticks(top: float) -> list[float]:
    """Round steps from 0 to at most ``top``: three to six of them."""
    if top <= 0:
        return [0.0]
    step = 10 ** math.floor(math.log10(top))
    step = next(step * share for share in (0.2, 0.5, 1.0, 2.0) if top / (step * share) <= 5)
    return [step * at for at in range(int(top / step + 1e-9) + 1)]


def bars(
    name: str, label: str, table: pd.DataFrame, styles: dict, axis: tuple[str, float], say: Callable[[float], str]
) -> str:
    """One stacked bar per row of ``table`` [layers, parts]. axis: its unit and what one of it is; say: a figure as text
    with its unit."""
    unit, factor = axis
    count, height = len(table), 230
    pitch = min(56.0, max(15.0, 1060 / max(1, count)))
    width = LEFT + pitch * count + 40
    top = float(table.sum(axis=1).max()) / factor
    scale = height / top
    inside = [_grid(ticks(top), scale, height, width)]
    for at, (layer, row) in enumerate(table.iterrows()):
        x, total, base, pieces = LEFT + pitch * (at + 0.09), float(row.sum()), 0.0, []
        lines = [f"{layer}: {say(total)}"]
        for part, value in row.items():
            if value <= 0:
                continue
            tall = value / factor * scale
            y = TOP + height - base - tall
            pieces.append(
                f'<rect x="{number(x)}" y="{number(y)}" width="{number(pitch * 0.82)}" height="{number(tall)}" '
                f'fill="{paint(styles[part])}"/>'
            )
            lines.append(f"{part.replace('_', ' ')} {say(value)} ({100 * value / total:.1f} %)")
            base += tall
        pieces.append(
            f'<rect class="ring" x="{number(x)}" y="{TOP}" width="{number(pitch * 0.82)}" height="{height}"/>'
        )
        inside.append(mark("\n".join(lines), "".join(pieces)) + _under(layer, x + pitch * 0.41, TOP + height + 12))
    inside.append(f'<text class="soft" x="4" y="{TOP - 9}">{escape(unit)}</text>')
    return figure(name, label, width, TOP + height + LABELS, "".join(inside))


def _grid(values: list[float], scale: float, height: float, width: float) -> str:
    lines = []
    for value in values:
        y = number(TOP + height - value * scale)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{number(width - 36)}" y1="{y}" y2="{y}"/>')
        lines.append(f'<text class="soft" text-anchor="end" x="{LEFT - 6}" y="{y}" dy=".35em">{value:,.4g}</text>')
    return "".join(lines)


def _under(text: str, x: float, y: float) -> str:
    """A slanted label; a long one keeps its two ends, and the mark above says it whole."""
    shown = text if len(text) <= 17 else f"{text[:7]}…{text[-9:]}"
    at = f"{number(x)} {number(y)}"
    return f'<text text-anchor="end" transform="translate({at}) rotate(-50)">{escape(shown)}</text>'


def heat(table: pd.DataFrame, label: str) -> str:
    """[layers, causes] shares of the layer's lane-slots: one cell each, the darker the larger."""
    cell, left, top = min(74.0, 860 / len(table.columns)), 160, 78
    inside = []
    for at, cause in enumerate(table):
        x = left + cell * (at + 0.5)
        text = escape(cause.replace("_", " "))
        inside.append(f'<text transform="translate({number(x)} {top - 8}) rotate(-45)">{text}</text>')
    for row, (layer, shares) in enumerate(table.iterrows()):
        y = top + 20 * row
        shown = layer if len(layer) <= 22 else f"{layer[:9]}…{layer[-12:]}"
        inside.append(f'<text text-anchor="end" x="{left - 8}" y="{y + 10}" dy=".35em">{escape(shown)}</text>')
        for at, (cause, share) in enumerate(shares.items()):
            box = f'x="{number(left + cell * at)}" y="{y}" width="{number(cell - 2)}" height="18" rx="2"'
            text = (
                f'<text x="{number(left + cell * at + cell / 2 - 1)}" y="{y + 9}" dy=".35em" text-anchor="middle" '
                f'style="{"fill:var(--card)" if share > 0.55 else ""}">{100 * share:.0f}</text>'
                if share >= 0.005
                else ""
            )
            cells = f'<rect class="empty" {box}/><rect class="cell" fill-opacity="{share:.3f}" {box}/>{text}'
            tip = f"{layer}, {cause.replace('_', ' ')}: {100 * share:.2f} % of lane-slots"
            inside.append(mark(tip, f'{cells}<rect class="ring" {box}/>'))
    width, height = left + cell * len(table.columns) + 60, top + 20 * len(table) + 6
    return figure("heat", label, width, height, "".join(inside), row=len(table.columns))


def roofline(rows: pd.DataFrame) -> str:
    """Effectual MACs a cycle over effectual MACs per DRAM byte, log-log, under the roofs of compute and memory."""
    drawn = rows[["macs_per_byte", "macs_per_cycle", "peak_macs_per_cycle", "peak_bytes_per_cycle", "cycles"]]
    found = rows[((drawn > 0) & (drawn < math.inf)).all(axis=1)]  # a layer that moves nothing has no place here
    if found.empty:
        return ""
    peak, bandwidth = float(found.peak_macs_per_cycle.max()), float(found.peak_bytes_per_cycle.max())
    low_x = 10 ** math.floor(math.log10(min(found.macs_per_byte.min(), peak / bandwidth)) - 0.01)
    high_x = 10 ** math.ceil(math.log10(max(found.macs_per_byte.max(), peak / bandwidth)) + 0.3)
    low_y = 10 ** math.floor(math.log10(found.macs_per_cycle.min()) - 0.01)
    high_y = 10 ** math.ceil(math.log10(peak) + 0.01)
    width, height, left, bottom = 1156.0, 420.0, 56.0, 370.0

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / low_x) / math.log(high_x / low_x)
        up = math.log(max(y, low_y) / low_y) / math.log(high_y / low_y)
        return left + (width - left - 20) * across, bottom - (bottom - 28) * up

    inside = []
    for power in range(round(math.log10(low_x)), round(math.log10(high_x)) + 1):
        x = number(at(10.0**power, low_y)[0])
        inside.append(f'<line class="grid" x1="{x}" x2="{x}" y1="28" y2="{bottom}"/>')
        inside.append(f'<text class="soft" text-anchor="middle" x="{x}" y="{bottom + 16}">{10.0**power:g}</text>')
    for power in range(round(math.log10(low_y)), round(math.log10(high_y)) + 1):
        y = number(at(low_x, 10.0**power)[1])
        inside.append(f'<line class="grid" x1="{left}" x2="{width - 20}" y1="{y}" y2="{y}"/>')
        inside.append(f'<text class="soft" text-anchor="end" x="{left - 6}" y="{y}" dy=".35em">{10.0**power:g}</text>')
    start = max(low_x, low_y / bandwidth)
    corners = [at(start, start * bandwidth), at(peak / bandwidth, peak), at(high_x, peak)]
    inside.append(f'<polyline class="roof" points="{" ".join(f"{number(x)},{number(y)}" for x, y in corners)}"/>')
    inside.append(f'<text x="{width - 24}" y="{number(corners[1][1] - 6)}" text-anchor="end">{peak:g} MACs a cycle, '
                  f"{bandwidth:g} bytes a cycle</text>")  # fmt: skip
    inside.append(f'<text class="soft" x="{left}" y="{height - 8}">effectual MACs per DRAM byte →</text>')
    inside.append('<text class="soft" x="4" y="12">effectual MACs a cycle ↑</text>')
    longest = float(found.cycles.max())
    for row in found.itertuples(index=False):
        x, y = at(row.macs_per_byte, row.macs_per_cycle)
        radius = 4 + 8 * math.sqrt(row.cycles / longest)
        colour = "#D55E00" if row.bound == "memory" else "#009E73"
        tip = (
            f"{row.layer}: {row.macs_per_cycle:.4g} MACs a cycle\n{row.macs_per_byte:.4g} MACs per byte\n"
            f"{100 * row.share:.1f} % of its roof ({row.bound})\n{row.cycles:,} cycles"
        )
        place = f'cx="{number(x)}" cy="{number(y)}"'
        spot = f'<circle {place} r="{number(radius)}" fill="{colour}" fill-opacity=".7"/>'
        inside.append(mark(tip, f'{spot}<circle class="ring" {place} r="{number(radius + 2)}"/>'))
    return figure("roofline", "Roofline, one dot per layer", width, height, "".join(inside))
