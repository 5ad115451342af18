"""Energy and area of the small parts: registers, files of registers, MAC units and their leakage."""

from dataclasses import replace

import pytest

from accel_sim import load_hardware, simulate
from accel_sim.energy import registers
from accel_sim.energy.table import EnergyTable
from accel_sim.energy.tech_scaling import logic_energy_scale
from accel_sim.host import yaml_io
from accel_sim.machine.config import presets
from accel_sim.results.accelergy import accelergy_names, ert
from accel_sim.results.console import report
from accel_sim.results.plots import energy_table
from accel_sim.sweep.work import figures
from workloads import InputError, Layer, Network, load_network

CONV = Layer(name="c", kind="conv", C=16, H=8, W=8, M=32, R=3, S=3, padding=(1, 1, 1, 1))
NETWORK = Network("n", (CONV,), (16, 8, 8))
CLOCKED = (0.009 * 8, "a flip-flop")


def priced(result, component, *actions):
    rows = result.actions[(result.actions.component == component) & result.actions.action.isin(actions)]
    return rows.set_index(["action", "bits"])


def test_a_register_costs_what_clocks_it():
    assert registers.price("write", 8, 1, CLOCKED, 1.0) == CLOCKED
    assert registers.price("hop", 8, 1, CLOCKED, 0.5) == (0.036, "a flip-flop; x 0.5, scaled logic")
    assert registers.price("read", 8, 1, CLOCKED, 1.0)[0] == 0


def test_a_file_costs_by_its_words_and_ports():
    """8 words of 8 bits: flip-flops of a word and 8 comparators of 3 bits; 64 of 32 are a macro of 256 bytes."""
    fifo, source = registers.price("write", 8, 8, CLOCKED, 1.0)
    assert fifo == pytest.approx(0.009 * 8 + 8 * 3 / 32 * 0.0295) and "8 x 8 flip-flops" in source
    assert registers.price("write", 8, 8, CLOCKED, 0.5)[0] == fifo / 2
    read, write = (registers.price(action, 32, 64, CLOCKED, 0.5) for action in ("read", "write"))
    assert (read[0], write[0]) == (0.7602, 1.33)
    assert "1r1w: 256 B x 32 b" in read[1] == write[1]
    for words in (1 << 12, 1 << 20):
        assert "1rw" in registers.price("read", 16, words, CLOCKED, 1.0)[1]


def test_registers_of_a_systolic_array():
    """A sum is clocked with each product, an operand in each PE it passes; 0.009 pJ a bit."""
    result = simulate(NETWORK, load_hardware("systolic"))
    rows = priced(result, "register", "read", "write", "hop")
    assert rows.pj_each.to_dict() == pytest.approx({("read", 32): 0, ("write", 32): 0.009 * 32, ("hop", 8): 0.009 * 8})
    scaled = simulate(NETWORK, load_hardware("systolic", {"energy.node_nm": 20, "energy.vdd": 0.7}))
    ratio = logic_energy_scale(45, 0.9, 20, 0.7)
    assert priced(scaled, "register", "write").pj_each.item() == pytest.approx(0.009 * 32 * ratio)
    assert priced(scaled, "post", "op").pj_each.item() == pytest.approx(0.1 * ratio)


def test_a_whole_mac_with_its_registers_is_in_the_order_of_a_synthesised_one():
    """0.298 pJ (8 bits, 45 nm: Bit Fusion's synthesis, whose sums are narrower); here 0.2 + 0.1 for the arithmetic of 8
    bits, 0.43 for 48 clocked bits. No constant was fitted to it."""
    machine = load_hardware("systolic", {"mac.activation_bits": 8, "mac.weight_bits": 8})
    result = simulate(NETWORK, machine)
    rows = result.actions[result.actions.component.isin(["mac", "register"]) & (result.actions.action != "leakage")]
    each = rows.energy_pj.sum() / result.summary["macs_issued"]
    assert each == pytest.approx(0.2 + 0.1 + 48 * 0.009)
    assert each / 0.298 < 3


def test_storage_of_an_eie_lane():
    """A queue of 8 words and 64 sums a lane; the sums' file is a macro whatever the layer's rows."""
    result = simulate(NETWORK, load_hardware("eie"))
    queue, sums = priced(result, "queue", "write").iloc[0], priced(result, "accumulator", "read").iloc[0]
    assert queue.pj_each == pytest.approx(registers.price("write", 8, 8, CLOCKED, 1.0)[0])
    assert sums.pj_each == 0.7602
    deep = simulate(NETWORK, load_hardware("eie", {"dataflow.queue_depth": 64, "dataflow.accumulators": 8}))
    assert priced(deep, "queue", "write").iloc[0].pj_each > queue.pj_each
    assert priced(deep, "accumulator", "read").iloc[0].pj_each < sums.pj_each
    with pytest.raises(InputError, match="accumulators=0 must be at least 1"):
        load_hardware("eie", {"dataflow.accumulators": 0})


