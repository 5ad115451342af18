"""How a machine's energy section prices and measures its MAC units (``mac: unit``)."""

import math

from accel_sim.energy import EnergyTable, Products
from accel_sim.mac_energy.units import HOME_NM, NOMINAL_V, figures, unit_area_um2, unit_energy
from accel_sim.mac_unit import MacUnit, Mode

#: DVAFS at constant throughput: voltage of four sub-words a cycle over that of one (0.75 V at 125 MHz, 1.1 V at
#: 500 MHz; Moons et al., DATE 2017, 40 nm). Between, an equal factor for every doubling, and no lower: a guess.
DVAFS_PRODUCTS, DVAFS_RATIO = 4, 0.75 / 1.1


def products(
    unit: MacUnit, table: EnergyTable, clock_mhz: float, mode: Mode | None, issued: int, effectual: int
) -> Products | None:
    """A layer's products under one price; None where the unit's actions are priced one by one: not asked for, no MACs,
    or no measured figures of the unit."""
    if table.mac != "unit" or mode is None or figures(unit) is None:
        return None
    vdd = table.vdd
    note = ""
    if table.dvafs:
        vdd = (NOMINAL_V if vdd is None else vdd) * dvafs_ratio(unit, mode)
        note = "; DVAFS voltage (Moons et al., DATE 2017)"
    node_nm = HOME_NM if table.node_nm is None else table.node_nm
    pj, source = unit_energy(unit, mode, clock_mhz=clock_mhz, node_nm=node_nm, vdd=vdd)
    count = effectual if unit.zero_operand_gating else issued
    return Products(f"product_{mode.name}", mode.sum_bits, count, pj, source + note)


def dvafs_ratio(unit: MacUnit, mode: Mode) -> float:
    """Supply voltage in ``mode`` over that in the widest, when the clock falls as products per cycle rise; at most as
    low as the published point."""
    faster = float(mode.macs_per_cycle / unit.modes[0].macs_per_cycle)
    return DVAFS_RATIO ** min(1.0, max(0.0, math.log(faster, DVAFS_PRODUCTS)))


def area_um2(unit: MacUnit, table: EnergyTable, clock_mhz: float) -> float | None:
    """um2 of one unit; None where it is not asked for or not known."""
    if table.mac != "unit":
        return None
    return unit_area_um2(unit, clock_mhz=clock_mhz, node_nm=table.node_nm)[0]
