"""Every code stored, none marked: the plain array."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.bit_stream import pack, unpack
from workloads.encoding import Decoded, Encoded, Encoding, Part, Slices, encodings


@encodings.add("dense")
@dataclass(frozen=True)
class Dense(Encoding):
    """Every symbol as it is, zeros included."""

    parts: ClassVar = (Part("payload", "slice"),)
    plain: ClassVar = True

    def entries(self, slices: Slices) -> np.ndarray:
        """[slices] int32: all symbols are stored."""
        return np.full(len(slices), slices.length, dtype=np.int32)

    def bits(self, slices: Slices, entries: np.ndarray) -> dict[str, np.ndarray]:
        """Symbols alone."""
        return {"payload": entries * np.int64(slices.symbol_bits)}

    def encode(self, slices: Slices) -> Encoded:
        """Symbols one behind the other."""
        stream = pack(slices.symbols.ravel(), slices.symbol_bits)
        return Encoded(stream, self.entries(slices), slices.length, slices.symbol_bits)

    def decode(self, encoded: Encoded) -> Decoded:
        """All places are kept, zeros too."""
        slices = len(encoded.entries)
        symbols = unpack(encoded.stream, encoded.symbol_bits, slices * encoded.length)
        positions = np.tile(np.arange(encoded.length, dtype=np.int32), slices)
        return Decoded(symbols, positions, encoded.entries)
