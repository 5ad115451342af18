"""Energy and area of registered units, and what a machine makes of them."""

import math
from itertools import pairwise

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.energy.energy_rows import area_um2
from accel_sim.energy.mac import array_energy, toggle, unit_area_um2, unit_energy
from accel_sim.energy.mac.pricing import dvafs_ratio
from accel_sim.energy.tech_scaling import area_scale, energy_factor, logic_energy_scale
from accel_sim.machine.accelerator import Accelerator
from accel_sim.macs.bit_serial import BitSerial
from accel_sim.macs.bit_serial_2d import BitSerial2d
from accel_sim.macs.conventional import Conventional
from accel_sim.macs.divide_conquer import DivideConquer
from accel_sim.macs.essential_bits import EssentialBits
from accel_sim.macs.float_mac import FloatMac
from accel_sim.macs.subword_parallel import SubwordParallel
from tests import tables
from workloads import Layer, Network, load_network
from workloads.networks.builder import few_bits
from workloads.registry import InputError

GATED = Conventional(precision_gating=True)


def pj(unit, a, w, **more):
    return unit_energy(unit, unit.mode(a, w), **more)[0]


def test_stillmaker_example():
    assert energy_factor(65, 1.3) == pytest.approx(2.604, abs=5e-4)
    assert area_scale(45, 65) == 1.5
    assert logic_energy_scale(45, 0.9, 7, 0.8) == pytest.approx(0.0774, rel=1e-3)
    assert logic_energy_scale(20, 0.9, 32, 0.8) * logic_energy_scale(32, 0.8, 20, 0.9) == pytest.approx(1)


@pytest.mark.parametrize("node, volt", [(5, 0.9), (180, 0.9), (45, 0)])
def test_no_such_node_or_voltage(node, volt):
    with pytest.raises(InputError):
        energy_factor(node, volt)


def test_toggle_rows_are_those_of_the_reference(shared):
    lines = (shared / "reference" / "precision" / "mac_gate_toggle_measured.csv").read_text().splitlines()
    header, *rows = [line.split(",") for line in lines if not line.startswith("#")]
    at = header.index("e_per_mac_eclk12")
    assert len(rows) == sum(len(modes) for _, modes in toggle.table().values()) == 70
    for row in rows:
        area, modes = toggle.table()[row[0]]
        assert (area, modes[row[1]]) == (float(row[2]), float(row[at]))


@pytest.mark.parametrize(
    "unit, ratio", [(BitSerial(), 2.5547), (BitSerial2d(), 13.833), (BitSerial(digit_bits=4), 1.4351), (GATED, 1)]
)
def test_ratios_at_full_width(unit, ratio):
    assert pj(unit, 8, 8) == pytest.approx(ratio * pj(GATED, 8, 8))


def test_bit_fusion_is_an_array_without_its_input_registers():
    for width, sharing in ((1, ("IS", "IS", "OS")), (16, ("IS", "OS", "OS"))):
        parts = array_energy("FU", "L2", sharing, 4, 4, 500)
        expected = sum(parts.values()) - parts["in_reg"]
        assert pj(DivideConquer(), 4, 4, clock_mhz=500, reduction_width=width) == pytest.approx(expected)
    with pytest.raises(InputError, match="reduction_width=3"):
        pj(DivideConquer(), 4, 4, reduction_width=3)


def test_serial_activations_mirror_serial_weights():
    weights, activations = BitSerial(), BitSerial(serial="activations")
    modes = {mode.name: mode for mode in activations.modes}
    assert unit_energy(activations, modes["2x8"])[0] == pj(weights, 8, 2)


def test_a_width_between_is_scaled_by_cycles():
    assert pj(BitSerial(), 8, 3) == pytest.approx(pj(BitSerial(), 8, 4) * 3 / 4)


def laws(a, w, total):
    """45 nm, by hand: a multiplier of Horowitz's power law and an adder of his line."""
    mult = 0.2 * (min(a, w) / 8) ** (math.log(3.1 / 0.2) / math.log(4)) * max(a, w) / min(a, w)
    return mult + {16: 0.05, 32: 0.1}.get(total, 0.0067 + 0.0029 * total)


@pytest.mark.parametrize("bits", [9, 16])
def test_other_widths_are_the_measured_unit_by_the_width_laws(bits):
    """Accumulators of a product and 4 bits on both sides, whatever the machine's are."""
    wide = Conventional(activation_bits=bits, weight_bits=bits, accumulator_bits=48)
    energy, source = unit_energy(wide, wide.modes[0])
    assert energy == pytest.approx(pj(GATED, 8, 8) * laws(bits, bits, 2 * bits + 4) / laws(8, 8, 20))
    assert source.startswith(f"extrapolated: {bits}x{bits} by the width laws of its components from 8x8; ")
    area, where = unit_area_um2(wide)
    assert area > unit_area_um2(GATED)[0] * bits / 8 and where.startswith("extrapolated: from 8x8 by the width laws")


