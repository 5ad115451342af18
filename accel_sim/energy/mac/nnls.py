"""Least squares with coefficients that cannot be negative (Lawson and Hanson's active set), in plain numpy."""

import numpy as np


def nnls(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[rows, n], [rows] -> [n], all >= 0, with the least sum of squares of matrix @ x - target."""
    scale = np.linalg.norm(matrix, axis=0)
    scale[scale == 0] = 1
    scaled = matrix / scale
    x, active = np.zeros(matrix.shape[1]), np.zeros(matrix.shape[1], bool)
    for _ in range(3 * len(x) + 10):
        gradient = scaled.T @ (target - scaled @ x)
        gradient[active] = 0
        if gradient.max(initial=0) <= 1e-10 * np.linalg.norm(target):
            break
        active[gradient.argmax()] = True
        while True:
            trial = np.zeros_like(x)
            trial[active] = np.linalg.lstsq(scaled[:, active], target, rcond=None)[0]
            if (trial[active] > 0).all():
                break
            falling = active & (trial <= 0)
            step = (x[falling] / np.maximum(x[falling] - trial[falling], 1e-300)).min()
            x = x + step * (trial - x)
            active &= x > 1e-14
            x[~active] = 0
        x = trial
    return x / scale
