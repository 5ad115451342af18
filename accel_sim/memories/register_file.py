"""Register files and scratchpads: flip-flops, or the small macros of the CACTI table."""

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar

from accel_sim.memories import sram_macro
from accel_sim.memories.memory import memories
from accel_sim.memories.on_chip import OnChip, named, ports_of
from accel_sim.memories.sram_macro import Macro

#: Accelergy's Aladdin plug-in, 40/45 nm at 1 ns: a flip-flop
BIT_PJ, BIT_UM2, BIT_LEAKAGE_MW = 0.009, 5.98, 7e-5
#: the same: a comparator of 32 bits, 0.0295 pJ; all three in hwcomponents' AladdinComparator
COMPARE_PJ, COMPARE_UM2, COMPARE_LEAKAGE_MW = 0.0295, 71.0, 2.51e-5
COMPARE_BITS = 32
#: the tables' clock; data is there by its end, how much before it is not known
FLIP_FLOP_NS = 1.0
#: a guess: flip-flops up to here, then CACTI with a port for each, then with one for both
MACRO_BYTES, SINGLE_PORT_BYTES = 64, 256
#: CACTI's smallest arrays have as many words; it finds none of 16 rows or fewer
MACRO_WORDS = 32
#: node and cell type of the figures above, and of all macros with more than one port
BASE_NM, CELL = 45, "itrs-lstp"


@memories.add("register_file")
@dataclass(frozen=True)
class RegisterFile(OnChip):
    """level: its name in results; capacity_bytes: of one instance; per_lane: one in every lane, else one in all.

    holds, word_bits, slots, node_nm, packed, latency_cycles: as of ``sram``. ports: ``1r1w``, ``1rw``, for flip-flops
    any such as ``2r1w``; None = 1r1w, and 1rw from 256 bytes.

    Below 64 bytes or 32 words it is made of flip-flops: an access costs its word's flip-flops and a comparator in
    every word that decodes the address. Larger ones are CACTI macros. Figures that exist at 45 nm only are scaled to
    other nodes as CACTI's nearest single-port macro scales, which is a guess; ``macro.source`` says what was done.
    """

    level: str
    capacity_bytes: float
    holds: tuple[str, ...]
    word_bits: int = 16
    slots: int = 1
    per_lane: bool = True
    node_nm: int = 45
    ports: str | None = None
    packed: bool = True
    latency_cycles: int | None = None

    banks: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self.check_shared_fields()
        if self.capacity_bytes <= 0:
            raise ValueError(f"capacity_bytes={self.capacity_bytes:g} must be positive")
        if self.capacity_bytes * 8 < self.word_bits:
            raise ValueError(
                f"capacity_bytes={self.capacity_bytes:g} must be at least {-(-self.word_bits // 8)}: "
                f"a word has {self.word_bits} bits"
            )
        _ = ports_of(self.port_kind)
        _ = self.macro

    @property
    def capacity_kib(self) -> float:
        """As of ``sram``."""
        return self.capacity_bytes / 1024

    @property
    def port_kind(self) -> str:
        """ports, if given, else those of its size."""
        return self.ports or ("1r1w" if self.capacity_bytes < SINGLE_PORT_BYTES else "1rw")

    @property
    def of_flip_flops(self) -> bool:
        """Too small for a macro."""
        return self.capacity_bytes < MACRO_BYTES or self.capacity_bytes * 8 < MACRO_WORDS * self.word_bits

    @cached_property
    def macro(self) -> Macro:
        """All of it."""
        own = {"node_nm": self.node_nm, "cell": CELL, "ports": self.port_kind}
        place = self.capacity_bytes, self.word_bits
        _ = sram_macro.family(self.node_nm, CELL, "1rw")
        try:
            if self.of_flip_flops:
                ports = ports_of(self.port_kind)
                return scaled(flip_flops(*place, ports.reads, ports.writes), place, self.node_nm)
            if (self.node_nm, CELL, self.port_kind) in sram_macro.families() and self._reaches(place):
                return sram_macro.find(*place, **own)
            return scaled(sram_macro.find(*place, **own | {"node_nm": BASE_NM}), place, self.node_nm)
        except ValueError as error:
            raise named("capacity_bytes", self.capacity_bytes, 1, error) from None

    def _reaches(self, place: sram_macro.Place) -> bool:
        """The node's own macros begin as low as this one (those of 22 and 32 nm begin at 256 bytes)."""
        return sram_macro.family(self.node_nm, CELL, self.port_kind).weights(*place) is not None


def flip_flops(capacity_bytes: float, word_bits: int, reads: int, writes: int) -> Macro:
    """A file of flip-flops at 45 nm: as in the Aladdin plug-in, but the word's flip-flops are counted, not one."""
    bits, words = capacity_bytes * 8, math.ceil(capacity_bytes * 8 / word_bits)
    comparators = words * (words - 1).bit_length() / COMPARE_BITS  # of an address, in every word
    access_pj = word_bits * BIT_PJ + comparators * COMPARE_PJ
    source = f"{words} x {word_bits} flip-flops, address comparators: Aladdin 40 nm (Accelergy plug-in)"
    if capacity_bytes > MACRO_BYTES:
        source += f"; above {MACRO_BYTES} B linear: guess"
    return Macro(
        access_pj,
        access_pj,
        leakage_mw=bits * BIT_LEAKAGE_MW + (reads + writes) * comparators * COMPARE_LEAKAGE_MW,
        area_um2=bits * BIT_UM2 + (reads + writes) * comparators * COMPARE_UM2,
        access_ns=FLIP_FLOP_NS,
        source=source,
    )


def scaled(macro: Macro, place: sram_macro.Place, node_nm: int) -> Macro:
    """A macro of 45 nm at another node: each figure x the ratio that the nearest 1rw macro of both nodes has."""
    if node_nm == BASE_NM:
        return macro
    nearest = sram_macro.family(node_nm, CELL, "1rw").nearest(*place)
    there, here = (sram_macro.find(*nearest, node_nm=node, cell=CELL, ports="1rw") for node in (node_nm, BASE_NM))
    ratios = {
        field.name: getattr(there, field.name) / getattr(here, field.name) for field in fields(Macro)[:-1]
    }  # all but source
    figures = {name: sram_macro.rounded(getattr(macro, name) * ratio) for name, ratio in ratios.items()}
    how = f"x {node_nm}/{BASE_NM} nm of CACTI's {sram_macro.size(nearest)} 1rw: guess"
    return Macro(**figures, source=f"{macro.source}; {how}")
