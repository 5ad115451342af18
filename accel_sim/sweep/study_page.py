"""A study as one HTML file that needs nothing else; equal studies give equal bytes, however many points below 2 MB."""

import json
import math
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from accel_sim.host.version import __version__
from accel_sim.results import html
from accel_sim.sweep import chart_data, charts, study_svg
from accel_sim.sweep.study_files import StudyFiles, rerun
from workloads.registry import InputError

#: bytes that the points may take, in the data and as dots; above it some of those that are on no front are left out
MOST_BYTES = 1_500_000
DOT_BYTES = 72
#: more rows than this make a browser slow
MOST_POINTS = 4000
#: failed points, and networks with a figure of their own
MOST_FAILED, MOST_FIGURES = 200, 8

#: so many settings and figures of a point fit on an upright page
MOST_UPRIGHT = 8
LANDSCAPE = "@page wide{size:A4 landscape;margin:12mm}@media print{#table{page:wide}}"


def render(study: StudyFiles) -> str:
    """The whole page."""
    kept = _kept(study)
    frame = study.frame.iloc[kept].reset_index(drop=True)
    frame.attrs["settings"] = study.settings
    frame["row"] = range(len(frame))
    note = _left_out(study, len(frame))
    sections = {
        "summary": ("Summary", _summary(study)), "front": ("Front", _fronts(study, frame) + note),
        "best": ("Best", _best(study, frame)), "table": ("Points", _table(study, frame) + note),
        "settings": ("Which setting matters", _settings(study)), "failed": ("Failed", _failed(study)),
        "config": ("Study", _config(study)),
    }  # fmt: skip
    kind = "search" if study.searched else "study"
    header = f"<h1>{escape(study.study.name)} <span class=soft>{kind}</span></h1>"
    data = json.dumps(_data(study, frame), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    end = (
        f'<dialog id=point aria-labelledby=h-point></dialog><script type="application/json" id=data>'
        f"{data.replace('<', chr(92) + 'u003c')}</script>"
    )
    wide = f"<style>{LANDSCAPE}</style>" if len(_shown(study)) + len(_figures(study)) > MOST_UPRIGHT else ""
    return html.document(
        study.study.name,
        header,
        sections,
        version=__version__,
        end=end,
        defs=wide,
        scripts=("study.js", "page.js"),
    )


def _kept(study: StudyFiles) -> np.ndarray:
    """Positions of the points that have room in the page: the fronts, the best ones, and of the others evenly."""
    frame = study.frame
    whole = len(json.dumps(_columns(frame), ensure_ascii=False).encode()) + DOT_BYTES * len(frame)
    room = min(MOST_POINTS, math.floor(len(frame) * MOST_BYTES / whole))
    if room >= len(frame):
        return np.arange(len(frame))
    wanted = frame.front.to_numpy(dtype=bool).copy()
    for _, part in frame[frame.allowed].groupby("network", sort=False):
        wanted[[_best_of(part, name) for name in _goals(study) if part[name].notna().any()]] = True
    best, rest = np.flatnonzero(wanted)[:room], np.flatnonzero(~wanted)
    count = room - len(best)
    return np.sort(np.concatenate([best, rest[np.arange(count) * len(rest) // max(1, count)]]))


def _left_out(study: StudyFiles, kept: int) -> str:
    if kept == len(study.frame):
        return ""
    return (
        f"<p class=note>This page holds {kept:,} of {len(study.frame):,} points: the fronts, and of the others every "
        f"few. All of them are in {study.results} beside it; best points, settings and the front itself are of all."
        "</p>"
    )


def _summary(study: StudyFiles) -> str:
    frame, asked = study.frame, study.study
    found = [
        ("points", f"{len(frame):,}", "chosen by a search" if study.searched else "finished"),
        ("failed", f"{len(study.failed):,}", "with reasons below" if study.failed else "none"),
        ("networks", f"{frame.network.nunique()}", _some(frame.network)),
        ("machines", f"{frame.hardware.nunique()}", _some(frame.hardware)),
        ("on the front", f"{int(frame.front.sum()):,}", ", ".join(map(charts.title_of, study.objectives)) or "none"),
    ]
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th>{html.cell(frame[name].nunique(dropna=False), 1, ',.0f')}"
        f"<td>{escape(_some(frame[name], 16))}</td><td class=soft>{'derived' if name in asked.derived else 'axis'}</td>"
        "</tr>"
        for name in study.settings
    )
    return (
        f"{html.facts(found)}<h3>Settings of the points</h3><div class=wide><table><thead><tr><th scope=col>setting"
        "</th><th scope=col class=n>values</th><th scope=col>which</th><th scope=col>is</th></tr></thead><tbody>"
        f"{rows}</tbody></table></div>"
    )


def _some(column: pd.Series, most: int = 4) -> str:
    values = list(dict.fromkeys(column))
    if pd.api.types.is_numeric_dtype(column):
        values.sort()
    texts = list(dict.fromkeys(charts.text_of(value) for value in values))
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[: most - 1])} … {texts[-1]}"


def _fronts(study: StudyFiles, frame: pd.DataFrame) -> str:
    if not study.objectives:
        return "<p>There is no front: fewer than two of energy, time and area are known and differ.</p>"
    names, figures = study.objectives, []
    titles = [charts.title_of(name) for name in names]
    if len(names) == 1:
        return f"<p>The goal is {escape(titles[0])} alone: see the best points.</p>"
    networks = list(frame.network.unique())
    width = study_svg.WIDE if len(networks) == 1 else study_svg.HALF
    for at, network in enumerate(networks[:MOST_FIGURES]):
        part, whole = frame[frame.network == network], study.frame[study.frame.network == network]
        count = f"{int(whole.front.sum())} of {len(whole):,} points"
        label = f"Front of {network}: {titles[0]} across, {titles[1]} up; {count}"
        drawn = study_svg.front(part, names, f"front-{at}", label, width)
        figures.append(f"<figure><h3>{escape(network)}: {count}</h3>{drawn}</figure>")
    less = ", ".join(
        f"{'more' if name in chart_data.MORE_IS_BETTER else 'less'} {title}"
        for name, title in zip(names, titles, strict=True)
    )
    third = f" A blue dot is the larger, the larger its {escape(titles[2])}." if len(names) > 2 else ""
    grey = ["dominated"]
    if study.frame[names].isna().to_numpy().any():
        grey.append("with an objective that is not known")
    if not study.frame.allowed.all():
        grey.append("not allowed by the search's constraints")
    rest = (
        f"<p class=note>{len(networks) - MOST_FIGURES} more networks are in the table alone.</p>"
        if len(networks) > MOST_FIGURES
        else ""
    )
    return (
        f"<p class=soft>Better is {escape(less)}. Blue: no other point of the network is at least as good in all and "
        f"better in one. Orange star: the knee, nearest to the best of each. Grey: {', or '.join(grey)}.{third} "
        f"Click a dot, or press Enter on it, for its details.</p><div class=pair>{''.join(figures)}</div>{rest}"
    )


def _goals(study: StudyFiles) -> list[str]:
    return study.objectives or ["energy_pj", "time_s"]


def _best_of(part: pd.DataFrame, name: str) -> Any:
    """Label of the row that is best in an objective."""
    values = part[name].astype(float)
    return values.idxmax() if name in chart_data.MORE_IS_BETTER else values.idxmin()


def _best(study: StudyFiles, frame: pd.DataFrame) -> str:
    """The best point per network and objective, with a button to its details."""
    rows = []
    free = [name for name in chart_data.settings(study.frame) if name != "network"]
    for network, part in frame[frame.allowed].groupby("network", sort=False):
        for name in _goals(study):
            if part[name].isna().all():
                continue
            row = part.loc[_best_of(part, name)]
            at = ", ".join(f"{key} = {charts.text_of(row[key])}" for key in free) or "the only setting"
            rows.append(
                f"<tr><td>{escape(str(network))}</td><td>{escape(charts.title_of(name))}</td><td class=n>"
                f"{study_svg.said(float(row[name]), name)}</td><td class=at>{escape(at)}</td>"
                f'<td><button type=button class=open data-p="{row["row"]}">{row["point"][:8]}</button></td></tr>'
            )
    return (
        "<div class=wide><table><thead><tr><th scope=col>network</th><th scope=col>objective</th>"
        "<th scope=col class=n>best</th><th scope=col>at</th><th scope=col>point</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _figures(study: StudyFiles) -> list[dict[str, Any]]:
    """Figures in the table and the tips: name, heading, unit, how much one of the unit is, decimals."""
    found = []
    for name in dict.fromkeys([*_goals(study), "energy_pj", "time_s", "cycles", "utilization", "dram_read_bytes"]):
        if name not in study.frame or not pd.api.types.is_numeric_dtype(study.frame[name]):
            continue
        column = study.frame[name]
        middle = float(column.abs().median())
        unit, size = study_svg.prefix_of(name, middle)
        if name == "utilization":
            unit, size = "%", 0.01
        whole = size == 1 and (column.dropna() % 1 == 0).all()
        digits = 0 if whole or not middle > 0 else min(6, max(0, 3 - math.floor(math.log10(middle / size))))
        heading = charts.title_of(name).removesuffix(" bytes")
        found.append({"name": name, "heading": heading, "unit": unit, "size": size, "digits": digits})
    return found


def _shown(study: StudyFiles) -> list[str]:
    """Settings that differ, as columns of the table."""
    return chart_data.settings(study.frame)


def _table(study: StudyFiles, frame: pd.DataFrame) -> str:
    settings = [(name, pd.api.types.is_numeric_dtype(frame[name])) for name in _shown(study)]
    figures = [(f"{each['heading']} {each['unit']}".strip(), True) for each in _figures(study)]
    head = html.heads([("point", False), ("front", False), *settings, *figures])
    states = ("front", "dominated", *(() if study.frame.allowed.all() else ("not allowed",)))
    tools = html.tools("Any field contains", "Front", states, "points", ("", 1))
    return (
        f"<p class=soft>A point's name opens its details.</p>{tools}{html.sorting('table', head, '')}"
        "<noscript><p class=note>The table needs JavaScript; the whole of it is in "
        f"{study.results}.</p></noscript>"
    )


def _settings(study: StudyFiles) -> str:
    """One setting at a time, of each network alone, for the first two objectives."""
    found = []
    for at, network in enumerate(study.frame.network.unique()[:MOST_FIGURES]):
        part = study.frame[study.frame.network == network].reset_index(drop=True)
        part.attrs["settings"] = study.settings
        for name in _goals(study)[:2]:
            try:
                table = chart_data.tornado(part, name, None)
            except InputError:
                continue
            label = f"{charts.title_of(name)} of {network}, one setting at a time"
            drawn = study_svg.tornado(table, name, f"tornado-{at}-{name}", label)
            found.append(f"<figure><h3>{escape(label)}</h3>{drawn}</figure>")
    if not found:
        return ""
    return (
        "<p class=soft>From a base point near the middle (its values in brackets, the line), over points that differ "
        f"from it in that setting alone: the least (blue) and the most (orange).</p>"
        f"<div class=pair>{''.join(found)}</div>"
    )


def _failed(study: StudyFiles) -> str:
    if not study.failed:
        return ""
    rows = "".join(
        f"<tr><td>{escape(settings)}</td><td>{escape(reason)}</td></tr>"
        for settings, reason in study.failed[:MOST_FAILED]
    )
    more = len(study.failed) - MOST_FAILED
    note = f"<p class=note>{more:,} more are in failed/ beside this page.</p>" if more > 0 else ""
    return (
        "<div class=wide><table><thead><tr><th scope=col>settings</th><th scope=col>reason</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{note}"
    )


def _config(study: StudyFiles) -> str:
    facts = (
        ("results", study.results), ("simulator's sources, sha256", study.source),
        ("page made by", f"accel-sim {__version__}"),
    )  # fmt: skip
    rows = "".join(f"<tr><th scope=row>{name}</th><td class=hash>{escape(value)}</td></tr>" for name, value in facts)
    return (
        f"<div class=wide><table>{rows}</table></div><p class=soft>The name of a point is the sha256 of all that "
        "determines it; points/NAME.json holds its whole machine and its figures. Floating-point figures have seven "
        f"digits in this page, all of them in {study.results}.</p><details open><summary>study.yaml, as it was run"
        f"</summary><pre tabindex=0>{escape(study.text)}</pre></details>"
    )


def _data(study: StudyFiles, frame: pd.DataFrame) -> dict[str, Any]:
    """What the page's script works on."""
    return {
        "count": len(frame), "columns": _columns(frame), "settings": _shown(study), "figures": _figures(study),
        "numeric": [name for name in _shown(study) if pd.api.types.is_numeric_dtype(frame[name])],
        "front": np.flatnonzero(frame.front).tolist(), "knee": np.flatnonzero(frame.knee).tolist(),
        "barred": np.flatnonzero(~frame.allowed).tolist(),
        "rerun": rerun(study.study, study.settings),
    }  # fmt: skip


def _columns(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """name and values; of a column that is the same in all points, its value once (all)."""
    found = []
    for name in frame.columns.drop(["front", "knee", "allowed", "row"], errors="ignore"):
        exact = name in frame.attrs["settings"]
        values = [_plain(value, exact) for value in frame[name].tolist()]
        same = all(value == values[0] for value in values)
        found.append({"name": name} | ({"all": values[0]} if same else {"values": values}))
    return found


def _plain(value: Any, exact: bool) -> Any:
    """A value of JSON: seven digits of a figure that is no whole number, all of a setting."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 1e15 else value if exact else float(f"{value:.7g}")
    return value if value is None or isinstance(value, bool | int | str) else str(value)
