"""Where plain weights lie: filter after filter, each a row of whole bytes, whatever part of them a tile takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.dataflows.folded.ranges import Ranges
from accel_sim.dataflows.folded.weight_store import WeightStore
from accel_sim.mapping.nest import Loop, Nest
from workloads import Codes, Layer, NumberFormat
from workloads.encodings.dense import Dense

BASE = 4096


def store(groups: int, filters: int, k: int, bits: int) -> WeightStore:
    """Of a layer of so many filters a group, on 1x1 maps of k channels a group."""
    layer = Layer(name="g", kind="conv", G=groups, C=groups * k, M=groups * filters)
    codes = Codes(np.zeros(layer.weight_shape, np.int8), NumberFormat(8, True))
    nest = Nest(tuple(Loop(dim, size, size) for dim, size in (("groups", groups), ("filters", filters), ("k", k))), {})
    return WeightStore(layer, codes, Dense(), nest, bits)


def addresses(extents) -> list[int]:
    """Every byte of the extents, in order."""
    return [
        extent.address + row * extent.stride + byte
        for extent in extents for row in range(extent.count) for byte in range(extent.bytes)
    ]  # fmt: skip


@st.composite
def spans(draw):
    sizes = [draw(st.integers(1, 5)) for _ in range(3)]
    ranges = []
    for size in sizes:
        first = draw(st.integers(0, size - 1))
        ranges.append((first, draw(st.integers(first + 1, size))))
    return sizes, ranges, draw(st.sampled_from([4, 8, 16]))


@given(spans())
def test_a_tile_reads_the_bytes_of_its_filters_and_taps(case):
    (groups, filters, k), (g, f, taps), bits = case
    row = -(-k * bits // 8)
    expected = [
        BASE + (group * filters + filter_) * row + byte
        for group in range(*g) for filter_ in range(*f)
        for byte in range(taps[0] * bits // 8, -(-taps[1] * bits // 8))
    ]  # fmt: skip
    found = store(groups, filters, k, bits).extents(Ranges(g, (0, 1), f, taps), BASE, encoded=False)
    assert addresses(found) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((0, 2), [(BASE + 2 * 3, 2 * 3)]),  # all filters of group 1: 2 rows of 3 bytes behind group 0's
        ((1, 2), [(BASE + 3 * 3, 3)]),
    ],
)
def test_the_second_of_three_groups(filters, expected):
    ranges = Ranges((1, 2), (0, 1), filters, (0, 3))
    found = store(3, 2, 3, 8).extents(ranges, BASE, encoded=False)
    assert [(extent.address, extent.bytes) for extent in found] == expected
