"""The tables behind the figures of a study: DataFrames in, DataFrames out."""

import numpy as np
import pandas as pd

from workloads.registry import InputError, unknown

#: figures of which more is better; less is better of all others
MORE_IS_BETTER = ("utilization",)
#: what a front weighs if it is not told: the first ones that differ between points
OBJECTIVES = ("energy_pj", "time_s", "area_um2", "memory_area_um2")
#: how several points of one cell become one number
PICKS = {"min": "min", "mean": "mean", "max": "max"}


def settings(frame: pd.DataFrame) -> list[str]:
    """The study's own columns (frame.attrs["settings"], see results.read) that differ between points."""
    return [name for name in frame.attrs["settings"] if frame[name].nunique(dropna=False) > 1]


def numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column of numbers; InputError for an unknown one or one of texts."""
    check(frame, name)
    if not pd.api.types.is_numeric_dtype(frame[name]) or frame[name].isna().all():
        raise InputError(f"column '{name}' holds no numbers")
    return frame[name].astype(float)


def check(frame: pd.DataFrame, *names: str) -> None:
    """InputError with the nearest name if a column is not there."""
    for name in names:
        if name not in frame:
            raise unknown("column", name, list(frame.columns))


def lines(frame: pd.DataFrame, x: str, y: str, color: str | None) -> pd.DataFrame:
    """Columns x, y, color, the other axes, point and line: points that differ in x alone lie on one line."""
    numbers(frame, y)
    check(frame, x, *([color] if color else []))
    keys = ([color] if color and color != x else []) + _others(frame, x, y, color)
    table = frame[list(dict.fromkeys([x, y, *keys, "point"]))].copy()
    table["line"] = table.groupby(keys, dropna=False, sort=False).ngroup() if keys else 0
    return table.sort_values(["line", x], kind="stable").reset_index(drop=True)


def _others(frame: pd.DataFrame, x: str, y: str, color: str | None) -> list[str]:
    """The axes that tell lines apart. Derived values do not: they follow from axes, and may change along a line."""
    derived = frame.attrs["derived"]
    found: list[str] = []
    for name in settings(frame):
        known = [x, color, *(found if x in derived else [])]  # x made of several axes runs along the last of them
        if name not in (x, y, color, *derived) and not _follows(frame, name, known):
            found.append(name)
    return found


def _follows(frame: pd.DataFrame, name: str, of: list[str | None]) -> bool:
    """Whether a column says nothing that those of ``of`` do not say (zipped axes, derived values)."""
    keys = [key for key in of if key]
    return bool((frame.groupby(keys, dropna=False)[name].nunique(dropna=False) <= 1).all())


def heat(frame: pd.DataFrame, x: str, y: str, z: str, pick: str) -> pd.DataFrame:
    """Columns x, y, z, points: z of all points of a cell, made one by ``pick``."""
    numbers(frame, z)
    check(frame, x, y)
    if len({x, y, z}) < 3:
        raise InputError("--kind heat: expected three different columns")
    grouped = frame.groupby([y, x], dropna=False, sort=True)[z]
    return grouped.agg(**{z: PICKS[pick], "points": "size"}).reset_index()[[x, y, z, "points"]]


def front(frame: pd.DataFrame, objectives: list[str]) -> pd.DataFrame:
    """Columns point, network, the settings, objectives, front, knee: within each network alone.

    front: no other point is at least as good in all objectives and better in one. knee: the point of the front that is
    nearest to the best of every objective, each scaled to 0..1 over the front.
    """
    values = np.column_stack([numbers(frame, name) * (-1 if name in MORE_IS_BETTER else 1) for name in objectives])
    names = dict.fromkeys(["point", "network", *settings(frame), *objectives])
    table = frame[list(names)].copy()
    best, knee = np.zeros(len(frame), bool), np.zeros(len(frame), bool)
    for _, rows in frame.reset_index(drop=True).groupby("network", sort=False).groups.items():
        found = np.asarray(rows)[undominated(values[rows])]
        best[found] = True
        low, high = values[found].min(axis=0), values[found].max(axis=0)
        far = ((values[found] - low) / np.where(high > low, high - low, 1)) ** 2
        knee[found[far.sum(axis=1).argmin()]] = True
    return table.assign(front=best, knee=knee)


def undominated(values: np.ndarray) -> np.ndarray:
    """values: [points, objectives], less is better -> bool [points]; a point with a NaN is dominated."""
    good = ~np.isnan(values).any(axis=1)
    order = np.lexsort(values.T[::-1])
    kept: list[int] = []
    for i in order[good[order]]:  # nothing later in this order can dominate what is before it
        others = values[kept]
        if not len(kept) or not ((others <= values[i]).all(axis=1) & (others < values[i]).any(axis=1)).any():
            kept.append(i)
    found = np.zeros(len(values), bool)
    found[kept] = True
    return found


def objectives(frame: pd.DataFrame, given: list[str]) -> list[str]:
    """Those that were given; else energy, time and area as far as they are known and differ."""
    if given:
        return given
    found = [name for name in OBJECTIVES if name in frame and frame[name].nunique() > 1]
    if "area_um2" in found and "memory_area_um2" in found:
        found.remove("memory_area_um2")
    if len(found) < 2:
        raise InputError("--kind pareto: fewer than two of energy, time and area differ; say which with --x and --y")
    return found


def parallel(frame: pd.DataFrame, y: str) -> pd.DataFrame:
    """Columns point, the settings that differ, y."""
    numbers(frame, y)
    return frame[list(dict.fromkeys(["point", *settings(frame), y]))]


def tornado(frame: pd.DataFrame, y: str, base: str | None) -> pd.DataFrame:
    """One row a setting, the largest effect first: low, high (its values where y is least and most), y_low, y_high,
    y_base, base (its value in the base point), over points that differ from the base in that setting alone.
    attrs["at"]: network and hardware of the base, where there are several.

    base: (beginning of) a point's name; else the point with most such neighbours, as near to the middle of all
    settings as there is.
    """
    numbers(frame, y)
    frame = frame.dropna(subset=[y]).reset_index(drop=True)
    names = [name for name in settings(frame) if name not in frame.attrs["derived"]]
    free = [name for name in names if not any(_follows(frame, name, [other]) for other in names[: names.index(name)])]
    if not free:
        raise InputError("--kind tornado: no setting differs between points")
    at = _base(frame, free, base)
    rows = []
    for name in free:
        if name == "network":  # what is run is no setting of the machine: it stays the base's
            continue
        same = np.ones(len(frame), bool)
        for other in free:
            if other != name:
                same &= _equal(frame[other], frame[other][at])
        near = frame[same].sort_values(y, kind="stable")
        if len(near) > 1:
            first, last = near.iloc[0], near.iloc[-1]
            rows.append([name, first[name], last[name], first[y], last[y], frame[y][at], frame[name][at]])
    if not rows:
        raise InputError("--kind tornado: no two points differ in one setting alone")
    table = pd.DataFrame(rows, columns=["setting", "low", "high", "y_low", "y_high", "y_base", "base"])
    table = table.iloc[(table.y_low - table.y_high).argsort(kind="stable")].reset_index(drop=True)
    table.attrs["at"] = [frame[name][at] for name in ("network", "hardware") if name in names]
    return table


def _base(frame: pd.DataFrame, names: list[str], given: str | None) -> int:
    if given is not None:
        found = frame.index[frame.point.str.startswith(given)]
        if not given or not len(found):
            raise InputError(f"--base {given}: no point's name begins so")
        return int(found[0])
    neighbours, distance = np.zeros(len(frame)), np.zeros(len(frame))
    for name in names:
        others = [other for other in names if other != name]
        sizes = frame.groupby(others, dropna=False)[name].transform("size") if others else len(frame)
        neighbours += np.asarray(sizes)
        ranks = pd.factorize(frame[name], sort=pd.api.types.is_numeric_dtype(frame[name]))[0]
        distance += np.abs(ranks - ranks.max() // 2)
    return int(np.lexsort((distance, -neighbours))[0])


def _equal(column: pd.Series, value: object) -> np.ndarray:
    return column.isna().to_numpy() if pd.isna(value) else (column == value).to_numpy()
