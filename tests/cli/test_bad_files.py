"""Weights, images and networks that are broken or of something else: one line with file and fault, exit code 2."""

import io

import numpy as np
import pytest
from PIL import Image

from .calls import CONV, layer, net, prototxt, tiny
from .test_refusals import matches

LENET = [(300 * 784, 300), (100 * 300, 100), (10 * 100, 10)]  # (weights, filters) of lenet_300_100
GOOD = net(LENET)
HEAD = 4 * len(LENET)
CODES = HEAD + 4 * (256 + 300)
NIBBLES = CODES + LENET[0][0] // 10


def edited(offset: int, value: bytes) -> bytes:
    return GOOD[:offset] + value + GOOD[offset + len(value) :]


WEIGHTS = {
    "0 bytes; the counts of 3 layers alone take 12": b"",
    "11 bytes; the counts of 3 layers alone take 12": GOOD[:11],
    f"truncated: {len(GOOD) - 1} bytes, its counts ask for {len(GOOD)}": GOOD[:-1],
    f"truncated: 12 bytes, its counts ask for {len(GOOD)}": GOOD[:12],
    f"oversized: {len(GOOD) + 1} bytes, its counts ask for {len(GOOD)}": GOOD + b"\0",
    "oversized: 2000000 bytes; 'lenet_300_100' can fill ... at most": b"\0" * 2_000_000,
    "layer 'fc1' has 235200 weights, the file stores 4294967295 entries": edited(0, b"\xff\xff\xff\xff"),
    "layer 'fc3' has 1000 weights, the file stores 1001 entries": edited(8, np.uint32(1001).tobytes()),
    "layer 'fc1': its indices reach weight ..., it has 235200": edited(NIBBLES, b"\xff" * 11_000),
    "layer 'fc1': codebook entry 0 stands for pruned weights and must be 0, not 1.0": edited(
        HEAD, np.float32(1).tobytes()
    ),
    "layer 'fc1': its codebook or bias holds a value that is not finite": edited(HEAD + 4, np.float32("inf").tobytes()),
}


@pytest.mark.parametrize("text", WEIGHTS)
def test_weights(text, refused, tmp_path):
    (tmp_path / "w.net").write_bytes(WEIGHTS[text])
    found = refused("run", "lenet_300_100", "eie", "--weights", "w.net", "--out", "r")
    assert matches("w.net: " + text, found), found


@pytest.mark.parametrize("network", ["lenet5", "squeezenet1_0", "vgg16"])
def test_weights_of_another_network(network, refused, tmp_path):
    (tmp_path / "w.net").write_bytes(GOOD)
    assert refused("run", network, "eie", "--weights", "w.net", "--out", "r").startswith("w.net: ")


@pytest.mark.parametrize("name", ["squeezenet1_1", "lenet_300_100"])
def test_released_weights_on_another_network(name, refused, shared):
    path = shared / "data/squeezenet_deep_compression/compressed_SqueezeNet.net"
    assert refused("run", name, "eie", "--weights", path, "--out", "r").startswith(f"{path}: ")


@pytest.mark.parametrize("path", ["weights.bin", "weights"])
def test_weights_of_an_unknown_kind_name_the_file(path, refused, tmp_path):
    (tmp_path / path).write_bytes(GOOD)
    found = refused("run", "lenet_300_100", "eie", "--weights", path, "--out", "r")
    assert path in found
    assert ".net" in found


RGB = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def png(keep: float) -> bytes:
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "PNG")
    return file.getvalue()[: int(keep * file.tell())]


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


