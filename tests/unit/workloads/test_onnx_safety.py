"""Model files are untrusted: one line, soon, in little memory, whatever the file holds."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from accel_sim.shell.cli import main
from tests.unit.workloads.onnx_hostile import FILES, external
from tests.unit.workloads.onnx_models import LIGHT, Model, block, convolutions, quantised
from workloads import InputError, load_network

LIMIT_SECONDS, LIMIT_BYTES = 1.0, 200 << 20


@pytest.mark.parametrize("name", FILES)
def test_refused_in_one_line(name, tmp_path):
    data, text = FILES[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load_network(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.endswith(text)
    assert message.isprintable() and len(message) < 600


#: reads a good model, then each file of a folder; prints its name, CPU seconds and memory above the idle process
PROBE = """
import re, sys, time
from pathlib import Path
from workloads import InputError, load_network
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
folder = Path(sys.argv[1])
load_network(folder / "good.onnx")
idle = peak()
for path in sorted(folder.glob("bad/*.onnx")):
    started = time.process_time()
    try:
        load_network(path)
    except InputError:
        print(path.stem, time.process_time() - started, peak() - idle, sep="\\t")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_time_and_memory_of_refusals(tmp_path):
    convolutions().save(tmp_path / "good.onnx", "y")
    (tmp_path / "bad").mkdir()
    for name, (data, _) in FILES.items():
        (tmp_path / f"bad/{name}.onnx").write_bytes(data)
    done = subprocess.run([sys.executable, "-c", PROBE, str(tmp_path)], text=True, check=True, stdout=subprocess.PIPE)
    rows = {
        name: (float(seconds), int(rise))
        for name, seconds, rise in (line.split("\t") for line in done.stdout.splitlines())
    }
    assert set(rows) == set(FILES)
    assert max(seconds for seconds, _ in rows.values()) < LIMIT_SECONDS
    assert max(rise for _, rise in rows.values()) < LIMIT_BYTES


def test_no_file(tmp_path, capsys):
    for path, text in ((tmp_path / "no.onnx", "cannot read network: no such file"), (tmp_path, "is no file")):
        path = path if path.suffix else path / "folder.onnx"
        if text == "is no file":
            path.mkdir()
        assert main(["show", "network", str(path)]) == 2
        assert capsys.readouterr().err == f"accel-sim show: {path}: {text}\n"


def test_devices_and_pipes_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(InputError, match=r"is no file$"):
            load_network(tmp_path / f"{name}.onnx")


def test_size_limit(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 31)
    with pytest.raises(InputError, match=r"2147483648 bytes; a model file may have 2147483647$"):
        load_network(path)


# --- external data ---


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    inside = tmp_path / "model"
    (inside / "data").mkdir(parents=True)
    (inside / "data/w.bin").write_bytes(np.arange(20, dtype=np.float32).tobytes())
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "out").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe")
    return inside


def load(folder: Path, data: bytes):
    (folder / "m.onnx").write_bytes(data)
    return load_network(folder / "m.onnx")


def test_external_data_is_read(folder):
    weights = load(folder, external("data/w.bin", offset=16, length=64)).weights["y"]
    assert (weights.values.reshape(-1) == np.arange(4, 20)).all()
    assert weights.file_bytes == 64


def test_external_data_without_an_offset_begins_with_the_file(folder):
    weights = load(folder, external("data/w.bin")).weights["y"]
    assert (weights.values.reshape(-1) == np.arange(16)).all()


