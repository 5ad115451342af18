"""What a layer computes and must move, counted with numpy alone; this file imports none of the simulator's packages."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spec:
    """One layer in the field's letters. stride, dilation: vertical, horizontal; padding: top, bottom, left, right."""

    name: str
    kind: str
    C: int
    H: int
    W: int
    M: int
    G: int = 1
    R: int = 1
    S: int = 1
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    inputs: tuple[str, ...] = ("input",)
    extra: tuple[tuple[str, object], ...] = ()

    @property
    def E(self) -> int:
        return (self.H + self.padding[0] + self.padding[1] - self.dilation[0] * (self.R - 1) - 1) // self.stride[0] + 1

    @property
    def F(self) -> int:
        return (self.W + self.padding[2] + self.padding[3] - self.dilation[1] * (self.S - 1) - 1) // self.stride[1] + 1

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.M, self.C // self.G, self.R, self.S

    @property
    def has_macs(self) -> bool:
        return self.kind in ("conv", "depthwise", "fc", "matmul")


@dataclass(frozen=True)
class Count:
    """sums: [N, M, E, F] int64; products: of the formula, without padding, and with two non-zero operands.

    touched: elements of the input map that some product reads, of all items.
    """

    sums: np.ndarray
    nominal: int
    nonpad: int
    effectual: int
    touched: int


def count(spec: Spec, x: np.ndarray, w: np.ndarray) -> Count:
    """x: [N, C, H, W], w: [M, C/G, R, S], both real integers (zero points taken off)."""
    batch, per_group, filters = x.shape[0], spec.C // spec.G, spec.M // spec.G
    top, bottom, left, right = spec.padding
    pad = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = np.pad(x.astype(np.int64), pad)
    inside = np.pad(np.ones(x.shape, np.int64), pad)
    seen = np.zeros(padded.shape, bool)
    shape = (batch, spec.M, spec.E, spec.F)
    sums, nonpad, effectual = np.zeros(shape, np.int64), 0, 0
    for r in range(spec.R):
        for s in range(spec.S):
            rows = slice(r * spec.dilation[0], r * spec.dilation[0] + (spec.E - 1) * spec.stride[0] + 1, spec.stride[0])
            cols = slice(s * spec.dilation[1], s * spec.dilation[1] + (spec.F - 1) * spec.stride[1] + 1, spec.stride[1])
            seen[:, :, rows, cols] = True
            for g in range(spec.G):
                maps, rest = slice(g * per_group, (g + 1) * per_group), slice(g * filters, (g + 1) * filters)
                a, b = padded[:, maps, rows, cols], w[rest, :, r, s].astype(np.int64)
                sums[:, rest] += np.einsum("ncef,mc->nmef", a, b)
                nonpad += int(inside[:, maps, rows, cols].sum()) * filters
                effectual += int(np.einsum("ncef,mc->", (a != 0).astype(np.int64), (b != 0).astype(np.int64)))
    nominal = batch * spec.M * spec.E * spec.F * per_group * spec.R * spec.S
    return Count(sums, nominal, nonpad, effectual, int((seen & (inside > 0)).sum()))