PIXELS = "expected [H, W, 3] or [H, W] uint8 pixels, not"
PICKLE = npy(np.array([{"a": 1}], dtype=object))
#: --image, what lies in the file of that name, the whole text
IMAGES = [
    ("none.png", None, "no such file or directory"),
    ("a.gif", b"GIF89a", "unknown kind '.gif' (known: .png, .jpg, .jpeg, .npy, .npz)"),
    ("a.png", b"this is text", "cannot read it as PNG or JPEG: cannot identify image file 'a.png'"),
    ("b.png", png(0.5), "cannot read it as PNG or JPEG: ..."),
    ("c.png", b"", "cannot read it as PNG or JPEG: cannot identify image file 'c.png'"),
    ("d.jpg", b"\xff\xd8\xff\xe0 no more", "cannot read it as PNG or JPEG: ..."),
    ("e.npy", npy(RGB)[:100], "cannot read it as .npy: ..."),
    ("f.npy", npy(RGB / 255), f"{PIXELS} [12, 12, 3] float64"),
    ("g.npy", npy(RGB.astype(np.int32)), f"{PIXELS} [12, 12, 3] int32"),
    ("h.npy", npy(RGB[None]), f"{PIXELS} [1, 12, 12, 3] uint8"),
    ("i.npy", npy(RGB.transpose(2, 0, 1)), f"{PIXELS} [3, 12, 12] uint8"),
    ("j.npy", npy(RGB[:0]), "is empty"),
    ("k.npy", PICKLE, "cannot read it as .npy: ..."),
    ("l.npz", b"PK\x03\x04 no zip", "cannot read it as .npz: File is not a zip file"),
    ("m.npz", npz(), "holds no image (.png, .jpg, .jpeg, .npy, .npz)"),
    ("n.npz:three", npz(one=RGB, two=RGB), "has no array 'three' (it has: one, two)"),
]


@pytest.mark.parametrize(("spec", "data", "text"), IMAGES, ids=[spec for spec, *_ in IMAGES])
def test_images(spec, data, text, refused, tmp_path):
    path = spec.split(":")[0]
    if data is not None:
        (tmp_path / path).write_bytes(data)
    found = refused(*tiny(tmp_path), "--image", spec, "--out", "r")
    assert matches(f"--image {path}: {text}", found), found


