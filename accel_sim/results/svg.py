"""Inline SVG figures: stacked bars, roofline, heat map. Same input, same bytes; every mark can be focused and read."""

import math
from collections.abc import Callable, Iterable, Iterator
from html import escape

import pandas as pd

from accel_sim.run.roofline import marks, slopes
from accel_sim.values.cause_style import BOUND_STYLE, CAUSE_STYLE

#: hatch of matplotlib -> path inside an 8 x 8 pattern
HATCHES = {
    "////": "M-2 2L2 -2M0 8L8 0M6 10L10 6", "....": "M2 2h1M6 6h1", "xxxx": "M0 0L8 8M8 0L0 8",
    "\\\\\\\\": "M-2 6L2 10M0 0L8 8M6 -2L10 2",
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


def roofline(rows: pd.DataFrame, ports: pd.DataFrame) -> str:
    """Issued MACs a cycle over issued MACs per byte, log-log, under the roofs; rows, ports: of roofline.csv, roofs.csv.
    """
    found, roofs = marks(rows, ports), list(slopes(ports))
    if found.empty:
        return ""
    peak = float(found.peak_macs_per_cycle.max())
    ridges = [peak / each for _, _, each in roofs]
    low_x = 10 ** math.floor(math.log10(min(found.x.min(), *ridges)) - 0.01)
    high_x = 10 ** math.ceil(math.log10(max(found.x.max(), *ridges)) + 0.3)
    low_y = 10 ** math.floor(math.log10(found.y.min()) - 0.01)
    high_y = 10 ** math.ceil(math.log10(max(peak, found.y.max())) + 0.01)
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
    inside += _roofs(found, roofs, at, (low_x, high_x), low_y)
    inside.append(f'<text class="soft" x="{left}" y="{height - 8}">issued MACs per byte: of the level that bounds the '
                  "layer, of the outermost memory where none does →</text>")  # fmt: skip
    inside.append('<text class="soft" x="4" y="12">issued MACs a cycle ↑</text>')
    inside += _dots(found, at)
    return figure("roofline", "Roofline, one dot per layer", width, height, "".join(inside))


def _roofs(
    found: pd.DataFrame, roofs: list[tuple[str, str, float]], at: Callable[[float, float], tuple[float, float]],
    span: tuple[float, float], low_y: float,
) -> Iterator[str]:  # fmt: skip
    """The array's level, and a slope for each bandwidth in the colour of its cause, with its name as a tooltip."""
    peak = float(found.peak_macs_per_cycle.max())
    first = max(span[0], peak / max(each for _, _, each in roofs))
    (x0, y0), (x1, _) = at(first, peak), at(span[1], peak)
    yield f'<polyline class="roof" points="{number(x0)},{number(y0)} {number(x1)},{number(y0)}"/>'
    yield f'<text x="{number(x1 - 4)}" y="{number(y0 - 6)}" text-anchor="end">{peak:g} MACs a cycle</text>'
    for name, cause, each in roofs:
        start = max(span[0], low_y / each)
        ends = " ".join(f"{number(x)},{number(y)}" for x, y in (at(start, start * each), at(peak / each, peak)))
        colour, hatch = CAUSE_STYLE[cause]
        dashes = ' stroke-dasharray="6 4"' if hatch else ""
        x, y = at(math.sqrt(start * peak / each), math.sqrt(start * each * peak))
        yield f'<polyline points="{ends}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
        yield (
            f'<text class="soft" x="{number(x - 6)}" y="{number(y - 4)}" text-anchor="end">{escape(name)}: '
            f"{each:.4g} B a cycle</text>"
        )


def _dots(found: pd.DataFrame, at: Callable[[float, float], tuple[float, float]]) -> Iterator[str]:
    """A dot for each layer, the small ones on top."""
    longest = float(found.cycles.max())
    for row in found.sort_values("cycles", ascending=False, kind="stable").itertuples(index=False):
        x, y = at(row.x, row.y)
        radius = 4 + 8 * math.sqrt(row.cycles / longest)
        where = f" of {row.operand} at {row.level}" if row.level else ""
        tip = (
            f"{row.layer}: {row.y:.4g} MACs a cycle\n{row.x:.4g} MACs per byte\n"
            f"bound by {row.bound}: {row.cause}{where}, {100 * row.bound_share:.0f} % of its lane-slots\n"
            f"{row.cycles:,} cycles"
        )
        place = f'cx="{number(x)}" cy="{number(y)}"'
        spot = f'<circle {place} r="{number(radius)}" fill="{BOUND_STYLE[row.bound][0]}" fill-opacity=".85"/>'
        yield mark(tip, f'{spot}<circle class="ring" {place} r="{number(radius + 2)}"/>')
