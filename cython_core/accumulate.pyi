import numpy as np

def sparse_products(
    columns: np.ndarray, values: np.ndarray, steps: np.ndarray, products: np.ndarray, starts: np.ndarray,
    outputs: np.ndarray, weights: np.ndarray, sums: np.ndarray, low: int, high: int, saturate: bool,
) -> int: ...
def dense_products(
    a: np.ndarray, w: np.ndarray, sums: np.ndarray, low: int, high: int, saturate: bool, together: int = 1
) -> int: ...