def test_a_directory_without_images(refused, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/readme.txt").write_text("none here")
    found = refused(*tiny(tmp_path), "--image", "d", "--out", "r")
    assert found == "--image d: holds no image (.png, .jpg, .jpeg, .npy, .npz)"


def test_an_image_without_weights(refused, tmp_path):
    found = refused(*tiny(tmp_path)[:3], "--image", "tiny.png", "--out", "r")
    assert found == "--image tiny.png: needs real weights to be of use: give them with --weights FILE"


ACTIVATIONS = [
    ({}, "holds no tensor"),
    ({"conv": RGB}, "unknown tensor 'conv'; did you mean 'conv2'? (known: ...)"),
    ({"input": RGB}, "'input' has shape [12, 12, 3], expected 784 values"),
    ({"input": np.full(784, np.nan)}, "'input' holds values that are not finite"),
    ({"input": np.zeros(784, np.int64)}, "'input' has type int64; expected float, or integers of 8 or 16 bits"),
    ({"input": np.array(["x"] * 784)}, "'input' has type <U1; expected float, or integers of 8 or 16 bits"),
]


@pytest.mark.parametrize(("arrays", "text"), ACTIVATIONS)
def test_recorded_activations(arrays, text, refused, tmp_path):
    (tmp_path / "a.npz").write_bytes(npz(**arrays))
    found = refused("run", "lenet5", "eie", "--activations", "a.npz", "--out", "r")
    assert matches(f"--activations a.npz: {text}", found), found


def conv(text: str) -> str:
    """A network of one convolution, some of its text replaced ('old=new')."""
    old, _, new = text.partition("=")
    assert old in CONV
    return prototxt(CONV.replace(old, new))


HUGE = 1 << 20
#: the file's name begins each text: a line that says where
NETWORKS = {
    ": broken prototxt: it ends inside a message": prototxt(CONV[:-1]),
    " line 1: broken prototxt: nested deeper than 16": "layer { " * 5000,
    " line 4: broken prototxt: unexpected '$'": prototxt(CONV.replace("40", "$")),
    ": is no UTF-8 text": prototxt(CONV).encode() + b"\xff",
    ": 5000000 bytes; a prototxt may have 4194304": "#" * 5_000_000,
    ": has no layers": prototxt(),
    ": expected an input of four dimensions (N, C, H, W), not [1, 3, 12]": prototxt(CONV, shape=(1, 3, 12)),
    ": unsupported layer types: Deconvolution ('up'; ...); PReLU ('p'; ...); Exp ('e'); supported: ...": prototxt(
        CONV, layer("Deconvolution", "up", "conv"), layer("PReLU", "p", "up"), layer("Exp", "e", "p")
    ),
    ": layer 'r': reads 'cnv', which no layer before it makes": prototxt(CONV, layer("ReLU", "r", "cnv")),
    ": layer 'conv': num_output: expected an integer from 0 to 1048576, not '-40'": conv("40=-40"),
    ": layer 'conv': num_output: expected an integer from 0 to 1048576, not '99999999999'": conv("40=99999999999"),
    ": layer 'conv': num_output: expected an integer from 0 to 1048576, not '²'": conv("40='²'"),
    ": layer 'conv': kernel_size is missing": conv("kernel_size: 3="),
    ": layer 'conv': bias_term: expected true or false, not 'maybe'": conv("pad: 1=bias_term: maybe"),
    ": layer 'p': pool: expected MAX or AVE, not 'STOCHASTIC'": prototxt(
        layer("Pooling", "p", "data", "pooling_param { pool: STOCHASTIC kernel_size: 2 }")
    ),
    ": layer 'join': the maps it joins differ: ...": prototxt(CONV, layer("Concat", "join", "conv data")).replace(
        "pad: 1", ""
    ),
    ": layer 'sum': the maps it joins differ: ...": prototxt(CONV, layer("Eltwise", "sum", "conv data")),
    ": layer 'conv': R=0 must be at least 1": conv("kernel_size: 3=kernel_size: 0"),
    ": layer 'conv': C=3 and M=40 must be multiples of the groups G=2": conv("pad: 1=group: 2"),
    ": layer 'conv': filter 15x15 does not fit the padded input 12x12 (padding (1, 1, 1, 1))": conv(
        "kernel_size: 3=kernel_size: 15"
    ),
    ": ...layer name 'conv' is used twice": prototxt(CONV, CONV),
}


@pytest.mark.parametrize("text", NETWORKS)
def test_networks(text, refused, tmp_path):
    data = NETWORKS[text]
    (tmp_path / "n.prototxt").write_bytes(data if isinstance(data, bytes) else data.encode())
    found = refused("run", "n.prototxt", "eie", "--out", "r")
    assert matches("n.prototxt" + text, found), found


GIANTS = {
    "input": prototxt(CONV, shape=(1, HUGE, HUGE, HUGE)),
    "kernel": conv(f"kernel_size: 3 pad: 1=kernel_size: {HUGE} pad: {HUGE}"),
    "filters": prototxt(
        layer("InnerProduct", "f", "data", f"inner_product_param {{ num_output: {HUGE} }}"),
        layer("InnerProduct", "g", "f", f"inner_product_param {{ num_output: {HUGE} }}"),
    ),
    "padding": conv(f"pad: 1=pad: {HUGE}"),
    "batch": prototxt(CONV, shape=(HUGE, 3, HUGE, HUGE)),
}


@pytest.mark.parametrize("name", GIANTS)
def test_a_network_of_sizes_beyond_reason_is_refused_before_memory_is_taken(name, refused, tmp_path, monkeypatch):
    def reached(*_, **__):
        raise AssertionError("tensors of this network were about to be made")

    monkeypatch.setattr("workloads.synthetic._draw", reached)
    (tmp_path / "n.prototxt").write_text(GIANTS[name])
    assert refused("run", "n.prototxt", "systolic", "--out", "r")


@pytest.mark.parametrize("name", ["model.gguf", "model", "vgg17.h5"])
def test_a_network_file_of_an_unknown_kind_is_named_and_not_taken_for_a_misspelt_name(name, refused, tmp_path):
    (tmp_path / name).write_bytes(b"GGUF")
    found = refused("show", "network", name)
    assert found == f"network {name}: unknown kind '{name[5:]}' (known: .csv, .npz, .onnx, .prototxt, .tflite)"
