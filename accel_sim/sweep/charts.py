"""Figures of a study; each stands beside the CSV of what it shows."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from accel_sim.host import output
from accel_sim.results.style import SERIES, house_style, save, written
from accel_sim.sweep import chart_data, results
from accel_sim.sweep.expression import Expression
from workloads.registry import InputError

#: of settings: none that stands for a cause or a component in the figures of runs
COLOURS = SERIES
GREY = "#BBBBBB"
#: end of a column's name -> factor to the unit of its axis
UNITS = {"_pj": (1e-12, "J"), "_s": (1.0, "s"), "_um2": (1e-6, "mm²"), "_bytes": (1.0, "B")}
#: values whose ratio is larger get a logarithmic axis
FAR_APART = 20
#: signs of a condition in the words of a file name
SIGNS = {"<=": "le", ">=": "ge", "==": "is", "!=": "ne", "<": "lt", ">": "gt"}
#: letters of a figure's name, before the hash
LONGEST_STEM = 120
#: cells of a heat map that still have room for their value
MOST_NUMBERS = 120


@dataclass(frozen=True)
class Wish:
    """What to draw. kind: of KINDS; x, y, z, color: columns; pick: of several points in a cell; base: point's name."""

    kind: str
    x: str | None = None
    y: str | None = None
    z: str | None = None
    color: str | None = None
    pick: str | None = None
    base: str | None = None
    where: str | None = None

    @property
    def stem(self) -> str:
        """Name of its files: columns and choices as far as they can stand in one, and a hash that no two wishes share
        where more than a kind and x, y, z is asked for."""
        choices = [f"by-{self.color}" if self.color else None, self.pick, self.base and f"from-{self.base}"]
        where = self.where and re.sub("|".join(SIGNS), lambda sign: f" {SIGNS[sign[0]]} ", self.where)
        parts = [self.kind, self.x, self.y, self.z, *choices, where and f"where-{where}"]
        stem = re.sub(r"[^\w.-]+", "_", "-".join(filter(None, parts))).strip("_")
        if self == Wish(self.kind, self.x, self.y, self.z, self.color) and len(stem) <= LONGEST_STEM:
            return stem
        digest = hashlib.sha256(repr(self).encode()).hexdigest()[:8]
        return f"{stem[:LONGEST_STEM].rstrip('_')}-{digest}"


def draw(folder: Path, wish: Wish) -> list[Path]:
    """Writes a figure and its CSV below ``folder``/plots; returns their paths. InputError for columns it has not."""
    for name in ("x", "y", "z", "color", "pick", "base"):
        if getattr(wish, name) is not None and name not in TAKES[wish.kind]:
            raise InputError(f"--kind {wish.kind}: takes no --{name}")
    frame = results.read(folder)
    if wish.where is not None:
        frame = frame[holds(frame, Expression(wish.where))].reset_index(drop=True)
    if frame.empty:
        raise InputError(f"{folder}: has no points to draw")
    with house_style() as plt:
        figure, table = KINDS[wish.kind](plt, frame, wish)
        with output.whole(folder / "plots", beside=True) as scratch:
            save(figure, scratch / f"{wish.stem}.png")
            output.write(scratch / f"{wish.stem}.csv", table.to_csv(index=False, lineterminator="\n"))
    return [folder / "plots" / f"{wish.stem}.{end}" for end in ("png", "csv")]


def holds(frame: pd.DataFrame, condition: Expression) -> list[bool]:
    """Whether a condition over its columns holds, of each row; InputError for a column it has not."""

    def lookup(row: dict[str, Any]) -> Callable[[str], Any]:
        def value(name: str) -> Any:
            chart_data.check(frame, name)
            return None if pd.isna(row[name]) else row[name]

        return value

    return [bool(condition.value(lookup(row))) for row in frame.to_dict("records")]


def _needed(wish: Wish, *names: str) -> list[str]:
    """Columns that a figure cannot do without; InputError for one that was not given."""
    given = {name: getattr(wish, name) for name in names}
    for name, column in given.items():
        if column is None:
            raise InputError(f"--kind {wish.kind}: expected --{name} COLUMN")
    return list(given.values())


