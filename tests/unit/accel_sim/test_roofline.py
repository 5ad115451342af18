"""The roofline by hand, and its law: no layer of any machine gets above the roofs that its own bytes and lanes make."""

import json
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from accel_sim import load_hardware, simulate
from accel_sim.machine.config import from_tree, to_tree
from accel_sim.memories.dram_banked import DramBanked
from accel_sim.memories.flat import FlatDram
from accel_sim.results import plots, plots_roofline
from accel_sim.run import roofline
from accel_sim.values.causes import CAUSES, Slots, bound, sentence
from tests.contracts import samples
from tests.contracts.test_dataflows import layers as any_layer
from tests.unit.accel_sim.test_hierarchies import build, glb
from workloads.layer import Layer

SLOW = {"memories.dram.bandwidth_gb_s": 0.5, "memories.dram.latency_ns": 0}
BANKED = {"memories.dram": {"name": "dram_banked", "level": "dram", "part": "ddr4_2400"}}
MACHINES = {
    f"{name} {kind}": load_hardware(name, dict(settings))
    for name in ("eie", "systolic")
    for kind, settings in (("flat", {}), ("slow", SLOW), ("banked", BANKED))
}


def frame(**columns) -> pd.DataFrame:
    """Rows of layers.csv, as far as a roofline reads them."""
    row = {
        "layer": "fc", "macs_nominal": 4000, "macs_issued": 1000, "macs_effectual": 500, "cycles": 100,
        "dram_read_bytes": 400, "dram_write_bytes": 100, "dram_plain_bytes": 2000,
    }  # fmt: skip
    return pd.DataFrame([row | columns])


def waits(layers: pd.DataFrame, **slots: int) -> pd.DataFrame:
    """Rows of cycles.csv: the same slots for each layer, those of the outermost memory for weights."""
    rows = [
        (layer, cause, *(("dram", "weights") if cause.startswith("dram") else ("", "")), count)
        for layer in layers.layer
        for cause, count in (slots or {"dram_read": 1}).items()
    ]
    return pd.DataFrame(rows, columns=["layer", "cause", "level", "operand", "lane_slots"])


def table(layers: pd.DataFrame, **slots: int) -> pd.DataFrame:
    return roofline.table(layers, waits(layers, **slots), load_hardware("eie"))


def test_a_layer_by_hand():
    """64 lanes and 16 bytes a cycle: the ridge lies at 4 MACs a byte. 1000 issued MACs over 500 bytes lie below it;
    what bounds the layer is what its slots say."""
    row = table(frame(), dram_read=30, effectual=8, unmapped=2).iloc[0]
    assert row.to_dict() == {
        "layer": "fc", "bound": "dram_read", "cause": "dram_read", "level": "dram", "operand": "weights",
        "bound_share": 0.75, "cycles": 100, "macs_issued": 1000, "macs_effectual": 500, "macs_nominal": 4000,
        "dram_bytes": 500, "dram_plain_bytes": 2000, "peak_macs_per_cycle": 64, "peak_bytes_per_cycle": 16,
        "macs_per_byte": 2, "macs_per_cycle": 10, "attainable_macs_per_cycle": 32, "share": 10 / 32,
        "effective_bytes_per_cycle": 64, "nominal_macs_per_plain_byte": 2, "nominal_macs_per_cycle": 40,
    }  # fmt: skip


@pytest.mark.parametrize(("unmapped", "bound"), [(19, "dram_read"), (20, "compute"), (21, "compute")])
def test_half_of_the_slots_belong_to_compute(unmapped, bound):
    """Whatever the intensity: below the ridge, and yet bound by what the array does of itself."""
    row = table(frame(), dram_read=25, effectual=5, unmapped=unmapped).iloc[0]
    assert (row.bound, row.cause) == (bound, "unmapped" if bound == "compute" else "dram_read")


def test_a_mode_with_more_products_a_cycle_lifts_the_roof():
    rows = table(frame(dram_read_bytes=100, products_per_cycle=4))
    assert (rows.peak_macs_per_cycle[0], rows.attainable_macs_per_cycle[0]) == (256, 16 * 1000 / 200)


def test_layers_without_macs_are_left_out_and_zeros_reach_nothing():
    rows = pd.concat([frame(macs_nominal=0), frame(layer="dark", macs_issued=0), frame(layer="still", cycles=0)])
    found = table(rows)
    assert found[["layer", "bound", "share"]].values.tolist() == [["dark", "dram_read", 0.0]]
    assert list(table(frame(macs_nominal=0))) == list(roofline.COLUMNS)


