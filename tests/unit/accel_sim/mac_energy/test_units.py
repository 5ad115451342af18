"""Energy and area of registered units, and what a machine makes of them."""

import pytest

from accel_sim import load_hardware, simulate
from accel_sim.accelerator import Accelerator
from accel_sim.mac_energy import array_energy, toggle, unit_area_um2, unit_energy
from accel_sim.mac_energy.pricing import dvafs_ratio
from accel_sim.macs.bit_serial import BitSerial
from accel_sim.macs.bit_serial_2d import BitSerial2d
from accel_sim.macs.conventional import Conventional
from accel_sim.macs.divide_conquer import DivideConquer
from accel_sim.macs.subword_parallel import SubwordParallel
from accel_sim.tech_scaling import area_scale, energy_factor, logic_energy_scale
from workloads import load_network
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


def test_width_laws_where_nothing_is_measured():
    wide = Conventional(activation_bits=16, weight_bits=16)
    energy, source = unit_energy(wide, wide.modes[0])
    assert energy == pytest.approx(0.2 * 2**1.977 + 0.1, rel=1e-3) and "width laws" in source
    assert unit_area_um2(wide) == (None, "no measured area of this unit")


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
    others = [result.actions[result.actions.component != "mac"].energy_pj.sum() for result in (plain, priced)]
    assert others[0] == others[1]
    memories = sum(area for name, area in priced.machine.areas_um2.items() if name != "mac")
    lanes = priced.machine.array.lanes
    area = unit_area_um2(unit, clock_mhz=priced.machine.clock_mhz)[0]
    assert plain.summary["area_um2"] is None
    assert priced.summary["area_um2"] == pytest.approx(memories + lanes * area)


def test_wrong_fields():
    for energy, message in (
        ({"dvafs": True}, "dvafs: needs mac: unit"),
        ({"node_nm": 3}, "node_nm=3 must be between 7 and 130"),
        ({"mac": "magic"}, "energy.mac"),
    ):
        with pytest.raises(InputError, match=message):
            machine(**energy)
