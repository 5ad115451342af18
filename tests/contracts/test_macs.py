"""What every MAC unit promises: it refuses operands it cannot take, and its actions have a price."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import energy, simulate
from accel_sim.actions import Actions
from accel_sim.parts import macs

from . import samples

PARTS = {name: samples.default(part) for name, part in macs.items()}
MACHINES = {
    f"{name} in {preset}": machine for name in macs.names() for preset, machine in samples.machines("mac", name).items()
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_its_accumulator_is_defined(part):
    assert 2 <= part.accumulator_bits <= 62
    assert part.overflow in ("wrap", "saturate")
    assert part.__dataclass_params__.frozen


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_it_takes_some_operands_and_refuses_wider_ones_by_name(part):
    name = macs.name_of(part)
    taken = set()
    for widths in [(a, w) for a in range(1, 65) for w in range(1, 65)]:
        try:
            part.check_mode(*widths)
            taken.add(widths)
        except ValueError as refusal:
            assert str(refusal).startswith(f"MAC unit '{name}': ")
            assert "\n" not in str(refusal)
    assert taken
    assert (64, 64) not in taken
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
    twice = part.actions(2 * issued, 2 * effectual)
    assert twice == counts.times(2)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_action_has_a_price_with_a_source(machine):
    counts = machine.mac.actions(1000, 500)
    rows = energy.price(counts, machine.energy, machine.levels, None, {})
    assert len(rows) == len(counts)
    assert all(pj >= 0 and source for *_, pj, _, source in rows)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("name", ["crooked", "fc_batch"])
def test_a_machine_computes_with_it(machine, name):
    layer = samples.LAYERS[name]
    network, x, w = samples.given(layer, "narrow")
    naive, result = samples.convolution(layer, x, w), simulate(network, machine, check=True)
    assert np.array_equal(result.outputs[name], naive.sums)
    assert (result.layers.macs_nominal[0], result.layers.macs_effectual[0]) == (layer.macs, naive.effectual)


def test_gating_saves_energy_and_no_cycle():
    for machine in MACHINES.values():
        if hasattr(machine.mac, "zero_operand_gating"):
            network, _, _ = samples.given(samples.LAYERS["fc"])
            gated, plain = (
                simulate(network, replace(machine, mac=replace(machine.mac, zero_operand_gating=gating)))
                for gating in (True, False)
            )
            assert gated.cycles.equals(plain.cycles)
            sums = [each.actions.groupby("component").energy_pj.sum()["mac"] for each in (gated, plain)]
            assert sums[0] <= sums[1]
