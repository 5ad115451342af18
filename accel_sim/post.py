"""The post-processing unit: layers without MACs, bias, requantisation and activation (MODEL 5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.actions import Actions
from accel_sim.address_map import Placement
from accel_sim.dataflows.common import (
    Buffer,
    Facts,
    cannot_fit,
    input_bytes_bound,
    input_extents,
    output_extents,
    read,
    write,
)
from accel_sim.parts import require
from accel_sim.tile import PostWork, Tile
from workloads.layer import Layer

#: operations per output element: one compare or add per tap or input map, a multiply where values are scaled; LRN and
#: softmax from their formulas (a square and an add per tap, power, multiply; max, subtract, exponential, sum, divide);
#: concat is placement alone, shuffle one move
OPERATIONS = {"relu": 1, "relu6": 1, "concat": 0, "shuffle": 1, "batchnorm": 2, "softmax": 5}
#: bias, rescale and clip of a sum that leaves the array
REQUANTISE = 1


def operations(layer: Layer) -> int:
    """Operations per output element of a layer on this unit."""
    if layer.has_macs:
        return REQUANTISE
    if layer.kind == "lrn":
        return 2 * layer.lrn.size + 2
    if layer.kind == "add":
        return len(layer.inputs)
    if layer.kind == "pool":
        return layer.R * layer.S + (1 if layer.pool == "avg" else 0)
    return OPERATIONS[layer.kind]


@dataclass(frozen=True)
class PostUnit:
    """lanes: elements at once; ops_per_cycle: operations a lane does in one cycle; pj_per_op: energy of one, None =
    a 32-bit addition of the energy table."""

    lanes: int = 16
    ops_per_cycle: int = 1
    pj_per_op: float | None = None

    def __post_init__(self):
        require(self, 1, "lanes", "ops_per_cycle")
        require(self, 0, "pj_per_op")

    def cycles(self, layer: Layer, outputs: int, more_ops: int = 0) -> int:
        """outputs: elements of a tile; more_ops: operations beside the layer's own."""
        return -(-(outputs * operations(layer) + more_ops) // (self.lanes * self.ops_per_cycle))

    def actions(self, layer: Layer, outputs: int, more_ops: int = 0) -> Actions:
        return Actions({("post", "op", 32): outputs * operations(layer) + more_ops})


@dataclass(frozen=True, eq=False)
class TiledPost:
    """A layer without MACs as runs of output rows that fit the buffers."""

    layer: Layer
    buffers: dict[str, Buffer]
    placement: Placement
    bits: int

    @property
    def facts(self) -> Facts:
        return Facts(0, 0, len(self._runs))

    @cached_property
    def _runs(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """(pixels, output channels) of each tile: whole rows of as many channels as fit."""
        layer = self.layer
        if layer.kind == "concat":  # its inputs were written side by side
            return []
        channels = layer.M if layer.kind in ("softmax", "lrn") else 1
        rows = layer.N * layer.E
        if not self._fits(layer.F, channels):
            need = self._bytes(layer.F, channels)
            operand = "inputs" if need[0] > self.buffers["inputs"].slot_bytes else "outputs"
            raise cannot_fit(layer, operand, max(need), self.buffers[operand])
        while channels * 2 <= layer.M and self._fits(layer.F, channels * 2):
            channels *= 2
        if self._fits(layer.F, layer.M):
            channels = layer.M
        height = 1
        while height < rows and self._fits(min(rows, height * 2) * layer.F, channels):
            height = min(rows, height * 2)
        pixels, step = rows * layer.F, height * layer.F
        return [
            ((p, min(p + step, pixels)), (c, min(c + channels, layer.M)))
            for p in range(0, pixels, step)
            for c in range(0, layer.M, channels)
        ]

    def _bytes(self, pixels: int, channels: int) -> tuple[int, int]:
        inputs = input_bytes_bound(self.layer, self.bits, pixels, channels) * len(self.layer.inputs)
        return inputs, -(-pixels * channels * self.bits // 8)

    def _fits(self, pixels: int, channels: int) -> bool:
        need = self._bytes(pixels, channels)
        return need[0] <= self.buffers["inputs"].slot_bytes and need[1] <= self.buffers["outputs"].slot_bytes

    def __iter__(self) -> Iterator[Tile]:
        layer, buffers = self.layer, self.buffers
        taps = layer.R * layer.S * len(layer.inputs)
        for pixels, channels in self._runs:
            extents = tuple(
                extent
                for address in self.placement.inputs
                for extent in input_extents(layer, address, self.bits, pixels, channels)
            )
            out = output_extents(layer, self.placement.outputs, self.bits, pixels, channels)
            streams = (
                read("inputs", "inputs", extents, self.placement, buffers["inputs"]),
                write("outputs", "outputs", out, self.placement, buffers["outputs"]),
            )
            outputs = (pixels[1] - pixels[0]) * (channels[1] - channels[0])
            actions = Actions(
                {
                    (buffers["inputs"].level, "read", self.bits): outputs * taps,
                    (buffers["outputs"].level, "write", self.bits): outputs,
                }
            )
            yield Tile(PostWork(), streams, actions, outputs)

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        raise AssertionError(f"layer '{self.layer.name}' has no products")
