"""Zero points on both machines: differences and corrected raw codes give the same exact outputs at different costs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.run.session import Session
from accel_sim.run.simulate import run_layer
from accel_sim.values.errors import CheckError
from workloads import InputError, load_network
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands

MODES = ("differences", "correction")
LAYER = Layer(name="a", kind="conv", N=2, C=4, H=5, W=6, M=6, R=3, S=2, stride=(2, 1), padding=(1, 0, 1, 2))


def uint8(values, zero, axis=None):
    return Codes(np.asarray(values, dtype=np.uint8), NumberFormat(8, False, 0.1, zero, axis))


def operands(layer, input_zero, weight_zero, seed=0, *, zeros=0.4):
    """Random codes; a share of them is the zero point."""
    rng = np.random.default_rng(seed)

    def draw(shape, zero, axis):
        codes = uint8(rng.integers(0, 256, shape), zero, axis if isinstance(zero, tuple) else None)
        pick = rng.random(shape) < zeros
        return Codes(np.where(pick, codes.zero_points(), codes.values).astype(np.uint8), codes.format)

    return MacOperands(draw(layer.input_shape, input_zero, 1), draw(layer.weight_shape, weight_zero, 0))


def ran(layer, data, hardware, settings=None, *, check=True):
    network = Network("n", (layer,), layer.input_shape[1:])
    return run_layer(layer, data, Session.start(network, load_hardware(hardware, settings)), check=check)


def both(layer, data, hardware, settings=None):
    return [ran(layer, data, hardware, (settings or {}) | {"dataflow.asymmetric": mode}) for mode in MODES]


MACHINES = [
    ("eie", {"array.rows": 4}),
    *(("systolic", {"array.rows": 4, "array.cols": 3, "dataflow.stationary": kind}) for kind in ("os", "ws", "is")),
    ("systolic", {"array.rows": 16, "array.cols": 8, "dataflow.stationary": "ws", "dataflow.groups": "packed"}),
]


@st.composite
def layers(draw):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    per, filters = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    return Layer(
        name="a", kind="conv", G=groups, C=groups * per, M=groups * filters, N=draw(st.integers(1, 2)),
        H=draw(st.integers(3, 6)), W=draw(st.integers(3, 6)), R=draw(st.integers(1, 3)), S=draw(st.integers(1, 3)),
        stride=(draw(st.integers(1, 3)), draw(st.integers(1, 2))), ceil_mode=draw(st.booleans()),
        padding=tuple(draw(st.integers(0, 2)) for _ in range(4)),
    )  # fmt: skip


ZEROS = st.sampled_from([0, 61, 128, 255])


@profile(max_examples=20)
@given(layers(), ZEROS, ZEROS, st.sampled_from(range(len(MACHINES))), st.integers(0, 2**31))
def test_outputs_are_exact_and_effectual_work_is_the_same(layer, input_zero, weight_zero, machine, seed):
    """run_layer raises CheckError if a sum differs from the reference of differences."""
    data = operands(layer, input_zero, weight_zero, seed)
    plain, corrected = both(layer, data, *MACHINES[machine])
    assert np.array_equal(plain.output, corrected.output)
    assert plain.slots["effectual"] == corrected.slots["effectual"]
    assert plain.overflows == corrected.overflows == 0


@pytest.mark.parametrize(("hardware", "settings"), MACHINES)
def test_zero_points_per_channel_are_exact_too(hardware, settings):
    data = operands(LAYER, (104, 0, 255, 128), (3, 0, 255, 128, 99, 200))
    plain, corrected = both(LAYER, data, hardware, settings)
    assert np.array_equal(plain.output, corrected.output)


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize(("hardware", "settings"), MACHINES)
def test_narrow_accumulators_meet_the_reference_of_what_they_add(hardware, settings, overflow):
    """Raw sums overflow earlier than those of differences: their reference steps raw products, in the same order."""
    narrow = {"mac.accumulator_bits": 18, "mac.overflow": overflow, "mac.activation_bits": 9, "mac.weight_bits": 9}
    data = operands(LAYER, 61, 200, zeros=0)
    raw = {"dataflow.asymmetric": "correction"} | settings | narrow
    run = ran(LAYER, data, hardware, raw)
    assert run.overflows > 0


@pytest.mark.parametrize("bits", [18, 40])
@pytest.mark.parametrize(("hardware", "settings"), MACHINES)
def test_a_zero_point_that_is_lost_on_the_way_is_found_however_narrow_the_accumulators(hardware, settings, bits):
    """Where they overflow, too: the reference is of the codes and zero points that the network declares."""
    narrow = {"mac.accumulator_bits": bits, "mac.activation_bits": 9, "mac.weight_bits": 9}
    data = operands(LAYER, 61, 200, zeros=0)
    network = Network("n", (LAYER,), LAYER.input_shape[1:], formats={"input": data.inputs.format})
    session = Session.start(network, load_hardware(hardware, {"dataflow.asymmetric": "correction"} | settings | narrow))
    assert (run_layer(LAYER, data, session, check=True).overflows > 0) == (bits == 18)
    lost = replace(data, inputs=Codes(data.inputs.values, replace(data.inputs.format, zero_point=60)))
    with pytest.raises(CheckError, match="sums differ from the reference"):
        run_layer(LAYER, lost, session, check=True)


def zero_point(run, bits):
    return run.actions.get(("zero_point", "add", bits), 0)


def test_what_corrections_cost_on_the_systolic_array():
    data = operands(LAYER, 0, 200)
    pixels, K = LAYER.N * LAYER.E * LAYER.F, LAYER.K
    for stationary, more in (("os", 1), ("ws", 1), ("is", 0)):
        settings = {"array.rows": 4, "array.cols": 3, "dataflow.stationary": stationary}
        plain, corrected = both(LAYER, data, "systolic", settings)
        rows, cols = {"os": (pixels, 6), "ws": (K, 6), "is": (K, pixels)}[stationary]
        folds = -(-rows // 4) * -(-cols // 3)
        assert corrected.array_cycles - plain.array_cycles == more * folds, stationary
        assert zero_point(corrected, 32) == pixels * K  # each input is added to its window's sum once
        assert zero_point(corrected, 9) == zero_point(plain, 32) == 0
        entering = {"os": folds * 3 * K, "ws": 6 * K, "is": -(-pixels // 3) * 6 * K}[stationary]
        assert zero_point(plain, 9) == entering  # weights enter at the edge as often as they are read there
        ops = [run.actions["post", "op", 32] for run in (plain, corrected)]
        outputs = pixels * LAYER.M
        assert ops == [outputs, 2 * outputs + pixels]  # zw times a window's sum once, one subtraction an output


def test_what_corrections_cost_on_eie():
    data = operands(LAYER, 0, 200)
    plain, corrected = both(LAYER, data, "eie", {"array.rows": 4})
    broadcasts = plain.actions["queue", "write", 8] // 4
    assert zero_point(corrected, 32) == broadcasts
    assert zero_point(plain, 32) == zero_point(plain, 9) == 0  # weights are stored as differences
    assert corrected.facts.macs_issued == broadcasts * LAYER.M  # raw weights are never sparse
    assert plain.facts.macs_issued < corrected.facts.macs_issued
    bits = [run.actions["mac", "mult", 16] for run in (plain, corrected)]
    assert bits == [plain.facts.macs_issued, corrected.facts.macs_issued]


def test_raw_inputs_are_all_broadcast_padding_included():
    data = operands(LAYER, 61, 0)
    plain, corrected = both(LAYER, data, "eie", {"array.rows": 4})
    pixels = LAYER.N * LAYER.E * LAYER.F
    assert corrected.actions["queue", "write", 8] == pixels * LAYER.K * 4
    assert plain.actions["queue", "write", 8] < corrected.actions["queue", "write", 8]
    assert zero_point(plain, 9) == plain.actions["queue", "write", 8] // 4  # one subtraction a broadcast
    assert zero_point(corrected, 32) == 0  # its constants lie in the bias
    assert corrected.actions["post", "op", 32] == plain.actions["post", "op", 32]


def test_a_flip_of_the_highest_bit_costs_nothing():
    for input_zero, weight_zero in ((0, 128), (128, 0), (128, 128)):
        data = operands(LAYER, input_zero, weight_zero)
        for hardware, settings in MACHINES:
            plain, corrected = both(LAYER, data, hardware, settings)
            assert plain.actions == corrected.actions
            assert plain.cycles == corrected.cycles
            assert not any(component == "zero_point" for component, _, _ in plain.actions)


def test_gating_does_not_see_the_zeros_of_a_raw_operand():
    gated = {"mac.zero_operand_gating": True, "array.rows": 4, "array.cols": 3}
    data = operands(LAYER, 0, 200)
    plain, corrected = both(LAYER, data, "systolic", gated)
    nonzero = int(np.count_nonzero(data.inputs.integers()))
    assert nonzero
    assert plain.actions["mac", "mult", 9] == plain.slots["effectual"]
    assert plain.slots["effectual"] < corrected.actions["mac", "mult", 9] < LAYER.macs
    data = operands(LAYER, 61, 200)
    assert both(LAYER, data, "systolic", gated)[1].actions["mac", "mult", 9] == LAYER.macs


EIGHT = {"mac.activation_bits": 8, "mac.weight_bits": 8}


@pytest.mark.parametrize("hardware", ["eie", "systolic"])
def test_an_eight_bit_multiplier_needs_the_correction(hardware):
    data = operands(LAYER, 0, 200)
    with pytest.raises(InputError) as caught:
        ran(LAYER, data, hardware, EIGHT)
    assert str(caught.value) == (
        "layer 'a': MAC unit 'conventional': 8x9-bit operands do not fit any mode (activation x weight: 8x8); "
        "its codes are asymmetric: dataflow.asymmetric=correction multiplies them as they are"
    )
    assert ran(LAYER, data, hardware, EIGHT | {"dataflow.asymmetric": "correction"}).overflows == 0


def test_a_wrong_correction_would_be_found(monkeypatch):
    from accel_sim.dataflows.asymmetric import RawProducts

    monkeypatch.setattr(RawProducts, "issued", lambda self, sums: sums)
    with pytest.raises(CheckError, match="sums differ from the reference"):
        ran(LAYER, operands(LAYER, 0, 200), "systolic", {"dataflow.asymmetric": "correction"})


def test_notes_come_from_the_layers_own_numbers():
    layer = Layer(name="d", kind="depthwise", G=12, C=12, M=12, H=6, W=6, R=3, S=3, padding=(1, 1, 1, 1))
    data = operands(layer, 0, 200)
    reaches = {
        "os": "32 of 32 rows and 1 of 32 columns, so 1.8 %",
        "ws": "9 of 32 rows and 1 of 32 columns, so 0.9 %",
        "is": "9 of 32 rows and 32 of 32 columns, so 15.8 %",
    }
    for stationary, reach in reaches.items():
        run = ran(layer, data, "systolic", {"dataflow.stationary": stationary})
        start = "depthwise: 1 filter a group and 1 of 12 groups a fold reach "
        assert run.notes.startswith(f"{start}{reach} of the PEs have work; ")
    packed = ran(layer, data, "systolic", {"dataflow.stationary": "ws", "dataflow.groups": "packed"})
    assert packed.notes.startswith(
        "depthwise: 1 filter a group and 3 of 12 groups a fold reach 27 of 32 rows and 3 of "
    )
    assert packed.notes.endswith("asymmetric codes: 8x9-bit differences, 108 subtractions at the array's edge")
    dense = replace(data, weights=uint8(np.full(layer.weight_shape, 7), 0), inputs=uint8(np.ones(layer.input_shape), 0))
    steps = 16 * 9 + 16 * 6 + 4 * 4  # taps of a 3x3 window inside a 6x6 map
    assert ran(layer, dense, "eie").notes == (
        "depthwise: 1 filter a group, so a broadcast meets work on 1 of 64 lanes and a product lasts "
        f"{steps / 36:.3g} broadcasts between two barriers; "
        # 12 lanes with 9 entries of 12 bits in 64-bit words, and 10 pointers of 16 bits
        "relative_index makes the weights larger: 432 bytes, 240 of them pointers, 108 plain"
    )
    note = ran(layer, data, "eie", {"dataflow.asymmetric": "correction"}).notes
    assert "asymmetric weights: raw codes, every one stored, " in note
    assert " additions beside the broadcast make the window sums, 864 operations correct the outputs; " in note


def test_full_groups_and_symmetric_codes_have_no_notes():
    layer = Layer(name="g", kind="conv", G=2, C=128, M=128, H=8, W=8, R=1, S=1)
    data = operands(layer, 0, 0)
    assert ran(layer, data, "systolic").notes == ""
    assert ran(layer, data, "eie").notes.startswith("relative_index makes the weights larger: ")


@pytest.fixture(scope="module")
def quarter(shared, tmp_path_factory):
    """MobileNet v1 0.25-128 uint8 on one photograph at its own size."""
    with np.load(shared / "data/images/photos_227_rgb_uint8.npz") as photos:
        pick = np.floor((np.arange(128) + 0.5) * 227 / 128).astype(int)
        path = tmp_path_factory.mktemp("images") / "coffee.npy"
        np.save(path, photos["coffee"][pick][:, pick])
    return load_network(shared / "data/mobilenet_int8/mobilenet_v1_0.25_128_quant.tflite", image=path)


@pytest.mark.slow
@pytest.mark.parametrize("hardware", [pytest.param("eie", marks=pytest.mark.slow), "systolic"])
def test_the_cost_of_both_choices_on_a_real_network(quarter, hardware):
    plain, corrected = (
        simulate(quarter, load_hardware(hardware, {"dataflow.asymmetric": mode}), check=True) for mode in MODES
    )
    assert plain.summary["top5"] == corrected.summary["top5"]
    assert plain.summary["check"] == corrected.summary["check"] == {"passed": True, "layers": 28, "overflows": 0}
    assert all(np.array_equal(plain.sums[name], corrected.sums[name]) for name in plain.sums)
    if hardware == "systolic":  # on eie entries of a bit less are loaded sooner, which is as much
        assert corrected.summary["cycles"] > plain.summary["cycles"]
    sums = corrected.actions.query("component == 'zero_point'")
    assert (sums.energy_pj > 0).all()
    assert set(sums.source) == {"int add 32 b: Horowitz, ISSCC 2014, 45 nm 0.9 V (read in MIT 6.5930 notes)"}
    if hardware == "eie":  # 9 + 4 bits an entry against 8 + 4
        machine = [result.summary["weight_machine_bytes"] for result in (plain, corrected)]
        assert machine[0] > machine[1]
