"""What every encoding promises: codes <-> bit stream, and the exact bits of any slice (docs/model.md 7).

A *slice* is the run of codes a machine reads in one go (a PE's part of a column, a row of a filter). The machine's
dataflow cuts the slices; an encoding knows nothing of layers.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from workloads.registry import Registry, lacking, plugin_fault

#: what an encoding is asked for: of one that lacks any, no run could come to its end
ENCODING = ("entry_bits", "entries", "encode", "decode")
#: name -> frozen dataclass with the methods of ``Encoding``
encodings: "Registry[type[Encoding]]" = Registry(
    "encoding", "workloads.encodings", lambda part: lacking(part, *ENCODING)
)


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


#: slices that every encoding must give back: with zeros on both sides, empty, full
TRIAL = np.array([[0, 3, 0, 0, 15, 1, 0], [0] * 7, [5] * 7], dtype=np.uint32)
TRIAL_BITS = 4


def fault(encoding: Encoding) -> str | None:
    """Why a registered encoding cannot be used: what it makes of TRIAL; None if it gives that back.

    An exception in a plug-in's own code is left to who can say where (registry.plugin_fault).
    """
    try:
        return _fault(encoding)
    except Exception as error:  # a plug-in may return anything
        if plugin_fault(error) is not None:
            raise
        return f"{type(error).__name__}: {error}".splitlines()[0]


def _fault(encoding: Encoding) -> str | None:
    bits = encoding.entry_bits(TRIAL_BITS)
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or bits < 1:
        return f"entry_bits({TRIAL_BITS}) is {bits!r}, expected a number of bits from 1 on"
    kept = (TRIAL != 0).astype(np.uint8)
    entries = encoding.entries(kept)
    if not isinstance(entries, np.ndarray) or entries.dtype.kind not in "iu" or entries.shape != TRIAL.shape[:1]:
        return "entries: expected [slices] integers, the stored entries of each slice"
    encoded = encoding.encode(TRIAL, kept, TRIAL_BITS)
    size = -(-int(entries.sum()) * int(bits) // 8)
    if not isinstance(encoded, Encoded) or len(encoded.data) != size or not np.array_equal(encoded.entries, entries):
        return f"encode: expected an Encoded of the entries it counts, {size} bytes of {bits} bits each here"
    decoded, made = encoding.decode(encoded), np.zeros_like(TRIAL)
    slices = np.repeat(np.arange(len(TRIAL)), decoded.entries)[decoded.kept]
    made[slices, decoded.positions[decoded.kept]] = decoded.symbols[decoded.kept]
    return None if np.array_equal(made, TRIAL) else "decodes to other codes than were encoded"


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
