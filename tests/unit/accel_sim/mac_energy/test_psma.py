"""The component model against the published arrays: refitted, and with what it predicts left out."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from accel_sim.energy.mac import array_area_um2, array_energy, array_source, fit, psma
from accel_sim.energy.mac.structure import Structure

DESIGN, FAMILY = ["style", "bg", "l4", "l3", "l2"], ["style", "bg"]


REFERENCE = "reference/precision/psma72_energy_area_28nm.csv"


@pytest.fixture(scope="module")
def frame(shared):
    return fit.read(shared / REFERENCE)


def predicted(rows: pd.DataFrame, table: dict) -> pd.DataFrame:
    table, found = defaultdict(lambda: (0.0, 0.0), table), []
    for row in rows.itertuples():
        design = (row.style, row.bg, (row.l4, row.l3, row.l2))
        bits = (int(text) for text in row.prec.split("x"))
        energy = sum(array_energy(*design, *bits, row.freq_mhz, table).values())
        found.append((energy, array_area_um2(*design, row.freq_mhz, table)))
    return pd.DataFrame(found, index=rows.index, columns=["pj", "um2"])


def left_out(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    groups = frame.groupby(by if len(by) > 1 else by[0]).groups.values()
    return pd.concat([predicted(frame.loc[rows], fit.fit(frame.drop(rows))) for rows in groups]).loc[frame.index]


def errors(found: pd.Series, truth: pd.Series) -> tuple[float, float, float]:
    """(median, largest relative error, rank correlation)."""
    off = (found / truth - 1).abs()
    return off.median(), off.max(), found.rank().corr(truth.rank())


def test_shipped_coefficients_are_the_fit(shared, tmp_path):
    fit.main(shared / REFERENCE, tmp_path / "fit.csv")
    lines = (tmp_path / "fit.csv").read_text().splitlines()
    again = [line.split(",") for line in lines if line[0] != "#"][1:]
    designs = {feature for component, feature, *_ in again if component == psma.FITTED}
    assert {design.name for design in psma.fitted()} == designs and len(designs) == 33
    again = [row for row in again if row[0] != psma.FITTED]
    assert {(c, f) for c, f, *_ in again} == set(psma.coefficients())
    for component, feature, *values in again:
        assert psma.coefficients()[component, feature] == pytest.approx([float(v) for v in values], rel=1e-5, abs=1e-9)


def test_arrays_it_was_fitted_to(frame):
    found = predicted(frame, psma.coefficients())
    median, worst, rank = errors(found.pj, frame.energy_pj_per_mac)
    assert median < 0.10 and worst < 0.50 and rank > 0.98


@pytest.mark.slow
def test_designs_it_has_not_seen(frame):
    """Target: median 15 %, largest 40 %, rank correlation 0.9. The largest is missed: 19 of 286 rows are off by more
    than 40 %, 8 of them of a serial array that leaves two to learn from. The features were chosen with these same
    designs in view, so that these errors are lower than those of designs nobody has looked at."""
    found = left_out(frame, DESIGN)
    median, worst, rank = errors(found.pj, frame.energy_pj_per_mac)
    assert median < 0.12 and worst < 0.66 and rank > 0.97
    assert ((found.pj / frame.energy_pj_per_mac - 1).abs() > 0.4).sum() <= 19
    median, worst, rank = errors(found.um2, frame.area_um2)
    assert median < 0.08 and worst < 0.36 and rank > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "by, bounds", [(["kind"], (0.17, 0.93, 0.90)), (FAMILY, (0.40, 0.93, 0.87)), (["style"], (0.68, 0.94, 0.84))]
)
def test_kinds_it_has_not_seen(frame, by, bounds):
    """No prediction (the worst is out by ten times): what the tables mark as extrapolated. Order survives.

    kind: style, level and sharing of the bit groups, sharing of L2."""
    frame = frame.assign(kind=[str(fit.structure(row).kind) for row in frame.itertuples()])
    found = left_out(frame, by)
    median, worst, rank = errors(found.pj, frame.energy_pj_per_mac)
    assert (median, worst) < bounds[:2] and worst < bounds[1] and rank > bounds[2]


#: pJ per MAC of two arrays that are not among the fitted ones, in MODES: precision.md 1c of the reference
MODES = ((8, 8), (8, 4), (8, 2), (4, 4), (2, 2))
BIT_BLADE = ("FU", "L3", ("IS", "OS", "OS")), (0.873, 0.430, 0.210, 0.212, 0.052)
SERIAL = ("FU", "BS", ("IS", "OS", "OS")), (0.901, 0.490, 0.259, 0.237, 0.059)


@pytest.mark.parametrize("design, published", [BIT_BLADE, SERIAL])
def test_two_arrays_that_were_not_fitted(design, published):
    """The first of a kind (L2 shared, inside bit groups at L3) of which no design was: the level inside sums 16
    products where the fitted ones sum 4, so that there are a quarter of the trees."""
    for mode, pj in zip(MODES, published, strict=True):
        assert sum(array_energy(*design, *mode, 200).values()) == pytest.approx(pj, rel=0.12)


def test_shared_trees_come_out_cheaper_than_half_shared_ones():
    """All nine at 200 MHz; at 1 GHz deep arrays pay more for their input registers.

    And the cheapest arrays are the published ones: sub-word at 8 x 8; of the others those that join bit groups at L3 at
    200 MHz, those that join them in time at 1 GHz."""
    for mode, clock in ((mode, clock) for mode in MODES for clock in (200, 1000)):
        kinds = {
            (bg, l4, l3, l2): sum(array_energy("FU", bg, (l4, l3, l2), *mode, clock).values())
            for bg in ("L2", "L3", "BS")
            for l2 in {"L2": ("IS", "HS", "OS"), "L3": ("HS", "OS"), "BS": ("OS",)}[bg]
            for l4 in ("IS", "HS", "OS")
            for l3 in ("IS", "HS", "OS")
        }
        for (bg, l4, l3, l2), energy in kinds.items():
            assert clock != 200 or not (bg == "L3" and l2 == "OS") or energy < kinds[bg, l4, l3, "HS"]
        if mode != (8, 4) and mode != (8, 2):
            assert min(kinds, key=kinds.get)[0] == {200: "L3", 1000: "BS"}[clock]
        subword = min(
            sum(array_energy("SWU", "L2", (l4, l3, l2), 8, 8, clock).values())
            for l4 in ("IS", "HS", "OS") for l3 in ("IS", "HS", "OS") for l2 in ("NO", "OS")
        )  # fmt: skip
        assert mode != (8, 8) or subword < min(kinds.values())


def test_trees_by_hand():
    """Bit groups at L2: 256 trees of 16 products of 4 bits. At L3 behind half-shared L2: 16 x 4 trees of sums of four
    products, behind shared L2: 16 trees of sums of 16."""
    trees = {l2: Structure("FU", "L3", ("IS", "OS", l2)).group_inputs for l2 in ("IS", "HS", "OS")}
    assert trees == {"IS": (256, 4), "HS": (64, 6), "OS": (16, 8)}
    assert Structure("FU", "L2", ("IS", "OS", "OS")).group_inputs == (256, 4)
    assert Structure("FU", "BS", ("IS", "OS", "OS")).pipe_bits == 256 * 8
    assert Structure("FU", "BS", ("IS", "OS", "HS")).pipe_bits == 256 * 4 * 6


def test_sources_say_what_was_fitted():
    measured, other, foreign = (
        array_source(*design)
        for design in (("FU", "L2", ("IS", "OS", "OS")), ("FU", "L2", ("OS", "OS", "OS")), BIT_BLADE[0])
    )
    assert measured.endswith("FU L2 IS/OS/OS") and not measured.startswith("extrapolated")
    assert other.endswith("FU L2 OS/OS/OS, which is not among the fitted designs")
    assert foreign.startswith("extrapolated: no design with style FU, bit groups OS at L3, L2 OS was fitted; ")
    with pytest.raises(ValueError, match="style"):
        array_source("XU", "L2", ("IS", "OS", "OS"))


@pytest.mark.parametrize("mode, macs", [((8, 8), 256), ((8, 4), 512), ((8, 2), 1024), ((4, 4), 1024), ((2, 2), 4096)])
def test_macs_a_cycle(mode, macs):
    for bg in ("L2", "L3", "BS"):
        assert Structure("FU", bg, ("IS", "OS", "OS")).macs_per_cycle(*mode) == macs
    if mode[0] == mode[1]:
        assert Structure("SWU", "L2", ("IS", "OS", "OS")).macs_per_cycle(*mode) == 256 * 8 // mode[0]


def test_bit_fusion_by_hand():
    """16 sums of 16 products of 16 + 4 + 4 bits; two sides of 4 x 16 words of 32 bits."""
    parts = Structure("FU", "L2", ("IS", "OS", "OS"))
    assert (parts.outputs, parts.depth, parts.output_bits(8, 8), parts.input_bits) == (16, 4, 16 * 24, 4096)
    assert parts.output_bits(2, 2) == 16 * (4 + 4 + 4 + 4)
    assert Structure("FU", "L2", ("IS", "IS", "IS")).output_bits(2, 2) == 256 * 16 * 8


def test_clocks_between_and_beyond():
    slow, middle, fast = (
        sum(array_energy("FU", "L2", ("IS", "OS", "OS"), 8, 8, clock).values()) for clock in (200, 600, 1000)
    )
    assert middle == pytest.approx((slow + fast) / 2)
    assert array_energy("FU", "L2", ("IS", "OS", "OS"), 8, 8, 50) == array_energy(
        "FU", "L2", ("IS", "OS", "OS"), 8, 8, 200
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("XU", "L2", ("IS", "OS", "OS"), 8, 8, 200), "style"),
        (("SWU", "L3", ("IS", "OS", "OS"), 8, 8, 200), "bg"),
        (("FU", "L2", ("IS", "OS"), 8, 8, 200), "sharing"),
        (("FU", "L2", ("IS", "OS", "OS"), 8, 3, 200), "8 x 3"),
    ],
)
def test_what_does_not_exist(arguments, message):
    with pytest.raises(ValueError, match=message):
        array_energy(*arguments)


def test_nnls():
    from accel_sim.energy.mac.nnls import nnls

    draw = np.random.default_rng(1)
    for _ in range(20):
        matrix, truth = draw.random((30, 6)), draw.normal(size=6).clip(0)
        assert nnls(matrix, matrix @ truth) == pytest.approx(truth, abs=1e-9)
        x = nnls(matrix, target := draw.normal(size=30))
        slope = matrix.T @ (target - matrix @ x)  # optimal: none can fall, and those at 0 only rise
        assert (x >= 0).all() and (slope <= 1e-8).all() and np.abs(slope[x > 0]).max(initial=0) < 1e-8
