"""Where windows read: the kernels' twin of workloads/window.py, h = e * stride + r * dilation - padding.

Geometry is one int64 array: G, C/G, H, W, R, S, E, F, stride (2), padding top and left, dilation (2).
Pixels are counted in N, E, F order; a column of group g is g*K + k with k in C, R, S order, K = (C/G)*R*S.
"""

from libc.stdint cimport int64_t


cdef struct Window:
    Py_ssize_t G, C, H, W, R, S, E, F, sh, sw, top, left, dh, dw, K  # C: channels of a group


cdef struct Pixel:
    Py_ssize_t n, e, f


cdef inline Window window_of(const int64_t[::1] g):
    cdef Window s
    s.G, s.C, s.H, s.W, s.R, s.S, s.E, s.F = g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]
    s.sh, s.sw, s.top, s.left, s.dh, s.dw = g[8], g[9], g[10], g[11], g[12], g[13]
    s.K = s.C * s.R * s.S
    return s


cdef inline Pixel pixel_of(const Window *s, Py_ssize_t number) noexcept nogil:
    cdef Pixel p
    p.n = number // (s.E * s.F)
    p.e = number // s.F % s.E
    p.f = number % s.F
    return p


cdef inline Py_ssize_t row_of(const Window *s, Py_ssize_t e, Py_ssize_t r) noexcept nogil:
    """Row of the map that output row e reads through tap r, -1 in the padding."""
    return inside(e * s.sh + r * s.dh - s.top, s.H)


cdef inline Py_ssize_t column_of(const Window *s, Py_ssize_t f, Py_ssize_t q) noexcept nogil:
    """Column of the map that output column f reads through tap q, -1 in the padding."""
    return inside(f * s.sw + q * s.dw - s.left, s.W)


cdef inline Py_ssize_t inside(Py_ssize_t place, Py_ssize_t size) noexcept nogil:
    return place if 0 <= place < size else -1