def test_a_run_is_summed_by_time_and_by_bytes():
    """At the roofs the layers take 1000/32 and 1000/64 cycles; 4000 + 1000 plain bytes stand for 500 + 100."""
    rows = pd.concat([frame(dram_plain_bytes=4000), frame(dram_read_bytes=0, dram_plain_bytes=1000, layer="b")])
    found = roofline.summary(table(rows))
    assert found["share"] == pytest.approx((1000 / 32 + 1000 / 64) / 200)
    assert found["effective_bytes_per_cycle"] == pytest.approx(16 * 5000 / 600)


def test_a_roof_for_each_port_of_each_level_by_hand():
    """eie: 64 lanes with a word of 64 bits a cycle (spmat), two of 16 (ptr), one of 16 (act), all on shared ports."""
    found = {(roof.level, roof.port): roof.peak_bytes_per_cycle for roof in roofline.roofs(load_hardware("eie"))}
    assert found == {
        ("dram", "channel"): 16, ("spmat", "read+write"): 512, ("spmat", "fill"): 512, ("ptr", "read+write"): 256,
        ("ptr", "fill"): 256, ("act", "read+write"): 128, ("act", "fill"): 128, ("act_noc", "network"): 2,
    }  # fmt: skip
    three = build("systolic", glb(fill_bytes_per_cycle=24))
    found = {(roof.level, roof.port): roof.peak_bytes_per_cycle for roof in roofline.roofs(three)}
    assert found["glb", "fill"] == 24
    assert ("glb", "read") not in found  # it feeds no array
    apart = load_hardware("bitfusion")  # its obuf has 32 banks of words of 32 bits with a port for each way
    found = {(roof.level, roof.port): roof.peak_bytes_per_cycle for roof in roofline.roofs(apart)}
    assert (found["obuf", "read"], found["obuf", "write"]) == (128, 128)


def test_bytes_of_a_port_are_whole_words_of_its_actions():
    actions = pd.DataFrame(
        [("fc", "spmat", "read", 64, 10), ("fc", "spmat", "fill", 64, 4), ("fc", "act_noc", "hop", 8, 64 * 20),
         ("fc", "dram", "read", 8, 400), ("fc", "dram", "write", 8, 100), ("fc", "mac", "mult", 8, 9)],
        columns=["layer", "component", "action", "bits", "count"],
    )  # fmt: skip
    found = roofline.roof_table(frame(), actions, load_hardware("eie")).set_index(["level", "port"])
    moved = {("dram", "channel"): 500, ("spmat", "read+write"): 80, ("spmat", "fill"): 32, ("act_noc", "network"): 20}
    assert found.bytes.to_dict() == moved
    assert found.macs_per_byte["spmat", "read+write"] == 1000 / 80
    assert found.attainable_macs_per_cycle.to_dict() == {
        ("dram", "channel"): 32, ("spmat", "read+write"): 64, ("spmat", "fill"): 64, ("act_noc", "network"): 64,
    }  # fmt: skip
    assert list(roofline.roof_table(frame(macs_nominal=0), actions, load_hardware("eie"))) == list(
        roofline.ROOF_COLUMNS
    )


def test_a_single_ported_inner_level_is_no_roof_of_the_outermost_memory():
    """Three levels, one shared bank next to the array: what waits is charged to it, and figures say so."""
    l2 = {"name": "sram", "level": "l2", "capacity_kib": 2048, "word_bits": 256, "banks": 4}
    l1 = {"name": "sram", "level": "l1", "capacity_kib": 512, "word_bits": 128, "banks": 1, "ports": "1rw"}
    tree = to_tree(load_hardware("systolic", {"dataflow.stationary": "ws"}))
    tree["memories"][1:] = [level | {"holds": ["inputs", "weights", "outputs"]} for level in (l2, l1)]
    machine = from_tree(tree, "three")
    layer = Layer(name="conv", kind="conv", C=64, H=14, W=14, M=64, R=1, S=1)
    result = simulate(samples.given(layer)[0], machine)
    (row,) = roofline.table(result.layers, result.cycles, machine).itertuples()
    by_cause = result.cycles.groupby("cause").lane_slots.sum()
    assert by_cause["sram"] > 0.5 * by_cause.sum() > 5 * by_cause["dram_read"]
    assert (row.bound, row.level) == ("sram", "l1")
    ports = roofline.roof_table(result.layers, result.actions, machine)
    assert {("dram", "channel"), ("l2", "fill"), ("l1", "read+write")} <= set(zip(ports.level, ports.port, strict=True))
    (spot,) = roofline.marks(roofline.table(result.layers, result.cycles, machine), ports).itertuples()
    own = ports[(ports.level == "l1") & (ports.port == "read+write")].macs_per_byte.iloc[0]
    assert (spot.x, spot.y) == (own, row.macs_per_cycle)
    assert sentence(Slots.of(result.cycles)).startswith("sram takes ")


