"""Vector arrays against a model that advances a clock by one, on random layers, units and run-ahead registers."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.machine.accelerator import Array
from accel_sim.macs.conventional import Conventional
from accel_sim.macs.dynamic_serial_2d import DynamicSerial2d
from accel_sim.macs.group_precision import GroupPrecision
from accel_sim.macs.unit import CostTable
from accel_sim.mapping.mapper import MappingRules
from accel_sim.run.session import Session
from accel_sim.run.simulate import tile_layer
from accel_sim.values.work import Timed
from accel_sim.works.timed import timed
from tests.contracts import samples
from tests.oracle import vector_machine
from workloads import InputError, Layer
from workloads.walk import walk


@dataclass(frozen=True)
class TwoStage(Conventional):
    """Set bits of magnitudes, through a shifter of two stages."""

    reach: int = 1

    def cost(self, mode, a_signed=True, w_signed=True):
        low = -(1 << mode.activation_bits >> 1) if a_signed else 0
        values = np.abs(low + np.arange(1 << mode.activation_bits)).astype(np.int32)
        return CostTable(values, low, operator="two_stage", reach=self.reach)


@dataclass(frozen=True)
class TermProduct(Conventional):
    """Set bits of one operand times those of the other; ``crossed``: no order of weights is dearer for all codes."""

    crossed: bool = False

    def cost(self, mode, a_signed=True, w_signed=True):
        def terms(bits, signed):
            low = -(1 << bits >> 1) if signed else 0
            return low, np.array([abs(low + code).bit_count() for code in range(1 << bits)], np.int32)

        (a_min, a), (w_min, w) = terms(mode.activation_bits, a_signed), terms(mode.weight_bits, w_signed)
        pairs = np.abs(a[:, None] - w[None, :]) + 1 if self.crossed else a[:, None] * w[None, :]
        return CostTable(pairs.astype(np.int32), a_min, w_min)


def conv(step, of):
    """Columns' cycles where each lasts as long as ``of`` says of its own brick."""
    return [of(values) for values in step["columns"]]


def pairs(step, of):
    return [
        max(1, *(of(a, w) for weights in step["filters"] for a, w in zip(values, weights, strict=True)))
        for values in step["columns"]
    ]


def shared(step, lanes, group, trim, factor=1):
    wide, columns = group // lanes, step["columns"]
    parts = [columns[first : first + wide] for first in range(0, len(columns), wide)]
    return [
        factor * vector_machine.group_cycles([v for values in part for v in values], trim)
        for part in parts
        for _ in part
    ]


LANES = 2
WIDE = {"activation_bits": 9, "weight_bits": 9, "accumulator_bits": 40}
#: title -> (MAC unit, what a step costs by the oracle)
UNITS = {
    "max": (Conventional(**WIDE), lambda step: conv(step, lambda _: 1)),
    "two_stage 0": (TwoStage(reach=0, **WIDE), lambda step: conv(step, lambda v: essential(v, 0))),
    "two_stage 2": (TwoStage(reach=2, **WIDE), lambda step: conv(step, lambda v: essential(v, 2))),
    "pairs": (TermProduct(**WIDE), lambda step: pairs(step, lambda a, w: bits(a) * bits(w))),
    "crossed pairs": (
        TermProduct(crossed=True, **WIDE),
        lambda step: pairs(step, lambda a, w: abs(bits(a) - bits(w)) + 1),
    ),
    "group of a brick": (GroupPrecision(group_values=2, **WIDE), lambda step: shared(step, LANES, 2, True)),
    "group of two": (
        GroupPrecision(group_values=4, trim=False, **WIDE), lambda step: shared(step, LANES, 4, False),
    ),
    "loom": (
        DynamicSerial2d(group_values=6, **WIDE), lambda step: shared(step, LANES, 6, True, factor=8),
    ),
}  # fmt: skip


def bits(value: int) -> int:
    return abs(value).bit_count()


def essential(values: list[int], reach: int) -> int:
    return vector_machine.essential_cycles([abs(value) for value in values], reach)


