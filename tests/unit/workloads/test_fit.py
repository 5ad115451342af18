"""A network refuses to exist unless every layer is made for what the layers it reads make."""

import time
from dataclasses import replace

import numpy as np
import pytest

from workloads import Codes, InputError, Layer, Network, NumberFormat
from workloads.network import LayerWeights

MAP = (4, 6, 5)


def made(name="a", **sizes):
    """A pointwise convolution of the network's input."""
    return Layer(name=name, kind="conv", **{"C": 4, "H": 6, "W": 5, "M": 4} | sizes)


def after(kind, *inputs, C=4, H=6, W=5, **fields):
    """A layer behind others, by default on maps of 4 x 6 x 5."""
    return Layer(name="z", kind=kind, inputs=inputs or ("a",), **{"C": C, "H": H, "W": W, "M": C} | fields)


def network(*layers, **fields):
    return Network("n", layers, MAP, **fields)


def wrong_of(*layers, **fields):
    """What a network of these layers is refused with, without the network's name."""
    with pytest.raises(InputError, match=r"^network 'n': layer 'z'") as caught:
        network(*layers, **fields)
    return str(caught.value).removeprefix("network 'n': ")


#: one layer of each kind on a 4 x 6 x 5 map; the same with ``C`` or ``H`` or ``N`` changed does not fit
ONE_INPUT = {
    "conv": {"M": 3, "R": 3, "S": 3},
    "depthwise": {"G": 4},
    "pool": {"pool": "max", "R": 2, "S": 2},
    "shuffle": {"G": 2},
    "relu": {},
    "relu6": {},
    "lrn": {},
    "batchnorm": {},
    "softmax": {},
    "layernorm": {},
    "elementwise": {"function": "exp"},
    "reduce": {"function": "sum", "R": 6, "S": 5},
    "matmul": {"G": 2, "M": 6},
    "add": {},
    "concat": {},
    "move": {},
}


@pytest.mark.parametrize("kind", ONE_INPUT)
def test_a_layer_is_as_large_as_the_map_it_reads(kind):
    fields = ONE_INPUT[kind]
    network(made(), after(kind, **fields))
    for name, size in (("C", 8), ("H", 12), ("W", 10), ("N", 2)):
        grown = fields | ({"G": 8} if kind == "depthwise" and name == "C" else {})
        text = wrong_of(made(), after(kind, **{**grown, name: size}))
        assert f"{name}={size}" in text
        assert text.endswith("but reads 'a', which is N=1 C=4 H=6 W=5")


def test_the_same_elements_in_another_shape_must_be_said():
    turned = after("conv", H=5, W=6)
    assert wrong_of(made(), turned) == (
        "layer 'z' (conv) is made for N=1 C=4 H=5 W=6, but reads 'a', which is N=1 C=4 H=6 W=5"
    )
    network(made(), replace(turned, reshaped=True))
    assert "H=7" in wrong_of(made(), replace(turned, H=7, reshaped=True))


def test_the_input_of_the_network_is_read_as_it_is():
    assert "reads 'input', which is N=1 C=4 H=6 W=5" in wrong_of(after("conv", "input", C=9))
    assert network(made(N=3), after("relu", N=3)).batch == 3
    assert "N=2" in wrong_of(made(N=3), after("relu", "input", N=2))


def test_a_fully_connected_layer_flattens():
    network(made(), after("fc", C=120, H=1, W=1))
    assert "C=121" in wrong_of(made(), after("fc", C=121, H=1, W=1))
    assert "N=4 C=30" in wrong_of(made(), after("fc", C=30, H=1, W=1, N=4))


def test_maps_that_are_joined():
    wide, low = made("b", M=7), made("c", R=2)
    network(made(), wide, after("concat", "a", "b", C=11))
    assert wrong_of(made(), wide, after("concat", "a", "b", C=12)) == (
        "layer 'z' (concat) is made for N=1 C=12 H=6 W=5, but reads 'a', which is N=1 C=4 H=6 W=5 and 'b', which is "
        "N=1 C=7 H=6 W=5"
    )
    assert "H=5" in wrong_of(made(), low, after("concat", "a", "c", C=8))
    assert "H=5" in wrong_of(made(), low, after("concat", "a", "c", C=4, H=11))  # as many elements, one above another


