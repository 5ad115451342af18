"""A study from its file to its results."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accel_sim.host import output
from accel_sim.sweep import results, shared, store, study
from accel_sim.sweep.engine import Engine
from accel_sim.sweep.plan import distinct, read, unheard
from accel_sim.sweep.progress import Counter, progress
from accel_sim.sweep.study import Study
from accel_sim.sweep.task import Task
from accel_sim.sweep.work import attempt
from workloads.registry import InputError

#: seconds and points that a dry run may take for its sample
SAMPLE_SECONDS = 10.0
SAMPLE_POINTS = 8


@dataclass(frozen=True)
class Done:
    """Points of a study: all, made now, there already, failed (key -> reason, of now or before). out: its directory;
    results: its table."""

    out: Path
    points: int
    made: int
    skipped: int
    failed: dict[str, str]
    results: Path


def sweep(
    path: Path, out: Path | None, engine: Engine, *, retry_failed: bool = False, loud: bool = False,
    warn: Callable[[str], None] = unheard,
) -> Done:  # fmt: skip
    """Runs what is missing of a study below ``out`` (None: runs/NAME) and collects its results; InputError if the study
    is wrong.

    retry_failed: points that failed before are tried again. loud: says on stderr how far it is. warn: see plan.space.
    """
    asked, every = read(path, warn)
    points, out = distinct(every), target(out, asked)
    engine.ready()
    with store.opened(out) as kept, closing(engine):
        output.write(out / "study.yaml", path.read_bytes())
        tasks = {point.task.key: point.task for point in points}
        left = missing(list(tasks.values()), kept, retry_failed=retry_failed)
        with progress(len(left), enabled=loud and bool(left)) as count:
            made = work(left, engine, kept, count)
        failed = {key: kept.reason(key) for key in tasks if key in kept.failed}
        table = results.collect(points, kept, asked.columns)
    before = len(tasks) - len(left) - len(failed.keys() - {task.key for task in left})
    return Done(out, len(tasks), made, before, failed, table)


def target(out: Path | None, asked: Study) -> Path:
    """Where a study goes; InputError for a folder that is something else, or of a study of another name."""
    folder = Path("runs") / asked.folder if out is None else out
    store.check(folder)
    if (folder / "study.yaml").exists():
        before = study.read(folder / "study.yaml").name
        if before not in (asked.name, "study"):  # study: it does not say
            raise InputError(f"--out {folder}: holds the study '{before}', not '{asked.name}'; give another directory")
    return folder


def missing(tasks: list[Task], kept: store.Store, *, retry_failed: bool = False) -> list[Task]:
    """Those that are not there yet, each once, for workers that share the store's cache."""
    return [
        replace(task, cache=str(kept.cache.resolve()))
        for task in {task.key: task for task in tasks}.values()
        if task.key not in kept.points and (retry_failed or task.key not in kept.failed)
    ]


def work(tasks: list[Task], engine: Engine, kept: store.Store, count: Counter) -> int:
    """Puts the points of tasks into the store; returns the number of those that were made."""
    made = 0
    for outcome in engine.run(_encoded(tasks, kept.cache)):
        if outcome.text is None:
            kept.fail(outcome.task.key, outcome.task.config, outcome.reason)
        else:
            kept.put(outcome.task.key, outcome.text)
            made += 1
        count(outcome.text is not None)
    return made


def _encoded(tasks: Iterable[Task], cache: Path) -> Iterator[Task]:
    """Each task once the network it needs is there."""
    for task in tasks:
        with suppress(InputError):  # the worker makes it for itself, or meets the mistake too and says so
            shared.encode(task.data, cache)
        yield task


def estimate(path: Path, out: Path | None, workers: int) -> dict[str, Any]:
    """What a sweep would do: points, how many are left, and seconds they take by a sample of them (None: none left)."""
    _, every = read(path)
    tasks = {point.task.key: point.task for point in distinct(every)}
    kept = store.Store(out) if out is not None else None
    left = [task for key, task in tasks.items() if kept is None or key not in kept.points]
    seconds, started = [], time.perf_counter()
    for task in _spread(left, SAMPLE_POINTS):
        shared.opened(task.data, "")  # is not part of a point's time: workers share it
        before = time.perf_counter()
        attempt(task)
        seconds.append(time.perf_counter() - before)
        if time.perf_counter() - started > SAMPLE_SECONDS:
            break
    each = sum(seconds) / len(seconds) if seconds else None
    total = None if each is None else each * len(left) / min(workers, len(left))
    return {"points": len(tasks), "left": len(left), "sample": len(seconds), "point_s": each, "estimate_s": total}


def _spread(tasks: list[Task], most: int) -> list[Task]:
    """At most so many, evenly over all."""
    count = min(most, len(tasks))
    return [tasks[i * len(tasks) // count] for i in range(count)]
