"""The three released MobileNets: shapes, weights and, bit for bit, every output of every photograph."""

import zlib
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from tests import tables
from tests.unit.workloads.tflite_builder import SAME, VALID, Builder, window
from workloads import InputError, load_network
from workloads.importers.tflite import import_tflite
from workloads.reference import forward_float
from workloads.statistics import csd_terms, popcount
from workloads.walk import RealWalk, reference_output, top_classes, walk

PHOTOS = ("chelsea", "coffee", "camera", "rocket", "astronaut", "grace_hopper", "china")
VWW, QUARTER, WHOLE = "vww_96_int8", "mobilenet_v1_0.25_128_quant", "mobilenet_v1_1.0_224_quant_embedding_extractor"


def rows(shared, name):
    return tables.read(shared / "data/reference" / name)


def sized(a, size):
    """[227, 227, 3] -> [size, size, 3], as data/images/README.md derives the sizes of the golden files."""
    if size == 224:
        return a[1:225, 1:225]
    if size == 128:
        pick = np.floor((np.arange(128) + 0.5) * 227 / 128).astype(int)
        return a[pick][:, pick]
    b = a[17:209, 17:209].astype(np.int64)
    return ((b[::2, ::2] + b[1::2, ::2] + b[::2, 1::2] + b[1::2, 1::2] + 2) >> 2).astype(np.uint8)


def release(shared, name, photos=(), folder=None):
    """The network, on photos saved as .npy files of its own size."""
    path = shared / f"data/mobilenet_int8/{name}.tflite"
    if not photos:
        return load_network(path)
    size = load_network(path).input_shape[1]
    with np.load(shared / "data/images/photos_227_rgb_uint8.npz") as arrays:
        for number, photo in enumerate(photos):
            np.save(folder / f"{number}_{photo}.npy", sized(arrays[photo], size))
    return load_network(path, image=folder)


def check_every_output(shared, folder, name, photos):
    golden = defaultdict(list)
    for row in rows(shared, "golden_mobilenet_layers.csv"):
        if row["model"] == name:
            golden[row["image"]].append(row)
    data = RealWalk(release(shared, name, photos, folder))
    seen = 0
    for place, (layer, operands) in enumerate(data):
        if layer.kind == "softmax":  # not in the golden file
            continue
        codes = reference_output(layer, operands) if layer.has_macs else data.model.post(layer, [operands.inputs])
        for number, photo in enumerate(photos):
            row, values = golden[photo][place], codes.values[number : number + 1].transpose(0, 2, 3, 1)
            assert zlib.crc32(np.ascontiguousarray(values).tobytes()) == int(row["crc32"]), (photo, layer.name)
            assert codes.format.zero_point == int(row["zero_point"])
            assert np.count_nonzero(codes.integers()[number]) == int(row["count_ne_zp"])
            seen += 1
    assert seen == len(photos) * len(golden[photos[0]])
    best = defaultdict(list)
    for row in rows(shared, "golden_mobilenet_top5.csv"):
        if row["model"] == name:
            best[row["image"]].append([int(row["class_index"]), int(row["quantised_logit"])])
    for photo, found in zip(photos, top_classes(data.scores), strict=True):
        assert not best or found == best[photo], photo


@pytest.mark.parametrize("name", [VWW, QUARTER])
def test_every_output_of_every_photo_has_the_golden_crc(name, shared, tmp_path):
    check_every_output(shared, tmp_path, name, PHOTOS)


def test_every_output_of_the_large_network_has_the_golden_crc(shared, tmp_path):
    check_every_output(shared, tmp_path, WHOLE, PHOTOS[:1])


@pytest.mark.slow
def test_every_output_of_the_large_network_for_the_other_photos(shared, tmp_path):
    check_every_output(shared, tmp_path, WHOLE, PHOTOS[1:])


@pytest.mark.parametrize(("name", "macs", "weights"), [
    (VWW, 7_489_664, 208_112), (QUARTER, 13_570_304, 463_856), (WHOLE, 567_716_352, 3_185_088),
])  # fmt: skip
def test_totals(name, macs, weights, shared):
    network = release(shared, name)
    assert network.macs == macs
    assert sum(layer.weights for layer in network.layers) == weights
    assert not network.warnings
    assert network.model == "tflite-int8"
    size = (shared / f"data/mobilenet_int8/{name}.tflite").stat().st_size
    assert sum(each.file_bytes for each in network.weights.values()) < size


