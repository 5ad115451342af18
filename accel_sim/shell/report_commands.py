"""What the commands do that work on finished runs."""

import argparse
from collections.abc import Callable
from pathlib import Path

from accel_sim.host import answer


def compare(arguments: argparse.Namespace) -> int:
    """Prints runs side by side; with --out, writes figures and tables."""
    from accel_sim.host import output
    from accel_sim.reports import compare_plots, compare_text
    from accel_sim.reports.compare import compare as compared

    done = compared([Path(folder) for folder in arguments.dirs])
    if arguments.out is not None:
        out = Path(arguments.out)
        output.check_target(out, compare_plots.FILES, "comparison")
        with output.whole(out) as scratch:
            compare_plots.write(done, scratch)
    if arguments.json:
        answer.say(done.tree() | {"out": arguments.out})
        return 0
    if not arguments.quiet:
        compare_text.show(done)
    if arguments.out is not None:
        print(f"results: {arguments.out}")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Writes DIR/report.html, of a study or of a run."""
    from accel_sim.host import output
    from accel_sim.reports import page, run_files
    from accel_sim.sweep import results, study_files, study_page

    folder = Path(arguments.dir)
    path = folder / "report.html"
    if results.is_study(folder):
        text = study_page.render(study_files.read(folder))
    else:
        text = page.render(run_files.read(folder))
    output.clear(folder)
    output.write(path, text)
    if arguments.json:
        answer.say({"report": str(path), "bytes": path.stat().st_size})
    else:
        print(path)
    return 0


def completion(arguments: argparse.Namespace) -> int:
    """Prints a shell's completion script."""
    from accel_sim.memories import dram_part
    from accel_sim.shell.arguments import parser
    from accel_sim.shell.completion import script, words
    from accel_sim.shell.names import KINDS, names_of

    def names(kind: str) -> list[str]:
        return dram_part.names() if kind == "parts" else names_of(kind) if kind in KINDS else []

    print(script(arguments.shell, words(parser(), names)), end="")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "compare": compare,
    "report": report,
    "completion": completion,
}
