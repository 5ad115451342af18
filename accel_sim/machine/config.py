"""YAML <-> Accelerator, both ways. All mistakes of a file are reported at once, with their paths."""

import dataclasses
import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from accel_sim.dataflows.dataflow import dataflows
from accel_sim.dataflows.post import PostUnit
from accel_sim.energy.table import EnergyTable
from accel_sim.host import yaml_io
from accel_sim.interconnects.interconnect import interconnects
from accel_sim.machine.accelerator import Accelerator, Array
from accel_sim.macs.unit import macs
from accel_sim.mapping.mapper import MappingRules
from accel_sim.memories.memory import memories
from workloads.encoding import encodings
from workloads.registry import InputError, Registry, unknown

PRESETS = "accel_sim.machine.presets"
KEYS = (
    "name", "description", "clock_mhz", "array", "mac", "dataflow", "encodings", "memories", "post", "energy",
    "mapping",
)  # fmt: skip
#: sections that hold the fields of one fixed record
RECORDS = {"array": Array, "post": PostUnit, "energy": EnergyTable, "mapping": MappingRules}
#: sections that may be left out
OPTIONAL = ("mapping",)
#: sections that name a registered part
PARTS: dict[str, Registry] = {"mac": macs, "dataflow": dataflows}
ENCODED = ("weights",)
#: maps of activations in the outermost memory; plain where a machine does not say
ENCODED_MAPS = ("inputs", "outputs")
#: section -> what its parts are registered in
REGISTRIES: dict[str, Registry] = PARTS | {"encodings": encodings, "memories": memories}
#: fields of parts that hold a part of their own
NESTED = {"network": interconnects}
#: a layer's name may hold dots: what stands behind it is known
_OF_LAYER = re.compile(r"(mapping)\.(layers)\.(.+?)(?:\.(order|tiles)(?:\.(\w+))?)?")
#: no number of a machine is larger
LIMIT = 1 << 32


class ConfigError(InputError):
    """All that is wrong with the machine of ``where``; errors: one line each."""

    def __init__(self, where: str, errors: list[str]) -> None:
        super().__init__(f"{where}: {'; '.join(errors)}")
        self.where, self.errors = where, tuple(errors)


def presets() -> list[str]:
    """Names of the shipped machines."""
    files = resources.files(PRESETS).iterdir()
    return sorted(path.name.removesuffix(".yaml") for path in files if path.name.endswith(".yaml"))


def load_hardware(name: str | Path, settings: Mapping[str, object] | None = None) -> Accelerator:
    """A preset's name, a YAML file or a SCALE-Sim .cfg, with ``settings`` (dotted path -> value) put over it.

    Raises InputError for an unknown name, an unreadable or broken file, an unknown key or a value out of range.
    """
    where, tree, own = read_hardware(name)
    return from_tree(tree, where, own | dict(settings or {}))


def read_hardware(name: str | Path) -> tuple[str, Any, dict[str, Any]]:
    """(where, tree, settings) of a machine as it was written, for from_tree; InputError for what cannot be read."""
    if str(name) in presets():
        return f"preset '{name}'", _preset(str(name)), {}
    if Path(name).suffix == ".cfg":
        from accel_sim.machine.scalesim_cfg import read_cfg

        return str(name), _preset("systolic"), read_cfg(Path(name))
    if Path(name).suffix in (".yaml", ".yml") or Path(name).exists():
        return str(name), yaml_io.read(Path(name)), {}
    raise InputError(f"{unknown('hardware', str(name), presets())}; or give a .yaml or .cfg file")


def _preset(name: str) -> Any:
    text = resources.files(PRESETS).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return yaml_io.parse(text, f"preset '{name}'")


def from_tree(tree: Any, where: str, settings: Mapping[str, object] | None = None) -> Accelerator:
    """A parsed YAML mapping -> Accelerator; ``where`` names its source in errors."""
    if not isinstance(tree, dict):
        raise InputError(f"{where}: expected a mapping of {', '.join(KEYS)}")
    tree = deepcopy(tree) | {key: {} for key in OPTIONAL if key not in tree}
    for path, value in sorted((settings or {}).items(), key=lambda entry: not entry[0].endswith(".name")):
        _put(tree, path, value, where)
    errors: list[str] = []
    for key in tree:
        if key not in KEYS:
            errors.append(str(unknown("key", str(key), list(KEYS))))
    errors += [f"{key}: is missing" for key in KEYS if key not in tree]
    machine = None if errors else _build(tree, errors)
    if machine is None:
        raise ConfigError(where, errors)
    return machine


