"""Caffe deploy files: the shapes they give, and one line for each mistake."""

import pytest

from workloads import InputError, load_network
from workloads.importers.prototext import parse
from workloads.importers.prototxt import read_prototxt

HEAD = 'name: "tiny"\ninput: "data"\ninput_dim: 1\ninput_dim: 3\ninput_dim: 9\ninput_dim: 9\n'


def layer(kind, name, bottom, rest="", top=None):
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top or name}" {rest} }}\n'


CONV = layer("Convolution", "c", "data", "convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 }")


def read(tmp_path, text):
    path = tmp_path / "net.prototxt"
    path.write_text(text, encoding="utf-8")
    return read_prototxt(path)


def test_release_is_squeezenet(shared):
    folder = shared / "data/squeezenet_deep_compression"
    network = read_prototxt(folder / "SqueezeNet_deploy.prototxt")
    built_in = load_network("squeezenet1_0")
    shapes = [(x.kind, x.C, x.H, x.M, x.R, x.stride, x.padding, x.E, x.activation) for x in network.mac_layers]
    assert shapes == [(x.kind, x.C, x.H, x.M, x.R, x.stride, x.padding, x.E, x.activation) for x in built_in.mac_layers]
    assert (network.macs, network.params) == (861_339_936, 1_248_424)
    assert [x.kind for x in network.layers] == [x.kind for x in built_in.layers]


def test_fields_of_every_kind(tmp_path):
    text = HEAD + CONV + layer("ReLU", "r", "c", top="c")
    text += layer("Pooling", "p", "c", "pooling_param { pool: AVE kernel_h: 2 kernel_w: 1 stride: 2 }")
    text += layer(
        "Convolution", "d", "p", "convolution_param { num_output: 8 group: 4 kernel_size: 1 bias_term: false }"
    )
    text += layer("Dropout", "x", "d", top="d") + layer(
        "InnerProduct", "f", "d", "inner_product_param { num_output: 5 }"
    )
    text += layer("Softmax", "s", "f")
    network = read(tmp_path, text)
    conv, pool, depthwise, fc, softmax = network.layers
    assert (conv.E, conv.activation, conv.bias) == (5, "relu", True)
    assert (pool.pool, pool.R, pool.S, pool.E, pool.F) == ("avg", 2, 1, 3, 3)
    assert (depthwise.kind, depthwise.G, depthwise.M, depthwise.bias) == ("depthwise", 4, 8, False)
    assert (fc.C, fc.M, fc.inputs) == (8 * 3 * 3, 5, ("d",))
    assert softmax.kind == "softmax"


def test_input_layers_and_input_shapes_are_the_same_thing(tmp_path):
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
    shape = 'input: "data"\ninput_shape { dim: 1 dim: 3 dim: 9 dim: 9 }\n'
    assert (
        read(tmp_path, data + CONV).layers == read(tmp_path, shape + CONV).layers == read(tmp_path, HEAD + CONV).layers
    )


def test_text_format_has_comments_both_quotes_and_repeats():
    assert parse("a: 1 # b: 2\na: 'x' c { d: \"y\" }", "f") == {"a": ["1", "x"], "c": [{"d": ["y"]}]}


