"""The energy tables that ship with accel_sim, each read once."""

import csv
import math
from functools import cache
from importlib import resources
from types import MappingProxyType

TABLES = "accel_sim.tables"


@cache
def names() -> tuple[str, ...]:
    """Of all of them, sorted."""
    files = (path.name for path in resources.files(TABLES).iterdir())
    return tuple(sorted(name.removesuffix(".csv") for name in files if name.endswith(".csv")))


@cache
def _read(name: str) -> tuple[dict[str, str], ...]:
    text = resources.files(TABLES).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def prices(name: str) -> MappingProxyType[str, dict[int, tuple[float, str]]]:
    """operation -> bits -> (pJ, source)."""
    rows: dict[str, dict[int, tuple[float, str]]] = {}
    for row in _read(name):
        rows.setdefault(row["operation"], {})[int(row["bits"])] = (float(row["energy_pj"]), row["source"])
    return MappingProxyType(rows)


@cache
def area_um2(name: str, operation: str, bits: int) -> float:
    """um2 of an adder or multiplier at the table's node; widths it lacks follow laws as their energies do."""
    rows = {
        int(row["bits"]): float(row["area_um2"])
        for row in _read(name)
        if row["operation"] == operation and row["area_um2"]
    }
    if operation == "add" and bits not in rows:
        return 1.0 + 4.23 * bits  # least squares through the table's rows
    return rows[bits] if bits in rows else power_law(rows, bits)[0]


def power_law(rows: dict[int, float], bits: int) -> tuple[float, str]:
    """Through the narrowest and the widest row: (figure, the law with a place for its unit)."""
    low, high = min(rows), max(rows)
    exponent = math.log(rows[high] / rows[low]) / math.log(high / low)
    return rows[low] * (bits / low) ** exponent, f"{rows[low]} {{}} x (b/{low})^{exponent:.3g}"
