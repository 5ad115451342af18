"""A study's directory, read back and checked: what its report is made of."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim.machine import config
from accel_sim.sweep import chart_data, charts, results, study
from accel_sim.sweep.store import Store
from accel_sim.sweep.study import RUN, Study
from workloads.registry import InputError


@dataclass(frozen=True, eq=False)
class StudyFiles:
    """study, text: its file, read and verbatim; frame: one row a point (see results.read), with front, knee, allowed;
    objectives: what the front weighs, [] if fewer than two figures differ; failed: (settings, reason) of each;
    results: name of the file the points are from; searched: whether a search chose them; source: sha256 of the
    simulator's sources they were made with."""

    study: Study
    text: str
    frame: pd.DataFrame
    objectives: list[str]
    failed: list[tuple[str, str]]
    results: str
    searched: bool
    source: str

    @property
    def settings(self) -> list[str]:
        """The study's own columns: network, hardware, axes and derived values."""
        return self.frame.attrs["settings"]


def read(folder: Path) -> StudyFiles:
    """InputError (one line) unless ``folder`` holds a study's results with at least one point."""
    frame = results.read(folder)
    path = next(folder / name for name in results.FILES if (folder / name).exists())
    kept, searched = Store(folder), (folder / "search.journal").exists()
    asked = study.read(folder / "study.yaml")
    if frame.empty:
        raise InputError(f"{folder}: has no finished point to report ({len(kept.failed)} failed, see failed/)")
    for name in ("point", *frame.attrs["settings"], "cycles", "energy_pj", "time_s"):
        if name not in frame:
            raise InputError(f"{path}: is no table of a study's points (it has no column '{name}')")
    for name in ("cycles", "energy_pj", "time_s"):
        if not pd.api.types.is_numeric_dtype(frame[name]) or frame[name].isna().any():
            raise InputError(f"{path}: is no table of a study's points (column '{name}' has fields without a number)")
    for name in ("point", "network"):
        frame[name] = frame[name].astype(str)
    frame, names = _front(frame, asked, searched)
    source = _point(folder / "points" / f"{frame.point.iloc[0]}.json").get("source_sha256", "not known")
    failed = [_failed(folder / "failed" / f"{key}.json", asked) for key in sorted(kept.failed)]
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    return StudyFiles(asked, text, frame, names, failed, path.name, searched, str(source))


def _front(frame: pd.DataFrame, asked: Study, searched: bool) -> tuple[pd.DataFrame, list[str]]:
    """The frame with columns front, knee, allowed; of a search, by its own goal over points its constraints allow."""
    settings, allowed = frame.attrs["settings"], frame
    try:
        names = chart_data.objectives(frame, list(asked.goal.objectives) if searched else [])
        for condition in asked.goal.constraints if searched else ():
            allowed = allowed[charts.holds(allowed, condition)]
        allowed.attrs["settings"] = settings
        best = chart_data.front(allowed, names)[["front", "knee"]].reindex(frame.index, fill_value=False)
    except InputError:
        names, best = [], {"front": False, "knee": False}
    frame = frame.assign(**best, allowed=frame.index.isin(allowed.index))
    frame.attrs["settings"] = settings
    return frame, names


def _point(path: Path) -> dict[str, Any]:
    """The tree of a point's file; {} where there is none any more."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no whole point ({str(error).splitlines()[0]})") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path}: is no whole point (it is no mapping)")
    return tree


def _failed(path: Path, asked: Study) -> tuple[str, str]:
    """What was asked of a point, along the study's axes, and why it failed."""
    tree = _point(path)
    run, machine = tree.get("run") or {}, tree.get("hardware") or {}
    found = [str(run.get("network")), str(machine.get("name"))]
    for name in asked.columns[2:]:
        value = _field(run, name) if name.split(".")[0] in (*RUN, *study.NAMED) else _field(machine, name)
        if value is not None:
            found.append(f"{name}={value}")
    return ", ".join(found), str(tree.get("reason", "not known"))


def _field(tree: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(tree, list):
            tree = {level.get("level"): level for level in tree if isinstance(level, dict)}
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def rerun(asked: Study, names: list[str]) -> dict[str, Any]:
    """What `accel-sim run` takes for a point: network and hardware: label -> [name, options]; set: column -> what
    stands before its value ('': it has no option)."""
    options: dict[str, str] = {}
    for name in names:
        first, _, rest = name.partition(".")
        if name in ("network", "hardware") or (name in asked.derived and name not in (*RUN, *config.KEYS) and not rest):
            continue
        if first == "dims":
            options[name] = f"--dim {rest}="
        elif name.startswith("precision.layers."):
            options[name] = ""  # has no option: stands in a study or a recipe alone
        elif first == "precision":
            options[name] = f"--precision {rest}="
        else:
            options[name] = f"--{name} " if name in RUN else f"--set {name}="
    kinds = {"network": asked.networks, "hardware": asked.machines}
    return {
        kind: {label: [shlex.quote(entry.name), " ".join(_options(entry.given))] for label, entry in entries.items()}
        for kind, entries in kinds.items()
    } | {"set": options}


def _options(given: dict[str, object]) -> Iterator[str]:
    """Those of an entry's own settings."""
    for key, value in given.items():
        if isinstance(value, dict):
            flag = {"dims": "dim"}.get(key, key)
            for name, each in value.items():
                yield f"--{flag} {shlex.quote(f'{name}={each if isinstance(each, str) else json.dumps(each)}')}"
        else:
            yield f"--{key} {shlex.quote(str(value))}"
