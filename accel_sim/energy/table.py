"""Actions x table: the only place where counts become pJ. Every figure carries its source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from accel_sim.energy import energy_rows, registers
from accel_sim.energy.accelergy import SUFFIXES, Ert
from accel_sim.energy.registers import REGISTERS
from accel_sim.energy.tech_scaling import logic_energy_scale
from accel_sim.memories.memory import Priced
from accel_sim.values.actions import Actions
from accel_sim.values.checks import require
from workloads.registry import InputError, unknown

#: adders and multipliers of their own width; zero_point: subtractions and window sums of asymmetric
#: operands; decoder: one addition a code, which places it
ARITHMETIC = ("mac", "zero_point", "decoder")
#: node and voltage of the tables' logic
LOGIC_NM, NOMINAL_V = 45, 0.9
#: node of the figures of whole MAC units (mac_energy), at the same voltage
UNIT_NM = 28
#: actions that count cycles of static power
STATIC = ("leakage", "background")
#: what a price of the MAC unit's products stands for: its arithmetic and the registers that its sums stay in
OF_PRODUCTS = frozenset(
    {("mac", "mult"), ("mac", "add"), ("register", "read"), ("register", "write"), ("accumulator", "read"),
     ("accumulator", "write")}
)  # fmt: skip
#: the same, and the registers in which operands and sums move on
OF_CYCLES = OF_PRODUCTS | {("register", "hop")}


@dataclass(frozen=True)
class EnergyTable:
    """table: name of a CSV in accel_sim/tables, or an Accelergy ERT (.yaml), which then prices every action, leakage
    included. leakage_mw_per_mm2: static power of the MAC units' area; None = that of a synthesised unit
    (mac_energy.pricing), 0 = none. leakage_mw_per_lane: of a lane, in its place.

    mac: 'horowitz' prices a MAC unit's multiplications and additions by the table; 'unit' prices its products by
    mac_energy (28 nm) where figures of the unit exist. node_nm, vdd: logic (never memories) is scaled to these; None =
    as the figures are. dvafs: supply voltage falls with precision at constant throughput (needs mac: unit).
    """

    table: str = "horowitz_45nm"
    leakage_mw_per_mm2: float | None = None
    leakage_mw_per_lane: float | None = None
    mac: Literal["horowitz", "unit"] = "horowitz"
    node_nm: float | None = None
    vdd: float | None = None
    dvafs: bool = False

    def __post_init__(self) -> None:
        require(self, 0, "leakage_mw_per_mm2", "leakage_mw_per_lane")
        if self.leakage_mw_per_mm2 is not None and self.leakage_mw_per_lane is not None:
            raise ValueError("leakage_mw_per_mm2 and leakage_mw_per_lane: expected one of the two")
        if self.dvafs and self.mac != "unit":
            raise ValueError("dvafs: needs mac: unit")
        if self.ert is not None:
            if (self.mac, self.node_nm, self.vdd) != ("horowitz", None, None):
                raise ValueError("mac, node_nm and vdd cannot be given with an Accelergy ERT, which prices everything")
            return
        _ = self.logic_scale
        known = list(energy_rows.names())
        if self.table not in known:
            raise ValueError(f"{unknown('energy table', self.table, known)}; or give an Accelergy ERT (.yaml)")

    @cached_property
    def ert(self) -> Ert | None:
        """The ERT that ``table`` is the path of; InputError if it is none."""
        return Ert.read(Path(self.table)) if self.table.endswith(SUFFIXES) else None

    @cached_property
    def logic_scale(self) -> float:
        """What the table's logic (45 nm) is multiplied by; ValueError for a node or voltage outside the scaling."""
        if (self.node_nm, self.vdd) == (None, None):
            return 1.0
        to = LOGIC_NM if self.node_nm is None else self.node_nm, NOMINAL_V if self.vdd is None else self.vdd
        return logic_energy_scale(LOGIC_NM, NOMINAL_V, *to)

    @property
    def files(self) -> dict[str, str]:
        """What the figures were read from beside our own tables: name -> sha256."""
        return {} if self.ert is None else {Path(self.table).name: self.ert.sha256}

    @property
    def rows(self) -> Mapping[str, dict[int, tuple[float, str]]]:
        """operation -> bits -> (pJ, source)."""
        return energy_rows.prices(self.table)

    def area_um2(self, operation: str, bits: int) -> float:
        """um2 of an adder or multiplier at the table's node; widths it lacks follow laws as their energies do."""
        return energy_rows.area_um2(self.table, operation, bits)

    def per_bit(self, operation: str, bits: int) -> tuple[float, str]:
        """(pJ, source) of an access of ``bits``, linear in the width of the table's row."""
        ((width, (energy, source)),) = self.rows[operation].items()
        return energy * bits / width, source if bits == width else f"{source}; per bit"

    def of_component(self, component: str, action: str, bits: int) -> tuple[float, str] | None:
        """(pJ, source) where the table prices this component's action itself, per bit; a ``fill`` is a write, a
        ``drain`` a read."""
        action = {"fill": "write", "drain": "read"}.get(action, action)
        operation = f"{component}.{action}"
        return self.per_bit(operation, bits) if operation in self.rows else None

    def arithmetic(self, operation: str, bits: int) -> tuple[float, str]:
        """(pJ, source) of an adder or multiplier; a width the table lacks follows the law through its rows.

        add: linear, 0.0067 + 0.0029 b pJ (least squares through the table's rows); mult: power law through its ends;
        float_add, float_mult: the same in significant bits (a guess).
        """
        rows = self.rows[operation]
        if bits in rows:
            return rows[bits]
        if operation == "add":
            return 0.0067 + 0.0029 * bits, f"law: 0.0067 + 0.0029 b pJ, fitted to int add of {self.table}"
        energy, law = energy_rows.power_law({width: pj for width, (pj, _) in rows.items()}, bits)
        kind = {"mult": "int mult"}.get(operation, operation)
        return energy, f"law: {law.format('pJ')}, {kind} of {self.table}"


