"""What MAC units built of small multipliers share: digits, and the actions of units that take them one by one.

A digit is ``digit_bits`` of an operand. All digits are unsigned but the top one of a signed operand, which carries the
sign: a small multiplier of n x n bits with a sign input on both sides therefore takes every digit of every operand, and
signed and unsigned operands differ in one control bit at the top digit.
"""

from dataclasses import dataclass

import numpy as np

from accel_sim.macs.unit import MacUnit, Mode, step_actions
from accel_sim.values.actions import Actions


def count(bits: int, digit_bits: int) -> int:
    """Digits of an operand; never fewer than one."""
    return -(-bits // digit_bits)


def low(bits: int, signed: bool) -> int:
    """The least value of an operand."""
    return -(1 << (bits - 1)) if signed else 0


def checked(values: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    """The values; ValueError if one does not fit ``bits``."""
    least = low(bits, signed)
    if values.size and (values.min() < least or values.max() >= least + (1 << bits)):
        kind = "signed" if signed else "unsigned"
        raise ValueError(f"operands from {values.min()} to {values.max()} do not fit {bits} {kind} bits")
    return values


def digits(values: np.ndarray, bits: int, digit_bits: int, signed: bool) -> np.ndarray:
    """int64 [...] -> int64 [..., digits], the lowest first, the last sign-extended to a whole digit.

    ValueError if a value does not fit ``bits``.
    """
    top = count(bits, digit_bits) - 1
    split = checked(values, bits, signed)[..., None] >> (digit_bits * np.arange(top + 1))
    split[..., :top] &= (1 << digit_bits) - 1
    return split


def lanes(values: np.ndarray, mode: Mode) -> np.ndarray:
    """[..., outputs, reduction] of ``mode`` -> [..., products]; ValueError at any other shape."""
    if values.shape[-2:] != (mode.outputs, mode.reduction):
        raise ValueError(
            f"operands of shape {values.shape}; mode {mode.name} takes [..., steps, {mode.outputs}, {mode.reduction}]"
        )
    return values.reshape(*values.shape[:-2], mode.outputs * mode.reduction)


def serial_widths(bits: int, digit_bits: int) -> list[int]:
    """Operand widths of a serial unit, the widest first: one for every count of digits."""
    return [min(bits, digit_bits * n) for n in range(count(bits, digit_bits), 0, -1)]


def parallel_widths(bits: int) -> list[int]:
    """Operand widths of a parallel port: the whole of it, and the 8, 4 and 2 bits that it can be gated down to."""
    return [bits] + [narrow for narrow in (8, 4, 2) if narrow < bits]


@dataclass(frozen=True)
class SerialUnit(MacUnit):
    """A unit of one product a lane, whose operands enter over the cycles of a step."""

    def actions(self, issued: int, effectual: int, mode: Mode | None = None, cycles: int | None = None) -> Actions:
        """As of any unit; of ``cycles``, products that are gated have their share."""
        mode, active = mode or self.modes[0], self.active(issued, effectual)
        busy = active * mode.cycles if cycles is None else cycles * active // max(1, issued)
        return step_actions(self.components(mode), active, busy)
