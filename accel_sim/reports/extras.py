"""Files that a run writes on request, beside those of every run."""

from collections.abc import Callable
from typing import Any

from accel_sim.engine import Engine
from accel_sim.reports import stats_txt
from accel_sim.reports.trace import Recorder
from accel_sim.result import Result


class Extras:
    """trace: trace.json; stats: stats.txt. engine: what the run must play through."""

    def __init__(self, *, trace: bool, stats: bool):
        self._recorder = Recorder() if trace else None
        self._stats = stats

    @property
    def engine(self) -> Callable[[Any, Any], Engine]:
        """What plays the schedule: one that records it, if a trace is asked for."""
        return Engine if self._recorder is None else self._recorder.engine

    def files(self, result: Result) -> dict[str, str]:
        """Name -> text."""
        found = {}
        if self._recorder is not None:
            found["trace.json"] = self._recorder.text(result)
        if self._stats:
            found["stats.txt"] = stats_txt.render(result)
        return found

    @property
    def warnings(self) -> list[str]:
        """What the files, once made, do not hold."""
        capped = self._recorder is not None and self._recorder.note != "whole"
        return [f"trace.json: {self._recorder.note}"] if capped else []
