"""Values under tiles of pixels against the bytes of their extents (8 bits a value), one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.dataflows.common import input_extents
from accel_sim.dataflows.pieces import pixel_values
from accel_sim.values.map_layout import StoredMap
from workloads.layer import Layer


@st.composite
def layers(draw):
    number = st.integers
    return Layer(
        name="conv", kind="conv", C=1, M=1, H=draw(number(4, 9)), W=draw(number(4, 9)), R=draw(number(1, 2)),
        S=draw(number(1, 2)), N=draw(number(1, 2)), stride=(draw(number(1, 4)), draw(number(1, 4))),
        dilation=(draw(number(1, 3)), draw(number(1, 3))), padding=tuple(draw(number(0, 3)) for _ in range(4)),
    )  # fmt: skip


@settings(max_examples=200)
@given(layers(), st.data())
def test_sum_largest_and_all_together(layer, data):
    pixels = layer.N * layer.E * layer.F
    tile = data.draw(st.integers(1, pixels))
    stored, tiles = StoredMap.at(0, 8, layer.input_elements), []
    for first in range(0, pixels, tile):
        extents = input_extents(layer, stored, (first, min(pixels, first + tile)), (0, 1))
        tiles.append({e.address + e.stride * i + b for e in extents for i in range(e.count) for b in range(e.bytes)})
    sizes = [len(each) for each in tiles]
    assert pixel_values(layer, tile) == (sum(sizes), max(sizes), len(set().union(*tiles)))
