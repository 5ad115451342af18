"""The float forward: every layer kind on small cases worked by hand or in loops, every built-in network end to end."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads import InputError, load_network
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer, Lrn
from workloads.models.int8_pow2 import Int8Pow2
from workloads.network import LayerWeights, Network, networks
from workloads.networks.builder import Builder
from workloads.reference import convolve, forward_float, post_layer
from workloads.walk import RealWalk, reference_output


def unit(kind, C=1, H=1, W=1, **fields):
    return Layer(name="u", kind=kind, C=C, M=fields.pop("M", C), H=H, W=W, **fields)


def column(values):
    """[1, C, 1, 1] float64."""
    return np.asarray(values, dtype=np.float64).reshape(1, -1, 1, 1)


def test_lrn_by_hand():
    layer = unit("lrn", C=4, lrn=Lrn(size=3, alpha=3.0, beta=0.5, k=1.0))
    # squares 1 4 9 16; sums over three neighbours 5 14 29 25; 1 + 3/3 * sum = 6 15 30 26
    found = post_layer(layer, [column([1, -2, 3, 4])]).ravel()
    assert found == pytest.approx(
        [1 / math.sqrt(6), -2 / math.sqrt(15), 3 / math.sqrt(30), 4 / math.sqrt(26)], rel=1e-14
    )


@given(st.integers(1, 9), st.sampled_from([1, 3, 5]), st.integers(0, 2**31))
def test_lrn_equals_loops(channels, size, seed):
    rng = np.random.default_rng(seed)
    layer = unit("lrn", C=channels, H=2, W=3, lrn=Lrn(size=size, alpha=0.3, beta=0.75, k=2.0))
    x = rng.normal(size=(2, channels, 2, 3))
    expected = np.empty_like(x)
    for n, c, h, w in np.ndindex(x.shape):
        around = range(max(0, c - size // 2), min(channels, c + size // 2 + 1))
        expected[n, c, h, w] = x[n, c, h, w] / (2 + 0.3 / size * sum(x[n, i, h, w] ** 2 for i in around)) ** 0.75
    assert post_layer(layer, [x]) == pytest.approx(expected, rel=1e-10)


def test_lrn_has_caffes_constants_and_refuses_nonsense():
    assert load_network("alexnet")["norm1"].lrn == Lrn(5, 1e-4, 0.75, 1.0)
    with pytest.raises(InputError, match="k positive"):
        Lrn(k=0.0)


def test_softmax_by_hand():
    layer = unit("softmax", C=3)
    found = post_layer(layer, [column([0, math.log(2), math.log(5)])]).ravel()
    assert found == pytest.approx([1 / 8, 2 / 8, 5 / 8], rel=1e-14)
    assert post_layer(layer, [column([1000, 1000, -1000])]).ravel().tolist() == [0.5, 0.5, 0.0]  # no overflow


def test_shuffle_by_hand():
    # two groups a0 a1 a2 | b0 b1 b2 -> a0 b0 a1 b1 a2 b2
    assert post_layer(unit("shuffle", C=6, G=2), [column(range(6))]).ravel().tolist() == [0, 3, 1, 4, 2, 5]
    x = np.arange(24.0).reshape(1, 6, 2, 2)
    assert np.array_equal(post_layer(unit("shuffle", C=6, H=2, W=2, G=3), [x])[0, 1], x[0, 2])


SQUARE = np.arange(1, 10, dtype=np.float64).reshape(1, 1, 3, 3)
POOL = {"pool": "avg", "H": 3, "W": 3, "R": 2, "S": 2, "stride": (2, 2)}


def test_padded_averages_by_the_rule_of_each_framework():
    padded = unit("pool", padding=(1, 1, 1, 1), **POOL)
    # windows: 1 | 2 3 / 4 7 | 5 6 8 9, each of four places with the padding
    assert post_layer(padded, [SQUARE]).ravel().tolist() == [1 / 4, 5 / 4, 11 / 4, 28 / 4]
    inside = replace(padded, count_include_pad=False)
    assert post_layer(inside, [SQUARE]).ravel().tolist() == [1, 5 / 2, 11 / 2, 28 / 4]


def test_a_last_window_that_ceil_mode_lets_overhang_is_divided_by_what_lies_in_the_padded_map():
    overhang = unit("pool", ceil_mode=True, **POOL)  # Caffe: pool_size is clipped at the padded border
    assert post_layer(overhang, [SQUARE]).ravel().tolist() == [12 / 4, 9 / 2, 15 / 2, 9]


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.booleans(), st.booleans(), st.integers(0, 2**31))
def test_averages_equal_loops(taps, stride, pad, ceil, include, seed):
    pad = min(pad, taps - 1)
    layer = unit(
        "pool", C=2, H=5, W=4, pool="avg", R=taps, S=taps, stride=(stride, stride), padding=(pad, pad, pad, 0),
        ceil_mode=ceil, count_include_pad=include,
    )  # fmt: skip
    x = np.random.default_rng(seed).normal(size=layer.input_shape)
    expected = np.zeros(layer.output_shape)
    for n, c, e, f in np.ndindex(*layer.output_shape):
        total, count = 0.0, 0
        for r, s in np.ndindex(taps, taps):
            h, w = e * stride - pad + r, f * stride - pad + s
            inside = 0 <= h < 5 and 0 <= w < 4
            total += x[n, c, h, w] if inside else 0.0
            count += inside or (include and h < 5 + pad and w < 4)
        expected[n, c, e, f] = total / count
    assert post_layer(layer, [x]) == pytest.approx(expected, abs=1e-12)


def test_adds_relus_and_batch_norms_by_hand():
    maps = [column([1, -5, 2]), column([2, 3, 7])]
    assert post_layer(unit("add", C=3, inputs=("a", "b")), maps).ravel().tolist() == [3, -2, 9]
    assert post_layer(unit("add", C=3, inputs=("a", "b"), activation="relu6"), maps).ravel().tolist() == [3, 0, 6]
    assert post_layer(unit("relu6", C=3), [column([-1, 4, 7])]).ravel().tolist() == [0, 4, 6]
    scale = Codes(np.array([2, -3, 4], np.int8).reshape(3, 1, 1, 1), NumberFormat(8, True, 0.5))
    weights = LayerWeights(scale, np.array([1.0, 0.0, -1.0]))
    layer = unit("batchnorm", C=3)
    assert post_layer(layer, [column([1, 2, 3])], weights).ravel().tolist() == [2, -3, 5]
    with pytest.raises(InputError, match=r"^layer 'u': a batch norm needs its scale and shift$"):
        post_layer(layer, [column([1, 2, 3])])


def test_integers_are_added_at_one_scale_and_saturate():
    layer = unit("add", C=2, inputs=("a", "b"))
    maps = [np.array([200, -1], dtype=np.int16).astype(np.uint8).reshape(1, 2, 1, 1)] * 2
    assert post_layer(layer, maps).ravel().tolist() == [255, 255]


def test_weights_with_a_scale_per_channel_are_real():
    codes = Codes(np.array([[1, 2], [1, 2]], np.int8).reshape(2, 2, 1, 1), NumberFormat(8, True, (0.5, 2.0), 0, 0))
    assert LayerWeights(codes).real().ravel().tolist() == [0.5, 1.0, 2.0, 4.0]


def small(network, size):
    """The network for size x size images: the same layers on smaller maps."""
    maps, layers = {"input": (network.input_shape[0], size, size)}, []
    for layer in network.layers:
        C, H, W = maps[layer.inputs[0]]
        if layer.kind == "fc":
            sizes = {"C": C * H * W}
        elif layer.kind == "concat":
            sizes = {"H": H, "W": W}
        else:
            sizes = {"H": H, "W": W} | ({"R": H, "S": W} if layer.global_pool else {})
        layers.append(replace(layer, **sizes))
        maps[layer.name] = (layer.M, layers[-1].E, layers[-1].F)
    return replace(network, layers=tuple(layers), input_shape=maps["input"])


def smallest(name):
    """The network at the smallest of a few sizes that all of its windows fit."""
    network = load_network(name)
    for size in (16, 32, 64, 80, 96, 112):
        if size < network.input_shape[1]:
            try:
                return small(network, size)
            except InputError:
                continue
    return network


def with_random_weights(network, seed=0, images=1):
    """Weights that keep the spread of the values (He et al., 2015), and images."""
    rng = np.random.default_rng(seed)
    weights = {}
    for layer in network.mac_layers:
        codes = np.clip(np.rint(rng.normal(0, 40, layer.weight_shape)), -127, 127).astype(np.int8)
        scale = math.sqrt(2 / layer.K) / 40
        bias = rng.normal(0, 0.1, layer.M) if layer.bias or layer.bn else None
        weights[layer.name] = LayerWeights(Codes(codes, NumberFormat(8, True, scale)), bias)
    pixels = rng.integers(0, 256, (images, *network.input_shape), dtype=np.uint8)
    names = tuple(f"image{n}" for n in range(images))
    return replace(network.with_batch(images), weights=weights, images=pixels, image_names=names)


FAST = ("lenet5", "squeezenet1_1", "mobilenet_v1_0.25_128", "shufflenet_v1_g4", "resnet18")


def runs_end_to_end(name):
    network = with_random_weights(smallest(name))
    blobs = forward_float(network)
    assert list(blobs) == [layer.name for layer in network.layers]
    for layer in network.layers:
        assert blobs[layer.name].shape == layer.output_shape, layer.name
        assert np.isfinite(blobs[layer.name]).all(), layer.name
    if network.layers[-1].kind == "softmax":
        assert blobs[network.layers[-1].name].sum() == pytest.approx(1)


@pytest.mark.parametrize("name", FAST)
def test_built_in_networks_run_end_to_end(name):
    runs_end_to_end(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in networks.names() if name not in FAST])
def test_every_other_built_in_network_runs_end_to_end(name):
    runs_end_to_end(name)


def normalised():
    """LRN, a batch norm's place taken by relu6, and a softmax, on a small map."""
    net = Builder("normalised", (3, 12, 12))
    net.conv("conv", 16, 3, pad=1)
    net.unit("norm", "lrn")
    net.pool("pool", "max", 3, 2)
    net.conv("more", 8, 3, act=None)
    net.unit("cut", "relu6")
    net.fc("fc", 10, act=None)
    net.unit("prob", "softmax")
    return net.network()