@pytest.mark.parametrize(
    ("location", "entries", "text"),
    [
        ("/etc/passwd", {}, "its external data '/etc/passwd' lies outside the model's folder"),
        ("../secret.bin", {}, "its external data '../secret.bin' lies outside the model's folder"),
        ("data/../../secret.bin", {}, "its external data 'data/../../secret.bin' lies outside the model's folder"),
        ("..\\secret.bin", {}, "its external data '..\\secret.bin' lies outside the model's folder"),
        ("C:secret.bin", {}, "its external data 'C:secret.bin' lies outside the model's folder"),
        ("link.bin", {}, "its external data 'link.bin' is reached through a symbolic link"),
        ("out/secret.bin", {}, "its external data 'out/secret.bin' is reached through a symbolic link"),
        ("pipe", {}, "its external data 'pipe' is no regular file"),
        ("data", {}, "its external data 'data' is no regular file"),
        ("none.bin", {}, "its external data 'none.bin' is not there"),
        ("", {}, "its external data has no usable location"),
        ("a\0b", {}, "its external data has no usable location"),
        ("x" * 5000, {}, f"its external data '{'x' * 80}' is not there"),
        ("data/w.bin", {"offset": 20}, "64 bytes from byte 20 of its external data 'data/w.bin', which has 80"),
        ("data/w.bin", {"offset": -4}, "offset of its external data: expected a number of bytes"),
        ("data/w.bin", {"offset": "9" * 30}, "offset of its external data: expected a number of bytes"),
        ("data/w.bin", {"length": 60}, "its shape takes 64 bytes, its external data 60"),
    ],
)
def test_external_data_stays_in_its_folder(location, entries, text, folder):
    with pytest.raises(InputError) as caught:
        load(folder, external(location, **entries))
    assert str(caught.value) == f"{folder / 'm.onnx'}: tensor 'w': {text}"


# --- fuzzing ---


def samples() -> dict[str, bytes]:
    found = {name: (LIGHT / f"light_{name}.onnx").read_bytes() for name in ("squeezenet", "zfnet512")}
    made = {"convolutions": convolutions(), "block": block(S=6, D=8, heads=2, F=8), "quantised": quantised()}
    return found | {name: model.proto("y").SerializeToString() for name, model in made.items()}


NUMBERS = (-(1 << 63), -(1 << 31), -2, -1, 0, 1, 2, 3, 5, 1 << 10, 1 << 20, (1 << 31) - 1, 1 << 40, (1 << 63) - 1)
ATTRIBUTES = ("axis", "axes", "perm", "kernel_shape", "strides", "pads", "group", "dilations", "transA", "block_size")


