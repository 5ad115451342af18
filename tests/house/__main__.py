"""``python -m tests.house``: how the house stands, in figures, each beside what it may be; exit code 1 beyond one."""

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.house.rooms import House
from tests.house.trip import climbs

ROOT = Path(__file__).parents[2]
#: what is measured -> the most it may be
LIMITS = {
    "lines of the longest file": 400,
    "lines of the longest kernel file": 300,
    "lines of the longest function": 60,
    "rooms": 22,
    "floors": 12,
    "circles": 0,
    "back arrows": 0,
    "loose files": 3,
    "passes of a layer to a higher floor": 3,
    "tests for one encoding": 0,
    "errors of mypy": 0,
}
MYPY = ("mypy", "--ignore-missing-imports", "cython_core", "workloads", "accel_sim", "experiments")


def functions(paths: list[Path]) -> Iterator[tuple[int, str]]:
    """(lines, 'file:name') of each."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.name}"


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def mypy() -> list[str]:
    done = subprocess.run([sys.executable, "-m", *MYPY], cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if ": error:" in line]


def measured(house: House) -> dict[str, tuple[int, list[str]]]:
    """Figure -> its value, and what there is to say of it."""
    paths = list(house.files.values())
    longest = max(paths, key=lines)
    kernel = max((ROOT / "cython_core").glob("*.pyx"), key=lines)
    length, function = max(functions(paths))
    named = re.compile(r"[=!]= Dense\(\)|isinstance\([^)]*\bDense\b")
    tests = [f"{path.relative_to(ROOT)}" for path in paths for _ in named.findall(path.read_text(encoding="utf-8"))]
    up = climbs(house)
    faults = mypy()
    return {
        "lines of the longest file": (lines(longest), [str(longest.relative_to(ROOT))]),
        "lines of the longest kernel file": (lines(kernel), [str(kernel.relative_to(ROOT))]),
        "lines of the longest function": (length, [function]),
        "rooms": (len(house.rooms), []),
        "floors": (max(house.floors.values()), []),
        "circles": (len(house.circles), [", ".join(sorted(ring)) for ring in house.circles]),
        "back arrows": (len(house.back), [f"{a} -> {b}: {sorted(house.arrows[a, b])}" for a, b in sorted(house.back)]),
        "loose files": (len(house.loose), []),
        "passes of a layer to a higher floor": (len(up), [f"{a} -> {b}: {sorted(up[a, b])}" for a, b in sorted(up)]),
        "tests for one encoding": (len(tests), sorted(set(tests))),
        "errors of mypy": (len(faults), faults[:10]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
    parser.add_argument("--rooms", action="store_true", help="every room with its floor and what it imports")
    given = parser.parse_args()
    house = House(ROOT)
    print(f"{len(house.files)} files, {sum(map(lines, house.files.values())):,} lines")
    beyond = 0
    for name, (value, notes) in measured(house).items():
        over = value > LIMITS[name]
        beyond += over
        print(f"{name:<38} {value:5}  at most {LIMITS[name]:<4} {'MISSED' if over else 'ok'}")
        for note in notes if over or len(notes) == 1 else []:
            print(f"    {note}")
    if given.rooms:
        for room in sorted(house.rooms, key=lambda each: (-house.floors[each], each)):
            below = sorted(to for origin, to in house.arrows if origin == room)
            print(f"floor {house.floors[room]:2}  {room}: {', '.join(below)}")
    return int(beyond > 0)


if __name__ == "__main__":
    sys.exit(main())
