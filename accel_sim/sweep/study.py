"""A study's YAML, read and checked: which networks on which machines, along which axes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path

from accel_sim.host import yaml_io
from accel_sim.machine import config
from accel_sim.sweep import axes
from accel_sim.sweep.expression import Expression
from workloads.data_settings import NAMED, PLAIN
from workloads.registry import InputError, unknown

KEYS = ("name", "description", "network", "hardware", "axes", "zip", "when", "where", "derived", "search")
#: first steps of an axis that belongs to the run, not to the machine; the last three are followed by a name
RUN = ("network", *PLAIN, "layers", "seed")
#: what an entry of ``network`` and ``hardware`` may hold beside its name
ENTRY = {"network": (*RUN[1:], *NAMED), "hardware": ("set",)}
MOST_COMBINATIONS = 1_000_000


class StudyError(InputError):
    """Everything that is wrong with a study; lines: one for each mistake, with its path; rest: the study without what
    is wrong in its file, if points can be made of that (they may tell more)."""

    def __init__(self, lines: list[str], rest: "Study | None" = None) -> None:
        super().__init__("; ".join(lines))
        self.rest = rest
        self.lines = [str(InputError(line)) for line in lines]


#: what every point has
NEEDED = ("network", "hardware")


@dataclass(frozen=True)
class Goal:
    """What a search looks for: objectives (columns of figures), and constraints over a point's figures and settings."""

    objectives: tuple[str, ...] = ("energy_pj", "time_s")
    constraints: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One of ``network`` or ``hardware``: a name or a file, what it is called in results, and ``given``: its own
    settings (ENTRY)."""

    name: str
    label: str
    given: dict[str, object]

    def section(self, key: str) -> dict[str, object]:
        """A copy of those that have names of their own: ``set``, or one of NAMED."""
        found = self.given.get(key, {})
        return dict(found) if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Study:
    """axes: path -> values, the outermost first; network and hardware are axes too, their values the labels of entries.

    networks, machines: label -> entry. groups: paths of axes that move together. when: axis -> condition under which it
    is set at all. where: conditions of every point. derived: path -> expression, in order.
    """

    name: str
    axes: dict[str, list[object]]
    networks: dict[str, Entry]
    machines: dict[str, Entry]
    groups: tuple[tuple[str, ...], ...]
    when: dict[str, Expression] = field(default_factory=dict)
    where: tuple[Expression, ...] = ()
    derived: dict[str, Expression] = field(default_factory=dict)
    goal: Goal = field(default_factory=Goal)

    @property
    def columns(self) -> list[str]:
        """network, hardware, then the other axes and derived values in order."""
        return list(dict.fromkeys(["network", "hardware", *self.axes, *self.derived]))

    @property
    def folder(self) -> str:
        """Its name, as a folder may be called."""
        return re.sub(r"[^\w.-]+|\.\.+", "_", self.name)

    def combinations(self) -> Iterator[dict[str, object]]:
        """path -> value, for each combination of the groups' values."""
        for picks in product(*(range(len(self.axes[group[0]])) for group in self.groups)):
            chosen = {path: i for group, i in zip(self.groups, picks, strict=True) for path in group}
            yield {path: given[chosen[path]] for path, given in self.axes.items()}


