"""SRAM macros: the table's own figures, between them, at its edges, and how far off a point is that is not there."""

import re
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accel_sim.memories import sram_macro
from accel_sim.memories.sram_macro import COLUMNS, IN_WIDTH, Grid, families, find

KIB = 1024
LSTP = (45, "itrs-lstp", "1rw")
KINDS = sorted(families())
EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: " ".join(map(str, kind)))


def macro(kind, capacity, width):
    node_nm, cell, ports = kind
    return find(capacity, width, node_nm=node_nm, cell=cell, ports=ports)


def table(shared) -> dict:
    """(node, cell, ports) -> (bytes, bits) -> figures, read by nothing of ours."""
    lines = (shared / "reference/memory/sram_cacti7.csv").read_text().splitlines()
    names, *rows = (line.split(",") for line in lines if not line.startswith("#"))
    found: dict = {}
    for row in (dict(zip(names, row, strict=True)) for row in rows):
        if row["banks"] == "1":
            kind = int(row["node_nm"]), row["cell_type"], row["ports"]
            figures = [float(row[name]) for name in ("read_pJ", "write_pJ", "leak_mW_total", "access_ns")]
            place = int(row["capacity_B"]), int(row["width_bits"])
            found.setdefault(kind, {})[place] = (*figures, float(row["area_mm2"]) * 1e6)
    return found


def test_the_shipped_table_is_the_reference(shared):
    from importlib import resources

    shipped = resources.files("accel_sim.tables.sram").joinpath("sram_cacti7.csv").read_bytes()
    assert shipped == (shared / "reference/memory/sram_cacti7.csv").read_bytes()
    assert shipped.startswith(b"# CACTI 7.0 (commit 1ffd8df)")


def test_every_row_is_hit_or_raised_to_the_dearest_smaller_one(shared):
    raised = {}
    for kind, rows in table(shared).items():
        for (capacity, width), (read, write, leakage, access, area) in rows.items():
            found = macro(kind, capacity, width)
            assert (found.leakage_mw, found.access_ns) == (leakage, access)
            assert found.area_um2 == pytest.approx(area, rel=1e-11)
            smaller = [figures for (c, w), figures in rows.items() if c <= capacity and w <= width]
            assert (found.read_pj, found.write_pj) == tuple(max(figures[i] for figures in smaller) for i in (0, 1))
            for name, figure in (("read_pj", read), ("write_pj", write)):
                place = f"{capacity} B x {width} b"
                said = f"{name} of {place} raised from {figure:g}" in found.source
                assert said == (getattr(found, name) > figure)
                if said:
                    raised[*kind, place, name] = getattr(found, name) / figure
            assert f"{capacity} B x {width} b tabulated" in found.source
    assert sum(len(rows) for rows in table(shared).values()) == 339
    assert len(raised) == 14
    assert max(raised, key=raised.get) == (*LSTP, "4096 B x 32 b", "read_pj")
    assert max(raised.values()) == pytest.approx(3.518 / 2.862)


#: reference/memory.md, section 4: read and write pJ by (node, bits); leakage mW, area mm2, access ns at 45 nm, 64 bits
MEMORY_MD = """
256    0.672/1.1  1.32/1.71  -          0.69/0.905 0.279/0.365 5.6e-05 0.00141 0.64
1024   1.32/2.06  1.67/3.49  9.13/10.7  0.895/1.9  0.38/0.785  0.0002  0.0036  0.79
4096   2.86/3.73  3.39/6.45  10.2/17.5  2.66/3.04  1.17/1.25   0.00088 0.0135  1.02
8192   5.25/4.79  6.14/7.88  11.5/26.4  3.44/4.27  1.59/1.77   0.0016  0.0263  1.06
32768  11.8/8.68  17/15.4    26.8/51.8  8.26/7.46  3.79/3.1    0.006   0.0949  1.41
131072 25.3/16.9  32.3/26.1  73.8/88.2  18.2/14.1  7.4/6.16    0.022   0.43    2.11
524288 45.7/35.7  68.3/51.4  168/161    34.8/29.1  15.3/12.2   0.083   1.64    3.07
1048576 68.4/49.1 93.5/76.2  -          52/41.2    23.5/17.5   0.17    3.26    4.02
4194304 121/102   189/155    522/472    98.7/87.9  43.9/37.9   0.66    12      6.57
"""
#: what the running maximum raises there: (bytes, node, bits)
RAISED = {(4096, 45, 32), (4096, 45, 64), (8192, 22, 64)}


def test_the_figures_of_the_reference_page():
    kinds = ((45, 32), (45, 64), (45, 256), (32, 64), (22, 64))
    for line in MEMORY_MD.strip().splitlines():
        capacity, *pairs, leakage, area, access = line.split()
        for (node_nm, width), pair in zip(kinds, pairs, strict=True):
            if pair != "-":
                found = find(int(capacity), width, node_nm=node_nm)
                read, write = map(float, pair.split("/"))
                assert found.write_pj == pytest.approx(write, rel=5e-3)
                place = int(capacity), node_nm, width
                assert (found.read_pj == pytest.approx(read, rel=5e-3)) != (place in RAISED)
                assert found.read_pj >= read * (1 - 5e-3)
        found = find(int(capacity), 64)
        assert found.leakage_mw == pytest.approx(float(leakage), rel=3e-2)  # two digits there
        assert found.area_um2 == pytest.approx(float(area) * 1e6, rel=5e-3)
        assert found.access_ns == pytest.approx(float(access), rel=6e-3)


