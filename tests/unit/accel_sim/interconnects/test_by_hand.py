"""Networks counted by hand and against models that lay out every wire and pass every word."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.energy.table import EnergyTable
from accel_sim.interconnects.bus import Bus
from accel_sim.interconnects.crossbar import Crossbar, conflict_cycles
from accel_sim.interconnects.multicast import Multicast
from accel_sim.interconnects.neighbour import Neighbour


@pytest.mark.parametrize(
    ("array", "block", "bus", "tree", "links", "crossbar"),
    [
        ((1, 1), (1, 1), 1, 1 + 1, 1, 1 + 1),
        ((1, 8), (1, 1), 8, 1 + 8, 1, 8 + 1),
        ((1, 8), (1, 8), 8, 1 + 8, 8, 8 + 8),
        ((6, 1), (4, 1), 6, 6 + 4, 4, 6 + 4),
        ((12, 14), (12, 14), 168, 12 + 12 * 14, 168, 168 + 168),  # Eyeriss' array: trunk and all branches
        ((12, 14), (1, 14), 168, 12 + 14, 14, 168 + 14),
        ((12, 14), (3, 13), 168, 12 + 3 * 14, 39, 168 + 39),
        ((3, 4), (0, 4), 0, 0, 0, 0),
        ((3, 4), (3, 0), 0, 0, 0, 0),
    ],
)
def test_segments_of_one_value(array, block, bus, tree, links, crossbar):
    parts = {Bus(): bus, Multicast(): tree, Neighbour(): links, Crossbar(): crossbar}
    assert {part: part.hops(*array, *block) for part in parts} == parts


@pytest.mark.parametrize(
    ("block", "bus", "tree", "links", "crossbar"),
    [
        ((1, 1), 12, 3 + 4, 1, 12 + 1),
        ((1, 4), 4 * 12, 4 * 7, 1 + 2 + 3 + 4, 4 * 13),
        ((3, 4), 12 * 12, 12 * 7, 3 * (1 + 2 + 3 + 4), 12 * 13),
        ((3, 0), 0, 0, 0, 0),
    ],
)
def test_segments_of_a_value_for_each(block, bus, tree, links, crossbar):
    parts = {Bus(): bus, Multicast(): tree, Neighbour(): links, Crossbar(): crossbar}
    for part, segments in parts.items():
        assert part.scatter("x", 1, 8, 3, 4, *block) == {("x", "hop", 8): segments}


def test_a_systolic_row_costs_one_hop_more_from_pe_to_pe():
    """A value for PE i alone goes through i others: i + 1 links."""
    part = Neighbour()
    assert [part.hops(1, 9, 1, i + 1) for i in range(9)] == [i + 1 for i in range(9)]
    grown = [part.scatter_hops(1, 9, 1, n) for n in range(10)]
    assert list(np.diff(grown)) == [i + 1 for i in range(9)]


arrays = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(array=arrays, data=st.data())
def test_against_wires_laid_out(array, data):
    """Each wire is a set of named segments; what a value drives is their union over the PEs it goes to."""
    rows, cols = array
    to_rows, to_cols = data.draw(st.integers(0, rows)), data.draw(st.integers(0, cols))
    pes = list(product(range(to_rows), range(to_cols)))
    everywhere = list(product(range(rows), range(cols)))

    def driven(path) -> int:
        return len({segment for pe in pes for segment in path(*pe)})

    bus = driven(lambda r, c: everywhere)
    tree = driven(lambda r, c: [("trunk", y) for y in range(rows)] + [("branch", r, x) for x in range(cols)])
    links = driven(lambda r, c: [("down", y) for y in range(r + 1)] + [("along", r, x) for x in range(1, c + 1)])
    crossbar = driven(lambda r, c: [*everywhere, ("output", r, c)])
    for part, expected in ((Bus(), bus), (Multicast(), tree), (Neighbour(), links), (Crossbar(), crossbar)):
        assert part.hops(rows, cols, to_rows, to_cols) == expected
    alone = sum(len([("along", r, x) for x in range(c + 1)]) for r, c in pes)
    assert Neighbour().scatter_hops(rows, cols, to_rows, to_cols) == alone


def test_cycles_by_hand():
    assert Bus(width_bits=32).cycles(9, 8) == 3  # four to a word, wherever they go
    assert Bus(width_bits=32).cycles(9, 8, places=9) == 3
    assert Bus(width_bits=32, channels=2).cycles(9, 8) == 2
    assert Bus(width_bits=32).cycles(9, 12) == 5  # two to a word: a value is not split
    assert Bus(width_bits=16).cycles(3, 24) == 6  # but for one too wide
    assert Bus(width_bits=16).cycles(0, 24) == 0
    assert Multicast(width_bits=32).cycles(9, 8) == 3  # a word has one address
    assert Multicast(width_bits=32).cycles(9, 8, places=2) == 2 + 1
    assert Multicast(width_bits=32).cycles(9, 8, places=9) == 9
    assert Multicast(width_bits=32).cycles(9, 8, places=20) == 9
    assert Multicast(width_bits=32, channels=4).cycles(9, 8, places=9) == 3
    assert Neighbour(width_bits=8).cycles(64, 8) == 64
    assert Neighbour(width_bits=8).cycles(64, 8, places=32) == 2  # every row has a port
    assert Neighbour(width_bits=16).cycles(64, 8, places=32) == 1
    assert Neighbour(width_bits=8, ports=4).cycles(64, 8, places=32) == 16
    assert Crossbar(width_bits=8, ports=4).cycles(64, 8) == 64  # one output takes one at a time
    assert Crossbar(width_bits=8, ports=4).cycles(64, 8, places=2) == 32
    assert Crossbar(width_bits=8, ports=4).cycles(64, 8, places=32) == 16


def clocked(values: int, bits: int, places: int, width: int, ports: int, each_once: bool) -> int:
    """Ticks a clock: every place has a pile of values, ``ports`` words leave in a cycle, longest piles first."""
    piles = [values // places + (place < values % places) for place in range(places)]
    sent = [0] * places  # bits of the topmost value that have gone, where it is wider than a word
    ticks = 0
    while any(piles):
        ticks += 1
        used: set[int] = set()
        for _ in range(ports):
            waiting = [place for place in range(places) if piles[place] and not (each_once and place in used)]
            if not waiting:
                break
            place = max(waiting, key=lambda each: piles[each] * bits - sent[each])
            used.add(place)
            if bits > width:
                sent[place] += width
                if sent[place] >= bits:
                    piles[place], sent[place] = piles[place] - 1, 0
            else:
                free = width
                while piles[place] and free >= bits:
                    piles[place], free = piles[place] - 1, free - bits
    return ticks


@given(
    values=st.integers(0, 60), bits=st.integers(1, 40), places=st.integers(1, 12),
    width=st.integers(1, 40), ports=st.integers(1, 6),
)  # fmt: skip
def test_cycles_against_a_clock(values, bits, places, width, ports):
    one = clocked(values, bits, 1, width, ports, each_once=False)
    assert Bus(width, channels=ports).cycles(values, bits, places) == one
    tree = clocked(values, bits, places, width, ports, each_once=False)
    assert Multicast(width, channels=ports).cycles(values, bits, places) == tree
    switched = clocked(values, bits, places, width, ports, each_once=True)
    assert Crossbar(width, ports=ports).cycles(values, bits, places) == switched
    assert Neighbour(width, ports=ports).cycles(values, bits, places) == switched
    assert Neighbour(width).cycles(values, bits, places) == clocked(values, bits, places, width, places, True)


def test_conflicts_by_hand():
    """Step 0: two want output 5. Step 1: nothing. Step 2: one source has three words. Step 3: a permutation."""
    step = [0, 0, 0, 2, 2, 2, 3, 3, 3]
    source = [0, 1, 2, 4, 4, 4, 0, 1, 2]
    destination = [5, 5, 1, 0, 1, 2, 2, 0, 1]
    assert list(conflict_cycles(step, source, destination, 4)) == [2, 0, 3, 1]
    assert list(conflict_cycles([], [], [], 2)) == [0, 0]


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (([0], [0, 1], [0]), r"^transfers: \(1,\) steps, \(2,\) sources, \(1,\) destinations$"),
        (([2], [0], [0]), r"^transfers: steps must lie in 0 ... 1 and ports be at least 0$"),
        (([-1], [0], [0]), r"^transfers: steps must lie in 0 ... 1 and ports be at least 0$"),
        (([0], [0], [-1]), r"^transfers: steps must lie in 0 ... 1 and ports be at least 0$"),
    ],
)
def test_transfers_that_cannot_be(arrays, text):
    with pytest.raises(ValueError, match=text):
        conflict_cycles(*arrays, 2)


def coloured(edges: list[tuple[int, int]]) -> list[int]:
    """A cycle for each transfer, no port used twice in one: edge colouring by alternating paths."""
    free = max((sum(e[side] == end for e in edges) for side in (0, 1) for end in range(9)), default=0)
    colour: list[int] = []
    for number, (a, b) in enumerate(edges):
        taken = [{colour[i] for i in range(number) if edges[i][side] == end} for side, end in ((0, a), (1, b))]
        first, second = (min(set(range(free)) - used) for used in taken)
        if first in taken[1]:  # walk from b along edges of colours first, second, ... and swap them
            path, end, side, want = [], b, 1, first
            while (
                found := next((i for i in range(number) if edges[i][side] == end and colour[i] == want), None)
            ) is not None:
                path.append(found)
                side, want = 1 - side, second if want == first else first
                end = edges[found][side]
            for i in path:
                colour[i] = second if colour[i] == first else first
        colour.append(first)
    return colour


transfers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(0, 8)), max_size=40)


@given(transfers=transfers, random=st.randoms(use_true_random=False))
def test_as_many_cycles_are_needed_and_are_enough(transfers, random):
    """Every step has a real schedule of exactly so many cycles, and its busiest port needs each of them."""
    columns = zip(*transfers, strict=True) if transfers else ([], [], [])
    found = conflict_cycles(*map(list, columns), 4)
    for step in range(4):
        edges = [(source, destination) for at, source, destination in transfers if at == step]
        cycles = coloured(edges)
        assert max(cycles, default=-1) + 1 == found[step]
        for side in (0, 1):
            used = [(cycle, edge[side]) for cycle, edge in zip(cycles, edges, strict=True)]
            assert len(set(used)) == len(used)
    random.shuffle(transfers)
    columns = zip(*transfers, strict=True) if transfers else ([], [], [])
    assert np.array_equal(conflict_cycles(*map(list, columns), 4), found)


def test_prices_by_hand():
    pj, source = Bus().price("hop", 32, EnergyTable())
    assert pj == pytest.approx(0.121 * 32 * 0.1)  # 100 um
    assert "Keckler et al., IEEE Micro 2011" in source
    assert source.endswith("; x a PE pitch of 100 um: guess")
    pj, source = Multicast(pitch_um=799, wire_pj_per_bit_mm=0.08).price("hop", 8, EnergyTable())
    assert pj == pytest.approx(0.08 * 8 * 0.799)
    assert source == "0.08 pJ/bit/mm given in wire_pj_per_bit_mm; x a PE pitch of 799 um: given in pitch_um"


def test_the_published_wire_gives_the_published_energy():
    """310 pJ for 256 bits over 10 mm, within the rounding of 0.121."""
    pj, _ = Bus(pitch_um=10_000).price("hop", 256, EnergyTable())
    assert pj == pytest.approx(310, rel=2e-3)
