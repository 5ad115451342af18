"""Energy and area of an array of 2-bit multipliers in 28 nm, component by component.

Structure (``structure.py``) x a few non-negative coefficients for each component, fitted (``fit.py``) to the published
results of KULeuven-MICAS/PSMA-benchmark (Ibrahim et al., TCAS-I 2022) and kept in tables/mac/psma_28nm.csv.
"""

import csv
from functools import cache
from importlib import resources

from accel_sim.energy.mac.structure import LEVELS, Level, Structure

TABLE = ("accel_sim.tables.mac", "psma_28nm.csv")
#: clocks of the published syntheses; between them coefficients are interpolated, beyond them the nearest holds
CLOCKS = (200, 1000)
#: a level's adders are ``group_tree`` where they join bit groups, so that all levels share its coefficients
COMPONENTS = ("mult_2x2", "group_tree", "L2_tree", "L3_tree", "L4_tree", "out_reg", "pipe_reg", "in_reg", "accum")
#: begins the source of a price for which nothing like it was measured or fitted
EXTRAPOLATED = "extrapolated"
#: component of the table whose features are the fitted designs
FITTED = "fitted"
SOURCE = "component model fitted to KULeuven-MICAS/PSMA-benchmark, 28 nm"


def features(parts: Structure, a_bits: int, w_bits: int) -> dict[str, dict[str, float]]:
    """component -> name -> quantity per cycle of the whole array that a coefficient (pJ) multiplies."""
    levels, active = parts.levels(a_bits, w_bits), parts.active(a_bits, w_bits)
    cycles, depth = parts.cycles(a_bits, w_bits), parts.outer_depth
    bits, built = parts.output_bits(a_bits, w_bits), parts.built_output_bits
    pipe = parts.pipe_bits
    found: dict[str, dict[str, float]] = {
        "mult_2x2": {f"multipliers_{parts.style}_{parts.bg}": 4096 * active},
        "out_reg": {"bits": built / cycles, "live_bits": bits / cycles, "held_bits": built * (cycles > 1)},
        "pipe_reg": {"bits": pipe, "per_cycle": pipe / cycles},
        "in_reg": {"array": 1, "bits": parts.input_bits, "deep": parts.input_bits * parts.stages},
        "accum": {
            "bits": bits / cycles, "held_bits": built * (parts.bg == "BS"), "built_bits": built / cycles,
            "joined_bits": bits * parts.joined(a_bits, w_bits), "deep_bits": bits * max(0, depth - 4) / cycles,
            "several_bits": bits * depth * (parts.group in ("HS", "IS") and parts.bg != "BS"),
        },
    }  # fmt: skip
    found["group_tree"] = {}
    for level in LEVELS:
        found[f"{level}_tree"] = {}
        found[role(parts, level)] = _tree(parts, level, levels[level], active)
    return found


def role(parts: Structure, level: str) -> str:
    """The component that a level's adders are."""
    return "group_tree" if level == parts.bg else f"{level}_tree"


def _tree(parts: Structure, level: str, made: Level, active: float) -> dict[str, float]:
    """Adders at work, those behind others more (they glitch), and what works whatever the mode.

    A tree of bit groups costs what its inputs have of bits: 16 products wide where nothing was summed before, and one
    tree for each sum that the level inside keeps apart (shared outputs: 1, half-shared: 4).
    """
    if level == parts.bg:
        trees, width = parts.group_inputs
        bits = 16 * trees * width * active
        return {
            f"inputs_{parts.style}": bits, "late_inputs": bits * (made.depth > 0),
            "inputs_HS": bits * (parts.group == "HS"), "adder_bits": made.adder_bits,
        }  # fmt: skip
    if parts.bg in LEVELS and level < parts.bg:
        place = "inner"
    elif parts.bg == "BS":
        place = "serial"
    else:
        place = {"HS": "half", "IS": "split", "NO": "apart"}.get(parts.group, "single")
    return {f"{place}_bits": made.adder_bits, "deep_bits": made.adder_bits * made.depth}


