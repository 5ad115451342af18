"""How a machine's energy section prices and measures its MAC units."""

import math
from typing import NamedTuple

from accel_sim.energy.accelergy import Ert
from accel_sim.energy.mac.units import REDUCTIONS, Shared, figures, unit_area_um2, unit_energy, unit_name
from accel_sim.energy.table import LOGIC_NM, NOMINAL_V, OF_CYCLES, OF_PRODUCTS, UNIT_NM, EnergyTable, Products
from accel_sim.macs.unit import MacUnit, Mode

#: DVAFS at constant throughput: voltage of four sub-words a cycle over that of one (0.75 V at 125 MHz, 1.1 V at
#: 500 MHz; Moons et al., DATE 2017, 40 nm). Between, an equal factor for every doubling, and no lower: a guess.
DVAFS_PRODUCTS, DVAFS_RATIO = 4, 0.75 / 1.1
#: mW of idle logic: 22.952 uW of the 687.6 um2 of an 8-bit multiply-add unit with its registers, 45 nm (Bit Fusion's
#: synthesis, read in hsharma35/bitfusion; its other units, 2 to 16 bits: 23 to 39). Flip-flops and multipliers of
#: Aladdin's 40 nm table leak 12.
LEAKAGE_MW_PER_MM2 = 22.952e-3 / 687.6e-6
#: the clock that unit was synthesised for (Bit Fusion, 500 MHz): leakage is that of units made for it
LEAKAGE_MHZ = 500.0
LEAKAGE_SOURCE = "33.4 mW/mm2: an 8-bit unit of Bit Fusion's synthesis, 45 nm (read in hsharma35/bitfusion)"
#: the operation that prices a lane's cycle, and the unit it was synthesised for
CYCLE, SYNTHESISED = "mac.cycle", {"max_bits": 8, "levels": 2, "dimensions": 2, "sharing": "together"}


class Units(NamedTuple):
    """The MAC units of a machine. per_lane: in each lane; summed: whose products meet before an accumulator."""

    unit: MacUnit
    lanes: int
    per_lane: int
    summed: int

    @property
    def width(self) -> int:
        """``summed`` as ``mac_energy`` knows it: the next smaller width."""
        return max(known for known in REDUCTIONS if known <= self.summed)

    @property
    def note(self) -> str:
        """For the source of a figure that the difference matters to."""
        found = figures(self.unit)
        differs = self.width != self.summed and isinstance(found, Shared)
        return f"; {self.summed} units to a sum taken as {self.width}" if differs else ""


class Work(NamedTuple):
    """What they did in a layer. lane_cycles: lanes x cycles in which the array worked."""

    mode: Mode
    issued: int
    effectual: int
    lane_cycles: int


def products(units: Units, table: EnergyTable, clock_mhz: float, work: Work) -> Products | None:
    """A layer's products under one price; None where the units' actions are priced one by one."""
    if table.ert is not None:
        return _as_exported(units, table.ert, work)
    if table.mac == "unit":
        return None if figures(units.unit) is None else _by_unit(units, table, clock_mhz, work)
    if charged_by_cycle(units.unit, table):
        energy, source = table.per_bit(CYCLE, 1)
        if table.logic_scale != 1:
            energy, source = energy * table.logic_scale, f"{source}; x {table.logic_scale:.4g}, scaled logic"
        return Products("cycle", 0, work.lane_cycles, energy, source, OF_CYCLES)
    return None


def _by_unit(units: Units, table: EnergyTable, clock_mhz: float, work: Work) -> Products:
    unit, mode, vdd, note = units.unit, work.mode, table.vdd, ""
    if table.dvafs:
        vdd = (NOMINAL_V if vdd is None else vdd) * dvafs_ratio(unit, mode)
        note = "; DVAFS voltage (Moons et al., DATE 2017)"
    pj, source = unit_energy(
        unit, mode, reduction_width=units.width, clock_mhz=clock_mhz, node_nm=logic_nm(units.unit, table), vdd=vdd
    )
    return Products(_name(mode), mode.sum_bits, _count(unit, work), pj, source + units.note + note)


def _as_exported(units: Units, ert: Ert, work: Work) -> Products | None:
    """As a run with prices of units wrote it, where the ERT names such an action of ``mac``."""
    for name, bits, count, replaces in (
        (_name(work.mode), work.mode.sum_bits, _count(units.unit, work), OF_PRODUCTS),
        ("cycle", 0, work.lane_cycles, OF_CYCLES),
    ):
        if ert.names("mac", name):
            return Products(name, bits, count, *ert.price("mac", name, bits), replaces)
    return None


def _name(mode: Mode) -> str:
    return f"product_{mode.activation_bits}x{mode.weight_bits}"


def _count(unit: MacUnit, work: Work) -> int:
    return work.effectual if unit.zero_operand_gating else work.issued


def charged_by_cycle(unit: MacUnit, table: EnergyTable) -> bool:
    """Whether the table prices this very unit's cycles."""
    if table.ert is not None or table.mac == "unit" or CYCLE not in table.rows:
        return False
    return unit_name(unit) == "divide_conquer" and all(getattr(unit, k) == v for k, v in SYNTHESISED.items())


def logic_nm(unit: MacUnit, table: EnergyTable) -> float:
    """Node of the machine's logic: what it is scaled to, else that of the figures it is priced by."""
    return table.node_nm or (UNIT_NM if table.mac == "unit" and figures(unit) is not None else LOGIC_NM)


def dvafs_ratio(unit: MacUnit, mode: Mode) -> float:
    """Supply voltage in ``mode`` over that in the widest, when the clock falls as products per cycle rise; at most as
    low as the published point."""
    faster = float(mode.macs_per_cycle / unit.modes[0].macs_per_cycle)
    return DVAFS_RATIO ** min(1.0, max(0.0, math.log(faster, DVAFS_PRODUCTS)))


def area_um2(units: Units, table: EnergyTable, clock_mhz: float) -> tuple[float, str]:
    """(um2 of all units at the node of the machine's logic, source)."""
    area, source = unit_area_um2(
        units.unit,
        reduction_width=units.width,
        shared=units.per_lane,
        clock_mhz=clock_mhz,
        node_nm=logic_nm(units.unit, table),
    )  # fmt: skip
    return area * units.lanes * units.per_lane, source + units.note


def leakage(units: Units, table: EnergyTable) -> tuple[float, str]:
    """(mW of all units, source), whatever the machine's clock: that of units made for LEAKAGE_MHZ."""
    if table.leakage_mw_per_lane is not None:
        return table.leakage_mw_per_lane * units.lanes, "energy.leakage_mw_per_lane of the hardware (a guess), x time"
    given = table.leakage_mw_per_mm2
    area, source = area_um2(units, table, LEAKAGE_MHZ)
    density, of = (LEAKAGE_MW_PER_MM2, LEAKAGE_SOURCE) if given is None else (given, "energy.leakage_mw_per_mm2")
    if given is None and logic_nm(units.unit, table) != LOGIC_NM:
        of += f", the same per area at {logic_nm(units.unit, table):g} nm: guess"
    return area * 1e-6 * density, f"{area:,.0f} um2 of MAC units ({source}) x {of}; x time"
