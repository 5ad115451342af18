"""What a layer writes of a map is what its readers read: values at the network's width, one behind the other."""

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.dataflows.common import input_extents, output_extents
from accel_sim.machine.config import presets
from accel_sim.values.address_map import AddressMap
from accel_sim.values.map_layout import StoredMap
from tests.contracts.test_dataflows import layers, touched
from tests.oracle import traffic
from workloads import InputError, Layer, Network, load_network
from workloads.network import networks
from workloads.precision import Precision
from workloads.quantise import quantise_network
from workloads.walk import walk


def whole(values: int, bits: int) -> int:
    return ceil(values * bits / 8)


@settings(max_examples=60)
@given(layers(), st.integers(1, 17), st.integers(0, 40), st.integers(0, 30), st.data())
def test_however_a_map_is_cut_each_byte_is_written_once_and_reads_touch_what_holds_their_values(
    layer, bits, before, after, data
):
    """The map lies ``before`` bits behind the begin of what it is joined into, ``after`` before its end."""
    values = layer.output_elements
    stored = StoredMap(before, bits, before + values * bits + after)
    pixels, tile = layer.N * layer.E * layer.F, data.draw(st.integers(1, layer.N * layer.E * layer.F))
    channels = data.draw(st.integers(1, layer.M))
    written = [
        byte
        for first in range(0, pixels, tile)
        for low in range(0, layer.M, channels)
        for byte in touched(
            output_extents(layer, stored, (first, min(pixels, first + tile)), (low, min(layer.M, low + channels)))
        )
    ]
    end = before + values * bits
    assert sorted(written) == list(range(before // 8, ceil(end / 8) if not after else end // 8))

    source = StoredMap(before, bits, before + layer.input_elements * bits + after)
    first = data.draw(st.integers(0, pixels - 1))
    last, low = data.draw(st.integers(first + 1, pixels)), data.draw(st.integers(0, layer.C - 1))
    high = data.draw(st.integers(low + 1, layer.C))
    shape = vars(layer) | {"E": layer.E, "F": layer.F}
    taps = layer.R * layer.S
    spans = {"groups": range(1), "pixels": range(first, last), "k": range(low * taps, high * taps)}
    wanted = set()
    for n, c, h, w in traffic.tile_inputs(shape | {"G": 1}, spans):
        bit = before + (((n * layer.C + c) * layer.H + h) * layer.W + w) * bits
        wanted |= set(range(bit // 8, ceil((bit + bits) / 8)))
    found = touched(input_extents(layer, source, (first, last), (low, high)))
    assert sorted(found) == sorted(wanted)


SMALL = sorted(set(networks.names()) - {name for name in networks.names() if "_0." in name or "resnet1" in name})


@pytest.mark.slow
@pytest.mark.parametrize("bits", [2, 3, 7, 11, 16])
@pytest.mark.parametrize("name", SMALL)
def test_every_map_of_every_network_has_one_width_for_its_writer_and_its_readers(name, bits):
    """Batch 2. A map's place is its values at its width; what a concat joins fills the joined map."""
    network = quantise_network(load_network(name).with_batch(2), activations=f"int{bits}", weights="int8")
    found = AddressMap(network, "dram", 0)
    placed = [(layer, found.place(layer)) for layer in network.layers]
    writers = {layer.name: place.outputs for layer, place in placed}
    writers["input"] = found.tensors["input"]
    read_by_macs = {source for layer, _ in placed for source in layer.inputs if layer.has_macs}
    assert {writers[source].bits for source in read_by_macs} == {bits}
    for layer, place in placed:
        assert place.inputs == tuple(writers[source] for source in layer.inputs)
        out = place.outputs
        assert out.bits == network.code_bits(layer.name)
        if layer.kind == "concat":
            parts = [writers[source] for source in layer.inputs]
            edges = [part.bit for part in parts] + [out.bit + layer.output_elements * out.bits]
            sizes = [network[source].output_elements * out.bits for source in layer.inputs]
            assert edges == [out.bit + sum(sizes[:n]) for n in range(len(sizes) + 1)]


@pytest.mark.slow
@settings(max_examples=20)
@given(st.sampled_from(["lenet5", "squeezenet1_1", "shufflenet_v1", "cifar10"]), st.integers(2, 16), st.integers(2, 16))
def test_what_operands_hold_is_what_their_map_is_stored_in(name, weights, activations):
    network = Precision.of({"weights": weights, "activations": activations}).apply(load_network(name))
    small = [layer for layer in network.layers if layer.input_elements < 70000][:12]
    walked = walk(network, 0)
    for layer in small:
        operands = walked._operands(layer)
        assert operands.inputs.format.bits == network.code_bits(layer.inputs[0])


def chain() -> Network:
    """All kinds that move maps; the numbers of values are odd."""
    made = [
        Layer(name="conv", kind="conv", C=3, M=5, H=9, W=9, R=3, S=3),
        Layer(name="pool", kind="pool", pool="max", C=5, M=5, H=7, W=7, R=1, S=1, inputs=("conv",)),
        Layer(name="left", kind="conv", C=5, M=3, H=7, W=7, inputs=("pool",)),
        Layer(name="right", kind="conv", C=5, M=4, H=7, W=7, inputs=("pool",)),
        Layer(name="join", kind="concat", C=7, M=7, H=7, W=7, inputs=("left", "right")),
        Layer(name="mix", kind="shuffle", C=7, M=7, H=7, W=7, G=7, inputs=("join",)),
        Layer(name="sum", kind="add", C=7, M=7, H=7, W=7, inputs=("mix", "join")),
        Layer(name="twice", kind="concat", C=14, M=14, H=7, W=7, inputs=("join", "sum")),
        Layer(name="wide", kind="conv", C=14, M=3, H=7, W=7, inputs=("twice",)),
        Layer(name="fc", kind="fc", C=147, M=11, inputs=("wide",)),
        Layer(name="fc2", kind="fc", C=11, M=5, inputs=("fc",)),
        Layer(name="prob", kind="softmax", C=5, M=5, inputs=("fc2",)),
    ]
    return Network("chain", tuple(made), (3, 9, 9))


#: what is joined lies side by side: (first, last + 1) of the values of 'twice' that each map has
JOINED = {"left": (0, 294), "right": (294, 686), "join": (0, 686), "sum": (686, 1372)}


@pytest.mark.slow
@pytest.mark.parametrize("bits", [3, 4, 16])
@pytest.mark.parametrize("preset", presets())
def test_bytes_of_a_run(preset, bits):
    """DRAM bytes of every layer of a network that fits the buffers, batch 2, first and last layer among them."""
    network = quantise_network(chain(), activations=f"int{bits}", weights="int4").with_batch(2)
    machine = load_hardware(preset)
    try:
        frame = simulate(network, machine, check=True).layers.set_index("layer")
    except InputError as error:
        assert "MAC unit" in str(error)  # the widest mode is narrower
        return
    for layer in network.layers:
        row, width = frame.loc[layer.name], network.code_bits(layer.name)
        first, last = JOINED.get(layer.name, (0, layer.output_elements))
        ends = layer.name not in ("left", "right", "join")  # the last byte of those is the first of the next one
        written = whole(last, width) if ends else last * width // 8
        if layer.kind == "concat":
            assert (row.dram_read_bytes, row.dram_write_bytes) == (0, 0)
            continue
        assert row.dram_write_bytes == written - first * width // 8, layer.name
        if getattr(machine.dataflow, "lowers", lambda _: False)(layer):
            continue  # it reads the matrix that the host has made of its input
        loaded = layer.has_macs and getattr(machine.dataflow, "initial_sums", "zero") == "loaded"
        sums = 4 * layer.output_elements if loaded else 0
        read = 0
        for name in layer.inputs:
            first, last = JOINED.get(name, (0, network.elements(name)))
            read += whole(last, network.code_bits(name)) - first * network.code_bits(name) // 8
        assert row.dram_read_bytes == read + row.weight_machine_bytes + sums, layer.name


def test_a_concat_that_cannot_be_placement_is_a_copy():
    """The network's input lies where it lies, and so does what another concat joins."""
    made = (
        Layer(name="a", kind="relu", C=2, M=2, H=3, W=3),
        Layer(name="one", kind="concat", C=4, M=4, H=3, W=3, inputs=("input", "a")),
        Layer(name="two", kind="concat", C=6, M=6, H=3, W=3, inputs=("a", "one")),
        Layer(name="three", kind="concat", C=6, M=6, H=3, W=3, inputs=("one", "a")),
    )
    frame = simulate(Network("copies", made, (2, 3, 3)), load_hardware("systolic")).layers.set_index("layer")
    assert frame.dram_read_bytes.tolist() == [18, 36, 54, 0]
    assert frame.dram_write_bytes.tolist() == [18, 36, 54, 0]
    assert frame.notes["two"].startswith("copies what it joins")


@pytest.mark.parametrize(("machine", "bits"), [("systolic", 4), ("stripes", 16), ("stripes", 3)])
def test_squeezenet_writes_what_its_first_pool_reads(machine, bits):
    network = Precision.of({"activations": bits}).apply(load_network("squeezenet1_1"))
    pool, hardware = simulate(network, load_hardware(machine), layers="pool1"), load_hardware(machine)
    conv = simulate(network, hardware, layers="conv1") if machine == "systolic" else None
    exact = whole(64 * 113 * 113, bits)
    assert pool.layers.dram_read_bytes[0] == exact
    assert conv is None or conv.layers.dram_write_bytes[0] == exact


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "expected"), [(2, 2304), (8, 9216)])
def test_a_map_of_one_pixel_is_packed(bits, expected):
    """fc6 of AlexNet: 9,216 values."""
    network = Precision.of({"activations": bits, "weights": 2}).apply(load_network("alexnet"))
    row = simulate(network, load_hardware("bitfusion"), layers="fc6").layers.iloc[0]
    assert row.dram_read_bytes - row.weight_machine_bytes == expected


NOISY = (
    Layer(name="dw", kind="depthwise", C=3, H=3, W=3, M=3, G=3, R=3, S=3),
    Layer(name="a", kind="conv", C=3, M=2, inputs=("dw",)),
    Layer(name="b", kind="conv", C=3, M=1, inputs=("dw",)),
    Layer(name="ab", kind="concat", C=3, M=3, inputs=("a", "b")),
    Layer(name="f", kind="fc", C=3, M=40, inputs=("ab",)),
)


@pytest.mark.parametrize(
    ("bits", "told"),
    [
        (8, {}),
        (3, {
            "dw": ["its weights take 12 bytes for 10.125 bytes of codes: each filter ends with a whole byte",
                   "its map takes 2 bytes for 1.125 bytes of codes: a map ends with a whole byte"],
            "a": ["its weights take 4 bytes for 2.25 bytes of codes: each filter ends with a whole byte"],
            "b": ["its weights take 2 bytes for 1.125 bytes of codes: each filter ends with a whole byte"],
            "ab": ["its map takes 2 bytes for 1.125 bytes of codes: a map ends with a whole byte"],
            "f": ["its weights take 80 bytes for 45 bytes of codes: each filter ends with a whole byte"],
        }),
    ],
)  # fmt: skip
def test_padding_is_told_where_it_is_much(bits, told):
    """Parts of a joined map have none of their own; that of the network's input is told of the layer that reads it."""
    network = quantise_network(Network("n", NOISY, (3, 3, 3)), activations=f"int{bits}", weights=f"int{bits}")
    result = simulate(network, load_hardware("systolic"))
    found = {
        run.layer.name: [note for note in run.facts.notes if "ends with a whole byte" in note] for run in result.runs
    }
    if told:
        told["dw"].insert(1, "'input' takes 11 bytes for 10.125 bytes of codes: a map ends with a whole byte")
    assert {name: notes for name, notes in found.items() if notes} == told
    rows = result.layers.set_index("layer")
    for name in told:  # what is told of weights is what they take
        weights = [note for note in found[name] if note.startswith("its weights take")]
        assert weights == [] or int(weights[0].split()[3]) == rows.weight_machine_bytes[name]