def _lines(plt: Any, frame: pd.DataFrame, wish: Wish) -> tuple[Any, pd.DataFrame]:
    """A panel for each network, unless that is on an axis or a colour."""
    x, y = _needed(wish, "x", "y")
    table = chart_data.lines(frame, x, y, wish.color)
    several = "network" in table and "network" not in (x, wish.color)
    parts = _by_network(table) if several else {"": table}
    hues = _hues(table, wish.color)
    figure, panels = plt.subplots(1, len(parts), figsize=(8 if len(parts) == 1 else 5.5 * len(parts), 5), squeeze=False)
    for axis, (network, part) in zip(panels[0], parts.items(), strict=True):
        place = _place(axis.xaxis, part[x])
        for _, line in part.groupby("line", sort=False):
            hue = hues[_key(line[wish.color].iloc[0])] if wish.color else COLOURS[0]
            axis.plot(place(line[x]), _scaled(line[y]), marker="o", markersize=4, linewidth=1.4, color=hue)
        _in_ratios(axis.set_yscale, part[y])
        _axis(axis.yaxis, y)
        name = f"{written(network)}: " if len(parts) > 1 else ""
        axis.set(xlabel=x, title=f"{name}{title_of(y)} over {x}")
    _legend(panels[0, -1], hues, wish.color)
    return figure, table


