"""A network as arrays and a YAML of shapes."""

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from workloads import InputError, load_network

SHAPES = """
name: tiny
input: [3, 8, 8]
layers:
  - {name: conv1, kind: conv, M: 4, R: 3, S: 3, padding: 1, activation: relu}
  - {name: left, kind: depthwise, R: 3, S: 3, stride: 2, padding: [1, 1, 1, 1], activation: relu}
  - {name: right, kind: pool, pool: max, R: 2, S: 2, stride: 2, inputs: [conv1]}
  - {name: both, kind: concat, inputs: [left, right]}
  - {name: fc1, kind: fc, M: 5, bias: true}
"""
RNG = np.random.default_rng(0)
ARRAYS = {
    "conv1.weight": RNG.integers(-7, 8, (4, 3, 3, 3)).astype(np.int8),
    "left.weight": RNG.integers(0, 255, (4, 1, 3, 3)).astype(np.uint8),
    "left.zero_point": np.array(128),
    "fc1.weight": RNG.integers(-7, 8, (5, 128)).astype(np.int8),
    "fc1.scale": np.full(5, 0.25),
    "fc1.bias": np.zeros(5),
}


def write(tmp_path, shapes=SHAPES, **changes):
    arrays = {name: array for name, array in (ARRAYS | changes).items() if array is not None}
    path = tmp_path / "net.npz"
    if shapes is not None:
        arrays["network"] = np.array(shapes)
    np.savez(path, **arrays)
    return path


def test_shapes_follow_from_the_inputs_and_integer_codes_are_taken_as_they_are(tmp_path):
    network = load_network(write(tmp_path))
    conv, left, right, both, fc = network.layers
    assert (network.name, conv.E, left.kind, left.G, left.E, right.E, both.C, fc.C) == (
        "tiny",
        8,
        "depthwise",
        4,
        4,
        4,
        8,
        128,
    )
    assert np.array_equal(network.weights["conv1"].codes.values, ARRAYS["conv1.weight"])
    assert network.weights["left"].codes.format.zero_point == 128
    assert network.weights["fc1"].codes.format.scale == (0.25,) * 5


@pytest.mark.parametrize("preset", ["eie", "systolic"])
def test_it_runs_with_its_own_weights(preset, tmp_path):
    result = simulate(load_network(write(tmp_path)), load_hardware(preset), check=True)
    row = result.layers.set_index("layer").loc["conv1"]
    assert row.weight_density == pytest.approx(np.count_nonzero(ARRAYS["conv1.weight"]) / 108)
    assert "real weights" in row.weight_source


def test_float_weights_become_codes_and_shapes_may_lie_beside_the_file(tmp_path):
    floats = {name: array.astype(float) / 16 for name, array in ARRAYS.items() if name.endswith("weight")}
    path = write(tmp_path, None, **floats, **{"left.zero_point": None, "fc1.scale": None})
    path.with_suffix(".yaml").write_text(SHAPES)
    network = load_network(path)
    assert network.model == "int8-pow2"
    assert np.allclose(network.weights["conv1"].real(), floats["conv1.weight"], atol=1 / 64)


def test_without_arrays_the_weights_are_synthetic(tmp_path):
    network = load_network(write(tmp_path, **dict.fromkeys(ARRAYS)))
    assert not network.weights


