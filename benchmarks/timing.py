"""Best of several runs, one BLAS thread, and a line that sets a figure beside its goal."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

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


def compressed_squeezenet():
    """The released SqueezeNet with a photograph; ends the benchmark where there is no reference data."""
    from workloads import load_network

    shared = Path(os.environ.get("ACCEL_SIM_SHARED", "../shared"))
    weights = shared / "data/squeezenet_deep_compression/compressed_SqueezeNet.net"
    if not weights.exists():
        sys.exit(f"skipped: no reference data in {shared} (set ACCEL_SIM_SHARED)")
    photo = f"{shared}/data/images/photos_227_rgb_uint8.npz:chelsea"
    return load_network("squeezenet1_0", weights=weights, image=photo)