def area_features(parts: Structure) -> dict[str, float]:
    """Quantities that a coefficient in um2 multiplies."""
    wide = parts.levels(8, 8)
    narrow = parts.levels(2, 2)
    return {
        "multipliers": 4096,
        f"group_{parts.style}_{parts.bg}": 256,
        "shared": 256 * (parts.group == "HS"),
        "split": 256 * (parts.group == "IS"),
        "adder_bits": sum(max(wide[level].adder_bits, narrow[level].adder_bits) for level in LEVELS),
        "output_bits": parts.built_output_bits,
        "input_bits": parts.input_bits,
        "deep_input_bits": parts.input_bits * parts.stages,
    }


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = resources.files(TABLE[0]).joinpath(TABLE[1]).read_text(encoding="utf-8")
    return tuple(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def coefficients() -> dict[tuple[str, str], tuple[float, float]]:
    """(component, feature) -> its value at each of CLOCKS."""
    return {
        (r["component"], r["feature"]): (float(r["at_200_mhz"]), float(r["at_1000_mhz"]))
        for r in _rows() if r["component"] != FITTED
    }  # fmt: skip


@cache
def fitted() -> frozenset[Structure]:
    """The designs that the coefficients were fitted to."""
    names = (r["feature"].split(" ") for r in _rows() if r["component"] == FITTED)
    return frozenset(Structure(style, bg, tuple(sharing.split("/"))) for style, bg, sharing in names)


def array_source(style: str, bg: str, sharing: tuple[str, ...]) -> str:
    """Where a design's figures come from: fitted to it, to others of its kind, or to none (``EXTRAPOLATED``).

    Kind: style, level and sharing of the bit groups, sharing of L2. ValueError for a design that does not exist.
    """
    parts = Structure(style, bg, tuple(sharing))
    name = f"{SOURCE}: {parts.name}"
    if parts in fitted():
        return name
    if parts.kind in {other.kind for other in fitted()}:
        return f"{name}, which is not among the fitted designs"
    return f"{EXTRAPOLATED}: no design with {parts.kind_text} was fitted; {name}"


def _value(component: str, feature: str, clock_mhz: float, table: dict) -> float:
    slow, fast = table[component, feature]
    share = min(1.0, max(0.0, (clock_mhz - CLOCKS[0]) / (CLOCKS[1] - CLOCKS[0])))
    return slow + share * (fast - slow)


def array_energy(
    style: str, bg: str, sharing: tuple[str, ...], a_bits: int, w_bits: int, clock_mhz: float,
    table: dict | None = None,
) -> dict[str, float]:  # fmt: skip
    """component -> pJ per MAC. sharing: of (L4, L3, L2); table: coefficients other than the shipped ones.

    a_bits, w_bits: 2, 4 or 8. ValueError for a design or a width that does not exist.
    """
    if not {a_bits, w_bits} <= {2, 4, 8}:
        raise ValueError(f"operands of {a_bits} x {w_bits} bits: the model takes 2, 4 and 8")
    parts, table = Structure(style, bg, tuple(sharing)), coefficients() if table is None else table
    macs = parts.macs_per_cycle(a_bits, w_bits)
    return {
        component: sum(_value(component, name, clock_mhz, table) * amount for name, amount in rows.items()) / macs
        for component, rows in features(parts, a_bits, w_bits).items()
    }


def array_area_um2(style: str, bg: str, sharing: tuple[str, ...], clock_mhz: float, table: dict | None = None) -> float:
    """um2 of the whole array of 4096 multipliers of 2 x 2 bits."""
    parts, table = Structure(style, bg, tuple(sharing)), coefficients() if table is None else table
    return sum(_value("area", name, clock_mhz, table) * amount for name, amount in area_features(parts).items())