REFUSED = {
    "has no array 'network' with the YAML of its shapes, nor is there a net.yaml": {"shapes": None},
    "expected a mapping with name, input and a list of layers": {"shapes": "name: x"},
    "broken YAML": {"shapes": "a: [1"},
    "input: expected 3 integer(s) from 1 to 16777216, not [3, -8, 8]": {
        "shapes": SHAPES.replace("[3, 8, 8]", "[3, -8, 8]")
    },
    "layer 'conv1': unknown field 'Mm'; did you mean 'M'?": {"shapes": SHAPES.replace("M: 4", "Mm: 4")},
    "layer 'conv1': M: expected 1 integer(s) from 1 to 16777216, not [1.5]": {
        "shapes": SHAPES.replace("M: 4", "M: 1.5")
    },
    "layer 'both': inputs: expected a list of layers before it, not ['lefft', 'right']": {
        "shapes": SHAPES.replace("[left, right]", "[lefft, right]")
    },
    "layer 'conv1': unknown kind 'cnov'": {"shapes": SHAPES.replace("kind: conv,", "kind: cnov,")},
    "unknown array 'conv2.weight'; did you mean 'conv1.weight'?": {"conv2.weight": np.zeros(3)},
    "layer 'conv1': weight has shape [3], expected [4, 3, 3, 3]": {"conv1.weight": np.zeros(3)},
    "layer 'fc1': bias: expected [5] finite numbers": {"fc1.bias": np.full(5, np.inf)},
    "layer 'fc1': scale: expected one number or [5]": {"fc1.scale": np.zeros(3)},
    "layer 'conv1': field 'pool' is not read here (read: ": {"shapes": SHAPES.replace("M: 4", "M: 4, pool: max")},
    "layer 'right': field 'bias' is not read here": {"shapes": SHAPES.replace("pool: max", "pool: max, bias: true")},
    "key 'inputs' is not read here; did you mean 'input'? (read: input, name, layers)": {
        "shapes": SHAPES.replace("name: tiny", "name: tiny\ninputs: [3, 8, 8]")
    },
    "layer 'left': C: what it reads has 4, the file says 9": {
        "shapes": SHAPES.replace("depthwise,", "depthwise, C: 9,")
    },
    "layer 'both': H: what it reads has 4, the file says 5": {"shapes": SHAPES.replace("concat,", "concat, H: 5,")},
    "layer 'fc1': C: what it reads has 128, the file says 64": {"shapes": SHAPES.replace("fc,", "fc, C: 64,")},
    "layer 'conv1': input_sizes: expected 1 integer(s) from 1 to 1073741824, not 7": {
        "shapes": SHAPES.replace("M: 4", "M: 4, input_sizes: 7")
    },
    "layer 'n': lrn: expected a mapping of size, alpha, beta, k, not 'x'": {
        "shapes": SHAPES + "  - {name: n, kind: lrn, lrn: x}\n"
    },
    "layer 'n': lrn: field 'bias' is not read here": {"shapes": SHAPES + "  - {name: n, kind: lrn, lrn: {bias: 1}}\n"},
    "layer 'fc1': bias: expected [5], not [6]": {"fc1.bias": np.zeros(6)},
    "no array 'conv1.weight' (give weights for all layers with MACs, or for none)": {"conv1.weight": None},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refuses_in_one_line(message, tmp_path):
    path = write(tmp_path, **({"shapes": SHAPES} | REFUSED[message]))
    with pytest.raises(InputError) as caught:
        load_network(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith((f"{path}", f"network {path}"))
    assert "\n" not in str(caught.value)


def test_constants_of_a_normalisation_are_read(tmp_path):
    shapes = SHAPES.replace("  - {name: fc1", "  - {name: n, kind: lrn, lrn: {size: 3, beta: 0.5}}\n  - {name: fc1")
    network = load_network(write(tmp_path, shapes))
    assert (network["n"].lrn.size, network["n"].lrn.beta, network["n"].lrn.alpha) == (3, 0.5, 1e-4)


def test_a_layer_called_input_is_renamed_and_keeps_its_weights(tmp_path):
    arrays = {name.replace("conv1", "input"): array for name, array in ARRAYS.items()}
    shapes = (
        SHAPES.replace("conv1, kind", "input, kind").replace("[conv1]", "[left]").replace("padding: [1, 1, 1, 1], ", "")
    )
    shapes = shapes.replace("stride: 2, inputs", "inputs").replace("2, stride: 2", "2").split("  - {name: right")[0]
    kept = dict.fromkeys(ARRAYS) | {name: arrays[name] for name in arrays if "fc1" not in name}
    network = load_network(write(tmp_path, shapes, **kept))
    assert [(x.name, x.inputs) for x in network.layers] == [("input_1", ("input",)), ("left", ("input_1",))]
    assert np.array_equal(network.weights["input_1"].codes.values, ARRAYS["conv1.weight"])
    assert network.warnings == ("layer 'input' is called 'input_1' here: 'input' is the network's own input",)
    with pytest.raises(InputError, match=r"'input' is a layer and the network's input: rename the layer$"):
        load_network(write(tmp_path, shapes + "  - {name: r, kind: relu, inputs: [input]}\n", **kept))


def test_mutants_are_read_or_refused(tmp_path):
    good, path = write(tmp_path).read_bytes(), tmp_path / "m.npz"
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = bytearray(good)
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            load_network(path)
        except InputError as error:
            assert "\n" not in str(error)
