"""On-chip SRAM: CACTI macros, one to a bank."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from accel_sim.memories import sram_macro
from accel_sim.memories.memory import memories
from accel_sim.memories.on_chip import OnChip, named


@memories.add("sram")
@dataclass(frozen=True)
class Sram(OnChip):
    """level: its name in results; capacity_kib: of one instance; per_lane: one instance in every lane, else one in all.

    holds: operands kept here, which share the capacity evenly; slots: tiles it holds at once (2 = double buffering).
    word_bits: width of one access. node_nm, cell, ports: as CACTI was run (accel_sim/tables/sram). banks: macros of
    capacity / banks each, with an address of their own (a power of two); a word lies in bank (word number mod banks).
    packed: operands narrower than a word share it. layout: packed = what a step of the array needs lies side by side;
    tensor = in the order of the map, so that a step's addresses meet in banks (inputs streamed into a systolic array).
    latency_cycles: address to data, None = from the access time.

    Energy, leakage, area and access time are those of the banks' macros (CACTI 7.0, ``sram_macro``); what joins the
    banks is not in them.
    """

    level: str
    capacity_kib: float
    holds: tuple[str, ...]
    word_bits: int = 64
    slots: int = 2
    per_lane: bool = False
    node_nm: int = 45
    cell: str = "itrs-lstp"
    ports: str = "1rw"
    banks: int = 1
    packed: bool = True
    layout: Literal["packed", "tensor"] = "packed"
    latency_cycles: int | None = None

    def __post_init__(self) -> None:
        self.check_shared_fields()
        if self.banks < 1 or self.banks & (self.banks - 1):
            raise ValueError(f"banks={self.banks} must be a power of two")
        if self.capacity_kib <= 0:
            raise ValueError(f"capacity_kib={self.capacity_kib:g} must be positive")
        _ = self.macro

    @cached_property
    def macro(self) -> sram_macro.Macro:
        """One bank."""
        capacity = self.capacity_kib * 1024 / self.banks
        try:
            return sram_macro.find(capacity, self.word_bits, node_nm=self.node_nm, cell=self.cell, ports=self.ports)
        except ValueError as error:
            raise named("capacity_kib", self.capacity_kib, self.banks, error) from None

    @property
    def port_kind(self) -> str:
        """As the macros' table calls it."""
        return self.ports
