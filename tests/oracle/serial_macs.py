"""Bit-serial multipliers clocked one cycle at a time, as precision.md section 1 has the RTL of Camus et al."""


def split(value: int, bits: int, digit: int, signed: bool) -> list[int]:
    """Digits, the lowest first; the last of a signed value counts negative from its top bit on."""
    number = max(1, -(-bits // digit))
    word = value % 2 ** (digit * number)
    parts = [word // 2 ** (digit * k) % 2**digit for k in range(number)]
    if signed and parts[-1] >= 2 ** (digit - 1):
        parts[-1] -= 2**digit
    return parts


def one_sided(serial: list[int], held: int, digit: int) -> tuple[int, int, int]:
    """(product, cycles, greatest size of what leaves the adder). The adder works above the bits already shifted out."""
    high, shifted_out, greatest, cycles = 0, [], 0, 0
    for k, part in enumerate(serial):
        if k:
            shifted_out.append(high % 2**digit)
            high //= 2**digit
        high += part * held
        greatest, cycles = max(greatest, abs(high)), cycles + 1
    return _joined(high, shifted_out, digit), cycles, greatest


def two_sided(a: list[int], w: list[int], digit: int) -> tuple[int, int, int]:
    """The same for digits of both, by diagonals; a shift after each diagonal but the last."""
    high, shifted_out, greatest, cycles = 0, [], 0, 0
    for diagonal in range(len(a) + len(w) - 1):
        if diagonal:
            shifted_out.append(high % 2**digit)
            high //= 2**digit
        for i, part in enumerate(a):
            if 0 <= diagonal - i < len(w):
                high += part * w[diagonal - i]
                greatest, cycles = max(greatest, abs(high)), cycles + 1
    return _joined(high, shifted_out, digit), cycles, greatest


def _joined(high: int, shifted_out: list[int], digit: int) -> int:
    return high * 2 ** (digit * len(shifted_out)) + sum(part * 2 ** (digit * k) for k, part in enumerate(shifted_out))
