"""Built-in networks against the reference tables, and the arithmetic of a layer's shape against hand-worked cases."""

import math
import re
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import tables
from workloads.layer import Layer
from workloads.network import Network, networks
from workloads.networks.builder import Builder
from workloads.registry import InputError, Registry

#: our name -> the row of networks_totals.csv
REFERENCE = {
    "alexnet": "AlexNet_g2_227",
    "alexnet_ungrouped": "AlexNet_g1_227",
    "vgg16": "VGG-16",
    "vgg19": "VGG-19",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "resnet50_v1_5": "ResNet-50v1.5",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
    "googlenet": "GoogLeNet",
    "googlenet_aux": "GoogLeNet+aux",
    "inception_v3": "InceptionV3",
    "mobilenet_v1": "MobileNetV1_1.0_224",
    "mobilenet_v1_1.0_224": "MobileNetV1_1.0_224",
    "mobilenet_v1_0.25_128": "MobileNetV1_0.25_128",
    "mobilenet_v1_0.5_160": "MobileNetV1_0.5_160",
    "squeezenet1_0": "SqueezeNet_1.0_227",
    "squeezenet1_1": "SqueezeNet_1.1_227",
    "shufflenet_v1": "ShuffleNetV1_g3",
    "shufflenet_v1_g3": "ShuffleNetV1_g3",
    "shufflenet_v1_g4": "ShuffleNetV1_g4",
    "lenet_300_100": "LeNet-300-100",
    "lenet5": "LeNet-5_caffe",
}

#: name -> (layers with MACs, MACs, parameters); networks_totals.csv, columns layers, macs, params
TOTALS = {
    "alexnet": (8, 724_406_816, 60_965_224),
    "vgg16": (16, 15_470_264_320, 138_357_544),
    "resnet18": (21, 1_814_073_344, 11_689_512),
    "resnet50": (54, 3_857_973_248, 25_557_032),
    "resnet50_v1_5": (54, 4_089_184_256, 25_557_032),
    "googlenet": (58, 1_582_671_872, 6_998_552),
    "inception_v3": (95, 5_713_216_096, 23_834_568),
    "mobilenet_v1": (28, 568_740_352, 4_231_976),
    "mobilenet_v1_0.25_128": (28, 13_570_304, 470_329),
    "squeezenet1_0": (26, 861_339_936, 1_248_424),
    "squeezenet1_1": (26, 387_747_520, 1_235_496),
    "shufflenet_v1": (50, 137_460_672, 1_865_728),
    "lenet_300_100": (3, 266_200, 266_610),
    "lenet5": (4, 2_293_000, 431_080),
}

#: name -> millions of MACs as printed in the papers
PUBLISHED_MMACS = {
    "mobilenet_v1_0.75_224": 325,  # Howard et al. 2017, Table 6
    "mobilenet_v1_0.5_224": 149,  # same
    "mobilenet_v1_0.25_224": 41,  # same
    "mobilenet_v1_1.0_192": 418,  # same, Table 7
    "mobilenet_v1_1.0_160": 290,  # same
    "mobilenet_v1_1.0_128": 186,  # same
    "shufflenet_v1_g1": 143,  # Zhang et al. 2017, Table 1
    "shufflenet_v1_g2": 140,  # same
    "shufflenet_v1_g8": 137,  # same
}


def load(name: str) -> Network:
    return networks.get(name)()


def read_rows(path) -> list[dict[str, str]]:
    return tables.read(path)


def refuses(text: str):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


