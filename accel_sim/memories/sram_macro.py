"""Energy, leakage, area and access time of one SRAM macro, between the points at which CACTI 7.0 was run."""

import csv
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from workloads.registry import unknown

TABLE = ("accel_sim.tables.sram", "sram_cacti7.csv")
#: quantity -> column of the table, and its factor to our unit
COLUMNS = {
    "read_pj": ("read_pJ", 1),
    "write_pj": ("write_pJ", 1),
    "leakage_mw": ("leak_mW_total", 1),
    "area_um2": ("area_mm2", 1_000_000),
    "access_ns": ("access_ns", 1),
}
#: may not fall as the word gets wider; the rest may, as CACTI's do: a wider word makes a shallower array
IN_WIDTH = ("read_pj", "write_pj")
#: digits that survive logarithms: equal figures give exactly this figure between them
DIGITS = 12

#: (capacity in bytes, bits of a word)
Place = tuple[float, float]


@dataclass(frozen=True)
class Macro:
    """One array with its ports: read_pj, write_pj of a whole word; source: where the figures come from."""

    read_pj: float
    write_pj: float
    leakage_mw: float
    area_um2: float
    access_ns: float
    source: str


@lru_cache(maxsize=4096)
def find(
    capacity_bytes: float, word_bits: int, *, node_nm: int = 45, cell: str = "itrs-lstp", ports: str = "1rw"
) -> Macro:
    """The macro of this size: a row of the table, or log-log interpolated between the nearest rows.

    All figures grow with capacity, energies with width too; a row that says otherwise is raised to the largest figure
    of any smaller macro (the source says so). Raises ValueError, in one line, for a node, cell type or port that the
    table lacks, and for a size outside it with the nearest possible one. Nothing is extrapolated.
    """
    grid = family(node_nm, cell, ports)
    name = f"CACTI 7.0, {node_nm} nm, {cell}, {ports}"
    weights = grid.weights(capacity_bytes, word_bits)
    if weights is None:
        wanted, nearest = size((capacity_bytes, word_bits)), size(grid.nearest(capacity_bytes, word_bits))
        raise ValueError(f"no SRAM macro of {wanted} in the table ({name}); nearest possible size: {nearest}")
    return Macro(**grid.at(weights), source=f"{name}: {grid.story((capacity_bytes, word_bits), weights)}")


def size(place: Place) -> str:
    """As ``96 B x 24 b``."""
    capacity, width = place
    return f"{capacity:.10g} B x {width:.10g} b"


@cache
def families() -> dict[tuple[int, str, str], "Grid"]:
    """(node in nm, cell type, ports) -> its macros of one bank."""
    text = resources.files(TABLE[0]).joinpath(TABLE[1]).read_text(encoding="utf-8")
    found: dict[tuple[int, str, str], dict[Place, dict[str, float]]] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        if int(row["banks"]) == 1:  # banks inside a macro share its ports: they are not banks to us
            key = int(row["node_nm"]), row["cell_type"], row["ports"]
            figures = {name: rounded(float(row[column]) * unit) for name, (column, unit) in COLUMNS.items()}
            found.setdefault(key, {})[int(row["capacity_B"]), int(row["width_bits"])] = figures
    return {key: Grid.of(rows) for key, rows in found.items()}


def family(node_nm: int, cell: str, ports: str) -> "Grid":
    """The macros of one kind; ValueError naming what the table does not have."""
    nodes, cells, port_kinds = (sorted(set(names)) for names in zip(*families(), strict=True))
    if node_nm not in nodes:
        raise ValueError(f"node_nm={node_nm} must be one of {', '.join(map(str, nodes))}")
    for field, value, known in (("cell", cell, cells), ("ports", ports, port_kinds)):
        if value not in known:
            raise unknown(field, value, known)
    if (node_nm, cell, ports) not in families():
        kinds = ", ".join(f"{node} nm {kind} {port}" for node, kind, port in sorted(families()))
        raise ValueError(f"the SRAM table has no {node_nm} nm {cell} {ports} (it has {kinds})")
    return families()[node_nm, cell, ports]