@pytest.mark.parametrize("kind, fields", [("add", {}), ("elementwise", {"function": "mul"})])
def test_operands_that_are_broadcast_say_so(kind, fields):
    one, other = made("g", R=6, S=5), made("b", M=7)
    network(made(), made("b"), after(kind, "a", "b", **fields))
    assert "C=7" in wrong_of(made(), other, after(kind, "a", "b", **fields))
    assert "'g', which is N=1 C=4 H=1 W=1" in wrong_of(made(), one, after(kind, "a", "g", **fields))
    network(made(), one, after(kind, "a", "g", input_sizes=(120, 4), **fields))
    assert "(elements of each input: 120, 2)" in wrong_of(
        made(), one, after(kind, "a", "g", input_sizes=(120, 2), **fields)
    )
    assert "210" in wrong_of(made(), other, after(kind, "a", "b", input_sizes=(120, 210), **fields))


def test_a_move_takes_parts_and_repeats():
    network(made(), after("move", C=2, input_sizes=(60,)))
    network(made(), after("move", C=8, input_sizes=(240,)))  # rows gathered, some of them twice
    assert "121" in wrong_of(made(), after("move", C=2, input_sizes=(121,)))


def test_a_dynamic_product_reads_both_of_its_operands():
    keys, product = made("k", M=24), {"G": 2, "C": 4, "H": 30, "W": 1, "M": 12, "dynamic": True, "reshaped": True}
    network(made(), made("b", M=2, R=6), after("matmul", "a", "b", **product | {"M": 5 * 2, "input_sizes": (120, 10)}))
    network(made(C=4), made("k", M=4, R=6), after("matmul", "a", "k", **product | {"M": 10}))
    assert "times 24 values" in wrong_of(made(), keys, after("matmul", "a", "k", **product))
    with pytest.raises(InputError, match=r"^layer 'z': N=3: a dynamic product has N=1 "):
        after("matmul", "a", "a", **product | {"N": 3})
    with pytest.raises(InputError, match=r"^layer 'z': reads 1 inputs; kind 'matmul' reads 2$"):
        after("matmul", "a", **product)
    with pytest.raises(InputError, match=r"^layer 'z': only a matmul can be dynamic, not kind 'conv'$"):
        after("conv", "a", "a", dynamic=True)


@pytest.mark.parametrize("kind", [kind for kind in ONE_INPUT if kind not in ("add", "concat", "elementwise", "move")])
def test_a_second_input_is_no_ornament(kind):
    with pytest.raises(InputError, match=rf"^layer 'z': reads 2 inputs; kind '{kind}' reads 1$"):
        after(kind, "a", "b", **ONE_INPUT[kind])


def test_inputs_beside_the_first_say_elements():
    mask = {"mask": (2, 60)}
    network(made(), after("elementwise", "a", "mask", function="add"), side_inputs=mask)
    assert "'mask', which is [2, 61]" in wrong_of(
        made(), after("elementwise", "a", "mask", function="add"), side_inputs={"mask": (2, 61)}
    )


def test_layers_of_a_topology_are_independent():
    padded = after("conv", C=9, H=99, M=3)
    assert network(made(), padded, independent=True).layers[1] is padded


def codes(*shape):
    return Codes(np.ones(shape, np.int8), NumberFormat(8, True))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"weights": {"a": LayerWeights(codes(4, 5, 1, 1))}}, "layer 'a' has weights [4, 5, 1, 1] and bias [4]"),
        ({"weights": {"a": LayerWeights(codes(4, 4, 1, 1), np.zeros(3))}}, "and bias [3], expected [4, 4, 1, 1]"),
        ({"activations": {"a": codes(1, 4, 6, 4)}}, "96 values of 'a' are recorded, it has 120"),
        ({"activations": {"b": codes(1, 4, 6, 5)}}, "120 values of 'b' are recorded, it has no such tensor"),
        ({"images": np.zeros((2, 4, 6, 5), np.uint8)}, "images [2, 4, 6, 5], its input is [1, 4, 6, 5]"),
    ],
)
def test_data_has_the_size_of_its_tensor(fields, text):
    with pytest.raises(InputError) as caught:
        network(made(), **fields)
    assert text in str(caught.value)


@pytest.mark.slow
def test_a_hundred_thousand_layers_take_linear_time():
    layers = [made(), *(replace(made(f"r{i}"), inputs=(f"r{i - 1}" if i else "a",)) for i in range(20_000))]
    started = time.process_time()
    network(*layers[: len(layers) // 2])
    half = time.process_time() - started
    network(*layers)
    assert time.process_time() - started - half < 3 * half + 0.1
