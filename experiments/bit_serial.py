"""How far do bit-serial arrays get below 16 bits, and what does waiting for the slowest column take away?

Stripes' ideal speed-up over 16-bit arithmetic is 16/p, p the activation bits of each layer weighted by its MACs: from
the published profiles and the shapes of our networks. Pragmatic's depends on the terms that activations really have,
and on how far window columns may run ahead: its array's cycles on SqueezeNet with columns in lockstep, one or four
steps ahead, and without bound, beside DaDianNao's, which has one window column of 16-bit multipliers.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.experiment import Experiment
from accel_sim.plots import house_style, save
from workloads import load_network
from workloads.network import Network

#: network -> bits of activations of its convolutions at full accuracy (recalled), ideal speed-up that the reference
#: recomputed from its own layer shapes, and the one published (recalled): precision/precision_profiles.csv
PROFILES = {
    "alexnet": ("9-8-5-5-7", 2.330, 2.38),
    "nin": ("8-8-8-9-7-8-8-9-9-8-8-8", 1.903, 1.91),
    "vgg_m": ("7-7-7-8-7", 2.206, 2.23),
    "vgg_s": ("7-8-9-7-9", 1.983, 2.04),
    "vgg19": ("12-12-12-11-12-10-11-11-13-12-13-13-13-13-13-13", 1.349, 1.35),
}
PROFILE_SOURCE = "precision_profiles.csv of the reference: profiles recalled, speed-ups recomputed from layer shapes"
#: title -> steps that a column may be ahead of the last one
REGISTERS = {"lockstep": 0, "1 register": 1, "4 registers": 4, "no bound": None}
WEIGHTS = "data/squeezenet_deep_compression/compressed_SqueezeNet.net"


def ideal(name: str) -> float:
    """16/p of a network's convolutions, weighted by their MACs."""
    bits = [int(p) for p in PROFILES[name][0].split("-")]
    macs = [layer.macs for layer in load_network(name).mac_layers if layer.kind != "fc"]
    return 16 * sum(macs) / sum(m * p for m, p in zip(macs, bits, strict=True))


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
        for reference, tolerance, kind in ((recomputed, 0.001, "measured"), (published, 0.03, "recalled")):
            what = "recomputed" if kind == "measured" else "published"
            found.append(
                _row(f"{name}: ideal speed-up 16/p, {what}", reference, ideal(name), tolerance, kind, PROFILE_SOURCE)
            )
    whole, source = sum(cycles("dadiannao", 0, layers).values()), squeezenet()[1]
    free = sum(cycles("pragmatic", None, layers).values())
    for title, registers in REGISTERS.items():
        took = sum(cycles("pragmatic", registers, layers).values())
        more = f"pragmatic, squeezenet1_0, {title}"
        found.append(_row(f"{more}: speed-up over dadiannao", None, whole / took, None, "self", source))
        found.append(_row(f"{more}: share of the speed-up without bound", None, free / took, None, "self", source))
    return found


def _row(item: str, published, simulated: float, tolerance, kind: str, source: str) -> dict[str, Any]:
    return {
        "item": item, "published": published, "simulated": round(simulated, 4), "tolerance": tolerance, "class": kind,
        "derived_from": "activation bits x MACs" if kind != "self" else "cycles of the array alone", "source": source,
    }  # fmt: skip


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Ideal speed-ups beside the reference's, and what columns in step take away."""
    with house_style() as plt:
        fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
        ideals = frame[frame["class"] == "measured"]
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
        right.set_title("Pragmatic on SqueezeNet: columns ahead of each other")
        right.set_ylabel("speed-up over dadiannao")
        save(fig, path)


EXPERIMENT = Experiment(
    "bit_serial", "How far do bit-serial arrays get, and what do columns in step cost?", rows, figure
)