def _build(tree: dict, errors: list[str]) -> Accelerator | None:
    fields: dict[str, Any] = {key: tree[key] for key in ("name", "description")}
    errors += [
        f"{key}: expected text, not {text!r}" for key, text in fields.items() if not isinstance(text, str) or not text
    ]
    clock = fields["clock_mhz"] = _clock(tree["clock_mhz"], errors)
    for key, record in RECORDS.items():
        fields[key] = _record(record, tree[key], key, errors)
    for key, registry in PARTS.items():
        fields[key] = _part(registry, tree[key], key, errors, clock)
    coded = tree["encodings"] if isinstance(tree["encodings"], dict) else {}
    if not set(ENCODED) <= set(coded) <= {*ENCODED, *ENCODED_MAPS}:
        errors.append(
            f"encodings: expected a mapping with {', '.join(ENCODED)} "
            f"(and {' and '.join(ENCODED_MAPS)}, where maps lie encoded)"
        )
    present = [key for key in (*ENCODED, *ENCODED_MAPS) if key in coded]
    fields["encodings"] = {key: _part(encodings, coded[key], f"encodings.{key}", errors) for key in present}
    levels = tree["memories"]
    if not isinstance(levels, list) or not levels:
        errors.append("memories: expected a list of levels, outermost first")
        levels = []
    fields["memories"] = tuple(
        _part(memories, level, _place(level, i), errors, clock) for i, level in enumerate(levels)
    )
    if errors:
        return None
    try:
        machine = Accelerator(**fields)
        _ = machine.buffers
        return machine
    except ValueError as error:
        errors.append(str(error))
        return None


def _clock(value: object, errors: list[str]) -> float | None:
    try:
        return TypeAdapter(float).validate_python(_sane("clock_mhz", yaml_io.quantity("clock_mhz", value), float))
    except ValidationError:
        errors.append(f"clock_mhz: expected a number, not {value!r}")
    except InputError as error:
        errors.append(str(error))
    return None


def _place(level: object, number: int) -> str:
    """A level's path: by its name, as --set takes it, or by its number where it has none."""
    name = level.get("level") if isinstance(level, dict) else None
    return f"memories.{name}" if isinstance(name, str) and name else f"memories[{number}]"


def _part(registry: Registry, value: Any, path: str, errors: list[str], clock_mhz: float | None = None) -> Any:
    """``{name: registered name, field: value ...}`` -> the part."""
    if not isinstance(value, dict) or "name" not in value:
        errors.append(f"{path}: expected a mapping with a name (one of {', '.join(registry.names())})")
        return None
    try:
        part = registry.get(str(value["name"]))
    except InputError as error:
        errors.append(f"{path}.name: {error}")
        return None
    return _record(part, {key: entry for key, entry in value.items() if key != "name"}, path, errors, clock_mhz)


def _record(record: type, value: Any, path: str, errors: list[str], clock_mhz: float | None = None) -> Any:
    """A mapping of fields -> frozen dataclass; collects one error per wrong field.

    A field that the record had once (``former``) is refused with what its value is now, at the machine's clock.
    """
    if not isinstance(value, dict):
        errors.append(f"{path}: expected a mapping of {', '.join(f.name for f in dataclasses.fields(record))}")
        return None
    known = {field.name: field for field in dataclasses.fields(record)}
    former = getattr(record, "former", {})
    hints = _hints(record)
    ready, wrong = {}, set()
    for key, entry in value.items():
        if key not in known:
            why = former[key](entry, clock_mhz) if key in former else unknown("key", str(key), list(known))
            errors.append(f"{path}.{key}: {why}")
            continue
        if key in NESTED and entry is None and known[key].default is None:
            continue
        if key in NESTED:
            ready[key] = _part(NESTED[key], entry, f"{path}.{key}", errors)
            if ready[key] is None:
                wrong.add(key)
            continue
        try:
            ready[key] = _sane(key, yaml_io.quantity(key, entry), hints[key])
        except InputError as error:
            errors.append(f"{path}.{error}")
            wrong.add(key)
    try:
        made = _adapter(record).validate_python(ready)
        return None if wrong else made
    except ValidationError as error:
        for fault in error.errors():
            if fault["loc"][:1] and fault["loc"][0] in wrong:
                continue  # said already
            place = ".".join([path, *(str(part) for part in fault["loc"])])
            given = "" if fault["type"] in ("missing", "value_error") else f", not {fault['input']!r}"
            errors.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}{given}")
        return None


#: making these takes longer than all they are used for
_adapter, _hints = cache(TypeAdapter), cache(get_type_hints)


