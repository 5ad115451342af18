"""MAC units with modes on the systolic array: against a clocked array, by hand, and over a small network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.parts import macs
from tests.oracle.patches import patches
from tests.oracle.systolic_modes import Clocked, matmul
from tests.unit.accel_sim.layers import Case
from workloads import load_network
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands
from workloads.quantise import quantise_network

UNITS = {
    "together": {"name": "divide_conquer"},
    "apart": {"name": "divide_conquer", "sharing": "apart"},
    "one side": {"name": "divide_conquer", "dimensions": 1, "sharing": "apart"},
    "serial": {"name": "bit_serial", "digit_bits": 2},
    "serial twice": {"name": "bit_serial_2d", "digit_bits": 4},
    "sub-words": {"name": "subword_parallel"},
}
#: no words, banks or latencies in the way
FED = {
    f"memories.{level}.{field}": value
    for level in ("input_sram", "weight_sram", "output_sram")
    for field, value in (("banks", 64), ("latency_cycles", 0))
}


def operands(layer: Layer, a_bits: int, w_bits: int, seed: int) -> MacOperands:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 1 << a_bits, layer.input_shape) * (rng.random(layer.input_shape) < 0.7)
    w = rng.integers(-(1 << (w_bits - 1)), 1 << (w_bits - 1), layer.weight_shape)
    return MacOperands(
        Codes(x.astype(np.uint8), NumberFormat(a_bits, False)), Codes(w.astype(np.int8), NumberFormat(w_bits, True))
    )


def run(case: Case, unit: dict, more: dict):
    return case.run("systolic", {"mac": unit} | FED | more)


@st.composite
def layers(draw):
    if draw(st.booleans()):
        return Layer(
            name="fc", kind="fc", C=draw(st.integers(1, 20)), M=draw(st.integers(1, 9)), N=draw(st.integers(1, 4))
        )
    return Layer(
        name="conv", kind="conv", C=draw(st.integers(1, 5)), M=draw(st.integers(1, 6)), H=4, W=3,
        R=draw(st.integers(1, 2)), S=draw(st.integers(1, 3)), padding=(1, 0, 0, 1),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    layers(), st.sampled_from(list(UNITS)), st.sampled_from([(8, 8), (8, 4), (4, 4), (2, 2)]), st.integers(1, 3),
    st.integers(1, 3), st.sampled_from(["os", "ws", "is"]), st.booleans(), st.integers(0, 99),
    st.sampled_from(["whole", "used"]),
)  # fmt: skip
def test_cycles_slots_and_outputs_are_those_of_a_clocked_array(
    layer, unit, bits, rows, cols, stationary, taps, seed, part_folds
):
    case = Case(layer, operands(layer, *bits, seed))
    order = "taps" if taps else "im2col"
    ran = run(
        case, UNITS[unit],
        {"array.rows": rows, "array.cols": cols, "dataflow.stationary": stationary, "dataflow.reduction_order": order,
         "dataflow.part_folds": part_folds},
    )  # fmt: skip
    mode = ran.mode.reduction, ran.mode.outputs, ran.mode.cycles
    array = Clocked(rows, cols, mode, part_folds == "used")
    a = patches(case.operands.inputs.integers().astype(np.int64), layer)[:, 0]
    b = case.operands.weights.integers().astype(np.int64).reshape(-1, layer.K).T
    out = matmul(a, b, array, stationary, layer.R * layer.S if taps else 1)
    assert ran.array_cycles == array.cycles
    assert (ran.facts.macs_issued, ran.macs_effectual) == (array.macs, array.effectual)
    assert ran.slots["effectual"] + ran.slots["ineffectual"] == array.slots["busy"]
    assert 0 <= array.effectual * mode[2] / (mode[0] * mode[1]) - ran.slots["effectual"] < ran.tiles
    assert {state: ran.slots[state] for state in ("unmapped", "sram", "fill_drain")} == {
        state: array.slots[state] for state in ("unmapped", "sram", "fill_drain")
    }
    shape = layer.N, layer.E, layer.F, layer.M
    assert np.array_equal(ran.sums, out.reshape(shape).transpose(0, 3, 1, 2))


def test_one_fold_of_four_bit_products_by_hand():
    """WS, 4x4 bits on fusion units: 4 k a PE. K = 8, 3 filters, 5 pixels on 2 x 3 PEs: 2 + 5 + 3 cycles for 120
    products on 6 PEs x 5 steps x 4 places."""
    layer = Layer(name="fc", kind="fc", C=8, M=3, N=5)
    ones = Codes(np.ones(layer.input_shape, np.uint8), NumberFormat(4, False))
    weights = Codes(np.ones(layer.weight_shape, np.int8), NumberFormat(4, True))
    size = {"array.rows": 2, "array.cols": 3, "dataflow.stationary": "ws"}
    ran = run(Case(layer, MacOperands(ones, weights)), UNITS["together"], size)
    assert ran.array_cycles == 2 + 5 + 2 + 3 - 2
    assert (ran.slots["effectual"], ran.slots["ineffectual"]) == (30, 0)
    assert (ran.macs_effectual, ran.mode.name) == (120, "4x4")
    hidden = run(Case(layer, MacOperands(ones, weights)), UNITS["together"], size | {"dataflow.overlap": "loads"})
    assert hidden.array_cycles == 5 + 2 + 3 - 2
    close = run(Case(layer, MacOperands(ones, weights)), UNITS["together"], size | {"dataflow.overlap": "folds"})
    assert close.array_cycles == 5


@pytest.mark.parametrize("unit", ["together", "sub-words"])
@pytest.mark.parametrize("order", ["im2col", "taps"])
def test_a_narrow_accumulator_adds_what_the_unit_sums_at_once(unit, order):
    """Saturating sums depend on the order: the reference adds a step's products as one."""
    layer = Layer(name="conv", kind="conv", C=6, M=4, H=4, W=4, R=2, S=2)
    few = operands(layer, 4, 4, 3)
    large = Codes(np.where(few.weights.values < 0, np.int8(-8), np.int8(7)), few.weights.format)
    case = Case(layer, MacOperands(few.inputs, large))
    narrow = UNITS[unit] | {"accumulator_bits": None, "headroom_bits": 0, "overflow": "saturate"}
    ran = run(case, narrow, {"array.rows": 2, "dataflow.stationary": "ws", "dataflow.reduction_order": order})
    assert ran.overflows > 0  # and the check, which knows the order, has passed