def read(path: Path) -> Study:
    """A study's file; StudyError with all that is wrong in it, InputError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise InputError(f"{path}: cannot read study: {reason}") from None
    tree = yaml_io.parse(text, str(path))
    if not isinstance(tree, dict):
        raise InputError(f"{path}: expected a mapping of {', '.join(KEYS)}")
    return of(tree, path.stem)


def of(tree: dict[str, object], name: str) -> Study:
    """A parsed study -> Study; name: what it is called if it does not say."""
    errors = [str(unknown("key", str(key), list(KEYS))) for key in tree if key not in KEYS]
    found, networks, machines = _axes(tree, errors)
    groups = _groups(tree.get("zip") or [], found, errors)
    when = _expressions(tree.get("when") or {}, "when", errors)
    errors += [f"when.{path}: is no axis" for path in when if path not in found]
    derived = _expressions(tree.get("derived") or {}, "derived", errors)
    errors += [f"derived.{path}: is an axis already" for path in derived if path in found]
    derived = {
        path: expression
        for path, expression in derived.items()
        if "." not in path or _path(path, f"derived.{path}", errors)
    }
    conditions = tree.get("where") or []
    conditions = conditions if isinstance(conditions, list) else [conditions]
    where = _expressions({str(i): text for i, text in enumerate(conditions)}, "where", errors)
    if not isinstance(tree.get("name", name), str):
        errors.append(f"name: expected text, not {tree['name']!r}")
    goal = _goal(tree.get("search") or {}, errors)
    count = prod(len(found[group[0]]) for group in groups)
    if count > MOST_COMBINATIONS:
        errors.append(f"axes: {count} combinations, at most {MOST_COMBINATIONS}")
    made = Study(
        str(tree.get("name", name)), found, networks, machines, groups, when, tuple(where.values()), derived, goal
    )
    if errors:
        raise StudyError(errors, made if count <= MOST_COMBINATIONS and all(map(found.get, NEEDED)) else None)
    return made


def _axes(
    tree: dict[str, object], errors: list[str]
) -> tuple[dict[str, list[object]], dict[str, Entry], dict[str, Entry]]:
    """(axes, networks, machines) as of Study."""
    given = tree.get("axes") or {}
    if not isinstance(given, dict):
        errors.append("axes: expected a mapping of paths to values")
        given = {}
    found: dict[str, list[object]] = {}
    entries: dict[str, dict[str, Entry]] = {"network": {}, "hardware": {}}
    for kind in ("network", "hardware"):
        if kind in tree and kind in given:
            errors.append(f"axes.{kind}: is given above already")
        elif kind in tree:
            value = tree[kind]
            entries[kind] = _entries(kind, value if isinstance(value, list) else [value], kind, errors)
            found[kind] = [*entries[kind]]
        elif kind not in given:
            errors.append(f"{kind}: is missing")
    for path, value in given.items():
        if not _path(str(path), f"axes.{path}", errors):
            continue
        try:
            found[str(path)] = axes.values(value)
        except InputError as error:
            errors.append(f"axes.{path}: {error}")
            continue
        if path in ENTRY:
            entries[path] = _entries(path, found[path], f"axes.{path}", errors)
            found[path] = [*entries[path]]
    return found, entries["network"], entries["hardware"]


def _path(path: str, where: str, errors: list[str]) -> bool:
    """Whether an axis sets a key of the run, or a field of the machine (whose building will say if there is none)."""
    first, _, rest = path.partition(".")
    before = len(errors)
    if first in RUN or first == "hardware":
        if rest:
            errors.append(f"{where}: '{first}' has no fields")
    elif first in NAMED:
        if not rest:
            errors.append(f"{where}: expected a name behind it, as {first}.NAME")
    elif first not in config.KEYS:
        errors.append(f"{where}: {unknown('field', first, [*RUN, *NAMED, 'hardware', *config.KEYS])}")
    return len(errors) == before


def _entries(kind: str, given: list[object], where: str, errors: list[str]) -> dict[str, Entry]:
    """Names, or mappings with a name -> label -> entry."""
    found: dict[str, Entry] = {}
    for i, written in enumerate(given):
        place = f"{where}[{i}]"
        entry = dict(written) if isinstance(written, dict) else {"name": written}
        name = entry.pop("name", None)
        if not isinstance(name, str) or not name:
            errors.append(f"{place}: expected a name or a file, or a mapping with a name")
            continue
        for key in entry:
            if key not in ("label", *ENTRY[kind]):
                errors.append(f"{place}.{key}: {unknown('key', str(key), ['name', 'label', *ENTRY[kind]])}")
        wrong = [key for key in ("set", *NAMED) if not isinstance(entry.get(key, {}), dict)]
        errors += [f"{place}.{key}: expected a mapping, not {entry[key]!r}" for key in wrong]
        if wrong:
            continue
        label = entry.pop("label", name)
        if not isinstance(label, str) or label in found:
            errors.append(f"{place}.label: expected a text of its own, not {label!r} (give entries a label)")
            continue
        found[label] = Entry(name, label, entry)
    if not given:
        errors.append(f"{where}: has no values")
    return found


def _groups(given: object, found: dict[str, list[object]], errors: list[str]) -> tuple[tuple[str, ...], ...]:
    """Axes that move together, then every other on its own, in the order of the first of each."""
    lists = [given] if isinstance(given, list) and all(isinstance(each, str) for each in given) and given else given
    taken: dict[str, tuple[str, ...]] = {}
    if not isinstance(lists, list):
        errors.append(f"zip: expected lists of two axes or more, as [[array.rows, array.cols]], not {given!r:.80}")
        lists = []
    for number, group in enumerate(lists):
        if not isinstance(group, list) or len(group) < 2 or not all(isinstance(path, str) for path in group):
            errors.append(f"zip[{number}]: expected names of two axes or more, not {group!r:.80}")
            continue
        missing = [path for path in group if path not in found]
        if missing:
            errors.append(f"zip[{number}]: {unknown('axis', str(missing[0]), list(found))}")
            continue
        sizes = [len(found[path]) for path in group]
        if len(set(sizes)) > 1 or len(set(group)) < len(group) or taken.keys() & set(group):
            errors.append(f"zip[{number}]: expected different axes of one length, not {', '.join(map(str, sizes))}")
            continue
        taken |= dict.fromkeys(group, tuple(group))
    return tuple(dict.fromkeys(taken.get(path, (path,)) for path in found if found[path]))


def _goal(given: object, errors: list[str]) -> Goal:
    if not isinstance(given, dict) or set(given) - {"objectives", "constraints"}:
        errors.append("search: expected a mapping of objectives and constraints")
        return Goal()
    names = given.get("objectives", list(Goal.objectives))
    if not isinstance(names, list) or not 1 <= len(names) <= 4 or not all(isinstance(name, str) for name in names):
        errors.append(f"search.objectives: expected one to four columns of figures, not {names!r}")
        return Goal()
    texts = given.get("constraints") or []
    texts = texts if isinstance(texts, list) else [texts]
    found = _expressions({str(i): text for i, text in enumerate(texts)}, "search.constraints", errors)
    return Goal(tuple(names), tuple(found.values()))


def _expressions(given: object, where: str, errors: list[str]) -> dict[str, Expression]:
    if not isinstance(given, dict):
        errors.append(f"{where}: expected a mapping of paths to expressions")
        return {}
    found = {}
    for path, text in given.items():
        try:
            found[str(path)] = Expression(str(text) if isinstance(text, bool | int | float) else text)
        except InputError as error:
            errors.append(f"{where}.{path}: {error}")
    return found
