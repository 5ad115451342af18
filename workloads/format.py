"""What every number format promises: real values -> codes, by the rule of its paper; and its name as a text."""

import dataclasses
import re
from types import UnionType
from typing import Any, ClassVar, Protocol, get_args, get_type_hints, runtime_checkable

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.registry import InputError, Registry, unknown

#: name -> frozen dataclass with the methods of ``Format``; its fields are the parameters of a spec
formats: "Registry[type[Format]]" = Registry("number format", "workloads.formats")
#: intN is short for integer:bits=N
SHORT = re.compile(r"int(\d{1,2})")


class Format(Protocol):
    """A way to code real values: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __hash__(self) -> int:
        """Of its fields."""

    @property
    def bits(self) -> int:
        """Width of a stored code."""

    def quantise(self, values: np.ndarray) -> Codes:
        """values: real numbers of any shape (weights: [M, C/G, R, S]) -> codes of the same shape that decode with
        ``Codes.real``. ValueError for values the format has no code for (NaN where it has none)."""


@runtime_checkable
class Linear(Format, Protocol):
    """A format whose codes are evenly spaced integers: sums of products can be requantised into it."""

    def of_range(self, low: float, high: float) -> NumberFormat:
        """The number format for real values in low..high (low >= 0: no sign is needed)."""


def named(spec: "str | Format") -> Format:
    """``name`` or ``name:key=value,key=value`` -> the part (a part is itself); 'int4' is short for integer:bits=4.

    Raises InputError in one line for an unknown name or key (with the nearest right one) or a value out of range.
    """
    if not isinstance(spec, str):
        if not hasattr(spec, "quantise"):
            raise InputError(f"number format: expected a name, as int4 or affine:bits=4,axis=0, not {spec!r}")
        return spec
    name, _, text = spec.strip().partition(":")
    short = SHORT.fullmatch(name)
    part = formats.get("integer" if short else name)
    hints = get_type_hints(part)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(part)}
    given = {"bits": int(short[1])} if short else {}
    for setting in filter(None, (each.strip() for each in text.split(","))):
        key, equals, value = (piece.strip() for piece in setting.partition("="))
        if not equals:
            raise InputError(f"number format '{spec}': expected KEY=VALUE, not '{setting}'")
        if key not in fields:
            raise InputError(f"number format '{spec}': {unknown('key', key, list(fields))}")
        if key in given:
            raise InputError(f"number format '{spec}': {key} is given twice")
        given[key] = _value(spec, key, value, fields[key])
    try:
        return part(**given)
    except ValueError as error:
        raise InputError(f"number format '{spec}': {error}") from None


def _value(spec: str, key: str, text: str, kind: Any) -> Any:
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if type(None) in kinds and text.lower() in ("none", "null"):
        return None
    if bool in kinds:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif int in kinds and re.fullmatch(r"[+-]?\d{1,9}", text):
        return int(text)
    elif float in kinds and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE):
        return float(text)
    elif str in kinds and text:
        return text
    wanted = " or ".join("none" if each is type(None) else each.__name__ for each in kinds)
    raise InputError(f"number format '{spec}': {key}: expected {wanted}, not '{text}'")


def spec_of(part: Format) -> str:
    """The text that ``named`` turns into this part: its name and the fields that are not at their defaults."""
    fields = dataclasses.fields(part)
    changed = [f"{f.name}={getattr(part, f.name)}" for f in fields if getattr(part, f.name) != f.default]
    return ":".join(filter(None, (formats.name_of(part), ",".join(changed))))


def of_tensor(part: Format) -> Format:
    """The format with one scale for a whole tensor, if it can have one for each slice."""
    return dataclasses.replace(part, axis=None) if hasattr(part, "axis") else part


def check_bits(bits: int, low: int, high: int) -> None:
    """ValueError unless low <= bits <= high."""
    if not low <= bits <= high:
        raise ValueError(f"bits={bits} is outside {low}..{high}")


def finite(values: np.ndarray) -> np.ndarray:
    """values as float64; ValueError for NaN and infinities, which only floating-point formats can hold."""
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("values must be finite: only floating-point formats have codes for NaN and infinity")
    return values


def over_axis(values: np.ndarray, axis: int | None) -> tuple[int, ...] | None:
    """The axes to reduce over for one figure per slice along ``axis``; ValueError if there is no such axis."""
    if axis is None:
        return None
    if not 0 <= axis < values.ndim:
        raise ValueError(f"axis={axis} is outside 0..{values.ndim - 1} of values with {values.ndim} axes")
    return tuple(i for i in range(values.ndim) if i != axis)


def per_slice(figures: np.ndarray, axis: int | None) -> Any:
    """A number, or a tuple of one per slice, as the fields of NumberFormat hold it."""
    return figures.ravel().tolist()[0] if axis is None else tuple(figures.ravel().tolist())
