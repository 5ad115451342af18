"""The roofline figure, drawn from the rows of roofline.csv (accel_sim.roofline says what they mean)."""

import numpy as np
import pandas as pd

from accel_sim.roofline import summary as overall

#: bound -> colour: those of effectual slots and of DRAM in the other figures
BOUND_STYLE = {"compute": "#009E73", "memory": "#0072B2"}
ROOF, EFFECTIVE, NOMINAL = "#222222", "#D55E00", "#8C8C8C"
#: marks of a layer: as it ran, and as the dense network sees it
RAN, DENSE = ["macs_per_byte", "macs_per_cycle"], ["nominal_macs_per_plain_byte", "nominal_macs_per_cycle"]
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


def draw(plt, rows: pd.DataFrame, run: dict):
    """The figure, or None if no layer has a place on its axes (which takes an effectual MAC and a byte)."""
    rows = rows[(rows.macs_effectual > 0) & (rows.dram_bytes > 0)].reset_index(drop=True)
    if rows.empty:
        return None
    figure, axis = plt.subplots(figsize=(10.5, 7.2))
    axis.set(xscale="log", yscale="log", xlabel="MACs per DRAM byte", ylabel="MACs per cycle")
    axis.grid(True, which="major", axis="both")
    memory = rows.bound == "memory"
    axis.set_title(
        f"{run['network']} on {run['hardware']}: {100 * overall(rows)['share']:.0f} % of what the roofs allow; memory "
        f"bounds {memory.sum()} of {len(rows)} layers, {100 * rows.cycles[memory].sum() / rows.cycles.sum():.0f} % of "
        "the time"
    )
    _limits(axis, rows)
    areas = 30 + 450 * rows.cycles / rows.cycles.sum()
    marks, roofs = _marks(axis, rows, areas), _roofs(axis, rows)
    figure.legend(handles=[*marks, *roofs], loc="outside lower center", ncols=2, columnspacing=2.5)
    _names(figure, axis, rows, np.sqrt(areas / np.pi), roofs)
    return figure


def _limits(axis, rows: pd.DataFrame) -> None:
    """All marks and the ridge, with room around them."""
    ridge = rows.peak_macs_per_cycle.max() / rows.peak_bytes_per_cycle.max()
    x = np.concatenate([rows[RAN[0]], rows[DENSE[0]], [ridge]])
    y = np.concatenate([rows[RAN[1]], rows[DENSE[1]], rows.peak_macs_per_cycle])
    axis.set(xlim=(x.min() / 2, x.max() * 2), ylim=(y.min() / 2, y.max() * 2))


def _roofs(axis, rows: pd.DataFrame) -> list:
    """A level for each mode of the MAC unit, a slope for the memory's peak, and the effective bandwidth: a dashed slope
    for the run, in a band from the layer that gains least by its encoding to the one that gains most."""
    (left, right), (_, top) = axis.get_xlim(), axis.get_ylim()
    peak, bandwidth = rows.peak_macs_per_cycle.max(), rows.peak_bytes_per_cycle.max()
    least, most = rows.effective_bytes_per_cycle.min(), rows.effective_bytes_per_cycle.max()
    same = max(most / bandwidth, bandwidth / least) < 1.005

    def slope(bytes_per_cycle: float, reach: float, label: str, **style):
        x = np.geomspace(left, reach, 200)
        return axis.plot(x, x * bytes_per_cycle, zorder=2, label=label, **style)[0]

    lines = []
    for level in sorted(rows.peak_macs_per_cycle.unique(), reverse=True):
        x = np.geomspace(level / bandwidth, right, 200)
        label = f"MAC units, {level:,.6g} MACs/cycle"
        lines += axis.plot(x, np.full(200, level), color=ROOF, linewidth=1.8, zorder=2, label=label)
    label = f"DRAM, {bandwidth:.4g} B/cycle{' (effective: the same)' if same else ''}"
    lines.append(slope(bandwidth, peak / bandwidth, label, color=ROOF, linewidth=1.8, linestyle="-."))
    if not same:
        run, x = overall(rows)["effective_bytes_per_cycle"], np.array([left, max(right, top / least)])
        axis.fill_between(x, x * least, x * most, color=EFFECTIVE, alpha=0.1, linewidth=0, zorder=0)
        label = f"effective DRAM, {run:.3g} B/cycle (layers: {least:.3g} to {most:.3g}),\nthe roof of the hollow marks"
        lines.append(slope(run, top / run, label, color=EFFECTIVE, linewidth=1.4, linestyle="--"))
        axis.set(xlim=(left, right))
    return lines


def _marks(axis, rows: pd.DataFrame, areas: pd.Series) -> list:
    """A filled mark for each layer as it ran, as large as its share of the time; a hollow one for its dense self."""
    pairs = np.stack([rows[RAN].to_numpy(), rows[DENSE].to_numpy(), np.full((len(rows), 2), np.nan)], axis=1)
    axis.plot(*pairs.reshape(-1, 2).T, color=NOMINAL, linewidth=0.6, zorder=1)  # NaN: a line to each pair
    handles = []
    for bound, colour in BOUND_STYLE.items():
        part = rows[rows.bound == bound]
        if len(part):
            label = f"bound by {bound}: effectual MACs, bytes as moved (area: time)"
            style = {"color": colour, "alpha": 0.8, "edgecolor": "white", "linewidth": 0.6, "zorder": 4}
            handles.append(axis.scatter(*part[RAN].to_numpy().T, s=areas[part.index], label=label, **style))
    label = "the same layers: nominal MACs, bytes as if weights were dense"
    hollow = axis.scatter(
        *rows[DENSE].to_numpy().T, s=16, facecolor="white", edgecolor=NOMINAL, linewidth=0.9, zorder=3, label=label
    )
    return [*handles, hollow]


def _names(figure, axis, rows: pd.DataFrame, radii: pd.Series, roofs: list) -> None:
    """Names layers in order of their time, each where its name covers no mark, roof or other name, or not at all.

    radii: of the marks, in points. Layers whose marks lie on a named one's are not named.
    """
    from matplotlib.patheffects import withStroke

    figure.canvas.draw()  # settles the layout, so that positions in pixels hold
    figure.set_layout_engine("none")
    renderer, frame = figure.canvas.get_renderer(), axis.get_window_extent()
    places = axis.transData.transform(rows[RAN].to_numpy(float))
    kept_free = [rows[DENSE].to_numpy(float), *(line.get_xydata() for line in roofs)]
    kept_free = np.concatenate([places, *map(axis.transData.transform, kept_free)])
    pixels, boxes, named = figure.dpi / 72, [], []
    for row in rows.sort_values(["cycles", "layer"], ascending=[False, True]).itertuples():
        place, radius = places[row.Index], radii[row.Index]
        if len(named) == NAMED or any(np.hypot(*(place - other)) < NEAR for other in named):
            continue
        text = axis.annotate(
            row.layer, rows.loc[row.Index, RAN], (0, 0), textcoords="offset points", fontsize=8.5, zorder=5,
            ha="center", va="center", path_effects=[withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": ROOF, "shrinkA": 0, "shrinkB": radius},
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
