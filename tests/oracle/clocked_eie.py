"""An EIE-like machine from the prose of its definition, PE by PE and cycle by cycle.

Rows of the weight matrix are dealt to the PEs, row m to PE m mod L. Each PE stores its part of every column as entries
(zeros before it, weight), a filler where a run of zeros does not fit the index. Non-zero activations are broadcast, one
a cycle, into queues; a PE takes one entry a cycle, and a cycle for an empty column.
"""

from dataclasses import dataclass

from tests.oracle.clocked_grid import Machine


@dataclass
class Pe:
    """columns: for each column the entries (row, weight, is filler) this PE stores."""

    columns: list[list[tuple[int, int, bool]]]


def encode(weights, kept, rows, index_bits: int) -> list[tuple[int, int, bool]]:
    """One column's entries on one PE; ``rows`` are the PE's rows in order."""
    span, zeros, entries = 2**index_bits, 0, []
    for place, row in enumerate(rows):
        if not kept[row]:
            zeros += 1
            continue
        while zeros >= span:
            filler_at = place - zeros + span - 1
            entries.append((rows[filler_at], 0, True))
            zeros -= span
        entries.append((row, int(weights[row]), False))
        zeros = 0
    return entries


@dataclass
class Eie:
    """weights, kept: [M][K] (a kept weight may be 0); groups: row m reads columns of group m * groups // M."""

    weights: list
    kept: list
    pes: int
    index_bits: int = 4
    depth: int = 8
    registered: bool = False
    scan_width: int | None = None
    double_buffered: bool = False
    groups: int = 1

    def __post_init__(self):
        self.M, self.K = len(self.weights), len(self.weights[0])
        self.loads = [
            [self._column(pe, group, k) for pe in range(self.pes)]
            for group in range(self.groups)
            for k in range(self.K)
        ]

    def _column(self, pe: int, group: int, k: int):
        mine = [m for m in range(self.M) if m % self.pes == pe and m * self.groups // self.M == group]
        column = [row[k] for row in self.weights]
        return encode(column, [row[k] for row in self.kept], mine, self.index_bits)

    def run(self, products: list[tuple[int, list[int]]]) -> dict:
        """products: (group, [K] activations less their zero point), back to back -> cycles, slots, sums …"""
        cost, bar, avail, steps = [], [], [], []
        scans = 0
        for number, (group, vector) in enumerate(products):
            first = True
            for k, value in enumerate(vector):
                if value == 0:
                    continue
                column = self.loads[group * self.K + k]
                cost.append([len(entries) for entries in column[: min(self.pes, self.M)]])
                bar.append(first and not self.double_buffered)
                scan = 0 if self.scan_width is None else k // self.scan_width
                avail.append(scan + (scans if self.double_buffered else 0))
                steps.append((number, value, column))
                first = False
            scans += 0 if self.scan_width is None else -(-len(vector) // self.scan_width)
        machine = Machine(
            cost, bar, avail, depth=self.depth, gap=1, lat=1, free=int(self.registered), floor=1,
        )  # fmt: skip
        cycles, grid = machine.run()
        return self._account(cycles, grid, steps, len(products))

    def _account(self, cycles: int, grid: dict[str, int], steps: list, products: int) -> dict:
        mapped = min(self.pes, self.M)
        sums = [[0] * self.M for _ in range(products)]
        effectual = ineffectual = entries = fillers = 0
        for number, value, column in steps:
            for stored in column[:mapped]:
                ineffectual += not stored  # the cycle an empty slice takes
                for row, weight, filler in stored:
                    entries += 1
                    fillers += filler
                    effectual += weight != 0
                    ineffectual += weight == 0
                    sums[number][row] += weight * value
        assert grid["busy"] == effectual + ineffectual
        return {
            "cycles": cycles,
            "slots": {
                "unmapped": (self.pes - mapped) * cycles, "effectual": effectual, "ineffectual": ineffectual,
                "decode": grid["avail"], "imbalance": grid["imbalance"], "dispatch": grid["dispatch"],
            },
            "entries": entries, "fillers": fillers, "sums": sums,
        }  # fmt: skip