def broken(rng: random.Random, data: bytes) -> bytes:
    """Bytes changed, flipped, left out, put in, copied or cut off."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at, count = rng.randrange(len(out)), rng.choice((1, 2, 8, 100))
        kind = rng.randrange(7)
        if kind <= 1:
            out[at] = rng.randrange(256)
        elif kind == 2:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            del out[at : at + count]
        elif kind == 4:
            out[at:at] = rng.randbytes(count)
        elif kind == 5:
            other = rng.randrange(len(out))
            out[at : at + count] = out[other : other + count]
        elif rng.random() < 0.3:
            del out[at:]
        out = out or bytearray(1)
    return bytes(out)


def twisted(rng: random.Random, data: bytes) -> bytes:
    """A file that still parses, with wrong operators, values, sizes, types, attributes and inputs."""
    import onnx
    from onnx import helper

    from workloads.importers.onnx.operators import operators

    kinds = [name for name in operators.names() if "." not in name]
    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    names = [name for node in graph.node for name in node.output] + [tensor.name for tensor in graph.initializer]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
        place = rng.randrange(max(1, len(node.input)))
        kind = rng.randrange(11)
        if kind == 0:
            node.op_type = rng.choice(kinds)
        elif kind == 1 and node.input:
            node.input[place] = rng.choice([*names, ""])
        elif kind == 2 and node.input:
            del node.input[place]
        elif kind == 3:
            node.input.append(rng.choice(names))
        elif kind == 4 and node.attribute:
            attribute = rng.choice(node.attribute)
            if attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
            else:
                attribute.i, attribute.f = rng.choice(NUMBERS), rng.choice((float("nan"), float("inf"), -1.0))
        elif kind == 5 and node.attribute:
            del node.attribute[rng.randrange(len(node.attribute))]
        elif kind == 6:
            value = rng.choice((rng.choice(NUMBERS), [rng.choice(NUMBERS) for _ in range(rng.randrange(1, 5))]))
            node.attribute.append(helper.make_attribute(rng.choice(ATTRIBUTES), value))
        elif kind == 7 and tensor.dims:
            tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
        elif kind == 8:
            tensor.data_type = rng.choice((0, 1, 2, 3, 6, 7, 9, 10, 11, 16, 21, 22, 25, 8, 99))
        elif kind == 9 and tensor.data_type == 7 and len(tensor.raw_data) >= 8:
            at = 8 * rng.randrange(len(tensor.raw_data) // 8)
            number = (rng.choice(NUMBERS)).to_bytes(8, "little", signed=True)
            tensor.raw_data = tensor.raw_data[:at] + number + tensor.raw_data[at + 8 :]
        elif kind == 10:
            extra = helper.make_node(rng.choice(kinds), rng.choices(names, k=rng.randrange(4)), [node.output[0] + "x"])
            graph.node.insert(rng.randrange(len(graph.node) + 1), extra)
            graph.output[0].name = rng.choice((graph.output[0].name, extra.output[0]))
    return model.SerializeToString()


def fuzz(name: str, rounds: int, path: Path) -> dict[str, int]:
    """Half of the rounds break bytes, half twist the model; anything but success or InputError is raised."""
    data, counts = samples()[name], {"read": 0, "refused": 0}
    for number in range(rounds):
        rng = random.Random(f"{name} {number}")
        path.write_bytes((broken if number % 2 else twisted)(rng, data))
        try:
            load_network(path)
            counts["read"] += 1
        except InputError as error:
            assert str(error).isprintable() and len(str(error)) < 6000
            counts["refused"] += 1
        except BaseException:
            print(f"fuzz: {name}, round {number}")
            raise
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("name", samples())
def test_fuzz(name, tmp_path):
    counts = fuzz(name, 200, tmp_path / "m.onnx")
    assert min(counts.values()) > 10


@pytest.mark.long
@pytest.mark.parametrize("name", samples())
def test_fuzz_long(name, tmp_path):
    counts = fuzz(name, 2000, tmp_path / "m.onnx")
    assert min(counts.values()) > 100


@pytest.mark.slow
def test_fuzz_through_the_command(tmp_path):
    data = samples()["convolutions"]
    for number in range(20):
        path = tmp_path / "m.onnx"
        path.write_bytes((broken if number % 2 else twisted)(random.Random(number), data))
        done = subprocess.run(
            [sys.executable, "-m", "accel_sim", "show", "network", str(path)], text=True, check=False,
            capture_output=True, timeout=60,
        )  # fmt: skip
        assert done.returncode in (0, 2)
        assert done.returncode == 0 or len(done.stderr.splitlines()) == 1


# --- the budget ---


def test_shared_weights_are_held_once(tmp_path):
    m = Model()
    x, w = m.input("x", [1, 64]), m.weights("w", 64, 64)
    for number in range(300):
        x = m.op("MatMul", [x, w], f"l{number}")
    net = load_network(m.save(tmp_path / "m.onnx", x))
    assert len({id(weights.codes) for weights in net.weights.values()}) == 1


def test_one_tensor_cannot_be_multiplied_without_end(tmp_path, monkeypatch):
    """1 MB of weights, folded into ever more different layers: what is made is bounded by what the file holds."""
    monkeypatch.setattr("workloads.importers.onnx.BUDGET_BASE", 1 << 20)
    m = Model()
    x, w = m.input("x", [1, 512]), m.weights("w", 512, 512)
    for number in range(100):
        x = m.op("MatMul", [x, w], f"l{number}")
        x = m.op("Mul", [x, m.weights(f"s{number}", 512)], f"m{number}")
    with pytest.raises(InputError, match=r"constants worked out at import have more elements than the file can"):
        load_network(m.save(tmp_path / "m.onnx", x))
