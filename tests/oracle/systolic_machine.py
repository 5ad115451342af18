"""A systolic array clocked PE by PE: registers hand operands and partial sums one hop a cycle to the neighbour.

A matrix product `a [pixels, K] @ b [K, filters]` is cut into folds of the array (reference dense.md, section 2):
columns of the array outer, rows inner, one fold after the other, and each fold lasts until the last operand has
passed the far corner of the *whole* array, whether or not all of it holds work. Or (``used_alone``) it lasts until the
last PE that does hold work is done, and what is held is shifted in no farther than its last row: sums are then taken
where they leave that row, for the way they still have to go runs beside the next fold.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

STATES = ("unmapped", "effectual", "ineffectual", "sram", "fill_drain")
BUBBLE = None  # what a register holds when nothing was handed on


@dataclass(frozen=True)
class Token:
    """An operand or a partial sum on its way: `step` says which product it belongs to, `value` None = of no work."""

    step: int
    value: int | None


@dataclass
class Run:
    """What the array did: cycles, PE-slots by state, register moves and buffer accesses, the products summed."""

    rows: int
    cols: int
    cycles: int = 0
    slots: dict = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    counts: Counter = field(default_factory=Counter)
    used_alone: bool = False


def far_corner(run: Run, used_rows: int, used_cols: int) -> tuple[int, int]:
    """The PE whose last step ends a fold."""
    return (used_rows - 1, used_cols - 1) if run.used_alone else (run.rows - 1, run.cols - 1)


def grid(run: Run) -> list[list]:
    return [[BUBBLE] * run.cols for _ in range(run.rows)]


def carries(token) -> bool:
    return token is not BUBBLE and token.value is not None


def to_the_right(registers, entering, run: Run, name: str):
    """One cycle of the horizontal wires: `entering[r]` is at row r's first PE, all others move one PE on."""
    for row, token in enumerate(entering):
        run.counts[f"{name}_reads"] += carries(token)
        run.counts[f"{name}_hops"] += sum(carries(t) for t in registers[row][:-1])
    return [[entering[row], *registers[row][:-1]] for row in range(run.rows)]


def downwards(registers, entering, run: Run, name: str):
    """One cycle of the vertical wires: `entering[c]` is at column c's first PE."""
    for token in entering:
        run.counts[f"{name}_reads"] += carries(token)
    run.counts[f"{name}_hops"] += sum(carries(t) for row in registers[:-1] for t in row)
    return [list(entering), *(list(row) for row in registers[:-1])]


def skewed(cycle: int, place: int, steps: int, value) -> Token | None:
    """What the edge feeds at `place` in this cycle: step t enters t + place cycles after the start."""
    step = cycle - place
    return Token(step, value(step)) if 0 <= step < steps else BUBBLE


def record(run: Run, mapped: bool, state: str) -> None:
    run.slots[state if mapped else "unmapped"] += 1


def multiply(run: Run, x: int, y: int) -> str:
    run.counts["macs"] += 1
    return "effectual" if x != 0 and y != 0 else "ineffectual"


def output_fold(a: np.ndarray, b: np.ndarray, run: Run) -> np.ndarray:
    """Output stationary: a [rows used, K] moves right, b [K, columns used] moves down, sums stay. -> [rows, cols]."""
    used_rows, steps, used_cols = a.shape[0], a.shape[1], b.shape[1]
    sums, (low, right) = np.zeros((used_rows, used_cols), dtype=np.int64), far_corner(run, used_rows, used_cols)
    horizontal, vertical, cycle = grid(run), grid(run), 0
    while True:
        left = [
            skewed(cycle, r, steps, lambda t, r=r: int(a[r, t]) if r < used_rows else None) for r in range(run.rows)
        ]
        top = [skewed(cycle, c, steps, lambda t, c=c: int(b[t, c]) if c < used_cols else None) for c in range(run.cols)]
        horizontal = to_the_right(horizontal, left, run, "a")
        vertical = downwards(vertical, top, run, "b")
        for r in range(run.rows):
            for c in range(run.cols):
                x, y, state = horizontal[r][c], vertical[r][c], "fill_drain"
                mapped = r < used_rows and c < used_cols
                if mapped and x is not BUBBLE and y is not BUBBLE:
                    assert x.step == y.step, "operands of one product must meet"
                    sums[r, c] += x.value * y.value
                    state = multiply(run, x.value, y.value)
                record(run, mapped, state)
        cycle += 1
        run.cycles += 1
        corner = horizontal[low][right]
        if corner is not BUBBLE and corner.step == steps - 1:
            return sums


