"""Best of several runs, one BLAS thread, and a line that sets a figure beside its goal."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workloads.network import Network

if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # BLAS reads it once, when numpy is loaded: start again with it
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.argv])


def best(work: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of ``repeats`` runs, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def report(what: str, value: float, unit: str, goal: float) -> None:
    print(f"{what:<64} {value:10.3f} {unit:<12} goal <= {goal:g}  {'ok' if value <= goal else 'MISSED'}")


def compressed_squeezenet() -> "Network":
    """The released SqueezeNet with a photograph; without the reference data, codes and pixels drawn like theirs."""
    from workloads import load_network

    shared = Path(os.environ.get("ACCEL_SIM_SHARED", "../shared"))
    weights = shared / "data/squeezenet_deep_compression/compressed_SqueezeNet.net"
    if weights.exists():
        photo = f"{shared}/data/images/photos_227_rgb_uint8.npz:chelsea"
        return load_network("squeezenet1_0", weights=weights, image=photo)
    print(f"no reference data in {shared} (set ACCEL_SIM_SHARED): weights and pixels are drawn")
    return _drawn(load_network("squeezenet1_0"))


def _drawn(network: "Network") -> "Network":
    """A third of the weights is one of 255 shared values, as in the release."""
    import numpy as np

    from workloads.formats.codes import Codes, NumberFormat
    from workloads.network import LayerWeights

    rng = np.random.default_rng(0)
    shared = np.append(0, rng.normal(0, 0.05, 255)).astype(np.float32)
    weights = {}
    for layer in network.layers:
        if layer.has_macs:
            kept = rng.random(layer.weight_shape) < 1 / 3
            codes = np.where(kept, rng.integers(1, 256, layer.weight_shape), 0).astype(np.uint8)
            bias = np.zeros(layer.M)
            weights[layer.name] = LayerWeights(Codes(codes, NumberFormat(8, signed=False)), bias, shared=shared)
    pixels = rng.integers(0, 256, (1, *network.input_shape)).astype(np.uint8)
    return replace(network, weights=weights, images=pixels, image_names=("drawn",))
