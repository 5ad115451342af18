"""Caffe deploy files: the shapes they give, and one line for each mistake."""

import pytest

from workloads import InputError, load_network
from workloads.importers.prototxt import parse, read_prototxt

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
    "unsupported layers: 'u' (Deconvolution), 'v' (PReLU) (supported: Convolution, Pooling, InnerProduct, ReLU, "
    "Concat, Eltwise, Dropout, Softmax, LRN)": HEAD + layer("Deconvolution", "u", "data") + layer("PReLU", "v", "u"),
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