@pytest.mark.parametrize("name", [VWW, QUARTER, WHOLE])
def test_weight_statistics_equal_the_reference(name, shared):
    network = release(shared, name)
    table = [row for row in rows(shared, "mobilenet_tflite_weights.csv") if row["model"] == name]
    assert len(table) == len(network.mac_layers)
    for row, layer in zip(table, network.mac_layers, strict=True):
        codes = network.weights[layer.name].codes
        q = codes.integers().astype(np.int64)
        assert (q.size, layer.macs) == (int(row["weights"]), int(row["macs"]))
        assert (q.min(), q.max()) == (int(row["w_min"]), int(row["w_max"]))
        assert codes.format.zero_point == int(row["w_zero_point"])
        assert len(np.atleast_1d(codes.format.scale)) == int(row["scales"])
        assert len(np.unique(codes.values)) == int(row["codes_used"])
        for column, value in (
            ("w_mean", q.mean()), ("w_std", q.std()), ("w_density", np.count_nonzero(q) / q.size),
            ("w_popcount_all", popcount(q).mean()), ("w_csd_all", csd_terms(q).mean()),
        ):  # fmt: skip
            assert value == pytest.approx(float(row[column]), rel=1e-4, abs=1e-6), (layer.name, column)


def test_zero_is_the_zero_point(shared, tmp_path):
    """ReLU6 outputs of the int8 network are -128 (0x80) where they are zero: density counts those."""
    network = release(shared, VWW, ("chelsea",), tmp_path)
    table = {row["layer"]: row for row in rows(shared, "mobilenet_tflite_acts_layer.csv") if row["model"] == VWW}
    places = {layer.name: str(place) for place, layer in enumerate(network.mac_layers)}
    for layer, operands in walk(network, 0):
        if layer.has_macs:
            row, codes = table[places[layer.name]], operands.inputs
            density = np.count_nonzero(codes.kept()) / codes.values.size
            assert np.array_equal(codes.kept(), codes.integers() != 0)
            assert float(row["density_min"]) - 5e-6 <= density <= float(row["density_max"]) + 5e-6, layer.name


def test_the_float_forward_is_near_the_integer_one(shared, tmp_path):
    network = release(shared, QUARTER, ("coffee",), tmp_path)
    blobs, data = forward_float(network), RealWalk(network)
    assert len(list(data)) == 30
    assert int(np.argmax(blobs["28_conv"])) == 968  # espresso: 967 and the background class
    assert top_classes(data.scores)[0][0][0] == 968
    assert blobs["30_softmax"].sum() == pytest.approx(1)


def test_without_an_image_synthetic_codes_keep_the_networks_formats(shared):
    network = release(shared, QUARTER)
    first, second, *_ = [operands for _, operands in walk(network, 0)]
    assert first.inputs.format == network.formats["input"]
    assert np.count_nonzero(first.inputs.integers()) == first.inputs.values.size  # an image is dense
    assert second.inputs.format.zero_point == 0
    assert first.synthetic == ("inputs",)
    again = next(iter(walk(network, 0)))[1]
    assert np.array_equal(first.inputs.values, again.inputs.values)


def test_same_padding_at_stride_two_puts_the_odd_pixel_after(shared):
    network = release(shared, QUARTER)
    assert network["0_conv"].padding == (0, 1, 0, 1)
    assert network["1_depthwise"].padding == (1, 1, 1, 1)
    assert network["3_depthwise"].padding == (0, 1, 0, 1)


def pointwise(b, x, C, M, shape, scale=0.02):
    """CONV_2D 1x1 to [*shape, M]."""
    w = b.tensor([M, 1, 1, C], "int8", 0.01, data=np.ones((M, 1, 1, C)))
    bias = b.tensor([M], "int32", np.float32(0.01) * np.float32(0.02), data=np.arange(M))
    return b.op("CONV_2D", [x, w, bias], b.tensor([*shape, M], "int8", scale, -128), window())


