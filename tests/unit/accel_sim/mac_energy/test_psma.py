"""The component model against the published arrays: refitted, and with what it predicts left out."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from accel_sim.mac_energy import array_area_um2, array_energy, fit, psma
from accel_sim.mac_energy.structure import Structure

DESIGN, FAMILY = ["style", "bg", "l4", "l3", "l2"], ["style", "bg"]


@pytest.fixture(scope="module")
def frame(shared):
    return fit.read(shared / "reference" / "precision" / "psma72_energy_area_28nm.csv")


def predicted(rows: pd.DataFrame, table: dict) -> pd.DataFrame:
    table, found = defaultdict(lambda: (0.0, 0.0), table), []
    for row in rows.itertuples():
        design = (row.style, row.bg, (row.l4, row.l3, row.l2))
        bits = (int(text) for text in row.prec.split("x"))
        energy = sum(array_energy(*design, *bits, row.freq_mhz, table).values())
        found.append((energy, array_area_um2(*design, row.freq_mhz, table)))
    return pd.DataFrame(found, index=rows.index, columns=["pj", "um2"])


def left_out(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    groups = frame.groupby(by).groups.values()
    return pd.concat([predicted(frame.loc[rows], fit.fit(frame.drop(rows))) for rows in groups]).loc[frame.index]


def errors(found: pd.Series, truth: pd.Series) -> tuple[float, float, float]:
    """(median, largest relative error, rank correlation)."""
    off = (found / truth - 1).abs()
    return off.median(), off.max(), found.rank().corr(truth.rank())


def test_shipped_coefficients_are_the_fit(frame, tmp_path):
    fit.write(fit.fit(frame), tmp_path / "fit.csv")
    lines = (tmp_path / "fit.csv").read_text().splitlines()
    again = [line.split(",") for line in lines if line[0] != "#"][1:]
    assert {(c, f) for c, f, *_ in again} == set(psma.coefficients())
    for component, feature, *values in again:
        assert psma.coefficients()[component, feature] == pytest.approx([float(v) for v in values], rel=1e-5, abs=1e-9)


def test_arrays_it_was_fitted_to(frame):
    found = predicted(frame, psma.coefficients())
    median, worst, rank = errors(found.pj, frame.energy_pj_per_mac)
    assert median < 0.10 and worst < 0.50 and rank > 0.98


def test_designs_it_has_not_seen(frame):
    """Target: median 15 %, largest 40 %, rank correlation 0.9. The largest is missed: 16 of 286 rows are off by more
    than 40 %, 8 of them of a serial array that leaves two to learn from. The features were chosen with these same
    designs in view, so that these errors are lower than those of designs nobody has looked at."""
    found = left_out(frame, DESIGN)
    median, worst, rank = errors(found.pj, frame.energy_pj_per_mac)
    assert median < 0.13 and worst < 0.66 and rank > 0.97
    median, worst, rank = errors(found.um2, frame.area_um2)
    assert median < 0.08 and worst < 0.36 and rank > 0.95


@pytest.mark.slow
def test_families_it_has_not_seen(frame):
    """No prediction: the multiplier and the joining tree of a family have coefficients of their own. Order survives."""
    found = left_out(frame, FAMILY)
    median, worst, rank = errors(found.pj, frame.energy_pj_per_mac)
    assert median < 0.65 and worst < 0.95 and rank > 0.85


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
    from accel_sim.mac_energy.nnls import nnls

    draw = np.random.default_rng(1)
    for _ in range(20):
        matrix, truth = draw.random((30, 6)), draw.normal(size=6).clip(0)
        assert nnls(matrix, matrix @ truth) == pytest.approx(truth, abs=1e-9)
        x = nnls(matrix, target := draw.normal(size=30))
        slope = matrix.T @ (target - matrix @ x)  # optimal: none can fall, and those at 0 only rise
        assert (x >= 0).all() and (slope <= 1e-8).all() and np.abs(slope[x > 0]).max(initial=0) < 1e-8
