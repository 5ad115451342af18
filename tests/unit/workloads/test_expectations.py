"""What a tensor without data is taken to hold: what the layers and number formats say, else a guess that is told."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from accel_sim.shell.cli import main
from tests.unit.workloads.onnx_models import Model
from workloads import Layer, Network, NumberFormat, load_network
from workloads.layer import FUNCTIONS, KINDS
from workloads.profiles import densities, expectations, warnings_of
from workloads.walk import walk

A = Layer(name="a", kind="conv", C=4, H=3, W=3, M=4)


def behind(kind, *inputs, C=4, **fields):
    return Layer(name="z", kind=kind, inputs=inputs or ("a",), **{"C": C, "H": 3, "W": 3, "M": C} | fields)


def expected(*layers, **fields):
    """(density, source, positive, boolean) of the last layer's output."""
    found = expectations(Network("n", layers, (4, 3, 3), **fields))[layers[-1].name]
    return found.density, found.source, found.positive, found.boolean


DENSE = (1.0, "guess: dense (not after a ReLU)", False, False)
HALF = (0.5, "guess: half of a ReLU's outputs are zero", True, False)
TRUTH = (0.5, "guess: half of a comparison's outputs are true", True, True)
RELU = replace(A, activation="relu")


def function(name, *inputs, **fields):
    return behind("elementwise", *inputs, function=name, **fields)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ((A,), DENSE),
        ((RELU,), HALF),
        ((A, behind("relu6")), HALF),
        ((RELU, behind("pool", pool="max", R=2, S=2)), HALF),
        ((RELU, behind("lrn")), HALF),
        ((RELU, behind("move")), HALF),
        ((A, function("exp")), (*DENSE[:2], True, False)),
        ((A, function("abs")), (*DENSE[:2], True, False)),
        ((A, function("compare")), TRUTH),
        ((A, function("exp+compare+not")), TRUTH),
        ((A, function("sub+relu", "a", "input")), HALF),
        ((RELU, function("hardswish")), HALF),
        ((RELU, function("min+max+quantise")), HALF),
        ((RELU, function("tanh")), HALF),
        ((RELU, function("neg")), (*HALF[:2], False, False)),
        ((RELU, function("add")), DENSE),
        ((RELU, function("abs+sqrt")), HALF),
        ((RELU, behind("reduce", function="l2", R=3, S=3)), (*DENSE[:2], True, False)),
        ((A, behind("softmax")), (1.0, "guess: dense (a softmax has no zeros but small ones)", True, False)),
    ],
)
def test_what_follows_from_the_layers(layers, found):
    assert expected(*layers) == found


def test_products_and_joined_maps():
    mask = replace(function("compare"), name="mask")
    assert expected(A, mask, behind("move", "mask")) == TRUTH
    both = expected(RELU, mask, function("mul", "a", "mask"))
    assert both == (0.25, f"{HALF[1]}; {TRUTH[1]}", True, False)
    assert expected(RELU, replace(A, name="b"), behind("concat", "a", "b", C=8))[0] == 0.75


def test_codes_that_begin_at_zero_were_clamped():
    """A quantiser that saw only what a ReLU lets through puts the zero point at the lowest code."""
    signless, signed = NumberFormat(8, True, 0.1, -128), NumberFormat(8, True, 0.1, -100)
    clamped = expected(A, formats={"a": signless})
    assert clamped[0] == 0.5
    assert clamped[1].startswith("guess: half are zero, as its codes begin at zero")
    assert expected(A, formats={"a": signed}) == DENSE
    assert expected(A, behind("softmax"), formats={"z": signless})[0] == 1.0


def test_the_second_operand_of_a_product_holds_what_its_own_tensor_does():
    product = {"kind": "matmul", "C": 4, "H": 9, "M": 9, "dynamic": True, "reshaped": True}
    layers = (A, replace(RELU, name="k"), Layer(name="qk", inputs=("a", "k"), **product))
    (_, operands) = list(walk(Network("n", layers, (4, 3, 3)), 0))[-1]
    assert (operands.input_source, operands.weight_source) == (DENSE[1], HALF[1])
    assert (operands.weights.values == 0).mean() == pytest.approx(0.5, abs=0.25)


def test_truth_is_zero_or_one():
    network = Network("n", (A, function("compare"), replace(function("exp", "z"), name="y")), (4, 3, 3))
    (_, operands) = list(walk(network, 0))[-1]
    assert set(np.unique(operands.inputs.values)) == {0, 1}
    assert operands.inputs.format == NumberFormat(8, False)
    assert operands.input_source == TRUTH[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_function_has_an_expectation(kind):
    fields = {"depthwise": {"G": 4}, "fc": {"C": 36, "H": 1, "W": 1}, "pool": {"pool": "avg"}}.get(kind, {})
    for name in FUNCTIONS.get(kind, [None]):
        made = Network("n", (A, behind(kind, function=name, **fields)), (4, 3, 3))
        assert 0 < densities(made)["z"].inputs <= 1
        assert expectations(made)["z"].source


def test_the_time_is_linear_in_a_chain_of_views():
    """A pool asks what it reads, which asks what it reads: 5,000 in a row would be too deep for a recursion."""
    chain = [RELU, *(replace(behind("move", f"m{i - 1}" if i else "a"), name=f"m{i}") for i in range(5000))]
    assert expected(*chain) == HALF


@pytest.mark.slow
def test_dense_guesses_of_an_imported_network_are_told_once(tmp_path, capsys):
    m = Model()
    x = m.op("Conv", [m.input("x", [1, 3, 6, 6]), m.weights("w", 4, 3, 3, 3)], "c1")
    x = m.op("Conv", [m.op("Tanh", [x], "t"), m.weights("v", 2, 4, 1, 1)], "c2")
    path = m.save(tmp_path / "net.onnx", m.op("Relu", [x], "r"))
    told = (
        "the inputs of 2 of 3 layers are guessed to have no zeros ('t' is the first; see input_source in layers.csv): "
        "--activations or --image brings real ones"
    )
    assert warnings_of(load_network(path)) == (told,)
    assert main(["run", str(path), "systolic", "--out", str(tmp_path / "o")]) == 0
    done = capsys.readouterr()
    assert done.err == f"accel-sim run: warning: {told}\n"
    assert "net on systolic (real weights, synthetic activations)" in done.out
    provenance = json.loads((tmp_path / "o/provenance.json").read_text())
    assert (provenance["data"], provenance["data_detail"]) == ("synthetic", "real weights, synthetic activations")
    assert provenance["warnings"] == [told]
    frame = pd.read_csv(tmp_path / "o/layers.csv").set_index("layer")
    assert frame.input_source.to_dict() == {"c1": "dense: the network's input", "t": DENSE[1], "c2": DENSE[1]}
    assert warnings_of(load_network("resnet18")) == ()
    np.savez(tmp_path / "a.npz", c1=np.ones((1, 4, 4, 4), np.int8), t=np.ones((1, 4, 4, 4), np.int8))
    assert warnings_of(load_network(path, activations=tmp_path / "a.npz")) == ()