def _by_network(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Network -> its rows, in the order in which they come."""
    return dict(iter(frame.groupby("network", sort=False)))


def _heat(plt: Any, frame: pd.DataFrame, wish: Wish) -> tuple[Any, pd.DataFrame]:
    """A panel for each network, unless that is on an axis."""
    x, y, z = _needed(wish, "x", "y", "z")
    pick = wish.pick or "min"
    parts = {"": frame} if "network" in (x, y) else _by_network(frame)
    tables = {network: chart_data.heat(part, x, y, z, pick) for network, part in parts.items()}
    grids = [table.pivot(index=y, columns=x, values=z) for table in tables.values()]
    size = max(5.0, 0.7 * max(len(grid.columns) for grid in grids) + 2.5), max(3.5, 0.45 * len(grids[0]) + 1.8)
    figure, panels = plt.subplots(1, len(grids), figsize=(size[0] * len(grids), size[1]), squeeze=False)
    for axis, grid, (network, table) in zip(panels[0], grids, tables.items(), strict=True):
        _cells(figure, axis, grid, z)
        several = f", {pick} of up to {table.points.max()} points" if table.points.max() > 1 else ""
        name = f"{written(network)}: " if len(grids) > 1 else ""
        axis.set(xlabel=x, ylabel=y, title=f"{name}{title_of(z)}{several}")
    if len(grids) > 1:
        tables = {network: table.assign(network=network) for network, table in tables.items()}
    return figure, pd.concat(tables.values(), ignore_index=True)


def _cells(figure: Any, axis: Any, grid: pd.DataFrame, z: str) -> None:
    axis.grid(False)
    drawn = axis.imshow(grid.to_numpy() * unit_of(z)[0], origin="lower", aspect="auto", cmap="cividis")
    for ticks, values in ((axis.set_xticks, grid.columns), (axis.set_yticks, grid.index)):
        ticks(range(len(values)), [_drawn(value) for value in values])
    if grid.size <= MOST_NUMBERS:
        middle = (np.nanmin(grid.to_numpy()) + np.nanmax(grid.to_numpy())) / 2
        for (row, column), value in np.ndenumerate(grid.to_numpy()):
            if not np.isnan(value):
                hue = "black" if value > middle else "white"
                axis.text(column, row, _prefixed(value, z), ha="center", va="center", fontsize=7, color=hue)
    _axis(figure.colorbar(drawn, ax=axis).ax.yaxis, z)


def _pareto(plt: Any, frame: pd.DataFrame, wish: Wish) -> tuple[Any, pd.DataFrame]:
    """A panel for each network; a third objective is the area of the dots."""
    names = chart_data.objectives(frame, [name for name in (wish.x, wish.y, wish.z) if name])
    if len(names) < 2:
        raise InputError("--kind pareto: expected --x and --y, or none of them")
    table = chart_data.front(frame, names)
    if wish.color is not None:
        chart_data.check(frame, wish.color)
        table[wish.color] = frame[wish.color]
    hues, networks = _hues(table, wish.color), table.network.unique()
    figure, panels = plt.subplots(1, len(networks), figsize=(6.5 * len(networks), 5), squeeze=False)
    for axis, network in zip(panels[0], networks, strict=True):
        part = table[table.network == network]
        _front(axis, part, names, [hues[_key(value)] for value in part[wish.color]] if wish.color else None)
        for place, scale, name in ((axis.xaxis, axis.set_xscale, names[0]), (axis.yaxis, axis.set_yscale, names[1])):
            _in_ratios(scale, part[name])
            _axis(place, name)
        third = f"; area of a dot: {title_of(names[2])}" if len(names) > 2 else ""
        axis.set_title(f"{written(network)}: {part.front.sum()} of {len(part)} points on the front{third}", fontsize=10)
    axis = panels[0, -1]
    for key, hue in hues.items():
        axis.scatter([], [], color=hue, label=_drawn(key))
    axis.legend(title=wish.color, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure, table


def _front(axis: Any, part: pd.DataFrame, names: list[str], hues: list[str] | None) -> None:
    """Dominated points pale, those of the front joined where there are two objectives, the knee a star."""
    x, y = (_scaled(part[name]) for name in names[:2])
    sizes, best = np.full(len(part), 24.0), part.front.to_numpy()
    if len(names) > 2:
        third = part[names[2]].to_numpy(dtype=float)
        low, high = np.nanmin(third), np.nanmax(third)
        sizes = 16 + 140 * np.nan_to_num((third - low) / ((high - low) or 1))
    colours = np.array(hues if hues is not None else [COLOURS[0]] * len(part))
    pale = colours[~best] if hues is not None else GREY
    axis.scatter(x[~best], y[~best], s=sizes[~best], c=pale, alpha=0.35 if hues is not None else 1.0, linewidths=0,
                 label="dominated" if hues is None else None)  # fmt: skip
    if len(names) == 2:
        order = np.argsort(x[best], kind="stable")
        axis.plot(x[best][order], y[best][order], color="#666666", linewidth=1, drawstyle="steps-post", zorder=2)
    axis.scatter(x[best], y[best], s=sizes[best] + 12, c=colours[best], edgecolors="black", linewidths=0.8, zorder=3,
                 label="front" if hues is None else None)  # fmt: skip
    knee = part.knee.to_numpy()
    axis.scatter(x[knee], y[knee], s=130, marker="*", color=COLOURS[1], edgecolors="white", zorder=4, label="knee")


def _parallel(plt: Any, frame: pd.DataFrame, wish: Wish) -> tuple[Any, pd.DataFrame]:
    (y,) = _needed(wish, "y")
    table = chart_data.parallel(frame, y)
    names = list(table.columns[1:])
    figure, axis = plt.subplots(figsize=(max(7.0, 1.7 * len(names)), 5))
    heights = np.column_stack([_height(table[name]) for name in names])
    shade = plt.get_cmap("viridis")(heights[:, -1])
    order = np.argsort(-heights[:, -1], kind="stable")
    for row in order:  # the least on top, and thick
        look = {"linewidth": 3.5 if row == order[-1] else 1.4, "alpha": 0.9, "marker": "o", "markersize": 3}
        axis.plot(range(len(names)), heights[row], color=shade[row], **look)
    for i, name in enumerate(names):
        axis.axvline(i, color="black", linewidth=0.8)
        texts = [_prefixed(value, name) for value in table[name]] if name == y else table[name].map(_drawn)
        ordered = sorted(set(zip(heights[:, i], texts, strict=True)))
        close = any(after[0] - before[0] < 0.04 for before, after in pairwise(ordered))
        for height, text in (ordered[0], ordered[-1]) if close or len(ordered) > 8 else ordered:
            axis.text(
                i + 0.03,
                height,
                text,
                fontsize=8,
                va="center",
                zorder=5,
                bbox={"color": "white", "alpha": 0.8, "pad": 0.5},
            )
    axis.set_xticks(range(len(names)), [*names[:-1], title_of(y)], rotation=20, ha="right", rotation_mode="anchor")
    title = f"{len(table)} points; dark: low {title_of(y)}; thick: the lowest"
    axis.set(yticks=[], xlim=(-0.1, len(names) - 0.6), title=title)
    axis.grid(False)
    axis.spines["left"].set_visible(False)
    return figure, table


def _tornado(plt: Any, frame: pd.DataFrame, wish: Wish) -> tuple[Any, pd.DataFrame]:
    (y,) = _needed(wish, "y")
    table = chart_data.tornado(frame, y, wish.base)
    figure, axis = plt.subplots(figsize=(9, 1.6 + 0.55 * len(table)))
    base = table.y_base.iloc[0] * unit_of(y)[0]
    for i, row in enumerate(table.itertuples()):
        for end, hue, text, side in (
            (row.y_low, COLOURS[0], row.low, "right"), (row.y_high, COLOURS[1], row.high, "left"),
        ):  # fmt: skip
            value = end * unit_of(y)[0]
            axis.barh(i, value - base, left=base, height=0.6, color=hue)
            axis.annotate(_drawn(text), (value, i), (-4 if side == "right" else 4, 0), textcoords="offset points",
                          ha=side, va="center", fontsize=8)  # fmt: skip
    axis.axvline(base, color="black", linewidth=1)
    axis.set_yticks(range(len(table)), [f"{row.setting} ({_drawn(row.base)})" for row in table.itertuples()])
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.grid(axis="x")
    _axis(axis.xaxis, y)
    at = ", ".join(map(_drawn, table.attrs["at"]))
    title = f"{title_of(y)}: one setting at a time from the base (in brackets)"
    axis.set_title(f"{title}\nbase: {at}" if at else title, fontsize=10)
    return figure, table


def unit_of(name: str) -> tuple[float, str]:
    """(factor, unit): values of the column times the factor are in the unit; (1, '') where there is none."""
    family = "_pj" if name.startswith("energy_pj.") else name
    return next((unit for end, unit in UNITS.items() if family.endswith(end)), (1.0, ""))


def _scaled(column: pd.Series) -> np.ndarray:
    return column.to_numpy(dtype=float) * unit_of(str(column.name))[0]


def _in_ratios(scale: Callable[..., None], column: pd.Series) -> None:
    """A logarithmic axis where values are far apart."""
    if column.min() > 0 and column.max() > FAR_APART * column.min():
        scale("log")


def _axis(axis: Any, name: str) -> None:
    """Ticks with prefixes, and a label."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    unit = unit_of(name)[1]
    if unit != "mm²" and name != "utilization":
        axis.set_major_formatter(EngFormatter(unit=unit))
    if axis.get_scale() == "log":
        axis.set_minor_formatter(NullFormatter())
    axis.set_label_text(f"{title_of(name)} ({unit})" if unit == "mm²" else title_of(name))


def _prefixed(value: float, name: str) -> str:
    from matplotlib.ticker import EngFormatter

    factor, unit = unit_of(name)
    if unit == "mm²" or name == "utilization":
        return f"{value * factor:.3g} {unit}".rstrip()
    return EngFormatter(unit=unit, places=1)(value * factor)


def title_of(name: str) -> str:
    """A column's name in words, without its unit."""
    end = next((end for end in UNITS if name.endswith(end) and end != "_bytes"), "")
    return name.removesuffix(end).replace("energy_pj.", "energy of ").replace("_", " ") if "." not in name else (
        name.replace("energy_pj.", "energy of ").replace("cycles.", "cycles of ")
    )  # fmt: skip


def _place(axis: Any, column: pd.Series) -> Callable[[pd.Series], Any]:
    """Where values stand: numbers as they are (in ratios, if they are such), others side by side."""
    values = column.unique()
    if not pd.api.types.is_numeric_dtype(column):
        texts = list(dict.fromkeys(text_of(value) for value in values))
        axis.set_ticks(range(len(texts)), [written(text) for text in texts])
        return lambda part: [texts.index(text_of(value)) for value in part]
    if _are_ratios(column):
        from matplotlib.ticker import NullLocator

        axis.axes.set_xscale("log", base=2)
        axis.set_minor_locator(NullLocator())
    if len(values) <= 10:
        axis.set_ticks(sorted(values), [_drawn(value) for value in sorted(values)])
    return lambda part: part


def _hues(table: pd.DataFrame, color: str | None) -> dict[Any, str]:
    if color is None:
        return {}
    keys = sorted({_key(value) for value in table[color]}, key=lambda key: (isinstance(key, str), key))
    return {key: COLOURS[i % len(COLOURS)] for i, key in enumerate(keys)}


def _key(value: Any) -> Any:
    return "none" if pd.isna(value) else value


def _legend(axis: Any, hues: dict[Any, str], title: str | None) -> None:
    if hues:
        handles = [axis.plot([], [], color=hue, marker="o", markersize=4)[0] for hue in hues.values()]
        axis.legend(handles, [_drawn(key) for key in hues], title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _height(column: pd.Series) -> np.ndarray:
    """0..1: numbers by size (in ratios, if they are such), others by their order."""
    numeric = pd.api.types.is_numeric_dtype(column) and not column.isna().any()
    values = column.to_numpy(dtype=float) if numeric else pd.factorize(column.map(text_of))[0].astype(float)
    values = np.log(values) if numeric and _are_ratios(column) else values
    return (values - values.min()) / ((values.max() - values.min()) or 1)


def _are_ratios(column: pd.Series) -> bool:
    """Numbers so far apart that an axis of ratios shows them better."""
    return column.nunique() > 2 and column.min() > 0 and column.max() >= 8 * column.min()


def text_of(value: object) -> str:
    """A setting as text, in the words of YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _drawn(value: object) -> str:
    """The same as a figure can have it (different settings may look alike)."""
    return written(text_of(value))


KINDS = {"line": _lines, "heat": _heat, "pareto": _pareto, "parallel": _parallel, "tornado": _tornado}
#: columns and choices that a kind has a use for
TAKES = {
    "line": ("x", "y", "color"), "heat": ("x", "y", "z", "pick"), "pareto": ("x", "y", "z", "color"),
    "parallel": ("y",), "tornado": ("y", "base"),
}  # fmt: skip
