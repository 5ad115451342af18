"""What a MAC unit is to the rest of the simulator: modes, tables and a bit-level functional model (docs/model.md 6).

A unit never hands out a callback: ``cost`` is a table over operand codes and the operator that joins the products of
lanes that move together. Its functional model (``products``, ``dot``) is built the way the hardware is built, and is
what tests hold against exact integers.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from accel_sim.values.actions import Actions
from accel_sim.values.checks import require
from workloads.layer import Layer
from workloads.operands import MacOperands
from workloads.registry import Registry, lacking

Operator = Literal["max", "sum", "or_width", "two_stage"]
Overflow = Literal["wrap", "saturate"]
Side = Literal["activations", "weights"]
#: no accumulator is wider: sums are int64
MOST_BITS = 62


@dataclass(frozen=True)
class Mode:
    """One precision of a unit: a step of ``cycles`` cycles makes ``reduction`` x ``outputs`` products.

    activation_bits, weight_bits: widest operands it takes. reduction: products summed into one accumulator
    (sum-together); outputs: sums in accumulators of their own (sum-apart). cycles: of a step with operands of full
    width; a unit that skips bits needs fewer (``MacUnit.cost``). operand_bits: that enter per cycle at full rate.
    product_bits: of a step's sum of products, before accumulation. sum_bits: of an accumulator in this mode.
    """

    activation_bits: int
    weight_bits: int
    reduction: int = 1
    outputs: int = 1
    cycles: int = 1
    operand_bits: Fraction = Fraction(0)
    product_bits: int = 0
    sum_bits: int = 32

    @property
    def name(self) -> str:
        """Activation x weight bits, as 8x4."""
        return f"{self.activation_bits}x{self.weight_bits}"

    @property
    def macs_per_cycle(self) -> Fraction:
        """Products of a unit over cycles of a step."""
        return Fraction(self.reduction * self.outputs, self.cycles)


@dataclass(frozen=True, eq=False)
class CostTable:
    """What a product costs, by its operands' codes.

    table: int32 [a - a_min] or [a - a_min, w - w_min]. operator: how the lanes that move together join: 'max', 'sum':
    entries are cycles, and the longest, or all of them, count; 'or_width': entries are bit patterns, and a group lasts
    from the highest set bit of their OR to the lowest (``trim``) or to bit 0, at least 1; 'two_stage': entries are
    patterns of terms, consumed together by lanes whose first shifter stage reaches ``reach`` positions beyond the
    lowest outstanding term (Pragmatic). factor: cycles of each cycle so found (digits of the other operand). classes:
    uint8 of the same shape -> index into ``names``, the action class.
    """

    table: np.ndarray
    a_min: int = 0
    w_min: int | None = None
    operator: Operator = "max"
    reach: int = 0
    trim: bool = False
    factor: int = 1
    classes: np.ndarray | None = None
    names: tuple[str, ...] = ("active",)

    @property
    def constant(self) -> int | None:
        """The cycles of every product, where operands make no difference."""
        if self.operator not in ("max", "sum") or self.table.size == 0:
            return None
        first = int(self.table.flat[0])
        return first if bool((self.table == first).all()) else None


class Components(TypedDict):
    """The hardware of a unit that works in a mode, for energy models.

    multipliers: (number, activation bits, weight bits), used every cycle. adders: (level, number, bits of the result),
    used every cycle; level 1 is nearest to the multipliers. accumulators: (number, bits), clocked once a step of
    ``cycles`` cycles. sign_inputs: extra sign bits of a multiplier (activation side, weight side).
    input_register_bits: those that this mode clocks.
    """

    multipliers: tuple[tuple[int, int, int], ...]
    adders: tuple[tuple[int, int, int], ...]
    accumulators: tuple[int, int]
    input_register_bits: int
    sign_inputs: tuple[int, int]
    cycles: int


def hardware(
    mode: Mode,
    multipliers: tuple[tuple[int, int, int], ...] = (),
    adders: tuple[tuple[int, int, int], ...] = (),
    input_register_bits: int | None = None,
    sign_inputs: tuple[int, int] = (1, 1),
) -> Components:
    """Components with an accumulator for each output of the mode; input registers: None = a cycle's operands."""
    return Components(
        multipliers=multipliers,
        adders=adders,
        accumulators=(mode.outputs, mode.sum_bits),
        input_register_bits=int(mode.operand_bits) if input_register_bits is None else input_register_bits,
        sign_inputs=sign_inputs,
        cycles=mode.cycles,
    )


