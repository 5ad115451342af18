"""What a dataflow lets the search choose from: tile sizes side by side, and what they move and cost."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import DIMENSIONS
from workloads.layer import Layer


@dataclass(frozen=True, eq=False)
class Candidates:
    """Tile sizes side by side. choices: dim -> tile sizes; at: dim -> [n] which of them; sizes: dim -> elements.

    tables: values by dim, computed once for all candidates that have the same choices.
    """

    choices: dict[str, list[int]]
    at: dict[str, np.ndarray]
    sizes: dict[str, int]
    tables: dict = field(default_factory=dict)

    def per_tile(self, dim: str, name: Hashable, of: Callable[[int], int]) -> np.ndarray:
        """[n] a value of each candidate's tile of one dim; name: of the value."""
        if (dim, name) not in self.tables:
            self.tables[dim, name] = np.array([of(tile) for tile in self.choices[dim]], np.int64)
        return self.tables[dim, name][self.at[dim]]

    def tiles(self, dim: str) -> np.ndarray:
        """[n] tile sizes of a dim."""
        return self.per_tile(dim, "tile", lambda tile: tile)

    def counts(self, dim: str) -> np.ndarray:
        """[n] tiles of a dim."""
        return self.per_tile(dim, "count", lambda tile: -(-self.sizes[dim] // tile))

    def take(self, keep: np.ndarray) -> "Candidates":
        """Those of them that ``keep`` (a mask or positions) chooses."""
        return Candidates(self.choices, {dim: at[keep] for dim, at in self.at.items()}, self.sizes, self.tables)

    def without(self, dim: str) -> "Candidates":
        """The same tiles, whole in a dim (there may be several alike)."""
        choices = {name: sizes for name, sizes in self.choices.items() if name != dim}
        at = {name: which for name, which in self.at.items() if name != dim}
        return Candidates(choices, at, self.sizes)

    def __len__(self) -> int:
        return len(self.at[DIMENSIONS[0]])


class Space(Protocol):
    """What a dataflow lets the search choose from.

    sizes: dim -> elements (taps only where a fold takes one of several); choices: dim -> sorted tile sizes worth a try;
    operands: those that move. orders: loops outermost first. allowed: [n] bool, what the dataflow can play. room: [n]
    most bytes of an operand that lie together in a level where the dims in ``inside`` are there whole, the others one
    tile. moved: [n] bytes that one pass of an operand moves over all its pieces, fetched apart along the dims in
    ``apart`` ([n] bool each); sums: partial sums.
    array_cycles: [n] cycles of the array. fixed_pj: energy that no mapping changes.
    """

    @property
    def layer(self) -> Layer:
        """The one that is cut."""

    @property
    def sizes(self) -> dict[str, int]:
        """dim -> elements."""

    @property
    def operands(self) -> tuple[str, ...]:
        """Those that move."""

    @property
    def fixed_pj(self) -> float:
        """Energy that no mapping changes."""

    @property
    def orders(self) -> tuple[tuple[str, ...], ...]:
        """Orders of the loops, outermost first."""

    def choices(self) -> dict[str, list[int]]:
        """dim -> tile sizes worth trying."""

    def rounded(self, dim: str, tile: int) -> int:
        """A given tile as the array can take it."""

    def allowed(self, order: tuple[str, ...], found: Candidates) -> np.ndarray:
        """[n] bool: what the machine can do in this order of loops."""

    def room(self, operand: str, buffer: Buffer, inside: frozenset[str], found: Candidates) -> np.ndarray:
        """[n] bytes that an operand's part takes in a level where the loops ``inside`` are whole."""

    def moved(self, operand: str, apart: dict[str, np.ndarray], found: Candidates, *, sums: bool) -> np.ndarray:
        """[n] bytes of all parts of an operand, each once, where the loops ``apart`` cut it."""

    def array_cycles(self, order: tuple[str, ...], found: Candidates) -> np.ndarray:
        """[n] cycles of the array without a stall."""
