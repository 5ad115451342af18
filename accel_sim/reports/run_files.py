"""A run's directory, read back and checked: what comparisons and reports are made of."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim.host import yaml_io
from accel_sim.results import plots
from accel_sim.run import roofline
from accel_sim.values.causes import CAUSES, Slots, bound
from workloads.registry import InputError

#: columns of layers.csv that must be there and hold numbers
NUMBERS = (
    "cycles", "array_cycles", "utilization", "energy_pj", "dram_read_bytes", "dram_write_bytes", "lanes",
    "macs_nominal", "macs_effectual",
)  # fmt: skip
#: numbers where there are any
MAY_BE_EMPTY = ("weight_density", "input_density", "bits")
#: numbers of summary.json that must be there
TOTALS = ("cycles", "time_s", "energy_pj", "utilization", "dram_read_bytes", "dram_write_bytes", "macs_nominal")


@dataclass(frozen=True, eq=False)
class RunFiles:
    """layers, cycles, actions, roofs, ports: the CSV tables; summary, config, provenance: the trees; mapping: text."""

    folder: Path
    layers: pd.DataFrame
    cycles: pd.DataFrame
    actions: pd.DataFrame
    roofs: pd.DataFrame
    ports: pd.DataFrame
    summary: dict[str, Any]
    config: dict[str, Any]
    provenance: dict[str, Any]
    mapping: str

    @property
    def name(self) -> str:
        """Network and machine."""
        return f"{self.summary['network']} on {self.summary['hardware']}"


def read(folder: Path) -> RunFiles:
    """InputError (one line) unless ``folder`` is the whole directory of a run."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is no run directory ({'a file' if folder.exists() else 'nothing is there'})")
    frames, summary = plots.read_run(folder)
    try:
        layers = plots.read_table(folder / "layers.csv")
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        mapping = (folder / "mapping.txt").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{folder}: is no run directory ({Path(error.filename).name} is missing)") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{folder}: is no run directory ({str(error).splitlines()[0]})") from None
    config = yaml_io.read(folder / "config.yaml", "configuration")
    cycles, actions, roofs, ports = frames.values()
    files = RunFiles(folder, layers, cycles, actions, roofs, ports, summary, config, provenance, mapping)
    _check(files)
    return files


def _check(run: RunFiles) -> None:
    for name, tree in (("config.yaml", run.config), ("summary.json", run.summary), ("provenance.json", run.provenance)):
        if not isinstance(tree, dict):
            raise InputError(f"{run.folder}: is no run directory ({name} is no mapping)")
    if not isinstance(run.config.get("hardware"), dict):
        raise InputError(f"{run.folder}: is no run directory (config.yaml: hardware is no mapping)")
    tables = (
        ("layers.csv", run.layers, NUMBERS, ("layer", "kind")),
        ("cycles.csv", run.cycles, ("cycles", "lane_slots"), ("layer", "cause")),
        ("roofline.csv", run.roofs, roofline.COLUMNS[len(roofline.TEXTS) :], ("layer", "bound", "cause")),
        ("roofs.csv", run.ports, roofline.ROOF_COLUMNS[3:], roofline.ROOF_COLUMNS[:3]),
        ("actions.csv", run.actions, ("count", "pj_each", "energy_pj"), ("layer", "component", "action", "source")),
    )
    for name, frame, numbers, others in tables:
        for column in (*numbers, *others):
            if column not in frame:
                raise InputError(f"{run.folder}: is no run directory ({name} has no column '{column}')")
        for column in others:
            if frame[column].isna().any():
                raise InputError(f"{run.folder}: is no run directory ({name}: column '{column}' has empty fields)")
        for column in filter(frame.columns.__contains__, (*numbers, *MAY_BE_EMPTY)):
            if len(frame) and not pd.api.types.is_numeric_dtype(frame[column]):
                raise InputError(f"{run.folder}: is no run directory ({name}: column '{column}' holds no numbers)")
            if frame is not run.roofs and math.inf in frame[column].abs().to_numpy():  # a layer may move nothing
                raise InputError(f"{run.folder}: is no run directory ({name}: column '{column}' holds infinity)")
    for key in TOTALS:
        value = run.summary.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{run.folder}: is no run directory (summary.json: {key} is no number)")
    for key in ("network", "hardware"):
        if not isinstance(run.summary.get(key), str):
            raise InputError(f"{run.folder}: is no run directory (summary.json: {key} is no text)")
    if run.layers.empty or run.layers.layer.duplicated().any():
        raise InputError(f"{run.folder}: is no run directory (layers.csv: expected one row per layer)")
    missing = sorted(set(CAUSES) - set(run.cycles.cause))
    if missing:
        raise InputError(f"{run.folder}: is no run directory (cycles.csv: cause '{missing[0]}' is missing)")
    _check_causes(run)


def _check_causes(run: RunFiles) -> None:
    """Rows of cycles.csv are one of each, at levels where they must be; roofline.csv says the same of each layer."""
    where = f"{run.folder}: is no run directory"
    if run.cycles.duplicated(["layer", "cause", "level", "operand"]).any():
        raise InputError(f"{where} (cycles.csv: expected one row per layer, cause, level and operand)")
    try:
        found = {layer: bound(Slots.of(rows)) for layer, rows in run.cycles.groupby("layer", sort=False)}
    except ValueError as error:
        raise InputError(f"{where} (cycles.csv: {error})") from None
    said = run.roofs[list(roofline.TEXTS)].itertuples(index=False, name=None)
    for layer, *words in said:
        own = found.get(layer)
        if own is None or words != [own.name, own.cause.name, own.cause.level, own.cause.operand]:
            raise InputError(f"{where} (roofline.csv: layer '{layer}' is not bound by what cycles.csv says)")
