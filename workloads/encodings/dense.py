"""Every code stored, none marked: the plain array."""

from dataclasses import dataclass

import numpy as np

from workloads.encoding import Decoded, Encoded, encodings, pack, unpack


@encodings.add("dense")
@dataclass(frozen=True)
class Dense:
    """Every symbol as it is, zeros included."""

    def entry_bits(self, symbol_bits: int) -> int:
        """A symbol alone."""
        return symbol_bits

    def entries(self, kept: np.ndarray) -> np.ndarray:
        """[slices] int32: all symbols are stored."""
        return np.full(kept.shape[0], kept.shape[1], dtype=np.int32)

    def encode(self, symbols: np.ndarray, kept: np.ndarray, symbol_bits: int) -> Encoded:
        """Symbols one behind the other."""
        return Encoded(pack(symbols.ravel(), symbol_bits), self.entries(kept), symbols.shape[1], symbol_bits)

    def decode(self, encoded: Encoded) -> Decoded:
        """All places are kept, zeros too."""
        slices = len(encoded.entries)
        symbols = unpack(encoded.data, encoded.symbol_bits, slices * encoded.length)
        positions = np.tile(np.arange(encoded.length, dtype=np.int32), slices)
        return Decoded(symbols, positions, encoded.entries)
