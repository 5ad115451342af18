"""The options of the commands that work on finished runs; nothing heavy is imported here."""

import argparse

from accel_sim.host import answer


def add(commands: argparse._SubParsersAction) -> None:
    """Adds compare, report and completion."""
    compare = commands.add_parser("compare", help="runs side by side: ratios, what changed, stacked bars")
    compare.add_argument("dirs", nargs="+", metavar="DIR", help="run directories; ratios are to the first")
    compare.add_argument(
        "--out", type=answer.place, metavar="DIR", help="also write figures and the CSV each of them shows"
    )
    answer.options(compare)
    report = commands.add_parser("report", help="write a run or a study as one HTML file, DIR/report.html")
    report.add_argument("dir", metavar="DIR")
    answer.json_option(report)
    completion = commands.add_parser("completion", help="print a script that completes commands, options and names")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))


def extras(run: argparse.ArgumentParser) -> None:
    """Files that a run writes on request."""
    run.add_argument("--trace", action="store_true", help="also write trace.json, a timeline for ui.perfetto.dev")
    run.add_argument("--stats", action="store_true", help="also write stats.txt, in the form of gem5's")