REFUSED = {
    "broken prototxt: it ends inside a message": HEAD + CONV.removesuffix("}\n"),
    "line 1: broken prototxt: unexpected '}'": "}" + HEAD,
    "line 2: broken prototxt: expected ':' or '{' after 'b'": "a: 1\nb c",
    "line 1: broken prototxt: unexpected '$'": "a: $",
    "line 1: broken prototxt: '{' without a name before it": "{",
    "line 1: broken prototxt: nested deeper than 16": "a {" * 2000,
    "expected an input of four dimensions (N, C, H, W), not []": CONV,
    "has no layers": HEAD,
    "unsupported layer types: Deconvolution (2, first 'u'; nearest supported: Convolution); PReLU ('v'; nearest "
    "supported: ReLU); supported: Convolution, Pooling, InnerProduct, ReLU, Concat, Eltwise, Dropout, Softmax, "
    "LRN": HEAD + layer("Deconvolution", "u", "data") + layer("PReLU", "v", "u") + layer("Deconvolution", "w", "u"),
    "layer 'c': reads 'dat', which no layer before it makes": HEAD + CONV.replace('"data"', '"dat"'),
    "layer 'c': num_output: expected an integer from 0 to 1048576, not '-4'": HEAD
    + CONV.replace("output: 4", "output: -4"),
    "layer 'c': num_output: expected an integer from 0 to 1048576, not '99999999999'": HEAD
    + CONV.replace("output: 4", "output: 99999999999"),
    "layer 'c': num_output is missing": HEAD + CONV.replace("num_output: 4", ""),
    "layer 'c': kernel_size is missing": HEAD + CONV.replace("kernel_size: 3", ""),
    "layer 'c': M=0 must be at least 1": HEAD + CONV.replace("output: 4", "output: 0"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refuses_in_one_line(message, tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, REFUSED[message])
    assert str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)


POOL = "pool: MAX kernel_size: 2 stride: 2"


@pytest.mark.parametrize(
    ("field", "size"),
    [("", 5), ("round_mode: CEIL", 5), ("round_mode: FLOOR", 4), ("round_mode: 1", 4), ("ceil_mode: false", 4),
     ("ceil_mode: true", 5), ("ceil_mode: false round_mode: FLOOR", 4), ("engine: CAFFE", 5), ("pad: 1", 5),
     ("pad: 1 round_mode: FLOOR", 5)],
)  # fmt: skip
def test_pools_round_as_the_file_says_and_as_caffe_does(field, size, tmp_path):
    (pool,) = read(tmp_path, HEAD + layer("Pooling", "p", "data", f"pooling_param {{ {POOL} {field} }}")).layers
    assert (size, size) == (pool.E, pool.F)


def test_rules_and_phases_decide_what_is_built(tmp_path):
    only = "include { phase: %s }"
    text = (
        HEAD + 'layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { x: 1 } }'
    )
    text += CONV + layer("LRN", "n", "c", only % "TEST") + layer("PReLU", "t", "c", "exclude { phase: TEST }")
    text += layer("LRN", "o", "n", 'include { stage: "deploy" }') + layer(
        "LRN", "q", "n", 'exclude { stage: "deploy" }'
    )
    assert [x.name for x in read(tmp_path, text).layers] == ["c", "n", "q"]
    staged = text.replace('name: "tiny"', 'name: "tiny" state { phase: TEST stage: "deploy" }')
    assert [x.name for x in read(tmp_path, staged).layers] == ["c", "n", "o"]


def test_what_only_training_needs_is_harmless(tmp_path):
    rest = "param { lr_mult: 1 decay_mult: 0 } phase: TEST propagate_down: true convolution_param { num_output: 4 "
    rest += 'kernel_size: 3 stride: 2 pad: 1 axis: 1 weight_filler { type: "xavier" std: 0.1 } engine: CUDNN }'
    trained = HEAD + layer("Convolution", "c", "data", rest)
    assert read(tmp_path, trained).layers == read(tmp_path, HEAD + CONV).layers


def test_a_relu_in_place_is_its_own_layer_where_its_input_was_read_before(tmp_path):
    text = HEAD + CONV + layer("LRN", "n", "c") + layer("ReLU", "r", "c", top="c") + layer("LRN", "m", "c")
    conv, _, relu, last = read(tmp_path, text).layers
    assert (conv.activation, relu.kind, last.inputs) == (None, "relu", ("r",))


def test_a_layer_called_input_is_renamed_and_it_is_told(tmp_path):
    network = read(tmp_path, HEAD + CONV.replace('"c"', '"input"') + layer("LRN", "n", "input"))
    assert [(x.name, x.inputs) for x in network.layers] == [("input_1", ("input",)), ("n", ("input_1",))]
    assert network.warnings == ("layer 'input' is called 'input_1' here: 'input' is the network's own input",)


def conv(fields):
    return layer("Convolution", "c", "data", f"convolution_param {{ num_output: 4 kernel_size: 1 {fields} }}")


def of(kind, fields, parameter=None):
    name = parameter or f"{kind.lower()}_param"
    return HEAD + conv("") + layer(kind, "x", "c", f"{name} {{ {fields} }}")


UNREAD = {
    "layer 'c': convolution_param: field 'kernel_sise' is not read here; did you mean 'kernel_size'? (read: ": HEAD
    + conv("kernel_sise: 3"),
    "layer 'c': axis: expected 1 (channels), not '2'": HEAD + conv("axis: 2"),
    "layer 'c': expected one num_output": HEAD + conv("num_output: 5"),
    "layer 'c': expected one kernel_size, or kernel_h and kernel_w": HEAD + conv("kernel_h: 3 kernel_w: 3"),
    "layer 'c': expected one dilation, or dilation and no more": HEAD + conv("dilation: 1 dilation: 2 dilation: 3"),
    "layer 'c': stride_h is given, and stride_w is missing": HEAD + conv("stride_h: 3"),
    "layer 'c': expected one convolution_param": HEAD + conv("").replace("}", "} convolution_param { group: 2 }", 1),
    "layer 'c': field 'blobs' is not read here": HEAD + conv("").replace("type:", "blobs { num: 1 } type:"),
    "layer 'c': param: field 'name' is not read here": HEAD + conv("").replace("type:", 'param { name: "w" } type:'),
    "layer 'c': reads 2 blobs: expected 1": HEAD + conv("").replace("top:", 'bottom: "data" top:'),
    "layer 'c': expected one top": HEAD + conv("").replace("top:", 'top: "e" top:'),
    "layer 'c': phase: expected TEST, not 'TRAIN'": HEAD + conv("").replace("type:", "phase: TRAIN type:"),
    "layer 'x': pool: expected MAX or AVE, not 'STOCHASTIC'": of("Pooling", "pool: STOCHASTIC", "pooling_param"),
    "layer 'x': round_mode and ceil_mode contradict each other": of(
        "Pooling", f"{POOL} ceil_mode: false round_mode: CEIL"
    ),
    "layer 'x': global_pooling takes the whole map": of("Pooling", f"{POOL} global_pooling: true"),
    "layer 'x': pad (2, 2) must be smaller than the kernel (2, 2)": of("Pooling", f"{POOL} pad: 2"),
    "layer 'x': its last window begins outside the map 9x9": of("Pooling", "kernel_size: 1 stride: 5"),
    "layer 'x': expected one stride, or stride_h and stride_w": of("Pooling", "kernel_size: 2 stride: 1 stride: 2"),
    "layer 'x': expected one pad, or pad_h and pad_w": of("Pooling", "kernel_size: 3 pad: 1 pad: 1"),
    "layer 'x': expected one kernel_size, or kernel_h and kernel_w": of("Pooling", "kernel_size: 3 kernel_size: 3"),
    "layer 'x': axis: expected 1 (all but the batch), not '2'": of(
        "InnerProduct", "num_output: 2 axis: 2", "inner_product_param"
    ),
    "layer 'x': transpose: expected false": of("InnerProduct", "num_output: 2 transpose: true", "inner_product_param"),
    "layer 'x': axis: expected 1 (channels), not '0'": of("Softmax", "axis: 0"),
    "layer 'x': negative_slope: expected 0": of("ReLU", "negative_slope: 0.1"),
    "layer 'x': norm_region: expected ACROSS_CHANNELS, not 'WITHIN_CHANNEL'": of("LRN", "norm_region: WITHIN_CHANNEL"),
    "layer 'x': axis: expected 1 (channels), not '2'": of("Concat", "axis: 2"),
    "layer 'x': concat_dim: expected 1 (channels), not '3'": of("Concat", "concat_dim: 3"),
    "layer 'x': expected axis or concat_dim, not both": of("Concat", "axis: 1 concat_dim: 1"),
    "layer 'x': operation: expected SUM, not 'MAX'": HEAD + conv("")
    + layer("Eltwise", "x", "c", 'bottom: "c" eltwise_param { operation: MAX }'),
    "layer 'x': coeff: expected 1 for each input, not 1, -1": HEAD + conv("")
    + layer("Eltwise", "x", "c", 'bottom: "c" eltwise_param { coeff: 1 coeff: -1 }'),
    "net.prototxt: field 'input_dims' is not read here; did you mean 'input_dim'?": "input_dims: 1\n" + HEAD + conv(""),
    "net.prototxt: expected one input, not 2 (data, label)": HEAD + 'input: "label"' + conv(""),
    "net.prototxt: has 1 'layers' of Caffe's old form (V1)": HEAD + conv("").replace("layer {", "layers {"),
    "net.prototxt: mixes 1 'layer' with 1 'layers' of Caffe's old form (V1)": HEAD + conv("")
    + conv("").replace("layer {", "layers {"),
}  # fmt: skip


@pytest.mark.parametrize("message", UNREAD)
def test_what_is_not_read_is_refused_by_name(message, tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, UNREAD[message])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
