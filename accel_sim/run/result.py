"""What a run leaves: rows per layer, cycles by cause, priced actions. A Result whose sums do not close cannot exist."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from accel_sim.dataflows.common import Facts
from accel_sim.machine.accelerator import Accelerator
from accel_sim.macs.unit import Mode
from accel_sim.run import notes
from accel_sim.run.check import densities, density
from accel_sim.run.compulsory import traffic_note
from accel_sim.run.prepared import Prepared
from accel_sim.run.roofline import plain_bytes
from accel_sim.values.actions import Actions
from accel_sim.values.causes import Slots
from accel_sim.values.jobs import Schedule, Transfer
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands
from workloads.walk import top_classes

SCHEMA_VERSION = 1
#: which of a run's operands of one kind are real -> in a word
_MIXED = {frozenset({True}): "real", frozenset({False}): "synthetic", frozenset({True, False}): "partly synthetic"}


class ConservationError(AssertionError):
    """Counts that must add up do not: a bug of ours, never a user's."""


@dataclass(frozen=True, eq=False)
class LayerRun:
    """One layer as it ran. causes: where its lane-slots went; sums: [N, M, E, F] of its products in a checked run, else
    None; output: the codes made of them, None where nothing says how. synthetic: which operands were made up.

    input_densities: share of non-zero inputs of each batch item. mapping: the loop nest around the array, as text.

    start, end: cycle at which the layer before retired and at which it did. bytes_plain: that the same transfers would
    have moved, had its weights been dense (see accel_sim.run.roofline).
    """

    layer: Layer
    start: int
    end: int
    array_cycles: int
    causes: Slots
    actions: Actions
    facts: Facts
    bytes_read: int
    bytes_written: int
    bytes_plain: int
    tiles: int
    overlapped: int
    weight_density: float | None
    input_densities: tuple[float, ...]
    weight_source: str
    input_source: str
    synthetic: tuple[str, ...]
    sums: np.ndarray | None
    output: np.ndarray | None
    overflows: int | None
    mapping: str
    mode: Mode | None
    macs_effectual: int

    @staticmethod
    def of(ready: Prepared, schedule: Schedule) -> "LayerRun":
        """ready: the layer as it was prepared (CheckError if checked sums are wrong); schedule: as it was played."""
        operands, swaps, facts = ready.operands, ready.prelude + ready.jobs, ready.facts
        with_macs = operands if isinstance(operands, MacOperands) else None
        sums, output = (None, None) if ready.sums is None else ready.sums.checked()
        read = _bytes(load for job in swaps for load in job.loads.values())
        drains = [drain for job in swaps for drain in job.drains.values()]
        written = _bytes(drains)
        outputs = _bytes((drain for job in ready.jobs for drain in job.drains.values()), "outputs")
        note = traffic_note(ready.layer, operands, read + written, outputs)
        return LayerRun(
            ready.layer, schedule.start, schedule.end, sum(job.array for job in swaps) - ready.stalled,
            ready.causes, ready.actions, replace(facts, notes=(*facts.notes, *note)),
            bytes_read=read,
            bytes_written=written,
            bytes_plain=plain_bytes(swaps, operands, facts),
            tiles=len(swaps),
            overlapped=schedule.overlapped,
            weight_density=None if with_macs is None else density(with_macs.weights),
            input_densities=densities(operands.inputs),
            weight_source="" if with_macs is None else with_macs.weight_source,
            input_source=operands.input_source,
            synthetic=operands.synthetic,
            sums=sums,
            output=output,
            overflows=None if ready.sums is None else ready.sums.overflows,
            mapping=ready.mapping,
            mode=ready.mode,
            macs_effectual=ready.macs_effectual,
        )  # fmt: skip

    @cached_property
    def slots(self) -> dict[str, int]:
        """State -> lane-slots, whatever the level and operand."""
        return self.causes.by_name

    @property
    def cycles(self) -> int:
        """From the retirement of the layer before to its own."""
        return self.end - self.start

    @property
    def notes(self) -> str:
        """What the dataflow says of the layer, and whether tiles were coarsened."""
        merged = self.facts.tile_count > self.tiles
        coarsened = (f"{self.facts.tile_count} tiles coarsened to {self.tiles}",) if merged else ()
        return "; ".join(self.facts.notes + coarsened)

    def verify(self, lanes: int) -> None:
        """ConservationError unless the lane-slots fill the layer's time and its MAC counts nest."""
        name, slots = self.layer.name, sum(self.causes.values())
        if min(self.causes.values(), default=0) < 0 or slots != self.cycles * lanes:
            raise ConservationError(
                f"layer '{name}': {slots} lane-slots do not fill {self.cycles} cycles x {lanes} lanes"
            )
        effectual, issued = self.macs_effectual, self.facts.macs_issued
        places = 1 if self.mode is None else self.mode.reduction * self.mode.outputs
        room = (self.slots["effectual"] + self.slots["ineffectual"]) * places
        if not effectual <= issued <= min(room, self.layer.macs):
            raise ConservationError(
                f"layer '{name}': {effectual} effectual of {issued} issued of {self.layer.macs} MACs"
            )


