"""What a whole ONNX file becomes: shapes worked out, names, open dimensions, weights; and what is refused."""

import json
import sys

import numpy as np
import pytest
from onnx import helper

from accel_sim import load_hardware, simulate
from accel_sim.shell.cli import main
from tests.presets import EVERY_PRESET
from tests.unit.workloads.onnx_models import Model, convolutions
from workloads import InputError, load_network


def network(model: Model, tmp_path, *outputs, **options):
    return load_network(model.save(tmp_path / "m.onnx", *(outputs or ["y"])), **options)


def test_shape_arithmetic_is_worked_out(tmp_path):
    """[B, S, 12] -> [B, S, 3, 4] with sizes taken from the tensor itself, as exporters write it."""
    m = Model()
    x = m.input("x", ["B", "S", 12])
    axis, whole = m.tensor("axis", [0]), m.op("Shape", [x], "whole")
    sizes = [m.op("Gather", [whole, m.tensor(f"at{i}", i)], f"g{i}") for i in range(2)]
    parts = [m.op("Unsqueeze", [size, axis], f"u{i}") for i, size in enumerate(sizes)]
    target = m.op("Concat", [*parts, m.tensor("rest", [3, 4])], "target", axis=0)
    m.op("Transpose", [m.op("Reshape", [x, target], "r")], "y", perm=[0, 2, 1, 3])
    net = network(m, tmp_path, batch=2, dims={"S": 5})
    assert [(layer.kind, layer.output_elements) for layer in net.layers] == [("move", 120)]


def test_names_are_unique_and_printable(tmp_path):
    m = Model()
    x = m.input("input", [1, 4])
    m.nodes.append(helper.make_node("Sigmoid", [x], ["a\nb"], name="input"))
    m.nodes.append(helper.make_node("Tanh", ["a\nb"], ["c"]))
    m.nodes.append(helper.make_node("Softmax", ["c"], ["y"], name="a?b"))
    names = [layer.name for layer in network(m, tmp_path).layers]
    assert len(set(names)) == len(names) and "input" not in names
    assert all(name.isprintable() for name in names)


def test_unsupported_operators_are_listed_together(tmp_path):
    m = Model()
    x = m.op("ConvTranspose", [m.input("x", [1, 4, 5, 5]), m.weights("w", 4, 4, 3, 3)], "up")
    x = m.op("Relu", [x], "r")
    m.op("NonZero", [m.op("Fancy", [x], "f", domain="my.domain")], "y")
    with pytest.raises(InputError) as caught:
        network(m, tmp_path)
    expected = (
        "m.onnx: unsupported operators in 3 of 4 nodes: ConvTranspose ('up'; nearest supported: Transpose); "
        "my.domain.Fancy ('f'); NonZero ('y'); fold constants and inline functions, or export without"
    )
    assert str(caught.value).endswith(expected)


def test_nodes_that_no_output_needs_are_left_out(tmp_path):
    m = Model()
    x = m.input("x", [1, 4])
    m.op("NonZero", [x], "unused")
    m.op("Sigmoid", [x], "y")
    assert len(network(m, tmp_path).layers) == 1


def test_open_dimensions(tmp_path):
    path = convolutions().save(tmp_path / "c.onnx", "y")
    assert load_network(path).batch == 1
    assert load_network(path, batch=4).macs == 4 * load_network(path).macs
    assert load_network(path, dims={"N": 2}).batch == 2
    with pytest.raises(InputError, match=r"unknown open dimension 'M'.* \(known: N\)$"):
        load_network(path, dims={"M": 2})
    with pytest.raises(InputError, match=r"^network 'alexnet': has no open dimension 'N'$"):
        load_network("alexnet", dims={"N": 2})
    m = Model()
    m.op("Add", [m.input("x", [None, 4, None]), m.input("z", ["n", 4, "m"])], "y")
    path = m.save(tmp_path / "d.onnx", "y")
    message = r"d.onnx: open dimensions 'x\[2\]', 'n', 'm': give each a size \(--dim NAME=SIZE\)$"
    with pytest.raises(InputError, match=message):
        load_network(path)
    assert load_network(path, batch=3, dims={"x[2]": 5, "n": 3, "m": 5}).layers[0].output_elements == 60


@pytest.mark.slow
def test_open_dimensions_are_part_of_a_run(tmp_path, capsys):
    path = convolutions().save(tmp_path / "c.onnx", "y")
    first, again = tmp_path / "first", tmp_path / "again"
    arguments = ["run", str(path), "systolic", "--dim", "N=2", "--layers", "c1", "--json", "--out", str(first)]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["batch"] == 2
    assert "dims:\n    N: 2\n" in (first / "config.yaml").read_text()
    assert main(["run", "--config", str(first / "config.yaml"), "--quiet", "--out", str(again)]) == 0
    for name in ("config.yaml", "layers.csv", "cycles.csv", "actions.csv", "summary.json", "provenance.json"):
        assert (first / name).read_bytes() == (again / name).read_bytes()


def test_open_dimensions_on_the_command_line(tmp_path, capsys):
    path = convolutions().save(tmp_path / "c.onnx", "y")
    for text in ("N", "N=", "=2", "N=-1", "N=two"):
        assert main(["show", "network", str(path), "--dim", text]) == 2
        assert capsys.readouterr().err == f"accel-sim show: --dim {text}: expected NAME=SIZE, as sequence=128\n"
    assert main(["show", "network", str(path), "--dim", "N=3", "--json"]) == 0
    assert sum(row["macs"] for row in json.loads(capsys.readouterr().out)) == load_network(path, batch=3).macs


def test_batch_is_not_changed_where_the_file_fixes_it(tmp_path):
    m = Model()
    m.op("MatMul", [m.input("a", [2, 5, 6]), m.input("b", [2, 6, 7])], "y")
    with pytest.raises(InputError, match=r"layer 'y' is made for the 2 items that its file fixes$"):
        network(m, tmp_path, batch=3)


def test_without_the_onnx_package(tmp_path, monkeypatch):
    path = convolutions().save(tmp_path / "c.onnx", "y")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"c.onnx: reading .onnx files needs the package 'onnx': pip install "):
        load_network(path)


@EVERY_PRESET
def test_trained_weights_are_kept(hardware, tmp_path):
    """A user's own sparse weights give their own density and source."""
    net = load_network(convolutions().save(tmp_path / "c.onnx", "y"))
    weights = net.weights["c1"]
    assert weights.values.dtype == np.float32
    step = weights.codes.format.scale
    assert np.abs(weights.codes.integers() * step - weights.values).max() <= step / 2
    result = simulate(net, load_hardware(hardware), check=True)
    rows = result.layers.set_index("layer")
    assert rows.weight_density["c1"] < 0.4
    assert rows.weight_source["c1"] == (
        "c.onnx: float32 weights, quantised to symmetric int8 per layer (power-of-two scale)"
    )
    assert result.summary["check"]["layers"] == 3
    assert result.summary["weight_file_bytes"] == 4 * (net["c1"].params - 16 + net["dw"].params + net["fc"].params)