# --- networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCE)
def test_every_mac_layer_is_the_reference_row(name, shared):
    table = read_rows(shared / "data/reference/networks_layers.csv")
    columns = ("M", "C", "R", "S", "stride", "pad_h", "pad_w", "groups", "H", "W", "E", "F", "weights", "bias", "macs")
    expected = [
        (row["type"], *(int(row[column]) for column in columns)) for row in table if row["network"] == REFERENCE[name]
    ]
    rows = []
    for layer in load(name).mac_layers:
        assert layer.stride[0] == layer.stride[1]
        assert layer.padding[0::2] == layer.padding[1::2]
        bias = layer.M if layer.bias else 0
        shape = (layer.M, layer.C, layer.R, layer.S, layer.stride[0], layer.padding[0], layer.padding[2], layer.G)
        kind = "fc" if layer.kind == "fc" else "conv"
        rows.append((kind, *shape, layer.H, layer.W, layer.E, layer.F, layer.weights, bias, layer.macs))
    assert rows == expected


@pytest.mark.parametrize("name", REFERENCE)
def test_totals_are_the_reference_row(name, shared):
    table = read_rows(shared / "data/reference/networks_totals.csv")
    (row,) = [row for row in table if row["network"] == REFERENCE[name]]
    net = load(name)
    fully = [layer for layer in net.mac_layers if layer.kind == "fc"]
    convs = [layer for layer in net.mac_layers if layer.kind != "fc"]
    totals = {
        "layers": len(net.mac_layers),
        "conv_macs": sum(layer.macs for layer in convs),
        "fc_macs": sum(layer.macs for layer in fully),
        "macs": net.macs,
        "conv_weights": sum(layer.weights for layer in convs),
        "fc_weights": sum(layer.weights for layer in fully),
        "biases": sum(layer.M for layer in net.layers if layer.bias),
        "bn_scale_shift": sum(2 * layer.M for layer in net.layers if layer.bn),
        "params": net.params,
        "feature_elems": math.prod(net.input_shape) + sum(layer.output_elements for layer in net.mac_layers),
    }
    assert totals == {column: int(row[column]) for column in totals}


@pytest.mark.parametrize("name", TOTALS)
def test_totals_without_the_reference_data(name):
    net = load(name)
    assert (len(net.mac_layers), net.macs, net.params) == TOTALS[name]


@pytest.mark.parametrize("name", PUBLISHED_MMACS)
def test_variants_cost_what_their_papers_print(name):
    classifier = load(name).mac_layers[-1].macs if name.startswith("shufflenet") else 0  # ShuffleNet leaves it out
    assert (load(name).macs - classifier) / 1e6 == pytest.approx(PUBLISHED_MMACS[name], abs=1)


@pytest.mark.parametrize("name", networks.names())
def test_layers_read_what_their_inputs_write(name):
    net = load(name)
    assert net.name == name
    shapes = {"input": net.input_shape} | {layer.name: layer.output_shape[1:] for layer in net.layers}
    for layer in net.layers:
        sources = [shapes[source] for source in layer.inputs]
        if layer.kind == "fc":
            assert layer.input_elements == math.prod(sources[0])
        elif layer.kind == "concat":
            assert layer.input_shape[1:] == (sum(source[0] for source in sources), *sources[0][1:])
            assert {source[1:] for source in sources} == {(layer.H, layer.W)}
        else:
            assert set(sources) == {layer.input_shape[1:]}
            assert len(sources) == (2 if layer.kind == "add" else 1)
    read = {source for layer in net.layers for source in layer.inputs}
    unread = [layer.name for layer in net.layers if layer.name not in read]
    aux = ["loss1/prob", "loss2/prob"] if name == "googlenet_aux" else []
    assert unread == [*aux, net.layers[-1].name]
    assert net.layers[-1].kind == ("pool" if name.startswith("squeezenet") else "softmax")


def test_depthwise_layers_are_called_so():
    kinds = [layer.kind for layer in load("mobilenet_v1").mac_layers]
    assert kinds == ["conv", *("depthwise", "conv") * 13, "fc"]
    assert all(layer.G > 1 for layer in load("shufflenet_v1_g8").mac_layers[2:-1])


def test_mobilenet_classes():
    classes = {name: load(name).layers[-1].M for name in networks.names() if name.startswith("mobilenet_v1")}
    plain = {"mobilenet_v1", "mobilenet_v1_1.0_224"}
    assert {name for name, count in classes.items() if count == 1000} == plain
    assert {name for name, count in classes.items() if count == 1001} == set(classes) - plain


