"""``python -m benchmarks.against REV``: processor time of this tree over that of an earlier revision, by benchmark.

Both are built in environments of their own; each runs its own benchmarks, in turn, first one and then the other. A
benchmark that only one of them has is named and left out. Exit code 1 where a median is above the limit.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def built(revision: str, folder: Path) -> Path:
    """The files of a revision in a folder, with its package installed there."""
    folder.mkdir()
    files = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=files, check=True)
    print(f"building {revision}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    subprocess.run([folder / ".venv/bin/pip", "install", "-q", "-e", ".[all]"], cwd=folder, check=True)
    return folder


def as_it_stands() -> str:
    """A commit of this tree with what is not committed yet, without what git does not know."""
    made = subprocess.run(["git", "stash", "create"], cwd=ROOT, check=True, capture_output=True, text=True)
    return made.stdout.strip() or "HEAD"


def user_seconds(tree: Path, benchmark: str) -> float | None:
    """Processor time in user mode of one run, None if it fails."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env.setdefault("ACCEL_SIM_SHARED", str(ROOT.parent / "shared"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [tree / ".venv/bin/python", f"benchmarks/{benchmark}"]
    done = subprocess.run(command, cwd=tree, env=env, stdout=subprocess.DEVNULL, check=False)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return spent if done.returncode == 0 else None


def compare(new: Path, old: Path, benchmark: str, pairs: int) -> float | None:
    """Median ratio of new to old over pairs in turn; prints a line. None if either cannot run it."""
    ratios, spent = [], []
    for number in range(pairs):
        order = (new, old) if number % 2 else (old, new)
        took = {tree: user_seconds(tree, benchmark) for tree in order}
        if None in took.values():
            print(f"{benchmark:<28} fails in {'both' if set(took.values()) == {None} else 'one of them'}", flush=True)
            return None
        ratios.append(took[new] / took[old])
        spent.append(took[new])
    median = statistics.median(ratios)
    low, high = min(ratios), max(ratios)
    print(f"{benchmark:<28} {median:6.3f}  ({low:.3f} to {high:.3f}, {statistics.median(spent):.2f} s)", flush=True)
    return median


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("revision", help="of git")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--limit", type=float, default=1.03, help="of a median ratio")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="benchmarks, as in bench_NAME.py")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        new, old = built(as_it_stands(), Path(folder) / "new"), built(given.revision, Path(folder) / "old")
        have = [{path.name for path in (tree / "benchmarks").glob("bench_*.py")} for tree in (new, old)]
        both = sorted(name for name in have[0] & have[1] if not given.only or name[6:-3] in given.only)
        print(
            f"user seconds over those of {given.revision}, median of {given.pairs} pairs (range, this tree's seconds)"
        )
        medians = [compare(new, old, name, given.pairs) for name in both]
        for name in sorted(have[0] ^ have[1]):
            print(f"{name:<28} only in {'this tree' if name in have[0] else given.revision}")
    return int(any(median is not None and median > given.limit for median in medians))


if __name__ == "__main__":
    sys.exit(main())
