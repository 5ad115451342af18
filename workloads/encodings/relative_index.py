"""Relative index with filler zeros (Deep Compression, Han et al. ICLR 2016; EIE, ISCA 2016).

Each stored entry is a code and the number of zeros before it in ``index_bits``; a run that does not fit is bridged by
filler entries (symbol 0, largest index), each of which stands for 2^index_bits zeros. The run restarts in every slice
and zeros after the last entry are free.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cython_core import bits as kernels
from workloads.bit_stream import pack, unpack
from workloads.encoding import Decoded, Encoded, Encoding, Part, Slices, encodings


@encodings.add("relative_index")
@dataclass(frozen=True)
class RelativeIndex(Encoding):
    """index_bits: width of the zero count, 1..16."""

    parts: ClassVar = (Part("payload", "entry"), Part("index", "entry"))

    index_bits: int = 4

    def __post_init__(self):
        if not 1 <= self.index_bits <= 16:
            raise ValueError(f"index_bits={self.index_bits} is outside 1..16")

    @property
    def span(self) -> int:
        """Zeros that one entry can pass, and one."""
        return 1 << self.index_bits

    def entries(self, slices: Slices) -> np.ndarray:
        """[slices] int32: kept symbols and fillers."""
        out = np.empty(len(slices), dtype=np.int32)
        kernels.run_counts(np.ascontiguousarray(slices.kept, dtype=np.uint8), self.span, out)
        return out

    def bits(self, slices: Slices, entries: np.ndarray) -> dict[str, np.ndarray]:
        """A symbol and its run of zeros for each entry."""
        return {"payload": entries * np.int64(slices.symbol_bits), "index": entries * np.int64(self.index_bits)}

    def stored(self, slices: Slices, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(symbol, zeros before it) of every stored entry, uint32, fillers included, slice after slice."""
        total = int(entries.sum())
        code, run = np.empty(total, dtype=np.uint32), np.empty(total, dtype=np.uint32)
        kept = np.ascontiguousarray(slices.kept, dtype=np.uint8)
        kernels.run_encode(slices.symbols, kept, self.span, 0, code, run)
        return code, run

    def encode(self, slices: Slices) -> Encoded:
        """(run, symbol) pairs; a run too long takes fillers."""
        entries = self.entries(slices)
        code, run = self.stored(slices, entries)
        fillers = int(self._is_filler(code, run).sum())
        if fillers != len(code) - int(np.count_nonzero(slices.kept)):
            raise ValueError("a kept symbol is 0 behind a run of the largest index: it would be taken for a filler")
        field = code | run << np.uint32(slices.symbol_bits)
        return Encoded(pack(field, slices.symbol_bits + self.index_bits), entries, slices.length, slices.symbol_bits)

    def decode(self, encoded: Encoded) -> Decoded:
        """Places by the sums of runs; symbol 0 with the largest index is a filler."""
        total = int(encoded.entries.sum())
        field = unpack(encoded.stream, encoded.symbol_bits + self.index_bits, total)
        positions = np.empty(total, dtype=np.int32)
        run, code = field >> np.uint32(encoded.symbol_bits), field & np.uint32((1 << encoded.symbol_bits) - 1)
        kernels.run_positions(run, encoded.entries, positions)
        return Decoded(code, positions, encoded.entries, ~self._is_filler(code, run))

    def _is_filler(self, code: np.ndarray, run: np.ndarray) -> np.ndarray:
        return (code == 0) & (run == self.span - 1)
