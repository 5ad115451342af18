"""All of compressed SqueezeNet on `eie` with a real photograph, in multiples of a float64-BLAS forward pass of it.

Both warm, one thread, minimum of five, pooling included, in the same process. Needs the reference data.
"""

import os
import sys
from pathlib import Path

from timing import best, report

from accel_sim import load_hardware, simulate
from workloads import load_network
from workloads.reference import forward_float


def main() -> None:
    shared = Path(os.environ.get("ACCEL_SIM_SHARED", "../shared"))
    weights = shared / "data/squeezenet_deep_compression/compressed_SqueezeNet.net"
    if not weights.exists():
        sys.exit(f"skipped: no reference data in {shared} (set ACCEL_SIM_SHARED)")
    photo = f"{shared}/data/images/photos_227_rgb_uint8.npz:chelsea"
    network, machine = load_network("squeezenet1_0", weights=weights, image=photo), load_hardware("eie")
    forward = best(lambda: forward_float(network))
    simulation = best(lambda: simulate(network, machine))
    entries = simulate(network, machine).actions.query("component == 'queue' and action == 'read'")["count"].sum()
    print(f"float64-BLAS im2col forward: {forward * 1e3:.1f} ms; simulation: {simulation * 1e3:.1f} ms, "
          f"{entries / 1e6:.0f} M grid entries of mapped lanes")  # fmt: skip
    report("whole SqueezeNet on eie / forward pass", simulation / forward, "x", 8)


if __name__ == "__main__":
    main()
