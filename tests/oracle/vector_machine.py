"""A vector array, cycle by cycle: bricks of operands enter columns of PEs, and every PE is in one state at a time."""

from itertools import product


def brick_list(layer: dict, lanes: int, rows: int, cols: int) -> list[dict]:
    """Steps of a layer in order: the operands that each column reads.

    layer: N G C H W M R S E F stride padding dilation x [N][C][H][W] w [M][C/G][R][S]. A step holds ``columns``: per
    window its activations [lanes] (short at the last channels), and ``filters``: per filter its weights [lanes].
    """
    n_groups, per_group, filters = layer["G"], layer["C"] // layer["G"], layer["M"] // layer["G"]
    pixels = list(product(range(layer["N"]), range(layer["E"]), range(layer["F"])))
    steps = []
    for g in range(n_groups):
        for first in range(0, len(pixels), cols):
            for low in range(0, filters, rows):
                for c in range(0, per_group, lanes):
                    for r, s in product(range(layer["R"]), range(layer["S"])):
                        channels = range(c, min(c + lanes, per_group))
                        windows = [
                            [tap(layer, n, g * per_group + i, e, f, r, s) for i in channels]
                            for n, e, f in pixels[first : first + cols]
                        ]
                        chosen = range(g * filters + low, g * filters + min(low + rows, filters))
                        steps.append(
                            {
                                "columns": windows,
                                "filters": [[layer["w"][m][i][r][s] for i in channels] for m in chosen],
                            }
                        )
    return steps


def tap(layer: dict, n: int, c: int, e: int, f: int, r: int, s: int) -> int:
    h = e * layer["stride"][0] + r * layer["dilation"][0] - layer["padding"][0]
    v = f * layer["stride"][1] + s * layer["dilation"][1] - layer["padding"][2]
    inside = 0 <= h < layer["H"] and 0 <= v < layer["W"]
    return layer["x"][n][c][h][v] if inside else 0


def essential_cycles(values: list[int], reach: int) -> int:
    """Every cycle takes from each lane its lowest term, if the common shifter can reach it."""
    left = [[k for k in range(24) if value >> k & 1] for value in values]
    cycles = 0
    while any(left):
        at = min(terms[0] for terms in left if terms)
        for terms in left:
            if terms and terms[0] <= at + reach:
                terms.pop(0)
        cycles += 1
    return max(1, cycles)


def group_cycles(values: list[int], trim: bool, width: int = 8) -> int:
    """Bits between the highest and the lowest that any magnitude has; a negative value has one more above its own, but
    never more than ``width``: the lowest value of so many bits is its own sign."""
    used = set()
    for value in values:
        bits = [k for k in range(24) if abs(value) >> k & 1]
        used |= {*bits, *([min(bits[-1] + 1, width - 1)] if value < 0 else [])}
    if not used:
        return 1
    return max(used) - (min(used) if trim else 0) + 1


def run(steps: list[dict], cost, rows: int, cols: int, registers: int | None) -> tuple[int, int, int, int]:
    """(cycles, busy, waiting, unmapped PE cycles). cost(step) -> cycles of each of its columns; registers: 0 = columns
    begin together, d = a column begins a step once all have begun the step d before, None = freely."""
    costs = [cost(step) for step in steps]
    at, left = [0] * cols, [0] * cols  # next step of each column, cycles left of the present one
    now = busy = waiting = unmapped = 0
    while True:
        moved = True
        while moved:
            moved = False
            for column in range(cols):
                t = at[column]
                if left[column] or t == len(steps):
                    continue
                if registers == 0:
                    free = all(at[other] > t or (at[other] == t and left[other] == 0) for other in range(cols))
                else:
                    free = registers is None or all(started > t - registers for started in at)
                if free:
                    left[column] = costs[t][column] if column < len(steps[t]["columns"]) else 0
                    at[column] += 1
                    moved = True
        if not any(left):
            return now, busy, waiting, unmapped
        for column in range(cols):
            step = steps[at[column] - 1] if left[column] else steps[min(at[column], len(steps) - 1)]
            used = len(step["filters"]) if column < len(step["columns"]) else 0
            busy, waiting = (busy + used, waiting) if left[column] else (busy, waiting + used)
            unmapped += rows - used
            left[column] -= left[column] > 0
        now += 1


def staggered(steps: list[dict], cost, rows: int, cols: int) -> int:
    """Cycles of a layer of one window: column c takes filter groups c, c + cols ...; one column is fed a cycle, in the
    order of the list that ``fed`` makes."""
    left, now, waiting = [0] * cols, 0, list(steps)
    while waiting or any(left):
        if waiting and left[waiting[0]["column"]] == 0:
            step = waiting.pop(0)
            left[step["column"]] = cost(step)[0]
        left = [max(0, each - 1) for each in left]
        now += 1
    return now


def fed(steps: list[dict], passes: int, cols: int) -> list[dict]:
    """Steps of ``passes`` filter groups (each of equally many bricks, one pass after another) as columns are fed."""
    bricks, order = len(steps) // passes, []
    for low in range(0, passes, cols):
        for brick in range(bricks):
            for column in range(min(cols, passes - low)):
                order.append({**steps[(low + column) * bricks + brick], "column": column})
    return order
