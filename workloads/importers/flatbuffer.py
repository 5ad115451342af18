"""A bounds-checked reader of FlatBuffers: every offset, length and vtable of an untrusted file is checked before use.

Layout (google/flatbuffers, internals): little endian; a table begins with a signed offset back to its vtable, which
holds its own size, the table's size and one 16-bit offset per field (0 = absent); strings, vectors and tables are
reached by unsigned offsets forward. Arrays are views of the file: nothing is copied and nothing is taken on trust.
"""

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workloads.registry import InputError

#: bytes of an integer, by the last letter of its struct code
WIDTHS = {"b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8}


@dataclass(frozen=True, eq=False)
class Table:
    """One table at byte ``at`` of ``data``; ``where`` names it in errors."""

    data: bytes
    at: int
    where: str

    def refuse(self, what: str) -> InputError:
        """An InputError that says where."""
        return InputError(f"{self.where}: broken file: {what}")

    def _inside(self, at: int, width: int) -> int:
        """Where so many bytes begin; InputError if they reach outside the file."""
        if 0 <= at <= len(self.data) - width:
            return at
        raise self.refuse(f"an offset points to byte {at}, the file has {len(self.data)}")

    def _number(self, form: str, at: int) -> int:
        (value,) = struct.unpack_from(form, self.data, self._inside(at, WIDTHS[form[-1]]))
        return value

    @cached_property
    def _fields(self) -> tuple[int, int, int]:
        """(byte of the vtable, its size, size of the table)."""
        vtable = self.at - self._number("<i", self.at)
        size, length = self._number("<H", vtable), self._number("<H", vtable + 2)
        if size < 4 or size % 2 or length < 4 or max(vtable + size, self.at + length) > len(self.data):
            raise self.refuse(f"no table at byte {self.at}")
        return vtable, size, length

    def _place(self, field: int, width: int) -> int | None:
        """Byte of an inline field of ``width`` bytes, None if it is absent."""
        vtable, size, length = self._fields
        if 4 + 2 * field + 2 > size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, vtable + 4 + 2 * field)  # the vtable lies inside the file
        if offset and (offset < 4 or offset + width > length):
            raise self.refuse(f"field {field} lies outside its table")
        return self.at + offset if offset else None

    def present(self) -> list[int]:
        """Numbers of the fields that are there."""
        vtable, size, _ = self._fields
        offsets = struct.unpack_from(f"<{size // 2 - 2}H", self.data, vtable + 4)
        return [field for field, offset in enumerate(offsets) if offset]

    def scalar(self, field: int, form: str, default: int) -> int:
        """form: a struct code of an integer, such as '<i'."""
        place = self._place(field, WIDTHS[form[-1]])
        return default if place is None else self._number(form, place)

    def real(self, field: int, default: float) -> float:
        """A float32."""
        place = self._place(field, 4)
        if place is None:
            return default
        (value,) = struct.unpack_from("<f", self.data, self._inside(place, 4))
        return value

    def _target(self, field: int) -> int | None:
        place = self._place(field, 4)
        return None if place is None else place + self._number("<I", place)

    def table(self, field: int, name: str) -> "Table | None":
        """A table behind a field, or None."""
        target = self._target(field)
        return None if target is None else Table(self.data, target, f"{self.where}: {name}")

    def _vector(self, field: int, width: int, limit: int, name: str) -> tuple[int, int]:
        """(first byte, length) of a vector of ``width`` bytes an element; (0, 0) if absent."""
        target = self._target(field)
        if target is None:
            return 0, 0
        count = self._number("<I", target)
        if target + 4 + count * width > len(self.data):
            raise self.refuse(f"{name}: {count} entries of {width} bytes do not fit the file's {len(self.data)} bytes")
        if count > limit:
            raise self.refuse(f"{name}: {count} entries, at most {limit} are read")
        return target + 4, count

    def array(self, field: int, dtype: str, limit: int, name: str) -> np.ndarray:
        """[n] read-only view of a vector of numbers (empty if absent); InputError if it has more than ``limit``."""
        first, count = self._vector(field, np.dtype(dtype).itemsize, limit, name)
        return np.frombuffer(self.data, dtype, count, first)

    def tables(self, field: int, limit: int, name: str) -> list["Table"]:
        """A vector of tables, each named ``name`` and its number."""
        first, count = self._vector(field, 4, limit, name)
        places = (first + 4 * number for number in range(count))
        return [
            Table(self.data, place + self._number("<I", place), f"{self.where}: {name} {number}")
            for number, place in enumerate(places)
        ]

    def text(self, field: int, limit: int, name: str) -> str:
        """Text behind a field, at most ``limit`` bytes."""
        return self.array(field, "u1", limit, name).tobytes().decode("utf-8", "replace")


def root(data: bytes, identifier: bytes, where: str) -> Table:
    """The file's root table; InputError if its identifier (bytes 4..8) is another."""
    if len(data) < 8 or data[4:8] != identifier:
        found = data[4:8].decode("ascii", "replace") if len(data) >= 8 else f"{len(data)} bytes"
        raise InputError(f"{where}: expected the file identifier {identifier.decode()!r} at byte 4, not {found!r}")
    return Table(data, struct.unpack_from("<I", data)[0], where)
