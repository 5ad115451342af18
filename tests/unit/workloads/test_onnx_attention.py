"""Transformer blocks: MACs by hand, what moves and what does not, and runs on every machine there is."""

import pytest
from onnx import numpy_helper

from accel_sim import load_hardware, simulate
from tests.presets import EVERY_PRESET
from tests.unit.workloads.onnx_models import Model, block
from workloads import InputError, load_network


def decoder_step(D=32, heads=4, past=24, F=48, *, batch=1) -> Model:
    """One token through a pre-norm decoder layer that appends to a cache of ``past`` keys and values."""
    m, d = Model(), D // heads
    x = m.input("x", [batch, 1, D])
    cache = {name: m.input(f"past_{name}", [batch, heads, "past", d]) for name in "kv"}
    split, merge = m.tensor("split", [0, 0, heads, d]), m.tensor("merge", [0, 0, D])
    norm = m.op("LayerNormalization", [x, m.weights("g1", D), m.weights("s1", D)], "norm1")
    heads_of = {}
    for name in "qkv":
        made = m.op("Reshape", [m.op("MatMul", [norm, m.weights(f"{name}_w", D, D)], name), split], f"{name}_r")
        heads_of[name] = m.op("Transpose", [made], f"{name}_t", perm=[0, 2, 1, 3])
    k, v = (m.op("Concat", [cache[name], heads_of[name]], f"{name}_all", axis=2) for name in "kv")
    turned = m.op("Transpose", [k], "turned", perm=[0, 1, 3, 2])
    scores = m.op("Mul", [m.op("MatMul", [heads_of["q"], turned], "scores"), m.tensor("root", 0.25)], "scaled")
    context = m.op("MatMul", [m.op("Softmax", [scores], "probs"), v], "context")
    context = m.op("Reshape", [m.op("Transpose", [context], "back", perm=[0, 2, 1, 3]), merge], "joined")
    first = m.op("Add", [m.op("MatMul", [context, m.weights("out_w", D, D)], "out"), x], "residual")
    inner = m.op("Gelu", [m.op("MatMul", [first, m.weights("up_w", D, F)], "up")], "gelu")
    m.op("MatMul", [inner, m.weights("down_w", F, D)], "y")
    return m


def macs_of_block(S, D, F):
    """4 projections, 2 products of all heads together, 2 layers of the feed-forward part."""
    return 4 * S * D * D + 2 * S * S * D + 2 * S * D * F


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    path = block(D=768, heads=12, F=3072, filled=True).save(tmp_path_factory.mktemp("m") / "bert.onnx", "y")
    return load_network(path, dims={"S": 128})


