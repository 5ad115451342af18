"""The nine light models of the onnx package: totals and layers of the reference table, and checked runs."""

import json
from pathlib import Path

import pytest

from accel_sim import load_hardware, simulate
from accel_sim.shell.cli import main
from tests import tables
from tests.presets import EVERY_PRESET
from tests.unit.workloads.onnx_models import LIGHT
from workloads import load_network
from workloads.importers.onnx import read_graph, stored_parameters
from workloads.importers.onnx.file import read_model
from workloads.network import Network

MODELS = sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("light_*.onnx"))
#: the reference counts a tensor where a node reads it directly; this one reaches its Gemm through a Reshape
LEFT_OUT = {"inception_v1": 1_024_000}


def rows(shared: Path, table: str, model: str) -> list[dict[str, str]]:
    return [row for row in tables.read(shared / f"data/reference/{table}.csv") if row["model"] == model]


def light(model: str) -> Network:
    return load_network(LIGHT / f"light_{model}.onnx")


def test_there_are_nine():
    assert len(MODELS) == 9


@pytest.mark.parametrize("model", MODELS)
def test_totals_are_the_reference_row(model, shared):
    (row,) = rows(shared, "onnx_light_totals", model)
    net = light(model)
    gemms = [layer for layer in net.mac_layers if layer.kind == "fc"]
    convs = [layer for layer in net.mac_layers if layer.kind != "fc"]
    biases = sum(layer.M for layer in net.mac_layers if layer.bias)
    weights = [sum(layer.weights for layer in kind) for kind in (convs, gemms)]
    graph = read_graph(read_model(LIGHT / f"light_{model}.onnx"), {row["input"].split(":")[0]: (1, 3, 224, 224)})
    totals = {
        "convs": len(convs),
        "gemms": len(gemms),
        "conv_macs": sum(layer.macs for layer in convs),
        "fc_macs": sum(layer.macs for layer in gemms),
        "macs": net.macs,
        "conv_weights": weights[0],
        "fc_weights": weights[1],
        "biases": biases,
        "params_conv_fc_bias": sum(weights) + biases,
        "params_all_incl_bn": stored_parameters(graph) - LEFT_OUT.get(model, 0),
    }
    assert totals == {name: int(row[name]) for name in totals}


@pytest.mark.parametrize("model", MODELS)
def test_every_mac_layer_is_the_reference_row(model, shared):
    found = [
        (
            layer.name, (layer.weight_shape if layer.kind != "fc" else layer.weight_shape[:2]), layer.G, layer.stride,
            layer.padding, (layer.C, layer.H, layer.W), (layer.M, layer.E, layer.F), layer.weights, layer.macs,
        )
        for layer in light(model).mac_layers
    ]  # fmt: skip
    assert found == [_expected(row) for row in rows(shared, "onnx_light_layers", model)]


def _expected(row: dict[str, str]) -> tuple:
    def sizes(column: str) -> tuple[int, ...]:
        return tuple(int(size) for size in row[column].split("x")) if row[column] else ()

    stride, pads = sizes("strides") or (1, 1), sizes("pads") or (0, 0, 0, 0)
    maps = [(*sizes(column)[1:], 1, 1)[:3] for column in ("in_shape", "out_shape")]
    padding = (pads[0], pads[2], pads[1], pads[3])
    return (
        row["node"], sizes("weight_shape"), int(row["group"]), stride, padding, *maps, int(row["weights"]),
        int(row["macs"]),
    )  # fmt: skip


def test_params_of_folded_norms_are_the_published_ones():
    assert light("resnet50").params == load_network("resnet50_v1_5").params == 25_557_032
    assert light("densenet121").params == 7_978_856  # Huang et al. 2017, as torchvision counts it


def test_kinds_of_what_is_not_a_convolution():
    kinds = [layer.kind for layer in light("shufflenet").layers]
    assert (kinds.count("shuffle"), kinds.count("concat"), kinds.count("move")) == (16, 3, 0)
    assert {layer.kind for layer in light("densenet121").layers} == {"conv", "pool", "batchnorm", "concat"}


def test_filled_tensors_are_no_trained_weights():
    assert not light("vgg19").weights


def test_fixed_batch_can_be_changed():
    assert load_network(LIGHT / "light_resnet50.onnx", batch=3).macs == 3 * light("resnet50").macs


RUNS = [("squeezenet", "n4[0-4]", 3), ("shufflenet", "n19?", 2)]


@pytest.mark.slow
@EVERY_PRESET
@pytest.mark.parametrize(("model", "layers", "checked"), RUNS)
def test_runs_with_check(model, layers, checked, hardware):
    result = simulate(light(model), load_hardware(hardware), check=True, layers=layers)
    assert result.summary["check"] == {"passed": True, "layers": checked, "overflows": 0}


@pytest.mark.long
@EVERY_PRESET
@pytest.mark.parametrize(("model", "layers", "checked"), RUNS)
def test_command_runs_with_check(model, layers, checked, hardware, tmp_path, capsys):
    path = str(LIGHT / f"light_{model}.onnx")
    assert main(["run", path, hardware, "--layers", layers, "--check", "--json", "--out", str(tmp_path / "out")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["network"] == f"light_{model}"
    assert summary["check"]["layers"] == checked