@pytest.mark.parametrize(
    ("name", "layer", "padding", "ceil", "size"),
    [
        ("alexnet", "pool1", 0, True, 27),
        ("resnet50", "maxpool", 0, True, 56),  # the Caffe release
        ("resnet50_v1_5", "maxpool", 1, False, 56),  # Torch
        ("googlenet", "pool2/3x3_s2", 0, True, 28),
        ("inception_v3", "maxpool2", 0, False, 35),
        ("squeezenet1_0", "pool1", 0, True, 55),
        ("shufflenet_v1", "maxpool", 1, False, 56),
    ],
)
def test_pools_pad_and_round_as_released(name, layer, padding, ceil, size):
    pool = load(name)[layer]
    assert (pool.padding, pool.ceil_mode, pool.E, pool.F) == ((padding,) * 4, ceil, size, size)


def test_batch_scales_macs_but_not_parameters():
    net = load("lenet5")
    four = net.with_batch(4)
    assert (four.batch, four.macs, four.params) == (4, 4 * net.macs, net.params)


# --- builder ------------------------------------------------------------------------------------------------


def test_same_padding_puts_the_odd_pixel_after():
    net = Builder("n", (3, 224, 224))
    net.conv("stride2", 8, 3, 2, pad="same")
    net.conv("dilated", 8, 3, pad="same", dilation=2)
    stride2, dilated = net.network().layers
    assert (stride2.padding, stride2.E) == ((0, 1, 0, 1), 112)
    assert (dilated.padding, dilated.E) == ((2, 2, 2, 2), 112)


def test_builder_joins_only_equal_maps():
    net = Builder("n", (3, 8, 8))
    wide, small = net.conv("wide", 4, 1), net.conv("small", 4, 3)
    with refuses("layer 'sum': the maps it joins differ: (4, 8, 8), (4, 6, 6)"):
        net.add("sum", (wide, small))
    with refuses("layer 'both': the maps it joins differ: (8, 8), (6, 6)"):
        net.concat("both", (wide, small))


# --- one layer's arithmetic ---------------------------------------------------------------------------------


def test_depthwise_separable_example():
    """7x7x3 -> 5x5x128 by 3x3: 86,400 MACs and 3,456 weights, or 10,275 and 411 when split in two."""
    standard = Layer(name="standard", kind="conv", C=3, H=7, W=7, M=128, R=3, S=3)
    assert (standard.E, standard.F, standard.macs, standard.weights) == (5, 5, 86_400, 3_456)
    depthwise = Layer(name="dw", kind="depthwise", C=3, H=7, W=7, M=3, G=3, R=3, S=3)
    pointwise = Layer(name="pw", kind="conv", C=3, H=5, W=5, M=128)
    assert depthwise.output_shape == pointwise.input_shape
    assert (depthwise.macs + pointwise.macs, depthwise.weights + pointwise.weights) == (10_275, 411)


