"""The .net format, both ways, and what is refused."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tables
from workloads import InputError, load_network
from workloads.formats.codes import Codes, NumberFormat
from workloads.importers.deep_compression import StoredLayer, read_net, store, write_net
from workloads.layer import Layer
from workloads.network import LayerWeights

LAYERS = (Layer(name="a", kind="fc", C=40, M=1, bias=True), Layer(name="b", kind="conv", C=2, M=3, bias=True))


def stored(layer, codes):
    book = np.concatenate([[0], np.arange(1, 256) / 64]).astype(np.float32)
    dense = Codes(np.asarray(codes, np.uint8).reshape(layer.weight_shape), NumberFormat(8, False))
    return store(LayerWeights(dense, np.arange(layer.M, dtype=np.float64), book))


def sample() -> bytes:
    return write_net([stored(LAYERS[0], [0] * 33 + [7] + [0] * 6), stored(LAYERS[1], [1, 0, 2, 3, 0, 4])])


def test_release_is_written_back_byte_for_byte(shared):
    folder = shared / "data/squeezenet_deep_compression"
    data = (folder / "compressed_SqueezeNet.net").read_bytes()
    network = load_network(folder / "SqueezeNet_deploy.prototxt", weights=folder / "compressed_SqueezeNet.net")
    again = [store(network.weights[layer.name]) for layer in network.mac_layers]
    assert write_net(again) == data
    assert len(data) == 675_763
    assert sum(weights.file_bytes for weights in network.weights.values()) == 675_763
    assert sum(len(layer.codes) for layer in again) == 422_083
    assert sum(layer.fillers for layer in again) == 6_162


def test_release_decodes_to_the_reference_weights(shared):
    folder = shared / "data/squeezenet_deep_compression"
    network = load_network("squeezenet1_0", weights=folder / "compressed_SqueezeNet.net")
    rows = tables.read(shared / "data/reference/squeezenet_weights.csv")
    crc = next(name for name in rows[0] if "crc32" in name)
    for row, layer in zip(rows, network.mac_layers, strict=True):
        real = network.weights[layer.name].real().astype(np.float32)
        assert zlib.crc32(np.ascontiguousarray(real).tobytes()) == int(row[crc]), row["layer"]


def test_a_run_of_33_zeros_takes_two_fillers():
    first, _ = read_net(sample(), LAYERS, "x")
    assert first.codes.tolist() == [0, 0, 7]
    assert first.runs.tolist() == [15, 15, 1]
    assert first.fillers == 2


@given(st.lists(st.sampled_from([0, 0, 0, 1, 5, 255]), min_size=40, max_size=40))
def test_any_codes_come_back(codes):
    data = write_net([stored(LAYERS[0], codes), stored(LAYERS[1], [0] * 6)])
    layers = read_net(data, LAYERS, "x")
    assert layers[0].dense(LAYERS[0]).ravel().tolist() == codes
    assert write_net(layers) == data


def edited(offset: int, value: bytes) -> bytes:
    data = bytearray(sample())
    data[offset : offset + len(value)] = value
    return bytes(data)


BOOK_A, CODES_A = 8, 8 + 1024 + 4
NAN = np.float32("nan").tobytes()
REFUSED = {
    "x: 4 bytes; the counts of 2 layers alone take 8": lambda: sample()[:4],
    "x: truncated: 2082 bytes, its counts ask for 2083": lambda: sample()[:-1],
    "x: oversized: 2084 bytes, its counts ask for 2083": lambda: sample() + b"\0",
    "x: layer 'a' has 40 weights, the file stores 4294967295 entries": lambda: edited(0, b"\xff" * 4),
    "x: layer 'a': its codebook or bias holds a value that is not finite": lambda: edited(BOOK_A + 4, NAN),
    "x: layer 'a': codebook entry 0 stands for pruned weights and must be 0, not 1.0": lambda: edited(
        BOOK_A, np.float32(1).tobytes()
    ),
    "x: layer 'a': its indices reach weight 48, it has 40": lambda: edited(CODES_A + 4, b"\x0f"),
    "x: layer 'a': the unused last index nibble is not 0": lambda: edited(CODES_A + 4, b"\x11"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refuses(message):
    with pytest.raises(InputError) as caught:
        read_net(REFUSED[message](), LAYERS, "x")
    assert str(caught.value) == message


def test_a_file_larger_than_the_network_can_fill_is_not_read(tmp_path: Path):
    """A count, 256 shared values and M biases of 4 bytes, and 2 bytes a weight: 784 x 300, 300 x 100, 100 x 10."""
    layers = ((300, 784 * 300), (100, 300 * 100), (10, 100 * 10))
    most = sum(4 * (1 + 256 + filters) + 2 * weights for filters, weights in layers)
    path = tmp_path / "big.net"
    for size in (most, most + 1, 2_000_000):
        path.write_bytes(b"\0" * size)
        with pytest.raises(InputError) as caught:
            load_network("lenet_300_100", weights=path)
        said = f"{path}: oversized: {size} bytes; 'lenet_300_100' can fill {most} at most"
        assert (str(caught.value) == said) == (size > most)


def test_layer_bytes_count_header_codebook_bias_codes_and_nibbles():
    empty = np.zeros(0, np.uint8)
    assert StoredLayer(np.zeros(256), np.zeros(10), empty, empty).bytes == 4 + 1024 + 40
    assert stored(LAYERS[1], [1, 0, 2, 3, 0, 4]).bytes == 4 + 1024 + 12 + 4 + 2
