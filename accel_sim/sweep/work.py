"""What a worker does: a task -> the text of its point's file, or the reason why there is none."""

import json
from functools import cache
from typing import Any

from accel_sim.machine.config import from_tree
from accel_sim.results.rundir import source_digest
from accel_sim.run.result import Result
from accel_sim.run.simulate import simulate
from accel_sim.sweep import shared
from accel_sim.sweep.task import Task
from accel_sim.values.causes import CAUSES
from workloads.registry import InputError

#: parts of a summary that are no figures, or columns of the study already
LEFT_OUT = ("network", "hardware", "notes", "top5", "top5_images", "check")


def attempt(task: Task) -> tuple[str | None, str]:
    """(text of the point's file, '') or (None, reason)."""
    try:
        return perform(task), ""
    except Exception as error:  # whatever it is, the rest of the study goes on
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        return None, f"{kind}{error or 'no reason given'}"


def perform(task: Task) -> str:
    """Simulates a point."""
    if _source() != task.source:
        raise InputError("this worker has other sources of accel_sim than the study")
    network, data = shared.opened(task.data, task.cache)
    machine = from_tree(json.loads(task.hardware), "point")
    result = simulate(network, machine, seed=task.data.seed, layers=task.layers, data=data)
    return json.dumps(task.config | {"figures": figures(result)}, indent=1) + "\n"


_source = cache(source_digest)


def figures(result: Result) -> dict[str, Any]:
    """The summary, energy_pj.COMPONENT and cycles.CAUSE (lane-slots over lanes; they add up to cycles)."""
    found = {key: value for key, value in result.summary.items() if key not in LEFT_OUT}
    areas = result.machine.areas_um2
    found["memory_area_um2"] = float(sum(areas[memory.level] for memory in result.machine.on_chip))
    energies: dict[str, float] = {}
    for rows in result.priced.values():
        for component, *_, energy_pj, _source in rows:
            energies[component] = energies.get(component, 0.0) + float(energy_pj)
    lanes = result.machine.array.lanes
    causes = {cause: sum(run.slots[cause] for run in result.runs) / lanes for cause in CAUSES}
    found |= {f"energy_pj.{component}": energies[component] for component in sorted(energies)}
    return found | {f"cycles.{cause}": cycles for cause, cycles in causes.items()}
