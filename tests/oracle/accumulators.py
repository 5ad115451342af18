"""Dot products in the order of the hardware, and widths of groups, one Python integer at a time."""


def dot(a: list[int], w: list[int], together: int, bits: int, saturate: bool) -> tuple[int, int]:
    """(sum, additions that did not fit): ``together`` products at once enter a two's complement accumulator."""
    total, lost = 0, 0
    for start in range(0, len(a), together):
        total += sum(x * y for x, y in zip(a[start : start + together], w[start : start + together], strict=True))
        if not -(2 ** (bits - 1)) <= total < 2 ** (bits - 1):
            lost += 1
            if saturate:
                total = 2 ** (bits - 1) - 1 if total > 0 else -(2 ** (bits - 1))
            else:
                total = (total + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    return total, lost


def group_cycles(values: list[int], bits: int, trim: bool, signs: str, digit_bits: int) -> int:
    """Digits from the highest to the lowest in use; signs: 'none', 'twos_complement' or 'sign_magnitude'."""
    highest, lowest = 0, None
    for value in filter(None, values):
        form = format(abs(value), "b")
        width = len(form)
        if signs == "sign_magnitude" and value < 0:
            width = min(bits, width + 1)
        elif signs == "twos_complement":
            width = next(n for n in range(1, bits + 1) if -(2 ** (n - 1)) <= value < 2 ** (n - 1))
        zeros = len(form) - len(form.rstrip("0"))
        highest = max(highest, (width - 1) // digit_bits)
        lowest = zeros // digit_bits if lowest is None else min(lowest, zeros // digit_bits)
    return highest - (lowest or 0) + 1 if trim else highest + 1
