"""The roofline figure, drawn from the rows of roofline.csv and roofs.csv (accel_sim.run.roofline explains them)."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from accel_sim.results.style import INK, head, say, written
from accel_sim.run.roofline import marks, slopes
from accel_sim.values.cause_style import BOUND_STYLE, CAUSE_STYLE

#: at most so many layers are named, those that take most of the time first
NAMED = 9
#: points from the rim of a mark to its name: near ones are tried first
OFFSETS = [
    (dx, dy, reach)
    for reach in (4, 9, 16, 26, 38)
    for dx, dy in ((1, 0), (-1, 0), (0.7, -0.8), (-0.7, -0.8), (0.7, 0.8), (-0.7, 0.8), (0, -1), (0, 1))
]
#: pixels between two marks of which one is named for both
NEAR = 18
#: places along a roof, from its foot to the ridge, at which its name may stand
PLACES = (0.5, 0.35, 0.65, 0.2, 0.8, 0.08, 0.92)
WIDTH, HEIGHT = 11.0, 7.4
ABOVE = "marks above their roof: loads of held operands and the post-processing unit wait for no port"


def draw(plt, rows: pd.DataFrame, ports: pd.DataFrame, run: str, said: str):
    """The figure, or None if no layer has a place on its axes (which takes an issued MAC and a byte).

    rows, ports: of roofline.csv and roofs.csv; run: network and machine; said: what bounds the whole run."""
    spots = marks(rows, ports)
    if spots.empty:
        return None
    figure, axis = plt.subplots(figsize=(WIDTH, HEIGHT))
    head(figure, run)
    above = ((spots.bound_roof_share > 1 + 1e-9) & (spots.level != "")).any()
    say(axis, said + (f"; {ABOVE}" if above else ""), WIDTH - 1)
    axis.set(
        xscale="log", yscale="log", ylabel="issued MACs per cycle",
        xlabel="issued MACs per byte: of the level that bounds the layer, of the outermost memory where none does",
    )  # fmt: skip
    axis.grid(True, which="major", axis="both")
    lines = _roofs(axis, spots, list(slopes(ports)))
    areas = 40 + 900 * spots.cycles / spots.cycles.sum()
    handles = list(_marks(axis, spots, areas))
    figure.legend(handles=handles, loc="outside lower left", ncols=2, columnspacing=2)
    figure.canvas.draw()  # settles the layout, so that positions in pixels hold
    figure.set_layout_engine("none")
    taken = _roof_names(axis, spots, lines)
    _names(axis, spots, np.sqrt(areas / np.pi), lines, taken)
    return figure


def _roofs(axis, spots: pd.DataFrame, roofs: list[tuple[str, str, float]]) -> list:
    """A level for each mode of the MAC unit, and a slope for each bandwidth up to the highest of them."""
    peak = spots.peak_macs_per_cycle.max()
    ridges = [peak / each for _, _, each in roofs]
    left, right = min(spots.x.min(), min(ridges)) / 3, max(spots.x.max(), max(ridges)) * 4
    low = min(spots.y.min(), spots.peak_macs_per_cycle.min()) / 3
    axis.set(xlim=(left, right), ylim=(low, peak * 2.5))
    lines = []
    first = 1 / max(each for _, _, each in roofs)
    for level in sorted(spots.peak_macs_per_cycle.unique(), reverse=True):
        (line,) = axis.plot([level * first, right], [level, level], color=INK, linewidth=1.8)
        lines.append((line, f"{level:,.6g} MACs/cycle"))
    for number, (name, cause, each) in enumerate(roofs):
        colour, hatch = CAUSE_STYLE[cause]
        foot = max(left, low / each)
        style, behind = "--" if hatch else "-", any(each == other for _, _, other in roofs[number + 1 :])
        (line,) = axis.plot(
            [foot, peak / each], [foot * each, peak], color=colour, linewidth=5 if behind else 1.8, linestyle=style,
        )  # fmt: skip
        lines.append((line, f"{name}: {each:,.4g} B/cycle"))
    return lines


def _marks(axis, spots: pd.DataFrame, areas: pd.Series) -> Iterator:
    """A mark for each layer, as large as its share of the time, small ones on top; yields one of each bound."""
    order = spots.assign(area=areas).sort_values("area", ascending=False, kind="stable")
    for place, row in enumerate(order.itertuples()):
        colour, hatch = BOUND_STYLE[row.bound]
        axis.scatter(
            row.x, row.y, s=row.area, color=colour, hatch=2 * hatch, edgecolor="white", linewidth=0.8, alpha=0.9,
            zorder=4 + place / len(order),
        )  # fmt: skip
    by_bound = spots.groupby("bound").agg(cycles=("cycles", "sum"), layers=("layer", "size"))
    for bound, row in by_bound.sort_values("cycles", ascending=False, kind="stable").iterrows():
        colour, hatch = BOUND_STYLE[bound]
        layers = f"{row.layers:.0f} layer{'s' if row.layers > 1 else ''}"
        label = f"bound by {bound}: {layers}, {100 * row.cycles / spots.cycles.sum():.0f} % of their time"
        yield axis.scatter([], [], s=110, color=colour, hatch=2 * hatch, edgecolor="white", linewidth=0.8, label=label)


def _roof_names(axis, spots: pd.DataFrame, lines: list) -> list:
    """Writes each roof's name along it, where it covers no mark and no other name; returns the boxes it took."""
    from matplotlib.patheffects import withStroke

    renderer, frame = axis.figure.canvas.get_renderer(), axis.get_window_extent()
    kept_free = axis.transData.transform(spots[["x", "y"]].to_numpy(float))
    boxes: list = []
    for line, name in lines:
        (x0, y0), (x1, y1) = ends = line.get_xydata()
        (left, low), (right, high) = axis.transData.transform(ends)
        angle = np.arctan2(high - low, right - left)
        text = axis.annotate(
            name, (x0, y0), 3 * np.array([-np.sin(angle), np.cos(angle)]), textcoords="offset points", fontsize=8.5,
            color=INK, rotation=np.degrees(angle), rotation_mode="anchor", ha="center", va="bottom", zorder=6,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        tried: list[tuple] = []
        for place in PLACES:
            text.xy = x0 * (x1 / x0) ** place, y0 * (y1 / y0) ** place
            box = text.get_window_extent(renderer)
            inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
            clash = sum(_meet(box, other, angle) for other in boxes) + box.count_contains(kept_free) + 9 * (not inside)
            tried.append((clash, len(tried), text.xy, box))
        _, _, text.xy, box = min(tried, key=lambda each: each[:2])
        boxes.append(box)
    return boxes


def _meet(box, other, angle: float) -> bool:
    """Whether two texts along parallel lines would touch: their boxes are mostly empty corners, so middles count."""
    if angle < 0.1:
        return box.overlaps(other)
    middles = [np.array([(each.x0 + each.x1) / 2, (each.y0 + each.y1) / 2]) for each in (box, other)]
    return bool(np.hypot(*(middles[0] - middles[1])) < 0.6 * max(box.width, other.width))


def _names(axis, spots: pd.DataFrame, radii: pd.Series, lines: list, taken: list) -> None:
    """Names layers in order of their time, each where its name covers no mark, roof or other name, or not at all.

    radii: of the marks, in points. Layers whose marks lie on a named one's are not named.
    """
    from matplotlib.patheffects import withStroke

    figure = axis.figure
    renderer, frame = figure.canvas.get_renderer(), axis.get_window_extent()
    places = axis.transData.transform(spots[["x", "y"]].to_numpy(float))
    ends = (line.get_xydata() for line, _ in lines)
    along = [np.geomspace(first, last, 200) for first, last in ends]
    kept_free = np.concatenate([places, *map(axis.transData.transform, along)])
    pixels, boxes = figure.dpi / 72, list(taken)
    named: list[np.ndarray] = []
    for row in spots.sort_values(["cycles", "layer"], ascending=[False, True]).itertuples():
        place, radius = places[row.Index], radii[row.Index]
        if len(named) == NAMED or any(np.hypot(*(place - other)) < NEAR for other in named):
            continue
        text = axis.annotate(
            written(row.layer), (row.x, row.y), (0, 0), textcoords="offset points", fontsize=8.5, zorder=6,
            ha="center", va="center", path_effects=[withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": INK, "shrinkA": 0, "shrinkB": radius},
        )  # fmt: skip
        own = text.get_window_extent(renderer).padded(1)
        for dx, dy, reach in OFFSETS:
            offset = np.array([dx, dy]) * (reach + radius) + np.sign([dx, 0]) * own.width / 2 / pixels
            box = own.translated(*(offset * pixels))
            inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
            if inside and not any(box.overlaps(other) for other in boxes) and not box.count_contains(kept_free):
                text.set_position(offset)
                boxes.append(box)
                named.append(place)
                break
        else:
            text.remove()
