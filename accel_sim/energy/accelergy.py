"""Reads energy and area reference tables (ERT, ART) in Accelergy's form.

The form was read in Accelergy's own sources and example files (0.2 to 0.4); its energies are pJ, its areas um2.
"""

import difflib
import hashlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from accel_sim.host import yaml_io
from workloads.registry import InputError

#: the version that is written, and those that are read; before 0.3 tables were a mapping, since then they are a list
VERSION, VERSIONS = "0.4", ("0.2", "0.3", "0.4")
#: Accelergy's static power of a component, an action that is counted in cycles; and what it is called here
LEAK, STATIC = "leak", ("leakage", "background")
#: the argument that holds the bits of an access
WIDTH = "width"

#: larger files are refused before they are read, more entries before they are looked at one by one
MOST_BYTES, MOST_ENTRIES = 4 << 20, 50_000
MOST_ARGUMENTS, MOST_LETTERS, MOST_BITS = 100, 200, (1 << 32) - 1
#: no action takes more (1 J), no component is larger (1 m2)
MOST_PJ, MOST_UM2 = 1e12, 1e12
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Entry:
    """One line of an ERT. table: the component's name as written; arguments: sorted (name, value) pairs."""

    table: str
    action: str
    arguments: tuple[tuple[str, str | int | float | None], ...]
    energy_pj: float

    @property
    def width(self) -> int | None:
        """Bits of the action, or None if the table does not say."""
        width = dict(self.arguments).get(WIDTH)
        return width if isinstance(width, int) else None

    def __str__(self) -> str:
        return f"{self.table} {self.action}({', '.join(f'{name}={value}' for name, value in self.arguments)})"


@dataclass(frozen=True)
class Ert:
    """path: as given; sha256: of its bytes; entries: in the order of the file."""

    path: str
    sha256: str
    entries: tuple[Entry, ...]

    @staticmethod
    def read(path: Path) -> "Ert":
        """Raises InputError (file, place, what was expected) for anything that is no ERT of VERSIONS."""
        tables, digest = _read(path, "ERT")
        entries: dict[tuple, Entry] = {}
        for place, table, action, given in _actions(tables, path):
            if not isinstance(action, str) or not 0 < len(action) <= MOST_LETTERS:
                raise _wrong(path, f"{place}.name", "the name of an action", action)
            arguments = _arguments(given.get("arguments"), path, f"{place}.arguments")
            energy = _number(given, "energy", MOST_PJ, "pJ", path, place)
            key = table, action, repr(arguments)
            if key in entries:
                raise InputError(f"{path}: {place}: {entries[key]} is given twice")
            entries[key] = Entry(table, action, arguments, energy)
            if len(entries) > MOST_ENTRIES:
                raise InputError(f"{path}: ERT.tables: more than {MOST_ENTRIES} entries")
        return Ert(str(path), digest, tuple(entries.values()))

    @cached_property
    def components(self) -> dict[str, dict[str, dict[str, list[Entry]]]]:
        """base name -> tables that end in it -> action -> entries."""
        found: dict[str, dict[str, dict[str, list[Entry]]]] = {}
        for entry in self.entries:
            tables = found.setdefault(base_name(entry.table), {})
            tables.setdefault(entry.table, {}).setdefault(entry.action, []).append(entry)
        return found

    def names(self, component: str, action: str) -> bool:
        """Whether a table of the component has such an action."""
        return any(action in actions for actions in self.components.get(component, {}).values())

    def price(self, component: str, action: str, bits: int) -> tuple[float, str]:
        """(pJ, source) of an action of ``bits`` (0 = it has no width): see ``find``."""
        entry = self.find(component, action, bits)
        any_width = f", taken for {bits} bits" if bits and entry.width is None else ""
        return entry.energy_pj, f"ERT {Path(self.path).name}: {entry}{any_width}"

    def find(self, component: str, action: str, bits: int) -> Entry:
        """The entry whose ``width`` is ``bits``; else the first that has no width; for bits = 0 else the first.

        Tables are matched by the last part of their name, without index ranges. Actions that count cycles of static
        power are ``leak``, if they have no entry under their own name. Raises InputError with the nearest right name.
        """
        where = f"{self.path}: no energy for action '{action}' of component '{component}'"
        where += f" ({bits} bits)" if bits else ""
        if component not in self.components:
            raise InputError(f"{where}: no table is named '{component}'{_near(component, list(self.components))}")
        (table, actions), *more = self.components[component].items()
        if more:
            raise InputError(f"{where}: both '{table}' and '{more[0][0]}' are tables of '{component}', expected one")
        name = LEAK if action in STATIC and action not in actions else action
        if name not in actions:
            hint = _near(name, list(actions))
            if action in STATIC:
                hint += "; 0 in energy.leakage_mw_per_mm2 and null in background_mw leaves it out"
            raise InputError(f"{where}: '{table}' has no action '{name}'{hint}")
        exact = [entry for entry in actions[name] if entry.width == bits]
        rest = [entry for entry in actions[name] if entry.width is None or not bits]
        rest.sort(key=lambda entry: entry.width is not None)
        if not exact and not rest:
            widths = sorted(entry.width for entry in actions[name] if entry.width is not None)
            nearest = min(widths, key=lambda width: abs(width - bits))
            known = f"the nearest is {nearest} (known: {_some(widths)})"
            raise InputError(f"{where}: '{table}' has no width {bits} of '{name}'; {known}")
        return (exact or rest)[0]


