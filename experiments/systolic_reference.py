"""Does the systolic array take, cycle for cycle, what SCALE-Sim 3.0.0 says it takes without stalls?

Every row of its reference run is built as a layer of its own (no padding, output sizes rounded up as the tool does),
and two of the networks are compared as ours: AlexNet (grouped) and MobileNet v1 (depthwise, one channel at a time).
"""

import csv
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save
from workloads import Layer, Network, load_network

SOURCE = "SCALE-Sim 3.0.0 (pip), compute cycles without stalls; its own total is one less (index of the last cycle)"
#: reference network -> built-in one, layer by layer
BUILT_IN = {"alexnet_true": "alexnet", "mobilenetv1_true": "mobilenet_v1"}
Row = dict[str, Any]


def reference_rows() -> list[Row]:
    """The shipped table."""
    text = resources.files("experiments.tables").joinpath("systolic_reference.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def row_layer(row: Row) -> Layer:
    """The layer a reference row describes: padding 0, output ceil((H - R + stride) / stride)."""
    size = {letter: int(row[column]) for letter, column in COLUMNS.items()}
    stride = int(row["stride"])
    return Layer(name=row["layer"], kind="conv", stride=(stride, stride), ceil_mode=True, **size)


COLUMNS = {"C": "channels", "H": "ifmap_h", "W": "ifmap_w", "M": "num_filters", "R": "filt_h", "S": "filt_w"}


def array_cycles(network: Network, row: Row) -> list[int]:
    """array_cycles of the network's layers with MACs on the row's array and dataflow."""
    settings = {"array.rows": int(row["rows"]), "array.cols": int(row["cols"]), "dataflow.stationary": row["dataflow"]}
    frame = simulate(network, load_hardware("systolic", settings)).layers
    return frame.array_cycles[frame.kind.isin(("conv", "depthwise", "fc"))].tolist()


def compare(rows: list[Row]) -> list[Row]:
    """One experiment row per reference row, and one per layer of the built-in networks."""
    found = []
    for row in rows:
        layer = row_layer(row)
        (cycles,) = array_cycles(Network(row["network"], (layer,), layer.input_shape[1:]), row)
        found.append(_item(row, f"{row['network']} {row['layer']}", int(row["compute_cycles"]), cycles))
    whole: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        if row["network"] in BUILT_IN:
            name = BUILT_IN[row["network"]]
            key = (name, row["rows"], row["cols"], row["dataflow"])
            if key not in whole:
                whole[key] = array_cycles(load_network(name), row)
            published = int(row["repeat"]) * int(row["compute_cycles"])
            item = f"built-in {name} layer {row['layer_id']} ({row['layer']})"
            found.append(_item(row, item, published, whole[key][int(row["layer_id"])]))
    return found


def _item(row: Row, name: str, published: int, simulated: int) -> Row:
    item, kind = f"{name}, {row['rows']}x{row['cols']} {row['dataflow']}", row["checked"]
    return compared(item, published, simulated, 0.0, "exact" if kind == "formula" else "measured", kind, SOURCE)


def figure(frame: pd.DataFrame, path: Path) -> None:
    """Simulated against reference cycles, one point a row."""
    with house_style() as plt:
        fig, axis = plt.subplots(figsize=(6.4, 5.6))
        ends = [frame.published.min() / 2, frame.published.max() * 2]
        axis.plot(ends, ends, color="#999999", linewidth=1, zorder=1, label="equal")
        for name, colour, marker in (("os", "#0072B2", "o"), ("ws", "#D55E00", "s"), ("is", "#009E73", "^")):
            part = frame[frame["item"].str.endswith(f" {name}")]
            axis.scatter(
                part.published, part.simulated, s=14, color=colour, marker=marker, linewidth=0, alpha=0.8,
                label=f"{name.upper()}: {int((part.ratio == 1).sum())} of {len(part)} rows equal",
            )  # fmt: skip
        axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        axis.set_xlabel("SCALE-Sim 3.0.0 compute cycles")
        axis.set_ylabel("accel_sim array cycles")
        axis.set_title("Systolic array against SCALE-Sim, per layer")
        axis.legend(loc="upper left")
        save(fig, path)


EXPERIMENT = Experiment(
    "systolic_reference",
    "Does the systolic array take the cycles SCALE-Sim 3.0.0 reports without stalls?",
    lambda: compare(reference_rows()),
    figure,
)