def test_cell_types_of_the_reference_page():
    """45 nm, 64 bits, 1 MiB: pJ, mW, ns."""
    for cell, read, leakage, access in (
        ("itrs-lstp", 93.5, 0.165, 4.0), ("itrs-lop", 41.8, 53, 2.9), ("itrs-hp", 67.7, 982, 1.9)
    ):  # fmt: skip
        found = find(KIB * KIB, 64, cell=cell)
        assert (found.read_pj, found.leakage_mw) == pytest.approx((read, leakage), rel=6e-3)
        assert found.access_ns == pytest.approx(access, rel=2e-2)
        assert cell in found.source


def test_between_four_rows_is_their_mean_of_logarithms():
    found = find(2**16.5, 64)
    ends = find(1 << 16, 64), find(1 << 17, 64)
    for name in COLUMNS:
        product = getattr(ends[0], name) * getattr(ends[1], name)
        assert getattr(found, name) == pytest.approx(product**0.5, rel=1e-9)
    middle = find(2**16.5, 45.254833995939045)  # 32 * sqrt(2)
    four = [find(c, w).read_pj for c in (1 << 16, 1 << 17) for w in (32, 64)]
    assert middle.read_pj == pytest.approx((four[0] * four[1] * four[2] * four[3]) ** 0.25, rel=1e-9)
    assert middle.source == (
        "CACTI 7.0, 45 nm, itrs-lstp, 1rw: 92681.90002 B x 45.254834 b interpolated between 65536 B x 32 b, "
        "65536 B x 64 b, 131072 B x 32 b, 131072 B x 64 b"
    )


