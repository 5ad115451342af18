import numpy as np

def nonzero_taps(
    x: np.ndarray, geometry: np.ndarray, first: int, last: int, g_first: int, g_last: int, k_first: int, k_last: int,
    rows: np.ndarray, values: np.ndarray, steps: np.ndarray,
) -> int: ...
def tap_counts(x: np.ndarray, geometry: np.ndarray, block: int) -> memoryview[int]: ...
def gather_taps(
    x: np.ndarray, geometry: np.ndarray, first: int, last: int, group: int, k_first: int, k_last: int, out: np.ndarray
) -> None: ...
