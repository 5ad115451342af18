"""A systolic array of PEs with registers, clocked; operands move one PE a cycle.

Definitions: rows x cols PEs. Output stationary: inputs enter at the left, weights at the top, both skewed by a cycle
per row or column; sums stay. Weight (input) stationary: the held operand is loaded one row a cycle, then the other
enters at the left, skewed, and sums move down. A fold takes the time of the full array however few PEs have work.
"""

from dataclasses import dataclass, field


@dataclass
class Array:
    rows: int
    cols: int
    slots: dict = field(
        default_factory=lambda: dict.fromkeys(("unmapped", "effectual", "ineffectual", "sram", "fill_drain"), 0)
    )
    cycles: int = 0

    def output_stationary(self, a, w):
        """One fold. a: [m][k] by row, w: [k][n] by column -> [m][n] sums."""
        m, n, depth = len(a), len(w[0]), len(w)
        right = [[None] * self.cols for _ in range(self.rows)]  # operand moving right, in each PE's register
        down = [[None] * self.cols for _ in range(self.rows)]
        sums = [[0] * n for _ in range(m)]
        for now in range(depth + self.rows + self.cols - 2):
            for r in reversed(range(self.rows)):
                for c in reversed(range(self.cols)):
                    left = right[r][c - 1] if c else (a[r][now - r] if r < m and 0 <= now - r < depth else None)
                    above = down[r - 1][c] if r else (w[now - c][c] if c < n and 0 <= now - c < depth else None)
                    right[r][c], down[r][c] = left, above
            for r in range(self.rows):
                for c in range(self.cols):
                    mapped = r < m and c < n
                    active = mapped and right[r][c] is not None and down[r][c] is not None
                    if active:
                        sums[r][c] += right[r][c] * down[r][c]
                    self._count(mapped, active, active and right[r][c] * down[r][c] != 0, "fill_drain")
            self.cycles += 1
        return sums

    def stationary(self, held, streamed):
        """One fold. held: [k][n] in the PEs; streamed: [t][k] enters row by row -> [t][n] sums of this fold."""
        k, n, length = len(held), len(held[0]), len(streamed)
        for _ in range(self.rows):  # one row of the held operand a cycle
            for r in range(self.rows):
                for c in range(self.cols):
                    self._count(r < k and c < n, False, False, "sram")
            self.cycles += 1
        right = [[None] * self.cols for _ in range(self.rows)]
        partial = [[None] * self.cols for _ in range(self.rows)]
        out = [[0] * n for _ in range(length)]
        for now in range(length + self.rows - 1 + self.cols - 1):
            for r in reversed(range(self.rows)):
                for c in reversed(range(self.cols)):
                    time = now - r
                    inside = 0 <= time < length
                    left = right[r][c - 1] if c else ((streamed[time][r] if r < k else 0) if inside else None)
                    above = partial[r - 1][c] if r else (0 if left is not None else None)
                    right[r][c] = left
                    weight = held[r][c] if r < k and c < n else 0
                    partial[r][c] = None if left is None else above + left * weight
            for r in range(self.rows):
                for c in range(self.cols):
                    mapped, active = r < k and c < n, right[r][c] is not None
                    self._count(mapped, active, mapped and active and right[r][c] * held[r][c] != 0, "fill_drain")
            for c in range(n):  # a sum leaves at the bottom
                time = now - (self.rows - 1) - c
                if 0 <= time < length:
                    out[time][c] = partial[self.rows - 1][c]
            self.cycles += 1
        return out

    def _count(self, mapped: bool, active: bool, effectual: bool, idle: str) -> None:
        state = "unmapped" if not mapped else idle if not active else "effectual" if effectual else "ineffectual"
        self.slots[state] += 1


def matrix_product(array: Array, a, w, stationary: str):
    """a: [M][K], w: [K][N] through folds of the array (column folds outer, row folds inner) -> [M][N]."""
    M, K, N = len(a), len(w), len(w[0])
    out = [[0] * N for _ in range(M)]
    if stationary == "os":
        for n in range(0, N, array.cols):
            for m in range(0, M, array.rows):
                block = [row[n : n + array.cols] for row in w]
                for i, row in enumerate(array.output_stationary(a[m : m + array.rows], block)):
                    out[m + i][n : n + len(row)] = row
        return out
    swapped = stationary == "is"
    held = [[a[m][k] for m in range(M)] for k in range(K)] if swapped else w
    streamed = [[w[k][n] for k in range(K)] for n in range(N)] if swapped else a
    for c in range(0, len(held[0]), array.cols):
        for k in range(0, K, array.rows):
            block = [row[c : c + array.cols] for row in held[k : k + array.rows]]
            part = array.stationary(block, [row[k : k + array.rows] for row in streamed])
            for t, row in enumerate(part):
                for i, value in enumerate(row):
                    place = (c + i, t) if swapped else (t, c + i)
                    out[place[0]][place[1]] += value
    return out
