"""Bits, terms and entropy of values, by hand and against the reference tables; recorded activations."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tables
from tests.cli.calls import call
from workloads import InputError, load_network
from workloads.activations import quantise
from workloads.formats.codes import Codes, NumberFormat
from workloads.statistics import booth_terms, csd_terms, huffman_bits, popcount, value_statistics, width
from workloads.survey import survey


@pytest.mark.parametrize(
    ("value", "bits", "csd", "booth", "wide"),
    [(0, 0, 0, 0, 0), (1, 1, 1, 1, 1), (-1, 1, 1, 1, 1), (3, 2, 2, 2, 2), (7, 3, 2, 2, 3), (-2, 1, 1, 1, 2),
     (2, 1, 1, 2, 2), (85, 4, 4, 4, 7), (127, 7, 2, 2, 7), (-127, 7, 2, 2, 7), (-128, 1, 1, 1, 8), (255, 8, 2, 2, 8)],
)  # fmt: skip
def test_terms_by_hand(value, bits, csd, booth, wide):
    one = np.array([value])
    assert [int(f(one)[0]) for f in (popcount, csd_terms, booth_terms, width)] == [bits, csd, booth, wide]


@given(st.integers(-32768, 32767))
def test_booth_digits_are_those_of_a_recoding_that_gives_the_value_back(value):
    digits, place, rest = [], 0, value
    bits = [(value >> i) & 1 for i in range(18)]
    for i in range(0, 18, 2):
        below = bits[i - 1] if i else 0
        digits.append(below + bits[i] - 2 * bits[i + 1])
    assert sum(digit * 4**i for i, digit in enumerate(digits)) == value, (place, rest)
    assert int(booth_terms(np.array([value]))[0]) == sum(digit != 0 for digit in digits)


def test_huffman_by_hand():
    assert huffman_bits(np.array([5])) == 1.0
    assert huffman_bits(np.array([1, 1])) == 1.0
    assert huffman_bits(np.array([4, 2, 1, 1])) == (4 * 1 + 2 * 2 + 2 * 3) / 8


def test_groups_run_along_channels():
    values = np.zeros((1, 16, 1, 2), np.uint8)
    values[0, 3, 0, 0] = 200  # one of the two pixels has a wide value
    found = value_statistics(Codes(values, NumberFormat(8, False)))
    assert (found["group16"], found["group256"]) == (4.0, 8.0)
    assert found["density"] == 1 / 32


def test_weights_equal_the_reference_table(shared):
    folder = shared / "data"
    network = load_network("squeezenet1_0", weights=folder / "squeezenet_deep_compression/compressed_SqueezeNet.net")
    rows = tables.read(folder / "reference/squeezenet_weights.csv")
    for row, layer in zip(rows, network.mac_layers, strict=True):
        real = network.weights[layer.name].real()
        q = np.rint(real / np.abs(real).max() * 127).astype(np.int8)
        found, kept = value_statistics(Codes(q, NumberFormat(8, True))), (real != 0).mean()
        assert 1 - found["density"] == pytest.approx(float(row["q8_zero_frac"]), rel=1e-5)
        assert found["popcount"] == pytest.approx(float(row["q8_popcount_all"]), rel=1e-5)
        assert found["csd"] / kept == pytest.approx(float(row["q8_csd_nz"]), rel=1e-5)
        assert found["booth"] / kept == pytest.approx(float(row["q8_booth4_nz"]), rel=1e-5)


TFLITE = ("vww_96_int8", "mobilenet_v1_0.25_128_quant", "mobilenet_v1_1.0_224_quant_embedding_extractor")
COLUMNS = {
    "density": "w_density", "popcount": "w_popcount_all", "csd": "w_csd_all", "booth": "w_booth_all",
    "entropy": "entropy_bits", "huffman": "huffman_bits", "group16": "w_group16_bits", "codes_used": "codes_used",
}  # fmt: skip


@pytest.mark.parametrize("model", TFLITE)
def test_weights_of_the_mobilenets_equal_the_reference_table(model, shared):
    rows = [row for row in tables.read(shared / "data/reference/mobilenet_tflite_weights.csv") if row["model"] == model]
    network = load_network(shared / f"data/mobilenet_int8/{model}.tflite")
    for row, layer in zip(rows, network.mac_layers, strict=True):
        codes = network.weights[layer.name].codes
        found = value_statistics(codes, 0 if layer.kind == "depthwise" else 1)
        for name, column in COLUMNS.items():
            assert found[name] == pytest.approx(float(row[column]), abs=1e-4), (layer.name, name)  # five digits printed


@pytest.fixture(scope="module")
def photos(shared):
    folder = shared / "data"
    return load_network(
        "squeezenet1_0", weights=folder / "squeezenet_deep_compression/compressed_SqueezeNet.net",
        image=folder / "images/photos_227_rgb_uint8.npz",
    )  # fmt: skip


@pytest.mark.slow
def test_float_densities_lie_within_the_spread_of_the_twenty_photos(photos, shared):
    rows = tables.read(shared / "data/reference/squeezenet_acts_layer.csv")
    for row, found in zip(rows, survey(photos, forward="float"), strict=True):
        low, high = float(row["density_min"]) - 1e-6, float(row["density_max"]) + 1e-6  # printed with six digits
        inputs = found["inputs"]
        assert low <= inputs["density_min"] <= inputs["density_mean"] <= inputs["density_max"] <= high, row["layer"]


@pytest.mark.slow
def test_work_of_every_photo_is_the_golden_count(photos, shared):
    rows = [row for row in tables.read(shared / "data/reference/golden_int8_layers.csv") if row["image"] == "rocket"]
    place = photos.image_names.index("rocket")
    for row, found in zip(rows, survey(photos), strict=True):
        assert found["work"][place] == {name: int(row[name]) for name in found["work"][place]}


def test_the_command_prints_tables_and_json():
    done = call("stats", "lenet5", "--batch", 2)
    assert done.code == 0
    assert "density % by image" in done.out
    assert "Han et al. NIPS 2015" in done.out
    layers = json.loads(call("stats", "lenet5", "--json").out)["layers"]
    assert [row["layer"] for row in layers] == ["conv1", "conv2", "fc1", "fc2"]
    weights = layers[1]["weights"]
    assert sum(weights["histogram"].values()) == weights["values"] == 25_000
    assert weights["density"] == pytest.approx(0.12, abs=0.01)


def test_recorded_floats_become_codes_at_a_power_of_two():
    codes = quantise(np.array([0.0, 0.5, 63.75]))
    assert (codes.values.tolist(), codes.format.scale, codes.format.signed) == ([0, 2, 255], 0.25, False)
    signed = quantise(np.array([-1.0, 0.5]))
    assert (signed.values.tolist(), signed.format.scale) == ([-64, 32], 1 / 64)
    assert quantise(np.zeros(3)).values.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pool9": np.zeros(3)}, "unknown tensor 'pool9'; did you mean 'pool2'?"),
        ({"pool1": np.zeros(3)}, "'pool1' has shape [3], expected 2880 values"),
        ({"pool1": np.full(2880, np.nan)}, "'pool1' holds values that are not finite"),
        (
            {"pool1": np.zeros(2880, complex)},
            "'pool1' has type complex128; expected float, or integers of 8 or 16 bits",
        ),
        ({}, "holds no tensor"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InputError) as caught:
        load_network("lenet5", activations=tmp_path / "t.npz")
    assert message in str(caught.value)
