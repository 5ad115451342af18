"""Inputs that lie in their buffer as in the tensor: the banks that one step of a fold's rows meets."""

from dataclasses import dataclass

import numpy as np

from accel_sim.mapping.buffer import Buffer
from cython_core.banks import conflicts
from workloads.layer import Layer


@dataclass(frozen=True, eq=False)
class TensorLayout:
    """An N, C, H, W map of ``bits`` a code, one behind the other, in the words and banks of a buffer."""

    layer: Layer
    bits: int
    buffer: Buffer

    def addresses(self, group: int, pixels: np.ndarray, k: np.ndarray) -> np.ndarray:
        """[pixels, k] bit address of the input that each output pixel and reduction step reads, -1 at padding."""
        layer = self.layer
        elements, inside = layer.window.elements(pixels, k, layer.C, group * (layer.C // layer.G))
        return np.where(inside, elements * self.bits, -1)

    def steps(self, rows: np.ndarray) -> np.ndarray:
        """[steps] cycles of a fold. rows: [rows, values, stream] addresses; row i is one step behind row i - 1."""
        high, values, stream = rows.shape
        skewed = np.full((stream + high - 1, high, values), -1, np.int64)
        for row in range(high):
            skewed[row : row + stream, row] = rows[row].T
        skewed = skewed.reshape(len(skewed), high * values)
        cycles = np.empty(len(skewed), np.int64)
        ports = max(1, self.buffer.reads_per_cycle // self.buffer.banks)
        conflicts(skewed, self.buffer.word_bits, self.buffer.banks, ports, cycles)
        return cycles


def bundled(addresses: np.ndarray, pixels_across: bool, width: int) -> np.ndarray:
    """[pixels, k] -> [rows, values, steps], ``width`` neighbours in k together, -1 = none."""
    padded = np.pad(addresses, ((0, 0), (0, -addresses.shape[1] % width)), constant_values=-1)
    bundles = padded.reshape(len(padded), -1, width)  # [pixels, bundles of k, width]
    return bundles.transpose((0, 2, 1) if pixels_across else (1, 2, 0))