def read_art(path: Path) -> dict[str, float]:
    """component (the last part of its name, without index ranges) -> um2 of one instance.

    Raises InputError for anything that is no ART of VERSIONS, or if two tables end in the same name.
    """
    tables, _ = _read(path, "ART")
    areas: dict[str, float] = {}
    for i, table in enumerate(_list(tables, path, "ART.tables")):
        place = f"ART.tables[{i}]"
        component = base_name(_name(_mapping(table, path, place), path, place))
        if component in areas:
            raise InputError(f"{path}: {place}.name: component '{component}' is given twice")
        areas[component] = _number(table, "area", MOST_UM2, "um2", path, place)
    return areas


def base_name(name: str) -> str:
    """``system.chip.PE[0..63].mac[1..2]`` -> ``mac``."""
    return re.sub(r"\[[^\[\]]*\]", "", name).rpartition(".")[2]


def _read(path: Path, top: str) -> tuple[Any, str]:
    """(the ``tables`` of a file under its key ``top``, sha256 of the file)."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: cannot read {top}: is no file")
        if status.st_size > MOST_BYTES:
            raise InputError(f"{path}: cannot read {top}: {status.st_size} bytes, at most {MOST_BYTES}")
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or "is no UTF-8 text"
        raise InputError(f"{path}: cannot read {top}: {reason}") from None
    tree = yaml_io.parse(text, str(path))
    if not isinstance(tree, dict) or top not in tree:
        found = f", not {_some(list(tree))}" if isinstance(tree, dict) and tree else ""
        raise InputError(f"{path}: expected the top key '{top}'{found}")
    section = _mapping(tree[top], path, top)
    for key in ("version", "tables"):
        if key not in section:
            raise InputError(f"{path}: {top}.{key}: is missing{_near(key, list(section))}")
    version = section["version"]
    if isinstance(version, bool) or str(version) not in VERSIONS:
        raise _wrong(path, f"{top}.version", f"one of {', '.join(VERSIONS)}", version)
    if isinstance(section["tables"], dict) and not (str(version) == VERSIONS[0] and top == "ERT"):
        raise _wrong(path, f"{top}.tables", f"a list, as in version {version}", section["tables"])
    return section["tables"], hashlib.sha256(data).hexdigest()


def _actions(tables: Any, path: Path) -> Iterator[tuple[str, str, Any, dict]]:
    """(place in the file, table, action, mapping with energy and arguments) of each entry, of either form."""
    if isinstance(tables, dict):  # 0.2: component -> action -> one entry or a list of them
        for table, actions in tables.items():
            place = f"ERT.tables.{table}"
            if not _names(table):
                raise _wrong(path, "ERT.tables", "names of components", table)
            for action, given in _mapping(actions, path, place).items():
                several = isinstance(given, list)
                for i, each in enumerate(given if several else [given]):
                    inner = f"{place}.{action}" + (f"[{i}]" if several else "")
                    yield inner, table, action, _mapping(each, path, inner)
        return
    names: set[str] = set()
    for i, given in enumerate(_list(tables, path, "ERT.tables")):
        place = f"ERT.tables[{i}]"
        table = _name(_mapping(given, path, place), path, place)
        if table in names:
            raise InputError(f"{path}: {place}.name: table '{table}' is given twice")
        names.add(table)
        if "actions" not in given:
            raise InputError(f"{path}: {place}.actions: is missing{_near('actions', list(given))}")
        for j, each in enumerate(_list(given["actions"], path, f"{place}.actions")):
            inner = f"{place}.actions[{j}]"
            if "name" not in _mapping(each, path, inner):
                raise InputError(f"{path}: {inner}.name: is missing{_near('name', list(each))}")
            yield inner, table, each["name"], each


def _arguments(value: Any, path: Path, place: str) -> tuple[tuple[str, str | int | float | None], ...]:
    given = {} if value is None else _mapping(value, path, place)
    if len(given) > MOST_ARGUMENTS:
        raise InputError(f"{path}: {place}: {len(given)} arguments, at most {MOST_ARGUMENTS}")
    for name, each in given.items():
        if not isinstance(name, str) or not isinstance(each, str | int | float | None):
            raise _wrong(path, place, "names and plain values", {name: each})
    width = given.get(WIDTH, 1)
    if isinstance(width, bool) or not isinstance(width, int) or not 0 < width <= MOST_BITS:
        raise _wrong(path, f"{place}.{WIDTH}", "a whole number of bits", width)
    return tuple(sorted(given.items()))


def _number(given: dict, key: str, most: float, unit: str, path: Path, place: str) -> float:
    if key not in given:
        raise InputError(f"{path}: {place}.{key}: is missing{_near(key, list(given))}")
    value = given[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise _wrong(path, f"{place}.{key}", f"a number of {unit} from 0 to {most:g}", value)
    return float(value)


def _name(given: dict, path: Path, place: str) -> str:
    if "name" not in given:
        raise InputError(f"{path}: {place}.name: is missing{_near('name', list(given))}")
    if not _names(given["name"]):
        raise _wrong(path, f"{place}.name", "the name of a component", given["name"])
    return given["name"]


def _names(value: Any) -> bool:
    """Whether a value can be a component's name."""
    return isinstance(value, str) and len(value) <= MOST_LETTERS and bool(base_name(value))


def _mapping(value: Any, path: Path, place: str) -> dict:
    if not isinstance(value, dict):
        raise _wrong(path, place, "a mapping", value)
    return value


def _list(value: Any, path: Path, place: str) -> list:
    if not isinstance(value, list):
        raise _wrong(path, place, "a list", value)
    return value


def _wrong(path: Path, place: str, expected: str, value: Any) -> InputError:
    given = f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)[:60]
    return InputError(f"{path}: {place}: expected {expected}, not {given}")


def _near(name: str, known: list) -> str:
    """What else there is: the nearest name, and a few of all."""
    names = [str(each) for each in known if each is not None]
    close = difflib.get_close_matches(name, names[:2000], n=1, cutoff=0.6)
    return (f"; did you mean '{close[0]}'?" if close else "") + (f" (known: {_some(names)})" if names else "")


def _some(values: list) -> str:
    return ", ".join(str(value)[:60] for value in values[:12]) + (", ..." if len(values) > 12 else "")