@pytest.mark.parametrize(("source", "codes"), [("input", 18 * 4 * 4), ("before", 2 * 4 * 4)])
def test_the_first_layers_input_lies_in_memory_as_a_matrix(source, codes):
    """3x3 over a padded 4 x 4 map of two channels: 18 x 16 codes of the matrix; any other layer's map as it is."""
    layers = [Layer(name="conv", kind="conv", C=2, M=4, H=4, W=4, R=3, S=3, padding=(1, 1, 1, 1), inputs=(source,))]
    if source == "before":
        layers.insert(0, Layer(name="before", kind="conv", C=2, M=2, H=4, W=4))
    machine = load_hardware("systolic", {"dataflow.stationary": "ws", "dataflow.reduction_order": "im2col_first"})
    result = simulate(Network("small", tuple(layers), (2, 4, 4)), machine, check=True)
    assert result.layers.dram_read_bytes.iloc[-1] == codes + layers[-1].weights


@pytest.mark.parametrize(("kernel", "codes"), [((1, 1), 2 * 16), ((1, 2), 4 * 12), ((2, 1), 4 * 12), ((2, 2), 8 * 9)])
def test_a_matrix_of_the_input_is_made_as_soon_as_a_filter_has_two_taps(kernel, codes):
    """Two channels of 4 x 4, no padding: C R S rows, E F columns; 1x1 reads the map itself."""
    layer = Layer(name="conv", kind="conv", C=2, M=4, H=4, W=4, R=kernel[0], S=kernel[1])
    machine = load_hardware("systolic", {"dataflow.stationary": "ws", "dataflow.reduction_order": "im2col_first"})
    result = simulate(Network("small", (layer,), (2, 4, 4)), machine, check=True)
    assert result.layers.dram_read_bytes.iloc[-1] == codes + layer.weights


def test_data_of_fewer_bits_run_in_a_faster_mode():
    layer = Layer(name="fc", kind="fc", C=32, M=8, N=4)
    few = operands(layer, 3, 2, 0)
    inputs, weights = Codes(few.inputs.values, NumberFormat(8, False)), Codes(few.weights.values, NumberFormat(8, True))
    wide = MacOperands(inputs, weights)
    modes = {
        precision: run(Case(layer, wide), UNITS["together"], {"dataflow.precision": precision}).mode.name
        for precision in ("format", "data")
    }
    assert modes == {"format": "8x8", "data": "4x2"}


