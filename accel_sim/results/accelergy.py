"""Writes a run's directory as Accelergy's files: ``accel-sim accelergy DIR``."""

import csv
import io
import json
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel_sim.energy.accelergy import LEAK, MOST_BITS, MOST_LETTERS, MOST_PJ, STATIC, VERSION, WIDTH
from accel_sim.host import output, yaml_io
from workloads.registry import InputError

#: what an export's directory holds; layers.yaml has counts and energies of each layer, each in Accelergy's form
FILES = ("ERT.yaml", "ART.yaml", "action_counts.yaml", "energy_estimation.yaml", "layers.yaml")
COLUMNS = ("layer", "component", "action", "bits", "count", "pj_each", "energy_pj")
#: beyond these a file was not written by a run
MOST_BYTES, MOST_COUNT, MOST_ENERGY_PJ = 256 << 20, 10**30, 1e42
#: sums and products of a run's files agree to this; they are written with twelve digits
TOLERANCE = 1e-9
ROOT = "system"

#: (component, action, bits), the action by Accelergy's name
Key = tuple[str, str, int]


@dataclass(frozen=True)
class Run:
    """What a run's directory says. counts: layer -> (component, action, bits) -> count; pj: of one such action.

    layer_pj: energy of each layer, in order; energy_pj: of the run.
    """

    network: str
    hardware: str
    counts: dict[str, dict[Key, int]]
    pj: dict[Key, float]
    layer_pj: dict[str, float]
    energy_pj: float

    @property
    def components(self) -> list[str]:
        """Those with priced actions, sorted."""
        return sorted({component for component, _, _ in self.pj})

    @property
    def total(self) -> dict[Key, int]:
        """Counts of all layers."""
        return {key: sum(counts.get(key, 0) for counts in self.counts.values()) for key in sorted(self.pj)}

    @property
    def path(self) -> tuple[str, str]:
        """The nodes above the components."""
        return ROOT, re.sub(r"[^A-Za-z0-9_-]", "_", self.hardware)[:60]


def read_run(folder: Path) -> Run:
    """Raises InputError (one line, with the file's name) unless the directory is a whole run whose sums agree."""
    summary = _summary(folder)
    layer_pj: dict[str, float] = {}
    for where, row in _rows(folder / "layers.csv", ("layer", "energy_pj")):
        if row["layer"] in layer_pj:
            raise InputError(f"{where}: layer '{row['layer']}' is given twice")
        layer_pj[row["layer"]] = _float(where, row, "energy_pj")
    counts: dict[str, dict[Key, int]] = {layer: {} for layer in layer_pj}
    pj: dict[Key, float] = {}
    energies: dict[str, list[float]] = {layer: [] for layer in layer_pj}
    for where, row in _rows(folder / "actions.csv", COLUMNS):
        layer = row["layer"]
        if layer not in counts:
            raise InputError(f"{where}: layer '{layer}' has no row in layers.csv")
        _check_name(where, row, "component")
        _check_name(where, row, "action")
        key = row["component"], row["action"], _int(where, row, "bits", MOST_BITS)
        if key in counts[layer]:
            raise InputError(f"{where}: {_text(key)} of layer '{layer}' is given twice")
        counts[layer][key], each = _int(where, row, "count", MOST_COUNT), _float(where, row, "pj_each", MOST_PJ)
        energies[layer].append(_float(where, row, "energy_pj"))
        _agree(f"{where}: energy_pj", energies[layer][-1], counts[layer][key] * each, "count x pj_each")
        if pj.setdefault(key, each) != each:
            raise InputError(f"{where}: {_text(key)} costs {each} pJ here and {pj[key]} pJ in a layer before")
    for layer, parts in energies.items():
        what = f"{folder / 'layers.csv'}: energy_pj of layer '{layer}'"
        _agree(what, layer_pj[layer], math.fsum(parts), "actions.csv")
    total = summary["energy_pj"]
    _agree(f"{folder / 'summary.json'}: energy_pj", total, math.fsum(layer_pj.values()), "layers.csv")
    names = accelergy_names(pj)
    return Run(
        summary["network"], summary["hardware"],
        {layer: {names[key]: count for key, count in rows.items()} for layer, rows in counts.items()},
        {names[key]: each for key, each in pj.items()}, layer_pj, total,
    )  # fmt: skip


