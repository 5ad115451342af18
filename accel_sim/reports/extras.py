"""Files that a run writes on request, beside those of every run."""

from accel_sim.reports import stats_txt
from accel_sim.reports.trace import Recorder
from accel_sim.run.engine import Engine, MakeEngine
from accel_sim.run.result import Result


class Extras:
    """trace: trace.json; stats: stats.txt. engine: what the run must play through."""

    def __init__(self, *, trace: bool, stats: bool) -> None:
        self._recorder = Recorder() if trace else None
        self._stats = stats

    @property
    def engine(self) -> MakeEngine:
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
        if self._recorder is None or self._recorder.note == "whole":
            return []
        return [f"trace.json: {self._recorder.note}"]
