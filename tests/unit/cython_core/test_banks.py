"""The bank-conflict kernel against its definition, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cython_core import banks
from tests.oracle import banks as twin


def conflicts(steps, per_word: int, count: int, ports: int) -> tuple[list[int], int]:
    addresses = np.array(steps, np.int64).reshape(len(steps), len(steps[0]) if steps else 0)
    cycles = np.full(len(steps), -1, np.int64)
    words = banks.conflicts(addresses, per_word, count, ports, cycles)
    return cycles.tolist(), words


@st.composite
def accesses(draw):
    """[T][A] addresses, few or many different ones, some of them far away, some no access."""
    far = draw(st.sampled_from([4, 40, 1 << 62]))
    address = st.one_of(st.just(-1), st.integers(0, far))
    width = draw(st.integers(0, 9))
    return draw(st.lists(st.lists(address, min_size=width, max_size=width), max_size=6))


@given(accesses(), st.sampled_from([1, 2, 3, 8, 32]), st.integers(1, 9), st.integers(1, 3))
def test_kernel_is_its_twin(steps, per_word, count, ports):
    assert conflicts(steps, per_word, count, ports) == twin.conflicts(steps, per_word, count, ports)


@given(st.integers(1, 200), st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_wide_steps_too(width, count, seed):
    """As many accesses as fill the kernel's hash table half."""
    steps = np.random.default_rng(seed).integers(-1, 3 * width, (4, width)).tolist()
    assert conflicts(steps, 2, count, 1) == twin.conflicts(steps, 2, count, 1)


@given(accesses(), st.integers(1, 4), st.integers(1, 3))
def test_more_banks_or_ports_never_take_longer(steps, log_banks, ports):
    """Doubling the banks splits every bank in two."""
    cycles = conflicts(steps, 1, 1 << log_banks, ports)[0]
    for better in (conflicts(steps, 1, 2 << log_banks, ports), conflicts(steps, 1, 1 << log_banks, ports + 1)):
        assert all(new <= old for new, old in zip(better[0], cycles, strict=True))


def test_a_pointer_and_the_next_never_collide_in_two_banks():
    """EIE's pointers j and j + 1: even ones in one bank, odd ones in the other."""
    steps = [[j, j + 1] for j in range(50)]
    assert conflicts(steps, 1, 2, 1) == ([1] * 50, 100)
    assert conflicts(steps, 1, 1, 1) == ([2] * 50, 100)
    assert conflicts(steps, 1, 1, 2) == ([1] * 50, 100)


@pytest.mark.parametrize("count", [2, 4, 16])
def test_a_stride_of_the_number_of_banks_always_collides(count):
    together = [[count * lane for lane in range(8)]]
    spread = [[(count + 1) * lane for lane in range(8)]]
    assert conflicts(together, 1, count, 1) == ([8], 8)
    assert conflicts(together, 1, count, 3) == ([3], 8)
    assert conflicts(spread, 1, count, 1) == ([-(-8 // count)], 8)


def test_a_word_one_bit_either_side_of_its_end():
    """Bit addresses of 32-bit words: 31 shares word 0 with 0, 32 is word 1, 64 is word 2 in bank 0 again."""
    assert conflicts([[0, 31], [0, 32], [0, 64], [31, 64]], 32, 2, 1) == ([1, 1, 2, 2], 7)


def test_no_access_takes_no_cycle():
    assert conflicts([[-1, -1], [-1, 5], [-7, -1]], 1, 2, 1) == ([0, 1, 0], 1)
    assert conflicts([[], []], 1, 2, 1) == ([0, 0], 0)
    assert conflicts([], 1, 2, 1) == ([], 0)


def test_a_step_forgets_the_steps_before():
    assert conflicts([[0, 2], [0, 2], [0, 1]], 1, 2, 1) == ([2, 2, 1], 6)
