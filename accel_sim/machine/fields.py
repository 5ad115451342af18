"""Every field of a machine's YAML, with unit, default and meaning: ``python -m accel_sim.machine.fields`` prints
docs/fields.md.

A part says what its fields mean in its docstring, as ``field: meaning`` (several fields before one colon share it).
"""

import dataclasses
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import get_args, get_type_hints

from accel_sim.interconnects.interconnect import interconnects
from accel_sim.machine.config import KEYS, PARTS, RECORDS
from accel_sim.memories.memory import memories
from workloads.encoding import encodings
from workloads.registry import Registry

#: ending of a field's name -> its unit
UNITS = {
    "_mhz": "MHz", "_kib": "KiB", "_gb_s": "GB/s", "_ns": "ns", "_mw": "mW", "_pj": "pJ", "_um": "µm", "_um2": "µm²",
    "_nm": "nm", "vdd": "V", "_mw_per_lane": "mW", "_pj_per_bit_mm": "pJ a bit and mm", "pj_per_op": "pJ",
    "_bytes_per_cycle": "bytes a cycle", "_values_per_cycle": "values a cycle", "ops_per_cycle": "operations a cycle",
    "_bytes": "bytes", "_bits": "bits", "_cycles": "cycles", "_mw_per_mm2": "mW a mm²",
}  # fmt: skip
HEAD = """# Every field of a machine

Made from the code by `python -m accel_sim.machine.fields > docs/fields.md`; a test holds it to that. `accel-sim show
hardware NAME` prints a machine with all of them filled in, `--set PATH=VALUE` changes one; PATH follows the YAML,
levels go by their name (`memories.input_sram.banks`).

`name` and `description` are text, `clock_mhz` is the clock of the array (MHz). What `encodings.weights` may be,
`encodings.inputs` and `encodings.outputs` may be too (both, and the same): how maps lie in the outermost memory; plain
where a machine does not say.
"""


def unit(name: str) -> str:
    """The unit that a field's name ends in; empty for a count or a choice."""
    return next((UNITS[end] for end in sorted(UNITS, key=len, reverse=True) if name.endswith(end)), "")


def meanings(record: type) -> dict[str, str]:
    """Field -> what the docstrings of a record and of what it is made from say of it."""
    names = {field.name for field in dataclasses.fields(record)}
    found: dict[str, str] = {}
    texts = [part for each in record.__mro__[:-1] for part in (each.__dict__.get("__doc__") or "").split("\n\n")]
    for text in (" ".join(part.split()) for part in texts):
        before = re.finditer(r"(?:(?<=[.;,:)] )|^)(\w+(?:, \w+)*): ", text)
        marks = [mark for mark in before if set(mark[1].split(", ")) <= names]
        for mark, after in zip_longest(marks, marks[1:]):
            said = text[mark.end() : after.start() if after else None].strip()
            for name in mark[1].split(", "):
                found.setdefault(name, said.rstrip(".;").replace("``", "`").replace("|", "/"))
    return found


def default(field: dataclasses.Field) -> str:
    """As YAML has it; 'required' where there is none."""
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is dataclasses.MISSING:
        return "required"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return "[]" if value == () else "{}" if value == {} else str(value)


def rows(record: type) -> Iterator[tuple[str, str, str, str]]:
    """(field, unit or choices, default, meaning) of each field of a record."""
    hints, said = get_type_hints(record), meanings(record)
    for field in dataclasses.fields(record):
        choices = [str(each) for each in get_args(hints[field.name]) if isinstance(each, str | int)]
        yield field.name, unit(field.name) or " ".join(choices), default(field), said.get(field.name, "")


def records() -> Iterator[tuple[str, type]]:
    """(heading, record) of every section and every registered part."""
    for key in KEYS:
        if key in RECORDS:
            yield key, RECORDS[key]
    registries: dict[str, Registry] = {**PARTS, "encodings.weights": encodings, "memories": memories}
    for key, registry in {**registries, "memories.LEVEL.network": interconnects}.items():
        for name in registry.names():
            yield f"{key}: {name}", registry.get(name)


def page() -> str:
    """docs/fields.md."""
    parts = [HEAD]
    for heading, record in records():
        table = [f"| `{name}` | {kind} | {given} | {text} |" for name, kind, given, text in rows(record)]
        head = ["", f"## {heading}", ""]
        if table:
            head += ["| field | unit or choices | default | meaning |", "|---|---|---|---|"]
        parts += head + (table or ["No fields."])
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(), end="")