def test_macs_and_parameters_of_bert_base(bert):
    assert bert.macs == macs_of_block(128, 768, 3072) == 931_135_488
    assert bert.params == 7_087_872  # of one layer of BERT-base: 85,054,464 in 12
    products = {layer.name: (layer.G, layer.H, layer.K, layer.M // layer.G) for layer in bert.layers if layer.dynamic}
    assert products == {"scores": (12, 128, 64, 128), "context": (12, 128, 128, 64)}


def test_kinds_of_a_block(bert):
    kinds = {layer.name: layer.kind for layer in bert.layers}
    assert [name for name, kind in kinds.items() if kind == "move"] == ["q_t", "k_t", "v_t", "back"]
    assert {kinds[name] for name in ("q", "k", "v", "out", "up", "down")} == {"conv"}
    assert (kinds["probs"], kinds["norm1"], kinds["gelu"], kinds["residual1"]) == (
        "softmax", "layernorm", "elementwise", "add",
    )  # fmt: skip
    assert "scaled" not in kinds  # a number's factor is part of requantising the sums
    assert bert["masked"].input_sizes == (12 * 128 * 128, 128)
    assert dict(bert.side_inputs) == {"mask": (1, 1, 1, 128)}


@pytest.mark.slow
@EVERY_PRESET
def test_bert_base_block_runs(bert, hardware):
    result = simulate(bert, load_hardware(hardware))
    frame = result.layers.set_index("layer")
    assert result.summary["macs_nominal"] == 931_135_488
    moved = frame.dram_read_bytes + frame.dram_write_bytes
    assert moved["q_t"] == 2 * 128 * 768  # an 8-bit code in and out for each element
    assert moved["masked"] == 2 * 12 * 128 * 128 + 128
    post = result.cycles.query("cause == 'post'").groupby("layer").cycles.sum()
    assert (post[["gelu", "norm1", "probs", "masked"]] > 0).all()


@EVERY_PRESET
@pytest.mark.parametrize("batch", [1, 2])
def test_small_block_is_exact(hardware, batch, tmp_path):
    path = block(S="S", D=32, heads=4, F=64).save(tmp_path / "block.onnx", "y")
    net = load_network(path, batch=batch, dims={"S": 10})
    assert net.macs == batch * macs_of_block(10, 32, 64)
    result = simulate(net, load_hardware(hardware), check=True)
    assert result.summary["check"] == {"passed": True, "layers": 8, "overflows": 0}
    assert set(result.layers.weight_source.str.contains("float32 weights")) == {True, False}


@EVERY_PRESET
@pytest.mark.parametrize("batch", [1, 3])
def test_decoder_step_with_a_cache(hardware, batch, tmp_path):
    path = decoder_step(batch="B").save(tmp_path / "decoder.onnx", "y", "k_all", "v_all")
    net = load_network(path, batch=batch, dims={"past": 24})
    D, F, keys = 32, 48, 24 + 1
    assert net.macs == batch * (4 * D * D + 2 * keys * D + 2 * D * F)
    assert {layer.kind for layer in net.mac_layers if not layer.dynamic} == {"fc"}
    assert net["k_all"].kind == "move"
    assert net["k_all"].input_sizes == (batch * 24 * D, batch * D)
    result = simulate(net, load_hardware(hardware), check=True)
    frame = result.layers.set_index("layer")
    assert result.summary["check"]["passed"]
    assert frame.dram_read_bytes["k_all"] == frame.dram_write_bytes["k_all"] == batch * keys * D


def test_eie_pays_for_encoding_an_activation(tmp_path):
    path = block(S=8, D=16, heads=2, F=16, batch=1).save(tmp_path / "block.onnx", "y")
    net = load_network(path)
    result = simulate(net, load_hardware("eie"), layers="scores")
    (row,) = result.layers.itertuples()
    plain, coded = net["scores"].weights, row.weight_machine_bytes
    assert row.dram_write_bytes == coded + net["scores"].output_elements
    assert row.dram_read_bytes >= plain + coded + net["scores"].input_elements
    assert "encodes it first" in row.notes
    (ops,) = result.actions.query("component == 'post'")["count"]
    assert ops == plain + net["scores"].output_elements  # one operation for each element encoded, one for each sum


@pytest.mark.parametrize(
    ("a", "b", "shape"),
    [
        ([5, 6], [6, 7], (1, 6, 5, 7)),
        ([2, 5, 6], [2, 6, 7], (2, 6, 5, 7)),
        ([2, 3, 5, 6], [2, 3, 6, 7], (6, 6, 5, 7)),
        ([2, 3, 5, 6], [2, 1, 6, 7], (2, 6, 15, 7)),  # heads that share keys are rows of one product
        ([3, 5, 6], [6, 7], (1, 6, 15, 7)),
        ([2, 1, 5, 6], [2, 3, 6, 7], (6, 6, 5, 7)),
        ([6], [6, 7], (1, 6, 1, 7)),
        ([5, 6], [6], (1, 6, 5, 1)),
    ],
)
def test_products_of_two_activations(a, b, shape, tmp_path):
    m = Model()
    m.op("MatMul", [m.input("a", a), m.input("b", b)], "y")
    (layer,) = load_network(m.save(tmp_path / "m.onnx", "y")).layers
    assert shape == (layer.G, layer.K, layer.H, layer.M // layer.G)
    assert (layer.kind, layer.dynamic, layer.params) == ("matmul", True, 0)


@pytest.mark.parametrize(
    ("shape", "stored", "left", "expected"),
    [
        ([1, 6], [6, 7], False, ("fc", 1, 6, 1, 7)),
        ([4, 6], [6, 7], False, ("fc", 1, 6, 1, 7)),  # rows are the batch of the network
        ([1, 5, 6], [6, 7], False, ("conv", 1, 6, 5, 7)),
        ([2, 3, 5, 6], [1, 1, 6, 7], False, ("conv", 1, 6, 15, 7)),
        ([2, 5, 6], [2, 6, 7], False, ("matmul", 2, 6, 5, 7)),
        ([2, 6, 5], [7, 6], True, ("conv", 1, 6, 5, 7)),
        ([2, 6, 5], [2, 7, 6], True, ("matmul", 2, 6, 5, 7)),
    ],
)
def test_products_with_a_stored_matrix(shape, stored, left, expected, tmp_path):
    m = Model()
    x, w = m.input("x", shape), m.weights("w", *stored)
    m.op("MatMul", [w, x] if left else [x, w], "y")
    net = load_network(m.save(tmp_path / "m.onnx", "y"))
    (layer,) = net.layers
    assert (layer.kind, layer.G, layer.K, layer.H, layer.M // layer.G) == expected
    real = net.weights["y"].real()
    values = numpy_helper.to_array(m.tensors[0])
    turned = values if left else values.swapaxes(-1, -2)
    assert real.shape == layer.weight_shape
    assert (real.reshape(-1) == turned.reshape(-1)).all()


def test_misfits_are_refused(tmp_path):
    m = Model()
    m.op("MatMul", [m.input("a", [2, 5, 6]), m.input("b", [3, 6, 7])], "y")
    path = m.save(tmp_path / "m.onnx", "y")
    with pytest.raises(InputError, match=r"node 'y' \(MatMul\): \[2, 5, 6\] and \[3, 6, 7\] cannot be multiplied$"):
        load_network(path)
