"""``python -m tests.mutants --seed N --count M``: mutants drawn over the simulation and the importers.

Each is put into a copy of the tree and run through the tests that could notice. Prints those that no test killed; the
same seed draws the same.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.changes import Change, changes, sources

ROOT = Path(__file__).parents[2]
#: what is drawn from, each as often; and tests that any of them may fail, after those that name the file
GROUPS = {
    "dataflows": (["accel_sim/dataflows", "accel_sim/mapping"], ["tests/contracts/test_dataflows.py"]),
    "engine": (["accel_sim/engine.py", "accel_sim/timing.py", "accel_sim/simulate.py", "accel_sim/levels.py"], []),
    "energy": (
        ["accel_sim/energy.py", "accel_sim/energy_rows.py", "accel_sim/mac_energy", "accel_sim/registers.py"],
        ["tests/contracts/test_macs.py"],
    ),
    "importers": (["workloads/importers"], ["tests/unit/workloads"]),
}  # fmt: skip
LAST = ["tests/contracts", "tests/published", "tests/unit/accel_sim", "tests/cli/test_run.py", "tests/cli/test_json.py"]
SKIPPED = shutil.ignore_patterns(".git", ".venv", "runs", "build", "*.egg-info", "__pycache__", ".hypothesis", "dist")


def drawn(seed: int, count: int) -> list[tuple[str, Change]]:
    """(group, change), as the seed says; none twice."""
    pools = {}
    for group, (places, _) in GROUPS.items():
        files = [path for place in places for path in sources(ROOT, place)]
        pools[group] = [each for p in files for each in changes(str(p.relative_to(ROOT)), p.read_bytes())]
    chance, found = random.Random(seed), []
    while len(found) < count:
        group = list(GROUPS)[len(found) % len(GROUPS)]
        each = chance.choice(pools[group])
        if (group, each) not in found:
            found.append((group, each))
    return found


def naming(change: Change) -> list[str]:
    """Test files that name the module, the shortest first."""
    stem = Path(change.path).stem
    word = re.compile(rf"\b{stem}\b")
    named = [path for path in (ROOT / "tests").rglob("test_*.py") if word.search(path.read_text(encoding="utf-8"))]
    own = [path for path in named if stem in path.stem]
    rest = sorted((path for path in named if path not in own), key=lambda path: path.stat().st_size)
    return [str(path.relative_to(ROOT)) for path in own + rest[:12]]


def killed(copy: Path, group: str, change: Change, number: int) -> bool:
    """Whether some test fails in the copy of the tree that has the change."""
    path = copy / change.path
    good = path.read_bytes()
    path.write_bytes(change.applied(good))
    os.utime(path, (time.time() + 10 * number,) * 2)  # compiled files go by whole seconds
    try:
        tests = naming(change)
        stages = [tests, [each for each in GROUPS[group][1] if each not in tests], LAST]
        return any(fails(copy, stage) for stage in stages if stage)
    finally:
        path.write_bytes(good)
        os.utime(path, (time.time() + 10 * number + 5,) * 2)


def fails(copy: Path, tests: list[str]) -> bool:
    """Whether a test of these fails, or takes ten minutes."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests]
    env = os.environ | {"PYTHONPATH": str(copy)}
    try:
        return subprocess.run(command, cwd=copy, env=env, capture_output=True, timeout=600, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def main() -> int:
    """Exit code 1 if more than a twelfth survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="leave out so many of them")
    given = parser.parse_args()
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "accel_sim"
        shutil.copytree(ROOT, copy, ignore=SKIPPED)
        os.environ.setdefault("ACCEL_SIM_SHARED", str(ROOT.parent / "shared"))
        if fails(copy, ["tests/unit/accel_sim/test_causes.py"]):
            sys.exit("the tests fail without a mutant")
        chosen = drawn(given.seed, given.count)
        for number, (group, change) in enumerate(chosen[given.first :], given.first):
            begin = time.monotonic()
            dead = killed(copy, group, change, number + 1)
            if not dead:
                survivors.append(change)
            spent = time.monotonic() - begin
            print(f"{number:3} {'killed' if dead else 'ALIVE '} {spent:4.0f} s  {group}: {change}", flush=True)
    total = given.count - given.first
    print(f"mutants: seed {given.seed}, {total} drawn, {total - len(survivors)} killed")
    for each in survivors:
        print(f"alive: {each}")
    return int(len(survivors) * 12 > total)


if __name__ == "__main__":
    sys.exit(main())
