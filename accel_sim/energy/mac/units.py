"""Energy of a MAC and area of a unit, for every registered unit: one table says where its figures come from.

Figures are those of 28 nm at 0.9 V (fallback: 45 nm at 0.9 V) unless a node or a voltage is asked for. Input registers
are not in them: the simulator counts operand registers apart. A source that begins with EXTRAPOLATED says that no
figure was measured or fitted for such a unit.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from accel_sim.energy.mac import psma, toggle
from accel_sim.energy.mac.psma import EXTRAPOLATED
from accel_sim.energy.table import LOGIC_NM, NOMINAL_V, UNIT_NM, EnergyTable
from accel_sim.energy.tech_scaling import area_scale, logic_energy_scale
from accel_sim.macs.unit import MacUnit, Mode, macs
from workloads.registry import InputError

CONVENTIONAL = "data-gated conventional"
#: products summed before the accumulator -> sharing of (L4, L3)
REDUCTIONS = {1: ("IS", "IS"), 4: ("HS", "IS"), 16: ("IS", "OS"), 64: ("HS", "OS"), 256: ("OS", "OS")}


class Row(NamedTuple):
    """Of the toggle table; mirrored: its activations are weights.

    like: the measured unit that one of other widths is scaled from, by the width laws of both units' components; None =
    the unit itself was measured.
    """

    name: str
    mirrored: bool = False
    like: MacUnit | None = None


class Shared(NamedTuple):
    """Among the PSMA arrays; group: sharing of L2."""

    group: str

    def sharing(self, reduction_width: int) -> tuple[str, str, str]:
        """Of (L4, L3, L2), where so many units' sums meet before an accumulator."""
        return (*REDUCTIONS[reduction_width], self.group)


#: where a unit's figures are
Figures = Row | Shared


def _conventional(unit) -> Row:
    measured = (unit.activation_bits, unit.weight_bits) == (8, 8)
    return Row(CONVENTIONAL, like=None if measured else macs.get("conventional")())


def _subword(unit) -> Row | None:
    names = {
        ("apart", 1): "SWP SA 1-level (DVAFS)", ("apart", 2): "SWP SA 2-level (DVAFS)",
        ("together", 2): toggle.COMMON,
    }  # fmt: skip
    name = names.get((unit.sharing, unit.levels))
    return _row(name) if unit.max_bits == 8 and name is not None else None


def _divide_conquer(unit) -> Figures | None:
    if unit.max_bits != 8:
        return None
    if (unit.dimensions, unit.levels) == (2, 2):
        return Shared("OS" if unit.sharing == "together" else "IS")
    suffix = " (BitFusion)" if unit.dimensions == 2 else ""
    return _row(f"{unit.dimensions}D D&C ST {unit.levels}-level{suffix}") if unit.sharing == "together" else None


def _serial(unit) -> Row | None:
    """1D serial; whichever operand is serial takes the place of the table's weights."""
    name = f"1D {unit.digit_bits}-bit serial"
    figures = _row(f"{name} (UNPU)" if unit.digit_bits == 1 else name)
    return figures and figures._replace(mirrored=unit.serial == "activations", like=_of_8_bits(unit))


def _serial_2d(unit) -> Row | None:
    """With digits of 8 bits a step is a product of the conventional unit."""
    if unit.digit_bits == 8:
        return Row(CONVENTIONAL, like=macs.get("conventional")())
    figures = _row(f"2D {unit.digit_bits}-bit serial (Loom)")
    return figures and figures._replace(like=_of_8_bits(unit))


def _of_8_bits(unit) -> MacUnit | None:
    """The same unit as it was measured; None if this is it."""
    measured = (unit.activation_bits, unit.weight_bits) == (8, 8)
    return None if measured else replace(unit, activation_bits=8, weight_bits=8)


def _row(name: str) -> Row | None:
    return Row(name) if name in toggle.table() else None


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
    find = UNITS.get(unit_name(unit))
    return None if find is None else find(unit)


def unit_name(unit: MacUnit) -> str:
    """As it is registered; of one that is not, its class."""
    return next((name for name, part in macs.items() if part is type(unit)), type(unit).__name__)


def unit_energy(
    unit: MacUnit, mode: Mode, *, reduction_width: int = 1, clock_mhz: float = 200, node_nm: float | None = None,
    vdd: float | None = None,
) -> tuple[float, str]:  # fmt: skip
    """(pJ per MAC, source). reduction_width: units whose sums meet before an accumulator (divide and conquer: 1, 4,
    16, 64, 256); node_nm, vdd: scale logic (None = as the figures are). InputError for a width or node there is not."""
    found = figures(unit)
    if reduction_width not in REDUCTIONS:
        raise InputError(f"reduction_width={reduction_width} must be one of {', '.join(map(str, REDUCTIONS))}")
    if found is None:
        tabled = None
    elif isinstance(found, Shared):
        tabled = _of_array(mode, found.sharing(reduction_width), clock_mhz)
    elif found.like is not None:
        tabled = _scaled(unit, mode, found.like, clock_mhz)
    else:
        tabled = _tabled(unit, mode, found, clock_mhz)
    (energy, source), home = (_by_laws(unit, mode), LOGIC_NM) if tabled is None else (tabled, UNIT_NM)
    node, volt = home if node_nm is None else node_nm, NOMINAL_V if vdd is None else vdd
    if (node, volt) != (home, NOMINAL_V):
        energy *= logic_energy_scale(home, NOMINAL_V, node, volt)
        source += f"; {home} nm {NOMINAL_V} V to {node:g} nm {volt:g} V: Stillmaker and Baas"
    return energy, source


