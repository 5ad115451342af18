"""Windows by the definition, one (output, tap) after another: which place of the map each reads."""


def place(e: int, r: int, stride: int, dilation: int, before: int) -> int:
    """Where output e reads through tap r; negative, or behind the map, in the padding."""
    return e * stride + r * dilation - before


def outputs(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> int:
    """Positions of the window, moved by its stride from the first on, at which its last tap is in the padded map."""
    count = 0
    while place(count, kernel - 1, stride, dilation, before) < size + after:
        count += 1
    return count


class Line:
    """pairs: (output, tap) -> place, all of them, for so many outputs on a map of ``size`` places."""

    def __init__(self, size: int, kernel: int, stride: int, dilation: int, before: int, outputs: int):
        self.size, self.kernel, self.outputs = size, kernel, outputs
        self.pairs = {
            (e, r): place(e, r, stride, dilation, before) for e in range(outputs) for r in range(kernel)
        }  # fmt: skip

    def inside(self) -> dict[tuple[int, int], int]:
        """Those that read the map."""
        return {pair: at for pair, at in self.pairs.items() if 0 <= at < self.size}

    def between(self, first: int, last: int) -> list[int]:
        """Places of the map from the first to the last place, padding or not, that outputs [first, last) read."""
        read = [self.pairs[e, r] for e in range(first, last) for r in range(self.kernel)]
        return [at for at in range(min(read), max(read) + 1) if 0 <= at < self.size]


def covered(rows: Line, columns: Line, images: int, first: int, last: int) -> dict[int, set[tuple[int, int]]]:
    """Image -> places (row, column) moved for pixels [first, last) of a batch: whole rows between the first and the
    last that is read, but only the columns between them where all pixels of the image are a part of one row."""
    found: dict[int, set[tuple[int, int]]] = {}
    for n in range(images):
        mine = [
            (e, f) for e in range(rows.outputs) for f in range(columns.outputs)
            if first <= (n * rows.outputs + e) * columns.outputs + f < last
        ]  # fmt: skip
        if not mine:
            continue
        down, across = sorted({e for e, _ in mine}), sorted({f for _, f in mine})
        part = len(down) == 1 and len(across) < columns.outputs
        wide = columns.between(across[0], across[-1] + 1) if part else range(columns.size)
        found[n] = {(h, w) for h in rows.between(down[0], down[-1] + 1) for w in wide}
    return found


def elements(rows: Line, columns: Line, images: int, channels: int, group: int, per_group: int) -> list[list[int]]:
    """[pixels][k] number of the element of an N, C, H, W map that each pixel reads of a group, -1 in the padding."""
    table = []
    for n in range(images):
        for e in range(rows.outputs):
            for f in range(columns.outputs):
                line = []
                for c in range(per_group):
                    for r in range(rows.kernel):
                        for s in range(columns.kernel):
                            h, w = rows.pairs[e, r], columns.pairs[f, s]
                            inside = 0 <= h < rows.size and 0 <= w < columns.size
                            plane = n * channels + group * per_group + c
                            line.append((plane * rows.size + h) * columns.size + w if inside else -1)
                table.append(line)
    return table
