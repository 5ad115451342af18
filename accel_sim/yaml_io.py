"""YAML as people mean it: 1.2 numbers and booleans, no duplicate keys, units in strings checked against field names."""

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from workloads.registry import InputError

_Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DumperBase = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
#: field suffix -> unit -> factor to the field's own unit
UNITS = {
    "kib": {"B": 1 / 1024, "KiB": 1, "MiB": 1024, "GiB": 1 << 20},
    "mhz": {"kHz": 1e-3, "MHz": 1, "GHz": 1e3},
    "mw": {"uW": 1e-3, "mW": 1, "W": 1e3},
    "pj": {"fJ": 1e-3, "pJ": 1, "nJ": 1e3},
}
_QUANTITY = re.compile(r"^\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z/]+)\s*$")


class _Loader(_Base):
    """CSafeLoader with YAML 1.2 scalars."""

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Nothing: YAML 1.2 has no merge keys, and merges of merges grow without bound."""


class _Dumper(_DumperBase):
    """Quotes what YAML 1.1 or 1.2 would take for no string; writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _scalars(loader: type) -> None:
    for tag, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("int", r"^[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$", "-+0123456789"),
        ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
        ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ):
        starts = list(first) + [""] * (tag == "null")
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), starts)


_scalars(_Loader)
_scalars(_Dumper)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be a name", problem_mark=key.start_mark)
        if key.value in seen:
            raise yaml.MarkedYAMLError(problem=f"key '{key.value}' is given twice", problem_mark=key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse(text: str, where: str) -> Any:
    """YAML text -> Python values; InputError in one line (file, line, what) if it is broken."""
    try:
        return yaml.load(text, Loader=_Loader)
    except (LookupError, AttributeError):  # PyYAML's own constructors, of '!!bool maybe' and the like
        raise InputError(f"{where}: broken YAML: a value does not fit its tag") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{where}{line}: broken YAML: {problem}") from None


def read(path: Path, what: str = "hardware description") -> Any:
    """A YAML file; InputError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise InputError(f"{path}: cannot read {what}: {reason}") from None
    return parse(text, str(path))


def dump(value: Any) -> str:
    """Python values -> YAML text with keys in order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def quantity(name: str, value: Any) -> Any:
    """A string like '128 KiB' becomes a number in the unit that the field name ends in; InputError for a wrong unit."""
    parts = name.split("_")
    unit = next((part for part in reversed(parts) if part in UNITS), None)
    if not isinstance(value, str) or unit is None:
        return value
    match = _QUANTITY.match(value)
    if match is None or match[2] not in UNITS[unit]:
        raise InputError(f"{name}: '{value}' is no quantity in {' or '.join(UNITS[unit])}")
    return float(match[1]) * UNITS[unit][match[2]]
