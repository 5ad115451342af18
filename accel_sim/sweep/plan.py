"""Study -> its points in order. Every network is loaded and every machine built here, before the first point runs."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from accel_sim.machine.accelerator import Accelerator
from accel_sim.machine.config import KEYS, ConfigError, from_tree, read_hardware, to_tree
from accel_sim.machine.layer_precision import set_layer
from accel_sim.results.rundir import source_digest
from accel_sim.sweep import study as files
from accel_sim.sweep.study import NAMED, RUN, Entry, Study, StudyError
from accel_sim.sweep.task import Data, Task, digest, identity
from workloads.data_settings import KINDS, PLAIN, DataSettings
from workloads.layer import Layer
from workloads.layer_names import chosen
from workloads.profiles import warnings_of
from workloads.registry import InputError

#: path -> value
Settings = dict[str, object]
#: the same, of every axis
Combination = dict[str, object]
#: mistakes that are told of one study
MOST_ERRORS = 50


@dataclass(frozen=True, eq=False)
class Point:
    """values: column -> value (None for an axis that does not apply); several points may share a task."""

    values: dict[str, object]
    task: Task


def unheard(warning: str) -> None:
    """Nobody listens."""


def read(path: Path, warn: Callable[[str], None] = unheard) -> tuple[Study, list[Point | None]]:
    """(a study's file, its ``space``); StudyError with what is wrong in the file and at its points, InputError if it
    cannot be read."""
    try:
        found = files.read(path)
    except StudyError as error:
        raise StudyError([*error.lines, *_lines_of(error.rest)]) from None
    return found, space(found, warn)


def _lines_of(rest: Study | None) -> list[str]:
    try:
        if rest is not None:
            space(rest)
    except StudyError as error:
        return error.lines
    return []


def distinct(points: list[Point | None]) -> list[Point]:
    """Each point once, in order."""
    return list(dict.fromkeys(point for point in points if point is not None))


def space(study: Study, warn: Callable[[str], None] = unheard) -> list[Point | None]:
    """The point of each combination in order, None where a condition excludes it; StudyError with a line for each
    different mistake. warn: is told what importers of the networks had to assume, each once."""
    planner = _Planner(study)
    found = planner.points()
    for warning in planner.warnings:
        warn(warning)
    return found


class _Written(NamedTuple):
    """What was written of a machine (where, its tree, own settings), and its whole tree."""

    where: str
    given: object
    own: dict[str, Any]
    tree: dict[str, Any]


class _Planner:
    def __init__(self, study: Study) -> None:
        self.study, self.source = study, source_digest()
        self.warnings: dict[str, None] = {}
        #: mistake -> [first point, how many]
        self.errors: dict[str, tuple[str, int]] = {}
        self.machines: dict[str, _Written | InputError] = {}
        self.networks: dict[str, tuple[tuple[Layer, ...], str] | None] = {}
        self.built: dict[str, tuple[str, Accelerator] | None] = {}

    def points(self) -> list[Point | None]:
        found: list[Point | None] = []
        seen: dict[str, Point | None] = {}
        for combination in self.study.combinations():
            self.here = ", ".join(f"{path}={_label(value)}" for path, value in combination.items())
            machine = self._machine(combination)
            if self._tried(self._hardware, machine) is None:  # no expression can be worked out
                self._task(combination, {})
                continue
            try:
                values, settings = self._values(combination)
                mark = json.dumps(values, sort_keys=True, default=str)
                if mark not in seen:
                    seen[mark] = None
                    task = self._task(combination, settings) if self._holds(values, machine) else None
                    seen[mark] = None if task is None else Point(values, task)
                found.append(seen[mark])
            except InputError as error:
                self._wrong(str(error))
                self._task(combination, _settings(combination))
        if not any(found) and not self.errors:
            self._wrong("where: holds at no point")
        if self.errors:
            raise StudyError(self._lines())
        return found

    def _wrong(self, text: str) -> None:
        first, count = self.errors.get(text, (self.here, 0))
        self.errors[text] = first, count + 1

    def _lines(self) -> list[str]:
        lines = []
        for text, (where, count) in list(self.errors.items())[:MOST_ERRORS]:
            lines.append(f"{text} (at {where}{f' and {count - 1} more points' if count > 1 else ''})")
        more = len(self.errors) - MOST_ERRORS
        return lines + ([f"and {more} more mistakes"] if more > 0 else [])

    def _machine(self, combination: Combination) -> Entry:
        return self.study.machines[str(combination["hardware"])]

    def _values(self, combination: Combination) -> tuple[Settings, Settings]:
        """(columns, path -> value that is set) of a combination."""
        labels = {path: _label(value) for path, value in combination.items()}
        machine, study = self._machine(combination), self.study
        lookup = self._lookup(labels, machine)
        off = {path for path, condition in study.when.items() if not condition.value(lookup)}
        values = {path: None if path in off else labels.get(path) for path in study.columns}
        settings = {path: value for path, value in _settings(combination).items() if path not in off}
        for path, expression in study.derived.items():
            values[path] = expression.value(self._lookup(values, machine))
            if "." in path or path in RUN or path in KEYS:
                settings[path] = values[path]
        return values, settings

    def _holds(self, values: Settings, entry: Entry) -> bool:
        return all(condition.value(self._lookup(values, entry)) for condition in self.study.where)

    def _lookup(self, values: Settings, entry: Entry) -> Callable[[str], Any]:
        """A point's value by name; else the machine's own."""

        def lookup(name: str) -> Any:
            if values.get(name) is not None:
                return values[name]
            tree: Any = self._hardware(entry).tree
            for step in name.split("."):
                if isinstance(tree, list):
                    tree = {level["level"]: level for level in tree}
                if not isinstance(tree, dict) or step not in tree:
                    if name in values:
                        return None
                    raise InputError(f"no axis, derived value or field of '{entry.label}' is called {name}")
                tree = tree[step]
            return tree

        return lookup

    def _hardware(self, entry: Entry) -> "_Written":
        """A machine before its axes are set."""
        if entry.label not in self.machines:
            try:
                where, tree, own = read_hardware(entry.name)
                own = own | entry.section("set")
                whole = to_tree(from_tree(deepcopy(tree), where, own))
                self.machines[entry.label] = _Written(where, tree, own, whole)
            except InputError as error:
                self.machines[entry.label] = error
        found = self.machines[entry.label]
        if isinstance(found, InputError):
            raise found
        return found

    def _tried(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """What a step gives; None if it refuses, which is noted."""
        try:
            return step(*arguments)
        except ConfigError as error:
            for line in error.errors:
                self._wrong(f"hardware {error.where}: {line}")
        except InputError as error:
            self._wrong(str(error))
        return None

    def _task(self, combination: Combination, settings: Settings) -> Task | None:
        entry = self.study.networks[str(combination["network"])]
        run = {key: entry.given.get(key) for key in RUN[1:]}
        named = {key: entry.section(key) for key in NAMED}
        fields: Settings = {}
        for path, value in settings.items():
            first, _, rest = path.partition(".")
            if first in RUN:
                run[first] = value
            elif first == "precision" and rest.startswith("layers."):
                set_layer(named["precision"], rest.removeprefix("layers."), value)
            elif first in NAMED:
                named[first][rest] = value
            else:
                fields[path] = value
        seed, glob = run.pop("seed") or 0, run.pop("layers") or "*"
        found = self._tried(self._data, {"network": entry.name} | run | named, seed, glob)
        hardware = self._tried(self._built, self._machine(combination), fields)
        if found is None or hardware is None:
            return None
        (data, shapes), (tree, machine) = found, hardware
        if self._tried(machine.mapping.given, shapes) is None:
            return None
        files = dict(machine.energy.files)
        key = digest(data.key, data.seed, glob, tree, files, self.source)
        return Task(key, data, tree, str(glob), self.source)

    def _data(self, settings: dict[str, Any], seed: Any, layers: Any) -> tuple[Data, tuple[Layer, ...]] | None:
        """What a point computes on, and the network's layers; None if it was refused before."""

        said = [(key, settings[key], KINDS[key]) for key in PLAIN if settings[key] is not None]
        said += [("layers", layers, str), ("seed", seed, int)]
        said += [(key, size, int) for key, size in settings["dims"].items()]
        for key, value, kind in said:
            if type(value) is not kind:
                raise InputError(f"{key}: expected {'text' if kind is str else 'a whole number'}, not {value!r}")
        if seed < 0:
            raise InputError(f"seed={seed} must not be negative")
        asked = DataSettings.of(settings)
        text = json.dumps({"network": settings["network"]} | asked.tree())
        if text not in self.networks:
            self.networks[text] = None
            network = asked.load(settings["network"])
            self.warnings |= dict.fromkeys(warnings_of(network))
            self.networks[text] = network.layers, digest(identity(network), settings["precision"])
        known = self.networks[text]
        if known is None:
            return None  # said already
        chosen(layers, [layer.name for layer in known[0]], f"network '{settings['network']}'")
        return Data(known[1], text, seed), known[0]

    def _built(self, entry: Entry, fields: Settings) -> tuple[str, Accelerator] | None:
        """JSON of the machine's whole tree, and the machine; None if it was refused before."""
        machine = self._hardware(entry)
        mark = json.dumps([entry.label, fields], sort_keys=True, default=str)
        if mark not in self.built:
            self.built[mark] = None
            built = from_tree(deepcopy(machine.given), machine.where, machine.own | fields)
            self.built[mark] = json.dumps(to_tree(built)), built
        return self.built[mark]


def _settings(combination: Combination) -> Settings:
    return {path: value for path, value in combination.items() if path not in ("network", "hardware")}


def _label(value: object) -> object:
    return value["label"] if isinstance(value, dict) and "label" in value else value
