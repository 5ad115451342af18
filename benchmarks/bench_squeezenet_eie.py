"""All of compressed SqueezeNet on `eie` with a real photograph, in multiples of a float64-BLAS forward pass of it.

Both warm, one thread, minimum of five, pooling included, in the same process. Needs the reference data.
"""

from timing import best, compressed_squeezenet, report

from accel_sim import load_hardware, simulate
from workloads.reference import forward_float


def main() -> None:
    network, machine = compressed_squeezenet(), load_hardware("eie")
    forward = best(lambda: forward_float(network))
    simulation = best(lambda: simulate(network, machine))
    entries = simulate(network, machine).actions.query("component == 'queue' and action == 'read'")["count"].sum()
    print(f"float64-BLAS im2col forward: {forward * 1e3:.1f} ms; simulation: {simulation * 1e3:.1f} ms, "
          f"{entries / 1e6:.0f} M grid entries of mapped lanes")  # fmt: skip
    report("whole SqueezeNet on eie / forward pass", simulation / forward, "x", 8)


if __name__ == "__main__":
    main()
