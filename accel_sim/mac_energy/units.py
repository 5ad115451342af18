"""Energy of a MAC and area of a unit, for every registered unit: one table says where its figures come from.

Figures are those of 28 nm at 0.9 V (fallback: 45 nm at 0.9 V) unless a node or a voltage is asked for. Input registers
are not in them: the simulator counts operand registers apart.
"""

from collections.abc import Callable
from typing import NamedTuple

from accel_sim.energy import LOGIC_NM, NOMINAL_V, EnergyTable
from accel_sim.mac_energy import psma, toggle
from accel_sim.mac_unit import MacUnit, Mode
from accel_sim.parts import macs
from accel_sim.tech_scaling import area_scale, logic_energy_scale
from workloads.registry import InputError

#: node of measured figures (their nominal voltage is Horowitz's: 0.9 V)
HOME_NM = 28
#: products summed before the accumulator -> sharing of (L4, L3)
REDUCTIONS = {1: ("IS", "IS"), 4: ("HS", "IS"), 16: ("IS", "OS"), 64: ("HS", "OS"), 256: ("OS", "OS")}


class Figures(NamedTuple):
    """Row of the toggle table, or sharing of L2 among PSMA arrays; mirrored: the table's activations are weights."""

    row: str | None = None
    group: str | None = None
    mirrored: bool = False


def _conventional(unit) -> Figures | None:
    return Figures("data-gated conventional") if (unit.activation_bits, unit.weight_bits) == (8, 8) else None


def _subword(unit) -> Figures | None:
    names = {
        ("apart", 1): "SWP SA 1-level (DVAFS)", ("apart", 2): "SWP SA 2-level (DVAFS)",
        ("together", 2): toggle.COMMON,
    }  # fmt: skip
    return _row(names.get((unit.sharing, unit.levels))) if unit.max_bits == 8 else None


def _divide_conquer(unit) -> Figures | None:
    if unit.max_bits != 8:
        return None
    if (unit.dimensions, unit.levels) == (2, 2):
        return Figures(group="OS" if unit.sharing == "together" else "IS")
    suffix = " (BitFusion)" if unit.dimensions == 2 else ""
    return _row(f"{unit.dimensions}D D&C ST {unit.levels}-level{suffix}") if unit.sharing == "together" else None


def _serial(unit) -> Figures | None:
    """1D serial; whichever operand is serial takes the place of the table's weights."""
    if (unit.activation_bits, unit.weight_bits) != (8, 8):
        return None
    name = f"1D {unit.digit_bits}-bit serial"
    figures = _row(f"{name} (UNPU)" if unit.digit_bits == 1 else name)
    return figures and figures._replace(mirrored=unit.serial == "activations")


def _serial_2d(unit) -> Figures | None:
    wide = (unit.activation_bits, unit.weight_bits) != (8, 8)
    return None if wide else _row(f"2D {unit.digit_bits}-bit serial (Loom)")


def _row(name: str | None) -> Figures | None:
    return Figures(name) if name in toggle.table() else None


#: registered name -> where a unit's figures are (None: for its fields there are none)
UNITS: dict[str, Callable[[MacUnit], Figures | None]] = {
    "conventional": _conventional,
    "subword_parallel": _subword,
    "divide_conquer": _divide_conquer,
    "bit_serial": _serial,
    "bit_serial_2d": _serial_2d,
}


def figures(unit: MacUnit) -> Figures | None:
    """Where measured figures of this unit are; None: only the width laws know it."""
    find = UNITS.get(macs.name_of(unit))
    return None if find is None else find(unit)


