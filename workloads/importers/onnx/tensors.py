"""Tensors a model file stores: sizes are checked against the bytes there are before memory is taken."""

import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workloads.formats.codes import NumberFormat
from workloads.registry import InputError

#: no tensor of a model, stored or computed, may have more elements
LIMIT_ELEMENTS = 1 << 28
LIMIT_RANK = 16


class UnknownError(Exception):
    """A value is needed at import that only a run computes."""


@dataclass(frozen=True)
class ElementType:
    """numpy: dtype of the array it is read as; bits: width in a file; field: where it lies if not as raw data."""

    name: str
    numpy: str
    bits: int
    field: str

    @property
    def signed(self) -> bool:
        """Whether numbers may be negative."""
        return not self.name.startswith("uint")

    @property
    def is_float(self) -> bool:
        """Whether elements are floating-point numbers."""
        return "float" in self.name or self.name == "double"


#: TensorProto.DataType -> element type (onnx.proto); strings, complex numbers and 8-bit floats are no operands here
TYPES = {
    1: ElementType("float32", "<f4", 32, "float_data"),
    2: ElementType("uint8", "u1", 8, "int32_data"),
    3: ElementType("int8", "i1", 8, "int32_data"),
    4: ElementType("uint16", "<u2", 16, "int32_data"),
    5: ElementType("int16", "<i2", 16, "int32_data"),
    6: ElementType("int32", "<i4", 32, "int32_data"),
    7: ElementType("int64", "<i8", 64, "int64_data"),
    9: ElementType("bool", "?", 8, "int32_data"),
    10: ElementType("float16", "<f2", 16, "int32_data"),
    11: ElementType("double", "<f8", 64, "double_data"),
    12: ElementType("uint32", "<u4", 32, "uint64_data"),
    13: ElementType("uint64", "<u8", 64, "uint64_data"),
    16: ElementType("bfloat16", "<u2", 16, "int32_data"),
    21: ElementType("uint4", "u1", 4, "int32_data"),
    22: ElementType("int4", "i1", 4, "int32_data"),
    25: ElementType("uint2", "u1", 2, "int32_data"),
    26: ElementType("int2", "i1", 2, "int32_data"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor whose values are known at import, or would be (``load`` is None) if a run did not compute them.

    load: makes the array, of ``shape``; of one stored value repeated, it is a view without strides.
    format: what integers stand for, if they are quantised reals. bits: width in the file (weights keep it).
    key: equal for constants with equal content (weights that layers share are held once).
    """

    shape: tuple[int, ...]
    load: Callable[[], np.ndarray] | None = None
    format: NumberFormat | None = None
    bits: int = 32
    signed: bool = True
    key: tuple = field(default_factory=lambda: (object(),))
    stored: str = ""

    @property
    def elements(self) -> int:
        """Of its shape."""
        return math.prod(self.shape)

    @property
    def known(self) -> bool:
        """Whether its values can be had."""
        return self.load is not None

    @property
    def exact(self) -> bool:
        """Its real values are known, not only the integers that stand for them."""
        return self.known and (self.format is None or self.format.scale is not None)

    @cached_property
    def array(self) -> np.ndarray:
        """Its values; UnknownError if they are not known."""
        if self.load is None:
            raise UnknownError
        return self.load().reshape(self.shape)

    @property
    def filled(self) -> bool:
        """One value repeated: a placeholder and no trained weight."""
        return self.elements > 1 and not any(self.array.strides)

    def real(self) -> np.ndarray:
        """Real values, float32 (or as stored, if they are no quantised codes)."""
        if self.format is None:
            return self.array
        scale = np.asarray(1.0 if self.format.scale is None else self.format.scale, dtype=np.float64)
        zero = np.asarray(self.format.zero_point)
        shape = [1] * len(self.shape)
        if self.format.axis is not None:
            shape[self.format.axis] = -1
        scale, zero = (part.reshape(shape) if part.ndim else part for part in (scale, zero))
        return ((self.array.astype(np.int64) - zero) * scale).astype(np.float32)

    def transpose(self, order: tuple[int, ...]) -> "Constant":
        """The same values with axes in another order, loaded when they are asked for."""
        shape = tuple(self.shape[axis] for axis in order)
        form = self.format
        if form is not None and form.axis is not None:
            form = replace(form, axis=order.index(form.axis))
        load = None if self.load is None else lambda: self.array.transpose(order)
        return replace(self, shape=shape, load=load, format=form, key=(*self.key, "transpose", order))

    def reshape(self, shape: tuple[int, ...]) -> "Constant":
        """Raises ValueError where a per-axis format does not survive."""
        form = self.format
        if form is not None and form.axis is not None:
            axis = kept_axis(self.shape, shape, form.axis)
            if axis is None:
                raise ValueError(f"a reshape from {list(self.shape)} to {list(shape)} breaks up its quantised axis")
            form = replace(form, axis=axis)
        load = None if self.load is None else lambda: self.array.reshape(shape)
        return replace(self, shape=shape, load=load, format=form, key=(*self.key, "reshape", shape))

    @staticmethod
    def of(array: np.ndarray) -> "Constant":
        """An array that is there already."""
        bits = array.dtype.itemsize * 8
        return Constant(array.shape, lambda: array, bits=bits, signed=array.dtype.kind != "u")


def kept_axis(before: tuple[int, ...], after: tuple[int, ...], axis: int | None) -> int | None:
    """Where an axis of a row-major tensor is after a reshape: the same elements before and behind it; None if gone."""
    if axis is None:
        return None
    ahead = math.prod(before[:axis])
    places = [i for i, size in enumerate(after) if size == before[axis] and math.prod(after[:i]) == ahead]
    return axis if axis in places else places[-1] if places else None


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that operands of these shapes have together; ValueError if they have none."""
    rank = max(map(len, shapes), default=0)
    joint = []
    for sizes in zip(*((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes), strict=True):
        others = {size for size in sizes if size != 1}
        if len(others) > 1:
            raise ValueError(f"sizes {sorted(others)} do not broadcast together")
        joint.append(others.pop() if others else 1)
    return tuple(joint)


def check_shape(shape: tuple[int, ...], where: str) -> tuple[int, ...]:
    """The shape, if a tensor may have it (InputError)."""
    if len(shape) > LIMIT_RANK:
        raise InputError(f"{where}: has {len(shape)} dimensions; {LIMIT_RANK} is the limit")
    if any(size < 0 for size in shape):
        raise InputError(f"{where}: has a negative size in its shape {list(shape)}")
    if math.prod(shape) > LIMIT_ELEMENTS:
        raise InputError(f"{where}: shape {list(shape)} has more than {LIMIT_ELEMENTS} elements")
    return shape


def stored_tensor(proto: Any, where: str, folder: Path) -> Constant:
    """A TensorProto as a Constant, its declared size held against its bytes; ``where`` names it in errors."""
    shape = check_shape(tuple(proto.dims), where)
    kind = TYPES.get(proto.data_type)
    if kind is None:
        known = ", ".join(each.name for each in TYPES.values())
        raise InputError(f"{where}: element type {proto.data_type} is not supported (supported: {known})")
    count = math.prod(shape)
    size = -(-count * kind.bits // 8)
    if proto.data_location == 1:
        path, offset = external_data(proto, where, folder, size)
        load = _loader(lambda: _read(path, offset, size, where), kind, count)
    elif proto.HasField("raw_data"):
        if len(proto.raw_data) != size:
            raise InputError(
                f"{where}: {count} elements of {kind.name} take {size} bytes, it holds {len(proto.raw_data)}"
            )
        load = _loader(lambda: proto.raw_data, kind, count)
    else:
        values = getattr(proto, kind.field)
        entries = -(-count * kind.bits // 8) if kind.bits < 8 else count
        if len(values) != entries:
            raise InputError(f"{where}: shape {list(shape)} has {count} elements, it holds {len(values)}")
        load = lambda: _typed(np.array(values), kind, count)  # noqa: E731
    return Constant(shape, load, bits=kind.bits, signed=kind.signed, stored=kind.name)


def _loader(read: Callable[[], bytes], kind: ElementType, count: int) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        dtype = "u1" if kind.bits < 8 else kind.numpy
        return _finish(np.frombuffer(read(), dtype), kind, count)

    return load


def _typed(values: np.ndarray, kind: ElementType, count: int) -> np.ndarray:
    """Values of a repeated field: halves are written as their bits, narrow integers packed into bytes."""
    if kind.name in ("float16", "bfloat16"):
        values = values.astype(np.uint16).view("<f2" if kind.name == "float16" else "<u2")
    elif kind.bits < 8:
        values = values.astype(np.uint8)
    else:
        values = values.astype(kind.numpy)
    return _finish(values, kind, count)


def _finish(values: np.ndarray, kind: ElementType, count: int) -> np.ndarray:
    """[count] values as numpy knows them: narrow integers unpacked (low bits first), bfloat16 as float32."""
    if kind.name == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    if kind.bits < 8:
        each = 8 // kind.bits
        shifts = np.arange(each, dtype=np.uint8) * kind.bits
        values = ((values[:, None] >> shifts) & ((1 << kind.bits) - 1)).reshape(-1)[:count]
        if kind.signed:
            half = 1 << (kind.bits - 1)
            values = (values ^ half).astype(np.int8) - np.int8(half)
        return values
    return values


def external_data(proto: Any, where: str, folder: Path, size: int) -> tuple[Path, int]:
    """(file, offset) of a tensor kept outside the model; InputError for a place outside the model's folder."""
    entries = {entry.key: entry.value for entry in proto.external_data}
    location = entries.get("location", "")
    if not isinstance(location, str) or not location or not location.isprintable():
        raise InputError(f"{where}: its external data has no usable location")
    shown = f"'{location[:80]}'"
    parts = Path(location).parts
    if Path(location).is_absolute() or ".." in parts or "\\" in location or ":" in location:
        raise InputError(f"{where}: its external data {shown} lies outside the model's folder")
    path, linked = folder, False
    try:
        for part in parts:
            path = path / part
            linked |= stat.S_ISLNK(path.lstat().st_mode)
        info = path.lstat()
    except (OSError, ValueError):
        raise InputError(f"{where}: its external data {shown} is not there") from None
    if linked:
        raise InputError(f"{where}: its external data {shown} is reached through a symbolic link")
    if not stat.S_ISREG(info.st_mode):
        raise InputError(f"{where}: its external data {shown} is no regular file")
    offset, length = (_number(entries, key, default, where) for key, default in (("offset", 0), ("length", size)))
    if length != size:
        raise InputError(f"{where}: its shape takes {size} bytes, its external data {length}")
    if offset + size > info.st_size:
        raise InputError(
            f"{where}: {size} bytes from byte {offset} of its external data {shown}, which has {info.st_size}"
        )
    return path, offset


def _number(entries: dict[str, str], key: str, default: int, where: str) -> int:
    text = entries.get(key, str(default))
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InputError(f"{where}: {key} of its external data: expected a number of bytes")
    return int(text)


def _read(path: Path, offset: int, size: int, where: str) -> bytes:
    """Bytes of a regular file that was not swapped for a link since it was checked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            file.seek(offset)
            data = file.read(size)
    except OSError as error:
        raise InputError(f"{where}: cannot read its external data: {error.strerror}") from None
    if len(data) != size:
        raise InputError(f"{where}: its external data is shorter than {size} bytes")
    return data
