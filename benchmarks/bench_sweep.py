"""What a study costs beside the simulations in it: processor time of a point with and without the study around it.

Budgets: 5 ms a point beyond the simulation; 1,000 points of lenet5 a minute on two processors.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from accel_sim.host import yaml_io
from accel_sim.run.simulate import simulate
from accel_sim.sweep import shared, study, work
from accel_sim.sweep.plan import plan
from accel_sim.sweep.store import opened

STUDY = """
network: lenet5
hardware: systolic
axes: {array.rows: {range: [4, 24, 1]}, array.cols: {range: [4, 20, 2]}, dataflow.stationary: [os, ws]}
"""
STEP = 8


def main() -> None:
    before = time.process_time()
    points = plan(study.of(yaml_io.parse(STUDY, "bench"), "bench"))
    planned = (time.process_time() - before) / len(points)
    alone = 0.0

    def timed(*arguments, **options):
        nonlocal alone
        start = time.process_time()
        result = simulate(*arguments, **options)
        alone += time.process_time() - start
        return result

    work.simulate = timed
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "out") as kept:
        shared.encode(points[0].task.data, kept.cache)
        tasks = [replace(point.task, cache=str(kept.cache)) for point in points[::STEP]]
        work.perform(tasks[0])  # opens the network
        alone, before = 0.0, time.process_time()
        for task in tasks:
            kept.put(task.key, work.perform(task))
        whole = (time.process_time() - before) / len(tasks)
    alone /= len(tasks)
    beside = planned + whole - alone
    print(f"simulation {alone * 1e3:.2f} ms, beside it {beside * 1e3:.2f} ms a point ({planned * 1e3:.2f} planning)")
    print(f"{2 * 60 / (planned + whole):.0f} points a minute on two processors")


if __name__ == "__main__":
    main()
