"""Nanoseconds per grid entry of the recurrence kernels, beside a NumPy form of the same recurrence."""

import numpy as np
from timing import best, report

from cython_core import recurrence

LANES, STEPS, DEPTH = 64, 200_000, 8


def numpy_form(table: np.ndarray, rows: np.ndarray, depth: int) -> int:
    """Cycles alone, one vector operation a step."""
    finish, starts, issue = np.zeros(table.shape[1], np.int64), [], -1
    for t, row in enumerate(rows):
        issue = max(issue + 1, starts[t - depth]) if t >= depth else issue + 1
        start = np.maximum(issue + 1, finish)
        starts.append(int(start.max()))
        finish = start + table[row]
    return int(finish.max())


def main() -> None:
    rng = np.random.default_rng(0)
    table = np.maximum(rng.binomial(16, 0.25, (4608, LANES)), 1).astype(np.int32)
    rows = rng.integers(0, len(table), STEPS).astype(np.int32)
    bar = (rng.random(STEPS) < 1 / 300).astype(np.uint8)
    none64, none32 = np.zeros(0, np.int64), np.zeros(0, np.int32)
    entries = STEPS * LANES
    fast = best(lambda: recurrence.broadcast(table, rows, bar, none64, DEPTH, 1, 1, 0))
    whole = best(lambda: recurrence.schedule(table, rows, bar, none64, none32, DEPTH, 1, 1, 0, 1, 0, 0))
    short = rows[: STEPS // 50]
    plain = best(lambda: numpy_form(table, short, DEPTH), 2) * 50
    report("broadcast (no links, no output queues), 64 lanes, queue of 8", fast / entries * 1e9, "ns/entry", 2.5)
    report("schedule (the whole recurrence), same grid", whole / entries * 1e9, "ns/entry", 5.0)
    report("broadcast / NumPy form of the same grid", fast / plain, "x", 0.05)


if __name__ == "__main__":
    main()