def step_actions(parts: Components, steps: int, cycles: int) -> Actions:
    """Actions of ``steps`` accumulations after ``cycles`` cycles of the multipliers and adders.

    An n x m multiplier (m > n) counts as m/n multipliers of n x n, rounded up.
    """
    actions = Actions()
    for number, a_bits, w_bits in parts["multipliers"]:
        narrow, wide = sorted((a_bits, w_bits))
        actions["mac", "mult", narrow] += number * -(-wide // narrow) * cycles
    for _, number, bits in parts["adders"]:
        actions["mac", "add", bits] += number * cycles
    number, bits = parts["accumulators"]
    actions["mac", "add", bits] += number * steps
    return actions


class Sums(NamedTuple):
    """values: int64 sums; overflows: additions that did not fit the accumulator."""

    values: np.ndarray
    overflows: int


@dataclass(frozen=True)
class MacUnit(ABC):
    """Fields every unit has. accumulator_bits: two's complement; None = the product and
    headroom_bits more; headroom_bits: of an accumulator that follows the product, for sums.

    overflow: what a sum that does not fit does. zero_operand_gating: a product with a zero operand spends its cycle but
    no multiplier or adder energy (Eyeriss, JSSC 2017); the switch is separate from precision gating and from skipping.
    """

    accumulator_bits: int | None = 32
    headroom_bits: int = 4
    overflow: Overflow = "wrap"
    zero_operand_gating: bool = False

    #: cycles that changing the mode between layers takes
    reconfigure_cycles = 0
    #: False: its operands are no integers, so it has no modes and ``mode`` refuses every layer
    integer = True

    def __post_init__(self) -> None:
        require(self, 0, "headroom_bits", at_most=MOST_BITS)
        require(self, 2, "accumulator_bits")
        for mode in self.modes:
            if not mode.product_bits <= mode.sum_bits <= MOST_BITS:
                raise ValueError(
                    f"accumulator_bits={self.accumulator_bits} must hold a product of {mode.name} bits "
                    f"and be at most {MOST_BITS}"
                )

    @property
    @abstractmethod
    def modes(self) -> tuple[Mode, ...]:
        """All modes, the widest first."""

    @abstractmethod
    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Cycles of products in this mode by the codes of operands whose zero points are taken off."""

    @abstractmethod
    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Bit-level: a, w int64 [..., steps, outputs, reduction] -> int64 [..., steps, outputs], what a step adds to
        each accumulator, built as the hardware builds it; the last two axes are those of the mode. Each operand may
        be signed (two's complement) or unsigned at the mode's full width."""

    def actions(self, issued: int, effectual: int, mode: Mode | None = None, cycles: int | None = None) -> Actions:
        """Energy-bearing actions of ``issued`` products, ``effectual`` of them with two non-zero operands, made in
        ``mode`` (None = the widest); cycles: lane-cycles they took where operands decide, else from the mode.

        Here a step that is begun is made whole, and takes the cycles of the mode."""
        mode = mode or self.modes[0]
        steps = -(-self.active(issued, effectual) // (mode.reduction * mode.outputs))
        return step_actions(self.components(mode), steps, steps * mode.cycles)

    def active(self, issued: int, effectual: int) -> int:
        """Products that move multipliers and adders: with ``zero_operand_gating`` only the effectual ones."""
        return effectual if self.zero_operand_gating else issued

    def takes(self, values: np.ndarray, side: Side) -> np.ndarray:
        """[...] integers -> [...] bool: may this be an operand on that side? Here every one that fits the mode."""
        return np.ones(values.shape, bool)

    def check_operands(self, layer: Layer, operands: MacOperands) -> None:
        """ValueError naming a value of the layer's integers (its padding included) that the unit does not take."""
        if type(self).takes is MacUnit.takes:
            return
        padding = np.zeros(int(any(layer.padding)), np.int64)
        inputs = operands.inputs.integers().ravel()
        self.check_values(np.concatenate([inputs, padding]), operands.weights.integers())

    def check_values(self, a: np.ndarray, w: np.ndarray) -> None:
        """ValueError naming an operand that the unit does not take."""
        sides: tuple[tuple[np.ndarray, Side], ...] = ((a, "activations"), (w, "weights"))
        for values, side in sides:
            wrong = values[~self.takes(values, side)]
            if wrong.size:
                raise ValueError(f"MAC unit '{macs.name_of(self)}': takes no {side} of value {wrong.flat[0]}")

    def check_mode(self, activation_bits: int, weight_bits: int) -> None:
        """For a dataflow that takes one product a cycle and lane: ValueError unless the unit can give that."""
        mode = self.mode(activation_bits, weight_bits)
        if not any(m.macs_per_cycle == 1 == m.reduction for m in self.fitting(activation_bits, weight_bits)):
            raise ValueError(
                f"MAC unit '{macs.name_of(self)}': {mode.macs_per_cycle} products a cycle in mode {mode.name}; this "
                "dataflow takes units of one product a cycle and lane"
            )

    def sum_bits(self, product_bits: int) -> int:
        """Accumulator width of a mode with this product."""
        return product_bits + self.headroom_bits if self.accumulator_bits is None else self.accumulator_bits

    @property
    def accumulator_register_bits(self) -> int:
        """Flip-flops of all accumulators: as many as the mode that needs most."""
        return max(mode.outputs * mode.sum_bits for mode in self.modes)

    @property
    def file_words(self) -> Mapping[str, int]:
        """Component -> words, of the register files that its actions access (accel_sim.energy.registers)."""
        return {}

    def components(self, mode: Mode) -> Components:
        """The hardware at work in ``mode``; here one multiplier of its width."""
        return hardware(mode, multipliers=((1, mode.activation_bits, mode.weight_bits),))

    def fitting(self, activation_bits: int, weight_bits: int) -> list[Mode]:
        """The modes that take operands of these widths."""
        return [m for m in self.modes if m.activation_bits >= activation_bits and m.weight_bits >= weight_bits]

    def mode(self, activation_bits: int, weight_bits: int) -> Mode:
        """The fastest mode that takes operands of these widths; ValueError naming the unit and what it takes."""
        fits = self.fitting(activation_bits, weight_bits)
        if not fits:
            takes = ", ".join(mode.name for mode in self.modes)
            raise ValueError(
                f"MAC unit '{macs.name_of(self)}': {activation_bits}x{weight_bits}-bit operands do not fit any mode "
                f"(activation x weight: {takes})"
            )
        return max(fits, key=lambda m: (m.macs_per_cycle, -m.activation_bits - m.weight_bits))

    def dot(self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> Sums:
        """a, w: int64 [K, outputs] (K a multiple of ``mode.reduction``) -> [outputs] sums, accumulated in hardware
        order at ``mode.sum_bits``, wrapped or saturated, and how often that happened."""
        shape = (-1, mode.reduction, a.shape[1])
        steps = self.products(
            a.reshape(shape).transpose(0, 2, 1), w.reshape(shape).transpose(0, 2, 1), mode, a_signed, w_signed
        )
        sums, overflows = np.zeros(a.shape[1], np.int64), 0
        for step in steps:
            sums, lost = accumulate(sums + step, mode.sum_bits, self.overflow)
            overflows += lost
        return Sums(sums, overflows)


#: what a unit is asked for: of one that lacks any, no run could come to its end
ASKED = ("modes", "cost", "products", "actions", "components", "mode", "check_operands")
#: name -> frozen dataclass
macs: Registry[type[MacUnit]] = Registry("MAC unit", "accel_sim.macs", lambda part: lacking(part, *ASKED))


def accumulate(sums: np.ndarray, bits: int, overflow: Overflow) -> tuple[np.ndarray, int]:
    """Sums as an accumulator of ``bits`` holds them, and how many did not fit."""
    high = (1 << (bits - 1)) - 1
    lost = int(((sums > high) | (sums < -high - 1)).sum())
    if overflow == "saturate":
        return np.clip(sums, -high - 1, high), lost
    return ((sums + high + 1) & ((1 << bits) - 1)) - high - 1, lost


def constant_cost(mode: Mode, a_signed: bool = False) -> CostTable:
    """Every product takes the mode's cycles."""
    entries = 1 << mode.activation_bits
    return CostTable(np.full(entries, mode.cycles, np.int32), a_min=-entries // 2 if a_signed else 0)
