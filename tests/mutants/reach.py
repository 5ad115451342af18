"""Which tests run a line: measured once with coverage, the quickest first."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

#: where the plug-in below finds which tests to run, and leaves how long each took
CHOSEN, SPENT = "ACCEL_SIM_CHOSEN", "ACCEL_SIM_SPENT"
TESTS = ["-q", "-p", "no:cacheprovider", "-p", "tests.mutants.reach", "-m", "not slow"]
_spent: dict[str, float] = {}


@dataclass(frozen=True)
class Reach:
    """root: of the tree that was measured; spent: seconds of each test; data: lines with the tests that ran them."""

    root: Path
    spent: dict[str, float]
    data: coverage.CoverageData

    def tests(self, path: str, line: int) -> list[str]:
        """Names of the tests that run a line of a file, quickest first; where it runs once, when the file is loaded (a
        default, a table), those that run any line of the file, and then all others."""
        by_line = {at: self._known(tests) for at, tests in self.data.contexts_by_lineno(str(self.root / path)).items()}
        ran = next((at for at in range(line, line - 20, -1) if at in by_line), line)
        found = by_line.get(ran) or set().union(*by_line.values())
        rest = set() if by_line.get(ran) else set(self.spent) - found
        return [name for each in (found, rest) for name in sorted(each, key=lambda name: (self.spent[name], name))]

    def limit(self, tests: list[str]) -> float:
        """Seconds after which these hang."""
        return 60 + 4 * sum(self.spent[name] for name in tests)

    def _known(self, contexts: list[str]) -> set[str]:
        return {name for each in contexts if (name := each.rpartition("|")[0]) in self.spent}


def measured(root: Path, kept: Path | None) -> Reach:
    """Of a tree; kept: a folder that has what an earlier call measured, or gets what this one does."""
    if kept is None or not (kept / "root").exists():
        found = measure(root)
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            for name in (".coverage", "spent.json"):
                shutil.copy(root / name, kept / name)
            (kept / "root").write_text(str(root))
        return found
    data = coverage.CoverageData(str(kept / ".coverage"))
    data.read()
    return Reach(Path((kept / "root").read_text()), json.loads((kept / "spent.json").read_text()), data)


def measure(root: Path) -> Reach:
    """Runs the fast tests of a tree once under coverage; SystemExit if one fails."""
    spent = root / "spent.json"
    command = [sys.executable, "-m", "pytest", *TESTS, "-n", "auto", "--dist", "loadfile", "--cov=accel_sim",
               "--cov=workloads", "--cov-context=test", "--cov-report="]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(root), SPENT: str(spent)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the tests fail without a mutant:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    data = coverage.CoverageData(str(root / ".coverage"))
    data.read()
    return Reach(root, json.loads(spent.read_text()), data)


def fails(root: Path, tests: list[str], limit: float) -> bool:
    """Whether one of these tests of a tree fails, or all together take longer than a limit in seconds."""
    chosen = root / "chosen.json"
    chosen.write_text(json.dumps(tests))
    files = list(dict.fromkeys(name.partition("::")[0] for name in tests))
    env = os.environ | {"PYTHONPATH": str(root), CHOSEN: str(chosen)}
    command = [sys.executable, "-m", "pytest", *TESTS, "-x", *files]
    try:
        done = subprocess.run(command, cwd=root, env=env, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def pytest_collection_modifyitems(config, items) -> None:
    """Leaves those that are chosen, in their order."""
    if CHOSEN in os.environ:
        wanted = {name: place for place, name in enumerate(json.loads(Path(os.environ[CHOSEN]).read_text()))}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
        items[:] = sorted((item for item in items if item.nodeid in wanted), key=lambda item: wanted[item.nodeid])


def pytest_runtest_logreport(report) -> None:
    """Adds up what a test took."""
    _spent[report.nodeid] = _spent.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish(session) -> None:
    """Writes what all took; a worker of xdist leaves that to who started it."""
    if SPENT in os.environ and not hasattr(session.config, "workerinput"):
        Path(os.environ[SPENT]).write_text(json.dumps(_spent))
