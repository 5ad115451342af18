"""`accel-sim sweep`, `search` and `plot` of a study: their options and what they print."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from accel_sim.host import answer

#: exit code of a study with failed points
FAILED = 4
#: reasons that are printed
MOST_REASONS = 5


def options(commands: argparse._SubParsersAction) -> None:
    """Adds the commands."""
    sweep = commands.add_parser("sweep", help="run a study: networks x machines x settings, resumable")
    search = commands.add_parser("search", help="look for the front of a study without running all of it")
    for command in (sweep, search):
        command.add_argument("study", metavar="STUDY.yaml")
        command.add_argument(
            "--out", type=answer.place, metavar="DIR", help="where its points and results go (default: runs/NAME)"
        )
        command.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each processor)")
        command.add_argument("--engine", choices=("local", "dask"), help="who works: processes here (default), or Dask")
        command.add_argument("--scheduler", metavar="ADDRESS", help="of a running Dask cluster, as tcp://host:8786")
        command.add_argument("--retry-failed", action="store_true", help="try points again that failed before")
        answer.options(command)
    search.add_argument("--points", type=int, required=True, metavar="N", help="how many points to look at")
    search.add_argument("--seed", type=int, default=0, metavar="N", help="of the search")
    search.add_argument("--sampler", choices=("tpe", "nsga2"), default="tpe", help="default: tpe")
    sweep.add_argument("--dry-run", action="store_true", help="check it, count its points and estimate the time")


#: what `accel-sim plot` may draw of a study
KINDS = ("line", "heat", "pareto", "parallel", "tornado")
#: said of a study over capacities
CHOSEN = (
    "note: tiles are chosen by an estimate of cycles and energy, so that more capacity may cost a little of either (on "
    "random layers at most 0.2 % of the cycles; bytes are exact): see docs/model.md, section 10"
)
WISHES = ("x", "y", "z", "color", "pick", "base", "where")


def plot_options(plot: argparse.ArgumentParser) -> None:
    """Adds what `accel-sim plot` takes for a study's directory."""
    study = plot.add_argument_group("a study's directory")
    study.add_argument("--kind", choices=KINDS, help="default: line with --x, else pareto")
    for name in ("x", "y", "z", "color"):
        study.add_argument(f"--{name}", metavar="COLUMN", help="of its results, as array.rows or energy_pj")
    study.add_argument("--pick", choices=("min", "mean", "max"), help="of several points in a cell (default: min)")
    study.add_argument("--base", metavar="POINT", help="the point a tornado starts from")
    study.add_argument("--where", metavar="CONDITION", help='only such points, as "array.rows <= 64"')


def plot(arguments: argparse.Namespace) -> list[Path]:
    """Draws one figure of a study, writes the CSV of what it shows, and returns both; a run's takes no options."""
    from accel_sim.sweep import charts, results
    from workloads.registry import InputError

    folder = Path(arguments.dir)
    given = {name: getattr(arguments, name) for name in WISHES if getattr(arguments, name) is not None}
    if not results.is_study(folder):
        raise InputError(f"{folder}: is no study's directory, which --{min(given, default='kind')} is for")
    kind = arguments.kind or ("line" if arguments.x else "pareto")
    return charts.draw(folder, charts.Wish(kind, **given))


def sweep(arguments: argparse.Namespace) -> int:
    """Runs a study; exit code 4 if points failed, 2 with a line for each mistake of a study that cannot run."""
    return _told(_sweep, arguments)


def search(arguments: argparse.Namespace) -> int:
    """Looks for a study's front; exit codes as sweep."""
    return _told(_search, arguments)


