"""Bit-Tactical's front end (Delmas Lascorz et al., ASPLOS 2019): weights move up into the places of zeros.

The weights of filters that move together are scheduled before they run. A place without a weight of its own takes one
from up to ``lookahead`` steps later in its lane, or from one of ``lookaside`` places in other lanes near by; steps that
have none left are skipped. The places of lookaside are a guess (the paper's figure was not read): one and two steps
ahead, one and two lanes to both sides, then three lanes down.
"""

from dataclasses import dataclass

import numpy as np

from cython_core import tactical

#: (steps ahead, lanes aside) in the order in which they are tried
ASIDE = ((1, -1), (1, 1), (2, -2), (2, 2), (1, -3))


@dataclass(frozen=True, eq=False)
class Schedule:
    """sources: [steps, filters, lanes] int32, step * lanes + lane of the weight a place takes, -1 = none."""

    sources: np.ndarray

    @staticmethod
    def of(weights: np.ndarray, lookahead: int, lookaside: int) -> "Schedule":
        """weights: [filters, steps, lanes] integers. A pass without a weight keeps one step."""
        filters, steps, lanes = weights.shape
        near = [(ahead, 0) for ahead in range(1, lookahead + 1)]
        near += [(ahead, lane) for ahead, lane in ASIDE[:lookaside] if ahead <= lookahead]
        sources = np.full((max(1, steps), filters, lanes), -1, np.int32)
        pending = np.ascontiguousarray(weights != 0, np.uint8)
        offsets = np.array(near, np.int32).reshape(-1, 2)
        return Schedule(sources[: max(1, tactical.schedule(pending, offsets, sources))])

    @property
    def products(self) -> np.ndarray:
        """[steps] weights that take a place, of all filters."""
        return np.count_nonzero(self.sources >= 0, axis=(1, 2))

    def costs(self, entries: np.ndarray, two_stage: bool, reach: int) -> np.ndarray:
        """entries: [steps, lanes, windows] cycles or terms of activations -> [steps of the schedule, windows] int32."""
        found = np.empty((len(self.sources), entries.shape[2]), np.int32)
        tactical.costs(np.ascontiguousarray(as_terms(entries)), self.sources, two_stage, reach, found)
        return found


def as_terms(values: np.ndarray) -> np.ndarray:
    """Patterns or counts >= 0 in the narrowest words that the kernels of terms take: uint16 or uint32."""
    return values.astype(np.uint16 if values.max(initial=0) < 1 << 16 else np.uint32)
