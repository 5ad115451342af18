"""Operand codes -> the steps and counts of work grids: im2col walks that never store the whole matrix.

Geometry, pixels and columns are those of window.pxd.
"""

from libc.stdint cimport int32_t, int64_t

from cython_core.window cimport Pixel, Window, column_of, pixel_of, row_of, window_of


def nonzero_taps(
    const int32_t[:, :, :, ::1] x, const int64_t[::1] geometry, Py_ssize_t first, Py_ssize_t last,
    Py_ssize_t g_first, Py_ssize_t g_last, Py_ssize_t k_first, Py_ssize_t k_last,
    int32_t[::1] rows, int32_t[::1] values, int64_t[::1] steps,
):
    """The non-zero inputs of pixels [first, last), groups [g_first, g_last), k in [k_first, k_last), in issue order.

    x: [N, C, H, W] values with the zero point taken off. Fills rows (column g*K + k) and values, each at least one for
    every pixel, group and k long, and steps: [pixels * groups] non-zeros of each product. Returns their sum.
    """
    cdef Window s = window_of(geometry)
    cdef Pixel at
    cdef Py_ssize_t p, g, c, r, q, h, w, k, channel, found = 0, before, product = 0
    cdef Py_ssize_t c_first = k_first // (s.R * s.S), c_last = (k_last + s.R * s.S - 1) // (s.R * s.S)
    cdef int32_t value
    with nogil:
        for p in range(first, last):
            at = pixel_of(&s, p)
            for g in range(g_first, g_last):
                before = found
                for c in range(c_first, c_last):
                    channel = g * s.C + c
                    for r in range(s.R):
                        h = row_of(&s, at.e, r)
                        if h < 0:
                            continue
                        for q in range(s.S):
                            w = column_of(&s, at.f, q)
                            if w < 0:
                                continue
                            k = (c * s.R + r) * s.S + q
                            value = x[at.n, channel, h, w]
                            if value != 0 and k >= k_first and k < k_last:
                                rows[found] = <int32_t>(g * s.K + k)
                                values[found] = value
                                found += 1
                steps[product] = found - before
                product += 1
    return found


def tap_counts(const int32_t[:, :, :, ::1] x, const int64_t[::1] geometry, Py_ssize_t block):
    """Non-zero inputs per block of pixels and column, into a new [blocks, G, K] memoryview of int32.

    x: [N, C, H, W] values with the zero point taken off; block: pixels a block, the last may be shorter.
    """
    from array import array  # a buffer of our own keeps numpy out of the kernels

    cdef Window s = window_of(geometry)
    cdef Py_ssize_t pixels = x.shape[0] * s.E * s.F, blocks = (pixels + block - 1) // block
    cdef Py_ssize_t n, g, c, r, q, e, f, h, w, channel, column, base
    flat = array("i", bytes(4 * blocks * s.G * s.K))
    cdef int32_t[::1] counts = flat
    with nogil:
        for n in range(x.shape[0]):
            for g in range(s.G):
                for c in range(s.C):
                    channel = g * s.C + c
                    for r in range(s.R):
                        for q in range(s.S):
                            column = g * s.K + (c * s.R + r) * s.S + q
                            for e in range(s.E):
                                h = row_of(&s, e, r)
                                if h < 0:
                                    continue
                                base = (n * s.E + e) * s.F
                                for f in range(s.F):
                                    w = column_of(&s, f, q)
                                    if w >= 0 and x[n, channel, h, w] != 0:
                                        counts[(base + f) // block * s.G * s.K + column] += 1
    return memoryview(flat).cast("B").cast("i", (blocks, s.G, s.K))


def gather_taps(
    const int32_t[:, :, :, ::1] x, const int64_t[::1] geometry, Py_ssize_t first, Py_ssize_t last, Py_ssize_t group,
    Py_ssize_t k_first, Py_ssize_t k_last, double[:, ::1] out,
):
    """out: [last-first, k_last-k_first] the im2col values of one group, padding taps 0."""
    cdef Window s = window_of(geometry)
    cdef Pixel at
    cdef Py_ssize_t p, k, c, r, q, h, w
    with nogil:
        for p in range(first, last):
            at = pixel_of(&s, p)
            for k in range(k_first, k_last):
                c = k // (s.R * s.S)
                r = k // s.S % s.R
                q = k % s.S
                h = row_of(&s, at.e, r)
                w = column_of(&s, at.f, q)
                if h < 0 or w < 0:
                    out[p - first, k - k_first] = 0
                else:
                    out[p - first, k - k_first] = x[at.n, group * s.C + c, h, w]
