"""``python -m tests.mutants --seed N --count M``: mutants drawn over the simulation and the importers.

Each is put into a copy of the tree, and the fast tests that run its line are run. Prints those that no test killed; the
same seed draws the same.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.changes import Change, changes, sources
from tests.mutants.reach import fails, measured

ROOT = Path(__file__).parents[2]
#: what is drawn from, each as often
GROUPS = {
    "dataflows": ["accel_sim/dataflows", "accel_sim/mapping"],
    "engine": [f"accel_sim/{name}.py" for name in ("run/engine", "run/simulate", "machine/levels")],
    "energy": ["accel_sim/energy"],
    "importers": ["workloads/importers"],
}
SKIPPED = shutil.ignore_patterns(".git", ".venv", "runs", "build", "*.egg-info", "__pycache__", ".hypothesis", "dist")


def drawn(seed: int, count: int) -> list[tuple[str, Change]]:
    """(group, change), as the seed says; none twice."""
    pools = {}
    for group, places in GROUPS.items():
        files = [path for place in places for path in sources(ROOT, place)]
        pools[group] = [each for p in files for each in changes(str(p.relative_to(ROOT)), p.read_bytes())]
    chance, found = random.Random(seed), []
    while len(found) < count:
        group = list(GROUPS)[len(found) % len(GROUPS)]
        each = chance.choice(pools[group])
        if (group, each) not in found:
            found.append((group, each))
    return found


def killed(copy: Path, tests: list[str], change: Change, number: int, limit: float) -> bool:
    """Whether one of the tests fails in the copy of the tree that has the change."""
    path = copy / change.path
    good = path.read_bytes()
    path.write_bytes(change.applied(good))
    os.utime(path, (time.time() + 10 * number,) * 2)  # compiled files go by whole seconds
    try:
        return fails(copy, tests, limit)
    finally:
        path.write_bytes(good)
        os.utime(path, (time.time() + 10 * number + 5,) * 2)


def main() -> int:
    """Exit code 1 if more than a twelfth survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="leave out so many of them")
    parser.add_argument("--reach", type=Path, metavar="DIR", help="what tests reach: read there, or kept there")
    given = parser.parse_args()
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "accel_sim"
        shutil.copytree(ROOT, copy, ignore=SKIPPED)
        os.environ.setdefault("ACCEL_SIM_SHARED", str(ROOT.parent / "shared"))
        reach = measured(copy, given.reach)
        chosen = drawn(given.seed, given.count)
        for number, (group, change) in enumerate(chosen[given.first :], given.first):
            begin = time.monotonic()
            tests = reach.tests(change.path, change.line)
            dead = bool(tests) and killed(copy, tests, change, number + 1, reach.limit(tests))
            if not dead:
                survivors.append(change)
            spent, end = time.monotonic() - begin, "killed" if dead else "ALIVE "
            print(f"{number:3} {end} {spent:4.0f} s {len(tests):5} tests  {group}: {change}", flush=True)
    total = given.count - given.first
    print(f"mutants: seed {given.seed}, {total} drawn, {total - len(survivors)} killed")
    for each in survivors:
        print(f"alive: {each}")
    return int(len(survivors) * 12 > total)


if __name__ == "__main__":
    sys.exit(main())
