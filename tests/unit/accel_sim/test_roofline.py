"""The roofline by hand, and its law: no layer of any machine gets above the roofs that its own bytes and lanes make."""

import json
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from accel_sim import load_hardware, plots, plots_roofline, roofline, simulate
from accel_sim.causes import CAUSES
from accel_sim.memories.dram_banked import DramBanked
from accel_sim.memories.flat import FlatDram
from tests.contracts import samples
from tests.contracts.test_dataflows import layers as any_layer

SLOW = {"memories.dram.bandwidth_bytes_per_cycle": 0.5, "memories.dram.latency_cycles": 0}
BANKED = {"memories.dram": {"name": "dram_banked", "level": "dram", "part": "ddr4_2400"}}
MACHINES = {
    f"{name} {kind}": load_hardware(name, dict(settings))
    for name in ("eie", "systolic")
    for kind, settings in (("flat", {}), ("slow", SLOW), ("banked", BANKED))
}


def frame(**columns) -> pd.DataFrame:
    """Rows of layers.csv, as far as a roofline reads them."""
    row = {
        "layer": "fc", "macs_nominal": 4000, "macs_effectual": 1000, "cycles": 100,
        "dram_read_bytes": 400, "dram_write_bytes": 100, "dram_plain_bytes": 2000,
    }  # fmt: skip
    return pd.DataFrame([row | columns])


def test_a_layer_by_hand():
    """64 lanes and 16 bytes a cycle: the ridge lies at 4 MACs a byte. 1000 MACs over 500 bytes lie below it."""
    row = roofline.table(frame(), load_hardware("eie")).iloc[0]
    assert row.to_dict() == {
        "layer": "fc", "bound": "memory", "cycles": 100, "macs_effectual": 1000, "macs_nominal": 4000,
        "dram_bytes": 500, "dram_plain_bytes": 2000, "peak_macs_per_cycle": 64, "peak_bytes_per_cycle": 16,
        "macs_per_byte": 2, "macs_per_cycle": 10, "attainable_macs_per_cycle": 32, "share": 10 / 32,
        "effective_bytes_per_cycle": 64, "nominal_macs_per_plain_byte": 2, "nominal_macs_per_cycle": 40,
    }  # fmt: skip


@pytest.mark.parametrize(("moved", "bound"), [(249, "compute"), (250, "compute"), (251, "memory")])
def test_the_ridge_belongs_to_compute(moved, bound):
    rows = roofline.table(frame(dram_read_bytes=moved, dram_write_bytes=0), load_hardware("eie"))
    assert list(rows.bound) == [bound]


def test_a_mode_with_more_products_a_cycle_lifts_the_roof():
    rows = roofline.table(frame(dram_read_bytes=100, products_per_cycle=4), load_hardware("eie"))
    assert (rows.peak_macs_per_cycle[0], rows.attainable_macs_per_cycle[0]) == (256, 16 * 1000 / 200)


def test_layers_without_macs_are_left_out_and_zeros_reach_nothing():
    machine = load_hardware("eie")
    rows = pd.concat([frame(macs_nominal=0), frame(layer="dark", macs_effectual=0), frame(layer="still", cycles=0)])
    found = roofline.table(rows, machine)
    assert found[["layer", "bound", "share"]].values.tolist() == [["dark", "memory", 0.0]]
    assert list(roofline.table(frame(macs_nominal=0), machine)) == list(roofline.COLUMNS)


def test_a_run_is_summed_by_time_and_by_bytes():
    """At the roofs the layers take 1000/32 and 1000/64 cycles; 4000 + 1000 plain bytes stand for 500 + 100."""
    rows = pd.concat([frame(dram_plain_bytes=4000), frame(dram_read_bytes=0, dram_plain_bytes=1000)])
    found = roofline.summary(roofline.table(rows, load_hardware("eie")))
    assert found["share"] == pytest.approx((1000 / 32 + 1000 / 64) / 200)
    assert found["effective_bytes_per_cycle"] == pytest.approx(16 * 5000 / 600)


