"""Seeded codes: the densities asked for, the same bytes each time, and where each density comes from."""

import zlib

import numpy as np
import pytest

from tests import tables
from workloads import InputError, load_network
from workloads.layer import Layer
from workloads.network import Density
from workloads.profiles import densities
from workloads.synthetic import synthetic_activations, synthetic_weights
from workloads.walk import walk

LAYER = Layer(name="a", kind="conv", C=64, H=8, W=8, M=200, R=3, S=3)


def density(weights=0.3, bits=4, codebook=True):
    return Density(weights, bits, codebook, 0.5, "here", "here")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.33, 0.985, 1.0])
@pytest.mark.parametrize(("bits", "codebook"), [(2, True), (4, True), (5, True), (8, True), (8, False)])
def test_weights_have_the_density_and_no_kept_weight_is_zero(share, bits, codebook):
    codes = synthetic_weights(LAYER, density(share, bits, codebook), seed=3)
    assert codes.values.shape == (200, 64, 3, 3)
    assert abs(np.count_nonzero(codes.kept()) / codes.values.size - share) < 0.006
    assert np.array_equal(codes.integers() != 0, codes.kept())
    assert np.abs(codes.integers()).max(initial=0) <= 127
    assert codes.format.bits == bits


def test_a_pruned_layer_has_two_lobes_and_a_dense_one_a_bell():
    pruned = np.abs(synthetic_weights(LAYER, density(0.2, 8), 0).integers())
    dense = np.abs(synthetic_weights(LAYER, density(1.0, 8), 0).integers())
    assert pruned[pruned > 0].min() > 30  # the smallest 80 % of normal weights lie below 1.28 sigma = 40.7 steps
    assert (dense < 32).mean() == pytest.approx(0.683, abs=0.02)  # one sigma = 31.75 steps


@pytest.mark.parametrize("share", [0.0, 0.19, 0.5, 1.0])
@pytest.mark.parametrize("signed", [False, True])
def test_activations_have_the_density(share, signed):
    codes = synthetic_activations("x", (1, 50, 40, 40), share, 0, signed=signed)
    assert abs(np.count_nonzero(codes.values) / codes.values.size - share) < 0.006
    assert codes.format.signed is signed


def test_seed_and_name_alone_decide_the_bytes():
    one = synthetic_activations("x", (1, 3, 5, 7), 0.5, 0)
    assert np.array_equal(one.values, synthetic_activations("x", (1, 3, 5, 7), 0.5, 0).values)
    assert not np.array_equal(one.values, synthetic_activations("x", (1, 3, 5, 7), 0.5, 1).values)
    assert not np.array_equal(one.values, synthetic_activations("y", (1, 3, 5, 7), 0.5, 0).values)
    # pinned: a change of generator, library or platform that moved a bit would change every synthetic result
    assert zlib.crc32(one.values.tobytes()) == 3437747504
    assert zlib.crc32(synthetic_weights(LAYER, density(), 0).values.tobytes()) == 2927015833


def test_both_expands_of_a_fire_module_read_the_same_codes():
    found = {layer.name: operands.inputs.values for layer, operands in walk(load_network("squeezenet1_0"), 0)}
    assert np.array_equal(found["fire4/expand1x1"], found["fire4/expand3x3"])


def test_squeezenet_has_the_measured_densities_and_eight_bit_codes(shared):
    rows = [row for row in tables.read(shared / "reference/published/squeezenet_dc_measured.csv") if row["in_ch"]]
    network = load_network("squeezenet1_0")
    found = densities(network)
    for row, layer in zip(rows, network.mac_layers, strict=True):
        assert found[layer.name].weights == pytest.approx(float(row["density_nonzero_pct"]) / 100, abs=6e-5)
        assert found[layer.name].code_bits == 8
        assert "measured" in found[layer.name].weight_source


def test_published_densities_of_alexnet():
    found = densities(load_network("alexnet"))
    assert [found[name].weights for name in ("conv1", "conv2", "fc6", "fc8")] == [0.84, 0.38, 0.09, 0.25]
    assert [found[name].inputs for name in ("conv1", "conv2", "fc6")] == [1.0, 0.88, 0.34]
    assert [found[name].code_bits for name in ("conv1", "fc6")] == [8, 5]
    assert "Han" in found["conv2"].weight_source


def test_a_network_nobody_pruned_is_dense_and_says_so():
    found = densities(load_network("resnet18"))
    conv = next(layer.name for layer in load_network("resnet18").mac_layers[1:])
    assert found[conv].weights == 1.0
    assert found[conv].inputs == 0.5
    assert found[conv].weight_source == "dense: no published pruning of this network"
    assert found[conv].input_source.startswith("guess")


def test_densities_outside_their_range_are_refused():
    with pytest.raises(InputError, match=r"^density of weights: 1.5 is outside 0..1$"):
        density(1.5)
    with pytest.raises(InputError, match=r"^density: code_bits=9 is outside 2..8$"):
        density(0.5, 9)