@pytest.mark.parametrize("name", presets())
def test_every_preset_has_an_area_and_a_leakage_that_follows_from_it(name):
    """22.952 uW of 687.6 um2: Bit Fusion's 8-bit unit at 45 nm, 500 MHz, of whose own array its source counts none."""
    machine = load_hardware(name, {"energy.leakage_mw_per_mm2": None})
    area = replace(machine, clock_mhz=500.0).areas_um2["mac"]
    assert 0 < area < machine.area_um2
    pj, source = machine.static_pj["mac", "leakage"]
    assert pj == pytest.approx(area * 1e-6 * 22.952 / 0.6876 * 1e-3 * 1e3 / machine.clock_mhz * 1e3)
    assert source.startswith(f"{area:,.0f} um2 of MAC units (") and "hsharma35/bitfusion" in source
    given = load_hardware(name, {"energy.leakage_mw_per_mm2": 2.5})
    assert given.static_pj["mac", "leakage"][0] == pytest.approx(area * 1e-6 * 2.5 * 1e3 / machine.clock_mhz)
    assert ("mac", "leakage") not in load_hardware(name, {"energy.leakage_mw_per_mm2": 0}).static_pj


def test_leakage_of_a_lane_takes_the_place_of_the_areas():
    machine = load_hardware("eie", {"energy.leakage_mw_per_lane": 0.05})
    assert machine.static_pj["mac", "leakage"][0] == pytest.approx(64 * 0.05 * 1e3 / 800)
    with pytest.raises(ValueError, match="leakage_mw_per_mm2 and leakage_mw_per_lane: expected one of the two"):
        EnergyTable(leakage_mw_per_mm2=1, leakage_mw_per_lane=1)


def test_a_pe_of_many_units_has_their_area_and_one_accumulator():
    wide, narrow = (load_hardware("loom", {"dataflow.lanes": lanes}).areas_um2["mac"] for lanes in (16, 1))
    assert 4 * narrow < wide < 16 * narrow


@pytest.mark.parametrize(
    "name, priced",
    [
        ("systolic", "product_9x9"),
        ("eie", "product_16x16"),
        ("bitfusion", "product_8x8"),
        ("dadiannao", "product_16x16"),
        ("tpu_v1", "product_8x8"),
    ],
)
def test_presets_whose_units_have_a_price_of_a_product(name, priced):
    result = simulate(NETWORK, load_hardware(name, {"energy.mac": "unit"}))
    row = result.actions[result.actions.action == priced].iloc[0]
    assert row.pj_each > 0
    told = any("product" in note and "extrapolated" in note for note in result.notes)
    assert told == row.source.startswith("extrapolated") == (name != "bitfusion")
    assert not any("energy.mac" in note for note in result.notes)


@pytest.mark.parametrize("name", ["tensor_core", "pragmatic"])
def test_presets_without_one_say_so(name):
    machine = load_hardware(name, {"energy.mac": "unit"})
    result, plain = simulate(NETWORK, machine), simulate(NETWORK, load_hardware(name))
    assert result.summary["energy_pj"] == plain.summary["energy_pj"]
    (told,) = [note for note in result.notes if "energy.mac" in note]
    assert told.startswith("energy.mac=unit changed nothing: no energy of a product is known of MAC unit '")


def test_fusion_units_are_charged_by_the_cycle():
    """235.104 pJ for 512 units in every cycle of the array, as their source has it, whatever part of them works."""
    narrow = Network("n", (Layer(name="c", kind="conv", C=1, H=8, W=8, M=1),), (1, 8, 8))
    for network in (NETWORK, narrow):
        result = simulate(network, load_hardware("bitfusion"))
        rows = result.actions[result.actions.component.isin(["mac", "register"])]
        assert rows.action.tolist() == ["cycle"]
        assert rows.energy_pj.item() == pytest.approx(235.104 * result.summary["array_cycles"])
    gated = simulate(narrow, load_hardware("bitfusion", {"mac.zero_operand_gating": True}))
    assert gated.notes == ("mac.zero_operand_gating=true changed nothing: energy.table charges its cycles, whatever "
                           "they do",)  # fmt: skip
    other = simulate(NETWORK, load_hardware("bitfusion", {"mac.name": "conventional"}))
    assert {"mult", "add"} <= set(other.actions[other.actions.component == "mac"].action)


