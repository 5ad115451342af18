"""A network in other formats: real codes of them everywhere, the same integers where the format is the one it had."""

from dataclasses import replace

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from workloads import Codes, InputError, Layer, Network, NumberFormat, load_network
from workloads.format import named
from workloads.models.int8_pow2 import pow2_codes
from workloads.network import LayerWeights
from workloads.operands import MacOperands
from workloads.quantise import quantise_network
from workloads.reference import forward_float, real_input
from workloads.walk import walk

LAYERS = (
    Layer(name="first", kind="conv", C=3, H=9, W=9, M=6, R=3, S=3, bias=True, activation="relu"),
    Layer(name="pool", kind="pool", C=6, M=6, H=7, W=7, R=3, S=3, stride=(2, 2), pool="max", inputs=("first",)),
    Layer(name="left", kind="conv", C=6, H=3, W=3, M=4, inputs=("pool",), bias=True, activation="relu"),
    Layer(
        name="right", kind="conv", C=6, H=3, W=3, M=4, R=3, S=3, padding=(1,) * 4, inputs=("pool",), activation="relu"
    ),
    Layer(name="joined", kind="concat", C=8, M=8, H=3, W=3, inputs=("left", "right")),
    Layer(name="square", kind="conv", C=8, H=3, W=3, M=8, inputs=("joined",), bias=True),
    Layer(name="sum", kind="add", C=8, M=8, H=3, W=3, inputs=("joined", "square"), activation="relu"),
    Layer(name="mean", kind="pool", C=8, M=8, H=3, W=3, R=3, S=3, pool="avg", global_pool=True, inputs=("sum",)),
    Layer(name="last", kind="fc", C=8, M=5, inputs=("mean",), bias=True),
    Layer(name="scores", kind="softmax", C=5, M=5, inputs=("last",)),
)  # fmt: skip


def small(padding: int = 0, images: bool = True) -> Network:
    """A net of every way a tensor can go, with real weights of two magnitudes and two images."""
    rng = np.random.default_rng(2)
    layers = tuple(replace(layer, N=2) for layer in LAYERS)
    if padding:
        first = replace(layers[0], padding=(padding,) * 4)
        layers = (first, replace(layers[1], H=9, W=9, R=3, S=3, stride=(3, 3)), *layers[2:])
    weights = {}
    for layer in layers:
        if layer.has_macs:
            real = rng.normal(size=layer.weight_shape) * rng.lognormal(size=(layer.M, 1, 1, 1)) / layer.K**0.5
            bias = rng.normal(size=layer.M) * 3 if layer.bias else None
            codes = Codes(pow2_codes(real)[0], NumberFormat(8, True))
            weights[layer.name] = LayerWeights(codes, bias, values=real.astype(np.float32))
    pixels = rng.integers(0, 256, (2, 3, 9, 9), dtype=np.uint8) if images else None
    return Network(
        "small", layers, (3, 9, 9), weights=weights, images=pixels, image_names=("a", "b"), mean=(104, 117, 123)
    )


def flow(network: Network, seed: int = 0):
    data = walk(network, seed)
    return {layer.name: operands for layer, operands in data}, data.scores


def same_flow(one: Network, other: Network) -> None:
    (a, scores), (b, others) = flow(one), flow(other)
    for name in a:
        assert np.array_equal(a[name].inputs.integers(), b[name].inputs.integers()), name
        if isinstance(a[name], MacOperands):
            assert np.array_equal(a[name].weights.integers(), b[name].weights.integers()), name
    assert np.array_equal(scores, others)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("specs", [{"weights": "pow2", "activations": "pow2"}, {"layers": {"first": ("pow2", None)}}])
def test_eight_bits_at_powers_of_two_are_the_model_it_had(padding, specs):
    """In this network no largest value crosses a power of two when its weights are rounded."""
    network = small(padding)
    same_flow(network, quantise_network(network, **specs))


