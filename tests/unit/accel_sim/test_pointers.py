"""Column pointers in the banks of their memory, by hand."""

import pytest

from accel_sim.dataflows.broadcast.pointers import pointer_cycles
from accel_sim.mapping.buffer import Buffer


@pytest.mark.parametrize(
    ("bits", "word_bits", "banks", "reads", "cycles"),
    [
        (16, 16, 1, 1, [2, 2, 2]),  # a pointer and the next one, one after the other
        (16, 16, 1, 2, [1, 1, 1]),  # two ports of one bank
        (16, 16, 2, 2, [1, 1, 1]),  # even and odd banks
        (16, 16, 2, 1, [1, 1, 1]),  # a bank takes a read a cycle at the least
        (16, 32, 1, 1, [1, 2, 1]),  # two of them in a word: only the second of a word needs another one
    ],
)
def test_a_pointer_and_its_neighbour(bits, word_bits, banks, reads, cycles):
    buffer = Buffer("ptr", 1024, 2, word_bits, reads_per_cycle=reads, banks=banks)
    assert pointer_cycles(3, bits, buffer).tolist() == cycles