@pytest.mark.parametrize("name", ["systolic flat", "eie flat", "systolic banked", "eie slow"])
@settings(max_examples=12)
@given(layer=any_layer(), formats=st.sampled_from(sorted(samples.FORMATS)), stationary=st.sampled_from(["os", "ws"]))
def test_every_bound_agrees_with_the_cycles_of_its_run(name, layer, formats, stationary):
    """Counted here from the rows alone, for the table, the sentence and the terminal's cell."""
    machine = MACHINES[name]
    if name.startswith("systolic"):
        tree = to_tree(machine)
        tree["dataflow"]["stationary"] = stationary
        machine = from_tree(tree, name)
    result = simulate(samples.given(layer, formats)[0], machine)
    whole = result.cycles.groupby("cause").lane_slots.sum()
    own = whole[["effectual", "ineffectual", "unmapped", "imbalance"]].sum()
    expected = "compute" if 2 * own >= whole.sum() else whole.drop(
        ["effectual", "ineffectual", "unmapped", "imbalance"]).max()  # fmt: skip
    (row,) = roofline.table(result.layers, result.cycles, machine).itertuples()
    if expected == "compute":
        assert row.bound == "compute"
    else:
        assert whole[row.bound] == expected
        same = result.cycles[result.cycles.cause == row.bound]
        place = same[(same.level == row.level) & (same.operand == row.operand)]
        assert place.lane_slots.max() == same.lane_slots.max()
    text = sentence(Slots.of(result.cycles))
    assert text.startswith(f"{row.bound} takes {100 * row.bound_share:.0f} %")
    assert row.cause in str(bound(result.runs[0].causes))