def started(shape=(1, 6, 6, 4)):
    b = Builder()
    b.inputs = [b.tensor(shape, "int8", 0.02, -128)]
    return b, b.inputs[0]


def read(b, *outputs):
    b.outputs = list(outputs)
    return import_tflite(b.data(), "m.tflite", "m", "m.tflite")


def test_a_depthwise_layer_with_a_multiplier_keeps_channels_together():
    b, x = started()
    weights = np.arange(2 * 2 * 8).reshape(1, 2, 2, 8)
    w = b.tensor([1, 2, 2, 8], "int8", np.full(8, 0.01), data=weights, axis=3)
    bias = b.tensor([8], "int32", np.full(8, 2e-4), data=np.zeros(8))
    y = b.tensor([1, 3, 3, 8], "int8", 0.02, -128)
    b.op("DEPTHWISE_CONV_2D", [x, w, bias], y, window((2, 2), SAME, multiplier=2))
    layer = (network := read(b, y))["0_depthwise"]
    assert (layer.kind, layer.G, layer.C, layer.M, layer.weight_shape) == ("depthwise", 4, 4, 8, (8, 1, 2, 2))
    assert np.array_equal(network.weights["0_depthwise"].codes.values[5, 0], weights[0, :, :, 5])
    assert network.weights["0_depthwise"].real().shape == (8, 1, 2, 2)


@pytest.mark.parametrize("last", ["flat", "padded"])
def test_a_map_that_is_only_flattened_or_padded_is_no_output(last):
    b, x = started((1, 2, 3, 4))
    y = pointwise(b, x, 4, 4, (1, 2, 3))
    if last == "flat":
        end = b.op("RESHAPE", [y, b.tensor([2], "int32", data=[1, 24])], b.tensor([1, 24], "int8", 0.02, -128))
    else:
        pairs = b.tensor([4, 2], "int32", data=[[0, 0], [1, 1], [1, 1], [0, 0]])
        end = b.op("PAD", [y, pairs], b.tensor([1, 4, 5, 4], "int8", 0.02, -128))
    with pytest.raises(InputError, match=r"ends in a flattened or padded map: expected channels, or a map as it is$"):
        read(b, end)


def test_a_pad_becomes_the_padding_of_its_reader():
    b, x = started()
    pairs = b.tensor([4, 2], "int32", data=[[0, 0], [0, 1], [2, 1], [0, 0]])
    padded = b.op("PAD", [x, pairs], b.tensor([1, 7, 9, 4], "int8", 0.02, -128))
    w = b.tensor([2, 3, 3, 4], "int8", 0.01, data=np.ones((2, 3, 3, 4)))
    bias = b.tensor([2], "int32", 2e-4, data=[0, 0])
    y = b.tensor([1, 3, 4, 2], "int8", 0.02, -128)
    b.op("CONV_2D", [padded, w, bias], y, window((2, 2), VALID))
    network = read(b, y)
    assert [layer.name for layer in network.layers] == ["1_conv"]
    assert network["1_conv"].padding == (0, 1, 2, 1)


def test_operators_that_move_nothing_are_no_layers():
    b = Builder()
    b.inputs = [b.tensor((1, 4, 4, 3), "float32")]
    x = b.op("QUANTIZE", b.inputs, b.tensor([1, 4, 4, 3], "int8", 0.02, -128))
    y = pointwise(b, x, 3, 5, (1, 4, 4))
    pooled = b.op("AVERAGE_POOL_2D", [y], b.tensor([1, 1, 1, 5], "int8", 0.02, -128), window(scheme=VALID, taps=(4, 4)))
    shape = b.tensor([2], "int32", data=[1, 5])
    flat = b.op("RESHAPE", [pooled, shape], b.tensor([1, 5], "int8", 0.02, -128))
    again = b.op("SQUEEZE", [flat], b.tensor([5], "int8", 0.02, -128))
    network = read(b, b.op("DEQUANTIZE", [again], b.tensor([5], "float32")))
    assert [(layer.name, layer.kind) for layer in network.layers] == [("1_conv", "conv"), ("2_avg_pool", "pool")]
    assert network.formats["input"].zero_point == -128
    assert network.input_shape == (3, 4, 4)


