"""Terms of bricks consumed side by side: every brick as its rule alone, in both widths of words and in any company."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cython_core import serial, tactical
from tests.oracle.vector_machine import essential_cycles

WORDS = st.sampled_from([(np.uint16, 16), (np.uint32, 22)])


@given(
    WORDS, st.integers(1, 2), st.integers(1, 20), st.integers(1, 35), st.integers(0, 24), st.floats(0, 1),
    st.integers(0, 999),
)  # fmt: skip
def test_two_stage(words, groups, lanes, pixels, reach, density, seed):
    rng = np.random.default_rng(seed)
    shape = groups, lanes, pixels
    patterns = (rng.integers(0, 1 << words[1], shape) * (rng.random(shape) < density)).astype(words[0])
    found = np.full((groups, pixels), -1, np.int32)
    serial.two_stage(patterns, reach, found)
    expected = [[essential_cycles(patterns[g, :, p].tolist(), reach) for p in range(pixels)] for g in range(groups)]
    assert found.tolist() == expected


@given(
    WORDS, st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.integers(1, 35), st.integers(0, 8),
    st.booleans(), st.integers(0, 999),
)  # fmt: skip
def test_costs_of_scheduled_steps(words, steps, filters, lanes, windows, reach, two_stage, seed):
    rng = np.random.default_rng(seed)
    entries = rng.integers(0, 1 << words[1], (4, lanes, windows)).astype(words[0])
    sources = rng.integers(-1, 4 * lanes, (steps, filters, lanes)).astype(np.int32)
    found = np.full((steps, windows), -1, np.int32)
    tactical.costs(entries, sources, two_stage, reach, found)
    for s in range(steps):
        for w in range(windows):
            flat = entries[:, :, w].ravel().tolist()
            rows = [[flat[at] if at >= 0 else 0 for at in row] for row in sources[s].tolist()]
            most = (essential_cycles(row, reach) if two_stage else max(row) for row in rows)
            assert found[s, w] == max(1, *most)