@pytest.mark.parametrize(
    ("formats", "input_bits", "weight_bits"),
    [("codebook", 8, 8), ("signed", 8, 8), ("zero points", 8, 8), ("narrow", 4, 2)],
)
def test_plain_bytes_by_hand(formats, input_bits, weight_bits):
    """33 x 45 weights dense, at their own width (a codebook's entries have 8 bits), 45 inputs one behind the other and
    33 outputs that no layer with MACs reads (8 bits)."""
    network, _, _ = samples.given(samples.LAYERS["fc"], formats)
    row = simulate(network, load_hardware("eie")).layers.iloc[0]
    assert row.dram_plain_bytes == -(-45 * input_bits // 8) + 33 + -(-33 * 45 * weight_bits // 8)
    assert row.dram_read_bytes + row.dram_write_bytes != row.dram_plain_bytes


def test_what_is_moved_dense_is_plain():
    for formats in ("codebook", "signed", "zero points"):
        network, _, _ = samples.given(samples.LAYERS["padded"], formats)
        row = simulate(network, load_hardware("systolic")).layers.iloc[0]
        assert row.dram_plain_bytes == row.dram_read_bytes + row.dram_write_bytes


@pytest.mark.slow
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
    (row,) = roofline.table(result.layers, result.cycles, machine).itertuples()
    assert row.macs_per_cycle <= row.attainable_macs_per_cycle * (1 + 1e-12)
    assert 0 <= row.share <= 1 + 1e-12
    assert row.nominal_macs_per_cycle <= row.effective_bytes_per_cycle * row.nominal_macs_per_plain_byte * (1 + 1e-12)
    assert row.attainable_macs_per_cycle <= row.peak_macs_per_cycle


def test_a_starved_machine_is_bound_by_memory_and_near_its_roof():
    """A byte every other cycle: 1485 weights, 45 inputs and 33 outputs take 3126 cycles, and little else counts."""
    network, _, _ = samples.given(samples.LAYERS["fc"], inputs=1.0, weights=1.0)
    result = simulate(network, MACHINES["systolic slow"])
    (row,) = roofline.table(result.layers, result.cycles, MACHINES["systolic slow"]).itertuples()
    assert (row.bound, row.level, row.operand, row.dram_bytes) == ("dram_read", "dram", "weights", 1563)
    assert row.attainable_macs_per_cycle == pytest.approx(row.macs_issued / 3126)
    assert row.share > 0.9


def test_peaks_by_hand():
    assert FlatDram(bandwidth_gb_s=0.75).peak_bytes_per_cycle(125) == 6
    memory = DramBanked(part="ddr4_2400", channels=2)  # 64 bits twice a clock of 0.83 ns, on two channels
    assert memory.peak_bytes_per_cycle(800) == 2 * 16 / Fraction("0.83") / Fraction("0.8")


def run_of(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A crowd of layers, many in the same place, as roofline.csv and roofs.csv have them."""
    each = [
        frame(
            layer=f"stage{i}.convolution{i % 3}", cycles=100 + i % 7, macs_issued=1000 + 150 * (i % 5),
            dram_read_bytes=30 + 8 * (i % 11) ** 2,
        )
        for i in range(rows)
    ]  # fmt: skip
    layers = pd.concat(each)
    actions = pd.DataFrame([
        (row.layer, component, "read", bits, row.dram_read_bytes)
        for row in layers.itertuples()
        for component, bits in (("dram", 8), ("spmat", 64), ("act", 16))
    ], columns=["layer", "component", "action", "bits", "count"])  # fmt: skip
    return table(layers), roofline.roof_table(layers, actions, load_hardware("eie"))


SAID = "dram_read takes 75 % of lane-slots, most of it dram_read of weights at dram (60 %); " + "and so on " * 20


def texts(figure) -> list[Text]:
    """Titles, labels, legends and names: all texts but those of ticks, which may lie outside the axes unseen."""
    ticks = {id(t) for axis in figure.axes for side in (axis.xaxis, axis.yaxis) for t in side.findobj(Text)}
    ticks -= {id(side.label) for axis in figure.axes for side in (axis.xaxis, axis.yaxis)}
    return [text for text in figure.findobj(Text) if text.get_text() and id(text) not in ticks]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 4, 60])
def test_names_cover_neither_each_other_nor_a_mark_and_none_is_cut_off(rows):
    layers, ports = run_of(rows)
    with plots.house_style() as plt:
        figure = plots_roofline.draw(plt, layers, ports, "a network of a long name on a machine " * 4, SAID)
        axis, renderer = figure.axes[0], figure.canvas.get_renderer()
        spots = roofline.marks(layers, ports)
        names = [text for text in axis.texts if text.get_text() in set(spots.layer)]
        boxes = [Text.get_window_extent(name, renderer) for name in names]  # without the line to the mark
        places = axis.transData.transform(spots[["x", "y"]].to_numpy(float))
        assert 1 <= len(boxes) <= plots_roofline.NAMED
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert not any(box.count_contains(places) for box in boxes)
        assert all(axis.get_window_extent().count_contains(box.corners()) == 4 for box in boxes)
        whole = figure.bbox.padded(2)
        for text in texts(figure):
            box = Text.get_window_extent(text, renderer)
            assert whole.count_contains(box.corners()) == 4, text.get_text()
        assert len(axis.collections) >= len(spots)  # a mark for each layer, none merged into another
        plt.close(figure)


@pytest.mark.slow
def test_the_figure_is_the_same_bytes_and_needs_a_layer(tmp_path):
    layers, ports = run_of(20)
    with plots.house_style() as plt:
        for name in ("a.png", "b.png"):
            plots.save(plots_roofline.draw(plt, layers, ports, "n on h", "said"), tmp_path / name)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
        dark = table(frame(macs_issued=0))
        assert plots_roofline.draw(plt, dark, ports[:0], "", "") is None
        assert plots_roofline.draw(plt, dark[:0], ports[:0], "", "") is None


def test_a_run_of_layers_without_macs_has_two_figures(tmp_path):
    """roofline.csv and roofs.csv are then headers, and nothing is drawn of them."""
    for name, columns in (("roofline.csv", roofline.COLUMNS), ("roofs.csv", roofline.ROOF_COLUMNS)):
        (tmp_path / name).write_text(f"{','.join(columns)}\n")
    causes = "".join(f"pool,{cause},,,{64 * (cause == 'post')},{int(cause == 'post')}\n" for cause in CAUSES)
    (tmp_path / "cycles.csv").write_text(f"layer,cause,level,operand,lane_slots,cycles\n{causes}")
    (tmp_path / "actions.csv").write_text("layer,component,action,energy_pj\npool,post,add,1\n")
    run = {"network": "n", "hardware": "h", "cycles": 1, "utilization": 0.0}
    (tmp_path / "summary.json").write_text(json.dumps(run))
    assert [path.name for path in plots.write(tmp_path)] == ["cycles.png", "energy.png"]