@dataclass(frozen=True)
class Grid:
    """Macros of one kind, by (bytes, bits). raw: as tabulated; values: quantity -> what interpolation goes through."""

    raw: Mapping[Place, Mapping[str, float]]
    values: Mapping[str, Mapping[Place, float]]

    @staticmethod
    def of(raw: Mapping[Place, Mapping[str, float]]) -> "Grid":
        """raw: place -> its figures, of the quantities of COLUMNS."""
        columns = {name: {place: figures[name] for place, figures in raw.items()} for name in COLUMNS}
        return Grid(raw, {name: monotone(column, name in IN_WIDTH) for name, column in columns.items()})

    @property
    def places(self) -> Iterable[Place]:
        """Tabulated and bridged ones."""
        return self.values["read_pj"].keys()

    def row(self, width: float) -> list[float]:
        """Capacities of a tabulated width, in order."""
        return sorted(capacity for capacity, bits in self.places if bits == width)

    @property
    def widths(self) -> list[float]:
        """Word widths of the grid's macros, ascending."""
        return sorted({width for _, width in self.places})

    def weights(self, capacity: float, width: float) -> dict[Place, float] | None:
        """place -> its share in the logarithm of a figure; None outside the table.

        Bilinear in a cell of four macros. Where the widest word at the smaller capacity is missing (so few words that
        CACTI found no array), the triangle of the other three is still inside.
        """
        capacities = sorted({capacity for capacity, _ in self.places})
        of_capacity, of_width = bracket(capacities, capacity), bracket(self.widths, width)
        if of_capacity is None or of_width is None:
            return None
        (small, large, x), (narrow, wide, y) = of_capacity, of_width
        corners = [
            ((small, narrow), (1 - x) * (1 - y)), ((large, narrow), x * (1 - y)), ((small, wide), (1 - x) * y),
            ((large, wide), x * y),
        ]  # fmt: skip
        if (small, wide) not in self.places:
            if y - x > 1e-12:
                return None
            corners = [((small, narrow), 1 - x), ((large, narrow), max(0.0, x - y)), ((large, wide), y)]
        shares = {place: share for place, share in corners if share > 1e-12}
        return shares if shares.keys() <= set(self.places) else None

    def at(self, weights: Mapping[Place, float]) -> dict[str, float]:
        """quantity -> figure of a weighted mean of logarithms."""
        if len(weights) == 1:
            (place,) = weights
            return {name: values[place] for name, values in self.values.items()}
        return {
            name: rounded(math.exp(sum(share * math.log(values[place]) for place, share in weights.items())))
            for name, values in self.values.items()
        }

    def nearest(self, capacity: float, width: float) -> Place:
        """The size in the table that takes the least change: of the width first, then of the capacity."""
        bits = min(max(width, self.widths[0]), self.widths[-1])
        narrow, wide, y = _between(self.widths, bits)
        low, high = self.row(narrow), self.row(wide)
        least = math.ceil(round(low[0] * (high[0] / low[0]) ** y, 6))  # along the edge of the triangle
        return min(max(capacity, least), low[-1], high[-1]), bits

    def story(self, place: Place, weights: Mapping[Place, float]) -> str:
        """How a figure came about, for its source."""
        near = [size(at) for at in sorted(weights)]
        words = f"{near[0]} tabulated" if len(near) == 1 else f"{size(place)} interpolated between {', '.join(near)}"
        bridged = [size(at) for at in sorted(weights) if at not in self.raw]
        if bridged == near:
            words = f"{near[0]} interpolated over capacity, not tabulated"
        elif bridged:
            words += f" ({', '.join(bridged)} not tabulated: interpolated over capacity)"
        raised = [
            f"{name} of {size(at)} raised from {self.raw[at][name]:g}"
            for at in sorted(weights) if at in self.raw
            for name in COLUMNS if self.values[name][at] != self.raw[at][name]
        ]  # fmt: skip
        return words + (f"; running max: {', '.join(raised)}" if raised else "")


def bracket(steps: list[float], value: float) -> tuple[float, float, float] | None:
    """(last step <= value, first step >= value, share of the way between in logarithms); None outside."""
    return _between(steps, value) if steps[0] <= value <= steps[-1] else None


def _between(steps: list[float], value: float) -> tuple[float, float, float]:
    low, high = max(step for step in steps if step <= value), min(step for step in steps if step >= value)
    return low, high, 0.0 if low == high else math.log(value / low) / math.log(high / low)


def monotone(column: Mapping[Place, float], in_width: bool) -> dict[Place, float]:
    """A column raised to its running maximum over capacity (and width), holes inside a row of capacities filled.

    A hole lies on the log-log line between its neighbours over capacity, but no figure is raised for its sake.
    """
    low = _running(max, column, in_width, 1)
    lifted = {place: low[place] for place in column}
    high = _running(min, lifted, in_width, -1)
    whole = dict(lifted)
    for width in {width for _, width in column}:
        row = sorted(capacity for capacity, bits in column if bits == width)
        for capacity in {capacity for capacity, _ in column} - set(row):
            if (ends := bracket(row, capacity)) is not None:
                small, large, x = ends
                between = rounded(lifted[small, width] ** (1 - x) * lifted[large, width] ** x)
                whole[capacity, width] = min(max(between, low[capacity, width]), high[capacity, width])
    both = _running(max, whole, in_width, 1)
    return {place: both[place] for place in whole}


def _running(
    pick: Callable[[list[float]], float], column: Mapping[Place, float], in_width: bool, way: int
) -> dict[Place, float]:
    """At every place of the grid: ``pick`` of what lies there or before it, going up (way=1) or down (-1)."""
    capacities, widths = (sorted({place[axis] for place in column})[::way] for axis in (0, 1))
    found: dict[Place, float] = {}
    for i, capacity in enumerate(capacities):
        for j, width in enumerate(widths):
            smaller = found.get((capacities[i - 1], width)) if i else None
            narrower = found.get((capacity, widths[j - 1])) if j and in_width else None
            known = [figure for figure in (column.get((capacity, width)), smaller, narrower) if figure is not None]
            if known:
                found[capacity, width] = pick(known)
    return found


def rounded(figure: float) -> float:
    """A figure with as many digits as the table prints."""
    return float(f"{figure:.{DIGITS}g}")
