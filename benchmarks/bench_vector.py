"""Nanoseconds per grid entry of the kernels of the vector array, and a whole SqueezeNet on pragmatic beside stripes."""

import time

import numpy as np
from timing import best, report

from accel_sim import load_hardware, simulate
from accel_sim.dataflows.vector.vector_schedule import Schedule
from cython_core import serial
from workloads import load_network

#: a 3x3 convolution of 512 channels on a map of 56 x 56, bricks of 16 lanes, 16 window columns
SIDE, BRICKS, WINDOWS = 56, 32, 16


def geometry() -> np.ndarray:
    """Of that convolution: G, C/G, H, W, R, S, E, F, strides, padding top and left, dilations."""
    return np.array([1, 16 * BRICKS, SIDE, SIDE, 3, 3, SIDE, SIDE, 1, 1, 1, 1, 1, 1], np.int64)


def main() -> None:
    rng = np.random.default_rng(0)
    at_input = rng.integers(1, 5, (1, SIDE, SIDE, BRICKS)).astype(np.int32)
    groups, steps = SIDE * SIDE // WINDOWS, 9 * BRICKS
    cost = np.zeros((groups, steps, WINDOWS), np.int32)
    read = best(lambda: serial.gather(at_input, geometry(), 0, SIDE * SIDE, 0, BRICKS, 1, cost))
    report("gather: cycles of a brick -> grid of steps and columns", read / cost.size * 1e9, "ns/entry", 3.0)
    flat = cost.reshape(-1, WINDOWS)
    rows = np.arange(len(flat), dtype=np.int32)
    mapped = np.full(len(rows), WINDOWS, np.int32)
    height = np.full(len(rows), 16, np.int32)
    for title, depth in (("in lockstep", 0), ("one step ahead", 1)):
        took = best(lambda depth=depth: serial.columns(flat, rows, mapped, height, 16, depth))
        report(f"columns {title}", took / cost.size * 1e9, "ns/entry", 3.0)
    patterns = rng.integers(0, 128, (BRICKS, 16, SIDE * SIDE)).astype(np.uint16)
    found = np.zeros((BRICKS, SIDE * SIDE), np.int32)
    took = best(lambda: serial.two_stage(patterns, 4, found))
    report("two_stage, per value of the input", took / patterns.size * 1e9, "ns/value", 3.0)
    network, machine = load_network("squeezenet1_0"), load_hardware("pragmatic")
    share = _bricks_per_entry(network, machine)
    report("the same per step and column of SqueezeNet", took / found.size * share * 1e9, "ns/entry", 3.0)
    weights = np.where(rng.random((16, 64, 16)) < 0.35, 1, 0)
    schedule = Schedule.of(weights, 2, 5)
    took = best(lambda: Schedule.of(weights, 2, 5))
    report("Bit-Tactical's schedule, per weight, once a layer", took / weights.size * 1e9, "ns/value", 5.0)
    entries = rng.integers(0, 128, (64, 16, WINDOWS)).astype(np.int32)
    took = best(lambda: schedule.costs(entries, True, 4))
    places = schedule.sources.size * WINDOWS
    report("Bit-Tactical's costs, per place of a filter", took / places * 1e9, "ns/value", 3.0)
    report("SqueezeNet on pragmatic / on stripes", _whole("pragmatic") / _whole("stripes"), "x", 3.0)


def _bricks_per_entry(network, machine) -> float:
    """Bricks of the inputs per entry of the grids in which taps and passes of filters read them again."""
    bricks = entries = 0
    for layer in network.layers:
        deep = layer.G * -(-layer.C // layer.G // machine.dataflow.lanes)
        columns = -(-layer.N * layer.E * layer.F // machine.array.cols) * machine.array.cols
        bricks += layer.N * layer.H * layer.W * deep
        entries += columns * -(-layer.M // layer.G // machine.array.rows) * layer.R * layer.S * deep
    return bricks / entries


def _whole(preset: str) -> float:
    network, machine = load_network("squeezenet1_0"), load_hardware(preset)
    start = time.perf_counter()
    simulate(network, machine)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
