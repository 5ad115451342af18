"""Both operands by digits, the activations only those that a group of them uses: Loom (Sharify et al., DAC 2018)."""

from dataclasses import dataclass

from accel_sim.macs.bit_serial_2d import BitSerial2d
from accel_sim.macs.digits import count
from accel_sim.macs.group_precision import GroupPrecision
from accel_sim.macs.unit import CostTable, Mode, macs
from accel_sim.values.checks import MOST_PIECES, require


@macs.add("dynamic_serial_2d")
@dataclass(frozen=True)
class DynamicSerial2d(BitSerial2d):
    """group_values: activations that share a width, found as they are read (rules of ``group_precision``, sign and
    magnitude). trim: low bits that are zero in the whole group are left out too."""

    group_values: int = 256
    trim: bool = True

    def __post_init__(self) -> None:
        require(self, 1, "group_values", at_most=MOST_PIECES)
        super().__post_init__()

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """As of ``group_precision``; each of its cycles is one for every digit of the weights."""
        width = GroupPrecision(
            activation_bits=self.activation_bits, weight_bits=self.weight_bits, digit_bits=self.digit_bits,
            group_values=self.group_values, trim=self.trim,
        ).cost(mode, a_signed, w_signed)  # fmt: skip
        weights = count(mode.weight_bits, self.digit_bits)
        return CostTable(width.table, width.a_min, operator="or_width", trim=self.trim, factor=weights)