def _of_array(mode: Mode, sharing: tuple[str, str, str], clock_mhz: float) -> tuple[float, str]:
    parts = psma.array_energy("FU", "L2", sharing, mode.activation_bits, mode.weight_bits, clock_mhz)
    return sum(parts.values()) - parts["in_reg"], f"{psma.array_source('FU', 'L2', sharing)}; no input registers"


def _tabled(unit: MacUnit, mode: Mode, found: Row, clock_mhz: float) -> tuple[float, str] | None:
    """From ratios; None for a mode that is not tabulated and cannot be scaled to."""
    ratios = toggle.table()[found.name][1]
    bits = (mode.activation_bits, mode.weight_bits)[:: -1 if found.mirrored else 1]
    name = "{}x{}".format(*bits)
    source = f"{toggle.SOURCE}, '{found.name}' {toggle.ANCHOR}"
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


def _scaled(unit: MacUnit, mode: Mode, like: MacUnit, clock_mhz: float) -> tuple[float, str]:
    """A measured unit's energy at its full width x what the width laws say of both units' components."""
    full = like.modes[0]
    energy, source = unit_energy(like, full, clock_mhz=clock_mhz)
    ratio = _plain_laws(unit, mode) / _plain_laws(like, full)
    return energy * ratio, f"{EXTRAPOLATED}: {mode.name} by the width laws of its components from {full.name}; {source}"


def _plain(unit: MacUnit) -> MacUnit:
    """With accumulators of the measured units' kind, a product and 4 bits."""
    return replace(unit, accumulator_bits=None, headroom_bits=4)


def _plain_laws(unit: MacUnit, mode: Mode) -> float:
    plain = _plain(unit)
    return _by_laws(plain, next(other for other in plain.modes if other.name == mode.name))[0]


def _by_laws(unit: MacUnit, mode: Mode) -> tuple[float, str]:
    """Multipliers and adders of the unit's components by Horowitz's width laws, 45 nm; registers are not in it."""
    parts, table = unit.components(mode), EnergyTable()
    step = sum(
        number * table.arithmetic("mult", min(a, w))[0] * max(a, w) / min(a, w) for number, a, w in parts["multipliers"]
    )
    step += sum(number * table.arithmetic("add", bits)[0] for _, number, bits in parts["adders"])
    number, bits = parts["accumulators"]
    whole = step * parts["cycles"] + number * table.arithmetic("add", bits)[0]
    source = f"{EXTRAPOLATED}: components x width laws of {table.table}, no registers"
    return whole / (mode.reduction * mode.outputs), source


def unit_area_um2(
    unit: MacUnit, *, reduction_width: int = 1, shared: int = 1, clock_mhz: float = 200, node_nm: float | None = None
) -> tuple[float, str]:  # fmt: skip
    """(um2 of one unit without input registers of its own, source). reduction_width: as of ``unit_energy``; shared:
    units whose products an adder tree brings to one accumulator, of which each counts its part."""
    found, home = figures(unit), UNIT_NM
    if found is None:
        home, source = LOGIC_NM, f"{EXTRAPOLATED}: components and accumulators x width laws of {EnergyTable().table}"
        area = _area_by_laws(unit)
    elif isinstance(found, Shared):
        sharing = found.sharing(reduction_width)
        area = psma.array_area_um2("FU", "L2", sharing, clock_mhz) / toggle.UNITS_IN_ARRAY
        source = f"{psma.array_source('FU', 'L2', sharing)}; a 256th"
    elif found.like is not None:
        area, source = unit_area_um2(found.like, clock_mhz=clock_mhz)
        area *= _area_by_laws(_plain(unit)) / _area_by_laws(_plain(found.like))
        source = f"{EXTRAPOLATED}: from {found.like.modes[0].name} by the width laws of its components; {source}"
    else:
        area = toggle.table()[found.name][0] * toggle.conventional_um2(clock_mhz)
        source = f"{toggle.SOURCE}, '{found.name}' {toggle.ANCHOR}"
    if shared > 1:
        area *= _area_by_laws(unit, shared) / _area_by_laws(unit)
        source += f"; {shared} units to an accumulator by the width laws"
    return area * area_scale(home, UNIT_NM if node_nm is None else node_nm), source


def _area_by_laws(unit: MacUnit, shared: int = 1) -> float:
    """um2 at 45 nm of the components of the mode that needs most, and of the flip-flops of all accumulators."""
    table = EnergyTable()
    flip_flops = table.area_um2("flip_flop", 1) * unit.accumulator_register_bits
    if not unit.modes:  # floating point: its actions name its parts
        return sum(table.area_um2(action, bits) for _, action, bits in unit.actions(1, 1)) + flip_flops
    inner, sums, tree = zip(*(_mode_areas(unit, mode, table) for mode in unit.modes), strict=True)
    return max(inner) + (max(sums) + flip_flops + (shared - 1) * max(tree)) / shared


def _mode_areas(unit: MacUnit, mode: Mode, table: EnergyTable) -> tuple[float, float, float]:
    """um2 of multipliers and adders, of the accumulators' adders, of an adder that joins two units' products."""
    parts = unit.components(mode)
    inner = sum(
        number * table.area_um2("mult", min(a, w)) * max(a, w) / min(a, w) for number, a, w in parts["multipliers"]
    )
    inner += sum(number * table.area_um2("add", bits) for _, number, bits in parts["adders"])
    number, bits = parts["accumulators"]
    return inner, number * table.area_um2("add", bits), number * table.area_um2("add", max(1, mode.product_bits))
