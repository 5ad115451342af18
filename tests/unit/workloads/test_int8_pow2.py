"""Real data end to end: the released Deep Compression SqueezeNet on seven photographs, bit for bit."""

import zlib
from collections import defaultdict

import numpy as np
import pytest

from tests import tables
from workloads import load_network
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.models.int8_pow2 import Int8Pow2, calibrate, quantise_weights
from workloads.network import LayerWeights, Network
from workloads.reference import forward_float
from workloads.statistics import work_counts
from workloads.walk import reference_output, top_classes, walk

PHOTOS = ("chelsea", "coffee", "camera", "rocket", "astronaut", "grace_hopper", "china")


def table(shared, name):
    return tables.read(shared / "data/reference" / name)


def release(shared, image=None):
    folder = shared / "data/squeezenet_deep_compression"
    return load_network(
        folder / "SqueezeNet_deploy.prototxt", weights=folder / "compressed_SqueezeNet.net",
        image=None if image is None else f"{shared}/data/images/photos_227_rgb_uint8.npz{image}",
    )  # fmt: skip


@pytest.fixture(scope="module")
def photos(shared):
    """(network, layers with MACs and their operands, walk) of all seven photos as one batch."""
    network = release(shared, "")
    data = walk(network, 0)
    return network, [(layer, operands) for layer, operands in data if layer.has_macs], data


@pytest.mark.slow
def test_parameters_equal_the_golden_ones(photos, shared):
    _, layers, _ = photos
    rows = table(shared, "golden_int8_params.csv")
    assert len(rows) == len(layers) == 26
    for row, (layer, operands) in zip(rows, layers, strict=True):
        q = operands.weights.integers()
        assert row["layer"] == layer.name
        assert operands.requant.shift == int(row["shift"])
        assert np.count_nonzero(q) == int(row["weight_nonzero_q"])
        assert zlib.crc32(q.astype(np.int8).tobytes()) == int(row["weight_crc32_int8"])
        assert zlib.crc32(operands.bias.astype(np.int32).tobytes()) == int(row["bias_crc32_int32"])


@pytest.mark.slow
def test_every_output_has_the_golden_crc(photos, shared):
    network, layers, _ = photos
    golden = defaultdict(list)
    for row in table(shared, "golden_int8_layers.csv"):
        golden[row["image"]].append(row)
    assert network.image_names == PHOTOS
    for place, (layer, operands) in enumerate(layers):
        output = reference_output(layer, operands).values
        for image, codes in zip(PHOTOS, output, strict=True):
            row = golden[image][place]
            assert zlib.crc32(np.ascontiguousarray(codes).tobytes()) == int(row["out_crc32_u8_CHW"]), (
                image,
                layer.name,
            )
            assert np.count_nonzero(codes) == int(row["out_nonzero"])


def test_effectual_work_counts_equal_the_golden_ones(photos, shared):
    _, layers, _ = photos
    for number, row in enumerate(table(shared, "golden_int8_layers.csv")):
        image, place = divmod(number, len(layers))
        assert row["image"] == PHOTOS[image]
        layer, operands = layers[place]
        one = Codes(operands.inputs.values[image : image + 1], operands.inputs.format)
        counts = work_counts(layer_of_one(layer), one, operands.weights)
        assert counts == {name: int(row[name]) for name in counts}, (row["image"], layer.name)


def layer_of_one(layer):
    from dataclasses import replace

    return replace(layer, N=1)


def test_top5_of_every_photo(photos, shared):
    _, _, data = photos
    found = dict(zip(PHOTOS, top_classes(data.scores), strict=True))
    golden = defaultdict(list)
    for row in table(shared, "golden_int8_top5.csv"):
        golden[row["image"]].append([int(row["class_index"]), int(row["sum_of_225_u8"])])
    assert found == golden


def test_built_in_squeezenet_takes_the_same_weights_and_gives_the_same_scores(photos, shared):
    folder = shared / "data"
    network = load_network(
        "squeezenet1_0", weights=folder / "squeezenet_deep_compression/compressed_SqueezeNet.net",
        image=f"{folder}/images/photos_227_rgb_uint8.npz:coffee",
    )  # fmt: skip
    data = walk(network, 0)
    assert sum(layer.macs for layer, _ in data) == 861_339_936
    assert top_classes(data.scores)[0] == top_classes(photos[2].scores)[PHOTOS.index("coffee")]


def test_float_forward_is_the_golden_one(shared):
    network = release(shared, ":chelsea")
    blobs = forward_float(network)
    rows = [row for row in table(shared, "golden_float_layers.csv") if row["image"] == "chelsea"]
    seen = 0
    for row in rows:
        if row["blob"] not in blobs:
            continue
        seen += 1
        blob = blobs[row["blob"]]
        assert blob.sum() == pytest.approx(float(row["sum"]), rel=1e-6)
        assert np.sqrt((blob**2).sum()) == pytest.approx(float(row["l2"]), rel=1e-6)
        assert blob.max() == pytest.approx(float(row["max"]), rel=1e-6)
        assert abs(np.count_nonzero(blob) - int(row["nonzero"])) <= 5
    assert seen >= 30
    with np.load(shared / "data/reference/golden_float_logits.npz") as golden:
        place = golden["images"].tolist().index("chelsea")
        assert np.abs(blobs["pool_final"].reshape(-1) - golden["logits"][place]).max() < 1e-5


def tiny(weights, bias=None, *, M=1, C=1, kind="fc"):
    layer = Layer(name="a", kind=kind, C=C, M=M, bias=bias is not None, activation="relu")
    data = LayerWeights(
        Codes(np.arange(M * C, dtype=np.uint8).reshape(M, C, 1, 1), NumberFormat(8, False)), bias,
        np.asarray(weights, dtype=np.float32),
    )  # fmt: skip
    return Network("tiny", (layer,), (C, 1, 1), weights={"a": data}, images=np.full((1, C, 1, 1), 10, np.uint8))


def test_weights_take_the_largest_power_of_two_that_fits():
    codes, fraction = quantise_weights(tiny([0, 0.5, -1.0], C=3).weights["a"])
    assert fraction == 6  # 127 / 1.0 -> 2^6 is the largest power of two below
    assert codes.format.codebook == (0, 32, -64)
    assert codes.format.scale == 1 / 64


def test_a_network_of_zero_weights_is_no_division_by_zero():
    codes, fraction = quantise_weights(tiny([0.0], C=1).weights["a"])
    assert (fraction, codes.format.codebook) == (0, (0,))


def test_calibration_takes_the_largest_scale_that_fits_eight_bits():
    network = tiny([0.0, 12.75], C=2)
    assert calibrate(network) == {"a": 1}  # largest output 127.5: 2 * 127.5 = 255 still fits
    assert Int8Pow2(network).fractions == {"input": 0, "a": 1}
