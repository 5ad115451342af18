"""What a person sees in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from accel_sim.result import Result
from accel_sim.timing import CAUSES
from workloads.network import Network


def _console() -> Console:
    console = Console(highlight=False)
    # a pipe or file has no width of its own: let a row keep to its line
    return console if console.is_terminal else Console(highlight=False, width=160)


@contextmanager
def progress(total: int, enabled: bool) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, nothing elsewhere; yields a function to call with each layer's name."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not (enabled and console.is_terminal),
    )  # fmt: skip
    with bar:
        task = bar.add_task("simulate", total=total)
        started = [False]

        def step(name: str) -> None:
            bar.update(task, description=name, advance=1 if started[0] else 0)
            started[0] = True

        yield step


def report(result: Result, seconds: float) -> None:
    """Layers, totals, and where the cycles and the energy go."""
    console, summary = _console(), result.summary
    table = Table(title=f"{summary['network']} on {summary['hardware']} ({summary['data']} data)", title_justify="left")
    for name in ("layer", "kind"):
        table.add_column(name, no_wrap=True)
    for name in ("MACs", "effectual", "cycles", "array cycles", "util %", "energy µJ", "DRAM kB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("most cycles", no_wrap=True)
    for row, run in zip(result.layers.itertuples(), result.runs, strict=True):
        top = max(CAUSES, key=lambda cause: run.slots[cause])
        share = 100 * run.slots[top] / max(1, sum(run.slots.values()))
        table.add_row(
            row.layer, row.kind, f"{row.macs_nominal:,}", f"{row.macs_effectual:,}", f"{row.cycles:,}",
            f"{row.array_cycles:,}", f"{100 * row.utilization:.1f}", f"{row.energy_pj / 1e6:,.2f}",
            f"{(row.dram_read_bytes + row.dram_write_bytes) / 1e3:,.1f}", f"{top} {share:.0f} %" if row.cycles else "-",
        )  # fmt: skip
    table.add_section()
    moved = (summary["dram_read_bytes"] + summary["dram_write_bytes"]) / 1e3
    table.add_row(
        "total", "", f"{summary['macs_nominal']:,}", f"{summary['macs_effectual']:,}", f"{summary['cycles']:,}",
        f"{summary['array_cycles']:,}", f"{100 * summary['utilization']:.1f}", f"{summary['energy_pj'] / 1e6:,.2f}",
        f"{moved:,.1f}", "",
    )  # fmt: skip
    console.print(table)
    slots = {cause: sum(run.slots[cause] for run in result.runs) for cause in CAUSES}
    console.print("cycles go to:  " + _shares(slots))
    parts = result.actions.groupby("component").energy_pj.sum().to_dict()
    console.print("energy goes to:  " + _shares(parts))
    per_second = summary["cycles"] / seconds if seconds else 0
    console.print(
        f"time on the machine: {1e3 * summary['time_s']:,.3f} ms at {result.machine.clock_mhz:g} MHz; "
        f"simulated in {seconds:.1f} s ({per_second:,.0f} cycles a second)"
    )
    for rank, (index, score) in enumerate((summary["top5"] or [])[:5], 1):
        console.print(f"top {rank}: class {index}, score {score}")
    if summary["check"]:
        check = summary["check"]
        console.print(f"check: {check['layers']} layers equal to the reference, {check['overflows']} overflows")


def _shares(parts: dict[str, float]) -> str:
    total = sum(parts.values()) or 1
    shares = sorted(((value, name) for name, value in parts.items() if value > 0), reverse=True)
    return ", ".join(f"{name} {100 * value / total:.1f} %" for value, name in shares)


def network_rows(network: Network) -> list[dict[str, Any]]:
    """One mapping per layer: shape, MACs, parameters."""
    return [
        {
            "layer": layer.name, "kind": layer.kind, "input": [layer.C, layer.H, layer.W],
            "output": [layer.M, layer.E, layer.F], "filter": [layer.R, layer.S], "stride": list(layer.stride),
            "padding": list(layer.padding), "groups": layer.G, "macs": layer.macs, "params": layer.params,
        }
        for layer in network.layers
    ]  # fmt: skip


def show_network(network: Network) -> None:
    table = Table(title=f"{network.name}: {network.macs:,} MACs, {network.params:,} parameters", title_justify="left")
    for name in ("layer", "kind", "input", "output", "filter", "stride", "padding"):
        table.add_column(name, no_wrap=True)
    for name in ("groups", "MACs", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in network_rows(network):
        sizes = ["x".join(str(n) for n in row[key]) for key in ("input", "output", "filter", "stride")]
        padding = ",".join(str(n) for n in row["padding"])
        table.add_row(
            row["layer"], row["kind"], *sizes, padding, str(row["groups"]), f"{row['macs']:,}", f"{row['params']:,}"
        )
    _console().print(table)


def experiment(report: dict[str, Any], quiet: bool) -> None:
    verdict = "passed" if report["passed"] else "FAILED"
    if not quiet:
        print(report["question"])
    print(f"{report['name']}: {verdict}: {report['within']} of {report['rows']} rows within tolerance; {report['out']}")


def dram(trace: str, report: dict[str, Any]) -> None:
    """What a trace took: time, commands, energy."""
    commands = ", ".join(f"{name} {count:,}" for name, count in report["commands"].items())
    energy = ", ".join(f"{name} {value / 1e3:,.1f}" for name, value in report["energy_pj"].items())
    latency = report["read_latency_cycles"]
    print(
        f"{trace} on {report['part']} ({report['scheduler']}, {report['page']} page): {report['requests']:,} requests"
    )
    print(f"cycles to the last data beat: {report['cycles']:,} ({report['time_us']:,.2f} us)")
    print(f"commands: {commands}; forwarded {report['forwarded']:,}, merged {report['merged']:,}")
    print(f"hit rate: {report['hit_rate']:.4f} of the bursts found their row open")
    print(f"read latency: {'no reads' if latency is None else f'{latency:,.2f} cycles'}")
    print(f"bandwidth: {report['bandwidth_gb_s']:.3f} GB/s, {100 * report['bus_utilization']:.1f} % of the bus")
    print(f"energy in nJ: {energy}")
    print(f"pJ per bit: {report['pj_per_bit']:.2f}, without refresh and background {report['pj_per_bit_commands']:.2f}")