def _sane(key: str, value: object, kind: object) -> object:
    """A value that can be built: no boolean or text for a number, nothing endless; InputError otherwise."""
    if isinstance(value, bool | str) and not _takes(kind, isinstance(value, str)):
        raise InputError(f"{key}: expected {_named(kind)}, not {value!r}")
    if isinstance(value, int | float) and not abs(value) <= LIMIT:
        raise InputError(f"{key}: {value} is beyond reason (at most {LIMIT:g})")
    return value


@cache
def _takes(kind: object, text: bool) -> bool:
    """Whether a field of this type can hold text (else: a boolean), or says itself why not (containers, lists of
    names)."""
    scalar = str if text else bool
    if get_origin(kind) in (Union, UnionType):
        return any(_takes(each, text) for each in get_args(kind))
    if get_origin(kind) is Literal:
        return scalar is str or any(type(each) is scalar for each in get_args(kind))
    return kind not in (int, float, bool, str, NoneType) or kind is scalar


def _named(kind: object) -> str:
    """What a field of numbers, texts or truth values wants."""
    kinds = set(get_args(kind) or (kind,))
    return "true or false" if bool in kinds else "text" if str in kinds else "a number"


def _put(tree: dict, path: str, value: object, where: str) -> None:
    """Sets one dotted path; a list of levels is entered by level name or number."""
    node: Any = tree
    match = _OF_LAYER.fullmatch(path)
    steps = [step for step in match.groups() if step] if match else path.split(".")
    for number, step in enumerate(steps):
        last, before = number == len(steps) - 1, steps[:number]
        if isinstance(node, list):
            names = [str(entry.get("level", i)) if isinstance(entry, dict) else str(i) for i, entry in enumerate(node)]
            if step not in names and not (step.isdecimal() and int(step) < len(node)):
                raise InputError(f"{where}: --set {path}: {unknown('level', step, names)}")
            step = names.index(step) if step in names else int(step)
        elif not isinstance(node, dict):
            raise InputError(f"{where}: --set {path}: '{'.'.join(before)}' has no fields")
        elif not last and node.get(step) is None and _opens(step, before):
            node[step] = {}
        elif not last and step not in node:
            raise InputError(f"{where}: --set {path}: {unknown('key', step, _fields(node, before))}")
        if last:
            node[step] = deepcopy(value)
            if step == "name" and isinstance(node, dict):
                _keep_shared(node, before)
        else:
            node = node[step]


def _opens(step: str, before: list[str]) -> bool:
    """Whether a section that is not there can be entered all the same."""
    maps = len(before) == 1 and before[0] == "encodings" and step in ENCODED_MAPS
    return maps or step in NESTED or [*before, step][:2] == ["mapping", "layers"]


def _registry(before: list[str]) -> Registry | None:
    """Where the parts at a path are registered; None for a section of fixed fields."""
    nested = NESTED.get(before[-1]) if len(before) > 1 else None
    return nested or REGISTRIES.get(before[0])


def _fields(node: dict, before: list[str]) -> list[str]:
    """Names of what a section may hold."""
    if not before:
        return list(KEYS)
    if before[0] in RECORDS:
        record = RECORDS[before[0]] if len(before) == 1 else None
    else:
        registry = _registry(before)
        record = registry.get(node["name"]) if registry and node.get("name") in registry.names() else None
    if record is None:
        return [str(key) for key in node]
    return [*(["name"] if before[0] not in RECORDS else []), *(field.name for field in dataclasses.fields(record))]


def _keep_shared(node: dict, before: list[str]) -> None:
    """Another part takes the place of one: of the fields that were given, those it has too stay."""
    registry = _registry(before) if before else None
    if registry is not None and node["name"] in registry.names():
        for key in set(node) - set(_fields(node, before)):
            del node[key]


def to_tree(machine: Accelerator) -> dict[str, Any]:
    """The YAML mapping of a machine, every default filled in; from_tree of it gives an equal machine."""
    tree: dict[str, Any] = {"name": machine.name, "description": machine.description, "clock_mhz": machine.clock_mhz}
    for key in ("array", "mac", "dataflow"):
        tree[key] = _part_tree(PARTS.get(key), getattr(machine, key))
    tree["encodings"] = {key: _part_tree(encodings, part) for key, part in machine.encodings.items()}
    tree["memories"] = [_part_tree(memories, level) for level in machine.memories]
    return tree | {key: _part_tree(None, getattr(machine, key)) for key in ("post", "energy", "mapping")}


def _part_tree(registry: Registry | None, part: Any) -> dict[str, Any]:
    name = {} if registry is None else {"name": registry.name_of(part)}
    values = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    if values.get("network") is not None:
        values["network"] = _part_tree(interconnects, values["network"])
    return name | {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
