"""A tensor as it is stored: slices of codes in an encoding, with the exact bits of every part of each.

The length of the encoded stream is the sum of its parts: where a stream is made, it is held to that.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from workloads.encoding import Decoded, Encoded, Encoding, Slices, encodings
from workloads.registry import InputError

#: name of each part -> [slices] int64 bits
Bits = dict[str, np.ndarray]
Made = TypeVar("Made")


class PartsError(ValueError):
    """An encoding's stream, or what it says of it, is not the sum of its parts."""


def checked_bits(coder: Encoding, slices: Slices, entries: np.ndarray) -> Bits:
    """Name of each part -> [slices] int64 bits; PartsError unless these are numbers of the parts it has."""
    bits, names = coder.bits(slices, entries), [part.name for part in coder.parts]
    if not isinstance(bits, dict) or sorted(bits) != sorted(names):
        raise PartsError(f"bits: expected a mapping of {', '.join(names)} to the bits of each slice")
    for name, each in bits.items():
        if not isinstance(each, np.ndarray) or each.dtype.kind not in "iu" or each.shape != (len(slices),):
            raise PartsError(f"bits: {name} is not [slices] integers")
        if (each < 0).any():
            raise PartsError(f"bits: {name} has {each.min()} bits in a slice")
    return {name: bits[name].astype(np.int64, copy=False) for name in names}


def encoded_as_counted(coder: Encoding, slices: Slices, entries: np.ndarray, bits: Bits) -> Encoded:
    """The stream of slices; PartsError unless it has as many entries as counted, and is as long as its parts."""
    encoded = coder.encode(slices)
    if not isinstance(encoded, Encoded) or not np.array_equal(encoded.entries, entries):
        raise PartsError("expected an Encoded of the entries that are counted")
    parts = {name: int(each.sum()) for name, each in bits.items()}
    if encoded.stream.bits != sum(parts.values()):
        each = ", ".join(f"{name} {count}" for name, count in parts.items())
        raise PartsError(f"a stream of {encoded.stream.bits} bits, its parts take {sum(parts.values())} ({each})")
    return encoded


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """runs: makes the slices of a tensor anew, all of one length together; encoding: as a machine names it.

    pointer_bits: of a count of entries or an address that stands by each slice, 0 = none; book_bits: of a codebook,
    which lies before the first slice together with the encoding's own table. Slices are numbered through the runs.
    """

    runs: Callable[[], Iterable[Slices]]
    encoding: Encoding
    symbol_bits: int
    pointer_bits: int = 0
    book_bits: int = 0

    @cached_property
    def _coder(self) -> Encoding:
        """The encoding with a table for these very slices."""
        return self.encoding.fitted(self.runs())

    @cached_property
    def _counts(self) -> tuple[np.ndarray, Bits]:
        """([slices] entries, bits of each part)."""
        entries: list[np.ndarray] = []
        bits: list[Bits] = []
        for slices in self.runs():
            entries.append(self._coder.entries(slices))
            bits.append(self._held(checked_bits, slices, entries[-1]))
        together = {name: np.concatenate([each[name] for each in bits]) for name in bits[0]}
        return np.concatenate(entries), together

    @property
    def entries(self) -> np.ndarray:
        """[slices] int32 stored entries, fillers included."""
        return self._counts[0]

    @cached_property
    def parts(self) -> Bits:
        """Name of each part -> [slices] int64 bits; counts or addresses of slices are pointers."""
        parts = dict(self._counts[1])
        if self.pointer_bits:
            parts["pointers"] = parts.get("pointers", 0) + np.full(len(self.entries), self.pointer_bits, np.int64)
        return parts

    def part_bits(self, name: str) -> int:
        """Of all slices; 0 for a part that there is not."""
        return int(self.parts[name].sum()) if name in self.parts else 0

    @cached_property
    def slice_bits(self) -> np.ndarray:
        """[slices] int64 bits of all parts."""
        return sum(self.parts.values(), np.zeros(len(self.entries), np.int64))

    @cached_property
    def table_bits(self) -> int:
        """Of what stands once before all slices."""
        return self.book_bits + self._coder.table(self.symbol_bits).bits

    @property
    def table_bytes(self) -> int:
        """In whole bytes."""
        return -(-self.table_bits // 8)

    def chunks(self, bits: np.ndarray) -> np.ndarray:
        """bits: of what can be read alone, in the order in which it lies -> the same shape and 2: first and last + 1
        byte of each, whole bytes one behind the other and behind the table."""
        sizes = -(-bits // 8)
        ends = self.table_bytes + np.cumsum(sizes.ravel()).reshape(sizes.shape)
        return np.stack([ends - sizes, ends], axis=-1)

    def encoded(self) -> Iterator[Encoded]:
        """The stream of each run; InputError unless it is as long as its parts."""
        first = 0
        for slices in self.runs():
            each = slice(first, first + len(slices))
            bits = {name: of[each] for name, of in self._counts[1].items()}
            yield self._held(encoded_as_counted, slices, self.entries[each], bits)
            first += len(slices)

    def _held(self, law: Callable[..., Made], *of: object) -> Made:
        """InputError with the encoding's name where it does not keep to its parts."""
        try:
            return law(self._coder, *of)
        except PartsError as error:
            raise InputError(f"encoding '{encodings.name_of(self.encoding)}': {error}") from error

    def decode(self, encoded: Encoded) -> Decoded:
        """What a decoder makes of a run's stream, which has read the table alone."""
        table = self._coder.table(self.symbol_bits)
        return self.encoding.with_table(table, self.symbol_bits).decode(encoded)