def write(run: Run, out: Path, areas: dict[str, float]) -> None:
    """Writes FILES into ``out``, whole or not at all. areas: component -> um2, for those that are known.

    Raises InputError if ``out`` is something else's.
    """
    output.check_target(out, FILES, "export")
    about = "".join(c if c.isprintable() else "?" for c in f"accel_sim: {run.network} on {run.hardware}")
    unknown = [component for component in run.components if component not in areas]
    without = f"; no area is known for {', '.join(unknown)}" if unknown else ""
    texts = {
        "ERT.yaml": (f"{about}; pJ an action, {LEAK}: pJ a cycle of all instances", {"ERT": ert(run.path, run.pj)}),
        "ART.yaml": (f"{about}; um2 of one instance{without}", {"ART": art(run.path, run.components, areas)}),
        "action_counts.yaml": (f"{about}; {LEAK}: cycles", {"action_counts": action_counts(run.path, run.total)}),
        "energy_estimation.yaml": (
            f"{about}; pJ",
            {"energy_estimation": energy_estimation(run, run.total, run.energy_pj)},
        ),
        "layers.yaml": (f"{about}; pJ, each layer's counts and energies", {"layers": list(_layers(run))}),
    }
    with output.whole(out) as scratch:
        for name, (comment, tree) in texts.items():
            (scratch / name).write_text(f"# {comment}\n{yaml_io.dump(tree)}", encoding="utf-8")


def ert(path: Iterable[str], pj: dict[Key, float]) -> dict[str, Any]:
    """The ERT of components below ``path``: (component, action, bits) -> pJ; bits become the argument ``width``."""
    tables: dict[str, list] = {}
    for component, action, bits in sorted(pj):
        arguments = {WIDTH: bits} if bits else {}
        entry = {"name": action, "arguments": arguments, "energy": pj[component, action, bits]}
        tables.setdefault(".".join([*path, component]), []).append(entry)
    return {"version": VERSION, "tables": [{"name": name, "actions": actions} for name, actions in tables.items()]}


def art(path: Iterable[str], components: Collection[str], areas: dict[str, float]) -> dict[str, Any]:
    """The ART of the components whose um2 are known."""
    known = [component for component in components if component in areas]
    tables = [{"name": ".".join([*path, component]), "area": areas[component]} for component in known]
    return {"version": VERSION, "tables": tables}


def action_counts(path: Iterable[str], counts: dict[Key, int]) -> dict[str, Any]:
    """Counts as a tree: a node for each name in ``path``, the components in the last."""
    local: dict[str, list] = {}
    for component, action, bits in sorted(counts):
        entry: dict[str, Any] = {"name": action} | ({"arguments": {WIDTH: bits}} if bits else {})
        local.setdefault(component, []).append(entry | {"counts": counts[component, action, bits]})
    node: dict[str, Any] = {"local": [{"name": name, "action_counts": entries} for name, entries in local.items()]}
    for name in reversed(tuple(path)):
        node = {"subtree": [{"name": name} | node]}
    return {"version": VERSION} | node


def energy_estimation(run: Run, counts: dict[Key, int], total_pj: float) -> dict[str, Any]:
    """pJ of each component, and the run's own total."""
    parts: dict[str, list[float]] = {}
    for key, count in sorted(counts.items()):
        parts.setdefault(key[0], []).append(count * run.pj[key])
    rows = [{"name": ".".join([*run.path, name]), "energy": math.fsum(energies)} for name, energies in parts.items()]
    return {"version": VERSION, "components": rows, "Total": total_pj}


