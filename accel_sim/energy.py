"""Actions x table: the only place where counts become pJ. Every figure carries its source."""

import csv
import math
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

from accel_sim.accelergy.reference import SUFFIXES, Ert
from accel_sim.actions import Actions
from accel_sim.parts import require
from accel_sim.tech_scaling import logic_energy_scale
from workloads.registry import unknown

TABLES = "accel_sim.tables"
#: adders and multipliers of their own width; zero_point: subtractions and window sums of asymmetric
#: operands; decoder: one addition a code, which places it
ARITHMETIC = ("mac", "zero_point", "decoder")
#: node and voltage of the tables' logic
LOGIC_NM, NOMINAL_V = 45, 0.9
#: what a price per product of the MAC unit stands for
OF_PRODUCTS = (("mac", "mult"), ("mac", "add"))
#: register-like components: priced per bit as a register file
REGISTERS = ("register", "queue", "accumulator", "codebook")


@dataclass(frozen=True)
class EnergyTable:
    """table: name of a CSV in accel_sim/tables, or an Accelergy ERT (.yaml), which then prices every action, leakage
    included. leakage_mw_per_lane: static power of logic; None = not modelled.

    mac: 'horowitz' prices a MAC unit's multiplications and additions by the table; 'unit' prices its products by
    mac_energy (28 nm) where figures of the unit exist. node_nm, vdd: logic (never memories) is scaled to these; None =
    as the figures are. dvafs: supply voltage falls with precision at constant throughput (needs mac: unit).
    """

    table: str = "horowitz_45nm"
    leakage_mw_per_lane: float | None = None
    mac: Literal["horowitz", "unit"] = "horowitz"
    node_nm: float | None = None
    vdd: float | None = None
    dvafs: bool = False

    def __post_init__(self):
        require(self, 0, "leakage_mw_per_lane")
        if self.dvafs and self.mac != "unit":
            raise ValueError("dvafs: needs mac: unit")
        if self.ert is not None:
            if (self.mac, self.node_nm, self.vdd) != ("horowitz", None, None):
                raise ValueError("mac, node_nm and vdd cannot be given with an Accelergy ERT, which prices everything")
            return
        _ = self.logic_scale
        files = [path.name for path in resources.files(TABLES).iterdir()]
        known = sorted(name.removesuffix(".csv") for name in files if name.endswith(".csv"))
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

    @cached_property
    def rows(self) -> dict[str, dict[int, tuple[float, str]]]:
        """operation -> bits -> (pJ, source)."""
        text = resources.files(TABLES).joinpath(f"{self.table}.csv").read_text(encoding="utf-8")
        rows: dict[str, dict[int, tuple[float, str]]] = {}
        for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
            rows.setdefault(row["operation"], {})[int(row["bits"])] = (float(row["energy_pj"]), row["source"])
        return rows

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
        widths = sorted(rows)
        (low, high) = (widths[0], widths[-1])
        first, last = rows[low][0], rows[high][0]
        if operation == "add":
            return 0.0067 + 0.0029 * bits, f"law: 0.0067 + 0.0029 b pJ, fitted to int add of {self.table}"
        exponent = math.log(last / first) / math.log(high / low)
        kind = {"mult": "int mult"}.get(operation, operation)
        return first * (bits / low) ** exponent, f"law: {first} pJ x (b/{low})^{exponent:.3g}, {kind} of {self.table}"


class UnpricedError(LookupError):
    """Something is counted that nobody prices: a bug of ours, or of a plug-in."""


class Products(NamedTuple):
    """Products of one layer, priced as such. bits: of an accumulator; pj: of one product, accumulation included."""

    action: str
    bits: int
    count: int
    pj: float
    source: str


def price(
    actions: Actions,
    table: EnergyTable,
    memories: dict,
    post_pj: float | None,
    static: dict[tuple[str, str], tuple[float, str]],
    products: Products | None = None,
) -> list[tuple]:
    """Rows (component, action, bits, count, pj_each, energy_pj, source), sorted.

    memories: level -> part; static: (component, action) -> (pJ per cycle, source) for counts that are cycles;
    products: one price that takes the place of the MAC unit's multiplications and additions.
    Raises InputError for an action that the table's ERT does not name, UnpricedError for what nobody
    prices (a bug of ours, or of a plug-in).
    """
    rows = []
    for (component, action, bits), count in sorted(actions.items()):
        if products is not None and (component, action) in OF_PRODUCTS:
            continue
        try:
            each, source = _price(component, action, bits, table, memories, post_pj, static)
        except LookupError:
            known = ", ".join([*ARITHMETIC, *REGISTERS, "post", *memories])
            raise UnpricedError(
                f"action '{action}' of component '{component}' ({bits} bits) has no price (components: {known})"
            ) from None
        if component in ARITHMETIC and table.logic_scale != 1 and (component, action) not in static:
            each, source = each * table.logic_scale, f"{source}; x {table.logic_scale:.4g}, scaled logic"
        rows.append((component, action, bits, count, each, count * each, source))
    if products is not None:
        name, bits, count, each, source = products
        rows.append(("mac", name, bits, count, each, count * each, source))
    return sorted(rows, key=lambda row: row[:3])


def _price(
    component: str, action: str, bits: int, table: EnergyTable, memories: dict, post_pj: float | None, static: dict
) -> tuple[float, str]:
    """(pJ, source) of one action; LookupError for what nobody prices."""
    if table.ert is not None:
        return table.ert.price(component, action, bits)
    if (component, action) in static:
        return static[component, action]
    if (own := table.of_component(component, action, bits)) is not None:
        return own
    if component in ARITHMETIC:
        return table.arithmetic(action, bits)
    if component in REGISTERS:
        return table.per_bit("register", bits)
    if component == "post":
        return (post_pj, "given in post.pj_per_op") if post_pj is not None else table.arithmetic("add", bits)
    return memories[component].price(action, bits, table)
