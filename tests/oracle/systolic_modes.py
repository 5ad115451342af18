"""A systolic array of units that make several products a step, or take several cycles for one: a clock by 1.

A unit sums ``reduction`` neighbours in k, keeps ``outputs`` filters apart, and is busy for ``cycles`` a step. What it
is handed goes on to the next unit in the cycle after it began; a sum that moves goes on when the step is over. A fold
lasts until the far corner has finished, whether or not all of the array holds work, or (``used_alone``) until the last
unit with work has, and rows below it are not loaded.
"""

from dataclasses import dataclass, field

import numpy as np

STATES = ("unmapped", "busy", "sram", "fill_drain")


@dataclass
class Clocked:
    """rows, cols: of the array; mode: (reduction, outputs, cycles). macs: products that had a place."""

    rows: int
    cols: int
    mode: tuple[int, int, int]
    used_alone: bool = False
    cycles: int = 0
    slots: dict = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    macs: int = 0
    effectual: int = 0


def bundles(indices: list[int], size: int) -> list[list[int]]:
    return [indices[at : at + size] for at in range(0, len(indices), size)]


def tick(begun: list, ends: list, now: int, steps: int, busy: int, sums_move: bool) -> None:
    """Units that can begin their next step in this cycle do; begun, ends: [row][col] first cycle and end of each."""
    before = [[list(times) for times in row] for row in begun]
    for r, row in enumerate(begun):
        for c, mine in enumerate(row):
            step = len(before[r][c])
            if step == steps or (step and ends[r][c][step - 1] > now):
                continue
            left = c == 0 or (len(before[r][c - 1]) > step and before[r][c - 1][step] < now)
            if r == 0:
                above = True
            elif sums_move:
                above = len(ends[r - 1][c]) > step and ends[r - 1][c][step] <= now
            else:
                above = len(before[r - 1][c]) > step and before[r - 1][c][step] < now
            if left and above:
                mine.append(now)
                ends[r][c].append(now + busy)


def fold(run: Clocked, used: tuple[int, int], steps: int, loads: bool, sums_move: bool, work) -> None:
    """One fold: ``work(row, col, step)`` is called as a unit with work begins a step."""
    busy = run.mode[2]
    mapped = [[r < used[0] and c < used[1] for c in range(run.cols)] for r in range(run.rows)]
    held = sum(map(sum, mapped))
    low, right = used if run.used_alone else (run.rows, run.cols)
    if loads:
        for _ in range(low):  # a row of the array a cycle
            run.cycles += 1
            run.slots["sram"] += held
            run.slots["unmapped"] += run.rows * run.cols - held
    begun = [[[] for _ in range(run.cols)] for _ in range(run.rows)]
    ends = [[[] for _ in range(run.cols)] for _ in range(run.rows)]
    now = 0
    while len(ends[low - 1][right - 1]) < steps or ends[low - 1][right - 1][-1] > now:
        tick(begun, ends, now, steps, busy, sums_move)
        for r in range(run.rows):
            for c in range(run.cols):
                works = bool(ends[r][c]) and ends[r][c][-1] > now
                if mapped[r][c] and begun[r][c] and begun[r][c][-1] == now:
                    work(r, c, len(begun[r][c]) - 1)
                run.slots[("busy" if works else "fill_drain") if mapped[r][c] else "unmapped"] += 1
        now += 1
        run.cycles += 1


def matmul(a: np.ndarray, b: np.ndarray, run: Clocked, stationary: str, taps: int = 1) -> np.ndarray:
    """a [pixels, K] @ b [K, filters] -> [pixels, filters]. taps: no step or fold takes k of two taps (k = channel x
    taps + tap)."""
    (pixels, K), filters, (reduction, outputs, _) = a.shape, b.shape[1], run.mode
    out = np.zeros((pixels, filters), np.int64)

    def multiply(p: list[int], ks: list[int], fs: list[int]) -> None:
        for pixel in p:
            for k in ks:
                for f in fs:
                    run.macs += 1
                    run.effectual += bool(a[pixel, k] and b[k, f])
                    out[pixel, f] += int(a[pixel, k]) * int(b[k, f])

    lists = {"pixels": bundles(list(range(pixels)), 1), "filters": bundles(list(range(filters)), outputs)}
    by_tap = [bundles(list(range(tap, K, taps)), reduction) for tap in range(taps)]
    names = {"os": ("pixels", "filters", "k"), "ws": ("k", "filters", "pixels"), "is": ("k", "pixels", "filters")}
    on_rows, on_cols, streamed = names[stationary]

    def cut(name: str, size: int) -> list[list]:
        groups = by_tap if name == "k" else [lists[name]]
        return [part[at : at + size] for part in groups for at in range(0, len(part), size)]

    stream = [step for part in by_tap for step in part] if streamed == "k" else lists[streamed]
    for cols in cut(on_cols, run.cols):
        for rows in cut(on_rows, run.rows):

            def work(r: int, c: int, step: int, rows=rows, cols=cols) -> None:
                parts = {on_rows: rows[r], on_cols: cols[c], streamed: stream[step]}
                multiply(parts["pixels"], parts["k"], parts["filters"])

            fold(run, (len(rows), len(cols)), len(stream), stationary != "os", stationary != "os", work)
    return out
