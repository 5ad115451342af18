"""What every network promises: it builds, its layers read what is there, and their shapes chain."""

import math

import pytest

from workloads import InputError, Layer, load_network
from workloads.network import Network, networks
from workloads.profiles import densities

NETWORKS = networks.names()


def expected_input(layer: Layer, shapes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The input shapes (C, H, W) a layer may have, given the maps it reads."""
    if layer.kind == "concat":
        assert len({shape[1:] for shape in shapes}) == 1
        return [(sum(shape[0] for shape in shapes), *shapes[0][1:])]
    assert layer.kind in ("add", "matmul") or len(shapes) == 1
    if layer.kind == "add":
        assert len(shapes) > 1
        assert len(set(shapes)) == 1
    return [shapes[0], (math.prod(shapes[0]), 1, 1)] if layer.kind == "fc" else [shapes[0]]


@pytest.mark.parametrize("name", NETWORKS)
def test_it_builds_and_its_layers_chain(name):
    network = load_network(name)
    shapes = {"input": network.input_shape}
    for layer in network.layers:
        read = [shapes[source] for source in layer.inputs]
        assert (layer.C, layer.H, layer.W) in expected_input(layer, read), layer.name
        if layer.kind not in ("conv", "depthwise", "fc", "matmul", "concat"):
            assert layer.M == layer.C, layer.name
        shapes[layer.name] = (layer.M, layer.E, layer.F)
    used = {source for layer in network.layers for source in layer.inputs}
    ends = [layer.name for layer in network.layers if layer.name not in used]
    assert network.layers[-1].name in ends
    assert network.mac_layers
    assert (network.batch, network.macs > 0, network.params > 0) == (1, True, True)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_multiplies_the_work_and_not_the_parameters(name):
    one, three = load_network(name), load_network(name, batch=3)
    assert (three.macs, three.params, three.batch) == (3 * one.macs, one.params, 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_has_densities_with_a_source(name):
    network = load_network(name)
    found = densities(network)
    assert list(found) == [layer.name for layer in network.layers]
    for layer in network.layers:
        assert found[layer.name].input_source
        assert found[layer.name].weight_source or not layer.has_macs


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_same_each_time(name):
    assert load_network(name).layers == load_network(name).layers


A = Layer(name="a", kind="conv", C=1, M=1)
B = Layer(name="b", kind="conv", C=1, M=1, inputs=("a",))


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ((A, A), "network 'n': layer name 'a' is used twice"),
        ((B, A), "network 'n': layer 'b' reads 'a', which is not before it"),
        ((), "network 'n': has no layers"),
    ],
)
def test_a_network_that_makes_no_sense_cannot_be_built(layers, text):
    with pytest.raises(InputError) as caught:
        Network("n", layers, (1, 1, 1))
    assert str(caught.value) == text
