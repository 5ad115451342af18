"""A map of activations as it lies encoded in the outermost memory, and which of its bytes a tile moves.

Blocks of BLOCK_CODES codes, in the order in which the map would lie plain, are slices of their own, so that a tile can
read some of them: a directory of pointers (the first bit of each block, and the end of the last) lies before them, and
the blocks one behind the other without a gap. What is read of a block is the whole block. A block is written when its
last code is made; of bytes that two blocks share, that of the later one writes them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.values import regions
from accel_sim.values.tile import Extent
from workloads.encoding import Decoded, Slices
from workloads.encoding import Encoding as Format
from workloads.formats.codes import Codes
from workloads.registry import InputError
from workloads.stored import StoredTensor

#: codes of a block: 8-bit ones fill a burst of DRAM or two, and a tile's edges waste few (a guess)
BLOCK_CODES = 64
#: of a pointer of the directory
POINTER_BITS = 32


@dataclass(frozen=True, eq=False)
class EncodedMap:
    """name: of the tensor; codes: in the order in which they would lie; begin: byte address from which on they would;
    address: byte in which the directory begins."""

    name: str
    codes: Codes
    encoding: Format
    begin: int
    address: int = 0

    @property
    def plain_bytes(self) -> int:
        """As it would lie."""
        return -(-self.codes.values.size * self.codes.format.bits // 8)

    @property
    def _block_bytes(self) -> int:
        """Plain bytes of a block."""
        return BLOCK_CODES * self.codes.format.bits // 8

    @cached_property
    def tensor(self) -> StoredTensor:
        """Its blocks; without pointers."""
        return StoredTensor(self._blocks, self.encoding, self.codes.format.bits)

    def _blocks(self) -> tuple[Slices, ...]:
        """Whole blocks, and a shorter one behind them if there is one."""
        values, bits = self.codes.values.ravel().astype(np.int64), self.codes.format.bits
        zero = np.broadcast_to(self.codes.zero_points(), self.codes.values.shape).ravel()
        symbols = (values - zero & (1 << bits) - 1).astype(np.uint32)
        kept = self.codes.kept().ravel().view(np.uint8)
        whole = len(values) // BLOCK_CODES * BLOCK_CODES
        parts = (slice(0, whole), BLOCK_CODES), (slice(whole, None), len(values) - whole)
        return tuple(
            Slices.of(symbols[part].reshape(-1, length), kept[part].reshape(-1, length), bits)
            for part, length in parts if length and len(symbols[part])
        )  # fmt: skip

    @cached_property
    def _edges(self) -> np.ndarray:
        """[blocks + 1] int64 bits before each block, and of all: what the directory holds."""
        edges = np.concatenate([[0], np.cumsum(self.tensor.slice_bits)])
        if edges[-1] >> POINTER_BITS:
            raise InputError(f"'{self.name}': {edges[-1]:,} bits of an encoded map, its pointers have {POINTER_BITS}")
        return edges

    @property
    def blocks(self) -> int:
        """Blocks, the last of which may be shorter."""
        return len(self._edges) - 1

    @property
    def pointer_bytes(self) -> int:
        """Of the directory."""
        return len(self._edges) * POINTER_BITS // 8

    @property
    def bytes(self) -> int:
        """Of directory and blocks."""
        return self.pointer_bytes - (-int(self._edges[-1]) // 8)

    def read(self, spans: np.ndarray) -> tuple[tuple[Extent, ...], int]:
        """spans: [n, 2] plain byte addresses -> (bytes of their blocks and of the pointers to these, codes of them)."""
        first, last = (spans - self.begin).T
        runs = regions.merge(np.stack([first // self._block_bytes, -(-last // self._block_bytes)], axis=1))
        low, high = self._edges[runs.T]
        stream = np.stack([low // 8, -(-high // 8)], axis=1)
        return self._extents(runs + np.array([0, 1]), stream), self._codes(runs)

    def written(self, spans: np.ndarray) -> tuple[tuple[Extent, ...], int]:
        """As ``read``, of what is written when the codes of these plain bytes are made."""
        first, last = (spans - self.begin).T
        done = np.where(last >= self.plain_bytes, self.blocks, last // self._block_bytes)
        runs = np.stack([first // self._block_bytes, done], axis=1)
        runs = runs[runs[:, 1] > runs[:, 0]]
        low, high = self._edges[runs.T]
        ends = runs[:, 1] == self.blocks
        stream = np.stack([low // 8, np.where(ends, -(-high // 8), high // 8)], axis=1)
        return self._extents(runs + np.stack([0 * ends, ends], axis=1), stream), self._codes(runs)

    def _extents(self, pointers: np.ndarray, stream: np.ndarray) -> tuple[Extent, ...]:
        """pointers: [n, 2] numbers of those in the directory; stream: [n, 2] bytes behind it."""
        directory = self.address + pointers * (POINTER_BITS // 8)
        found = np.concatenate([directory, self.address + self.pointer_bytes + stream])
        return regions.extents(regions.merge(found[found[:, 1] > found[:, 0]]))

    def _codes(self, runs: np.ndarray) -> int:
        """Of runs of blocks."""
        return int((np.minimum(runs * BLOCK_CODES, self.codes.values.size) @ np.array([-1, 1])).sum())

    def decoded(self) -> np.ndarray:
        """[codes] uint32 the symbols that a reader makes of the stream, in order."""
        return np.concatenate([_symbols(self.tensor.decode(each), each.length) for each in self.tensor.encoded()])

    def symbols(self) -> np.ndarray:
        """[codes] uint32 the symbols that were encoded."""
        return np.concatenate([each.symbols.ravel() for each in self._blocks()])


def _symbols(decoded: Decoded, length: int) -> np.ndarray:
    """What is not stored is zero."""
    made = np.zeros(len(decoded.entries) * length, np.uint32)
    first = np.repeat(np.arange(len(decoded.entries)) * length, decoded.entries)
    made[(first + decoded.positions)[decoded.kept]] = decoded.symbols[decoded.kept]
    return made