def _priced(table: EnergyTable, memories: Iterable[str]) -> str:
    kinds = sorted(kind for kind in table.rows if kind.removeprefix("float_") in ("add", "mult"))
    known = [*(f"mac.{kind}" for kind in kinds), *REGISTERS, "post", *memories]
    return f" (known: {', '.join(known)})"


class Products(NamedTuple):
    """What a layer's MAC units did, under one price. bits: of an accumulator; number: of actions; pj: of one of them;
    replaces: actions (component, action) that it stands for; files of sums (see ``price``) are never among them."""

    action: str
    bits: int
    number: int
    pj: float
    source: str
    replaces: frozenset[tuple[str, str]] = OF_PRODUCTS


def price(
    actions: Actions,
    table: EnergyTable,
    memories: Mapping[str, Priced],
    post_pj: float | None,
    static: dict[tuple[str, str], tuple[float, str]],
    products: Products | None = None,
    file_words: Mapping[str, int] = MappingProxyType({}),
) -> list[tuple]:
    """Rows (component, action, bits, count, pj_each, energy_pj, source), sorted.

    memories: level -> part; static: (component, action) -> (pJ per cycle, source) for counts that are cycles;
    products: one price that takes the place of the MAC unit's own actions. file_words: words of a component of
    REGISTERS that is a register file; the others are single registers.
    Raises InputError for an action that the table's ERT does not name, or a component nobody prices.
    """
    rows = []
    for (component, action, bits), count in sorted(actions.items()):
        if products is not None and (component, action) in products.replaces and component not in file_words:
            continue
        if table.ert is not None:
            each, source = table.ert.price(component, action, bits)
        elif (component, action) in static:
            each, source = static[component, action]
        elif (own := table.of_component(component, action, bits)) is not None:
            each, source = own
        elif component in ARITHMETIC and action in table.rows:
            each, source = table.arithmetic(action, bits)
        elif component in REGISTERS:
            words = file_words.get(component, 1)
            each, source = registers.price(action, bits, words, table.per_bit("flip_flop", bits), table.logic_scale)
        elif component == "post":
            given = None if post_pj is None else (post_pj, "given in post.pj_per_op")
            each, source = given or table.arithmetic("add", bits)
        elif component in memories:
            each, source = memories[component].price(action, bits, table)
        else:
            raise InputError(f"nothing prices {component}.{action} of {bits} bits{_priced(table, memories)}")
        logic = component in ARITHMETIC or (component == "post" and post_pj is None)
        if logic and table.logic_scale != 1 and table.ert is None and (component, action) not in static:
            each, source = each * table.logic_scale, f"{source}; x {table.logic_scale:.4g}, scaled logic"
        rows.append((component, action, bits, count, each, count * each, source))
    if products is not None:
        name, bits, count, each, source, _ = products
        rows.append(("mac", name, bits, count, each, count * each, source))
    return sorted(rows, key=lambda row: row[:3])
