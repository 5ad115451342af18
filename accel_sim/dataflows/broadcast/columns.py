"""Weights as the lanes of a column machine store them: one slice per (lane, column), encoded back to back."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.values.errors import CheckError
from workloads.encoding import Encoded, Encoding, Slices
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.stored import StoredTensor


def owners(layer: Layer, lanes: int) -> np.ndarray:
    """[G, lanes, length] output channel of the j-th row of group g on lane l, or -1; row m is on lane m mod lanes."""
    per_group = layer.M // layer.G
    length = -(-per_group // lanes)
    first = np.arange(layer.G)[:, None] * per_group
    start = first + (np.arange(lanes) - first) % lanes
    rows = start[:, :, None] + lanes * np.arange(length)
    return np.where(rows < first[:, :, None] + per_group, rows, -1)


def symbols_of(codes: Codes) -> tuple[np.ndarray, int, np.ndarray]:
    """(symbols, their width, symbol -> integer weight): codebook indices, else differences from the zero point."""
    if codes.format.codebook is not None:
        table = np.zeros(1 << codes.format.bits, dtype=np.int32)
        table[: len(codes.format.codebook)] = codes.format.codebook
        return codes.values, codes.format.bits, table
    bits = codes.format.value_bits
    table = np.arange(1 << bits, dtype=np.int32)
    if codes.format.low < np.max(codes.zero_points()):  # differences can be negative: two's complement
        table[1 << (bits - 1) :] -= 1 << bits
    return codes.integers() & ((1 << bits) - 1), bits, table


@dataclass(frozen=True, eq=False)
class Columns:
    """A layer's weights on ``lanes`` lanes; a column is g*K + k, its slice on a lane the rows of group g there.

    A lane finds a slice by its pointer, which numbers what lies before it: entries where all have one size, else bits.
    book_bits: of the layer's codebook, 0 = none. raw: codes that are stored instead, every one of them (a raw code of 0
    is no zero weight); None: differences.
    """

    layer: Layer
    codes: Codes
    lanes: int
    encoding: Encoding
    word_bits: int
    book_bits: int = 0
    raw: Codes | None = None

    @cached_property
    def _symbols(self) -> tuple[np.ndarray, int, np.ndarray]:
        return symbols_of(self.codes if self.raw is None else self.raw)

    @cached_property
    def _stored(self) -> np.ndarray:
        """[M, C/G, R, S] bool: weights that take an entry."""
        return self.codes.kept() if self.raw is None else np.ones(self.codes.values.shape, dtype=bool)

    @cached_property
    def _owners(self) -> np.ndarray:
        return owners(self.layer, self.lanes)

    @cached_property
    def owns(self) -> np.ndarray:
        """[G, lanes] bool: the lane has a row of the group."""
        return np.any(self._owners >= 0, axis=2)

    def _sliced(self, weights: np.ndarray) -> np.ndarray:
        """[M, C/G, R, S] -> [lanes * columns, length], 0 where a lane has no row."""
        rows = np.vstack([weights.reshape(self.layer.M, self.layer.K), np.zeros((1, self.layer.K), weights.dtype)])
        out = np.empty((self.lanes, self.layer.G, self.layer.K, self._owners.shape[2]), dtype=weights.dtype)
        for g, pick in enumerate(self._owners):
            out[:, g] = rows[pick].transpose(0, 2, 1)
        return out.reshape(-1, out.shape[3])

    def _by_column(self, slices: np.ndarray) -> np.ndarray:
        """[lanes * columns] -> [columns, lanes]."""
        return np.ascontiguousarray(slices.reshape(self.lanes, -1).T)

    @cached_property
    def _kept(self) -> np.ndarray:
        return self._sliced(self._stored.view(np.uint8))

    @cached_property
    def tensor(self) -> StoredTensor:
        """Its slices: lane after lane, column after column."""
        symbols, bits, _ = self._symbols
        runs = lambda: (Slices(self._kept, bits, lambda: self._sliced(symbols)),)  # noqa: E731
        return StoredTensor(runs, self.encoding, bits, book_bits=self.book_bits)

    @cached_property
    def entries(self) -> np.ndarray:
        """[columns, lanes] int32 stored entries of each slice, fillers included."""
        return self._by_column(self.tensor.entries)

    @cached_property
    def bits(self) -> np.ndarray:
        """[columns, lanes] int64 bits of each slice."""
        return self._by_column(self.tensor.slice_bits)

    @property
    def numbered(self) -> np.ndarray:
        """[columns, lanes] what pointers count of each slice."""
        return self.entries if self.encoding.even else self.bits

    @cached_property
    def stored(self) -> np.ndarray:
        """[columns] entries that are weights and not fillers."""
        return self._stored.reshape(self.layer.G, -1, self.layer.K).sum(axis=1, dtype=np.int64).ravel()

    @cached_property
    def effectual(self) -> np.ndarray:
        """[columns] entries whose integer weight is not zero."""
        nonzero = self.codes.integers() != 0
        return nonzero.reshape(self.layer.G, -1, self.layer.K).sum(axis=1, dtype=np.int64).ravel()

    @cached_property
    def encoded(self) -> Encoded:
        """The stream in memory: lane after lane, column after column."""
        return next(self.tensor.encoded())

    @cached_property
    def decoded(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(starts [columns+1], outputs, weights) by column, from the encoded stream as the lanes decode it."""
        decoded = self.tensor.decode(self.encoded)
        columns = self.layer.G * self.layer.K
        slices = np.repeat(np.arange(len(decoded.entries)), decoded.entries)[decoded.kept]
        positions, symbols = decoded.positions[decoded.kept], decoded.symbols[decoded.kept]  # a filler is no operand
        lane, column = slices // columns, slices % columns
        length = self._owners.shape[2]
        inside = (positions >= 0) & (positions < length)
        outputs = self._owners[column // self.layer.K, lane, np.where(inside, positions, 0)]
        if not inside.all() or (outputs < 0).any():
            raise CheckError(f"layer '{self.layer.name}': a decoded weight lies outside its slice")
        order = np.argsort(column, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(column, minlength=columns)))).astype(np.int64)
        weights = self._symbols[2][symbols]
        return starts, outputs[order].astype(np.int32), weights[order].astype(np.int32)
