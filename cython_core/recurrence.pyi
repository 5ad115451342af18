import numpy as np

def broadcast(
    table: np.ndarray, rows: np.ndarray, bar: np.ndarray, avail: np.ndarray,
    depth: int, gap: int, lat: int, free: int,
) -> tuple[int, list[int]]: ...
def schedule(
    table: np.ndarray, rows: np.ndarray, bar: np.ndarray, avail: np.ndarray, link: np.ndarray,
    depth: int, gap: int, lat: int, free: int, hop: int, out_depth: int, out_cycles: int,
) -> tuple[int, list[int]]: ...
