"""Roofline of a run (Williams, Waterman and Patterson, CACM 2009): what stops each layer, and how near it comes.

A layer may be looked at in two ways, and each is judged by roofs of its own kind:

- *as it ran*: effectual MACs a cycle over effectual MACs per DRAM byte, the bytes as they were moved (encoded). Its
  roofs are the products the array can issue in a cycle and the memory's peak bandwidth; no schedule of this machine
  gets above either, and under the first the share reached is the layer's utilization.
- *as the dense network sees it*: nominal MACs a cycle over nominal MACs per *plain* byte, that is, per byte the same
  transfers would have moved had the weights been dense: every weight, zero or not, at its own width (that of a
  codebook's entries, not of its indices). Its roof is the effective bandwidth, peak x plain bytes / encoded bytes: what
  an encoding saves is bandwidth gained, and what its pointers cost is lost. No compute roof holds it, since a machine
  that skips zeros does more nominal MACs a cycle than it has lanes.
"""

import pandas as pd

from accel_sim.accelerator import Accelerator
from accel_sim.dataflows.common import Facts
from accel_sim.jobs import Job
from workloads.operands import Operands

#: tensors that are smaller or larger for being encoded
ENCODED = ("weights", "pointers")
#: of roofline.csv
COLUMNS = (
    "layer", "bound", "cycles", "macs_effectual", "macs_nominal", "dram_bytes", "dram_plain_bytes",
    "peak_macs_per_cycle", "peak_bytes_per_cycle", "macs_per_byte", "macs_per_cycle", "attainable_macs_per_cycle",
    "share", "effective_bytes_per_cycle", "nominal_macs_per_plain_byte", "nominal_macs_per_cycle",
)  # fmt: skip


def plain_bytes(swaps: list[Job], operands: Operands, facts: Facts) -> int:
    """Bytes the layer's transfers would have moved, had its weights lain in memory dense, side by side.

    Weights are moved as often as they were; pointers and codebook count as part of their encoding.
    """
    transfers = [move for job in swaps for move in (*job.loads.values(), *job.drains.values()) if move.outermost]
    streams = [stream for move in transfers for stream in move.streams]
    encoded = sum(stream.bytes for stream in streams if stream.tensor in ENCODED)
    rest = sum(stream.bytes for stream in streams) - encoded
    if operands.weights is None or not encoded:
        return rest + encoded
    size, width = operands.weights.values.size, operands.weights.format.plain_bits
    return rest - (-encoded * size * width // facts.weight_bits)


def peak_macs_per_cycle(layers: pd.DataFrame, machine: Accelerator) -> pd.Series:
    """[layers] products that all lanes can issue in a cycle, in the mode of the MAC unit that each layer uses.

    A run on a unit with several modes says in a column ``products_per_cycle`` of layers.csv how many products a lane
    issues; without it, it is one.
    """
    products = layers.get("products_per_cycle", pd.Series(1, layers.index))
    return machine.array.lanes * products


def table(layers: pd.DataFrame, machine: Accelerator) -> pd.DataFrame:
    """Rows of roofline.csv from those of layers.csv; layers without MACs are left out.

    dram_bytes, macs_per_byte, macs_per_cycle, attainable_macs_per_cycle: as it ran; attainable is the lower roof at its
    intensity, ``bound`` says which (compute or memory) and ``share`` is macs_per_cycle over it. dram_plain_bytes,
    nominal_macs_per_plain_byte, nominal_macs_per_cycle, effective_bytes_per_cycle: as the dense network sees it.
    """
    found = layers[(layers.macs_nominal > 0) & (layers.cycles > 0)].reset_index(drop=True)
    effectual, plain = found.macs_effectual, found.dram_plain_bytes
    moved = found.dram_read_bytes + found.dram_write_bytes
    peak = peak_macs_per_cycle(found, machine).astype(float)
    bandwidth = float(machine.dram.peak_bytes_per_cycle(machine.clock_mhz))
    memory_roof = bandwidth * effectual / moved
    attainable = peak.where(memory_roof >= peak, memory_roof)
    columns = (
        found.layer, (memory_roof >= peak).map({True: "compute", False: "memory"}), found.cycles, effectual,
        found.macs_nominal, moved, plain, peak, pd.Series(bandwidth, found.index), effectual / moved,
        effectual / found.cycles, attainable, (effectual / found.cycles / attainable).fillna(0.0),
        bandwidth * plain / moved, found.macs_nominal / plain, found.macs_nominal / found.cycles,
    )  # fmt: skip
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Of the whole run: ``share`` = cycles the layers would take at their roofs over those they took;
    ``effective_bytes_per_cycle`` = peak x all plain bytes / all encoded bytes."""
    at_the_roof = (rows.cycles * rows.share).sum()
    ratio = rows.dram_plain_bytes.sum() / rows.dram_bytes.sum()
    return {
        "share": float(at_the_roof / rows.cycles.sum()),
        "effective_bytes_per_cycle": float(rows.peak_bytes_per_cycle.max() * ratio),
    }
