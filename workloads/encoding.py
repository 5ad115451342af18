"""What every encoding promises: codes <-> bit stream, and the exact bits of any slice (docs/model.md 7).

A *slice* is the run of codes a machine reads in one go (a PE's part of a column, a row of a filter). The machine's
dataflow cuts the slices; an encoding knows nothing of layers.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from workloads.registry import Registry

#: name -> frozen dataclass with the methods of ``Encoding``
encodings = Registry("encoding", "workloads.encodings")


@dataclass(frozen=True, eq=False)
class Encoded:
    """data: [bytes] uint8, entries packed back to back, least significant bit first; entries: [slices] int32 stored
    entries of each slice; length: codes a slice stands for; symbol_bits: width of one code."""

    data: np.ndarray
    entries: np.ndarray
    length: int
    symbol_bits: int


@dataclass(frozen=True, eq=False)
class Decoded:
    """symbols: [E] uint32; positions: [E] int32 place within its slice; entries: [slices] int32, their sum is E.

    kept: [E] bool, False for a filler, whose symbol is no operand (None given: there is none).
    """

    symbols: np.ndarray
    positions: np.ndarray
    entries: np.ndarray
    kept: np.ndarray | None = None

    def __post_init__(self):
        if self.kept is None:
            object.__setattr__(self, "kept", np.ones(len(self.symbols), dtype=bool))


class Encoding(Protocol):
    """symbols: [slices, length] uint32; kept: [slices, length] uint8, 0 = a zero that need not be stored.

    Symbol 0 is the zero of the real value wherever there is one to leave out: codes with a zero point are handed over
    as differences from it.
    """

    def entry_bits(self, symbol_bits: int) -> int:
        """Bits of one stored entry."""

    def entries(self, kept: np.ndarray) -> np.ndarray:
        """[slices] int32: stored entries of each slice, fillers included."""

    def encode(self, symbols: np.ndarray, kept: np.ndarray, symbol_bits: int) -> Encoded:
        """The bit stream of all slices; ValueError for a kept symbol that ``decode`` would take for a filler."""

    def decode(self, encoded: Encoded) -> Decoded:
        """The stored entries with their positions, and which of them are fillers."""


def stream(encoding: Encoding, symbols: np.ndarray, kept: np.ndarray, symbol_bits: int) -> Encoded:
    """What the encoding makes of the slices; ValueError unless it is as long as its entries are together."""
    encoded = encoding.encode(symbols, kept, symbol_bits)
    bits = int(encoded.entries.sum()) * encoding.entry_bits(symbol_bits)
    if not np.array_equal(encoded.entries, encoding.entries(kept)) or len(encoded.data) != -(-bits // 8):
        name = encodings.name_of(encoding)
        raise ValueError(f"encoding '{name}': a stream of {len(encoded.data)} bytes, its entries take {bits} bits")
    return encoded


def pack(values: np.ndarray, width: int) -> np.ndarray:
    """values: [n] uint32 fields of ``width`` bits -> [ceil(n*width/8)] uint8."""
    from cython_core.bits import pack as kernel

    out = np.zeros((len(values) * width + 7) // 8, dtype=np.uint8)
    kernel(np.ascontiguousarray(values, dtype=np.uint32), width, out)
    return out


def unpack(data: np.ndarray, width: int, count: int) -> np.ndarray:
    """The first ``count`` fields of ``width`` bits of a stream -> [count] uint32; ValueError if it is too short."""
    from cython_core.bits import unpack as kernel

    if len(data) * 8 < count * width:
        raise ValueError(f"bit stream of {len(data)} bytes is too short for {count} fields of {width} bits")
    out = np.empty(count, dtype=np.uint32)
    kernel(data, width, 0, out)
    return out