def test_nothing_to_do_changes_nothing():
    network = small()
    assert quantise_network(network) is network
    assert quantise_network(network, layers={"*": (None, None)}) is network


@pytest.mark.parametrize("activations", ["int3", "affine:bits=5", "affine:bits=8,signed=true", "int12", "pow2:bits=6"])
@pytest.mark.parametrize("weights", ["int4:axis=0", "ternary", "bwn", "affine:bits=3,axis=0", "codebook:table_bits=8"])
def test_codes_really_are_of_the_formats(weights, activations):
    for padding in (0, 1):
        network = quantise_network(small(padding), weights=weights, activations=activations)
        operands, _ = flow(network)
        for layer in network.mac_layers:
            seen = operands[layer.name]
            assert seen.weights.format.bits == named(weights).bits
            assert seen.inputs.format.bits == named(activations).bits
            real = small(padding).weights[layer.name].real()
            assert np.array_equal(seen.weights.real(), named(weights).quantise(real).real())
        assert operands["scores"].inputs.format.bits == 8  # nothing with weights reads them


@pytest.mark.parametrize(
    "activations", ["int8", "affine", "int12", "affine:bits=12,signed=true", "dynamic_fixed_point:bits=10"]
)
def test_the_integers_follow_the_float_forward_of_the_quantised_weights(activations):
    for padding in (0, 1):
        network = quantise_network(small(padding), weights="int4:axis=0", activations=activations)
        operands, _ = flow(network)
        real = forward_float(network)
        assert real_input(network) == pytest.approx(operands["first"].inputs.real())
        for layer in network.layers[1:-1]:
            expected = np.concatenate(
                [real[name] for name in layer.inputs[: 2 if layer.kind == "concat" else 1]], axis=1
            )
            found = operands[layer.name].inputs.real().reshape(expected.shape)
            assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max(), layer.name


