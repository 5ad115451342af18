"""Measured ratios: energy and area of the units of Camus et al. (JETCAS 2019) relative to the conventional 8x8.

One unit stands both here and among the PSMA arrays: the sum-together sub-word unit with an accumulator of its own. It
anchors the ratios in pJ and um2 of 28 nm.
"""

import csv
from functools import cache
from importlib import resources

from accel_sim.energy.mac.psma import array_area_um2, array_energy

#: the common unit: its name in the table, and its place among the arrays (every unit an accumulator of its own)
COMMON, DESIGN = "SWP ST 2-level (Sum-Together)", ("SWU", "L2", ("IS", "IS", "OS"))
UNITS_IN_ARRAY = 256
SOURCE = "gate-level toggle count of Camus et al.'s RTL"
ANCHOR = "x conventional 8x8 of 28 nm (through the sum-together unit of the fitted PSMA arrays)"


@cache
def table() -> dict[str, tuple[float, dict[str, float]]]:
    """unit -> (relative area, mode -> relative energy of a MAC)."""
    text = resources.files("accel_sim.tables.mac").joinpath("toggle.csv").read_text(encoding="utf-8")
    found: dict[str, tuple[float, dict[str, float]]] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        found.setdefault(row["unit"], (float(row["area_rel"]), {}))[1][row["mode"]] = float(row["e_rel"])
    return found


@cache
def conventional_pj(clock_mhz: float = 200) -> float:
    """pJ of a MAC of the conventional unit at 8x8, 28 nm; input registers are not in it."""
    parts = array_energy(*DESIGN, 8, 8, clock_mhz)
    return (sum(parts.values()) - parts["in_reg"]) / table()[COMMON][1]["8x8"]


@cache
def conventional_um2(clock_mhz: float = 200) -> float:
    """um2 of the conventional 8x8 unit, 28 nm."""
    return array_area_um2(*DESIGN, clock_mhz) / UNITS_IN_ARRAY / table()[COMMON][0]
