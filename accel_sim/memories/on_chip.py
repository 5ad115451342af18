"""What on-chip memories share: whole words, packing, banks and ports, latency in cycles."""

import re
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np

from accel_sim.interconnects.interconnect import Interconnect
from accel_sim.memories.sram_macro import Macro
from accel_sim.values.checks import ReadAs, require
from cython_core import banks as kernel
from workloads.registry import InputError

OPERANDS = ("inputs", "weights", "pointers", "outputs")
#: bytes or values a cycle
LEAST_RATE = 0.001
_PORTS = re.compile(r"(?:(\d+)rw)?(?:(\d+)r)?(?:(\d+)w)?")


class Ports(NamedTuple):
    """reads, writes: words a cycle of a bank; shared: a read and a write take turns."""

    reads: int
    writes: int
    shared: bool


def ports_of(ports: str) -> Ports:
    """What is meant by ``1r1w``; ValueError if it cannot both read and write."""
    match = _PORTS.fullmatch(ports)
    both, reads, writes = (int(count or 0) for count in match.groups()) if match else (0, 0, 0)
    if not (both + reads and both + writes):
        raise ValueError(f"ports='{ports}' must read and write, as 1rw, 1r1w or 2r1w")
    return Ports(both + reads, both + writes, both > 0)


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """How an on-chip level lies between others.

    source: the level it is filled from; None = for each operand the nearest level farther out that holds it (an operand
    that a level does not hold bypasses it). compressed: operands that lie here as their encoded stream; the decoder of
    an operand stands before the first level that holds it plain. decoder_values_per_cycle: of the decoder before this
    level; None = never a bottleneck. network: the interconnect to what the level feeds (the next level or the array),
    and back; None = wires of no length. fill_bytes_per_cycle: what it takes in from or gives to other levels; None = as
    many words as it has ports.
    """

    source: str | None = None
    compressed: tuple[str, ...] = ()
    decoder_values_per_cycle: float | None = None
    network: Annotated[Interconnect | None, ReadAs(object)] = None
    fill_bytes_per_cycle: float | None = None


class OnChip(Wiring):
    """Methods of a part that has these; macro: one bank; port_kind: of a bank, ``1rw`` (one for both) or ``1r1w``."""

    level: str
    holds: tuple[str, ...]
    word_bits: int
    slots: int
    per_lane: bool
    packed: bool
    latency_cycles: int | None
    if TYPE_CHECKING:  # fields or made of them; at run time a property would be taken for a field's default

        @property
        def capacity_kib(self) -> float:
            """Of one instance."""

        @property
        def banks(self) -> int:
            """Of one instance."""

        @property
        def macro(self) -> Macro:
            """One bank."""

        @property
        def port_kind(self) -> str:
            """Of a bank, ``1rw`` (one for both) or ``1r1w``."""

    else:
        capacity_kib: float
        banks: int
        macro: Macro
        port_kind: str

    def check_shared_fields(self) -> None:
        """Raises ValueError for what no on-chip memory can have."""
        require(self, 1, "word_bits", "slots")
        require(self, 0, "latency_cycles")
        for name in ("fill_bytes_per_cycle", "decoder_values_per_cycle"):
            rate = getattr(self, name)
            if rate is not None and rate < LEAST_RATE:
                raise ValueError(f"{name}={rate:g} must be at least {LEAST_RATE}: nothing passes without bandwidth")
        for field in ("holds", "compressed"):
            for operand in getattr(self, field):
                if operand not in OPERANDS:
                    raise ValueError(f"{field}: unknown operand '{operand}' (known: {', '.join(OPERANDS)})")
        if not self.holds:
            raise ValueError("holds must name at least one operand")
        for operand in self.compressed:
            if operand not in self.holds:
                raise ValueError(f"compressed: {operand} are not held here (holds: {', '.join(self.holds)})")

    def price(self, action: str, bits: int, table: object = None) -> tuple[float, str]:
        """(pJ, source) of a ``read`` or ``write`` of ``bits``: every word it touches is accessed whole; a ``fill`` from
        another level is a write, a ``drain`` to one farther out a read.

        The energy table has no say: figures are the macro's.
        """
        words = max(1, -(-bits // self.word_bits))
        read, write = self.macro.read_pj, self.macro.write_pj
        each = {"read": read, "drain": read, "write": write, "fill": write}[action]
        return words * each, self.macro.source if words == 1 else f"{self.macro.source}; {words} words"

    @property
    def capacity_field(self) -> str:
        """Name of the field that its capacity is given in, whose end is the unit."""
        return next(field.name for field in fields(self) if field.name.startswith("capacity_"))

    @property
    def leakage(self) -> tuple[float, str]:
        """(mW of one instance, source)."""
        return self.leakage_mw, self.macro.source

    @property
    def leakage_mw(self) -> float:
        """Of one instance, all banks."""
        return self.banks * self.macro.leakage_mw

    @property
    def area_um2(self) -> float:
        """Of one instance, all banks; without the wires and switches between them."""
        return self.banks * self.macro.area_um2

    def latency(self, clock_mhz: float | Fraction) -> int:
        """Cycles from address to data: latency_cycles if given (0 = hidden), else the access time in whole cycles."""
        if self.latency_cycles is not None:
            return self.latency_cycles
        cycles = Fraction(str(self.macro.access_ns)) * Fraction(str(clock_mhz)) / 1000
        return max(1, -(-cycles.numerator // cycles.denominator))

    @property
    def shared_ports(self) -> bool:
        """A read and a write of the same bank cannot be in the same cycle (1rw)."""
        return ports_of(self.port_kind).shared

    @property
    def reads_per_cycle(self) -> int:
        """Words read in a cycle when every bank has its turn; where ports are shared, nothing is written then."""
        return self.banks * ports_of(self.port_kind).reads

    @property
    def writes_per_cycle(self) -> int:
        """Words written in a cycle when every bank has its turn; where ports are shared, nothing is read then."""
        return self.banks * ports_of(self.port_kind).writes

    @property
    def bandwidth_bytes_per_cycle(self) -> float:
        """Of reads, at best."""
        return self.reads_per_cycle * self.word_bits / 8

    def access_cycles(self, addresses: np.ndarray, *, is_write: bool = False) -> tuple[np.ndarray, int]:
        """(cycles of each step [T], words accessed in all) for the bit addresses of each step.

        addresses: [T, A] int64, -1 = no access. Words lie in the banks in turn; accesses to one word in one step are
        one access; a step lasts until its fullest bank has been through its ports.
        """
        reads, writes, _ = ports_of(self.port_kind)
        cycles = np.empty(len(addresses), np.int64)
        words = kernel.conflicts(
            np.ascontiguousarray(addresses, np.int64), self.word_bits, self.banks, writes if is_write else reads, cycles
        )
        return cycles, words


def named(field: str, value: float, banks: int, error: ValueError) -> ValueError:
    """A refusal by the table, under the field the user gave; other refusals as they are."""
    if not str(error).startswith("no SRAM macro"):
        return error
    split, each = (f" in {banks} banks", " a bank") if banks > 1 else ("", "")
    return InputError(f"{field}={value:.10g}{split}: {error}{each}")
