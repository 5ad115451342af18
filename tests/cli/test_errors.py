"""Every mistake is one line that says what, where and what was expected; exit code 2; nothing half-written stays."""

import numpy as np
import pytest
import yaml

from accel_sim.config import load_hardware, to_tree
from tests.cli.helpers import refused, run

EIE = to_tree(load_hardware("eie"))


@pytest.fixture
def at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


ARGUMENTS = {
    "unknown network 'squeeznet1_0'; did you mean 'squeezenet1_0'?": ["squeeznet1_0", "eie"],
    "unknown network 'nowhere.csvx'": ["nowhere.csvx", "eie"],
    "unknown hardware 'eei'; did you mean 'eie'? (known: eie, systolic); or give a .yaml or .cfg file": ["lenet5", "eei"],
    "missing.yaml: cannot read hardware description: No such file or directory": ["lenet5", "missing.yaml"],
    "expected NETWORK and HARDWARE, or --config FILE": ["lenet5"],
    "--set array.rows: expected KEY=VALUE, as array.rows=16": ["lenet5", "eie", "--set", "array.rows"],
    "array.rows: Input should be a valid integer": ["lenet5", "eie", "--set", "array.rows=many"],
    "array: rows=-4 must be at least 1": ["lenet5", "eie", "--set", "array.rows=-4"],
    "array.row: unknown key 'row'; did you mean 'rows'?": ["lenet5", "eie", "--set", "array.row=4"],
    "memories[0].bandwith": ["lenet5", "eie", "--set", "memories.dram.bandwith_bytes_per_cycle=4"],
    "unknown level 'drm'; did you mean 'dram'?": ["lenet5", "eie", "--set", "memories.drm.latency_cycles=4"],
    "--set array.rows line 2: broken YAML": ["lenet5", "eie", "--set", "array.rows=[1"],
    "batch=0 must be at least 1": ["lenet5", "eie", "--batch", "0"],
    "seed=-1 must not be negative": ["lenet5", "eie", "--seed", "-1"],
    "network 'lenet5': no layer matches 'conv9*'": ["lenet5", "eie", "--layers", "conv9*"],
    "--image cat.png: needs real weights": ["lenet5", "eie", "--image", "cat.png"],
    "unknown weight file '.bin'; did you mean '.net'? (known: .net)": ["lenet5", "eie", "--weights", "w.bin"],
    "no.net: cannot read weights: No such file or directory": ["lenet5", "eie", "--weights", "no.net"],
    "no.prototxt: cannot read network: No such file or directory": ["no.prototxt", "eie"],
    "--activations no.npz: no such file": ["lenet5", "eie", "--activations", "no.npz"],
    "layer 'conv1' cannot fit: its smallest tile needs": ["lenet5", "eie", "--set", "memories.act.capacity_kib=0.001"],
    "raise its capacity_kib to at least": ["vgg16", "systolic", "--layers", "conv1_1", "--set",
                                           "memories.weight_sram.capacity_kib=0.001"],
    "MAC unit 'conventional'": ["lenet5", "eie", "--set", "mac.weight_bits=4"],
    "dataflow 'systolic' reads plain weights": ["lenet5", "systolic", "--set",
                                                "encodings.weights={name: relative_index}"],
}  # fmt: skip


@pytest.mark.parametrize("message", ARGUMENTS)
def test_run_refuses(message, at, capsys):
    line = refused(capsys, at, "run", *ARGUMENTS[message])
    assert line.startswith("accel-sim run: ")
    assert message in line


OTHER = {
    "accel-sim: argument COMMAND: invalid choice: 'rnu'": ["rnu"],
    "accel-sim list: argument KIND: invalid choice": ["list", "networkz"],
    "accel-sim show: unknown network 'alxnet'; did you mean 'alexnet'?": ["show", "network", "alxnet"],
    "accel-sim plot: nowhere: is no run directory (cycles.csv is missing)": ["plot", "nowhere"],
    "accel-sim experiment: unknown experiment 'eie'": ["experiment", "eie"],
    "accel-sim stats: --forward fast: expected integer or float": ["stats", "lenet5", "--forward", "fast"],
}


@pytest.mark.parametrize("message", OTHER)
def test_other_commands_refuse(message, at, capsys):
    assert refused(capsys, at, *OTHER[message]).startswith(message)


def broken(change) -> str:
    tree = yaml.safe_load(yaml.safe_dump(EIE))
    change(tree)
    return yaml.safe_dump(tree, sort_keys=False)


HARDWARE = {
    "m.yaml line 2: broken YAML: key 'name' is given twice": "name: a\nname: b\n",
    "m.yaml: broken YAML": "a: [1, 2",
    "m.yaml: expected a mapping of name, description": "- 1\n- 2\n",
    "m.yaml: cannot read hardware description: is no UTF-8 text": b"\xff\xfe\x00",
    "unknown key 'arrray'; did you mean 'array'?": broken(lambda t: t.update(arrray={})),
    "clock_mhz: '800 kg' is no quantity in kHz or MHz or GHz": broken(lambda t: t.update(clock_mhz="800 kg")),
    "clock_mhz=-1 must be positive": broken(lambda t: t.update(clock_mhz=-1)),
    "capacity_kib: '2 parsecs' is no quantity in B or KiB or MiB or GiB": broken(
        lambda t: t["memories"][1].update(capacity_kib="2 parsecs")
    ),
    "memories[1]: capacity_kib=-2 must be positive": broken(lambda t: t["memories"][1].update(capacity_kib=-2)),
    "mac.name: unknown MAC unit 'conventionl'; did you mean 'conventional'?": broken(
        lambda t: t["mac"].update(name="conventionl")
    ),
    "memories: no level holds outputs": broken(lambda t: t["memories"][3].update(holds=["inputs"])),
    "memories: level 'act' is used twice": broken(lambda t: t["memories"].append(t["memories"][3])),
    "memories: the first level must serve requests (such as flat)": broken(lambda t: t["memories"].pop(0)),
    "energy: unknown energy table 'horowitz'; did you mean 'horowitz_45nm'?": broken(
        lambda t: t["energy"].update(table="horowitz")
    ),
    "dataflow.queue_depth: Input should be a valid integer, unable to parse string as an integer, not 'deep'": broken(
        lambda t: t["dataflow"].update(queue_depth="deep")
    ),
}


