"""Small layers on given codes, the machines that can run a part, and a convolution written as its definition."""

import bisect
import itertools
from dataclasses import dataclass, replace

import numpy as np

from accel_sim.machine.accelerator import Accelerator
from accel_sim.machine.config import from_tree, load_hardware, presets, to_tree
from tests.small_buffers import small
from workloads import Codes, InputError, Layer, Network, NumberFormat
from workloads.models import integer_models
from workloads.network import LayerWeights

#: a layer of every shape that the dataflows must know
LAYERS = {
    layer.name: layer
    for layer in (
        Layer(name="conv", kind="conv", C=3, H=7, W=6, M=5, R=3, S=2),
        Layer(name="padded", kind="conv", C=2, H=6, W=5, M=7, R=3, S=3, padding=(1, 1, 1, 1)),
        Layer(
            name="crooked", kind="conv", C=3, H=8, W=8, M=6, R=3, S=2,
            stride=(2, 3), dilation=(2, 1), padding=(1, 0, 2, 1),
        ),
        Layer(name="row", kind="conv", C=3, H=4, W=9, M=4, R=1, S=5, padding=(0, 0, 2, 2)),
        Layer(name="pointwise", kind="conv", C=9, H=4, W=4, M=70),
        Layer(name="grouped", kind="conv", C=4, H=4, W=4, M=6, G=2, R=3, S=3, padding=(1, 1, 1, 1)),
        Layer(name="depthwise", kind="depthwise", C=5, H=6, W=6, M=5, G=5, R=3, S=3, stride=(2, 2)),
        Layer(name="multiplied", kind="depthwise", C=3, H=5, W=4, M=6, G=3, R=2, S=2),
        Layer(name="batch", kind="conv", C=2, H=5, W=5, M=3, N=3, R=3, S=3, stride=(2, 2), padding=(1, 1, 1, 1)),
        Layer(name="fc", kind="fc", C=45, M=33),
        Layer(name="fc_batch", kind="fc", C=21, M=11, N=4),
        Layer(name="matmul", kind="matmul", C=2 * 7, H=5, M=2 * 6, G=2),  # [2, 5, 7] x [2, 7, 6]
        Layer(name="far_padding", kind="conv", C=1, H=2, W=2, M=2, R=2, S=2, padding=(3, 3, 3, 3)),
        Layer(name="one", kind="conv", C=1, M=1),
    )
}  # fmt: skip
BOOK = (0, 1, -1, 3, -4, 17, -90, 127, 0, 5, 9, -128, 2, 33, -34, 64)  # code 8 is stored and stands for zero
#: (format of the inputs, format of the weights)
FORMATS = {
    "codebook": (NumberFormat(8, False), NumberFormat(4, False, codebook=BOOK)),
    "signed": (NumberFormat(8, True), NumberFormat(8, True)),
    "zero points": (NumberFormat(8, False, zero_point=131), NumberFormat(8, False, zero_point=116)),
    "narrow": (NumberFormat(4, False), NumberFormat(2, True)),
}


class Given:
    """An integer model that takes a network's codes as they are."""

    def __init__(self, network: Network):
        self.network = network

    def weight_codes(self, layer: Layer) -> Codes:
        return self.network.weights[layer.name].codes


def codes(shape: tuple[int, ...], form: NumberFormat, density: float, rng: np.random.Generator) -> Codes:
    """Random codes over the whole range, each zero with probability 1 - density."""
    high = form.high if form.codebook is None else len(form.codebook) - 1
    values = rng.integers(form.low, high + 1, shape)
    zero = 0 if form.codebook is not None else form.zero_point
    return Codes(np.where(rng.random(shape) < density, values, zero), form)