def machine(title: str, layer: Layer, rows: int, cols: int, registers: int | None):
    """Buffers hold any small layer whole, and it is one tile."""
    whole = {"groups": layer.G, "pixels": layer.N * layer.E * layer.F, "filters": layer.M // layer.G, "k": layer.K}
    mac = UNITS[title][0]
    made = load_hardware("stripes", {"mac": mac | WIDE} if isinstance(mac, dict) else {})
    flow = replace(made.dataflow, lanes=LANES, column_registers=registers, precision="format")
    mac = made.mac if isinstance(mac, dict) else mac
    return replace(
        made, array=Array(rows, cols), mac=mac, dataflow=flow, mapping=MappingRules(layers={"*": {"tiles": whole}})
    )


def took(made, network, layer: Layer) -> Timed:
    session = Session.start(network, made)
    ((_, operands),) = walk(network, 0)
    tiles = list(tile_layer(layer, operands, session))
    assert len(tiles) == 1
    return timed(tiles[0].work, made.array.lanes)


def plain(layer: Layer, x, w) -> dict:
    letters = {name: getattr(layer, name) for name in "NGCHWMRSEF"}
    more = {name: getattr(layer, name) for name in ("stride", "padding", "dilation")}
    return {**letters, **more, "x": samples.real(x).tolist(), "w": samples.real(w).tolist()}


@st.composite
def layers(draw) -> Layer:
    groups, size = draw(st.integers(1, 2)), st.integers(1, 5)
    try:
        return Layer(
            name="any", kind="conv", G=groups, C=groups * draw(st.integers(1, 5)), M=groups * draw(st.integers(1, 4)),
            H=draw(size), W=draw(size), R=draw(st.integers(1, 2)), S=draw(st.integers(1, 3)), N=draw(st.integers(1, 2)),
            stride=(draw(st.integers(1, 2)), 1), padding=tuple(draw(st.integers(0, 1)) for _ in range(4)),
        )  # fmt: skip
    except InputError:
        assume(False)


@pytest.mark.parametrize("title", UNITS)
@settings(max_examples=10)
@given(
    layer=layers(), rows=st.integers(1, 3), cols=st.integers(1, 4), registers=st.sampled_from([0, 0, 1, 2, None]),
    density=st.sampled_from([0.3, 1.0]), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_layer(title, layer, rows, cols, registers, density, seed):
    assume(layer.E * layer.F > 1)
    network, x, w = samples.given(layer, "signed", density, density, seed)
    got = took(machine(title, layer, rows, cols, registers), network, layer)
    steps = vector_machine.brick_list(plain(layer, x, w), LANES, rows, cols)
    cycles, busy, waiting, unmapped = vector_machine.run(steps, UNITS[title][1], rows, cols, registers)
    assert got.cycles == cycles
    states = got.slots["effectual"] + got.slots["ineffectual"], got.slots["imbalance"], got.slots["unmapped"]
    assert states == (busy, waiting, unmapped)


@pytest.mark.parametrize("title", UNITS)
@settings(max_examples=5)
@given(
    channels=st.integers(1, 9), filters=st.integers(1, 14), rows=st.integers(1, 3), cols=st.integers(1, 4),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_layer_of_one_window(title, channels, filters, rows, cols, seed):
    layer = Layer(name="fc", kind="fc", C=channels, M=filters)
    network, x, w = samples.given(layer, "signed", 0.8, 0.8, seed)
    got = took(machine(title, layer, rows, cols, 0), network, layer)
    steps = vector_machine.brick_list(plain(layer, x, w), LANES, rows, 1)
    order = vector_machine.fed(steps, -(-filters // rows), cols)
    assert got.cycles == vector_machine.staggered(order, UNITS[title][1], rows, cols)


def test_a_column_of_one_register_begins_when_the_last_has_begun_the_step_before():
    """Two columns, bricks of 3 and 1, then 1 and 3 cycles: together 6; one ahead: 1 begins step 1 at cycle 1."""
    layer = Layer(name="two", kind="conv", C=4, M=1, H=1, W=2)
    network, x, _ = samples.given(layer, "signed", 1.0, 1.0)
    x.values[0, :, 0, 0], x.values[0, :, 0, 1] = [7, 0, 1, 0], [1, 0, 7, 0]
    cycles = {d: took(machine("two_stage 2", layer, 1, 2, d), network, layer).cycles for d in (0, 1, None)}
    assert cycles == {0: 6, 1: 4, None: 4}


@pytest.mark.parametrize(
    ("preset", "a_digits", "w_digits"), [("stripes", 8, 8), ("loom", 8, 8), ("shapeshifter", 8, 8)]
)
def test_lanes_and_rows_without_a_product_cost_nothing(preset, a_digits, w_digits):
    """5 x 3 products on 16 lanes x 16 rows: one-bit multiplications for every bit of both operands."""
    layer = Layer(name="fc", kind="fc", C=5, M=3)
    network, x, w = samples.given(layer, "signed", 1.0, 1.0)
    x.values[...], w.values[...] = -128, -128
    actions = simulate(network, load_hardware(preset, {"mac.trim": False} if preset != "stripes" else {})).actions
    (count,) = actions[(actions.component == "mac") & (actions.action == "mult")]["count"]
    assert count == 5 * 3 * a_digits * w_digits


def test_a_narrow_group_saves_cycles_and_the_energy_of_loom():
    layer = Layer(name="fc", kind="fc", C=5, M=3)
    network, x, _ = samples.given(layer, "signed", 1.0, 1.0)
    x.values[...] = 3
    actions = simulate(network, load_hardware("loom")).actions
    (count,) = actions[(actions.component == "mac") & (actions.action == "mult")]["count"]
    assert count == 5 * 3 * 2 * 8


def test_refusals():
    layer = samples.LAYERS["fc"]
    network, _, _ = samples.given(layer)
    with pytest.raises(
        InputError, match=r"^layer 'fc': MAC unit 'group_precision': group_values=3 must be a multiple of"
    ):
        made = machine("group of two", layer, 2, 2, 0)
        took(replace(made, mac=replace(made.mac, group_values=3)), network, layer)
