"""What each command does; accel_sim.shell.cli parses and turns errors into exit codes."""

import argparse
import platform
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accel_sim.host import answer, yaml_io
from accel_sim.machine.layer_precision import set_layer
from accel_sim.shell.names import names_of
from accel_sim.shell.report_commands import COMMANDS as REPORTS
from accel_sim.sweep import command as study
from workloads.data_settings import KINDS, DataSettings
from workloads.registry import InputError, unknown

#: keys of the run section of config.yaml and their defaults
RUN_KEYS: dict[str, object] = {"network": None} | DataSettings().tree() | {"layers": "*", "seed": 0, "check": False}


def run(arguments: argparse.Namespace) -> int:
    """Simulates, writes the run's directory and prints the table."""
    from workloads.profiles import warnings_of

    started = time.perf_counter()
    settings, machine = _plan(arguments)
    _check_seed(settings["seed"])
    network = DataSettings.of(settings).load(settings["network"])
    from accel_sim.host import output
    from accel_sim.reports.extras import Extras
    from accel_sim.results import console, rundir  # pandas takes most of a second: a refused file does not wait for it
    from accel_sim.run.simulate import simulate

    extras = Extras(trace=arguments.trace, stats=arguments.stats)
    stem = re.sub(r"[^\w.-]+|\.\.+", "_", f"{_stem(settings['network'])}-{machine.name}")
    out = Path(arguments.out or f"runs/{stem}")
    output.check_target(out, rundir.FILES, "run")
    loud = not (arguments.json or arguments.quiet)
    with console.progress(len(network.layers), enabled=loud) as progress:
        result = simulate(
            network,
            machine,
            seed=settings["seed"],
            check=settings["check"],
            layers=settings["layers"],
            progress=progress,
            engine=extras.engine,
        )
    for warning in (*warnings_of(network), *machine.warnings):  # what is refused is one line, and no warning before it
        print(f"accel-sim run: warning: {warning}", file=sys.stderr)
    seconds = time.perf_counter() - started
    log = [
        f"wall time: {seconds:.3f} s", f"host: {platform.node()}", f"python: {sys.version.split()[0]}",
        f"command: {' '.join(sys.argv)}", f"directory: {out.absolute()}",
    ]  # fmt: skip
    rundir.write(result, out, settings, log, extras.files(result), figures=not arguments.no_plots)
    for warning in extras.warnings:
        print(f"accel-sim run: warning: {warning}", file=sys.stderr)
    if arguments.json:
        answer.say(result.summary | {"out": str(out)})
    else:
        if loud:
            console.report(result, seconds)
        print(f"results: {out}")
    return 0


def _plan(arguments: argparse.Namespace) -> tuple[dict[str, Any], Any]:
    """(run section, machine) from the command line, or from an earlier run's config.yaml."""
    from accel_sim.machine.config import from_tree, load_hardware

    settings = dict(_setting(text) for text in arguments.set)
    arguments.dims, arguments.precision = _dims(arguments.dims), _precision(arguments.precision)
    if arguments.config is None:
        if arguments.hardware is None:
            raise InputError("expected NETWORK and HARDWARE, or --config FILE")
        return {key: getattr(arguments, key) for key in RUN_KEYS}, load_hardware(arguments.hardware, settings)
    given = {key for key in RUN_KEYS if getattr(arguments, key) != RUN_KEYS[key]}
    if given:
        raise InputError(f"--config holds {min(given)} already: give one or the other")
    tree = yaml_io.read(Path(arguments.config), "configuration")
    if not isinstance(tree, dict) or set(tree) != {"run", "hardware"} or not isinstance(tree["run"], dict):
        raise InputError(f"{arguments.config}: expected the sections run and hardware, as in a run's config.yaml")
    for key, value in tree["run"].items():
        if key not in RUN_KEYS:
            raise InputError(f"{arguments.config}: run: {unknown('key', str(key), list(RUN_KEYS))}")
        kinds = ({"seed": int, "check": bool} | KINDS).get(key, str)
        optional = RUN_KEYS[key] is None and value is None
        if not optional and type(value) is not kinds:
            raise InputError(f"{arguments.config}: run.{key}: expected {kinds.__name__}, not {value!r}")
    for name, size in (tree["run"].get("dims") or {}).items():
        if type(size) is not int:
            raise InputError(f"{arguments.config}: run.dims.{name}: expected int, not {size!r}")
    if tree["run"].get("network") is None:
        raise InputError(f"{arguments.config}: run.network: is missing")
    return RUN_KEYS | tree["run"], from_tree(tree["hardware"], str(arguments.config), settings)


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"seed={seed} must not be negative")


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"--set {text}: expected KEY=VALUE, as array.rows=16")
    return key, yaml_io.parse(value, f"--set {key}")


def _precision(texts: list[str]) -> dict[str, object]:
    """``KEY=FORMAT`` options; a key of one layer is ``layers.NAME.weights``."""
    section: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise InputError(f"--precision {text}: expected KEY=FORMAT, as weights=integer:bits=4")
        value = yaml_io.parse(value, f"--precision {key}")
        if key.startswith("layers."):
            set_layer(section, key.removeprefix("layers."), value)
        else:
            section[key] = value
    return section


