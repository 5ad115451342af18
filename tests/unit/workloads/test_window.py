"""Windows, and their twin in the kernels, against (output, tap) pairs one by one: any stride, dilation and padding,
kernels larger than the map, sizes that are rounded up."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cython_core import grids, serial
from tests.oracle import windows as oracle
from workloads.layer import Layer
from workloads.window import Axis, Window, outputs_of, reach_of, same_padding


@st.composite
def axes(draw, most_outputs=6):
    """Outputs are free: a last window may begin behind all padding, or windows may leave the end of the map unread."""
    size, kernel = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    stride, dilation, before, after = (draw(st.integers(low, 4)) for low in (1, 1, 0, 0))
    return Axis(size, kernel, stride, dilation, before, after, draw(st.integers(1, most_outputs)))


def line(axis: Axis) -> oracle.Line:
    return oracle.Line(axis.size, axis.kernel, axis.stride, axis.dilation, axis.pad_before, axis.outputs)


small = st.builds(Window, axes(4), axes(4))


def some_range(data, size: int) -> tuple[int, int]:
    first = data.draw(st.integers(0, size - 1))
    return first, data.draw(st.integers(first + 1, size))


@given(axes())
def test_every_pair(axis):
    expected = line(axis)
    assert axis.places().tolist() == [[expected.pairs[e, r] for r in range(axis.kernel)] for e in range(axis.outputs)]
    assert {(e, r): axis.place(e, r) for e, r in expected.pairs} == expected.pairs
    inside = expected.inside()
    every = {(e, r) for e, r in np.argwhere(axis.inside(axis.places())).tolist()}
    assert every == set(inside)
    for r in range(axis.kernel):
        assert list(axis.read(r)) == [inside[e, r] for e in range(axis.outputs) if (e, r) in inside]
    assert (axis.products, axis.used) == (len(inside), len(set(inside.values())))
    assert axis.counts(False).tolist() == [
        sum((e, r) in inside for r in range(axis.kernel)) for e in range(axis.outputs)
    ]
    low, high = -axis.pad_before, axis.size + axis.pad_after
    assert axis.counts(True).tolist() == [
        sum(low <= expected.pairs[e, r] < high for r in range(axis.kernel)) for e in range(axis.outputs)
    ]
    reach = max(at for (e, _), at in expected.pairs.items() if e == 0) + axis.pad_before + 1
    assert axis.reach == reach_of(axis.kernel, axis.dilation) == reach
    assert axis.gapless == (axis.stride <= reach)
    behind = max(expected.pairs.values()) + 1 - axis.size
    assert axis.sides == (axis.pad_before, max(axis.pad_after, behind))


@given(axes(), st.data())
def test_a_range_of_outputs(axis, data):
    first, last = some_range(data, axis.outputs)
    expected = line(axis)
    read = [expected.pairs[e, r] for e in range(first, last) for r in range(axis.kernel)]
    assert axis.edges(first, last) == (min(read), max(read) + 1)
    assert axis.under(last - first) == max(read) + 1 - min(read)
    begin, end = axis.span(first, last)
    assert list(range(begin, end)) == expected.between(first, last)
    assert 0 <= begin <= end <= axis.size
    pairs = [(a, b) for a in range(axis.outputs) for b in range(a + 1, axis.outputs + 1)]
    begins, ends = axis.spans(*np.array(pairs).T)
    assert list(zip(begins.tolist(), ends.tolist(), strict=True)) == [axis.span(a, b) for a, b in pairs]


@given(small, st.integers(1, 3), st.data())
def test_boxes_under_pixels(window, images, data):
    rows, columns = line(window.rows), line(window.columns)
    assert window.plane == rows.outputs * columns.outputs
    first, last = some_range(data, images * window.plane)
    expected = oracle.covered(rows, columns, images, first, last)
    found = {}
    for n, (top, bottom), across in window.boxes(first, last):
        assert n not in found
        found[n] = {(h, w) for h in range(top, bottom) for w in range(*(across or (0, columns.size)))}
    assert found == {n: places for n, places in expected.items() if places}
    pixels = [n * window.plane + p for n, a, b in window.images(first, last) for p in range(a, b)]
    assert pixels == list(range(first, last))


@given(small, st.integers(1, 3), st.data())
def test_boxes_of_many_ranges(window, images, data):
    ranges = [some_range(data, images * window.plane) for _ in range(data.draw(st.integers(1, 4)))]
    expected, found = [], []
    for owner, (first, last) in enumerate(ranges):
        for n, rows, across in window.boxes(first, last):
            expected.append((owner, n, *rows, *(across or (0, window.columns.size))))
    boxes = window.boxes_of(*np.array(ranges).T)
    for values, *box in zip(boxes.values.tolist(), *(each.tolist() for each in boxes), strict=True):
        assert values == (box[3] - box[2]) * (box[5] - box[4])
        if values:
            found.append(tuple(box))
    assert found == expected


@given(small, st.integers(1, 3), st.data())
def test_no_aligned_range_reads_more_than_the_bounds(window, images, data):
    rows, columns, pixels = line(window.rows), line(window.columns), images * window.plane
    F, length = columns.outputs, data.draw(st.integers(1, pixels))
    aligned = [(first, min(pixels, first + length)) for first in range(0, pixels, length)]
    read = [oracle.covered(rows, columns, images, *each) for each in aligned]
    assert max(sum(map(len, each.values())) for each in read) <= window.most_read(length, images)
    if length < F:
        inner = [(e * F + f, e * F + f + length) for e in range(rows.outputs) for f in range(F - length + 1)]
        read = [oracle.covered(rows, columns, images, *each) for each in inner]
        assert max(sum(map(len, each.values())) for each in read) <= window.most_read_in_row(length)


@given(small, st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.data())
def test_elements_and_their_view_and_twin(window, images, groups, per_group, data):
    rows, columns, channels = line(window.rows), line(window.columns), groups * per_group
    shape = images, channels, rows.size, columns.size
    numbers = np.arange(1, 1 + np.prod(shape), dtype=np.int32).reshape(shape)
    geometry, taps = window.geometry(groups, per_group), window.taps
    pixels, steps = images * window.plane, per_group * taps
    for group in range(groups):
        expected = np.array(oracle.elements(rows, columns, images, channels, group, per_group))
        some_pixels = np.array(data.draw(st.lists(st.integers(0, pixels - 1), min_size=1, max_size=5)))
        some_steps = np.array(data.draw(st.lists(st.integers(0, steps - 1), min_size=1, max_size=5)))
        found, inside = window.elements(some_pixels, some_steps, channels, group * per_group)
        assert np.array_equal(np.where(inside, found, -1), expected[some_pixels][:, some_steps])
        gathered = np.full((pixels, steps), np.nan)
        grids.gather_taps(numbers, geometry, 0, pixels, group, 0, steps, gathered)
        assert np.array_equal(gathered, expected + 1)
        mine = numbers[:, group * per_group : (group + 1) * per_group]
        views = [window.view(item, fill=0).transpose(3, 4, 0, 1, 2).reshape(-1, steps) for item in mine]
        assert np.array_equal(np.concatenate(views), expected + 1)
        bricks = np.ascontiguousarray(mine.transpose(0, 2, 3, 1))  # [N, H, W, bricks of a channel]
        read = np.full((pixels, steps, 1), -1, np.int32)
        serial.gather(bricks, geometry, 0, pixels, 0, per_group, 0, read)
        assert np.array_equal(read[:, :, 0], expected + 1)


def test_three_pixels_of_two_images():
    """Pixels 3 to 5 of images of 2 x 2 lie in two images: rows 1 and 2 of the first, 0 and 1 of the second."""
    window = Window(Axis(3, 2, 1, 1, 0, 0, 2), Axis(2, 1, 1, 1, 0, 0, 2))
    assert list(window.boxes(3, 6)) == [(0, (1, 3), (1, 2)), (1, (0, 2), None)]
    assert window.most_read(3, images=3) == 8
    assert (window.most_read(3, images=1), window.most_read(4, images=3)) == (6, 6)  # one image, and one at a time


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.data())
def test_channels_of_reduction_steps(channels, kernel_rows, kernel_columns, data):
    window = Window(Axis(9, kernel_rows, 1, 1, 0, 0, 1), Axis(9, kernel_columns, 1, 1, 0, 0, 1))
    first, last = some_range(data, channels * window.taps)
    of_step = [c for c in range(channels) for _ in range(kernel_rows * kernel_columns)]
    low, high = window.channels(first, last)
    assert set(range(low, high)) == set(of_step[first:last])
    low, high = window.channels(np.array([first]), np.array([last]))
    assert set(range(low[0], high[0])) == set(of_step[first:last])


@given(st.integers(1, 9), st.integers(1, 9), *(st.integers(low, 4) for low in (1, 1, 0, 0)))
def test_outputs(size, kernel, stride, dilation, before, after):
    axis = (size, kernel, stride, dilation, before, after)
    floor = oracle.outputs(*axis)
    assert outputs_of(*axis) == floor
    # rounded up: one more where the padded map has places behind the last window
    behind = floor > 0 and oracle.place(floor - 1, kernel - 1, stride, dilation, before) < size + after - 1
    ceil = floor + behind
    assert outputs_of(*axis, ceil=True) == ceil
    begins_outside = oracle.place(ceil - 1, 0, stride, dilation, before) >= size
    assert outputs_of(*axis, ceil=True, begins_inside=True) == (floor if behind and begins_outside else ceil)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))
def test_same_padding(size, kernel, stride, dilation):
    before, after = same_padding(size, kernel, stride, dilation)
    assert after - before in (0, 1)
    assert oracle.outputs(size, kernel, stride, dilation, before, after) >= -(-size // stride)
    if before + after:  # none to spare
        assert oracle.outputs(size, kernel, stride, dilation, before, after) == -(-size // stride)
        assert oracle.outputs(size, kernel, stride, dilation, before, after - 1) < -(-size // stride)


def test_padding_by_hand():
    """3 taps, 2 apart, on 5 places with 2 before and 1 after, stride 2: -2 0 2, 0 2 4, and 2 4 6 if rounded up."""
    layer = Layer(
        name="a", kind="conv", C=1, M=1, H=5, R=3, stride=(2, 1), dilation=(2, 1), padding=(2, 1, 0, 0), ceil_mode=True
    )
    rows = layer.window.rows
    assert rows == Axis(5, 3, 2, 2, 2, 1, 3)
    assert replace(layer, ceil_mode=False).window.rows.outputs == 2
    assert rows.places().tolist() == [[-2, 0, 2], [0, 2, 4], [2, 4, 6]]
    assert [list(rows.read(r)) for r in range(3)] == [[0, 2], [0, 2, 4], [2, 4]]
    assert (rows.products, rows.used) == (7, 3)  # rows 1 and 3 are never read
    assert rows.sides == (2, 2)  # place 6 lies behind the declared padding
    assert (rows.edges(0, 1), rows.span(0, 1), rows.span(2, 3)) == ((-2, 3), (0, 3), (2, 5))
    assert (rows.counts(False).tolist(), rows.counts(True).tolist()) == ([2, 3, 2], [3, 3, 2])
    padded = layer.padded()
    assert (padded.H, padded.padding, padded.window.rows) == (9, (0, 0, 0, 0), Axis(9, 3, 2, 2, 0, 0, 3))


def test_a_window_in_the_padding_alone_reads_nothing():
    axis = Axis(size=2, kernel=1, stride=3, dilation=1, pad_before=1, pad_after=5, outputs=3)
    assert [axis.span(e, e + 1) for e in range(3)] == [(0, 0), (2, 2), (2, 2)]
    assert axis.used == 0
    assert [box for pixel in range(9) for box in Window(axis, axis).boxes(pixel, pixel + 1)] == []
    assert list(Window(axis, axis).boxes(0, 9)) == [(0, (0, 2), None)]  # whole rows between the first and the last


def test_geometry_is_in_the_order_of_the_kernels():
    layer = Layer(
        name="a", kind="conv", G=2, C=6, M=2, H=20, W=30, R=3, S=4, stride=(2, 5), dilation=(3, 1), padding=(1, 9, 2, 9)
    )
    assert layer.geometry.tolist() == [2, 3, 20, 30, 3, 4, layer.E, layer.F, 2, 5, 1, 2, 3, 1]
    assert layer.geometry.dtype == np.int64


@pytest.mark.parametrize("field", ["size", "kernel", "stride", "dilation", "pad_before", "pad_after", "outputs"])
def test_an_axis_is_valid_from_birth(field):
    good = asdict(Axis(5, 3, 1, 1, 0, 0, 3))
    least = 0 if field in ("pad_before", "pad_after", "outputs") else 1
    assert getattr(Axis(**good | {field: least}), field) == least
    with pytest.raises(ValueError, match=rf"{field}=.*expected at least 1, of padding and outputs at least 0"):
        Axis(**good | {field: least - 1})
