"""Hierarchical roofline of a run (Williams, Waterman and Patterson, CACM 2009; one roof per level as in Yang et al.,
2019, "Hierarchical Roofline analysis"): what bounds each layer, and how near it comes to what its ports allow.

There is one roof for the array (the products it can issue in a cycle) and one for each port of each level: the
outermost memory, the ports of a level to the array (reads and writes, together where they take turns), its side to
other levels (``fill``), and networks. A layer's intensity at a port is its issued MACs (those that the machine does
not skip) over the bytes that pass the port, in whole words. What *bounds* a layer is not read off the roofs: it is what
most of its lane-slots went to (accel_sim.values.causes), and agrees with cycles.csv by construction.

roofline.csv has a row for each layer, with the outermost memory's roof, and how the dense network sees it: nominal MACs
over *plain* bytes, that the same transfers would have moved had the weights been dense (every weight at its own width,
that of a codebook's entries, not of its indices), under the effective bandwidth, peak x plain bytes / encoded bytes.
roofs.csv has a row for each layer and port. A port that no stall models may be passed by more than its roof; its
``share`` is then above 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from accel_sim.dataflows.common import Facts
from accel_sim.interconnects.interconnect import Interconnect
from accel_sim.machine.accelerator import Accelerator
from accel_sim.values.causes import Slots, bound
from accel_sim.values.jobs import Job
from workloads.operands import Operands, PostOperands

#: tensors that are smaller or larger for being encoded
ENCODED = ("weights", "pointers")
#: of roofline.csv
COLUMNS = (
    "layer", "bound", "cause", "level", "operand", "bound_share", "cycles", "macs_issued", "macs_effectual",
    "macs_nominal", "dram_bytes", "dram_plain_bytes", "peak_macs_per_cycle", "peak_bytes_per_cycle", "macs_per_byte",
    "macs_per_cycle", "attainable_macs_per_cycle", "share", "effective_bytes_per_cycle", "nominal_macs_per_plain_byte",
    "nominal_macs_per_cycle",
)  # fmt: skip
#: those of them that are text
TEXTS = ("layer", "bound", "cause", "level", "operand")
#: of roofs.csv
ROOF_COLUMNS = (
    "layer", "level", "port", "bytes", "peak_bytes_per_cycle", "macs_per_byte", "macs_per_cycle",
    "attainable_macs_per_cycle", "share",
)  # fmt: skip


@dataclass(frozen=True)
class Roof:
    """level: of a memory, or of a network (its memory's with _noc). actions: those of ``component`` whose bits pass,
    each counted ``times`` over."""

    level: str
    port: str
    peak_bytes_per_cycle: float
    component: str
    actions: tuple[str, ...]
    times: int = 1


def roofs(machine: Accelerator) -> Iterator[Roof]:
    """Of the outermost memory, then of each on-chip level from the outside in, and of its network."""
    dram, inner = machine.dram, {buffer.level for buffer in machine.buffers.values()}
    peak = float(dram.peak_bytes_per_cycle(machine.clock_mhz))
    yield Roof(dram.level, "channel", peak, dram.level, ("read", "write"))
    for part in machine.on_chip:
        word = part.word_bits * machine.instances(part) / 8
        reads, writes, fill = part.reads_per_cycle * word, part.writes_per_cycle * word, part.fill_bytes_per_cycle
        ports: dict[str, tuple[float, tuple[str, ...]]] = {"fill": (reads if fill is None else fill, ("fill", "drain"))}
        if part.level not in inner:  # it feeds other levels alone
            ports["fill"] = ports["fill"][0], ("read", "write", "fill", "drain")
        elif part.shared_ports:
            ports["read+write"] = reads, ("read", "write")
        else:
            ports |= {"read": (reads, ("read",)), "write": (writes, ("write",))}
        for port, (peak, actions) in ports.items():
            yield Roof(part.level, port, peak, part.level, actions)
        if part.network is not None and part.network.width_bits is not None:
            yield _network_roof(part.level, part.network, part.network.width_bits, machine)


def _network_roof(level: str, network: Interconnect, width_bits: int, machine: Accelerator) -> Roof:
    """In whole words, spread over the longer edge of the array. Where every value drives all wires, hops say exactly
    how many values passed; else they are taken to be the words that the level gave and took."""
    rows, cols = machine.array.rows, machine.array.cols
    name, places = f"{level}_noc", max(rows, cols)
    words = 64 * places
    peak = words * width_bits / 8 / network.cycles(words, width_bits, places)
    everywhere = network.hops(rows, cols, rows, cols)
    if network.hops(rows, cols, 1, 1) == everywhere:
        return Roof(name, "network", peak, name, ("hop",), everywhere)
    return Roof(name, "network", peak, level, ("read", "write"))


def plain_bytes(swaps: list[Job], operands: Operands, facts: Facts) -> int:
    """Bytes the layer's transfers would have moved, had weights and maps lain in memory dense, side by side.

    Weights are moved as often as they were; pointers and codebook count as part of their encoding.
    """
    transfers = [move for job in swaps for move in (*job.loads.values(), *job.drains.values()) if move.outermost]
    streams = [stream for move in transfers for stream in move.streams]
    encoded = sum(stream.bytes for stream in streams if stream.tensor in ENCODED and not stream.plain)
    rest = sum(stream.plain or stream.bytes for stream in streams) - encoded
    if isinstance(operands, PostOperands) or not encoded:
        return rest + encoded
    size, width = operands.weights.values.size, operands.weights.format.plain_bits
    return rest - (-encoded * size * width // facts.weight_bits)


def peak_macs_per_cycle(layers: pd.DataFrame, machine: Accelerator) -> pd.Series:
    """[layers] products that all lanes can issue in a cycle, in the mode of the MAC unit that each layer uses.

    A run on a unit with several modes says in a column ``products_per_cycle`` of layers.csv how many products a lane
    issues; without it, it is one.
    """
    products = layers.get("products_per_cycle", pd.Series(1, layers.index))
    return (machine.array.lanes * products).astype(float)


def roof_table(layers: pd.DataFrame, actions: pd.DataFrame, machine: Accelerator) -> pd.DataFrame:
    """Rows of roofs.csv from those of layers.csv and actions.csv: ports that something of the layer passes."""
    found = _with_macs(layers)
    peak, parts = peak_macs_per_cycle(found, machine), []
    for roof in roofs(machine):
        passing = actions[(actions.component == roof.component) & actions.action.isin(roof.actions)]
        moved = (passing["count"] * passing.bits).groupby(passing.layer).sum() / (8 * roof.times)
        moved = found.layer.map(moved).astype(float).fillna(0.0)
        slope = roof.peak_bytes_per_cycle * found.macs_issued / moved
        speed = found.macs_issued / found.cycles
        attainable = peak.where(slope >= peak, slope)
        columns = (
            found.layer, roof.level, roof.port, moved, roof.peak_bytes_per_cycle, found.macs_issued / moved, speed,
            attainable, (speed / attainable).fillna(0.0),
        )  # fmt: skip
        parts.append(pd.DataFrame(dict(zip(ROOF_COLUMNS, columns, strict=True)), index=found.index)[moved > 0])
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def table(layers: pd.DataFrame, cycles: pd.DataFrame, machine: Accelerator) -> pd.DataFrame:
    """Rows of roofline.csv from those of layers.csv and cycles.csv; layers without MACs are left out.

    bound: what the layer's lane-slots say (accel_sim.values.causes.bound): ``compute`` or the cause waited for
    most; cause, level, operand: the largest in it; bound_share: of all lane-slots, that of ``bound``. dram_bytes,
    macs_per_byte, macs_per_cycle, attainable_macs_per_cycle: issued MACs under the lower roof of array and
    outermost memory; ``share`` is macs_per_cycle over it. The others: as the dense network sees it.
    """
    found = _with_macs(layers)
    issued, plain = found.macs_issued, found.dram_plain_bytes
    slots = (Slots.of(cycles[cycles.layer == layer]) for layer in found.layer)
    bounds = [each for each in map(bound, slots) if each is not None]  # all, as each layer has cycles
    moved = found.dram_read_bytes + found.dram_write_bytes
    peak = peak_macs_per_cycle(found, machine)
    bandwidth = float(machine.dram.peak_bytes_per_cycle(machine.clock_mhz))
    slope = bandwidth * issued / moved
    attainable = peak.where(slope >= peak, slope)
    columns = (
        found.layer, [each.name for each in bounds], *([getattr(each.cause, name) for each in bounds]
        for name in ("name", "level", "operand")), [each.share for each in bounds], found.cycles, issued,
        found.macs_effectual, found.macs_nominal, moved, plain, peak, pd.Series(bandwidth, found.index),
        issued / moved, issued / found.cycles, attainable, (issued / found.cycles / attainable).fillna(0.0),
        bandwidth * plain / moved, found.macs_nominal / plain, found.macs_nominal / found.cycles,
    )  # fmt: skip
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _with_macs(layers: pd.DataFrame) -> pd.DataFrame:
    return layers[(layers.macs_nominal > 0) & (layers.cycles > 0)].reset_index(drop=True)


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Of the whole run: ``share`` = cycles the layers would take at their roofs over those they took;
    ``effective_bytes_per_cycle`` = peak x all plain bytes / all encoded bytes."""
    at_the_roof = (rows.cycles * rows.share).sum()
    ratio = rows.dram_plain_bytes.sum() / rows.dram_bytes.sum()
    return {
        "share": float(at_the_roof / rows.cycles.sum()),
        "effective_bytes_per_cycle": float(rows.peak_bytes_per_cycle.max() * ratio),
    }


def marks(rows: pd.DataFrame, ports: pd.DataFrame) -> pd.DataFrame:
    """Where a figure puts each layer: rows of roofline.csv with x (issued MACs per byte), y (issued MACs a cycle) and
    bound_roof_share (share of the roof of the level that bounds it, NaN where none does).

    rows, ports: of roofline.csv and roofs.csv. x is that of the level which bounds the layer (of its ports, the one
    whose roof is lowest), of the outermost memory where no level does or nothing passed it. Layers without a place on
    logarithmic axes are left out.
    """
    lowest = ports.sort_values("attainable_macs_per_cycle", kind="stable").drop_duplicates(["layer", "level"])
    keys = pd.MultiIndex.from_frame(rows[["layer", "level"]])
    at_level = lowest.set_index(["layer", "level"]).reindex(keys).set_index(rows.index)
    x = at_level.macs_per_byte.astype(float).fillna(rows.macs_per_byte)
    found = rows.assign(x=x, y=rows.macs_per_cycle, bound_roof_share=at_level.share.astype(float))
    return found[(found.x > 0) & (found.x < math.inf) & (found.y > 0)].reset_index(drop=True)


def slopes(ports: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    """(names, cause, bytes a cycle) of each roof in the figure, the lowest first; equal ones of a kind are one.

    The side of a level to other levels is left out where it passes as much as its ports.
    """
    whole = ports.drop_duplicates(["level", "port"])[["level", "port", "peak_bytes_per_cycle"]]
    rows = list(whole.itertuples(index=False, name=None))
    inwards = {(level, peak) for level, port, peak in rows if port != "fill"}
    found: dict[tuple[float, str], list[str]] = {}
    for level, port, peak in rows:
        if port == "fill" and (level, peak) in inwards:
            continue
        cause = {"channel": "dram_read", "network": "noc"}.get(port, "sram")
        found.setdefault((peak, cause), []).append(level if port in ("channel", "network") else f"{level} {port}")
    for (peak, cause), names in sorted(found.items()):
        yield ", ".join(names), cause, peak
