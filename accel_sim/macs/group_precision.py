"""Bit-serial with the width of every group of values found as it is read: Dynamic Stripes (Delmas et al., 2017),
ShapeShifter (Delmas Lascorz et al., MICRO 2019).

An OR over the group's bits finds its highest and, with ``trim``, its lowest bit in use; only the bits between enter.
The rules of width are those of the public simulator DNNsim (isakedo/DNNsim, core/src/ShapeShifter.cpp): a group of
zeros takes one cycle, and a negative value one bit more than its magnitude.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from accel_sim.macs.bit_serial import BitSerial
from accel_sim.macs.digits import checked, digits, lanes, low
from accel_sim.macs.unit import CostTable, Mode, macs
from accel_sim.values.checks import MOST_PIECES, require


@macs.add("group_precision")
@dataclass(frozen=True)
class GroupPrecision(BitSerial):
    """group_values: values that share a width (16 or 256 in the papers). trim: low bits that are zero in the whole
    group are left out too. signs: how signed values enter. 'sign_magnitude': the magnitude, and above it the sign of a
    negative value, whatever the width of the others (as DNNsim counts); 'twos_complement': every value but zero with
    its sign bit."""

    serial: Literal["weights", "activations"] = "activations"
    group_values: int = 16
    trim: bool = True
    signs: Literal["sign_magnitude", "twos_complement"] = "sign_magnitude"

    def __post_init__(self) -> None:
        require(self, 1, "group_values", at_most=MOST_PIECES)
        super().__post_init__()

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Patterns of the digits in use; [a], or [a, w] (a view without memory of its own) where weights enter."""
        bits, _ = self._by_role(mode.activation_bits, mode.weight_bits)
        signed, _ = self._by_role(a_signed, w_signed)
        table = self._patterns(low(bits, signed) + np.arange(1 << bits), bits, signed).astype(np.int32)
        a_min, w_min = low(mode.activation_bits, a_signed), None
        if self.serial == "weights":
            table, w_min = np.broadcast_to(table, (1 << mode.activation_bits, 1 << bits)), low(bits, signed)
        return CostTable(table, a_min, w_min, "or_width", trim=self.trim)

    def _patterns(self, values: np.ndarray, bits: int, signed: bool) -> np.ndarray:
        """Bit k is set where digit k of a value is in use, its sign included."""
        in_use, negative = np.abs(values), values < 0
        if signed and self.signs == "sign_magnitude":
            # the lowest value has no sign and magnitude in its own width
            in_use |= np.where(negative, 1 << np.minimum(_length(in_use), bits - 1), 0)
        elif signed:
            # -v and v have the same lowest bit; -1 needs no bit but its sign, and 1 needs two
            in_use = (in_use & -in_use) | np.where(values == 0, 0, 1 << _length(values ^ -negative.astype(np.int64)))
        found = np.zeros_like(values)
        for k, digit in enumerate(np.moveaxis(digits(in_use, bits, self.digit_bits, False), -1, 0)):
            found |= (digit != 0).astype(np.int64) << k
        return found

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """As everywhere; ``group_values`` steps in a row are a group."""
        serial, held = self._by_role(lanes(a, mode), lanes(w, mode))
        signed, held_signed = self._by_role(a_signed, w_signed)
        bits, held_bits = self._by_role(mode.activation_bits, mode.weight_bits)
        serial, held = checked(serial, bits, signed), checked(held, held_bits, held_signed)
        first, last = self._windows(self._patterns(serial, bits, signed))
        as_magnitude = signed and self.signs == "sign_magnitude"
        entering = digits(np.abs(serial), bits, self.digit_bits, False) if as_magnitude else self._cut(serial, bits)
        register, base = np.zeros_like(serial), 1 << self.digit_bits
        for k in range(entering.shape[-1]):
            digit = entering[..., k]
            if signed and not as_magnitude:
                digit = np.where((last == k) & (digit >> (self.digit_bits - 1) == 1), digit - base, digit)
            register += np.where((first <= k) & (k <= last), held * digit << self.digit_bits * (k - first).clip(0), 0)
        placed = register << (self.digit_bits * first)
        return np.where(serial < 0, -placed, placed) if as_magnitude else placed

    def _cut(self, values: np.ndarray, bits: int) -> np.ndarray:
        """All digits as they stand in memory, sign-extended to whole digits."""
        whole = self.digit_bits * -(-bits // self.digit_bits)
        return digits(values & ((1 << whole) - 1), whole, self.digit_bits, False)

    def _windows(self, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[..., steps, lanes] -> the lowest and highest digit that enter, of each value's group."""
        steps = patterns.shape[-2]
        starts = np.arange(0, steps, self.group_values)
        joined = np.bitwise_or.reduceat(patterns, starts, axis=-2) if steps else patterns
        joined = joined.take(np.arange(steps) // self.group_values, axis=-2)
        last = (_length(joined) - 1).clip(0)
        first = (_length(joined & -joined) - 1).clip(0) if self.trim else np.zeros_like(last)
        return first, last


def _length(values: np.ndarray) -> np.ndarray:
    """Bits up to the highest one set; values below 2^52."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)