def test_the_width_laws_agree_with_a_synthesis(shared):
    """Bit Fusion's fixed units at 45 nm, 16 bits over 8: 3.18 times the energy, 3.20 the area (ours 7 and 13 % off)."""
    synthesised = tables.read(shared / "reference" / "precision" / "bitfusion_synth_45nm.csv")
    fixed = [row for row in synthesised if row["n"] == row["m"] == "1" and row["pmin"] == row["pmax"]]
    rows = {int(row["pmax"]): row for row in fixed}
    wide, narrow = (Conventional(activation_bits=bits, weight_bits=bits) for bits in (16, 8))
    for ours, column, off in ((unit_energy, "pj_per_cycle_per_unit", 0.08), (unit_area_um2, "area_um2", 0.15)):
        large, small = (ours(unit, *(unit.modes if ours is unit_energy else ()))[0] for unit in (wide, narrow))
        assert large / small == pytest.approx(float(rows[16][column]) / float(rows[8][column]), rel=off)


def test_serial_units_of_other_widths_and_digits():
    """16 x 16 serial in activations is 8 x 8 by the laws; a digit of 8 bits is the conventional unit's product."""
    stripes = BitSerial(activation_bits=16, weight_bits=16, serial="activations")
    assert pj(stripes, 16, 16) > 2 * pj(BitSerial(serial="activations"), 8, 8)
    tpu = BitSerial2d(activation_bits=16, weight_bits=16, digit_bits=8)
    assert pj(tpu, 8, 8) == pytest.approx(pj(GATED, 8, 8) * (laws(8, 8, 20) + 0.05) / laws(8, 8, 20))
    assert "extrapolated" in unit_energy(tpu, tpu.mode(16, 16))[1]


def test_an_area_where_nothing_is_measured_by_hand():
    """45 nm: a gate for the sign, an adder of 24 bits, an accumulator of 32 bits and its flip-flops; shared by 16 units
    that a tree of adders of the product's width joins."""
    unit = EssentialBits(activation_bits=8, weight_bits=16, accumulator_bits=32)
    gate, adder, accumulator, flip_flops = 282 / 8 ** math.log(3495 / 282, 4) * 16, 1 + 4.23 * 24, 137, 32 * 5.98
    area, source = unit_area_um2(unit, node_nm=45)
    assert area == pytest.approx(gate + adder + accumulator + flip_flops) and source.startswith("extrapolated")
    shared, _ = unit_area_um2(unit, shared=16, node_nm=45)
    assert shared == pytest.approx(gate + adder + (accumulator + flip_flops + 15 * adder) / 16)


def test_a_floating_point_unit_is_as_large_as_its_parts():
    """fp16 products (1640), fp32 sums (4184) and a register of 32 flip-flops, 45 nm."""
    assert unit_area_um2(FloatMac(), node_nm=45)[0] == pytest.approx(1640 + 4184 + 32 * 5.98)


def test_areas_keep_their_measured_ratios():
    one = unit_area_um2(GATED)[0]
    assert unit_area_um2(BitSerial())[0] / one == pytest.approx(0.576)
    assert unit_area_um2(GATED, node_nm=45)[0] == pytest.approx(one * area_scale(28, 45))


def test_node_and_voltage_scale_logic():
    assert pj(GATED, 8, 8, vdd=0.7) / pj(GATED, 8, 8) == pytest.approx(logic_energy_scale(28, 0.9, 28, 0.7))


def test_dvafs_voltage():
    unit = SubwordParallel()
    assert [dvafs_ratio(unit, mode) for mode in unit.modes] == pytest.approx([1, (0.75 / 1.1) ** 0.5, 0.75 / 1.1])
    assert dvafs_ratio(GATED, GATED.modes[-1]) == 1