@pytest.mark.parametrize(
    ("fields", "E", "F", "nonpad_taps"),
    [
        ({"R": 3, "S": 3}, 3, 4, 9 * 12),
        # the windows fit the 5 rows; of the 6 columns the last window reaches the padding
        ({"R": 3, "S": 3, "stride": (2, 2), "padding": (0, 1, 0, 1)}, 2, 3, (3 + 3) * (3 + 3 + 2)),
        ({"R": 3, "S": 3, "padding": (2, 0, 0, 1)}, 5, 5, (1 + 2 + 3 * 3) * (4 * 3 + 2)),
        ({"R": 3, "S": 3, "dilation": (2, 1)}, 1, 4, 3 * 12),
        ({"R": 2, "S": 1, "dilation": (3, 5), "padding": (1, 0, 0, 0)}, 3, 6, (1 + 2 + 2) * 6),
        ({"R": 1, "S": 5, "padding": (0, 0, 2, 2)}, 5, 6, 5 * (3 + 4 + 5 + 5 + 4 + 3)),
        ({"R": 5, "S": 1, "padding": (2, 2, 0, 0)}, 5, 6, (3 + 4 + 5 + 4 + 3) * 6),
        ({"R": 1, "S": 1, "padding": (1, 1, 1, 1)}, 7, 8, 5 * 6),  # SqueezeNet's conv10: a border of no products
    ],
)
def test_output_size_and_macs_inside_the_map(fields, E, F, nonpad_taps):
    layer = Layer(name="l", kind="conv", C=2, H=5, W=6, M=3, **fields)
    assert (layer.E, layer.F) == (E, F)
    assert layer.macs == E * F * 3 * 2 * layer.R * layer.S
    assert layer.macs_nonpad == nonpad_taps * 3 * 2


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (112, 3, 2, 0, 55, 56),  # a last window that hangs over counts
        (113, 3, 2, 0, 56, 56),  # nothing hangs over
        (28, 3, 1, 1, 28, 28),
        (4, 3, 2, 1, 2, 3),  # last window starts inside the map
        (3, 2, 2, 1, 2, 2),  # it would start in the trailing padding: Caffe clips it
        (5, 2, 2, 1, 3, 3),
    ],
)
def test_ceil_mode_pools_as_caffe(size, kernel, stride, padding, floor, ceil):
    fields = {"R": kernel, "S": kernel, "stride": (stride, stride), "padding": (padding,) * 4}
    pool = Layer(name="p", kind="pool", pool="max", C=1, M=1, H=size, W=size, **fields)
    assert pool.output_shape[2:] == (floor, floor)
    rounded_up = replace(pool, ceil_mode=True)
    assert rounded_up.output_shape[2:] == (ceil, ceil)
    assert (pool.macs, pool.macs_nonpad, pool.weights, pool.params) == (0, 0, 0, 0)


def test_groups_divide_weights_and_macs():
    whole = Layer(name="l", kind="conv", C=8, H=4, W=4, M=12, R=3, S=3, bias=True, bn=True)
    halves = replace(whole, G=4)
    assert (whole.K, halves.K, halves.weight_shape) == (72, 18, (12, 2, 3, 3))
    assert (whole.macs, halves.macs, halves.macs_nonpad) == (4 * 12 * 72, 4 * 12 * 18, 4 * 12 * 18)
    assert halves.params == 12 * 18 + 12 + 2 * 12


def test_matmul_with_batch():
    """[B=2, I=5, K=7] x [B=2, K=7, J=3] on N=4 items."""
    product_ = Layer(name="m", kind="matmul", N=4, G=2, C=2 * 7, M=2 * 3, H=5)
    assert (product_.K, product_.output_shape) == (7, (4, 6, 5, 1))
    assert product_.macs == product_.macs_nonpad == 4 * 2 * 5 * 3 * 7
    assert (product_.weights, product_.params) == (2 * 7 * 3, 2 * 7 * 3)
    assert replace(product_, N=1, dynamic=True, inputs=("a", "b")).params == 0
    with pytest.raises(InputError, match=r"^layer 'm': N=4: a dynamic product has N=1"):
        replace(product_, dynamic=True, inputs=("a", "b"))