@pytest.mark.parametrize("name", ["normalised", "shufflenet_v1_g4", "mobilenet_v1_0.25_128"])
def test_the_integer_forward_follows_the_float_one(name):
    """int8-pow2 knows every layer kind of the built-in networks, and its real values are close to the float ones."""
    network = with_random_weights(normalised() if name == "normalised" else smallest(name), seed=3)
    blobs, data = forward_float(network), RealWalk(network)
    tensors = {"input": data.model.input_codes()}
    for layer, operands in data:
        maps = [tensors[source] for source in layer.inputs]
        tensors[layer.name] = reference_output(layer, operands) if layer.has_macs else data.model.post(layer, maps)
    assert isinstance(data.model, Int8Pow2)
    for layer in network.layers[: len(network.layers) // 3]:  # errors of 8 bits grow with the depth
        real, wanted = tensors[layer.name].real(), blobs[layer.name]
        assert np.abs(real - wanted).mean() < 0.1 * np.abs(wanted).max(), layer.name


def test_a_product_of_two_activations_and_missing_weights_are_refused():
    layer = Layer(name="a", kind="fc", C=2, M=2)
    other = Layer(name="b", kind="fc", C=2, M=2, inputs=("a",))
    network = with_random_weights(Network("n", (layer, other), (2, 1, 1)))
    bare = replace(network, weights={"a": network.weights["a"]})
    with pytest.raises(InputError, match=r"^layer 'b': a float forward pass needs real weights$"):
        forward_float(bare)
    assert forward_float(network)["b"].shape == (1, 2, 1, 1)


def test_convolve_is_what_it_was():
    layer = Layer(name="a", kind="depthwise", G=2, C=2, M=4, H=2, W=2, R=2, S=2)
    x, w = np.arange(8.0).reshape(1, 2, 2, 2), np.ones(layer.weight_shape)
    assert convolve(x, w, layer).ravel().tolist() == [6, 6, 22, 22]