def test_changing_the_mode_takes_time_where_the_unit_says_so(monkeypatch):
    """8 bits, then 2, then 2: one change."""
    layers = tuple(
        Layer(name=f"fc{i}", kind="fc", C=8, M=8, inputs=(f"fc{i - 1}",) if i else ("input",)) for i in range(3)
    )
    few = {f"fc{i}": ("int2", "int2") for i in (1, 2)}
    network = quantise_network(Network("mixed", layers, (8, 1, 1)), weights="int8", activations="int8", layers=few)
    machine = load_hardware("systolic", {"mac": UNITS["together"]})
    before = simulate(network, machine, check=True)
    monkeypatch.setattr(macs.get("divide_conquer"), "reconfigure_cycles", 7)
    after = simulate(network, machine, check=True)
    assert (after.layers.cycles - before.layers.cycles).tolist() == [0, 7, 0]
    waited = after.cycles[after.cycles.cause == "reconfigure"].lane_slots
    assert waited.tolist() == [0, 7 * 1024, 0]
    assert before.layers["mode"].tolist() == ["8x8", "2x2", "2x2"]


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_a_small_network_passes_its_check(unit):
    machine = load_hardware("systolic", {"mac": UNITS[unit], "dataflow.asymmetric": "correction"})
    result = simulate(load_network("lenet5_twn"), machine, check=True)
    assert result.summary["check"] == {"passed": True, "layers": 4, "overflows": 0}


def test_tpu_v1_peaks_at_92_tops_and_loads_a_weight_tile_in_256_cycles():
    """65,536 units x 2 operations x 700 MHz; half the rate at 8x16 bits, a quarter at 16x16 (ISCA 2017)."""
    machine = load_hardware("tpu_v1")
    peak = {
        bits: 2 * machine.array.lanes * machine.mac.mode(*bits).macs_per_cycle for bits in ((8, 8), (8, 16), (16, 16))
    }
    assert float(peak[8, 8]) * machine.clock_mhz / 1e6 == pytest.approx(91.7504)
    assert [peak[8, 8] / rate for rate in peak.values()] == [1, 2, 4]
    # 3 x 2 weight tiles, 8 inputs each: 248 cycles of a tile's load are seen, 8 are hidden by the tile before
    layer = Layer(name="fc", kind="fc", C=3 * 256, M=2 * 256, N=8)
    network = quantise_network(Network("fc", (layer,), (3 * 256, 1, 1)), weights="int8", activations="int8")
    result = simulate(network, machine, check=True)
    assert result.layers.array_cycles[0] == 6 * (256 + 255 + 255)
    slots = result.cycles.set_index("cause").lane_slots
    assert slots["effectual"] + slots["ineffectual"] == layer.macs
    exposed = simulate(network, load_hardware("tpu_v1", {"dataflow.overlap": "none"}))
    assert exposed.layers.array_cycles[0] == 6 * (256 + 8 + 255 + 255)


def test_what_a_mix_of_precisions_buys_on_a_matrix_unit():
    """Two equal layers, one of 8 and one of 16 bits: the 8-bit one streams in half or a quarter of the time."""
    layers = tuple(Layer(name=name, kind="fc", C=256, M=256, N=2048, inputs=("input",)) for name in ("narrow", "wide"))
    machine, cycles = load_hardware("tpu_v1", {"dataflow.overlap": "none"}), {}
    rng = np.random.default_rng(0)
    for w_bits in (8, 16):
        x = Codes(rng.integers(0, 200, layers[0].input_shape).astype(np.int64), NumberFormat(16, False))
        w = Codes(rng.integers(-99, 99, layers[0].weight_shape).astype(np.int64), NumberFormat(w_bits, True))
        case = Case(layers[0], MacOperands(x, w))
        cycles[w_bits] = case.run("tpu_v1", {"dataflow.overlap": "none"}, check=False).array_cycles
    assert cycles == {8: 256 + 2 * 2048 + 2 * 255 + 255, 16: 256 + 4 * 2048 + 4 * 255 + 255}
    assert machine.mac.mode(16, 8).cycles == 2
