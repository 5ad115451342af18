"""Power-of-two scales: how many fractional bits a range of real values leaves an integer code."""

import math


def fraction_bits(largest: float, top: int) -> int:
    """Most fractional bits f with largest * 2^f <= top (top: the largest code); 0 where all values are 0."""
    return math.floor(math.log2(top / largest)) if largest > 0 else 0
