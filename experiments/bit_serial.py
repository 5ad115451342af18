"""How far do bit-serial arrays get below 16 bits, and what does waiting for the slowest column take away?

Stripes' ideal speed-up over 16-bit arithmetic is 16/p, p the activation bits of each layer weighted by its MACs: from
the published profiles and the shapes of our networks. Pragmatic's depends on the terms that activations really have,
and on how far window columns may run ahead: its array's cycles on SqueezeNet with columns in lockstep, one or four
steps ahead, and without bound, beside DaDianNao's, which has one window column of 16-bit multipliers.
"""

import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save
from workloads import load_network
from workloads.format import named
from workloads.network import Network
from workloads.precision import profile

#: network -> its profile (workloads/tables/precision_profiles.csv), the ideal speed-up that the reference recomputed
#: from layer shapes of its own, and the one published (recalled): precision/precision_profiles.csv
PROFILES = {
    "alexnet": ("alexnet_100", 2.330, 2.38),
    "nin": ("nin_100", 1.903, 1.91),
    "vgg_m": ("vgg_m_100", 2.206, 2.23),
    "vgg_s": ("vgg_s_100", 1.983, 2.04),
    "vgg19": ("vgg19_100", 1.349, 1.35),
}
PROFILE_SOURCE = "tables/precision_profiles.csv: profiles recalled, speed-ups recomputed from layer shapes"
#: title -> steps that a column may be ahead of the last one
REGISTERS = {"lockstep": 0, "1 register": 1, "4 registers": 4, "no bound": None}
WEIGHTS = "data/squeezenet_deep_compression/compressed_SqueezeNet.net"


def ideal(name: str) -> float:
    """16/p of a network's convolutions, weighted by their MACs."""
    network = load_network(name)
    formats = profile(PROFILES[name][0], network).items()
    bits = {layer: named(activations).bits for layer, (_, activations) in formats if activations is not None}
    layers = [layer for layer in network.mac_layers if layer.kind != "fc"]
    used = sum(layer.macs * bits[layer.name] for layer in layers)
    return 16 * sum(layer.macs for layer in layers) / used


@cache
def squeezenet() -> tuple[Network, str]:
    """(SqueezeNet, where its codes are from): the released weights and an image's activations, or synthetic ones."""
    shared = Path(os.environ.get("ACCEL_SIM_SHARED", "../shared"))
    weights = shared / WEIGHTS
    image = shared / "data" / "images" / "photos_227_rgb_uint8.npz"
    if not weights.is_file():
        return load_network("squeezenet1_0"), "synthetic codes"
    if not image.is_file():
        return load_network("squeezenet1_0", weights=weights), "released weights, synthetic input"
    network = load_network("squeezenet1_0", weights=weights, image=f"{image}:coffee")
    return network, "released weights, activations of the photograph coffee"


@cache
def cycles(preset: str, registers: int | None = 0, layers: str = "*") -> dict[str, int]:
    """layer -> cycles of the array, with no memory stall."""
    machine = load_hardware(preset, {"dataflow.column_registers": registers})
    frame = simulate(squeezenet()[0], machine, layers=layers).layers
    return {row.layer: int(row.array_cycles) for row in frame.itertuples() if row.macs_nominal}


def rows(layers: str = "*") -> list[dict[str, Any]]:
    """layers: of SqueezeNet, that run."""
    found = []
    for name, (_, recomputed, published) in PROFILES.items():
        for reference, tolerance, kind in ((recomputed, 0.001, "self"), (published, None, "recalled")):
            what = "recomputed" if kind == "self" else "published"
            found.append(
                _row(f"{name}: ideal speed-up 16/p, {what}", reference, ideal(name), tolerance, kind, PROFILE_SOURCE)
            )
    whole, source = sum(cycles("dadiannao", 0, layers).values()), squeezenet()[1]
    free = sum(cycles("pragmatic", None, layers).values())
    for title, registers in REGISTERS.items():
        took = sum(cycles("pragmatic", registers, layers).values())
        found.append(
            _row(
                f"pragmatic, squeezenet1_0, {title}: speed-up over dadiannao", whole / free, whole / took, None,
                "self", source, "shown, gates nothing: ratio is to columns that never wait",
            )
        )  # fmt: skip
    taken = [sum(cycles("pragmatic", registers, layers).values()) for registers in REGISTERS.values()]
    kept = sum(later <= earlier for earlier, later in pairwise(taken))
    return [
        *found,
        _row(
            "pragmatic, squeezenet1_0: more registers that take no more cycles", len(taken) - 1, kept, 0.0, "self",
            source, "law: count of cases, and of those in which it holds",
        ),
    ]  # fmt: skip


def _row(
    item: str, published: float, simulated: float, tolerance: float | None, kind: str, source: str,
    derived_from: str = "activation bits x MACs",
) -> dict[str, Any]:  # fmt: skip
    return compared(item, published, simulated, tolerance, kind, derived_from, source)


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Ideal speed-ups beside the reference's, and what columns in step take away."""
    with house_style() as plt:
        fig, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.2))
        ideals = frame[frame["item"].str.endswith("recomputed")]
        places = range(len(ideals))
        left.bar([p - 0.2 for p in places], ideals.published.astype(float), 0.4, color="#999999", label="reference")
        left.bar([p + 0.2 for p in places], ideals.simulated, 0.4, color="#0072B2", label="accel_sim")
        left.set_xticks(places, [item.split(":")[0] for item in ideals["item"]])
        left.set_title("Stripes: ideal speed-up over 16 bits")
        left.set_ylabel("16/p, weighted by MACs")
        left.legend()
        runs = frame[frame["item"].str.contains("over dadiannao")]
        right.bar(range(len(runs)), runs.simulated, 0.6, color="#0072B2")
        right.axhline(1, color="#999999", linewidth=1)
        right.set_xticks(range(len(runs)), list(REGISTERS))
        right.set_title("Pragmatic: steps a column may run ahead")
        for place, (speedup, share) in enumerate(zip(runs.simulated, runs.ratio, strict=True)):
            right.text(place, speedup, f"{speedup:.2f}x\n{share:.0%}", ha="center", va="bottom", fontsize=10)
        right.set_ylim(0, 1.18 * runs.simulated.max())
        right.set_ylabel("SqueezeNet: speed-up over DaDianNao")
        save(fig, path)


EXPERIMENT = Experiment(
    "bit_serial", "How far do bit-serial arrays get, and what do columns in step cost?", rows, figure
)
