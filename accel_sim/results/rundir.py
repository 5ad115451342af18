"""A run's directory: every file of docs/design.md, written whole or not at all, byte for byte the same each time."""

import hashlib
import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from accel_sim.host import yaml_io
from accel_sim.host.output import MARK, check_target, whole
from accel_sim.host.version import __version__
from accel_sim.machine.accelerator import Accelerator
from accel_sim.machine.config import from_tree, to_tree
from accel_sim.run import roofline
from accel_sim.run.result import SCHEMA_VERSION, Result
from workloads.network import Network
from workloads.profiles import warnings_of
from workloads.registry import InputError

#: all that a run's directory may hold; a directory that holds anything else is not replaced
FILES = {
    "layers.csv", "mapping.txt", "cycles.csv", "actions.csv", "config.yaml", MARK, "provenance.json", "run.log",
    "roofline.csv", "roofs.csv",
    "cycles.png", "energy.png", "roofline.png", "report.html", "trace.json", "stats.txt",
}  # fmt: skip


def write(
    result: Result, out: Path, run: dict[str, Any], log: list[str], more: Mapping[str, str] = MappingProxyType({}),
    *, figures: bool = True,
) -> None:  # fmt: skip
    """Writes the directory under a temporary name and renames it when whole.

    run: the arguments that, with the hardware, make the run (the ``run`` section of config.yaml); log: lines for
    run.log, which alone may differ between two equal runs; more: name -> text of files on request; figures: draw them,
    which ``accel-sim plot`` can do later. Raises InputError if ``out`` is something else's, or the system refuses.
    """
    check_target(out, FILES, "run")
    config = {"run": run, "hardware": to_tree(result.machine)}
    with whole(out) as scratch:
        write_frame(result.layers, scratch / "layers.csv")
        write_frame(result.cycles, scratch / "cycles.csv")
        exact = [repr(each) for each in result.actions.pj_each.astype(float).tolist()]  # what a table can be made of
        write_frame(result.actions.assign(pj_each=exact), scratch / "actions.csv")
        write_frame(roofline.table(result.layers, result.cycles, result.machine), scratch / "roofline.csv")
        write_frame(roofline.roof_table(result.layers, result.actions, result.machine), scratch / "roofs.csv")
        (scratch / "mapping.txt").write_text(result.mapping, encoding="utf-8")
        (scratch / "config.yaml").write_text(yaml_io.dump(config), encoding="utf-8")
        _json(scratch / "summary.json", result.summary)
        _json(scratch / "provenance.json", provenance(result, config))
        if figures:
            from accel_sim.results import plots

            plots.write(scratch)
        for name, text in more.items():
            (scratch / name).write_text(text, encoding="utf-8")
        (scratch / "run.log").write_text("".join(f"{line}\n" for line in log), encoding="utf-8")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """CSV with 12 digits, the same bytes on every system."""
    frame.to_csv(path, index=False, lineterminator="\n", float_format="%.12g")


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def provenance(result: Result, config: dict[str, Any]) -> dict[str, Any]:
    """What determined the run: versions, hashes, seed, and where its data came from."""
    network = result.network
    sources = sorted({run.weight_source for run in result.runs} | {run.input_source for run in result.runs})
    return {
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "source_sha256": source_digest(),
        "config_sha256": _digest(json.dumps(config, sort_keys=True).encode()),
        "network_sha256": network_digest(network),
        "files": dict(network.files) | result.machine.energy.files,
        "images": list(network.image_names),
        "seed": result.seed,
        "data": result.summary["data"],
        "data_detail": result.data_detail,
        "data_sources": [source for source in sources if source],
        "warnings": [*warnings_of(network), *result.machine.warnings],
    }


def machine_of(folder: Path) -> Accelerator:
    """The machine of a run's directory, as its config.yaml says; InputError if it says nothing whole."""
    path = folder / "config.yaml"
    tree = yaml_io.read(path, "configuration")
    if not isinstance(tree, dict) or not isinstance(tree.get("hardware"), dict):
        raise InputError(f"{path}: expected a mapping with hardware")
    return from_tree(tree["hardware"], str(path))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def source_digest() -> str:
    """sha256 over the simulator's own sources and tables, and a user's plugins."""
    digest = hashlib.sha256()
    for folder in filter(None, os.environ.get("ACCEL_SIM_PLUGINS", "").split(os.pathsep)):
        for path in sorted(Path(folder).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for package in ("accel_sim", "cython_core", "workloads"):
        root = resources.files(package)
        with resources.as_file(root) as installed:
            for path in sorted(Path(installed).rglob("*")):
                if path.suffix in (".py", ".pyx", ".pxd", ".csv", ".yaml"):
                    digest.update(str(path.relative_to(installed)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def network_digest(network: Network) -> str:
    """sha256 over layers, weights and images."""
    digest = hashlib.sha256(repr((network.name, network.layers, network.input_shape)).encode())
    for name, weights in network.weights.items():
        digest.update(name.encode() + np.ascontiguousarray(weights.codes.values).tobytes())
        digest.update(repr(weights.codes.format).encode())
    for name, form in network.formats.items():
        digest.update(f"{name} {form}".encode())
    if network.images is not None:
        digest.update(np.ascontiguousarray(network.images).tobytes())
    return digest.hexdigest()