def _dims(texts: list[str]) -> dict[str, int]:
    """``NAME=SIZE`` options; a name may hold '='."""
    sizes = {}
    for text in texts:
        name, equals, size = text.rpartition("=")
        if not name or not equals or not size.isascii() or not size.isdigit() or len(size) > 9:
            raise InputError(f"--dim {text}: expected NAME=SIZE, as sequence=128")
        sizes[name] = int(size)
    return sizes


def _stem(network: str) -> str:
    from workloads.importers import network_files

    return Path(str(network)).stem if Path(str(network)).suffix in network_files.names() else str(network)


def listing(arguments: argparse.Namespace) -> int:
    """Prints the names of one kind."""
    names = names_of(arguments.kind)
    if arguments.json:
        answer.say(names)
    else:
        print("\n".join(names))
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Prints a network's layers or a machine's YAML."""
    if arguments.kind == "hardware":
        from accel_sim.machine.config import load_hardware, to_tree

        tree = to_tree(load_hardware(arguments.name))
        if arguments.json:
            answer.say(tree)
        else:
            print(yaml_io.dump(tree), end="")
        return 0
    from workloads import load_network

    network = load_network(arguments.name, dims=_dims(arguments.dims))
    from accel_sim.results import console

    if arguments.topology:
        from workloads.importers.scalesim import write_topology

        text = write_topology(network)
        if arguments.json:
            answer.say({"network": network.name, "topology_csv": text})
        else:
            print(text, end="")
    elif arguments.json:
        answer.say(console.network_rows(network))
    else:
        console.show_network(network)
    return 0


def stats(arguments: argparse.Namespace) -> int:
    """Prints statistics of a network's data."""
    from workloads.survey import survey

    _check_seed(arguments.seed)
    arguments.dims, arguments.precision = _dims(arguments.dims), _precision(arguments.precision)
    network = DataSettings.of(vars(arguments)).load(arguments.network)
    rows = list(survey(network, arguments.seed, arguments.forward))
    from accel_sim.results import console

    if arguments.json:
        answer.say({"network": network.name, "images": network.image_names, "layers": rows})
    else:
        console.statistics(network, rows)
    return 0


def plot(arguments: argparse.Namespace) -> int:
    """Draws the figures of a run's directory again, or one of a study's."""
    from accel_sim.results import plots

    if (Path(arguments.dir) / "study.yaml").exists() or any(vars(arguments)[name] for name in ("kind", *study.WISHES)):
        paths = study.plot(arguments)
    else:
        paths = plots.write(Path(arguments.dir))
    if arguments.json:
        answer.say({"files": [str(path) for path in paths]})
    else:
        for path in paths:
            print(path)
    return 0


def experiment(arguments: argparse.Namespace) -> int:
    """Runs experiments; exit code 3 if a gated row is outside its tolerance."""
    from accel_sim.results import console
    from accel_sim.results.experiment import run_experiments

    reports = run_experiments(arguments.name, Path(arguments.out))
    if arguments.json:
        answer.say(reports)
    else:
        for report in reports:
            console.experiment(report, arguments.quiet)
    return 0 if all(report["passed"] for report in reports) else 3


def dram(arguments: argparse.Namespace) -> int:
    """Plays a trace of memory requests alone."""
    from accel_sim.memories import dram_trace
    from accel_sim.results import console

    memory = dram_trace.memory(arguments.part, dict(_setting(text) for text in arguments.set))
    report = dram_trace.play(dram_trace.read(Path(arguments.trace), memory.capacity_bytes), memory)
    if arguments.json:
        answer.say({"trace": arguments.trace} | report)
    else:
        console.dram(arguments.trace, report)
    return 0


def accelergy(arguments: argparse.Namespace) -> int:
    """Writes a run's directory in Accelergy's forms."""
    from accel_sim.energy.accelergy import read_art
    from accel_sim.results import accelergy as export
    from accel_sim.results.rundir import machine_of

    folder = Path(arguments.dir)
    out = Path(arguments.out or f"{folder if folder.name else folder.resolve()}-accelergy")
    given = {} if arguments.art is None else read_art(Path(arguments.art))
    done = export.read_run(folder)
    areas = machine_of(folder).areas_um2 | given
    export.write(done, out, areas)
    without = [component for component in done.components if component not in areas]
    if arguments.json:
        report = {"energy_pj": done.energy_pj, "components": done.components, "without_area": without}
        answer.say(report | {"out": str(out)})
        return 0
    if not arguments.quiet:
        print(f"{len(done.components)} components, {len(done.pj)} entries, {done.energy_pj:,.0f} pJ")
        if without:
            print(f"no area is known for {', '.join(without)}")
    print(f"results: {out}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run, "list": listing, "show": show, "stats": stats, "plot": plot, "experiment": experiment,
    "dram": dram, "accelergy": accelergy, "sweep": study.sweep, "search": study.search, **REPORTS,
}  # fmt: skip
