"""All of ResNet-50 on a 32x32 systolic array, without start-up and the making of synthetic codes."""

from timing import best, report

from accel_sim import load_hardware
from accel_sim.run.session import Session
from accel_sim.run.simulate import run_layer
from workloads import load_network
from workloads.walk import walk


def main() -> None:
    network, machine = load_network("resnet50"), load_hardware("systolic")

    def data() -> list:
        return list(walk(network, 0))

    def run(operands: list) -> list:
        session = Session.start(network, machine)
        return [run_layer(layer, each, session) for layer, each in operands]

    def fresh() -> list:
        return run(data())

    both, making = best(fresh, 3), best(data, 3)
    runs = run(data())
    report("ResNet-50 on systolic 32x32", both - making, "s", 1.0)
    report("tiles", sum(each.tiles for each in runs), "tiles", 10_000)
    cycles = sum(each.cycles for each in runs)
    print(f"{cycles:,} cycles, {cycles / (both - making) / 1e6:.1f} M simulated cycles a second")


if __name__ == "__main__":
    main()
