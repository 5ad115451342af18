"""What a tile of a matrix product covers."""

from dataclasses import dataclass

import numpy as np

from accel_sim.dataflows.pieces import tap_columns


@dataclass(frozen=True)
class Ranges:
    """What a tile covers, each [first, last); k and filters count within a group.

    taps: those of ``all_taps`` positions of the kernel that the tile has of k, which is one block of channels if they
    are not all.
    """

    groups: tuple[int, int]
    pixels: tuple[int, int]
    filters: tuple[int, int]
    k: tuple[int, int]
    taps: tuple[int, int] = (0, 1)
    all_taps: int = 1

    def elements(self, dim: str) -> int:
        """Of a dim, k without the taps that other tiles have."""
        count = length(getattr(self, dim))
        return count // self.all_taps * length(self.taps) if dim == "k" else count

    def begins(self, dim: str) -> bool:
        """No tile has earlier elements of a dim."""
        return getattr(self, dim)[0] == 0 and (dim != "k" or self.taps[0] == 0)

    def ends(self, dim: str, size: int) -> bool:
        """No tile has later ones of a dim of ``size`` elements."""
        return getattr(self, dim)[1] == size and (dim != "k" or self.taps[1] == self.all_taps)

    @property
    def columns(self) -> slice | np.ndarray:
        """Indices k of the tile, in the order in which its weights lie."""
        if length(self.taps) == self.all_taps:
            return slice(*self.k)
        return tap_columns(self.k, self.taps, self.all_taps)

    @property
    def row(self) -> tuple[int, int]:
        """[first, last) of its weights in a filter's row; tap by tap within a block of channels that is cut."""
        channels = length(self.k) // self.all_taps
        return self.k[0] + self.taps[0] * channels, self.k[1] - (self.all_taps - self.taps[1]) * channels


def length(span: tuple[int, int]) -> int:
    """Of [first, last)."""
    return span[1] - span[0]
