"""Values along an axis: a list, an even range, or a range of equal ratios."""

from decimal import Decimal
from typing import Any

from workloads.registry import InputError

#: no axis has more values
MOST_VALUES = 100_000
_FORMS = "a list, {range: [low, high, step]}, {log: [low, high, base]} or {log: [low, high], count: n}"


def values(given: Any) -> list[Any]:
    """What an axis says -> its values in order; InputError for anything else, an empty axis, or a value twice."""
    found = _values(given)
    if not found:
        raise InputError("has no values")
    if any(value in found[:i] for i, value in enumerate(found) if len(found) <= 1000):
        raise InputError("holds the same value twice")
    return found


def _values(given: Any) -> list[Any]:
    if isinstance(given, list):
        return given
    if isinstance(given, dict) and set(given) == {"range"}:
        return _range(*_numbers(given["range"], 3, "range: [low, high, step]"))
    if isinstance(given, dict) and set(given) == {"log"}:
        return _powers(*_numbers(given["log"], 3, "log: [low, high, base]"))
    if isinstance(given, dict) and set(given) == {"log", "count"}:
        count = given["count"]
        if type(count) is not int or not 2 <= count <= MOST_VALUES:
            raise InputError(f"count: expected a whole number of at least 2, not {count!r}")
        low, high = _numbers(given["log"], 2, "log: [low, high]")
        return _spaced(low, high, count)
    raise InputError(f"expected {_FORMS}, not {given!r:.80}")


def _numbers(given: Any, count: int, form: str) -> list[int | float]:
    good = isinstance(given, list) and len(given) == count
    if not good or any(type(each) not in (int, float) or not abs(each) < 1e30 for each in given):
        raise InputError(f"expected {form}, not {given!r:.80}")
    return given


def _range(low: float, high: float, step: float) -> list[int | float]:
    """low, low + step ... up to high, which is in it if it is met; exact in decimals."""
    if step <= 0 or low > high:
        raise InputError(f"range [{low}, {high}, {step}]: expected low <= high and a positive step")
    start, width = Decimal(str(low)), Decimal(str(step))
    count = int((Decimal(str(high)) - start) / width) + 1
    if count > MOST_VALUES:
        raise InputError(f"range [{low}, {high}, {step}]: has {count} values, at most {MOST_VALUES}")
    whole = type(low) is int and type(step) is int
    return [int(start + i * width) if whole else float(start + i * width) for i in range(count)]


def _powers(low: float, high: float, base: float) -> list[int | float]:
    """low, low * base, low * base^2 ... up to high."""
    if low <= 0 or low > high or base <= 1:
        raise InputError(f"log [{low}, {high}, {base}]: expected 0 < low <= high and a base above 1")
    found: list[int | float] = [low]
    while found[-1] * base <= high * (1 + 1e-12):
        if len(found) >= MOST_VALUES:
            raise InputError(f"log [{low}, {high}, {base}]: has more than {MOST_VALUES} values")
        found.append(found[-1] * base)
    return found


def _spaced(low: float, high: float, count: int) -> list[int | float]:
    """count values from low to high in equal ratios; whole numbers, each once, if both ends are."""
    if low <= 0 or low >= high:
        raise InputError(f"log [{low}, {high}]: expected 0 < low < high")
    found = [low * (high / low) ** (i / (count - 1)) for i in range(count)]
    if type(low) is int and type(high) is int:
        return list(dict.fromkeys(round(value) for value in found))
    return [float(f"{value:.12g}") for value in found]
