"""What a person sees in the terminal."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from accel_sim.results.plots import energy_table
from accel_sim.run.result import Result
from accel_sim.values.causes import Slots, bound, sentence
from workloads.network import Network


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """The reader of our output has gone: the command line knows what to do (rich would exit with 1)."""
        raise BrokenPipeError


def plain_console() -> Console:
    """stdout without guessed colours."""
    console = _Terminal(highlight=False)
    # a pipe or file has no width of its own: let a row keep to its line
    return console if console.is_terminal else _Terminal(highlight=False, width=160)


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


#: heading -> justify; in a narrow terminal the columns at the end of NARROW go first
REPORT = (
    "layer",
    "kind",
    "MACs",
    "effectual",
    "cycles",
    "array cycles",
    "util %",
    "energy µJ",
    "DRAM kB",
    "bound by",
)
NARROW = (
    "layer",
    "cycles",
    "energy µJ",
    "util %",
    "bound by",
    "MACs",
    "DRAM kB",
    "effectual",
    "array cycles",
    "kind",
)
LEFT = ("layer", "kind", "bound by")


def report(result: Result, seconds: float) -> None:
    """Layers, totals, and where the cycles and the energy go."""
    console, summary = plain_console(), result.summary
    title = f"{summary['network']} on {summary['hardware']} ({summary['data_detail']})"
    console.print(_fitting(console.width, title, [*_layer_cells(result), _total_cells(summary)]))
    slots = Slots.joined(run.causes for run in result.runs)
    console.print("cycles go to:  " + _shares(slots.by_name))
    console.print(f"bound by:  {sentence(slots)}")
    parts = energy_table(result.actions).sum().to_dict()
    console.print("energy goes to:  " + _shares(parts), soft_wrap=True)
    per_second = summary["cycles"] / seconds if seconds else 0
    console.print(
        f"time on the machine: {1e3 * summary['time_s']:,.3f} ms at {result.machine.clock_mhz:g} MHz; "
        f"simulated in {seconds:.1f} s ({per_second:,.0f} cycles a second)"
    )
    for rank, (index, score) in enumerate((summary["top5"] or [])[:5], 1):
        console.print(f"top {rank}: class {index}, score {score}")
    for note, names in notes(result).items():
        console.print(f"{names}: {note}")
    for note in result.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if summary["check"]:
        check = summary["check"]
        console.print(f"check: {check['layers']} layers equal to the reference, {check['overflows']} overflows")


def _layer_cells(result: Result) -> Iterator[dict[str, str]]:
    for row, run in zip(result.layers.itertuples(), result.runs, strict=True):
        most = bound(run.causes)
        yield _cells(row._asdict()) | {
            "layer": row.layer, "kind": row.kind, "bound by": "-" if most is None else str(most),
        }  # fmt: skip


def _total_cells(summary: dict[str, Any]) -> dict[str, str]:
    return _cells(summary) | {"layer": "total", "kind": "", "bound by": ""}


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """Figures that layers and the whole run have in common."""
    return {
        "MACs": f"{row['macs_nominal']:,}", "effectual": f"{row['macs_effectual']:,}", "cycles": f"{row['cycles']:,}",
        "array cycles": f"{row['array_cycles']:,}", "util %": f"{100 * row['utilization']:.1f}",
        "energy µJ": f"{row['energy_pj'] / 1e6:,.2f}",
        "DRAM kB": f"{(row['dram_read_bytes'] + row['dram_write_bytes']) / 1e3:,.1f}",
    }  # fmt: skip


def _fitting(width: int, title: str, rows: list[dict[str, str]]) -> Table:
    """A table of as many columns as ``width`` characters hold; the last row is a total."""
    wide = {heading: max(len(heading), *(len(row[heading]) for row in rows)) + 3 for heading in REPORT}
    shown = list(NARROW)
    while len(shown) > 3 and sum(wide[heading] for heading in shown) + 1 > width:
        shown.pop()
    table = Table(title=title, title_justify="left")
    columns = [heading for heading in REPORT if heading in shown]
    for heading in columns:
        table.add_column(heading, justify="left" if heading in LEFT else "right", no_wrap=True)
    for row in rows[:-1]:
        table.add_row(*(row[heading] for heading in columns))
    table.add_section()
    table.add_row(*(rows[-1][heading] for heading in columns))
    return table


def notes(result: Result, shown: int = 3) -> dict[str, str]:
    """What the layers say of themselves -> the layers that say it (numbers apart), the first of each with its numbers.

    Only the first ``shown`` kinds of notes; all of them stand in layers.csv.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for run in result.runs:
        for note in run.facts.notes:
            found.setdefault(re.sub(r"[\d.,]+", "#", note), (note, []))[1].append(run.layer.name)
    return {
        note: names[0] + (f" (and {len(names) - 1} more like it)" if len(names) > 1 else "")
        for note, names in list(found.values())[:shown]
    }


