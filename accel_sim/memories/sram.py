"""On-chip SRAM level."""

import math
from dataclasses import dataclass

from accel_sim.levels import OnChip
from accel_sim.parts import memories


@memories.add("sram")
@dataclass(frozen=True, kw_only=True)
class Sram(OnChip):
    """capacity_kib: of one instance."""

    capacity_kib: float

    def price(self, action: str, bits: int, table) -> tuple[float, str]:
        """(pJ, source) of one access of ``bits``; grows with the square root of capacity from the table's macro."""
        base, source = table.per_bit("sram", bits)
        factor = math.sqrt(self.capacity_kib / table.sram_kib)
        if factor == 1:
            return base, source
        return base * factor, f"{source}; x sqrt({self.capacity_kib:g} KiB / {table.sram_kib:g} KiB): guess"

    @property
    def leakage(self) -> tuple[float, str]:
        return 0.0, ""