def _told(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    from accel_sim.sweep import study

    try:
        return command(arguments)
    except study.StudyError as error:
        for line in error.lines:
            print(f"accel-sim {arguments.command}: {arguments.study}: {line}", file=sys.stderr)
        return 2


def _workers(arguments: argparse.Namespace) -> int:
    from workloads.registry import InputError

    workers = arguments.workers if arguments.workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise InputError(f"--workers {workers}: expected at least 1")
    return workers


def _search(arguments: argparse.Namespace) -> int:
    from accel_sim.sweep import search_run
    from workloads.registry import InputError

    if arguments.points < 1 or not 0 <= arguments.seed < 1 << 32:
        raise InputError("expected --points of at least 1 and --seed of 0 to 4294967295")
    engine, path = _engine(arguments, _workers(arguments)), Path(arguments.study)
    out = Path(arguments.out) if arguments.out else None
    loud = not (arguments.json or arguments.quiet)
    found = search_run.search(
        path, out, engine, points=arguments.points, seed=arguments.seed, sampler=arguments.sampler,
        retry_failed=arguments.retry_failed, loud=loud, warn=_warn(arguments),
    )  # fmt: skip
    if arguments.json:
        counts = {"points": found.points, "space": found.space, "failed": len(found.failed), "front": found.front}
        answer.say(counts | {"out": str(found.out), "results": str(found.results)})
    else:
        if loud:
            seen = f"{found.points} of {found.space} points, {len(found.front)} on the front"
            print(f"{seen}:" if found.front else f"{seen}: no point meets the constraints")
            for row in found.front:
                print("  " + ", ".join(f"{name} {_short(row[name])}" for name in row if name != "point"))
        print(f"results: {found.results}")
    return _tell_failed(arguments, found.failed, found.out, found.points)


def _short(value: object) -> str:
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _sweep(arguments: argparse.Namespace) -> int:
    from accel_sim.sweep import run, study

    workers = _workers(arguments)
    path, out = Path(arguments.study), Path(arguments.out) if arguments.out else None
    loud = not (arguments.json or arguments.quiet)
    if arguments.dry_run:
        found = run.estimate(path, out, workers)
        if arguments.json:
            answer.say(found)
        else:
            print(_forecast(found, workers))
        return 0
    engine = _engine(arguments, workers)
    started = time.perf_counter()
    done = run.sweep(path, out, engine, retry_failed=arguments.retry_failed, loud=loud, warn=_warn(arguments))
    if arguments.json:
        counts = {"points": done.points, "made": done.made, "skipped": done.skipped, "failed": len(done.failed)}
        answer.say(counts | {"out": str(done.out), "results": str(done.results)})
    else:
        if loud:
            seconds = time.perf_counter() - started
            print(f"{done.points} points: {done.made} made in {seconds:.1f} s, {done.skipped} were there already")
        print(f"results: {done.results}")
        if loud and any("capacity" in column for column in study.read(done.out / "study.yaml").columns):
            print(CHOSEN)
    return _tell_failed(arguments, done.failed, done.out, done.points)


def _warn(arguments: argparse.Namespace) -> Callable[[str], None]:
    return lambda text: print(f"accel-sim {arguments.command}: warning: {text}", file=sys.stderr)


def _tell_failed(arguments: argparse.Namespace, failed: dict[str, str], out: Path, points: int) -> int:
    """Says why points failed, and returns the exit code."""
    for key, reason in list(failed.items())[:MOST_REASONS]:
        print(f"accel-sim {arguments.command}: {out}/failed/{key}.json: {reason}", file=sys.stderr)
    if failed:
        print(f"accel-sim {arguments.command}: {len(failed)} of {points} points failed", file=sys.stderr)
    return FAILED if failed else 0


def _engine(arguments: argparse.Namespace, workers: int):
    from accel_sim.sweep.engine import Local
    from workloads.registry import InputError

    if arguments.engine != "dask" and arguments.scheduler is None:
        return Local(workers)
    if arguments.engine == "local" or arguments.workers is not None:
        raise InputError("--scheduler: the cluster's workers do the work; leave out --workers and --engine local")
    from accel_sim.sweep.dask_engine import Dask

    return Dask(arguments.scheduler)


def _forecast(found: dict, workers: int) -> str:
    from accel_sim.sweep.progress import span

    text = f"{found['points']} points, {found['left']} to be made"
    if found["estimate_s"] is None:
        return text
    each = f"{found['point_s'] * 1000:.0f} ms a point (mean of {found['sample']})"
    return f"{text}: about {span(found['estimate_s'])} on {workers} workers, {each}"