def _shares(parts: Mapping[str, float]) -> str:
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
    """A network's layers as a table."""
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
    plain_console().print(table)


#: heading -> key of value_statistics, and how it is printed
STATISTICS = {
    "values": ("values", ","), "density %": ("density", ".1%"), "min": ("min", ","), "max": ("max", ","),
    "set bits": ("popcount", ".2f"), "CSD": ("csd", ".2f"), "Booth": ("booth", ".2f"), "group 16": ("group16", ".2f"),
    "group 256": ("group256", ".2f"), "entropy": ("entropy", ".2f"), "Huffman": ("huffman", ".2f"),
}  # fmt: skip


def statistics(network: Network, rows: list[dict[str, Any]]) -> None:
    """Weights and inputs of every layer; terms and bits are means per value, zeros included."""
    console = plain_console()
    for tensor in ("weights", "inputs"):
        table = Table(title=f"{network.name}: {tensor} (bits and terms per value)", title_justify="left")
        table.add_column("layer", no_wrap=True)
        for heading in STATISTICS:
            table.add_column(heading, justify="right", no_wrap=True)
        spread = tensor == "inputs" and network.batch > 1
        if spread:
            table.add_column("density % by image", justify="right", no_wrap=True)
        for row in rows:
            found = row[tensor]
            cells = [format(found[key], shape) for key, shape in STATISTICS.values()]
            if spread:
                cells.append(f"{100 * found['density_min']:.1f} - {100 * found['density_max']:.1f}")
            table.add_row(row["layer"], *(cell.removesuffix("%") for cell in cells))
        console.print(table)
    table = Table(title=f"{network.name}: work (products; mean over {network.batch} item(s))", title_justify="left")
    table.add_column("layer", no_wrap=True)
    names = [name for name in rows[0]["work"][0] if name.startswith("mac_")] if rows else []
    for name in names:
        table.add_column(name.removeprefix("mac_"), justify="right", no_wrap=True)
    for row in rows:
        means = [sum(item.get(name, 0) for item in row["work"]) / len(row["work"]) for name in names]
        table.add_row(row["layer"], *(f"{mean:,.0f}" for mean in means))
    console.print(table)
    sources = sorted({row[tensor]["source"] for row in rows for tensor in ("weights", "inputs")})
    for source in sources:
        console.print(f"source: {source}")


def experiment(report: dict[str, Any], quiet: bool) -> None:
    """One experiment's verdict."""
    verdict = "passed" if report["passed"] else "FAILED"
    if not quiet:
        print(report["question"])
    counts = [
        f"{report['gated_within']} of {report['gated']} gated" if report["gated"] else "no row gated",
        *([f"{report['laws_held']} of {report['laws']} laws held"] if report["laws"] else []),
        f"{report['shown']} shown",
    ]
    print(f"{report['name']}: {verdict}: {', '.join(counts)}; {report['out']}")


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
