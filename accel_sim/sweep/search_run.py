"""A search from its study's file to its results."""

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from accel_sim.host import output
from accel_sim.sweep import results, store, study
from accel_sim.sweep.chart_data import MORE_IS_BETTER, undominated
from accel_sim.sweep.engine import Engine
from accel_sim.sweep.plan import Point, read, unheard
from accel_sim.sweep.run import missing, target, work
from accel_sim.sweep.search import Picks, Space, explore, figures
from workloads.registry import InputError


@dataclass(frozen=True)
class Found:
    """out: its directory; points: that were looked at, of so many in the space; failed: of them (key -> reason); front:
    rows of objectives and settings."""

    out: Path
    points: int
    space: int
    failed: dict[str, str]
    front: list[dict[str, Any]]
    results: Path


def search(
    path: Path, out: Path | None, engine: Engine, *, points: int, seed: int = 0, sampler: str = "tpe",
    retry_failed: bool = False, loud: bool = False, warn: Callable[[str], None] = unheard,
) -> Found:  # fmt: skip
    """Looks at ``points`` of a study's points below ``out``; InputError if the study or its goal is wrong. The rest as
    run.sweep."""
    asked, every = read(path, warn)
    networks = len(asked.axes["network"])
    if networks > 1:
        raise InputError(f"{path}: network: a search has one front, expected one network, not {networks}")
    out = target(out, asked)
    engine.ready()
    with store.opened(out) as kept, closing(engine):
        output.write(out / "study.yaml", path.read_bytes())
        search = _Search(asked, every, Space.of(asked), engine, kept, retry_failed)
        total = len({point for point in every if point is not None})
        steps = explore(
            search.space, search.evaluate, points=min(points, total), objectives=len(asked.goal.objectives), seed=seed,
            sampler=sampler, journal=out / store.JOURNAL,
        )  # fmt: skip
        for known in steps:
            if loud:
                print(search.line(known, min(points, total)), file=sys.stderr, flush=True)
        done = [point for point in dict.fromkeys(every) if point in search.seen]
        table = results.collect(done, kept, asked.columns)
        keys = [point.task.key for point in done]
        failed = {key: kept.reason(key) for key in keys if key in kept.failed}
        return Found(out, len(done), total, failed, search.front(known), table)


@dataclass
class _Search:
    study: study.Study
    every: list[Point | None]
    space: Space
    engine: Engine
    kept: store.Store
    retry_failed: bool

    def __post_init__(self) -> None:
        #: points that were asked for
        self.seen: set[Point] = set()

    def evaluate(self, picks: list[Picks]) -> dict[Picks, tuple[list[float], bool] | None]:
        """Makes the points that are missing; see explore."""
        found = {pick: self.every[self.space.number(pick)] for pick in picks}
        points = [point for point in found.values() if point is not None and point not in self.seen]
        left = missing([point.task for point in points], self.kept, retry_failed=self.retry_failed)
        work(left, self.engine, self.kept, lambda good: None)
        self.seen |= set(points)
        return {pick: self._value(point) for pick, point in found.items()}

    def _value(self, point: Point | None) -> tuple[list[float], bool] | None:
        if point is None or point.task.key not in self.kept.points:
            return None
        return figures(self.study.goal, self.kept.figures(point.task.key) | point.values)

    def front(self, known: dict[Picks, tuple[list[float], bool] | None]) -> list[dict[str, Any]]:
        """Feasible points that no other is better than, by the first objective."""
        good = [(pick, value[0]) for pick, value in known.items() if value is not None and value[1]]
        if not good:
            return []
        best = undominated(np.array([values for _, values in good]))
        rows: dict[str, dict[str, Any]] = {}
        for (pick, values), keep in zip(good, best, strict=True):
            point = self.every[self.space.number(pick)]
            if keep and point is not None:
                plain = [-v if name in MORE_IS_BETTER else v for name, v in self._named(values)]
                rows[point.task.key] = {"point": point.task.key, **point.values} | dict(
                    zip(self.study.goal.objectives, plain, strict=True)
                )
        return sorted(rows.values(), key=lambda row: row[self.study.goal.objectives[0]])

    def _named(self, values: list[float]) -> Any:
        return zip(self.study.goal.objectives, values, strict=True)

    def line(self, known: dict[Picks, tuple[list[float], bool] | None], points: int) -> str:
        """How far it is, and the best of every objective on the front."""
        front, done = self.front(known), sum(value is not None for value in known.values())
        best = [
            f"{name} {(max if name in MORE_IS_BETTER else min)(row[name] for row in front):.4g}"
            for name in self.study.goal.objectives
            if front
        ]
        return f"{done}/{points} points, front of {len(front)}" + (f", best {', '.join(best)}" if best else "")