@pytest.mark.parametrize("message", HARDWARE)
def test_hardware_files_are_refused(message, at, capsys):
    text = HARDWARE[message]
    (at / "m.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    line = refused(capsys, at, "run", "lenet5", "m.yaml")
    assert message.removeprefix("m.yaml: broken") in line
    assert "m.yaml" in line


def test_all_errors_of_a_file_are_reported_at_once(at, capsys):
    def spoil(tree):
        tree["array"]["rows"] = 0
        tree["dataflow"]["depth"] = 3
        tree["memories"][1]["capacity_kib"] = -1

    (at / "m.yaml").write_text(broken(spoil))
    line = refused(capsys, at, "run", "lenet5", "m.yaml")
    for part in ("array: rows=0 must be at least 1", "dataflow.depth: unknown key", "capacity_kib=-1 must be positive"):
        assert part in line


def test_units_in_strings_are_understood():
    assert load_hardware("eie", {"clock_mhz": "0.8 GHz"}).clock_mhz == 800
    assert load_hardware("eie", {"memories.act.capacity_kib": "1 MiB"}).levels["act"].capacity_kib == 1024


def test_an_output_that_is_something_else_is_left_alone(at, capsys):
    (at / "file").write_text("mine")
    (at / "full").mkdir()
    (at / "full/mine.txt").write_text("mine")
    assert "--out file: is a file, expected a directory" in refused(capsys, at, "run", "lenet5", "eie", "--out", "file")
    assert "--out full: holds other files" in refused(capsys, at, "run", "lenet5", "eie", "--out", "full")


@pytest.mark.parametrize(("name", "code"), [("KeyboardInterrupt", 130)])
def test_an_interrupted_run_leaves_nothing(name, code, at, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("accel_sim.plots.write", interrupted)
    assert "interrupted" in refused(capsys, at, "run", "lenet5", "eie", "--out", "x", "--quiet", code=code)


def test_config_files_are_refused_with_their_place(at, capsys):
    assert run(capsys, "run", "lenet5", "eie", "--quiet", "--out", "a")[0] == 0
    good = yaml.safe_load((at / "a/config.yaml").read_text())
    for change, message in (
        ({"run": good["run"] | {"netwrk": 1}}, "run: unknown key 'netwrk'; did you mean 'network'?"),
        ({"run": good["run"] | {"seed": "x"}}, "run.seed: expected int, not 'x'"),
        ({"run": {}}, "run.network: is missing"),
        ({"extra": 1}, "expected the sections run and hardware"),
    ):
        (at / "b.yaml").write_text(yaml.safe_dump(good | change))
        assert f"b.yaml: {message}" in refused(capsys, at, "run", "--config", "b.yaml")
    assert "--config holds seed already" in refused(capsys, at, "run", "--config", "a/config.yaml", "--seed", "3")


def test_mutated_weight_files_never_end_in_a_traceback(tmp_path):
    """Seeded mutations of a small .net: success or InputError, nothing else."""
    from workloads import InputError, load_network
    from workloads.importers.deep_compression import StoredLayer, write_net

    rng = np.random.default_rng(0)
    network = load_network("lenet_300_100")
    layers = []
    for layer in network.mac_layers:
        count = layer.weights // 20
        book = np.concatenate([[0], rng.normal(size=255)]).astype(np.float32)
        runs, codes = rng.integers(0, 16, count), rng.integers(0, 256, count)
        layers.append(StoredLayer(book, np.zeros(layer.M), codes.astype(np.uint8), runs.astype(np.uint8)))
    good = write_net(layers)
    path = tmp_path / "w.net"
    outcomes = set()
    for number in range(200):
        data = bytearray(good[: rng.integers(1, len(good))] if number % 5 == 0 else good)
        for _ in range(rng.integers(0, 4)):
            data[rng.integers(0, min(len(data), 2000))] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            load_network("lenet_300_100", weights=path)
            outcomes.add("loaded")
        except InputError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"loaded", "refused"}


def test_mutated_prototxt_never_ends_in_a_traceback(shared, tmp_path):
    from workloads import InputError, load_network

    good = (shared / "data/squeezenet_deep_compression/SqueezeNet_deploy.prototxt").read_bytes()
    rng, path, outcomes = np.random.default_rng(1), tmp_path / "n.prototxt", set()
    for _ in range(200):
        data = bytearray(good)
        for _ in range(rng.integers(1, 6)):
            place = rng.integers(0, len(data))
            data[place : place + rng.integers(0, 3)] = (
                rng.integers(32, 127, rng.integers(0, 4)).astype(np.uint8).tobytes()
            )
        path.write_bytes(bytes(data))
        try:
            load_network(path)
            outcomes.add("loaded")
        except InputError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"loaded", "refused"}
