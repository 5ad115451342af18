"""Checks that the fields of all parts share, and the limits they are held against."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ReadAs:
    """Mark of a field of which the reader of configurations asks less than its type says: only to be a ``kind``.

    The rest is sure already, or checked by the record that has the field.
    """

    kind: object

    def __get_pydantic_core_schema__(self, source: object, handler: Callable[[object], object]) -> object:
        """What pydantic asks of a value."""
        return handler(self.kind)


#: what a dataflow says to a field that none has any more, by name (``former`` of a part): of (value, clock_mhz)
NO_OUTPUT_BITS = {
    "output_bits": lambda value, clock_mhz: (
        "is no field any more: a map is as wide as the network's codes; choose that with --precision activations=BITS"
    ),
}
#: no operand of a MAC unit and no code in memory has more bits
MOST_CODE_BITS, MOST_FIELD_BITS = 16, 64
#: lanes, entries or registers of one kind: more is beyond reason, and beyond the host's memory
MOST_PIECES = 1 << 16


def require(part: object, at_least: float, *fields: str, at_most: float = math.inf) -> None:
    """Raises ValueError naming the first of ``fields`` that is outside these bounds (None passes)."""
    for name in fields:
        value = getattr(part, name)
        if value is not None and value < at_least:
            raise ValueError(f"{name}={value} must be at least {at_least:g}")
        if value is not None and value > at_most:
            raise ValueError(f"{name}={value} must be at most {at_most:g}")