def unit_energy(
    unit: MacUnit, mode: Mode, *, reduction_width: int = 1, clock_mhz: float = 200, node_nm: float | None = None,
    vdd: float | None = None,
) -> tuple[float, str]:  # fmt: skip
    """(pJ per MAC, source). reduction_width: units whose sums meet before an accumulator (divide and conquer: 1, 4,
    16, 64, 256); node_nm, vdd: scale logic (None = as the figures are). InputError for a width or node there is not."""
    found = figures(unit)
    if reduction_width not in REDUCTIONS:
        raise InputError(f"reduction_width={reduction_width} must be one of {', '.join(map(str, REDUCTIONS))}")
    tabled = None if found is None else _tabled(unit, mode, found, reduction_width, clock_mhz)
    (energy, source), home = (_by_laws(unit, mode), LOGIC_NM) if tabled is None else (tabled, HOME_NM)
    node, volt = home if node_nm is None else node_nm, NOMINAL_V if vdd is None else vdd
    if (node, volt) != (home, NOMINAL_V):
        energy *= logic_energy_scale(home, NOMINAL_V, node, volt)
        source += f"; {home} nm {NOMINAL_V} V to {node:g} nm {volt:g} V: Stillmaker and Baas"
    return energy, source


def _tabled(
    unit: MacUnit, mode: Mode, found: Figures, reduction_width: int, clock_mhz: float
) -> tuple[float, str] | None:
    """From arrays or ratios; None for a mode of theirs that is not tabulated and cannot be scaled to."""
    if found.group is not None:
        sharing = (*REDUCTIONS[reduction_width], found.group)
        parts = psma.array_energy("FU", "L2", sharing, mode.activation_bits, mode.weight_bits, clock_mhz)
        return sum(parts.values()) - parts["in_reg"], f"{psma.SOURCE}: FU L2 {'/'.join(sharing)}, no input registers"
    ratios = toggle.table()[found.row][1]
    bits = (mode.activation_bits, mode.weight_bits)[:: -1 if found.mirrored else 1]
    name = "{}x{}".format(*bits)
    source = f"{toggle.SOURCE}, '{found.row}' {toggle.ANCHOR}"
    if name in ratios:
        return ratios[name] * toggle.conventional_pj(clock_mhz), source
    wider = [other for other in unit.modes if _covers(other, mode) and _name(other, found.mirrored) in ratios]
    if not wider:
        return None
    near = min(wider, key=lambda other: other.activation_bits + other.weight_bits)
    energy = ratios[_name(near, found.mirrored)] * toggle.conventional_pj(clock_mhz)
    return energy * mode.cycles / near.cycles, f"{source}; from {near.name} by cycles"


def _covers(wide: Mode, mode: Mode) -> bool:
    return wide.activation_bits >= mode.activation_bits and wide.weight_bits >= mode.weight_bits


def _name(mode: Mode, mirrored: bool) -> str:
    bits = (mode.activation_bits, mode.weight_bits)[:: -1 if mirrored else 1]
    return f"{bits[0]}x{bits[1]}"


def _by_laws(unit: MacUnit, mode: Mode) -> tuple[float, str]:
    """Multipliers and adders of the unit's components by Horowitz's width laws, 45 nm; registers are not in it."""
    parts, table = unit.components(mode), EnergyTable()
    step = sum(
        number * table.arithmetic("mult", min(a, w))[0] * max(a, w) / min(a, w) for number, a, w in parts["multipliers"]
    )
    step += sum(number * table.arithmetic("add", bits)[0] for _, number, bits in parts["adders"])
    number, bits = parts["accumulators"]
    whole = step * parts["cycles"] + number * table.arithmetic("add", bits)[0]
    return whole / (mode.reduction * mode.outputs), f"components x width laws of {table.table}, no registers"


def unit_area_um2(unit: MacUnit, *, clock_mhz: float = 200, node_nm: float | None = None) -> tuple[float | None, str]:
    """(um2 of one unit without input registers of its own, source); None where nothing measured is known."""
    found = figures(unit)
    if found is None:
        return None, "no measured area of this unit"
    if found.group is not None:
        sharing = ("IS", "IS", found.group)
        area = psma.array_area_um2("FU", "L2", sharing, clock_mhz) / toggle.UNITS_IN_ARRAY
        source = f"{psma.SOURCE}: FU L2 {'/'.join(sharing)}, a 256th"
    else:
        area = toggle.table()[found.row][0] * toggle.conventional_um2(clock_mhz)
        source = f"{toggle.SOURCE}, '{found.row}' {toggle.ANCHOR}"
    return area * (1 if node_nm is None else area_scale(HOME_NM, node_nm)), source
