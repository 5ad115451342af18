"""The reference convolution against one written out in loops, and the accumulator-width reference by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads import InputError
from workloads.layer import Layer
from workloads.reference import accumulate_reference, conv_integer, post_layer

SIZES = st.integers(1, 3)


@st.composite
def layers(draw):
    groups = draw(st.integers(1, 3))
    return Layer(
        name="a", kind="conv", N=draw(st.integers(1, 2)), G=groups, C=groups * draw(SIZES), M=groups * draw(SIZES),
        H=draw(st.integers(5, 7)), W=draw(st.integers(5, 7)), R=draw(SIZES), S=draw(SIZES),
        stride=(draw(SIZES), draw(SIZES)), dilation=(draw(st.integers(1, 2)),) * 2,
        padding=tuple(draw(st.integers(0, 2)) for _ in range(4)), ceil_mode=draw(st.booleans()),
    ) if draw(st.booleans()) else Layer(
        name="a", kind="depthwise", G=groups, C=groups, M=groups * draw(SIZES), H=6, W=5, R=3, S=2, stride=(2, 1),
        padding=(1, 0, 0, 1),
    )  # fmt: skip


def loops(x, w, layer):
    out = np.zeros(layer.output_shape, dtype=np.int64)
    per_group, filters = layer.C // layer.G, layer.M // layer.G
    for n, m, e, f in np.ndindex(*layer.output_shape):
        for c, r, s in np.ndindex(per_group, layer.R, layer.S):
            h = e * layer.stride[0] - layer.padding[0] + r * layer.dilation[0]
            v = f * layer.stride[1] - layer.padding[2] + s * layer.dilation[1]
            if 0 <= h < layer.H and 0 <= v < layer.W:
                out[n, m, e, f] += int(x[n, m // filters * per_group + c, h, v]) * int(w[m, c, r, s])
    return out


@given(layers(), st.integers(0, 2**31))
def test_convolution_equals_loops(layer, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-255, 256, layer.input_shape), rng.integers(-127, 128, layer.weight_shape)
    assert np.array_equal(conv_integer(x, w, layer), loops(x, w, layer))
    wide, overflows = accumulate_reference(x, w, layer, 40, saturate=False)
    assert overflows == 0
    assert np.array_equal(wide, loops(x, w, layer))


FC = Layer(name="a", kind="fc", C=3, M=1)


def narrow(x, w, saturate):
    sums, overflows = accumulate_reference(np.reshape(x, (1, 3, 1, 1)), np.reshape(w, (1, 3, 1, 1)), FC, 8, saturate)
    return int(sums.item()), overflows


def test_a_narrow_accumulator_saturates_or_wraps_step_by_step():
    assert narrow([100, 27, 0], [1, 1, 1], True) == (127, 0)  # 127 still fits
    assert narrow([100, 28, 0], [1, 1, 1], True) == (127, 1)
    assert narrow([100, 28, -1], [1, 1, 1], True) == (126, 1)  # clipped before the last product
    assert narrow([100, 28, -1], [1, 1, 1], False) == (127, 2)  # wrapped to -128, and back
    assert narrow([100, 28, 1], [-1, -1, -1], True) == (-128, 1)  # -128 still fits, -129 does not


def pool(kind, size, **fields):
    return Layer(name="p", kind="pool", pool=kind, C=1, M=1, H=size, W=size, **fields)


def test_pools_by_hand():
    x = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    fields = {"R": 3, "S": 3, "stride": (2, 2), "ceil_mode": True}
    assert post_layer(pool("max", 4, **fields), [x]).ravel().tolist() == [10, 11, 14, 15]  # last window is cut
    average = post_layer(pool("avg", 4, R=2, S=2, stride=(2, 2)), [x])
    assert average.ravel().tolist() == [3, 5, 11, 13]  # 2.5 rounds up
    assert average.dtype == np.uint8
    signed = np.array([[[[-3, -2], [-2, -2]]]], dtype=np.int8)
    assert post_layer(pool("max", 2, R=2, S=2, padding=(1, 1, 1, 1)), [signed]).min() == -3  # padding is no maximum


def test_integers_without_a_scale_are_refused_where_one_is_needed():
    with pytest.raises(InputError, match=r"^layer 'p': kind 'softmax' needs real values, not bare integers$"):
        post_layer(Layer(name="p", kind="softmax", C=4, M=4), [np.zeros((1, 4, 1, 1), dtype=np.uint8)])


def test_sums_too_large_for_float64_are_refused():
    layer = Layer(name="a", kind="fc", C=1, M=1)
    big = np.full((1, 1, 1, 1), 2**30)
    with pytest.raises(OverflowError, match="layer 'a'"):
        conv_integer(big, big, layer)