def brute_force_nonpad(layer: Layer) -> int:
    count = 0
    for e, f, r, s in product(range(layer.E), range(layer.F), range(layer.R), range(layer.S)):
        y = e * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
        x = f * layer.stride[1] + s * layer.dilation[1] - layer.padding[2]
        count += 0 <= y < layer.H and 0 <= x < layer.W
    return layer.N * layer.M * (layer.C // layer.G) * count


def windows(size: int, taps: int, stride: int, dilation: int, before: int, after: int) -> int:
    """How many windows start inside the padded map and end there, by trying each."""
    padded = size + before + after
    return sum(start + dilation * (taps - 1) < padded for start in range(0, padded, stride))


small = st.integers(1, 6)
pads = st.integers(0, 3)


@settings(deadline=None, max_examples=200)
@given(
    shape=st.tuples(small, small, st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(pads, pads, pads, pads),
    groups=st.integers(1, 3),
    batch=st.integers(1, 2),
)
def test_macs_nonpad_is_a_brute_force_count(shape, stride, dilation, padding, groups, batch):
    H, W, R, S = shape
    E = windows(H, R, stride[0], dilation[0], *padding[:2])
    F = windows(W, S, stride[1], dilation[1], *padding[2:])
    assume(E > 0 and F > 0)
    fields = {"R": R, "S": S, "stride": stride, "dilation": dilation, "padding": padding}
    layer = Layer(name="l", kind="conv", N=batch, G=groups, C=2 * groups, M=groups, H=H, W=W, **fields)
    assert (layer.E, layer.F) == (E, F)
    assert layer.macs_nonpad == brute_force_nonpad(layer)
    assert layer.macs_nonpad <= layer.macs
    if not any(padding):
        assert layer.macs_nonpad == layer.macs


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"C": 6, "M": 8, "G": 4}, "C=6 and M=8 must be multiples of the groups G=4"),
        ({"C": 8, "M": 6, "G": 4}, "C=8 and M=6 must be multiples of the groups G=4"),
        ({"R": 7, "padding": (0, 1, 0, 0)}, "filter 7x1 does not fit the padded input 5x5 (padding (0, 1, 0, 0))"),
        ({"S": 3, "dilation": (1, 3)}, "filter 1x3 does not fit the padded input 5x5 (padding (0, 0, 0, 0))"),
        ({"kind": "depthwise", "C": 4, "M": 4, "G": 2}, "a depthwise layer has one group per channel, not G=2 for C=4"),
        ({"kind": "fc"}, "a fully connected layer has H=W=R=S=1 (flatten its input into C)"),
        ({"kind": "pool"}, "pool=None must be one of ('max', 'avg')"),
        ({"activation": "tanh"}, "activation='tanh' must be one of (None, 'relu', 'relu6')"),
        ({"M": 0}, "M=0 must be at least 1"),
        (
            {"stride": (0, 1)},
            "stride (0, 1) and dilation (1, 1) must be >= 1, padding (0, 0, 0, 0) >= 0",
        ),
        (
            {"kind": "conv3d"},
            "unknown kind 'conv3d' (known: conv, depthwise, fc, matmul, pool, add, concat, shuffle, relu, relu6, lrn, "
            "batchnorm, softmax, layernorm, elementwise, reduce, move)",
        ),
    ],
)
def test_layer_refuses(fields, text):
    with refuses(f"layer 'l': {text}"):
        Layer(**({"name": "l", "kind": "conv", "C": 4, "M": 4, "H": 5, "W": 5} | fields))


def test_filter_that_just_fits():
    assert Layer(name="l", kind="conv", C=1, M=1, H=5, W=5, R=6, padding=(0, 1, 0, 0)).E == 1


def test_network_refuses():
    first = Layer(name="a", kind="conv", C=1, M=1)
    second = replace(first, name="b", inputs=("a",))
    with refuses("network 'n': layer name 'a' is used twice"):
        Network("n", (first, first), (1, 1, 1))
    with refuses("network 'n': layer 'b' reads 'a', which is not before it"):
        Network("n", (second, first), (1, 1, 1))


def test_unknown_network_names_the_nearest():
    known = ", ".join(networks.names())
    with refuses(f"unknown network 'alexnt'; did you mean 'alexnet'? (known: {known})"):
        networks.get("alexnt")
    with refuses(f"unknown network '??' (known: {known})"):
        networks.get("??")


def test_a_name_is_taken_once():
    registry = Registry("network", "workloads.networks")
    registry.add("lenet")(test_network_refuses)
    with pytest.raises(ValueError, match=r"^network 'lenet' is registered twice$"):
        registry.add("lenet")(test_filter_that_just_fits)