def test_a_timed_out_run_is_bridged_over_capacity():
    """CACTI exceeded its time at 1 MiB x 256 b."""
    found, ends = find(KIB * KIB, 256), (find(KIB * KIB // 2, 256), find(2 * KIB * KIB, 256))
    for name in COLUMNS:
        assert getattr(found, name) == pytest.approx((getattr(ends[0], name) * getattr(ends[1], name)) ** 0.5)
    assert found.source.endswith(": 1048576 B x 256 b interpolated over capacity, not tabulated")
    near = find(KIB * KIB, 200)
    assert near.source.endswith("(1048576 B x 256 b not tabulated: interpolated over capacity)")


@EACH
def test_only_that_point_is_bridged(kind):
    grid = families()[kind]
    bridged = set(grid.places) - set(grid.raw)
    assert bridged == ({(KIB * KIB, 256)} if kind == LSTP else set())


def test_the_last_triangle_is_inside_and_no_further():
    """32 words is the fewest: 64 B x 16 b and 128 B x 32 b are tabulated, 64 B x 32 b is not."""
    edge = find(96, 24)
    share = 0.5849625007211562  # log2(96 / 64)
    ends = find(64, 16), find(128, 32)
    assert edge.read_pj == pytest.approx(ends[0].read_pj ** (1 - share) * ends[1].read_pj ** share)
    assert edge.source.endswith(": 96 B x 24 b interpolated between 64 B x 16 b, 128 B x 32 b")
    assert find(97, 24).read_pj > edge.read_pj
    with pytest.raises(ValueError, match=r"nearest possible size: 96 B x 24 b$"):
        find(95, 24)


REFUSALS = {
    "node_nm=28 must be one of 22, 32, 45": {"node_nm": 28},
    "unknown cell 'itrs-lst'; did you mean 'itrs-lstp'? (known: itrs-hp, itrs-lop, itrs-lstp)": {"cell": "itrs-lst"},
    "unknown ports '2rw'; did you mean '1rw'? (known: 1r1w, 1rw)": {"ports": "2rw"},
    "the SRAM table has no 22 nm itrs-lstp 1r1w (it has 22 nm itrs-lstp 1rw, 32 nm itrs-lstp 1rw, 45 nm itrs-hp 1rw, "
    "45 nm itrs-lop 1rw, 45 nm itrs-lstp 1r1w, 45 nm itrs-lstp 1rw)": {"node_nm": 22, "ports": "1r1w"},
    "no SRAM macro of 63 B x 8 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); nearest possible size: 64 B x 8 b": {
        "capacity_bytes": 63, "word_bits": 8},
    "no SRAM macro of 64 B x 32 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); nearest possible size: "
    "128 B x 32 b": {"capacity_bytes": 64, "word_bits": 32},
    "no SRAM macro of 1000 B x 512 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); nearest possible size: "
    "1024 B x 256 b": {"capacity_bytes": 1000, "word_bits": 512},
    "no SRAM macro of 4096 B x 4 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); nearest possible size: "
    "4096 B x 8 b": {"word_bits": 4},
    "no SRAM macro of 4194305 B x 64 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1rw); nearest possible size: "
    "4194304 B x 64 b": {"capacity_bytes": (1 << 22) + 1},
    "no SRAM macro of 4097 B x 64 b in the table (CACTI 7.0, 45 nm, itrs-lstp, 1r1w); nearest possible size: "
    "4096 B x 64 b": {"capacity_bytes": 4097, "ports": "1r1w"},
    "no SRAM macro of 4096 B x 65 b in the table (CACTI 7.0, 45 nm, itrs-lop, 1rw); nearest possible size: "
    "4096 B x 64 b": {"word_bits": 65, "cell": "itrs-lop"},
    "no SRAM macro of 255 B x 8 b in the table (CACTI 7.0, 22 nm, itrs-lstp, 1rw); nearest possible size: "
    "256 B x 8 b": {"capacity_bytes": 255, "word_bits": 8, "node_nm": 22},
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSALS)
def test_what_the_table_lacks_is_refused_with_what_it_has(text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        find(**({"capacity_bytes": 4096, "word_bits": 64} | REFUSALS[text]))


@EACH
@given(capacity=st.integers(1, 1 << 24), width=st.integers(1, 1024))
def test_the_nearest_size_exists_and_is_itself_if_it_does(kind, capacity, width):
    grid = families()[kind]
    near = grid.nearest(capacity, width)
    assert macro(kind, *near).read_pj > 0
    assert (near == (capacity, width)) == (grid.weights(capacity, width) is not None)


@st.composite
def two_sizes(draw, kind):
    """Two macros of a kind, the second at least as large and as wide."""
    grid = families()[kind]
    top = max(grid.places)[0]
    small, large = sorted(draw(st.tuples(*[st.floats(64, top) | st.integers(64, top)] * 2)))
    narrow, wide = sorted(draw(st.tuples(*[st.floats(8, 256) | st.integers(8, 256)] * 2)))
    return grid.nearest(small, narrow), grid.nearest(large, wide)


@EACH
@given(data=st.data())
def test_nothing_falls_with_capacity_nor_energy_with_width(kind, data):
    (small, narrow), (large, wide) = data.draw(two_sizes(kind))
    assume(small <= large)
    one, other = macro(kind, small, narrow), macro(kind, large, wide)
    tight = 1 + 1e-11  # figures are rounded to 12 digits
    assert all(getattr(one, name) <= getattr(other, name) * tight for name in IN_WIDTH)
    if families()[kind].weights(small, wide) is not None:
        same_width = macro(kind, small, wide)
        assert all(getattr(same_width, name) <= getattr(other, name) * tight for name in COLUMNS)


@given(st.dictionaries(
    st.tuples(st.sampled_from([64, 128, 256, 512]), st.sampled_from([8, 16, 32])), st.floats(0.1, 10), min_size=1
), st.booleans())  # fmt: skip
def test_any_column_becomes_monotone_and_holes_raise_nothing(column, in_width):
    made = sram_macro.monotone(column, in_width)
    for (c, w), figure in made.items():
        before = [(a, b) for a, b in made if a <= c and (b <= w if in_width else b == w)]
        assert figure == max(made[place] for place in before)
        if (c, w) in column:
            assert figure == max(column[place] for place in before if place in column)
        else:
            row = [a for a, b in column if b == w]
            assert min(row) < c < max(row)


def left_out(kind) -> dict[str, list[float]]:
    """quantity -> relative error of every point that has neighbours over capacity, found without it."""
    raw = families()[kind].raw
    errors: dict[str, list[float]] = {name: [] for name in COLUMNS}
    for place in raw:
        row = sorted(capacity for capacity, width in raw if width == place[1])
        if row[0] < place[0] < row[-1]:
            grid = Grid.of({other: figures for other, figures in raw.items() if other != place})
            found = grid.at(grid.weights(*place))
            for name in COLUMNS:
                errors[name].append(abs(found[name] / raw[place][name] - 1))
    return errors


#: median and maximum error of a point left out, of energies and of the rest: measured, and rounded up
LEFT_OUT = {
    (22, "itrs-lstp", "1rw"): ((0.07, 0.28), (0.05, 0.23)),
    (32, "itrs-lstp", "1rw"): ((0.07, 0.26), (0.05, 0.15)),
    (45, "itrs-lstp", "1rw"): ((0.07, 0.32), (0.05, 0.18)),
    (45, "itrs-lstp", "1r1w"): ((0.07, 0.20), (0.08, 0.13)),
    (45, "itrs-hp", "1rw"): ((0.06, 0.24), (0.04, 0.14)),
    (45, "itrs-lop", "1rw"): ((0.12, 0.23), (0.06, 0.14)),
}


@EACH
def test_a_point_left_out_is_found_again(kind):
    """Twice as far from its neighbours as any size between two rows can be."""
    for name, errors in left_out(kind).items():
        typical, worst = LEFT_OUT[kind][name not in IN_WIDTH]
        assert median(errors) <= typical, (name, median(errors))
        assert max(errors) <= worst, (name, max(errors))
