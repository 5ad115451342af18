"""Fits the component model to the published arrays: ``python -m accel_sim.energy.mac.fit REFERENCE.csv OUT.csv``."""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from accel_sim.energy.mac.nnls import nnls
from accel_sim.energy.mac.psma import CLOCKS, COMPONENTS, FITTED, area_features, features, role
from accel_sim.energy.mac.structure import LEVELS, Structure

HEADER = (
    "# coefficients of accel_sim.energy.mac.psma in 28 nm: pJ (area: um2) of one unit of the feature, at two clocks.\n"
    "# Fitted by accel_sim.energy.mac.fit (non-negative least squares, errors relative to a design's whole energy or\n"
    "# area) to the published results of KULeuven-MICAS/PSMA-benchmark (Ibrahim et al., TCAS-I 2022).\n"
    "# Rows `fitted` name the designs, with their rows at each clock.\n"
)


def read(path: Path) -> pd.DataFrame:
    """A row per measured design; lines that begin with # are comments."""
    return pd.read_csv(path, comment="#")


def structure(row) -> Structure:
    """Of one row of the table."""
    return Structure(row.style, row.bg, (row.l4, row.l3, row.l2))


def fit(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float]]:
    """(component, feature) -> coefficient at each clock; features that no row shows are 0."""
    slow, fast = (_at_clock(frame[frame.freq_mhz == clock]) for clock in CLOCKS)
    return {key: (slow.get(key, 0.0), fast.get(key, 0.0)) for key in slow | fast}


def _at_clock(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    rows = list(frame.itertuples())
    modes = [tuple(int(bits) for bits in row.prec.split("x")) for row in rows]
    made = [features(structure(row), *mode) for row, mode in zip(rows, modes, strict=True)]
    found: dict[tuple[str, str], float] = {}
    for component in COMPONENTS:
        cycle = [2e-3 * _measured(row, component) * row.macs_per_cycle for row in rows]
        whole = [row.energy_pj_per_mac * row.macs_per_cycle for row in rows]
        found |= _solve(component, [features[component] for features in made], cycle, whole)
    designs = list(frame.drop_duplicates(["style", "bg", "l4", "l3", "l2"]).itertuples())
    areas = [row.area_um2 for row in designs]
    return found | _solve("area", [area_features(structure(row)) for row in designs], areas, areas)


def _measured(row, component: str) -> float:
    """fJ an operation of a component; slightly negative ones are rounding."""
    if not component.endswith("_tree"):
        return max(0.0, getattr(row, f"fj_op_{component}"))
    parts = structure(row)
    return sum(max(0.0, getattr(row, f"fj_op_{level}_tree")) for level in LEVELS if role(parts, level) == component)


def _solve(component: str, rows: list[dict], target: Iterable[float], whole: Iterable[float]) -> dict:
    """Errors count relative to ``whole``."""
    names = sorted({name for row in rows for name in row})
    weights = 1 / np.array(list(whole))
    matrix = np.array([[row.get(name, 0.0) for name in names] for row in rows]) * weights[:, None]
    values = nnls(matrix, np.array(list(target)) * weights)
    return {(component, name): float(value) for name, value in zip(names, values, strict=True)}


def designs(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """(FITTED, name) of every design -> rows of it at each clock."""
    names = pd.Series([structure(row).name for row in frame.itertuples()], index=frame.index)
    found = {}
    for name, rows in frame.groupby(names):
        slow, fast = (int((rows.freq_mhz == clock).sum()) for clock in CLOCKS)
        found[FITTED, name] = slow, fast
    return found


def write(table: dict, path: Path) -> None:
    """The fitted table, pJ (area: um2) at both clocks, a line each, sorted."""
    rows = (f"{c},{name},{slow:.9g},{fast:.9g}\n" for (c, name), (slow, fast) in sorted(table.items()))
    path.write_text(HEADER + "component,feature,at_200_mhz,at_1000_mhz\n" + "".join(rows), encoding="utf-8")


def main(reference: Path, out: Path) -> None:
    """The table of a reference file, written to ``out``."""
    measured = read(reference)
    write(fit(measured) | designs(measured), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
