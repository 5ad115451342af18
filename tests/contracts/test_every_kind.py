"""Every kind of layer and every function of it, through all that a network goes through: done, or one line says why."""

from dataclasses import replace

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from workloads import Codes, InputError, Layer, Network, NumberFormat
from workloads.functions import BINARY, COMMUTATIVE, REDUCE, UNARY, UNKNOWN
from workloads.layer import FUNCTIONS, KINDS
from workloads.models.int8_pow2 import pow2_codes
from workloads.network import LayerWeights
from workloads.precision import Precision
from workloads.survey import survey

RNG = np.random.default_rng(0)
#: what a kind needs beside the 4 x 6 x 6 map that it reads, and how many maps it can read
FIELDS = {
    "depthwise": {"G": 4, "R": 3, "S": 3, "padding": (1, 1, 1, 1)},
    "fc": {"C": 144, "H": 1, "W": 1, "M": 144},
    "matmul": {"G": 2},
    "pool": {"pool": "avg", "R": 2, "S": 2},
    "reduce": {"R": 6, "S": 6},
    "shuffle": {"G": 2},
}
CASES = [(kind, name, 1) for kind in KINDS for name in FUNCTIONS.get(kind, (None,))]
CASES += [("elementwise", name, 2) for name in FUNCTIONS["elementwise"]]
CASES += [("add", None, 2), ("concat", None, 2), ("move", None, 2), ("matmul", "dynamic", 2)]
CASES += [
    ("pool", "max", 1),
    ("elementwise", "exp+tanh", 1),
    ("elementwise", "add+add", 3),
    ("elementwise", "exp+mul", 2),
]
#: functions that zeros may make infinite
SINGULAR = ("log", "reciprocal", "div", "pow")
#: kinds whose result a forward pass cannot know
NO_FORWARD = ("layernorm", "move")


def weights(layer: Layer) -> LayerWeights:
    """Real ones; of a batch norm its scale and shift."""
    shape = (layer.M, 1, 1, 1) if layer.kind == "batchnorm" else layer.weight_shape
    real = RNG.normal(0, 0.2, shape)
    codes, fraction = pow2_codes(real)
    return LayerWeights(Codes(codes, NumberFormat(8, True, 2.0**-fraction)), RNG.normal(0, 0.1, layer.M))


def network(kind: str, function: str | None, maps: int, *, image: bool) -> Network:
    """A convolution, the layer, and a convolution that reads it; with real weights."""
    first = Layer(name="a", kind="conv", C=3, H=6, W=6, M=4, R=3, S=3, padding=(1, 1, 1, 1), activation="relu")
    others = tuple(replace(first, name=name) for name in "bc")
    fields = {"C": 4, "H": 6, "W": 6, "M": 4} | FIELDS.get(kind, {})
    if function == "dynamic":
        fields = {"C": 4, "H": 36, "W": 1, "G": 2, "M": 72, "dynamic": True, "reshaped": True}
    elif kind == "pool":
        fields["pool"] = function or "avg"
    elif function is not None:
        fields["function"] = function
    if kind == "concat":
        fields |= {"C": 4 * maps, "M": 4 * maps}
    if kind == "move":
        fields["input_sizes"] = (144 // maps,) * maps
    layer = Layer(name="x", kind=kind, inputs=("a", "b", "c")[:maps], bn=kind == "batchnorm", **fields)
    last = Layer(name="z", kind="conv", C=layer.M, H=layer.E, W=layer.F, M=2, inputs=("x",))
    layers = (first, *others, layer, last)
    held = {each.name: weights(each) for each in layers if (each.has_macs and not each.dynamic) or each.bn}
    pixels = RNG.integers(0, 256, (1, 3, 6, 6), np.uint8)
    return Network(
        "n", layers, (3, 6, 6), weights=held, images=pixels if image else None, image_names=("i",) if image else ()
    )


def known(kind: str, function: str | None, maps: int) -> bool:
    """Whether the layer says all that a forward pass takes."""
    if kind != "elementwise":
        return kind not in NO_FORWARD and function != "dynamic"
    names = function.split("+")
    if maps == 1:
        return all(name in UNARY for name in names)
    return len(set(names)) == 1 and maps == len(names) + 1 and names[0] in (*COMMUTATIVE, *BINARY)


@pytest.mark.parametrize(("kind", "function", "maps"), CASES)
def test_without_data(kind, function, maps):
    made = network(kind, function, maps, image=False)
    result = simulate(made, load_hardware("systolic"), check=True)
    assert list(result.layers.layer) == ["a", "b", "c", "x", "z"]
    assert all(row["work"][0]["mac_dense"] > 0 for row in survey(made))
    few = Precision.of({"weights": "integer:bits=4", "activations": "integer:bits=4"}).apply(made)
    assert simulate(few, load_hardware("systolic"), check=True).summary["check"]["passed"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "function", "maps"), CASES)
def test_with_an_image(kind, function, maps):
    made = network(kind, function, maps, image=True)
    few = {"weights": "integer:bits=4", "activations": "integer:bits=6"}
    ways = [
        lambda: simulate(made, load_hardware("systolic"), check=True).summary["data"],
        lambda: [row["layer"] for row in survey(made)],
        lambda: [row["layer"] for row in survey(made, forward="float")],
        lambda: simulate(Precision.of(few).apply(made), load_hardware("systolic"), check=True).summary["data"],
    ]
    for way in ways:
        if known(kind, function, maps) and function not in SINGULAR:
            assert way() in ("real", ["a", "b", "c", "x", "z"], ["a", "b", "c", "z"])
        else:
            with pytest.raises(InputError) as caught:
                way()
            assert str(caught.value).startswith("layer 'x': ")
            assert "\n" not in str(caught.value)
            if kind == "elementwise":
                assert f"'{function}'" in str(caught.value)


def test_every_function_is_computed_or_said_to_lack_something():
    assert {*UNARY, *COMMUTATIVE, *BINARY, *UNKNOWN} == set(FUNCTIONS["elementwise"])
    assert set(REDUCE) == set(FUNCTIONS["reduce"])


def test_pixels_may_be_rearranged_and_channels_may_not():
    """[4, 6, 6] read as [4, 36, 1] is the same run of values; as [36, 4, 1] it depends on the order in the file."""
    layers = network("relu", None, 1, image=False).layers[:1]
    for sizes, fits in (({"C": 4, "H": 36}, True), ({"C": 36, "H": 4}, False)):
        last = Layer(name="x", kind="conv", M=2, inputs=("a",), reshaped=True, **sizes)
        held = {layer.name: weights(layer) for layer in (*layers, last)}
        made = Network("n", (*layers, last), (3, 6, 6), weights=held, images=np.ones((1, 3, 6, 6), np.uint8))
        for way in (
            lambda made=made: simulate(made, load_hardware("systolic"), check=True),
            lambda made=made: list(survey(made, forward="float")),
        ):
            if fits:
                way()
            else:
                with pytest.raises(
                    InputError, match=r"^layer 'x': no forward pass: it reads \[1, 4, 6, 6\] as \[1, 36, 4, 1\]"
                ):
                    way()
