"""What a lane-slot went to: states and causes, with the level and the operand that it waited for (docs/model.md 4)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

#: every state a lane-slot can be in, in order of precedence
CAUSES = (
    "unmapped", "effectual", "ineffectual", "decode", "sram", "noc", "imbalance", "dispatch", "fill_drain", "output",
    "dram_read", "dram_write", "reconfigure", "post", "dependency",
)  # fmt: skip
#: those that lie at a level (a memory's name, or a network's: its memory's with _noc) and concern an operand
PLACED = ("decode", "sram", "noc", "dram_read", "dram_write")
#: what a placed cause can concern; partial_sums: sums that are no codes yet
OPERANDS = ("inputs", "weights", "outputs", "pointers", "partial_sums")
#: what the array does of itself; in all others it waits
COMPUTE = ("effectual", "ineffectual", "unmapped", "imbalance")


@dataclass(frozen=True)
class Cause:
    """name: one of CAUSES; level, operand: of one in PLACED, else empty. ValueError for any other triple."""

    name: str
    level: str = ""
    operand: str = ""

    def __post_init__(self) -> None:
        if self.name not in CAUSES:
            raise ValueError(f"cause '{self.name}' is none of {', '.join(CAUSES)}")
        if self.name in PLACED and not (self.level and self.operand in OPERANDS):
            raise ValueError(
                f"cause '{self.name}' at level '{self.level}' for '{self.operand}': expected a level and one of "
                f"{', '.join(OPERANDS)}"
            )
        if self.name not in PLACED and (self.level or self.operand):
            raise ValueError(f"cause '{self.name}' lies at no level and concerns no operand")

    @cached_property
    def order(self) -> tuple[int, str, str]:
        """Key by which causes are sorted: their precedence, then level and operand by name."""
        return CAUSES.index(self.name), self.level, self.operand

    def __str__(self) -> str:
        return f"{self.name} of {self.operand} at {self.level}" if self.level else self.name


class Slots(Counter[Cause]):
    """Cause -> lane-slots."""

    @staticmethod
    def of(frame: pd.DataFrame) -> "Slots":
        """From rows of cycles.csv, of one layer or of several."""
        found = Slots()
        for name, level, operand, count in zip(frame.cause, frame.level, frame.operand, frame.lane_slots, strict=True):
            if count:
                found[Cause(name, level, operand)] += int(count)
        return found

    @staticmethod
    def joined(parts: Iterable["Slots"]) -> "Slots":
        """All parts together."""
        found = Slots()
        for part in parts:
            found.update(part)
        return found

    @property
    def by_name(self) -> dict[str, int]:
        """Every name of CAUSES -> lane-slots, over all levels and operands."""
        found = dict.fromkeys(CAUSES, 0)
        for cause, count in self.items():
            found[cause.name] += count
        return found

    @property
    def rows(self) -> list[tuple[str, str, str, int]]:
        """(name, level, operand, lane-slots) in order; a name without any has one row, of zero slots, at no level."""
        kept = sorted((cause for cause, count in self.items() if count), key=lambda cause: cause.order)
        found = [(cause.name, cause.level, cause.operand, self[cause]) for cause in kept]
        found += [(name, "", "", 0) for name, count in self.by_name.items() if not count]
        return sorted(found, key=lambda row: CAUSES.index(row[0]))


@dataclass(frozen=True)
class Bound:
    """What a layer or a run spends its time on. name: ``compute`` or the name of a cause it waits for; cause: the
    largest one of that name (of COMPUTE, if the name is compute); share, cause_share: of all lane-slots."""

    name: str
    cause: Cause
    share: float
    cause_share: float

    def __str__(self) -> str:
        own = "compute: " if self.name == "compute" else ""
        return f"{own}{self.cause} {100 * self.cause_share:.0f} %"


def bound(slots: Mapping[Cause, int]) -> Bound | None:
    """Compute, if the array's own states take at least half of the lane-slots; else the name that it waits for most,
    at the level and for the operand that take most of it. Ties go to the first in order; None without a slot.

    Every title, table and sentence about what bounds a layer or a run comes from here.
    """
    total = sum(slots.values())
    if not total:
        return None
    names: Counter[str] = Counter()
    for cause, count in slots.items():
        names["compute" if cause.name in COMPUTE else cause.name] += count
    order = ("compute", *CAUSES)
    own = 2 * names["compute"] >= total
    name = "compute" if own else max((n for n in order[1:] if n in names), key=lambda n: (names[n], -order.index(n)))
    members = sorted((c for c in slots if c.name in (COMPUTE if own else (name,))), key=lambda cause: cause.order)
    largest = max(members, key=lambda cause: slots[cause])
    return Bound(name, largest, names[name] / total, slots[largest] / total)


def sentence(slots: Mapping[Cause, int]) -> str:
    """What bounds a run, in words, for titles."""
    found = bound(slots)
    if found is None:
        return "no time"
    most = f"{found.cause} ({100 * found.cause_share:.0f} %)"
    return f"{found.name} takes {100 * found.share:.0f} % of lane-slots" + (
        f", most of it {most}" if str(found.cause) != found.name else ""
    )