@pytest.mark.parametrize("bits, products", [(8, 1), (4, 2), (2, 4)])
def test_a_run_at_the_dvafs_voltage(bits, products):
    """28 nm between Stillmaker and Baas' 20 and 32 nm, energy a V^2 + b V + c, by hand: the voltage of 0.9 V falls by
    0.75/1.1 for four products a cycle and by its root for two."""
    volt = 0.9 * (0.75 / 1.1) ** (math.log2(products) / 2)

    def factor(v):
        small, large = 0.373 * v**2 - 0.1582 * v + 0.04104, 0.9559 * v**2 - 0.7823 * v + 0.471
        return small + (28 - 20) / (32 - 20) * (large - small)

    layer = Layer(name="c", kind="conv", C=8, H=4, W=4, M=8)
    network = few_bits(Network("n", (layer,), (8, 4, 4)), {"c": (bits, bits)})
    settings = {"mac.name": "subword_parallel", "energy.mac": "unit", "dataflow.asymmetric": "correction"}
    plain, scaled = (
        simulate(network, load_hardware("systolic", settings | {"energy.dvafs": dvafs})) for dvafs in (False, True)
    )
    rows = [result.actions[result.actions.action.str.startswith("product_")] for result in (plain, scaled)]
    assert [row.action.tolist() for row in rows] == [[f"product_{bits}x{bits}"]] * 2
    assert rows[1].pj_each.item() / rows[0].pj_each.item() == pytest.approx(factor(volt) / factor(0.9))
    assert plain.summary["cycles"] == scaled.summary["cycles"]
    told = [note for note in scaled.notes if "dvafs" in note]
    assert told == ([] if products > 1 else [
        "energy.dvafs=true changed nothing: no mode of MAC unit 'subword_parallel' in this run makes more products a "
        "cycle than its widest"
    ])  # fmt: skip


def machine(**energy) -> Accelerator:
    fields = {"mac.name": "subword_parallel", **{f"energy.{key}": value for key, value in energy.items()}}
    return load_hardware("systolic", fields)


def test_a_run_is_priced_by_its_products():
    network = load_network("lenet5")
    plain, priced = (simulate(network, machine(**energy)) for energy in ({}, {"mac": "unit"}))
    rows = priced.actions[(priced.actions.component == "mac") & priced.actions.action.str.startswith("product_")]
    unit = priced.machine.mac
    for row in rows.itertuples():
        run = next(run for run in priced.runs if run.layer.name == row.layer)
        each = unit_energy(unit, run.mode, clock_mhz=priced.machine.clock_mhz)[0]
        assert (row.count, row.energy_pj) == (run.facts.macs_issued, pytest.approx(run.facts.macs_issued * each))
    assert len(rows) == sum(run.mode is not None for run in priced.runs)
    assert not priced.actions[priced.actions.component == "mac"].action.isin(["mult", "add"]).any()
    sums = priced.actions[(priced.actions.component == "register") & priced.actions.action.isin(["read", "write"])]
    assert sums.empty  # the unit's own accumulator
    moved = [result.actions[result.actions.action == "hop"].energy_pj.sum() for result in (plain, priced)]
    assert moved[0] == moved[1] > 0
    memories = sum(area for name, area in priced.machine.areas_um2.items() if name != "mac")
    lanes = priced.machine.array.lanes
    area = unit_area_um2(unit, clock_mhz=priced.machine.clock_mhz)[0]
    assert priced.summary["area_um2"] == pytest.approx(memories + lanes * area)
    assert plain.summary["area_um2"] == pytest.approx(memories + lanes * area * area_scale(28, 45))


def test_wrong_fields():
    for energy, message in (
        ({"dvafs": True}, "dvafs: needs mac: unit"),
        ({"node_nm": 3}, "node_nm=3 must be between 7 and 130"),
        ({"mac": "magic"}, "energy.mac"),
    ):
        with pytest.raises(InputError, match=message):
            machine(**energy)


def test_an_adder_of_a_width_that_the_table_lacks_lies_on_the_line_through_its_rows():
    """The line through 36, 67 and 137 um2 of 8, 16 and 32 bits (Horowitz, ISSCC 2014), by numpy."""
    slope, foot = np.polyfit([8, 16, 32], [36, 67, 137], 1)
    for bits in (9, 20, 40):
        assert area_um2("horowitz_45nm", "add", bits) == pytest.approx(foot + slope * bits, rel=1e-2)
    assert area_um2("horowitz_45nm", "add", 16) == 67


def test_the_wider_an_array_sums_the_less_an_accumulator_costs_each_product():
    """At 2 bits; where 16 products are summed at level 3 and how at level 4: HS 4, OS 16 of each (Camus et al.)."""
    unit = DivideConquer()
    found = [unit_energy(unit, unit.mode(2, 2), reduction_width=width) for width in (1, 4, 16, 64, 256)]
    assert [source.partition("L2 ")[2][:8] for _, source in found] == [
        "IS/IS/OS", "HS/IS/OS", "IS/OS/OS", "HS/OS/OS", "OS/OS/OS"
    ]  # fmt: skip
    assert all(wide[0] < narrow[0] for narrow, wide in pairwise(found))
    for width in (2, 63, 65):
        with pytest.raises(InputError, match=f"^reduction_width={width} must be one of 1, 4, 16, 64, 256$"):
            unit_energy(unit, unit.mode(2, 2), reduction_width=width)
