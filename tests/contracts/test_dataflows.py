"""What every dataflow promises: each product exactly once, every slot counted, every output written once."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accel_sim import simulate
from accel_sim.macs.conventional import Conventional
from accel_sim.parts import dataflows
from accel_sim.run.result import Result
from accel_sim.run.session import Session
from accel_sim.run.simulate import tile_layer
from workloads import InputError, Layer, Network
from workloads.walk import walk

from . import samples

MACHINES = {
    f"{name} of {preset}": machine
    for name in dataflows.names()
    for preset, machine in samples.machines("dataflow", name).items()
}
#: settings of a preset that lead through other code
VARIANTS = {
    "systolic": [
        {}, {"stationary": "ws"}, {"stationary": "is"}, {"groups": "packed"},
        {"groups": "packed", "stationary": "ws", "drain": "exposed"}, {"groups": "packed", "stationary": "is"},
        {"asymmetric": "correction"}, {"asymmetric": "correction", "stationary": "ws"},
        {"reduction_order": "taps"}, {"reduction_order": "taps", "stationary": "ws", "groups": "packed"},
        {"reduction_order": "im2col_first", "stationary": "ws"}, {"overlap": "loads", "stationary": "ws"},
        {"initial_sums": "loaded", "stationary": "is"}, {"stored_sums": True, "stationary": "ws"},
    ],
    "broadcast_csc": [
        {}, {"scan_width": 3}, {"double_buffer_accumulators": True}, {"registered_queue": True},
        {"asymmetric": "correction"},
    ],
    "vector": [{}, {"lanes": 4, "column_registers": 1}],
}  # fmt: skip


def variant(machine, fields):
    from dataclasses import replace

    return replace(machine, dataflow=replace(machine.dataflow, **fields))


EVERY = {
    f"{title} {fields}": variant(machine, fields)
    for title, machine in MACHINES.items()
    for fields in (VARIANTS.get(title.split()[0], [{}]) if isinstance(machine.mac, Conventional) else [{}])
}
#: layers of other shapes that small buffers cut in the slow tier
SHAPES = ("depthwise", "batch", "fc", "matmul", "pointwise")
#: those of them that cut layers into other tiles
CUTS = {title: machine for title, machine in EVERY.items() if title.endswith("{}") or title.startswith("systolic")}


def places(machine) -> int:
    """Multipliers of a lane, where the dataflow has them as a field."""
    lanes = getattr(machine.dataflow, "lanes", 1)
    return lanes if isinstance(lanes, int) else 1


def run(machine, network: Network, layer: Layer, naive: samples.Naive) -> Result:
    """A checked run, held against the naive result and the sums that every run must close."""
    result = simulate(network, machine, check=True)
    row, lanes = result.layers.iloc[0], machine.array.lanes
    assert np.array_equal(result.sums[layer.name], naive.sums)
    nominal = layer.N * layer.M * layer.E * layer.F * (layer.C // layer.G) * layer.R * layer.S
    assert (row.macs_nominal, row.macs_nonpad, row.macs_effectual) == (nominal, naive.nonpad, naive.effectual)
    assert naive.effectual <= row.macs_issued <= nominal
    assert result.cycles.lane_slots.sum() == row.cycles * lanes
    assert result.cycles.lane_slots.min() >= 0
    assert 0 <= row.array_cycles <= row.cycles
    assert naive.effectual <= row.array_cycles * lanes * max(places(machine), row.products_per_cycle)
    assert (result.summary["check"]["passed"], row.overflows) == (True, 0)
    return result


def test_every_dataflow_has_a_machine():
    assert {title.split()[0] for title in MACHINES} == set(dataflows.names())


@pytest.mark.parametrize("machine", EVERY.values(), ids=EVERY)
def test_every_layer_on_every_variant(machine):
    for layer in samples.LAYERS.values():
        network, x, w = samples.given(layer)
        run(machine, network, layer, samples.convolution(layer, x, w))


@pytest.mark.parametrize("formats", samples.FORMATS)
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_number_format(machine, formats):
    for name in ("crooked", "grouped", "fc_batch", "matmul"):
        network, x, w = samples.given(samples.LAYERS[name], formats)
        run(machine, network, samples.LAYERS[name], samples.convolution(samples.LAYERS[name], x, w))


@pytest.mark.parametrize("density", [0.0, 1.0])
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_nothing_and_everything_is_zero(machine, density):
    for name in ("padded", "fc"):
        network, x, w = samples.given(samples.LAYERS[name], inputs=density, weights=density)
        naive = samples.convolution(samples.LAYERS[name], x, w)
        assert (naive.effectual == 0) == (density == 0)
        run(machine, network, samples.LAYERS[name], naive)


@pytest.mark.parametrize(
    "name", ["crooked", "grouped", *(pytest.param(name, marks=pytest.mark.slow) for name in SHAPES)]
)
@pytest.mark.parametrize("machine", CUTS.values(), ids=CUTS)
def test_the_smallest_buffers_give_the_same_outputs(machine, name):
    layer = samples.LAYERS[name]
    network, x, w = samples.given(layer)
    naive, small = samples.convolution(layer, x, w), samples.shrunk(machine, layer)
    assert small.buffers["weights"].bytes < machine.buffers["weights"].bytes
    tight, roomy = run(small, network, layer, naive), run(machine, network, layer, naive)
    assert tight.layers.macs_issued[0] == roomy.layers.macs_issued[0]


def tiles(machine, network: Network, layer: Layer):
    """(tiles, placement) of the layer on the machine."""
    session = Session.start(network, machine)
    ((_, operands),) = walk(network, 0)
    tiled = tile_layer(layer, operands, session)
    return list(tiled), tiled.placement


def touched(extents) -> np.ndarray:
    """Addresses of the bytes of extents, as often as they touch them."""
    runs = [
        extent.address + number * extent.stride + np.arange(extent.bytes)
        for extent in extents
        for number in range(extent.count)
    ]
    return np.concatenate([np.zeros(0, np.int64), *runs])


def addresses(streams) -> np.ndarray:
    return touched([extent for stream in streams for extent in stream.extents])


def in_memory(machine, layer: Layer) -> Layer:
    """The layer as its input lies in memory."""
    lowers = getattr(machine.dataflow, "lowers", None)
    return layer.lowered() if lowers and lowers(layer) else layer


@pytest.mark.parametrize("machine", CUTS.values(), ids=CUTS)
def test_bytes_are_conserved(machine):
    """Every output byte is written once; every input byte read lies in the input, and all that matter are read."""
    for name in ("crooked", "grouped", "fc_batch"):
        layer = samples.LAYERS[name]
        network, _, _ = samples.given(layer)
        for each in (machine, samples.shrunk(machine, layer)):
            found, placement = tiles(each, network, layer)
            streams = [stream for tile in found for stream in tile.streams]
            written = addresses(s for s in streams if s.is_write and s.tensor == "outputs")
            assert np.array_equal(np.sort(written), placement.outputs.address + np.arange(layer.output_elements))
            read = np.unique(addresses(s for s in streams if s.tensor == "inputs"))
            lies = in_memory(each, layer)
            inside = placement.inputs[0].address + np.arange(lies.input_elements)
            assert set(read) <= set(inside)
            assert sum(tile.outputs for tile in found) == layer.output_elements
            touched = {
                ((n * lies.C + c) * lies.H + h) * lies.W + v
                for n in range(lies.N)
                for c in range(lies.C)
                for r in range(lies.R)
                for h in lies.window.rows.read(r)
                for s in range(lies.S)
                for v in lies.window.columns.read(s)
            }
            assert touched <= set((read - placement.inputs[0].address).tolist())
            partial = [(s.is_write, s.bytes) for s in streams if s.tensor == "partial_sums"]
            wide = layer.output_elements * 4 if getattr(each.dataflow, "initial_sums", "zero") == "loaded" else 0
            beside = layer.output_elements * 4 if getattr(each.dataflow, "stored_sums", False) else 0
            written, read = (sum(n for write, n in partial if write == way) for way in (True, False))
            assert written + wide == read + beside
            for stream in streams:
                way = [each.dram.level, *(buffer.level for buffer in each.buffers[stream.operand].path)]
                assert {stream.source, stream.target} in map(set, itertools.pairwise(way))


sizes = st.integers(1, 6)


@st.composite
def layers(draw) -> Layer:
    """Any small convolution."""
    groups, kernel = draw(st.integers(1, 3)), (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    fields = {
        "C": groups * draw(st.integers(1, 3)), "M": groups * draw(st.integers(1, 4)),
        "H": draw(sizes), "W": draw(sizes),
        "R": kernel[0], "S": kernel[1], "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "dilation": (draw(st.integers(1, 2)), draw(st.integers(1, 2))), "N": draw(st.integers(1, 2)),
        "padding": tuple(draw(st.integers(0, 2)) for _ in range(4)),
    }  # fmt: skip
    try:
        return Layer(name="any", kind="conv", G=groups, **fields)
    except InputError:
        assume(False)


@pytest.mark.parametrize("machine", EVERY.values(), ids=EVERY)
@settings(max_examples=15)
@given(layer=layers(), density=st.sampled_from([0.1, 0.5, 1.0]), seed=st.integers(0, 99))
def test_any_layer(machine, layer, density, seed):
    network, x, w = samples.given(layer, "zero points", density, density, seed)
    run(machine, network, layer, samples.convolution(layer, x, w))


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_a_second_operand_made_at_run_time(machine):
    layer = Layer(name="scores", kind="matmul", C=2 * 7, H=5, M=2 * 5, G=2, inputs=("input", "input"), dynamic=True)
    network = Network("attention", (layer,), (14, 5, 1))
    ((_, operands),) = walk(network, 0)
    naive = samples.convolution(layer, operands.inputs, operands.weights)
    run(machine, network, layer, naive)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_a_narrow_accumulator_overflows_as_its_reference_and_counts_it(machine):
    from dataclasses import replace

    layer = samples.LAYERS["fc"]
    network, x, w = samples.given(layer, "narrow", 1.0, 1.0)
    tight = Conventional(activation_bits=5, weight_bits=3, accumulator_bits=8, overflow="wrap")
    exact = samples.convolution(layer, x, w).sums
    wrapped = simulate(network, replace(machine, mac=tight), check=True)
    assert np.array_equal(wrapped.sums["fc"], (exact + 128) % 256 - 128)
    held = simulate(network, replace(machine, mac=replace(tight, overflow="saturate")), check=True)
    sums = np.zeros_like(exact)
    for k in range(0, layer.K, places(machine)):  # all machines add in the order of k, some of them several at once
        step = slice(k, k + places(machine))
        products = samples.real(w)[:, step, 0, 0] * samples.real(x)[0, step, 0, 0]
        sums = np.clip(sums + products.sum(axis=1).reshape(exact.shape), -128, 127)
    assert np.array_equal(held.sums["fc"], sums)
    assert wrapped.layers.overflows[0] > 0
    assert held.layers.overflows[0] > 0


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_operands_too_wide_for_the_multiplier_are_refused(machine):
    from dataclasses import replace

    network, _, _ = samples.given(samples.LAYERS["fc"])
    tight = replace(machine, mac=Conventional(weight_bits=4))
    with pytest.raises(InputError, match=r"^layer 'fc': MAC unit 'conventional': 8x8-bit operands do not fit any mode"):
        simulate(network, tight)
