"""Model files are untrusted: whatever stands in one, the importer refuses it in one line, fast and in little memory."""

import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.unit.workloads.test_tflite import QUARTER, VWW, WHOLE, started
from tests.unit.workloads.test_tflite_kernels import output
from tests.unit.workloads.tflite_builder import SAME, Builder, pack, vector, window
from tests.unit.workloads.tflite_builder import number as scalar
from tests.unit.workloads.tflite_cases import KINDS, case
from workloads import InputError, load_network
from workloads.importers.tflite import LIMIT_BYTES, import_tflite
from workloads.importers.tflite_file import read_model
from workloads.models.tflite_int8 import TfliteInt8

SECONDS = 1.0


def one_line(error):
    text = str(error)
    assert text
    assert "\n" not in text
    assert len(text) < 20_000


def structure(data):
    """Places of the bytes that are no constants: what an importer goes by."""
    model = read_model(data, "x")
    free = np.ones(len(data), dtype=bool)
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for buffer in model.buffers:
        constant = buffer.array(0, "u1", len(data), "data")
        at = constant.__array_interface__["data"][0] - start
        free[at : at + len(constant)] = False
    return np.flatnonzero(free)


def mutated(data, places, rng):
    """One to four hostile edits."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(places[rng.integers(len(places))])
        kind = rng.integers(6)
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at] = int(rng.integers(256))
        elif kind == 2 and at + 4 <= len(out):
            value = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(out), int(rng.integers(1 << 32))])
            struct.pack_into("<I", out, at, int(value))
        elif kind == 3 and at + 2 <= len(out):
            struct.pack_into("<H", out, at, int(rng.choice([0, 4, 0xFFFF, int(rng.integers(1 << 16))])))
        elif kind == 4:
            other = int(places[rng.integers(len(places))])
            out[at : at + 8] = out[other : other + 8]
        elif rng.integers(20) == 0:
            del out[at:]
            break
    return bytes(out)


def fuzz(data, count, seed):
    """How many of ``count`` mutants were refused; every one is read or refused within the time limit."""
    places, rng, refused = structure(data), np.random.default_rng(seed), 0
    for number in range(count):
        mutant = mutated(data, places, rng)
        begin = time.perf_counter()
        try:
            network = import_tflite(mutant, "x.tflite", "x", "x.tflite")
            model = TfliteInt8(network)
            for layer in network.mac_layers[number % 4 :: 4]:
                model.finishing(layer)
        except InputError as error:
            one_line(error)
            refused += 1
        assert time.perf_counter() - begin < 5 * SECONDS  # a loaded machine; alone it takes 0.02 s
    return refused


@pytest.mark.slow
@pytest.mark.parametrize("name", [VWW, QUARTER, WHOLE])
def test_mutants_are_read_or_refused(name, shared):
    data = (shared / f"data/mobilenet_int8/{name}.tflite").read_bytes()
    assert 0 < fuzz(data, 200, 1) < 200


@pytest.mark.long
@pytest.mark.parametrize("name", [VWW, QUARTER, WHOLE])
def test_two_thousand_mutants_are_read_or_refused(name, shared):
    data = (shared / f"data/mobilenet_int8/{name}.tflite").read_bytes()
    assert 0 < fuzz(data, 2000, 2) < 2000


def fuzz_small(count, seed):
    """Mutants of a small file of every operator, run where they can be read; returns how many could."""
    rng, ran = np.random.default_rng(seed), 0
    for kind in KINDS:
        for number in range(count):
            data, x = case(kind, ("int8", "uint8")[number % 2], number % 4)
            mutant = mutated(data, structure(data), rng)
            try:
                output(mutant, x)
                ran += 1
            except InputError as error:
                one_line(error)
    return ran


def test_mutants_of_every_operator_are_run_or_refused():
    assert 0 < fuzz_small(40, 3) < 40 * len(KINDS)


@pytest.mark.slow
def test_two_hundred_mutants_of_every_operator_are_run_or_refused():
    assert fuzz_small(200, 4)


def test_every_prefix_of_a_small_file_is_refused():
    data = simple().data()
    for length in range(0, len(data), 7):
        with pytest.raises(InputError) as caught:
            import_tflite(data[:length], "x.tflite", "x", "x.tflite")
        one_line(caught.value)


def simple(**edits):
    """One 1x1 convolution; edits: attribute of the weight tensor's fields -> value."""
    b, x = started()
    w = b.tensor([2, 1, 1, 4], "int8", edits.get("scale", 0.01), edits.get("zero", 0), data=np.ones((2, 1, 1, 4)))
    bias = b.tensor([2], "int32", 2e-4, data=[0, 0])
    y = b.tensor(edits.get("shape", [1, 6, 6, 2]), "int8", 0.02, -128)
    b.op("CONV_2D", [x, w, bias], y, edits.get("options", window()))
    b.outputs = [y]
    return b


