"""Column pointers in the banks of their memory."""

import numpy as np

from accel_sim.mapping.buffer import Buffer
from cython_core.banks import conflicts


def pointer_cycles(columns: int, bits: int, buffer: Buffer) -> np.ndarray:
    """[columns] int32 cycles in which a lane reads a column's pointer and the next one, ``bits`` wide, side by side.

    With two banks a pointer and its neighbour lie apart, as EIE's even and odd pointers do.
    """
    first = np.arange(columns, dtype=np.int64) * bits
    cycles = np.empty(columns, np.int64)
    ends = np.stack([first, first + bits], axis=1)
    conflicts(ends, buffer.word_bits, buffer.banks, max(1, buffer.reads_per_cycle // buffer.banks), cycles)
    return cycles.astype(np.int32)
