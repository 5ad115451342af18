"""What each command does; accel_sim.cli parses and turns errors into exit codes."""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accel_sim import console, yaml_io
from workloads.registry import InputError, unknown

#: keys of the run section of config.yaml and their defaults
RUN_KEYS = {
    "network": None, "weights": None, "image": None, "batch": None, "layers": "*", "seed": 0, "check": False,
}  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from accel_sim import rundir
    from accel_sim.simulate import simulate
    from workloads import load_network

    started = time.perf_counter()
    settings, machine = _plan(arguments)
    out = Path(arguments.out or f"runs/{_stem(settings['network'])}-{machine.name}")
    rundir.check_target(out)
    if settings["seed"] < 0:
        raise InputError(f"seed={settings['seed']} must not be negative")
    network = load_network(
        settings["network"], weights=settings["weights"], image=settings["image"], batch=settings["batch"]
    )
    loud = not (arguments.json or arguments.quiet)
    with console.progress(len(network.layers), enabled=loud) as progress:
        result = simulate(
            network,
            machine,
            seed=settings["seed"],
            check=settings["check"],
            layers=settings["layers"],
            progress=progress,
        )
    seconds = time.perf_counter() - started
    log = [
        f"wall time: {seconds:.3f} s", f"host: {platform.node()}", f"python: {sys.version.split()[0]}",
        f"command: {' '.join(sys.argv)}", f"directory: {out.absolute()}",
    ]  # fmt: skip
    rundir.write(result, out, settings, log)
    if arguments.json:
        print(json.dumps(result.summary | {"out": str(out)}))
    else:
        if loud:
            console.report(result, seconds)
        print(f"results: {out}")
    return 0


def _plan(arguments: argparse.Namespace) -> tuple[dict[str, Any], Any]:
    """(run section, machine) from the command line, or from an earlier run's config.yaml."""
    from accel_sim.config import from_tree, load_hardware

    settings = dict(_setting(text) for text in arguments.set)
    if arguments.config is None:
        if arguments.hardware is None:
            raise InputError("expected NETWORK and HARDWARE, or --config FILE")
        return {key: getattr(arguments, key) for key in RUN_KEYS}, load_hardware(arguments.hardware, settings)
    given = {key for key in RUN_KEYS if getattr(arguments, key) != RUN_KEYS[key]}
    if given:
        raise InputError(f"--config holds {min(given)} already: give one or the other")
    tree = yaml_io.read(Path(arguments.config))
    if not isinstance(tree, dict) or set(tree) != {"run", "hardware"} or not isinstance(tree["run"], dict):
        raise InputError(f"{arguments.config}: expected the sections run and hardware, as in a run's config.yaml")
    for key, value in tree["run"].items():
        if key not in RUN_KEYS:
            raise InputError(f"{arguments.config}: run: {unknown('key', str(key), list(RUN_KEYS))}")
        kinds = {"batch": int, "seed": int, "check": bool}.get(key, str)
        if value is not None and type(value) is not kinds:
            raise InputError(f"{arguments.config}: run.{key}: expected {kinds.__name__}, not {value!r}")
    if tree["run"].get("network") is None:
        raise InputError(f"{arguments.config}: run.network: is missing")
    return RUN_KEYS | tree["run"], from_tree(tree["hardware"], str(arguments.config), settings)


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"--set {text}: expected KEY=VALUE, as array.rows=16")
    return key, yaml_io.parse(value, f"--set {key}")


def _stem(network: str) -> str:
    return Path(str(network)).stem if Path(str(network)).suffix == ".prototxt" else str(network)


def listing(arguments: argparse.Namespace) -> int:
    names = _names(arguments.kind)
    print(json.dumps(names) if arguments.json else "\n".join(names))
    return 0


def _names(kind: str) -> list[str]:
    if kind == "networks":
        from workloads.network import networks

        return networks.names()
    if kind == "hardware":
        from accel_sim.config import presets

        return presets()
    if kind == "experiments":
        from accel_sim.experiment import experiments

        return sorted(experiments())
    if kind == "encodings":
        from workloads.encoding import encodings

        return encodings.names()
    from accel_sim import parts

    return getattr(parts, kind).names()


def show(arguments: argparse.Namespace) -> int:
    if arguments.kind == "hardware":
        from accel_sim.config import load_hardware, to_tree

        tree = to_tree(load_hardware(arguments.name))
        print(json.dumps(tree) if arguments.json else yaml_io.dump(tree), end="\n" if arguments.json else "")
        return 0
    from workloads import load_network

    network = load_network(arguments.name)
    if arguments.json:
        print(json.dumps(console.network_rows(network)))
    else:
        console.show_network(network)
    return 0


def plot(arguments: argparse.Namespace) -> int:
    from accel_sim import plots

    for path in plots.write(Path(arguments.dir)):
        print(path)
    return 0


def experiment(arguments: argparse.Namespace) -> int:
    from accel_sim.experiment import run_experiments

    reports = run_experiments(arguments.name, Path(arguments.out))
    if arguments.json:
        print(json.dumps(reports))
    else:
        for report in reports:
            console.experiment(report, arguments.quiet)
    return 0 if all(report["passed"] for report in reports) else 3


def dram(arguments: argparse.Namespace) -> int:
    from accel_sim import dram_trace

    memory = dram_trace.memory(arguments.part, dict(_setting(text) for text in arguments.set))
    report = dram_trace.play(dram_trace.read(Path(arguments.trace), memory.capacity_bytes), memory)
    if arguments.json:
        print(json.dumps({"trace": arguments.trace} | report))
    else:
        console.dram(arguments.trace, report)
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run, "list": listing, "show": show, "plot": plot, "experiment": experiment,
    "dram": dram,
}  # fmt: skip
