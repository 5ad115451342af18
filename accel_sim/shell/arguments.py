"""All commands and their options. Nothing heavy is imported before a command runs."""

import argparse
from dataclasses import fields

from accel_sim.host import answer
from accel_sim.shell import names
from accel_sim.shell import report_arguments as reports
from accel_sim.sweep import command as study
from workloads.data_settings import KINDS, DataSettings


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, with exit code 2; options may stand anywhere between a command's other arguments."""

    def parse_known_args(self, args=None, namespace=None):
        """Of a command, not of the program (what follows a command is the command's)."""
        if self._subparsers is not None or self._apart:
            return super().parse_known_args(args, namespace)
        self._apart = True  # the two passes of argparse come back here
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._apart = False

    _apart = False

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see '{self.prog} --help')\n")


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = _Parser(
        prog="accel-sim",
        description="How many cycles and how much energy a compressed network takes on an accelerator, and where.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _run(commands)
    listing = commands.add_parser("list", help="names that can be used")
    listing.add_argument("kind", choices=names.KINDS, metavar="KIND", help=", ".join(names.KINDS))
    answer.json_option(listing)
    show = commands.add_parser("show", help="a network's layers or a machine's description")
    show.add_argument("kind", choices=("network", "hardware"))
    show.add_argument("name", metavar="NAME")
    show.add_argument("--topology", action="store_true", help="a network as SCALE-Sim topology CSV")
    _settings(show, "dims")
    answer.json_option(show)
    stats = commands.add_parser("stats", help="density, bits, terms and effectual work of a network's data")
    stats.add_argument("network", metavar="NETWORK")
    _data(stats)
    stats.add_argument(
        "--forward", default="integer", metavar="KIND", help="how images flow: integer (default) or float"
    )
    answer.json_option(stats)
    plot = commands.add_parser("plot", help="draw a run's figures again, or a figure of a study")
    plot.add_argument("dir", metavar="DIR")
    answer.json_option(plot)
    study.plot_options(plot)
    experiment = commands.add_parser("experiment", help="answer a published question: one table, one figure")
    experiment.add_argument("name", metavar="NAME|all")
    experiment.add_argument("--out", type=answer.place, default="runs/experiments", metavar="DIR")
    answer.options(experiment)
    dram = commands.add_parser("dram", help="play a trace of requests alone through a DRAM part")
    dram.add_argument("trace", metavar="TRACE.csv", help="columns address, op (R or W) and, if wanted, arrival")
    dram.add_argument("--part", required=True, metavar="NAME", help="as ddr4_2400, or a .yaml file of own parameters")
    dram.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a field of dram_banked, as page=closed"
    )
    answer.json_option(dram)
    _accelergy(commands)
    study.options(commands)
    reports.add(commands)
    return top


def _run(commands: argparse._SubParsersAction) -> None:
    run = commands.add_parser("run", help="simulate a network on a machine")
    run.add_argument(
        "network",
        nargs="?",
        metavar="NETWORK",
        help="a built-in name or a network file (.onnx .tflite .npz .prototxt .csv)",
    )
    run.add_argument("hardware", nargs="?", metavar="HARDWARE", help="a preset, a YAML file or a SCALE-Sim .cfg")
    run.add_argument(
        "--config",
        type=answer.place,
        metavar="FILE",
        help="config.yaml of an earlier run, instead of NETWORK and HARDWARE",
    )
    _data(run)
    run.add_argument("--layers", default="*", metavar="GLOB", help="only the layers whose name matches")
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a field of the hardware, as array.rows=16"
    )
    run.add_argument(
        "--out", type=answer.place, metavar="DIR", help="where the results go (default: runs/NETWORK-HARDWARE)"
    )
    run.add_argument(
        "--check", action="store_true", help="also compute every output from the issued products, and compare"
    )
    run.add_argument("--no-plots", action="store_true", help="no figures; accel-sim plot DIR draws them later")
    reports.extras(run)
    answer.options(run)


def _accelergy(commands: argparse._SubParsersAction) -> None:
    accelergy = commands.add_parser("accelergy", help="write a run as Accelergy's ERT, ART, action counts and energies")
    accelergy.add_argument("dir", metavar="DIR", help="a run's directory")
    accelergy.add_argument(
        "--out", type=answer.place, metavar="DIR", help="where the files go (default: DIR-accelergy)"
    )
    accelergy.add_argument(
        "--art", type=answer.place, metavar="FILE", help="areas of its components, in Accelergy's ART form"
    )
    answer.options(accelergy)


def _data(command: argparse.ArgumentParser) -> None:
    """What flows through a network."""
    _settings(command, *KINDS)
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of synthetic data")


def _settings(command: argparse.ArgumentParser, *keys: str) -> None:
    """Options of those data settings."""
    for each in fields(DataSettings):
        kind, option = each.metadata["kind"], each.metadata["option"] or each.name
        told = {"metavar": each.metadata["metavar"], "help": each.metadata["help"], "dest": each.name}
        if each.name not in keys:
            continue
        if kind is dict:
            command.add_argument(f"--{option}", action="append", default=[], **told)
        else:
            command.add_argument(f"--{option}", type=answer.place if kind is str else kind, **told)
