"""Convolution as matrix-vector products: the vector of inputs each output pixel of each group reads."""

import numpy as np


def patches(x: np.ndarray, shape) -> np.ndarray:
    """x: [N, C, H, W] values whose zero is 0 -> [N*E*F, G, K], K in C, R, S order, padding 0.

    shape has G, R, S, E, F, stride (vertical, horizontal), padding (top, bottom, left, right), dilation.
    """
    N, C, H, W = x.shape
    top, bottom, left, right = shape.padding
    around = np.zeros((N, C, H + top + bottom, W + left + right), dtype=np.int64)
    around[:, :, top : top + H, left : left + W] = x
    vectors = []
    for n in range(N):
        for e in range(shape.E):
            for f in range(shape.F):
                rows = [e * shape.stride[0] + r * shape.dilation[0] for r in range(shape.R)]
                cols = [f * shape.stride[1] + s * shape.dilation[1] for s in range(shape.S)]
                vectors.append(around[n][:, rows][:, :, cols].reshape(shape.G, -1))
    return np.array(vectors)