def test_more_bits_are_nearer():
    whole = forward_float(small())["sum"]
    errors = []
    for bits in (4, 6, 8, 10, 12):
        operands, _ = flow(quantise_network(small(), weights=f"int{bits}:axis=0", activations=f"int{bits}"))
        errors.append(float(np.abs(operands["mean"].inputs.real() - whole).max()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02 * errors[0]


def test_first_and_last_and_globs():
    network = quantise_network(
        small(),
        weights="int4",
        activations="int4",
        first_last="int8",
        layers={"*t": ("int6", None), "right": ("int3", None)},
    )
    operands, _ = flow(network)
    bits = {layer.name: operands[layer.name].weights.format.bits for layer in network.mac_layers}
    assert bits == {"first": 6, "left": 6, "right": 3, "square": 4, "last": 6}
    inputs = {layer.name: operands[layer.name].inputs.format.bits for layer in network.mac_layers}
    assert inputs == {"first": 8, "left": 4, "right": 4, "square": 4, "last": 8}
    assert operands["joined"].inputs.format == operands["square"].inputs.format
    assert network.weights["right"].source == "real weights; as integer:bits=3"


def test_first_and_last_may_be_a_pair_and_a_scale_each_channel_is_of_weights():
    for given in ("int6:axis=0", ("int6:axis=0", "int6")):
        operands, _ = flow(quantise_network(small(), first_last=given))
        for name in ("first", "last"):
            assert len(operands[name].weights.format.scale) == operands[name].weights.values.shape[0]
            assert operands[name].inputs.format.bits == 6
        assert operands["left"].inputs.format.bits == 8


def test_a_larger_batch_repeats_the_codes_of_its_images():
    network = quantise_network(small(), activations="int5")
    one, two = flow(network)[1], flow(network.with_batch(5))[1]
    assert np.array_equal(two, one[[0, 1, 0, 1, 0]])


def test_quantising_again_takes_it_from_there():
    for padding in (0, 1):
        once = quantise_network(small(padding), weights="int6", activations="int6")
        same_flow(once, quantise_network(once, layers={"left": ("int6", None)}))
        twice, _ = flow(quantise_network(once, weights="int3", first_last=(None, "affine:bits=4")))
        assert {twice[layer.name].weights.format.bits for layer in once.mac_layers} == {3}
        assert [twice[name].inputs.format.bits for name in ("first", "left", "last")] == [4, 6, 4]


def test_a_tensor_has_one_format():
    with pytest.raises(InputError) as error:
        quantise_network(small(), activations="int4", layers={"right": (None, "int8")})
    assert str(error.value) == (
        "tensor 'pool' is read in integer:bits=4 by 'left' and in integer by 'right': "
        "give its readers one format of activations"
    )


@pytest.mark.parametrize(
    ("specs", "error"),
    [
        ({"weights": "fp16"}, "layer 'first': weights in number format 'fp16' cannot flow through integer sums"),
        ({"layers": {"left": ("log2", None)}}, "layer 'left': weights in number format 'log2' cannot flow"),
        (
            {"activations": "fp8_e4m3"},
            "layer 'first': activations in number format 'fp8_e4m3' cannot flow through integer",
        ),
        ({"activations": "ternary"}, "number format 'ternary' cannot flow through integer sums"),
        (  # of what the residual sum reads, which is in the format of no layer with MACs
            {"activations": "fp8_e4m3", "layers": {"*": (None, "int8")}},
            "tensor 'square': activations in number format 'fp8_e4m3' cannot flow through integer sums",
        ),
        ({"activations": "int4:axis=0"}, "they have one scale a tensor; leave axis out"),
        ({"layers": {"lfet": ("int4", None)}}, "unknown layer 'lfet'; did you mean 'left'?"),
        ({"weights": 4}, "number format: expected a name, as int4 or affine:bits=4,axis=0, not 4"),
        ({"layers": {"left": "int4"}}, "layers 'left': expected a pair (weights, activations), not 'int4'"),
        ({"layers": {"left": ("int4:axis=9", None), "r*": ("float", None)}}, "layer 'left': number format 'integer:"),
        ({"weights": "intege"}, "unknown number format 'intege'; did you mean 'integer'?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(specs, error):
    for network in (small(), replace(small(images=False), weights={})):
        with pytest.raises(InputError) as refused:
            quantise_network(network, **specs)
        assert error in str(refused.value)
        assert "\n" not in str(refused.value)


def test_synthetic_networks_get_codes_of_the_width():
    network = quantise_network(load_network("lenet5"), weights="int3:axis=0", activations="int5", first_last="int6")
    one, _ = flow(network)
    two, _ = flow(network)
    other, _ = flow(network, seed=1)
    for number, layer in enumerate(network.mac_layers):
        bits = (6, 6) if number in (0, len(network.mac_layers) - 1) else (3, 5)
        seen = one[layer.name]
        assert (seen.weights.format.bits, seen.inputs.format.bits) == bits
        assert 0.6 * (1 << bits[0] - 1) < seen.weights.integers().max() < 1 << bits[0] - 1
        assert (1 << bits[1]) // 3 < seen.inputs.integers().max() < 1 << bits[1]
        assert np.array_equal(seen.weights.values, two[layer.name].weights.values)
        assert not np.array_equal(seen.weights.values, other[layer.name].weights.values)
        assert seen.weight_source.endswith(f"; as integer:bits={bits[0]}")


@pytest.mark.parametrize(
    "weights", ["int2", "ternary", "ttq:table_bits=8", "binary", "codebook:table_bits=8", "dorefa:bits=2"]
)
def test_synthetic_weights_follow_the_formats_rule(weights):
    network = quantise_network(load_network("lenet_300_100"), weights=weights)
    operands, _ = flow(network)
    for layer in network.mac_layers:
        codes = operands[layer.name].weights
        assert codes.format.bits == named(weights).bits
        kinds = np.unique(codes.integers())
        assert len(kinds) <= 1 << codes.format.bits
        assert abs(kinds[0]) == kinds[-1] or weights.startswith(("codebook", "ttq"))


@pytest.mark.parametrize("hardware", ["systolic", "eie"])
@pytest.mark.parametrize(
    "specs",
    [
        {"weights": "int4:axis=0", "activations": "int4"},
        {"weights": "bwn", "activations": "affine:bits=6"},
        {"weights": "ternary"},
        {"weights": "codebook:bits=3,table_bits=8", "activations": "affine:bits=7,signed=true"},
    ],
)
def test_checked_runs_of_the_machines(hardware, specs):
    machine = load_hardware(hardware)
    result = simulate(quantise_network(small(1), **specs), machine, check=True)
    assert result.summary["check"]["passed"]
    result = simulate(quantise_network(load_network("lenet_300_100"), **specs), machine, check=True)
    assert result.summary["check"]["passed"]


def test_recorded_activations_are_coded_again():
    layer = replace(LAYERS[0], N=1)
    values = np.random.default_rng(0).integers(-100, 101, layer.input_shape).astype(np.int8)
    recorded = Codes(values, NumberFormat(8, True, 0.5))
    network = Network("one", (layer,), (3, 9, 9), activations={"input": recorded})
    operands, _ = flow(quantise_network(network, weights="int3", activations="affine:bits=4"))
    inputs = operands["first"].inputs
    assert inputs.format.bits == 4
    assert np.abs(inputs.real() - recorded.real()).max() <= inputs.format.scale / 2 * (1 + 1e-9)
    assert operands["first"].input_source == "recorded activations"


def test_fewer_bits_move_fewer_bytes():
    machine, network = load_hardware("systolic"), load_network("lenet5")
    read = [
        simulate(
            quantise_network(network, weights=f"int{b}", activations=f"int{b}"), machine
        ).layers.dram_read_bytes.sum()
        for b in (8, 4, 2)
    ]
    assert read[0] > 1.8 * read[1] > 3.2 * read[2]


def released(shared, image: str | None = "coffee") -> Network:
    return load_network(
        "squeezenet1_0", weights=shared / "data/squeezenet_deep_compression/compressed_SqueezeNet.net",
        image=None if image is None else f"{shared}/data/images/photos_227_rgb_uint8.npz:{image}",
    )  # fmt: skip


@pytest.mark.slow
def test_released_squeezenet_at_powers_of_two_is_itself_and_at_narrow_codes_still_knows_its_photo(shared):
    network = replace(released(shared), calibration={})
    _, scores = flow(network)
    _, same = flow(quantise_network(network, weights="pow2", activations="pow2"))
    assert np.array_equal(scores, same)
    _, narrow = flow(quantise_network(network, weights="int6:axis=0", activations="int8", first_last="int8"))
    assert scores.argmax() in np.argsort(-narrow[0])[:3]
    assert np.corrcoef(scores[0], narrow[0])[0, 1] > 0.95


def test_tflite_network_in_fewer_bits(shared):
    folder = shared / "data/mobilenet_int8"
    path = next(iter(sorted(folder.glob("*.tflite"))))
    network = quantise_network(load_network(path), weights="int5:axis=0", activations="int6")
    for layer in network.mac_layers[:3]:
        assert network.formats[layer.inputs[0]].bits == 6
        assert network.weights[layer.name].codes.format.bits == 5


@pytest.mark.slow
@pytest.mark.parametrize("hardware", ["systolic", "eie"])
def test_a_whole_checked_squeezenet_in_fewer_bits(shared, hardware):
    network = quantise_network(released(shared), weights="int4:axis=0", activations="int6", first_last="int8")
    result = simulate(network, load_hardware(hardware), check=True)
    assert result.summary["check"] == {"passed": True, "layers": 26, "overflows": 0}
