"""Energy and area of logic in another node or at another voltage (Stillmaker and Baas, Integration 2017).

Energy goes with a V^2 + b V + c of the node; between two nodes of the table the factors are interpolated in the node's
length (ours: 28 nm is not tabulated). Memories never scale with this: their bit cells shrink by far less than logic.
"""

import csv
from functools import cache
from importlib import resources

import numpy as np

from workloads.registry import InputError

#: the longest path of a MAC unit in delays of a gate that drives four like it (FO4), and such a delay in ps a nm of
#: node (the rule of 360 ps a um of drawn gate length): guesses. They put 45 nm at 1,543 MHz and 28 nm at 2,480 MHz;
#: designs of the field run there at 500 (BitFusion, EIE 800) and 700 (TPU v1; PSMA's arrays were synthesised to 1,000).
PATH_FO4, FO4_PS_PER_NM = 40, 0.36
#: V; no logic of these nodes is run above (a guess: the paper's fits are drawn to less)
MOST_V = 2.0
SOURCE = "Stillmaker and Baas 2017 (tables/mac/stillmaker.csv)"


@cache
def _rows() -> dict[float, tuple[float, float, float, float]]:
    """node in nm -> (a, b, c, area relative to 45 nm), the smallest node first."""
    text = resources.files("accel_sim.tables.mac").joinpath("stillmaker.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    found = {
        float(r["node_nm"]): (float(r["a"]), float(r["b"]), float(r["c"]), float(r["area_mult_from_45"])) for r in rows
    }
    return dict(sorted(found.items()))


def _between(node_nm: float, values: list[float]) -> float:
    nodes = list(_rows())
    if not nodes[0] <= node_nm <= nodes[-1]:
        raise InputError(f"node_nm={node_nm:g} must be between {nodes[0]:g} and {nodes[-1]:g}")
    return float(np.interp(node_nm, nodes, values))


def energy_factor(node_nm: float, vdd: float) -> float:
    """a V^2 + b V + c; InputError outside the table's nodes, or the fit's voltages."""
    factor = _between(node_nm, [a * vdd**2 + b * vdd + c for a, b, c, _ in _rows().values()])
    if not 0 < vdd <= MOST_V or factor <= 0:
        raise InputError(f"vdd={vdd:g} must be above 0 and at most {MOST_V:g} V, within the fit of {node_nm:g} nm")
    return factor


def most_mhz(node_nm: float) -> float:
    """The fastest clock that a MAC unit of this node is taken to reach (a guess, see PATH_FO4)."""
    return 1e6 / (PATH_FO4 * FO4_PS_PER_NM * node_nm)


def logic_energy_scale(from_node: float, from_v: float, to_node: float, to_v: float) -> float:
    """What the energy of logic is multiplied by."""
    return energy_factor(to_node, to_v) / energy_factor(from_node, from_v)


def area_scale(from_node: float, to_node: float) -> float:
    """What the area of logic is multiplied by."""
    areas = [area for *_, area in _rows().values()]
    return _between(to_node, areas) / _between(from_node, areas)
