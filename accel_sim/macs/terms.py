"""Recodings of a number into signed powers of two: what units that skip zero bits issue, one term after another.

A value enters as sign and magnitude; a recoding turns the magnitude n into two bit patterns, added and subtracted:
n = positive - negative. ``none``: the bits that are set (Pragmatic's oneffsets). ``csd``: canonical signed digits, no
two terms next to each other, the fewest there can be. ``booth``: modified Booth, a digit of -2..2 for every two bits.
``runs``: a run of two or more ones becomes the power above it minus its lowest, a single one stays. It was inferred
from the rows that DNNsim calls Booth (they need five terms of seven bits) and not read in its source: a guess.
"""

from typing import Literal

import numpy as np

Recoding = Literal["none", "csd", "booth", "runs"]


def recode(magnitudes: np.ndarray, recoding: Recoding) -> tuple[np.ndarray, np.ndarray]:
    """magnitudes: int64 >= 0, below 2^60 -> (positive, negative) patterns of terms, their difference the magnitude."""
    return _RECODINGS[recoding](np.asarray(magnitudes, dtype=np.int64))


def patterns(values: np.ndarray, recoding: Recoding) -> np.ndarray:
    """int64 values -> pattern of the positions at which each has a term, of either sign."""
    positive, negative = recode(np.abs(values), recoding)
    return positive | negative


def term_counts(values: np.ndarray, recoding: Recoding) -> np.ndarray:
    """int64 values -> how many terms each has; 0 for zero."""
    return np.bitwise_count(patterns(values, recoding)).astype(np.int64)


def _none(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return n, np.zeros_like(n)


def _csd(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reitwiesner's form: the digits in which n + n/2 and n/2 differ."""
    half = n >> 1
    changed = half ^ (n + half)
    return (n + half) & changed, half & changed


def _booth(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive, negative = np.zeros_like(n), np.zeros_like(n)
    for low in range(0, int(n.max(initial=0)).bit_length() + 1, 2):
        window = n << 1 >> low & 7  # bits low + 1, low, low - 1
        digit = (window & 1) + (window >> 1 & 1) - 2 * (window >> 2)
        term = (np.abs(digit) == 1) * (1 << low) + (np.abs(digit) == 2) * (2 << low)
        positive, negative = positive | np.where(digit > 0, term, 0), negative | np.where(digit < 0, term, 0)
    return positive, negative


def _runs(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    begins, ends = n & ~(n << 1), n & ~(n >> 1)
    single = begins & ends
    return single | (ends & ~single) << 1, begins & ~single


_RECODINGS = {"none": _none, "csd": _csd, "booth": _booth, "runs": _runs}