def given(
    layer: Layer, formats: str = "signed", inputs: float = 0.6, weights: float = 0.4, seed: int = 0, mac=None
) -> tuple[Network, Codes, Codes]:
    """(network of this one layer, its inputs, its weights) with given densities; 0 for what ``mac`` does not take."""
    if "given" not in integer_models.names():
        integer_models.add("given")(Given)
    rng = np.random.default_rng(seed)
    x = codes(layer.input_shape, FORMATS[formats][0], inputs, rng)
    w = codes(layer.weight_shape, FORMATS[formats][1], weights, rng)
    if mac is not None:
        x, w = (
            replace(held, values=np.where(mac.takes(held.values, side), held.values, 0).astype(held.values.dtype))
            for held, side in ((x, "activations"), (w, "weights"))
        )
    held = {} if layer.dynamic else {layer.name: LayerWeights(w)}
    network = Network(
        "sample", (layer,), (layer.C, layer.H, layer.W), weights=held, activations={"input": x}, model="given"
    )
    return network, x, w


@dataclass(frozen=True)
class Naive:
    """sums: [N, M, E, F]; nonpad, effectual: products."""

    sums: np.ndarray
    nonpad: int
    effectual: int


def real(held: Codes) -> np.ndarray:
    """q - zero point, or the codebook's integer, straight from the format's definition."""
    form = held.format
    if form.codebook is None:
        return held.values.astype(np.int64) - form.zero_point
    return np.array([form.codebook[code] for code in held.values.ravel()], dtype=np.int64).reshape(held.values.shape)


def convolution(layer: Layer, inputs: Codes, weights: Codes) -> Naive:
    """Every product of the layer, one after another."""
    x, w, per_group, filters = real(inputs), real(weights), layer.C // layer.G, layer.M // layer.G
    sums, nonpad, effectual = np.zeros(layer.output_shape, dtype=np.int64), 0, 0
    for n, m, e, f in itertools.product(*map(range, layer.output_shape)):
        for c, r, s in itertools.product(range(per_group), range(layer.R), range(layer.S)):
            h = e * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
            v = f * layer.stride[1] + s * layer.dilation[1] - layer.padding[2]
            if 0 <= h < layer.H and 0 <= v < layer.W:
                a, b = x[n, m // filters * per_group + c, h, v], w[m, c, r, s]
                nonpad, effectual = nonpad + 1, effectual + (a != 0 and b != 0)
                sums[n, m, e, f] += a * b
    return Naive(sums, nonpad, int(effectual))


def default(part: type):
    """An instance of a registered part: the first that a preset has, else one of default fields."""
    machines = [load_hardware(name) for name in presets()]
    held = [p for m in machines for p in (m.mac, m.dataflow, *m.encodings.values(), *m.memories)]
    return next((each for each in held if type(each) is part), None) or part()


def machines(section: str, name: str) -> dict[str, Accelerator]:
    """preset -> machine with this part: presets that have it, else every preset that takes it in its place."""
    trees = {preset: to_tree(load_hardware(preset)) for preset in presets()}
    slots = {preset: tree["encodings"] if section == "weights" else tree for preset, tree in trees.items()}
    having = [preset for preset in trees if slots[preset][section]["name"] == name]
    for preset in trees:
        if preset not in having:
            slots[preset][section] = {"name": name}
    return {preset: from_tree(trees[preset], preset) for preset in having or trees}


def takes(machine: Accelerator, layer: Layer) -> bool:
    """The machine runs a small layer, rather than refuse it."""
    from accel_sim import simulate

    try:
        simulate(given(layer)[0], machine)
    except InputError:
        return False
    return True


def shrunk(machine: Accelerator, layer: Layer) -> Accelerator:
    """The machine with the smallest buffers, in steps of two, that still hold the layer's smallest tile."""

    def smaller(step: int) -> Accelerator:
        sizes = [max(1, level.capacity_kib * 1024 / 2**step) for level in machine.memories[1:]]
        levels = tuple(small(*pair) for pair in zip(machine.memories[1:], sizes, strict=True))
        return replace(machine, memories=(machine.memories[0], *levels))

    least = bisect.bisect(range(1, 25), False, key=lambda step: not takes(smaller(step), layer))
    assert least, f"layer '{layer.name}' does not fit half the buffers of {machine.name}"
    return smaller(least)
