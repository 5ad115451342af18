"""What every MAC unit promises: modes, tables of cost, exact products, refusals by name, and actions with a price."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import simulate
from accel_sim.energy import table as energy
from accel_sim.macs.unit import MacUnit
from accel_sim.parts import macs
from accel_sim.values.actions import Actions
from workloads import InputError
from workloads.walk import walk

from . import samples

ALL = {name: samples.default(part) for name, part in macs.items()}
PARTS = {name: part for name, part in ALL.items() if part.integer}
FLOATS = {name: part for name, part in ALL.items() if not part.integer}
MACHINES = {
    f"{name} in {preset}": machine for name in PARTS for preset, machine in samples.machines("mac", name).items()
}
SIGNS = list(itertools.product((True, False), repeat=2))


@pytest.mark.parametrize("part", FLOATS.values(), ids=FLOATS)
def test_a_unit_of_no_integers_refuses_every_layer_in_one_line(part):
    assert part.modes == ()
    name = macs.name_of(part)
    with pytest.raises(ValueError, match=rf"^MAC unit '{name}': .* not integer codes \(4x2 bits\)") as held:
        part.check_mode(4, 2)
    assert "\n" not in str(held.value)
    for machine in samples.machines("mac", name).values():
        assert computed(machine, samples.given(samples.LAYERS["fc"], "narrow")[0]) is None
        rows = energy.price(part.actions(1000, 500), energy.EnergyTable(), machine.levels, None, {})
        assert all(pj > 0 and source for *_, pj, _, source in rows)


@pytest.mark.parametrize("part", ALL.values(), ids=ALL)
def test_its_accumulator_is_defined(part):
    assert isinstance(part, MacUnit)
    assert 2 <= part.accumulator_bits <= 62
    assert part.overflow in ("wrap", "saturate")
    assert part.__dataclass_params__.frozen


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_its_modes_are_sane(part):
    names = [mode.name for mode in part.modes]
    assert len(set(names)) == len(names)
    widest = part.modes[0]
    for mode in part.modes:
        assert (mode.activation_bits, mode.weight_bits) <= (widest.activation_bits, widest.weight_bits), "widest first"
        assert min(mode.activation_bits, mode.weight_bits, mode.reduction, mode.outputs, mode.cycles) >= 1
        taken = part.mode(mode.activation_bits, mode.weight_bits)
        assert taken.macs_per_cycle >= mode.macs_per_cycle >= part.modes[0].macs_per_cycle
        assert part.sum_bits(mode.product_bits) == mode.sum_bits
        parts = part.components(mode)
        assert parts["accumulators"] == (mode.outputs, mode.sum_bits)
        assert mode.outputs * mode.sum_bits <= part.accumulator_register_bits
        assert parts["cycles"] == mode.cycles
        assert all(min(each) >= 1 for each in (*parts["multipliers"], *parts["adders"]))


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_its_cost_is_a_table_over_all_codes(part):
    for mode, (a_signed, w_signed) in itertools.product(part.modes, SIGNS):
        cost = part.cost(mode, a_signed, w_signed)
        entries = 1 << mode.activation_bits, 1 << mode.weight_bits
        assert cost.table.shape in (entries[:1], entries)
        assert cost.table.dtype == np.int32
        assert cost.a_min == (-entries[0] // 2 if a_signed else 0)
        assert cost.w_min == (None if cost.table.ndim == 1 else -entries[1] // 2 if w_signed else 0)
        if cost.operator in ("max", "sum"):
            assert 0 <= cost.table.min() <= cost.table.max() <= mode.cycles
        if cost.classes is not None:
            assert (cost.classes.shape, cost.classes.dtype) == (cost.table.shape, np.uint8)
            assert cost.classes.max() < len(cost.names)


def drawn(part, side, low, end, shape, rng):
    """Random operands of those that the unit takes."""
    every = np.arange(low, end)
    return rng.choice(every[part.takes(every, side)], shape)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_its_products_are_those_of_the_integers(part):
    rng = np.random.default_rng(5)
    for mode, (a_signed, w_signed) in itertools.product(part.modes, SIGNS):
        shape = (2, 20, mode.outputs, mode.reduction)
        a, w = (
            drawn(part, side, -(1 << bits >> 1) if signed else 0, 1 << bits >> signed, shape, rng)
            for side, bits, signed in (
                ("activations", mode.activation_bits, a_signed), ("weights", mode.weight_bits, w_signed),
            )
        )  # fmt: skip
        got = part.products(a, w, mode, a_signed, w_signed)
        assert got.dtype == np.int64
        assert np.array_equal(got, (a * w).sum(axis=-1)), (mode.name, a_signed, w_signed)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_it_takes_some_operands_and_refuses_wider_ones_by_name(part):
    name = macs.name_of(part)
    taken = set()
    for widths in [(a, w) for a in range(1, 34) for w in range(1, 34)]:
        try:
            mode = part.mode(*widths)
            taken.add(widths)
            assert (mode.activation_bits >= widths[0], mode.weight_bits >= widths[1]) == (True, True)
        except ValueError as refusal:
            assert str(refusal).startswith(f"MAC unit '{name}': ")
            assert "\n" not in str(refusal)
            with pytest.raises(ValueError, match=f"^MAC unit '{name}': "):
                part.check_mode(*widths)
    assert taken
    assert (33, 33) not in taken
    assert all(a + w <= part.accumulator_bits for a, w in taken), "a product that no accumulator holds"


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(issued=st.integers(0, 1 << 40), share=st.floats(0, 1))
def test_actions_are_counts_that_grow_with_the_work(part, issued, share):
    effectual = int(share * issued)
    counts = part.actions(issued, effectual)
    assert isinstance(counts, Actions)
    assert all(isinstance(count, int) and count >= 0 for count in counts.values())
    assert sum(part.actions(0, 0).values()) == 0
    assert all(part.actions(issued + 1, effectual + 1)[key] >= count for key, count in counts.items())
    for mode in part.modes:
        whole = mode.reduction * mode.outputs
        counts = part.actions(whole * issued, whole * effectual, mode)
        twice = part.actions(2 * whole * issued, 2 * whole * effectual, mode)
        assert (twice == counts.times(2)) or part.zero_operand_gating


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_action_has_a_price_with_a_source(machine):
    for mode in machine.mac.modes:
        counts = machine.mac.actions(1000, 500, mode)
        rows = energy.price(counts, machine.energy, machine.levels, None, {})
        assert len(rows) == len(counts) > 0
        assert all(pj >= 0 and source for *_, pj, _, source in rows)


def computed(machine, network):
    """The checked result, or None where the dataflow does not take the unit's mode."""
    name = macs.name_of(machine.mac)
    try:
        return simulate(network, machine, check=True)
    except InputError as refusal:
        assert f"MAC unit '{name}': " in str(refusal)
        ((_, operands),) = walk(network, 0)
        with pytest.raises(ValueError, match=f"MAC unit '{name}': "):
            machine.dataflow.mode(machine.mac, operands)
        return None


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("name", ["crooked", "fc_batch"])
def test_a_machine_computes_with_it(machine, name):
    layer = samples.LAYERS[name]
    network, x, w = samples.given(layer, "narrow", mac=machine.mac)
    naive, result = samples.convolution(layer, x, w), computed(machine, network)
    if result is not None:
        assert np.array_equal(result.sums[name], naive.sums)
        assert (result.layers.macs_nominal[0], result.layers.macs_effectual[0]) == (layer.macs, naive.effectual)


@pytest.mark.slow
def test_gating_saves_energy_and_no_cycle():
    for machine in MACHINES.values():
        network, _, _ = samples.given(samples.LAYERS["fc"], "narrow", mac=machine.mac)
        gated, plain = (
            computed(replace(machine, mac=replace(machine.mac, zero_operand_gating=gating)), network)
            for gating in (True, False)
        )
        if plain is not None:
            assert gated.cycles.equals(plain.cycles)
            sums = [each.actions.groupby("component").energy_pj.sum()["mac"] for each in (gated, plain)]
            assert sums[0] <= sums[1]