@pytest.mark.parametrize(
    ("formats", "weight_bits"), [("codebook", 8), ("signed", 8), ("zero points", 8), ("narrow", 2)]
)
def test_plain_bytes_by_hand(formats, weight_bits):
    """33 x 45 weights dense, at their own width (a codebook's entries have 8 bits), 45 inputs and 33 outputs (rows of a
    map, here of one code each, begin at a byte)."""
    network, _, _ = samples.given(samples.LAYERS["fc"], formats)
    row = simulate(network, load_hardware("eie")).layers.iloc[0]
    assert row.dram_plain_bytes == 45 + 33 + -(-33 * 45 * weight_bits // 8)
    assert row.dram_read_bytes + row.dram_write_bytes != row.dram_plain_bytes


def test_what_is_moved_dense_is_plain():
    for formats in ("codebook", "signed", "zero points"):
        network, _, _ = samples.given(samples.LAYERS["padded"], formats)
        row = simulate(network, load_hardware("systolic")).layers.iloc[0]
        assert row.dram_plain_bytes == row.dram_read_bytes + row.dram_write_bytes


@pytest.mark.parametrize("name", MACHINES)
@settings(max_examples=15)
@given(
    layer=any_layer(), formats=st.sampled_from(sorted(samples.FORMATS)),
    densities=st.tuples(st.sampled_from([0.05, 0.5, 1.0]), st.sampled_from([0.05, 0.5, 1.0])),
)  # fmt: skip
def test_no_layer_gets_above_its_roofs(name, layer, formats, densities):
    machine = MACHINES[name]
    result = simulate(samples.given(layer, formats, *densities)[0], machine)
    run, bandwidth = result.layers.iloc[0], machine.dram.peak_bytes_per_cycle(machine.clock_mhz)
    assert run.dram_read_bytes + run.dram_write_bytes <= bandwidth * int(run.cycles)  # exact, in fractions
    (row,) = roofline.table(result.layers, machine).itertuples()
    assert row.macs_per_cycle <= row.attainable_macs_per_cycle * (1 + 1e-12)
    assert 0 <= row.share <= 1 + 1e-12
    assert row.nominal_macs_per_cycle <= row.effective_bytes_per_cycle * row.nominal_macs_per_plain_byte * (1 + 1e-12)
    assert row.attainable_macs_per_cycle <= row.peak_macs_per_cycle
    if row.bound == "compute":
        assert row.share == pytest.approx(run.utilization)


def test_a_starved_machine_is_bound_by_memory_and_near_its_roof():
    """A byte every other cycle: 1485 weights, 45 inputs and 33 outputs take 3126 cycles, and little else counts."""
    network, _, _ = samples.given(samples.LAYERS["fc"], inputs=1.0, weights=1.0)
    result = simulate(network, MACHINES["systolic slow"])
    (row,) = roofline.table(result.layers, MACHINES["systolic slow"]).itertuples()
    assert (row.bound, row.dram_bytes) == ("memory", 1563)
    assert row.attainable_macs_per_cycle == pytest.approx(row.macs_effectual / 3126)
    assert row.share > 0.9


def test_peaks_by_hand():
    assert FlatDram(bandwidth_bytes_per_cycle=0.75).peak_bytes_per_cycle(123) == Fraction(3, 4)
    memory = DramBanked(part="ddr4_2400", channels=2)  # 64 bits twice a clock of 0.83 ns, on two channels
    assert memory.peak_bytes_per_cycle(800) == 2 * 16 / Fraction("0.83") / Fraction("0.8")


def run_of(rows: int) -> pd.DataFrame:
    """A crowd of layers, many in the same place, as roofline.csv has them."""
    each = [
        frame(
            layer=f"stage{i}.convolution{i % 3}", cycles=100 + i % 7, macs_effectual=1000 + 150 * (i % 5),
            dram_read_bytes=30 + 8 * (i % 11) ** 2,
        )
        for i in range(rows)
    ]  # fmt: skip
    return roofline.table(pd.concat(each), load_hardware("eie"))


@pytest.mark.parametrize("rows", [1, 4, 60])
def test_names_cover_neither_each_other_nor_a_mark(rows):
    table = run_of(rows)
    with plots.house_style() as plt:
        figure = plots_roofline.draw(plt, table, {"network": "crowd", "hardware": "eie"})
        axis, renderer = figure.axes[0], figure.canvas.get_renderer()
        boxes = [Text.get_window_extent(name, renderer) for name in axis.texts]  # without the line to the mark
        marks = axis.transData.transform(table[plots_roofline.RAN].to_numpy(float))
        assert 1 <= len(boxes) <= plots_roofline.NAMED
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert not any(box.count_contains(marks) for box in boxes)
        assert all(axis.get_window_extent().count_contains(box.corners()) == 4 for box in boxes)
        plt.close(figure)


def test_the_figure_is_the_same_bytes_and_needs_a_layer(tmp_path):
    with plots.house_style() as plt:
        for name in ("a.png", "b.png"):
            plots.save(plots_roofline.draw(plt, run_of(20), {"network": "n", "hardware": "h"}), tmp_path / name)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
        dark = roofline.table(frame(macs_effectual=0), load_hardware("eie"))
        assert plots_roofline.draw(plt, dark, {}) is None
        assert plots_roofline.draw(plt, dark[:0], {}) is None


def test_a_run_of_layers_without_macs_has_two_figures(tmp_path):
    """roofline.csv is then a header, and nothing is drawn of it."""
    header = ",".join(roofline.COLUMNS)
    (tmp_path / "roofline.csv").write_text(f"{header}\n")
    causes = "".join(f"pool,{cause},,,{64 * (cause == 'post')},{int(cause == 'post')}\n" for cause in CAUSES)
    (tmp_path / "cycles.csv").write_text(f"layer,cause,level,operand,lane_slots,cycles\n{causes}")
    (tmp_path / "actions.csv").write_text("layer,component,action,energy_pj\npool,post,add,1\n")
    run = {"network": "n", "hardware": "h", "cycles": 1, "utilization": 0.0}
    (tmp_path / "summary.json").write_text(json.dumps(run))
    assert [path.name for path in plots.write(tmp_path)] == ["cycles.png", "energy.png"]
