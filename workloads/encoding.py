"""What every encoding promises: codes <-> bit stream, and the exact bits of any slice (docs/model.md 7).

A *slice* is the run of codes a machine reads in one go (a PE's part of a column, a row of a filter). The machine's
dataflow cuts the slices; an encoding knows nothing of layers. What of them is skipped is the machine's affair.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, get_args

import numpy as np

from workloads.bit_stream import NOTHING, BitStream, pack, unpack
from workloads.registry import Registry, lacking

__all__ = ["BitStream", "Decoded", "Encoded", "Encoding", "Part", "Slices", "encodings", "pack", "unpack"]

#: what the bits of a slice are for
PartName = Literal["payload", "index", "mask", "pointers", "table"]


@dataclass(frozen=True)
class Part:
    """A part of each slice's stream. fixed: what its bits follow from: 'slice' = the length of the slice and the width
    of a code, 'entry' = these and the number of stored entries, None = the codes themselves."""

    name: PartName
    fixed: Literal["slice", "entry"] | None = None

    def __post_init__(self) -> None:
        if self.name not in get_args(PartName) or self.fixed not in (None, "slice", "entry"):
            raise ValueError(f"part '{self.name}', fixed={self.fixed!r}: expected {', '.join(get_args(PartName))}; "
                             "fixed 'slice', 'entry' or None")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Slices:
    """kept: [slices, length] uint8, 0 = a zero that need not be stored; symbol_bits: width of a code; make: the
    symbols, which are asked for where something depends on them."""

    kept: np.ndarray
    symbol_bits: int
    make: Callable[[], np.ndarray]

    @staticmethod
    def of(symbols: np.ndarray, kept: np.ndarray, symbol_bits: int) -> "Slices":
        """symbols: [slices, length] uint32."""
        return Slices(kept, symbol_bits, lambda: symbols)

    @cached_property
    def symbols(self) -> np.ndarray:
        """[slices, length] uint32. Symbol 0 is the zero of the real value wherever there is one to leave out: codes
        with a zero point are handed over as differences from it."""
        return np.ascontiguousarray(self.make(), dtype=np.uint32)

    @property
    def length(self) -> int:
        """Codes of a slice."""
        return self.kept.shape[1]

    def __len__(self) -> int:
        return self.kept.shape[0]


@dataclass(frozen=True, eq=False)
class Encoded:
    """stream: slice after slice, nothing between them; entries: [slices] int32 stored entries of each slice; length:
    codes a slice stands for; symbol_bits: width of one code."""

    stream: BitStream
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


class Encoding(ABC):
    """A part for ``encodings``: a frozen dataclass, its fields are its parameters.

    parts: what a slice's stream is made of; the stream is exactly as long as they say together (``law``).
    plain: codes lie one behind the other, so that each can be read alone and nothing is decoded.
    """

    parts: ClassVar[tuple[Part, ...]]
    plain: ClassVar[bool] = False

    @abstractmethod
    def entries(self, slices: Slices) -> np.ndarray:
        """[slices] int32: stored entries of each slice, fillers included."""

    @abstractmethod
    def bits(self, slices: Slices, entries: np.ndarray) -> dict[str, np.ndarray]:
        """Name of each part -> [slices] int64 bits of it; entries: as ``entries`` counts them."""

    @abstractmethod
    def encode(self, slices: Slices) -> Encoded:
        """The bit stream of all slices; ValueError for codes that cannot be told apart from something else."""

    @abstractmethod
    def decode(self, encoded: Encoded) -> Decoded:
        """The stored entries with their positions, and which of them are fillers."""

    def fitted(self, runs: Iterable[Slices]) -> "Encoding":
        """The encoding as it is for these slices, all of one tensor: one with a code table makes it here."""
        return self

    def table(self, symbol_bits: int) -> BitStream:
        """What stands once before all slices of a tensor."""
        return NOTHING

    def with_table(self, table: BitStream, symbol_bits: int) -> "Encoding":
        """The decoder of what ``fitted`` encoded, which knows its table alone."""
        return self

    @property
    def counted(self) -> bool:
        """A decoder has to be told the number of entries of a slice: no mask tells it, nor the slice's length."""
        return not any(part.name == "mask" for part in self.parts) and any(part.fixed != "slice" for part in self.parts)

    @property
    def even(self) -> bool:
        """Entries have one size, so that their number tells where a slice begins."""
        return all(part.fixed == "entry" for part in self.parts)


def _unfit(part: object) -> str | None:
    if isinstance(part, type) and not issubclass(part, Encoding):
        return "is no subclass of workloads.encoding.Encoding"
    return lacking(part, "parts")


#: name -> frozen dataclass, a subclass of ``Encoding``
encodings: "Registry[type[Encoding]]" = Registry("encoding", "workloads.encodings", _unfit)
