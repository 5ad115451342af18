"""Whole runs of the command, and what of each is kept: its figures, and digests of its tables."""

import csv
import hashlib
import io
import json
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from accel_sim.shell.cli import main

KEPT = Path(__file__).with_name("runs.csv")
TABLES = ("layers.csv", "cycles.csv", "actions.csv")
FIELDS = ("command", "cycles", "energy_pj", *TABLES)


def kept() -> dict[str, dict[str, str]]:
    """Command -> its row."""
    with KEPT.open(newline="", encoding="utf-8") as file:
        return {row["command"]: row for row in csv.DictReader(file)}


def found(command: str) -> dict[str, str]:
    """The row of a command as it runs now: ``accel-sim run`` with these words; SystemExit if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        with redirect_stdout(io.StringIO()):
            code = main(["run", *command.split(), "--out", str(out), "--no-plots", "--quiet"])
        if code:
            raise SystemExit(f"accel-sim run {command}: exit code {code}")
        summary = json.loads((out / "summary.json").read_text())
        digests = {name: hashlib.sha256((out / name).read_bytes()).hexdigest()[:16] for name in TABLES}
        return {"command": command, "cycles": str(summary["cycles"]), "energy_pj": repr(summary["energy_pj"])} | digests


def write(rows: list[dict[str, str]]) -> None:
    """Keeps rows in their order."""
    with KEPT.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