def test_a_flattened_map_keeps_its_weights_in_our_order():
    b, x = started((1, 2, 3, 4))
    flat = b.op("RESHAPE", [x, b.tensor([2], "int32", data=[1, 24])], b.tensor([1, 24], "int8", 0.02, -128))
    weights = np.arange(24)  # (h, w, c) in the file
    w = b.tensor([1, 24], "int8", 0.01, data=weights)
    y = b.op("FULLY_CONNECTED", [flat, w, -1], b.tensor([1, 1], "int8", 0.1, 0), {0: ("<b", 0)})
    network = read(b, y)
    assert np.array_equal(
        network.weights["1_fc"].codes.values.reshape(4, 2, 3), weights.reshape(2, 3, 4).transpose(2, 0, 1)
    )


def test_a_batch_in_the_file_is_the_networks():
    b, x = started((3, 6, 6, 4))
    network = read(b, pointwise(b, x, 4, 2, (3, 6, 6)))
    assert (network.batch, network.input_shape) == (3, (4, 6, 6))


PERSON_DETECT = "quantized_dimension names an axis that does not exist"


def with_axis(axis, scales):
    """A pointwise convolution whose weights have these scales along an axis."""
    b, x = started()
    M = 4
    w = b.tensor([M, 1, 1, 4], "int8", scales, data=np.ones((M, 1, 1, 4)), axis=axis)
    bias = b.tensor([M], "int32", 1e-4, data=np.zeros(M), axis=axis)
    y = b.op("CONV_2D", [x, w, bias], b.tensor([1, 6, 6, M], "int8", 0.02, -128), window())
    return b, y


def test_an_axis_that_does_not_exist_is_a_warning_where_it_does_not_matter():
    """As in person_detect.tflite, which LiteRT 2.3.0 refuses: axis 3 of a bias with one dimension, one scale."""
    b, y = with_axis(5, 0.01)
    (warning,) = read(b, y).warnings
    assert warning.startswith("m.tflite: tensor 1 and 1 more: " + PERSON_DETECT)
    b, y = with_axis(7, np.full(4, 0.01))  # as many scales as channels: no other reading
    network = read(b, y)
    assert len(network.warnings) == 1
    assert network.weights["0_conv"].codes.format.scale == (np.float32(0.01),) * 4
    b, x = started()
    b.tensors[x][4][1][6] = ("number", "<i", 9)
    assert PERSON_DETECT in read(b, pointwise(b, x, 4, 2, (1, 6, 6))).warnings[0]


def test_scales_along_another_axis_are_refused():
    b, y = with_axis(3, np.full(4, 0.01))
    with pytest.raises(InputError, match=r"scales lie along axis 3, expected 0 \(the output channels\)$"):
        read(b, y)


def test_all_unsupported_operators_are_named_at_once_with_their_places():
    b, x = started()
    y = b.op("LOGISTIC", [x], b.tensor([1, 6, 6, 4], "int8", 1 / 256, -128))
    z = b.op("MUL", [y, x], b.tensor([1, 6, 6, 4], "int8", 0.1, 0))
    b.op("LOGISTIC", [z], b.tensor([1, 6, 6, 4], "int8", 1 / 256, -128))
    with pytest.raises(InputError) as caught:
        read(b, z)
    assert str(caught.value).startswith(
        "m.tflite: unsupported operators: LOGISTIC (2, first operator 0); MUL (operator 1); supported: CONV_2D, "
    )


def test_weights_are_views_of_the_file(shared):
    codes = release(shared, VWW).weights["26_conv"].codes.values
    assert not codes.flags.owndata
    assert not codes.flags.writeable
    assert codes.strides == (256, 1, 256, 256)  # O, H, W, I of the file


def test_images_of_seven_photos_are_one_batch(shared, tmp_path):
    network = release(shared, VWW, PHOTOS[:2], tmp_path)
    assert network.batch == 2
    assert network.images.shape == (2, 3, 96, 96)
    assert replace(network, images=None).image_names == ("0_chelsea", "1_coffee")
