"""Integer accumulation at hardware width, product by product in hardware order."""

from libc.stdint cimport int32_t, int64_t


cdef inline int64_t fit(int64_t total, int64_t low, int64_t high, bint saturate, int64_t *overflows) noexcept nogil:
    """total if it lies in low..high; else the clipped or wrapped value, and one overflow more."""
    if total > high:
        overflows[0] += 1
        return high if saturate else low + (total - low) % (high - low + 1)
    if total < low:
        overflows[0] += 1
        return low if saturate else high - (high - total) % (high - low + 1)
    return total


def sparse_products(
    const int32_t[::1] columns, const int32_t[::1] values, const int64_t[::1] steps, const int64_t[::1] products,
    const int64_t[::1] starts, const int32_t[::1] outputs, const int32_t[::1] weights,
    int64_t[:, ::1] sums, int64_t low, int64_t high, bint saturate,
):
    """Broadcast steps against a column-compressed matrix.

    columns, values: [T] column and activation of each step; steps: [P] steps of each product; products: [P] its row in
    ``sums``. starts: [columns+1] first entry of each column; outputs, weights: [entries]. sums: [rows, M], updated.
    Returns the number of overflows.
    """
    cdef Py_ssize_t p, t = 0, i, row
    cdef int64_t k, a, overflows = 0
    with nogil:
        for p in range(steps.shape[0]):
            row = products[p]
            for k in range(steps[p]):
                a = values[t]
                for i in range(starts[columns[t]], starts[columns[t] + 1]):
                    sums[row, outputs[i]] = fit(
                        sums[row, outputs[i]] + a * weights[i], low, high, saturate, &overflows
                    )
                t += 1
    return overflows


def dense_products(
    const double[:, ::1] a, const double[:, ::1] w, int64_t[:, ::1] sums, int64_t low, int64_t high, bint saturate,
    Py_ssize_t together=1,
):
    """sums[p, m] += a[p, k] * w[m, k], k after k, each sum brought to low..high; returns the number of overflows.

    together: so many neighbouring products (K a multiple of it) are summed exactly and added as one.
    """
    cdef Py_ssize_t p, m, k, j
    cdef int64_t total, step, overflows = 0
    with nogil:
        for p in range(a.shape[0]):
            for m in range(w.shape[0]):
                total = sums[p, m]
                for k in range(a.shape[1] // together):
                    step = 0
                    for j in range(k * together, (k + 1) * together):
                        step += <int64_t>a[p, j] * <int64_t>w[m, j]
                    total = fit(total + step, low, high, saturate, &overflows)
                sums[p, m] = total
    return overflows
