"""Each kernel of bits, grids and accumulate against its plain twin, on random inputs and at its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cython_core import accumulate, bits, grids
from tests.oracle import kernel_twins as twins


@st.composite
def fields(draw):
    width = draw(st.integers(1, 32))
    return width, draw(st.lists(st.integers(0, 2**width - 1), max_size=12))


def packed(width: int, values: list[int]) -> np.ndarray:
    out = np.zeros((len(values) * width + 7) // 8, np.uint8)
    bits.pack(np.array(values, np.uint32), width, out)
    return out


@given(fields(), st.data())
def test_pack_and_unpack(case, data):
    width, values = case
    stream = packed(width, values)
    assert stream.tobytes() == twins.pack(values, width)
    first = data.draw(st.integers(0, len(values) * width))
    count = (len(values) * width - first) // width
    out = np.zeros(count, np.uint32)
    bits.unpack(stream, width, first, out)
    assert out.tolist() == twins.unpack(stream.tobytes(), width, first, count)


def test_fields_lie_least_significant_bit_first_by_hand():
    assert packed(3, [1, 2, 7]).tolist() == [0b11010001, 0b1]
    assert packed(32, [2**32 - 1]).tolist() == [255] * 4


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 9), st.data())
def test_run_coding(span, slices, length, data):
    row = st.lists(st.sampled_from([False, False, True]), min_size=length, max_size=length)
    kept = [data.draw(row) for _ in range(slices)]
    symbols = np.arange(slices * length, dtype=np.uint32).reshape(slices, length) + 1
    expected = [twins.run_entries(kept[i], symbols[i].tolist(), span, 99) for i in range(slices)]
    mask = np.array(kept, np.uint8).reshape(slices, length)
    counts = np.zeros(slices, np.int32)
    bits.run_counts(mask, span, counts)
    assert counts.tolist() == [len(entries) for entries in expected]
    out, runs = np.zeros(counts.sum(), np.uint32), np.zeros(counts.sum(), np.uint32)
    assert bits.run_encode(symbols, mask, span, 99, out, runs) == counts.sum()
    assert list(zip(out.tolist(), runs.tolist(), strict=True)) == [entry for slice_ in expected for entry in slice_]
    places = np.zeros(counts.sum(), np.int32)
    bits.run_positions(runs, counts, places)
    assert places[out != 99].tolist() == [i for line in kept for i, keep in enumerate(line) if keep]


@pytest.mark.parametrize(("zeros", "entries"), [(0, 1), (15, 1), (16, 2), (31, 2), (32, 3)])
def test_fillers_one_zero_either_side_of_four_bits(zeros, entries):
    kept = np.array([[0] * zeros + [1] + [0] * 40], np.uint8)
    counts = np.zeros(1, np.int32)
    bits.run_counts(kept, 16, counts)
    assert counts[0] == entries


@st.composite
def maps(draw):
    """(x [N, C, H, W], geometry); the last windows may reach out of the map below and to the right."""
    G, per_group, H, W = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
    )
    geometry = [G, per_group, H, W]
    geometry += [draw(st.integers(1, 3)) for _ in "RSEF"] + [draw(st.integers(1, 2)) for _ in "hw"]
    geometry += [draw(st.integers(0, 2)) for _ in "tl"] + [draw(st.integers(1, 2)) for _ in "hw"]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(-255, 256, (draw(st.integers(1, 2)), G * per_group, H, W)) * (
        rng.random() < rng.random((1, 1, H, W))
    )
    return np.ascontiguousarray(x, np.int32), geometry


def some_range(data, size: int) -> tuple[int, int]:
    first = data.draw(st.integers(0, size - 1))
    return first, data.draw(st.integers(first + 1, size))


@given(maps(), st.data())
def test_taps(case, data):
    x, geometry = case
    matrix, kernel_geometry = twins.unrolled(x, geometry), np.array(geometry, np.int64)
    pixels, G, K = matrix.shape
    (first, last), (k_first, k_last) = some_range(data, pixels), some_range(data, K)
    g_first, g_last = some_range(data, G)
    products = (last - first) * (g_last - g_first)
    room = products * (k_last - k_first)
    columns, values = np.zeros(room, np.int32), np.zeros(room, np.int32)
    steps, spans = np.zeros(products, np.int64), (first, last, g_first, g_last, k_first, k_last)
    found = grids.nonzero_taps(x, kernel_geometry, *spans, columns, values, steps)
    expected = twins.nonzero_steps(matrix, *spans)
    assert (columns[:found].tolist(), values[:found].tolist(), steps.tolist()) == expected
    group, out = data.draw(st.integers(0, G - 1)), np.full((last - first, k_last - k_first), np.nan)
    grids.gather_taps(x, kernel_geometry, first, last, group, k_first, k_last, out)
    assert np.array_equal(out, matrix[first:last, group, k_first:k_last])
    block = data.draw(st.integers(1, pixels + 1))
    blocks = [(matrix[at : at + block] != 0).sum(axis=0) for at in range(0, pixels, block)]
    assert np.array_equal(np.asarray(grids.tap_counts(x, kernel_geometry, block)), blocks)


#: accumulators of few bits, so that sums overflow often; the kernels ask that no product exceed high - low = 31
limits = st.builds(
    lambda bits, saturate: (-(1 << (bits - 1)), (1 << (bits - 1)) - 1, saturate), st.integers(5, 8), st.booleans()
)


def drifting(data, *shape: int) -> np.ndarray:
    """Operands of both signs or of one, so that sums run into either edge."""
    low, high = data.draw(st.sampled_from([(-5, 5), (2, 5), (-5, -2)]))
    return np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).integers(low, high + 1, shape)


@given(limits, st.integers(1, 3), st.integers(1, 4), st.data())
def test_sparse_products(limit, M, K, data):
    weights = drifting(data, K, M)
    matrix = {k: [(m, int(weights[k, m])) for m in range(M) if data.draw(st.booleans())] for k in range(K)}
    steps = data.draw(st.lists(st.integers(0, 8), min_size=1, max_size=3))
    products = [data.draw(st.integers(0, 1)) for _ in steps]
    columns = [data.draw(st.integers(0, K - 1)) for _ in range(sum(steps))]
    values = drifting(data, len(columns)).tolist()
    starts = np.cumsum([0] + [len(matrix[k]) for k in range(K)])
    flat = [entry for k in range(K) for entry in matrix[k]]
    expected, sums = np.zeros((2, M), np.int64), np.zeros((2, M), np.int64)
    overflows = twins.sparse_products(columns, values, steps, products, matrix, expected, limit)
    found = accumulate.sparse_products(
        np.array(columns, np.int32), np.array(values, np.int32), np.array(steps, np.int64),
        np.array(products, np.int64), starts.astype(np.int64), np.array([m for m, _ in flat], np.int32),
        np.array([w for _, w in flat], np.int32), sums, *limit,
    )  # fmt: skip
    assert found == overflows
    assert np.array_equal(sums, expected)


@given(limits, st.integers(1, 3), st.integers(1, 3), st.integers(0, 9), st.data())
def test_dense_products(limit, P, M, K, data):
    a, w = drifting(data, P, K).astype(float), drifting(data, M, K).astype(float)
    expected = np.full((P, M), 3, np.int64)
    sums = expected.copy()
    overflows = twins.dense_products(a, w, expected, limit)
    assert accumulate.dense_products(a, w, sums, *limit) == overflows
    assert np.array_equal(sums, expected)


@pytest.mark.parametrize(
    ("saturate", "start", "product", "total", "overflows"),
    [
        (True, 6, 1, 7, 0), (True, 6, 2, 7, 1), (True, -7, -1, -8, 0), (True, -7, -2, -8, 1),
        (False, 6, 1, 7, 0), (False, 6, 2, -8, 1), (False, -7, -1, -8, 0), (False, -7, -2, 7, 1),
    ],
)  # fmt: skip
def test_four_bit_sums_one_step_either_side_of_the_edge(saturate, start, product, total, overflows):
    sums = np.array([[start]], np.int64)
    assert (
        accumulate.dense_products(np.array([[1.0]]), np.array([[float(product)]]), sums, -8, 7, saturate) == overflows
    )
    assert sums[0, 0] == total
