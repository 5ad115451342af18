"""Relative index with filler zeros (Deep Compression, Han et al. ICLR 2016; EIE, ISCA 2016).

Each stored entry is a code and the number of zeros before it in ``index_bits``; a run that does not fit is bridged by
filler entries (symbol 0, largest index), each of which stands for 2^index_bits zeros. The run restarts in every slice
and zeros after the last entry are free.
"""

from dataclasses import dataclass

import numpy as np

from cython_core import bits
from workloads.encoding import Decoded, Encoded, encodings, pack, unpack


@encodings.add("relative_index")
@dataclass(frozen=True)
class RelativeIndex:
    """index_bits: width of the zero count, 1..16."""

    index_bits: int = 4

    def __post_init__(self):
        if not 1 <= self.index_bits <= 16:
            raise ValueError(f"index_bits={self.index_bits} is outside 1..16")

    @property
    def span(self) -> int:
        """Zeros that one entry can pass, and one."""
        return 1 << self.index_bits

    def entry_bits(self, symbol_bits: int) -> int:
        """A symbol and its run of zeros."""
        return symbol_bits + self.index_bits

    def entries(self, kept: np.ndarray) -> np.ndarray:
        """[slices] int32: kept symbols and fillers."""
        out = np.empty(kept.shape[0], dtype=np.int32)
        bits.run_counts(np.ascontiguousarray(kept, dtype=np.uint8), self.span, out)
        return out

    def stored(self, symbols: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(symbol, zeros before it) of every stored entry, uint32, fillers included, slice after slice."""
        total = int(self.entries(kept).sum())
        code, run = np.empty(total, dtype=np.uint32), np.empty(total, dtype=np.uint32)
        bits.run_encode(
            np.ascontiguousarray(symbols, dtype=np.uint32), np.ascontiguousarray(kept, dtype=np.uint8),
            self.span, 0, code, run,
        )  # fmt: skip
        return code, run

    def encode(self, symbols: np.ndarray, kept: np.ndarray, symbol_bits: int) -> Encoded:
        """(run, symbol) pairs; a run too long takes fillers."""
        code, run = self.stored(symbols, kept)
        fillers = int(self._is_filler(code, run).sum())
        if fillers != len(code) - int(np.count_nonzero(kept)):
            raise ValueError("a kept symbol is 0 behind a run of the largest index: it would be taken for a filler")
        field = code | run << np.uint32(symbol_bits)
        return Encoded(pack(field, self.entry_bits(symbol_bits)), self.entries(kept), symbols.shape[1], symbol_bits)

    def decode(self, encoded: Encoded) -> Decoded:
        """Places by the sums of runs; symbol 0 with the largest index is a filler."""
        total = int(encoded.entries.sum())
        field = unpack(encoded.data, self.entry_bits(encoded.symbol_bits), total)
        positions = np.empty(total, dtype=np.int32)
        run, code = field >> np.uint32(encoded.symbol_bits), field & np.uint32((1 << encoded.symbol_bits) - 1)
        bits.run_positions(run, encoded.entries, positions)
        return Decoded(code, positions, encoded.entries, ~self._is_filler(code, run))

    def _is_filler(self, code: np.ndarray, run: np.ndarray) -> np.ndarray:
        return (code == 0) & (run == self.span - 1)
