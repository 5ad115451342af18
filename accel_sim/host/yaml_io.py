"""YAML files, read as workloads.yaml_text does, and written; units in strings are checked against field names."""

import re
from pathlib import Path
from typing import Any

import yaml

from workloads.registry import InputError
from workloads.yaml_text import parse, scalars

try:
    from yaml import CSafeDumper as _DumperBase
except ImportError:  # PyYAML without its C library
    from yaml import SafeDumper as _DumperBase

#: field suffix -> unit -> factor to the field's own unit
UNITS = {
    "kib": {"B": 1 / 1024, "KiB": 1, "MiB": 1024, "GiB": 1 << 20},
    "mhz": {"kHz": 1e-3, "MHz": 1, "GHz": 1e3},
    "mw": {"uW": 1e-3, "mW": 1, "W": 1e3},
    "pj": {"fJ": 1e-3, "pJ": 1, "nJ": 1e3},
}
_QUANTITY = re.compile(r"^\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z/]+)\s*$")


class _Dumper(_DumperBase):
    """Quotes what YAML 1.1 or 1.2 would take for no string; writes no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


scalars(_Dumper)


def read(path: Path, what: str = "hardware description") -> Any:
    """A YAML file; InputError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise InputError(f"{path}: cannot read {what}: {reason}") from None
    return parse(text, str(path))


def dump(value: object) -> str:
    """Python values -> YAML text with keys in order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def quantity(name: str, value: object) -> object:
    """A string like '128 KiB' becomes a number in the unit that the field name ends in; InputError for a wrong unit."""
    parts = name.split("_")
    unit = next((part for part in reversed(parts) if part in UNITS), None)
    if not isinstance(value, str) or unit is None:
        return value
    match = _QUANTITY.match(value)
    if match is None or match[2] not in UNITS[unit]:
        raise InputError(f"{name}: '{value}' is no quantity in {' or '.join(UNITS[unit])}")
    return float(match[1]) * UNITS[unit][match[2]]