def load(held: np.ndarray, run: Run):
    """Shift the held operand in from the top, a row of the array a cycle, last row first; every slot is `sram`."""
    used_rows, used_cols = held.shape
    registers, depth = grid(run), far_corner(run, used_rows, used_cols)[0] + 1
    for row in reversed(range(depth)):
        top = [Token(row, int(held[row, c]) if row < used_rows and c < used_cols else None) for c in range(run.cols)]
        registers = downwards(registers, top, run, "held")
        for r in range(run.rows):
            for c in range(run.cols):
                record(run, r < used_rows and c < used_cols, "sram")
        run.cycles += 1
    assert [line[0].step for line in registers[:depth]] == list(range(depth)), "each row holds its own operand"
    return registers


def held_fold(held: np.ndarray, streamed: np.ndarray, run: Run) -> np.ndarray:
    """held [rows used, cols used] stays, streamed [T, rows used] moves right, sums move down -> [T, cols used]."""
    (used_rows, used_cols), steps = held.shape, streamed.shape[0]
    registers, (low, right) = load(held, run), far_corner(run, used_rows, used_cols)
    out = np.zeros((steps, used_cols), dtype=np.int64)
    moving, sums, cycle = grid(run), grid(run), 0
    while True:
        left = [
            skewed(cycle, r, steps, lambda t, r=r: int(streamed[t, r]) if r < used_rows else None)
            for r in range(run.rows)
        ]
        moving = to_the_right(moving, left, run, "streamed")
        run.counts["sum_hops"] += sum(carries(t) for row in sums[:-1] for t in row)
        new_sums = grid(run)
        for r in range(run.rows):
            for c in range(run.cols):
                x, above, state = moving[r][c], sums[r - 1][c] if r else BUBBLE, "fill_drain"
                mapped = r < used_rows and c < used_cols
                if x is not BUBBLE:
                    total = above.value if r else (0 if c < used_cols else None)
                    assert r == 0 or above.step == x.step, "a sum meets the operand of its own step"
                    if mapped:
                        total += registers[r][c].value * x.value
                        state = multiply(run, registers[r][c].value, x.value)
                    new_sums[r][c] = Token(x.step, total)
                record(run, mapped, state)
        sums = new_sums
        for c, token in enumerate(sums[low]):
            if carries(token):
                out[token.step, c] = token.value
                run.counts["sum_writes"] += 1
        cycle += 1
        run.cycles += 1
        corner = moving[low][right]
        if corner is not BUBBLE and corner.step == steps - 1:
            return out


def chunks(length: int, size: int):
    """Start and end of each piece of `length` that fits `size`."""
    return [(at, min(at + size, length)) for at in range(0, length, size)]


def matmul(
    a: np.ndarray, b: np.ndarray, rows: int, cols: int, stationary: str, used_alone: bool = False
) -> tuple[np.ndarray, Run]:
    """All folds of a [pixels, K] @ b [K, filters], one after the other. -> outputs [pixels, filters] and the run."""
    run = Run(rows, cols, used_alone=used_alone)
    (pixels, K), filters = a.shape, b.shape[1]
    out = np.zeros((pixels, filters), dtype=np.int64)
    if stationary == "os":
        for c0, c1 in chunks(filters, cols):
            for r0, r1 in chunks(pixels, rows):
                out[r0:r1, c0:c1] = output_fold(a[r0:r1], b[:, c0:c1], run)
        run.counts["sum_writes"] = pixels * filters
        return out, run
    held, streamed, result = (b, a, out) if stationary == "ws" else (a.T, b.T, out.T)
    for c0, c1 in chunks(held.shape[1], cols):
        for r0, r1 in chunks(K, rows):
            sums = held_fold(held[r0:r1, c0:c1], streamed[:, r0:r1], run)
            if r0:  # the partial sums of the rows before come back to be added to
                run.counts["sum_read_backs"] += sums.size
            result[:, c0:c1] += sums
    return out, run