def edited(change):
    """The file of ``simple()`` after ``change`` of its fields."""
    b = simple()
    fields = b.fields()
    change(fields, b)
    return pack(fields)


def shape_of(tensor, shape):
    return lambda fields, b: b.tensors[tensor].update({0: vector("<i4", shape)})


def many(what):
    """Far more tensors, operators or subgraphs than there are, all of them the same few bytes of the file."""

    def change(fields, b):
        graph = fields[2][1][0]
        if what == "subgraph":
            fields[2] = ("tables", [graph, graph])
        elif what == "operator":
            b.operators *= 5000
        else:
            graph[1] = vector("<i4", np.zeros(1000))

    return change


HOSTILE = {
    "x.tflite: expected the file identifier 'TFL3' at byte 4, not 'TFL9'": lambda: pack(simple().fields(), b"TFL9"),
    "x.tflite: expected the file identifier 'TFL3' at byte 4, not '3 bytes'": lambda: b"abc",
    "x.tflite: tensor 0: shape [1, 6, 1048577, 4]: expected one to four sizes of 1 to 1048576": lambda: edited(
        shape_of(0, [1, 6, 1 << 20 | 1, 4])
    ),
    "x.tflite: tensor 0: 1099511627776 elements; a map may have 67108864": lambda: edited(
        shape_of(0, [1, 1 << 20, 1 << 20, 1])
    ),
    "x.tflite: tensor 0: negative size in shape [1, -6, 6, 4]": lambda: edited(shape_of(0, [1, -6, 6, 4])),
    "x.tflite: tensor 0: shape [1, 0, 6, 4]: expected one to four sizes of 1 to 1048576": lambda: edited(
        shape_of(0, [1, 0, 6, 4])
    ),
    "x.tflite: tensor 0: broken file: shape: 9 entries, at most 8 are read": lambda: edited(shape_of(0, [1] * 9)),
    "x.tflite: tensor 1: shape [2, 1, 1, 400] takes 800 bytes, its buffer has 8": lambda: edited(
        shape_of(1, [2, 1, 1, 400])
    ),
    "x.tflite: operator 0 (CONV_2D): its output is [2, 6, 6] (C, H, W), the file says [2, 5, 6]": lambda: simple(
        shape=[1, 5, 6, 2]
    ).data(),
    "x.tflite: operator 0 (CONV_2D): filter (1, 1), stride (0, 0), dilation (1, 1): expected 1 to 1048576": lambda: (
        simple(options=window((0, 0))).data()
    ),
    "x.tflite: operator 0 (CONV_2D): padding scheme 7: expected 0 (SAME) or 1 (VALID)": lambda: simple(
        options=window(scheme=7)
    ).data(),
    "x.tflite: operator 0 (CONV_2D): fused activation TANH: expected NONE, RELU or RELU6": lambda: simple(
        options=window(act=4)
    ).data(),
    "x.tflite: tensor 1: a scale must be positive and finite, not nan": lambda: simple(scale=float("nan")).data(),
    "x.tflite: tensor 1: a scale must be positive and finite, not -1": lambda: simple(scale=-1.0).data(),
    "x.tflite: tensor 1: zero point 300..300 is outside -128..127": lambda: simple(zero=300).data(),
    "x.tflite: operator 0 (CONV_2D): 3 scales for 2 output channels: expected 1 or 2": lambda: simple(
        scale=[0.1, 0.2, 0.3]
    ).data(),
    "x.tflite: operator 0 (CONV_2D): int8 weights have a zero point; the reference kernels take them as symmetric": (
        lambda: simple(zero=3).data()
    ),
    "x.tflite: expected one subgraph, not 2": lambda: edited(many("subgraph")),
    "x.tflite: broken file: operator: 5000 entries, at most 4096 are read": lambda: edited(many("operator")),
    "x.tflite: broken file: inputs: 1000 entries, at most 64 are read": lambda: edited(many("inputs")),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_refuses(message):
    with pytest.raises(InputError) as caught:
        import_tflite(HOSTILE[message](), "x.tflite", "x", "x.tflite")
    assert str(caught.value) == message


def test_an_offset_outside_the_file_is_refused():
    data = bytearray(simple().data())
    struct.pack_into("<I", data, 0, 0xFFFFFFF0)
    with pytest.raises(InputError, match=r"^x\.tflite: broken file: an offset points to byte \d+, the file has \d+$"):
        import_tflite(bytes(data), "x.tflite", "x", "x.tflite")


def test_a_vector_longer_than_the_file_is_refused():
    data = bytearray(simple().data())
    shape = data.index(struct.pack("<5i", 4, 1, 6, 6, 4))
    struct.pack_into("<I", data, shape, 0x3FFFFFFF)
    with pytest.raises(InputError, match=r"shape: 1073741823 entries of 4 bytes do not fit the file's \d+ bytes$"):
        import_tflite(bytes(data), "x.tflite", "x", "x.tflite")


def shared_weights(times):
    """A chain of convolutions that all read the same constant, which most of the file consists of."""
    b = Builder()
    C = 256
    x = b.tensor([1, 1, 1, C], "int8", 0.02, -128)
    b.inputs = [x]
    w = b.tensor([C, 1, 1, C], "int8", 0.01, data=np.ones((C, 1, 1, C)))
    for _ in range(times):
        y = b.tensor([1, 1, 1, C], "int8", 0.02, -128)
        x = b.op("CONV_2D", [x, w, -1], y, window(scheme=SAME))
    b.outputs = [x]
    return b.data()


def test_constants_cannot_be_read_over_and_over():
    assert len(import_tflite(shared_weights(2), "x", "x", "x").layers) == 2
    with pytest.raises(InputError, match=r"operators so far read \d+ bytes of constants, the file has \d+$"):
        import_tflite(shared_weights(400), "x", "x", "x")


def test_a_file_too_large_or_of_another_kind_is_not_read(tmp_path):
    path = tmp_path / "big.tflite"
    with path.open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    with pytest.raises(InputError, match=r"^.*big\.tflite: \d+ bytes; a \.tflite file may have 167772160$"):
        load_network(path)
    with path.open("wb") as file:
        file.truncate(LIMIT_BYTES)
    begin = time.perf_counter()
    with pytest.raises(InputError, match="expected the file identifier"):
        load_network(path)
    assert time.perf_counter() - begin < SECONDS
    with pytest.raises(InputError, match="cannot read network: No such file"):
        load_network(tmp_path / "none.tflite")


SCRIPT = """
import resource, sys, time
from workloads import InputError, load_network
from workloads.importers import network_files
network_files.names()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    begin = time.perf_counter()
    try:
        load_network(path)
        print("read", path)
    except InputError:
        pass
    print(time.perf_counter() - begin, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_hostile_files_take_little_time_and_memory(tmp_path):
    """A file of 4096 operators and 16384 tensors over a few bytes, one full of constants, one of huge maps."""
    b, x = started()
    for _ in range(4096):
        b.op("RELU", [x], x)
    b.outputs = [x]
    b.tensors += b.tensors[:1] * (16384 - len(b.tensors))
    samples = {
        "operators": b.data(), "constants": shared_weights(2000),
        "maps": edited(lambda fields, b: [shape_of(n, [1, 8192, 8192, 1])(fields, b) for n in (0, 3)]),
        "scales": simple(scale=np.full(1 << 16, 0.1)).data(), "noise": b"\x18\0\0\0TFL3" + bytes(range(256)) * 10_000,
    }  # fmt: skip
    paths = []
    for name, data in samples.items():
        paths.append(tmp_path / f"{name}.tflite")
        paths[-1].write_bytes(data)
    done = subprocess.run([sys.executable, "-c", SCRIPT, *map(str, paths)], capture_output=True, text=True, check=True)
    assert "read" not in done.stdout
    assert int(done.stdout) * 1024 < 200 << 20
    assert max(map(float, done.stderr.split())) < SECONDS


def test_numbers_of_the_builder_are_read_back():
    """The writer of the tests and the reader of the package agree on a file without a vtable entry too many."""
    data = pack({3: scalar("<i", -5), 1: vector("<i8", [7, -9])})
    from workloads.importers.flatbuffer import root

    table = root(data, b"TFL3", "x")
    assert table.scalar(3, "<i", 0) == -5
    assert table.scalar(0, "<i", 11) == 11
    assert table.array(1, "<i8", 2, "v").tolist() == [7, -9]
    with pytest.raises(InputError, match="v: 2 entries, at most 1 are read"):
        table.array(1, "<i8", 1, "v")
