"""Layers without MACs stream: whatever their size and shape, on every machine, every input passes once (or twice)."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.dataflows.post_tiles import TiledPost
from accel_sim.machine.config import presets
from accel_sim.values.address_map import AddressMap
from tests import small_buffers
from tests.contracts.test_dataflows import addresses
from workloads import Layer, Network
from workloads.layer import FUNCTIONS, POST_KINDS

TWICE = ("softmax", "layernorm")
#: further fields of a kind
FIELDS = {"pool": {"pool": "avg"}, "elementwise": {"function": "exp"}, "reduce": {"function": "sum"}}


def shapes(kind: str, size: int) -> dict[str, dict]:
    """Ways to have ``size`` values that no small buffer likes: one row, one column, one vector, one window."""
    if kind in ("pool", "reduce"):
        return {
            "row": {"C": 1, "M": 1, "W": size, "S": size}, "column": {"C": 1, "M": 1, "H": size, "R": size},
            "windows": {"C": 2, "M": 2, "H": 3, "W": size // 6, "R": 3, "S": size // 6},
        }  # fmt: skip
    found = {"row": {"W": size}, "column": {"H": size}, "vector": {"C": size, "M": size}}
    return {name: {"C": 1, "M": 1} | shape for name, shape in found.items()}


def layer(kind: str, shape: dict, **fields) -> Layer:
    names = ("a", "b") if kind in ("add", "concat") else ("a",)
    if kind == "concat":
        half = (shape["C"] + 1) * max(shape.get("H", 1), 1) * shape.get("W", 1)
        shape = shape | {"C": 2 * shape["C"], "M": 2 * shape["M"]}
        fields |= {"input_sizes": (half, half)} if half * 2 == 1 else {}
    return Layer(name="l", kind=kind, inputs=names, **FIELDS.get(kind, {}) | shape | fields)


def tiles_of(made: Layer, machine) -> TiledPost:
    """The layer's tiles, without data; its inputs are maps of its own input size."""
    parts = dict.fromkeys(made.inputs, made.input_elements // (2 if made.kind == "concat" else 1))
    network = SimpleNamespace(
        input_shape=(1, 1, 1), side_inputs=parts, layers=(made,), code_bits=lambda name: 8,
        elements=lambda name: parts.get(name, made.output_elements if name == "l" else 1),
    )  # fmt: skip
    found = AddressMap(network, machine.dram.level, 0)
    moved, notes = found.moved(made)
    return TiledPost(moved, machine.buffers, found.place(made), notes)


def smallest(machine) -> int:
    return min(machine.buffers[operand].bytes for operand in ("inputs", "outputs"))


def moved(tiled: TiledPost, machine) -> dict[str, int]:
    """Bytes to and from the outermost memory; every tile fits its slots."""
    found = {"inputs": 0, "outputs": 0}
    for tile in tiled:
        for stream in tile.streams:
            buffer = machine.buffers[stream.operand]
            if machine.dram.level in (stream.source, stream.target):
                found[stream.tensor] += stream.bytes
            elif not buffer.outer:
                assert stream.bytes <= buffer.slot_bytes
    return found


@pytest.mark.parametrize("kind", POST_KINDS)
@pytest.mark.parametrize("preset", presets())
def test_every_kind_at_ten_times_the_smallest_buffer(preset, kind):
    machine = load_hardware(preset)
    for title, shape in shapes(kind, 10 * smallest(machine)).items():
        made = layer(kind, shape)
        tiled = tiles_of(made, machine)
        parts = made.input_elements * (len(made.inputs) if kind == "add" else 1)
        passes = 2 if kind in TWICE and tiled.cut.passes == 2 and not machine.buffers["inputs"].outer else 1
        assert (tiled.cut.passes == 2) == (kind in TWICE and title == "vector")
        found = moved(tiled, machine)
        assert found["outputs"] == made.output_elements, title
        if machine.buffers["inputs"].outer and kind in TWICE:
            assert found["inputs"] in (parts, 2 * parts)
        else:
            assert found["inputs"] == passes * parts, title


@pytest.mark.parametrize(("kind", "function"), [(kind, name) for kind, names in FUNCTIONS.items() for name in names])
def test_every_function_runs_on_a_small_machine(kind, function):
    """On a machine of a few bytes, as a whole run, its DRAM bytes and its cycles."""
    small = small_buffers.settings("systolic", input_sram=64, weight_sram=64, output_sram=64)
    machine = load_hardware("systolic", small)
    size = 640
    for shape in ({"W": size}, {"H": size}):
        window = {"S": shape.get("W", 1), "R": shape.get("H", 1)} if kind == "reduce" else {}
        made = Layer(name="l", kind=kind, function=function, C=1, M=1, **shape, **window)
        row = simulate(Network("one", (made,), made.input_shape[1:]), machine).layers.iloc[0]
        assert (row.dram_read_bytes, row.dram_write_bytes) == (size, made.output_elements)
        assert row.cycles >= size / 16  # bytes a cycle


@pytest.mark.parametrize("preset", ["eie", "systolic", "tensor_core"])
@pytest.mark.parametrize("kind", TWICE)
def test_a_vector_beyond_the_buffers_passes_twice_and_says_so(preset, kind):
    machine = load_hardware(preset)
    size = 10 * max(machine.buffers["inputs"].path[0].bytes, machine.buffers["outputs"].path[0].bytes)
    made = Layer(name="l", kind=kind, C=size, M=size)
    tiled = tiles_of(made, machine)
    assert moved(tiled, machine) == {"inputs": 2 * size, "outputs": size}
    assert "every input is read two times" in tiled.facts.notes[-1]
    assert sum(tile.post_ops for tile in tiled) == size * {"softmax": 5, "layernorm": 7}[kind]


@st.composite
def pools(draw):
    number = st.integers
    R, S = draw(number(1, 4)), draw(number(1, 4))
    return Layer(
        name="l", kind="pool", pool="max", C=(c := draw(number(1, 3))), M=c, H=draw(number(4, 9)), W=draw(number(4, 9)),
        R=R, S=S, N=draw(number(1, 2)), stride=(draw(number(1, 3)), draw(number(1, 3))), inputs=("a",),
        padding=(draw(number(0, R - 1)), draw(number(0, R - 1)), draw(number(0, S - 1)), draw(number(0, S - 1))),
    )  # fmt: skip


@settings(max_examples=60)
@given(pools(), st.sampled_from([2, 4, 6, 16, 64]))
def test_a_pool_reads_what_lies_under_its_windows_and_writes_each_output_once(made, size):
    """Down to slots of one value."""
    machine = load_hardware(
        "systolic", small_buffers.settings("systolic", input_sram=size, weight_sram=64, output_sram=size)
    )
    tiled = tiles_of(made, machine)
    place, tiles = tiled.placement, list(tiled)
    written = addresses([s for tile in tiles for s in tile.streams if s.tensor == "outputs"])
    assert sorted(written) == list(range(place.outputs.address, place.outputs.address + made.output_elements))
    read = set(addresses([s for tile in tiles for s in tile.streams if s.tensor == "inputs"]).tolist())
    under = {
        place.inputs[0].address + ((n * made.C + c) * made.H + h) * made.W + w
        for n in range(made.N) for c in range(made.C)
        for r in range(made.R) for h in made.window.rows.read(r)
        for s in range(made.S) for w in made.window.columns.read(s)
    }  # fmt: skip
    assert under <= read
    assert all(s.bytes <= size // 2 for tile in tiles for s in tile.streams)
    assert sum(tile.outputs for tile in tiles) == made.output_elements
    assert sum(tile.post_ops for tile in tiles) == made.output_elements * made.R * made.S
