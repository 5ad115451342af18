"""A run of bits, and how fields are laid into it: back to back, least significant bit first."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class BitStream:
    """data: [ceil(bits/8)] uint8, the first bit in the least significant place of the first byte."""

    data: np.ndarray
    bits: int

    def __post_init__(self) -> None:
        if len(self.data) != -(-self.bits // 8):
            raise ValueError(f"bit stream: {self.bits} bits do not take {len(self.data)} bytes")

    @staticmethod
    def of(array: np.ndarray) -> "BitStream":
        """array: [bits] 0 or 1."""
        return BitStream(np.packbits(array.astype(bool), bitorder="little"), len(array))

    @property
    def array(self) -> np.ndarray:
        """[bits] uint8, 0 or 1."""
        return np.unpackbits(self.data, count=self.bits, bitorder="little")


#: what stands where nothing is stored
NOTHING = BitStream(np.zeros(0, np.uint8), 0)


def pack(values: np.ndarray, width: int | np.ndarray) -> BitStream:
    """values: [n] uint32 fields; width: bits of each (0..32), a number or [n]."""
    if isinstance(width, np.ndarray):
        ends = np.cumsum(width, dtype=np.int64)
        places = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - width, width)
        return BitStream.of(np.repeat(values.astype(np.int64), width) >> places & 1)
    from cython_core.bits import pack as kernel

    out = np.zeros(-(-len(values) * width // 8), dtype=np.uint8)
    kernel(np.ascontiguousarray(values, dtype=np.uint32), width, out)
    return BitStream(out, len(values) * width)


def unpack(stream: BitStream, width: int, count: int) -> np.ndarray:
    """The first ``count`` fields of ``width`` bits of a stream -> [count] uint32; ValueError if it is too short."""
    from cython_core.bits import unpack as kernel

    if stream.bits < count * width:
        raise ValueError(f"bit stream of {len(stream.data)} bytes is too short for {count} fields of {width} bits")
    out = np.empty(count, dtype=np.uint32)
    kernel(stream.data, width, 0, out)
    return out