def _bytes(transfers: Iterable[Transfer], tensor: str | None = None) -> int:
    """Of the transfers that reach the outermost memory; tensor: of this one alone."""
    streams = (stream for transfer in transfers if transfer.outermost for stream in transfer.streams)
    return sum(stream.bytes for stream in streams if tensor in (None, stream.tensor))


def file_words(machine: Accelerator, runs: Iterable[LayerRun]) -> dict[str, int]:
    """Component -> words of its register file: as large as the layer needs that needs most."""
    found = dict(machine.mac.file_words)
    for run in runs:
        for component, words in run.facts.file_words.items():
            found[component] = max(words, found.get(component, 0))
    return found


@dataclass(frozen=True, eq=False)
class Result:
    """layers, cycles, actions: DataFrames as in layers.csv, cycles.csv, actions.csv; summary: as summary.json.

    sums: layer name -> [N, M, E, F] sums of products of a checked run, else None; outputs: the output codes made of
    them, of the layers whose number formats say how. scores: [images, classes] or None.
    """

    network: Network
    machine: Accelerator
    runs: tuple[LayerRun, ...]
    seed: int
    checked: bool
    scores: np.ndarray | None = None
    priced: dict[str, list[tuple]] = field(default_factory=dict)

    @staticmethod
    def of(
        network: Network,
        machine: Accelerator,
        runs: list[LayerRun],
        *,
        seed: int,
        check: bool,
        scores: np.ndarray | None,
    ) -> "Result":
        """Prices the actions; ConservationError (a bug of ours) if lane-slots, MACs or times do not add up."""
        files = file_words(machine, runs)
        priced = {run.layer.name: machine.price(run, files) for run in runs}
        result = Result(network, machine, tuple(runs), seed, check, scores, priced)
        for run in runs:
            run.verify(machine.array.lanes)
        if any(
            end != start for end, start in zip([run.end for run in runs], [run.start for run in runs[1:]], strict=False)
        ):
            raise ConservationError("a layer does not begin where the one before it retired")
        return result

    @cached_property
    def outputs(self) -> dict[str, np.ndarray] | None:
        """Of a checked run: layer -> [N, M, E, F] output codes made of the products it issued (bias, requantisation),
        for layers whose network says how; else None."""
        if not self.checked:
            return None
        return {run.layer.name: run.output for run in self.runs if run.output is not None}

    @cached_property
    def sums(self) -> dict[str, np.ndarray] | None:
        """Of a checked run: layer with MACs -> [N, M, E, F] int64 sums of the products it issued (zero points taken
        off, no bias), as wide as its accumulators; else None."""
        if not self.checked:
            return None
        return {run.layer.name: run.sums for run in self.runs if run.sums is not None}

    @cached_property
    def layers(self) -> pd.DataFrame:
        """A row for each layer, with the columns of layers.csv (energy in pJ, DRAM traffic in bytes)."""
        return pd.DataFrame([self._row(run) for run in self.runs])

    def _row(self, run: LayerRun) -> dict[str, Any]:
        layer, lanes = run.layer, self.machine.array.lanes
        slots = run.slots
        return {
            "layer": layer.name,
            "kind": layer.kind,
            **{letter: getattr(layer, letter) for letter in ("N", "G", "C", "H", "W", "M", "R", "S", "E", "F")},
            "macs_nominal": layer.macs if layer.has_macs else 0,
            "macs_nonpad": layer.macs_nonpad,
            "macs_issued": run.facts.macs_issued,
            "macs_effectual": run.macs_effectual,
            "mode": None if run.mode is None else run.mode.name,
            "products_per_cycle": 1.0 if run.mode is None else float(run.mode.macs_per_cycle),
            "lanes": lanes,
            "cycles": run.cycles,
            "array_cycles": run.array_cycles,
            "utilization": slots["effectual"] / (lanes * run.cycles) if run.cycles else 0.0,
            "energy_pj": float(sum(row[5] for row in self.priced[layer.name])),
            "dram_read_bytes": run.bytes_read,
            "dram_write_bytes": run.bytes_written,
            "dram_plain_bytes": run.bytes_plain,
            "overlapped_cycles": run.overlapped,
            "tiles": run.tiles,
            "weight_file_bytes": self._file_bytes(layer),
            "weight_machine_bytes": -(-run.facts.weight_bits // 8),
            "weight_density": run.weight_density,
            "input_density": sum(run.input_densities) / len(run.input_densities),
            "input_density_min": min(run.input_densities),
            "input_density_max": max(run.input_densities),
            "weight_source": run.weight_source,
            "input_source": run.input_source,
            "data": "synthetic" if run.synthetic else "real",
            "overflows": run.overflows,
            "notes": run.notes,
        }

    def _file_bytes(self, layer: Layer) -> int | None:
        weights = self.network.weights.get(layer.name)
        return weights.file_bytes or None if weights is not None else None

    @cached_property
    def cycles(self) -> pd.DataFrame:
        """A row for each layer, cause, level and operand (the last two empty where a cause has none, or no slots):
        lane_slots, and cycles = lane_slots / lanes."""
        lanes = self.machine.array.lanes
        rows = [(run.layer.name, *row, row[-1] / lanes) for run in self.runs for row in run.causes.rows]
        return pd.DataFrame(rows, columns=["layer", "cause", "level", "operand", "lane_slots", "cycles"])

    @cached_property
    def actions(self) -> pd.DataFrame:
        """A row for each layer, component and action: bits, count, pJ each, pJ, and the figure's source."""
        columns = ["component", "action", "bits", "count", "pj_each", "energy_pj", "source"]
        rows = [(name, *row) for name, rows in self.priced.items() for row in rows]
        return pd.DataFrame(rows, columns=["layer", *columns])

    @property
    def mapping(self) -> str:
        """The loop nest of every layer, as mapping.txt."""
        return "\n".join(f"{run.layer.name} ({run.layer.kind})\n{run.mapping}\n" for run in self.runs)

    @property
    def file_words(self) -> dict[str, int]:
        """Component -> words, of those that are register files."""
        return file_words(self.machine, self.runs)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What holds of the whole run and is to be told, a sentence each (accel_sim.run.notes)."""
        return notes.of(self)

    @property
    def synthetic(self) -> bool:
        """Whether any layer ran on made-up weights or inputs."""
        return any(run.synthetic for run in self.runs)

    @property
    def data_detail(self) -> str:
        """What is real and what was made up, in words."""
        if not self.synthetic:
            return "real data"
        kinds: dict[str, set[bool]] = {"weights": set(), "activations": set()}
        for run in self.runs:
            kinds["activations"].add("inputs" not in run.synthetic)
            if run.layer.has_macs:
                kinds["activations" if run.layer.dynamic else "weights"].add("weights" not in run.synthetic)
        told = [f"{_MIXED[frozenset(real)]} {what}" for what, real in kinds.items() if real]
        return "synthetic data" if not any(True in real for real in kinds.values()) else ", ".join(told)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Totals of the run, as in summary.json."""
        frame = self.layers
        cycles = int(frame.cycles.sum())
        total = {
            column: int(frame[column].sum())
            for column in ("macs_nominal", "macs_nonpad", "macs_issued", "macs_effectual", "array_cycles")
        }
        lanes = self.machine.array.lanes
        top5 = [] if self.scores is None else top_classes(self.scores)
        return {
            "network": self.network.name,
            "hardware": self.machine.name,
            "batch": self.network.batch,
            "cycles": cycles,
            "time_s": cycles / (self.machine.clock_mhz * 1e6),
            "energy_pj": float(frame.energy_pj.sum()),
            "area_um2": self.machine.area_um2,
            **total,
            "utilization": sum(run.slots["effectual"] for run in self.runs) / (lanes * cycles) if cycles else 0.0,
            "dram_read_bytes": int(frame.dram_read_bytes.sum()),
            "dram_write_bytes": int(frame.dram_write_bytes.sum()),
            "overlapped_cycles": int(frame.overlapped_cycles.sum()),
            "weight_file_bytes": sum(filter(None, (self._file_bytes(run.layer) for run in self.runs))) or None,
            "weight_machine_bytes": int(frame.weight_machine_bytes.sum()),
            "data": "synthetic" if self.synthetic else "real",
            "notes": list(self.notes),
            "data_detail": self.data_detail,
            "top5": top5[0] if top5 else None,
            "top5_images": dict(zip(self.network.image_names, top5, strict=True)) if len(top5) > 1 else None,
            "check": self._check_summary(),
        }

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from accel_sim.run import notebook

        return notebook.html(self.summary, self.runs, self.layers)

    def _check_summary(self) -> dict[str, Any] | None:
        if self.sums is None:
            return None
        overflows = sum(run.overflows or 0 for run in self.runs)
        return {"passed": True, "layers": len(self.sums), "overflows": overflows}
