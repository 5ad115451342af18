"""What a leading-non-zero scan passes over and broadcasts, and what a layer's result says about it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from accel_sim.dataflows.asymmetric import RawProducts, multiplier_bits, wide
from workloads.layer import Layer
from workloads.operands import MacOperands

#: added to raw codes so that none looks like a zero to be passed over
LIFT = 1 << 16
#: a grouped layer whose broadcasts meet work on a smaller share of the lanes gets a note
FULL_ENOUGH = 0.5


@dataclass(frozen=True, eq=False)
class Broadcasts:
    """The products of one tile: step columns and activations; steps of each product, its output pixel and group.

    zero: [T] bool steps whose activation is a real zero, where such are broadcast, else None.
    """

    columns: np.ndarray
    values: np.ndarray
    steps: np.ndarray
    pixels: np.ndarray
    groups: np.ndarray
    zero: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Scanned:
    """values: [N, C, H, W] int32, zeros are passed over; geometry: theirs; lift: what they stand above the operands.

    zero: [columns] int32 the operand whose real value is zero, where such are broadcast too, else None.
    """

    values: np.ndarray
    geometry: np.ndarray
    lift: int = 0
    zero: np.ndarray | None = None

    @staticmethod
    def of(layer: Layer, operands: MacOperands, raw: RawProducts | None) -> "Scanned":
        """A raw input has no code that could be passed over: its zeros and its padding are broadcast."""
        if raw is None or not raw.inputs_raw:
            return Scanned(np.ascontiguousarray(operands.inputs.integers(), dtype=np.int32), layer.geometry)
        zero = np.broadcast_to(operands.inputs.zero_points(), (1, layer.C, 1, 1)).ravel()
        by_column = np.repeat(zero, layer.R * layer.S).astype(np.int32)
        return Scanned(raw.inputs + np.int32(LIFT), raw.layer.geometry, LIFT, by_column)


def group_note(layer: Layer, lanes_with_work: np.ndarray, taps: np.ndarray, lanes: int) -> Iterator[str]:
    """Why a layer of many small groups leaves most lanes idle. lanes_with_work, taps: [columns], taps = broadcasts."""
    broadcasts = int(taps.sum())
    if layer.G == 1 or not broadcasts:
        return
    mean = float(taps @ lanes_with_work) / broadcasts
    if mean < FULL_ENOUGH * lanes:
        products = layer.N * layer.E * layer.F * layer.G
        kind = "depthwise" if layer.kind == "depthwise" else "grouped"
        filters = layer.M // layer.G
        yield (
            f"{kind}: {filters} filter{'s' if filters > 1 else ''} a group, so a broadcast meets work on {mean:.3g} of "
            f"{lanes} lanes and a product lasts {broadcasts / products:.3g} broadcasts between two barriers"
        )


def zero_point_notes(operands: MacOperands, raw: RawProducts | None, broadcasts: int, ops: int) -> Iterator[str]:
    """What asymmetric codes cost a layer that takes ``broadcasts`` steps; ops: corrections of its outputs."""
    if raw is None:
        if wide(operands.weights):
            yield f"asymmetric weights: stored as {multiplier_bits(operands, 'differences')[1]}-bit differences"
        if wide(operands.inputs):
            yield f"asymmetric inputs: {broadcasts:,} subtractions, one a broadcast"
        return
    if raw.inputs_raw:
        yield "asymmetric inputs: raw codes, zeros and padding are broadcast too"
    if raw.weights_raw:
        yield (
            f"asymmetric weights: raw codes, every one stored, {broadcasts:,} additions beside the broadcast make the "
            f"window sums, {ops:,} operations correct the outputs"
        )
