"""The units of integer products, in every form that differs."""

import itertools

from accel_sim.macs.bit_serial import BitSerial
from accel_sim.macs.bit_serial_2d import BitSerial2d
from accel_sim.macs.conventional import Conventional
from accel_sim.macs.divide_conquer import DivideConquer
from accel_sim.macs.group_precision import GroupPrecision
from accel_sim.macs.subword_parallel import SubwordParallel
from tests.oracle import accumulators

NINE = {"activation_bits": 9, "weight_bits": 9}
SHARING = ("apart", "together")

UNITS = {
    "conventional": Conventional(**NINE, precision_gating=True),
    **{
        f"subword {sharing} {levels}l {bits}b": SubwordParallel(sharing=sharing, levels=levels, max_bits=bits)
        for sharing, (levels, bits) in itertools.product(SHARING, ((1, 8), (2, 8), (3, 16)))
    },
    **{
        f"divide {dimensions}d {sharing} {levels}l {bits}b": DivideConquer(
            dimensions=dimensions, sharing=sharing, levels=levels, max_bits=bits
        )
        for dimensions, sharing, (levels, bits) in itertools.product((1, 2), SHARING, ((1, 8), (2, 8), (3, 16)))
    },
    **{
        f"serial {serial} {digit}b": BitSerial(**widths, serial=serial, digit_bits=digit)
        for (serial, widths), digit in itertools.product((("weights", NINE), ("activations", {})), (1, 2, 4))
    },
    **{f"serial 2d {digit}b": BitSerial2d(**NINE, digit_bits=digit) for digit in (1, 2, 4)},
    **{
        f"group {signs} {'trimmed' if trim else 'whole'} {digit}b": GroupPrecision(
            **({} if trim else NINE), signs=signs, trim=trim, digit_bits=digit, group_values=5
        )
        for signs, trim, digit in itertools.product(("sign_magnitude", "twos_complement"), (True, False), (1, 2))
    },
    "group of weights": GroupPrecision(serial="weights", trim=False),
}
SIGNS = list(itertools.product((True, False), repeat=2))


def span(bits: int, signed: bool) -> tuple[int, int]:
    """The least and greatest operand."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def check_dot(unit, mode, a, w, signs) -> int:
    """Sums and overflows of the unit are the oracle's; a, w: [K, outputs]; returns the overflows."""
    got = unit.dot(a, w, mode, *signs)
    expected = [
        accumulators.dot(x.tolist(), y.tolist(), mode.reduction, mode.sum_bits, unit.overflow == "saturate")
        for x, y in zip(a.T, w.T, strict=True)
    ]
    assert got.values.tolist() == [total for total, _ in expected]
    assert got.overflows == sum(count for _, count in expected)
    return got.overflows
