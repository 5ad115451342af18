import numpy as np

def cut(
    runs: np.ndarray, burst_bits: int, address_map: np.ndarray, join: bool, tag: int,
    pending: np.ndarray, ends: np.ndarray,
) -> int: ...