def test_the_arrays_reduction_reaches_the_units_price():
    """16 rows of fusion units sum before an accumulator; with outputs that stay in the PEs each has its own."""
    settings = {"energy.mac": "unit"}
    summed, apart = (
        simulate(NETWORK, load_hardware("bitfusion", settings | more))
        for more in ({}, {"dataflow.stationary": "os", "dataflow.initial_sums": "zero"})
    )
    rows = [result.actions[result.actions.action == "product_8x8"].iloc[0] for result in (summed, apart)]
    assert "FU L2 IS/OS/OS" in rows[0].source and "FU L2 IS/IS/OS" in rows[1].source
    assert rows[0].pj_each < 0.7 * rows[1].pj_each
    odd = simulate(NETWORK, load_hardware("bitfusion", settings | {"array.rows": 20}))
    assert "20 units to a sum taken as 16" in odd.actions[odd.actions.action == "product_8x8"].source.iloc[0]


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"energy.node_nm": 45}, "energy.node_nm=45 changed nothing"),
        ({"energy.vdd": 0.9}, "energy.vdd=0.9 changed nothing"),
        ({"mac.headroom_bits": 6}, "mac.headroom_bits=6 changed nothing"),
        ({"energy.node_nm": 32}, None),
        ({"energy.leakage_mw_per_mm2": 3}, None),
        ({"mac.zero_operand_gating": True}, None),
        ({"mac.accumulator_bits": 40}, None),
        ({"mac.overflow": "saturate"}, None),
        ({"post.pj_per_op": 0.5}, None),
        ({"post.pj_per_op": 0.1}, "post.pj_per_op=0.1 changed nothing"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_told(settings, told):
    result = simulate(NETWORK, load_hardware("systolic", settings))
    assert [note for note in result.notes if "changed nothing" in note] == ([told] if told else [])
    assert result.summary["notes"] == list(result.notes)


def test_an_option_that_an_ert_takes_over_is_told(tmp_path):
    """Prices of another machine's run: leakage in mW and post.pj_per_op have no say."""
    plain = simulate(NETWORK, load_hardware("systolic"))
    pj = {row[1:4]: row[5] for row in plain.actions.itertuples(index=False, name=None)}
    names = accelergy_names(pj)
    path = tmp_path / "own.yaml"
    path.write_text(yaml_io.dump({"ERT": ert(("system", "x"), {names[key]: each for key, each in pj.items()})}))
    settings = {"energy.table": str(path), "energy.leakage_mw_per_mm2": 3, "post.pj_per_op": 9}
    result = simulate(NETWORK, load_hardware("systolic", settings))
    assert result.notes == ("energy.leakage_mw_per_mm2=3 changed nothing", "post.pj_per_op=9 changed nothing")


def test_a_study_has_the_memories_area_apart():
    result = simulate(NETWORK, load_hardware("systolic"))
    found = figures(result)
    assert found["area_um2"] - found["memory_area_um2"] == pytest.approx(result.machine.areas_um2["mac"])
    assert "notes" not in found


def test_the_terminal_and_the_figure_share_out_energy_alike(capsys):
    result = simulate(NETWORK, load_hardware("eie"))
    report(result, 1.0)
    line = " ".join(capsys.readouterr().out.split("energy goes to")[1].split())
    parts = energy_table(result.actions).sum()
    for name, pj in parts.items():
        assert f"{name} {100 * pj / parts.sum():.1f} %" in line
    assert "leakage" in line


def test_resnet50s_registers_do_not_outweigh_its_memories():
    """On one of its layers; as files of 0.5 KB they took 41.5 % of the network's energy."""
    layer = Layer(name="c", kind="conv", C=256, H=14, W=14, M=256, R=3, S=3, padding=(1, 1, 1, 1))
    result = simulate(Network("n", (layer,), (256, 14, 14)), load_hardware("systolic"))
    parts = energy_table(result.actions).sum()
    assert parts["register"] < parts["mac"] * 1.5


def test_lenet5_on_bitfusion_charges_array_cycles_layer_by_layer():
    result = simulate(load_network("lenet5"), load_hardware("bitfusion"))
    rows = result.actions[result.actions.action == "cycle"].set_index("layer")
    lanes = result.layers.set_index("layer").array_cycles * 512
    assert (rows["count"] == lanes[rows.index]).all()