def _layers(run: Run) -> Iterable[dict[str, Any]]:
    for layer, counts in run.counts.items():
        yield {
            "name": layer,
            "action_counts": action_counts(run.path, counts),
            "energy_estimation": energy_estimation(run, counts, run.layer_pj[layer]),
        }


def accelergy_names(keys: Collection[Key]) -> dict[Key, Key]:
    """Our key -> Accelergy's: static power is ``leak``; where that name is taken, it keeps its own."""
    names = {key: key for key in keys if key[1] not in STATIC}
    taken = set(names)
    for component, action, bits in sorted(set(keys) - taken, key=lambda key: STATIC.index(key[1])):
        leak = component, LEAK, bits
        names[component, action, bits] = (component, action, bits) if leak in taken else leak
        taken.add(leak)
    return names


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / output.MARK
    try:
        summary = json.loads(_bytes(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is no JSON") from None
    summary = summary if isinstance(summary, dict) else {}
    for key in ("network", "hardware"):
        if not isinstance(summary.get(key), str) or not summary[key]:
            raise InputError(f"{path}: {key}: expected a name, as a run writes it")
    energy = summary.get("energy_pj")
    if isinstance(energy, bool) or not isinstance(energy, int | float) or not 0 <= energy <= MOST_ENERGY_PJ:
        raise InputError(f"{path}: energy_pj: expected a number of pJ, as a run writes it")
    return summary | {"energy_pj": float(energy)}


def _bytes(path: Path) -> bytes:
    """A file of a run's directory; InputError if there is none to read."""
    try:
        if not path.parent.is_dir():
            raise InputError(f"{path.parent}: is no run directory")
        if not path.exists():
            raise InputError(f"{path.parent}: is no run directory ({path.name} is missing)")
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: expected a file of at most {MOST_BYTES} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or "no such name"
        raise InputError(f"{path}: cannot read: {reason}") from None


def _rows(path: Path, columns: Collection[str]) -> Iterable[tuple[str, dict[str, str]]]:
    """(file and line, the wanted cells) of each row of a CSV."""
    try:
        reader = csv.reader(io.StringIO(_bytes(path).decode("utf-8"), newline=""), strict=True)
        header = next(reader, [])
        missing = [column for column in columns if header.count(column) != 1]
        if missing:
            raise InputError(f"{path}: expected one column '{missing[0]}'")
        for cells in reader:
            where = f"{path} line {reader.line_num}"
            if len(cells) != len(header):
                raise InputError(f"{where}: {len(cells)} cells, expected {len(header)}")
            yield where, dict(zip(header, cells, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        reason = "is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
        raise InputError(f"{path}: broken CSV: {reason}") from None


def _int(where: str, row: dict[str, str], column: str, most: int) -> int:
    text = row[column]
    if not text.isascii() or not text.isdigit() or len(text) > 40 or int(text) > most:
        raise InputError(f"{where}: {column}: expected a whole number up to {most}, not '{text[:60]}'")
    return int(text)


def _float(where: str, row: dict[str, str], column: str, most: float = MOST_ENERGY_PJ) -> float:
    text = row[column]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise InputError(f"{where}: {column}: expected a number of pJ up to {most:g}, not '{text[:60]}'")
    return value


def _check_name(where: str, row: dict[str, str], column: str) -> None:
    """InputError unless a name can stand in a dotted one."""
    name = row[column]
    if not re.fullmatch(r"[^\s.\[\]]+", name) or not name.isprintable() or len(name) > MOST_LETTERS // 2:
        form = f"at most {MOST_LETTERS // 2} characters and no dots, brackets or spaces"
        raise InputError(f"{where}: {column} '{name[:60]}': a name in Accelergy's form has {form}")


def _agree(what: str, given: float, sums: float, of: str) -> None:
    if abs(given - sums) > TOLERANCE * max(given, sums):
        raise InputError(f"{what}: {given:.12g} pJ, but {of} gives {sums:.12g}")


def _text(key: Key) -> str:
    component, action, bits = key
    return f"action '{action}' of component '{component}'" + (f" ({bits} bits)" if bits else "")
