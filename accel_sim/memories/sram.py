"""On-chip SRAM level."""

import math
from dataclasses import dataclass

from accel_sim.parts import memories, require

OPERANDS = ("inputs", "weights", "pointers", "outputs")


@memories.add("sram")
@dataclass(frozen=True)
class Sram:
    """level: its name in results; capacity_kib: of one instance; per_lane: one instance in every lane, else one in all.

    holds: operands kept here, which share the capacity evenly; slots: tiles it holds at once (2 = double buffering).
    word_bits: width of one access. Access time is taken to be hidden by the pipeline.
    """

    level: str
    capacity_kib: float
    holds: tuple[str, ...]
    word_bits: int = 64
    slots: int = 2
    per_lane: bool = False

    def __post_init__(self):
        require(self, 1, "word_bits", "slots")
        if self.capacity_kib <= 0:
            raise ValueError(f"capacity_kib={self.capacity_kib:g} must be positive")
        for operand in self.holds:
            if operand not in OPERANDS:
                raise ValueError(f"holds: unknown operand '{operand}' (known: {', '.join(OPERANDS)})")
        if not self.holds:
            raise ValueError("holds must name at least one operand")

    def price(self, action: str, bits: int, table) -> tuple[float, str]:
        """(pJ, source) of one access of ``bits``; grows with the square root of capacity from the table's macro."""
        base, source = table.per_bit("sram", bits)
        factor = math.sqrt(self.capacity_kib / table.sram_kib)
        if factor == 1:
            return base, source
        return base * factor, f"{source}; x sqrt({self.capacity_kib:g} KiB / {table.sram_kib:g} KiB): guess"
