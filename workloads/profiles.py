"""Densities for a network that ships no data: per layer, as published or measured elsewhere, each with its source."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from workloads.formats.codes import NumberFormat
from workloads.layer import MAC_KINDS, Layer
from workloads.network import Density, Network

TABLES = "workloads.tables"
#: kinds whose outputs are zero where their inputs are
TRANSPARENT = ("pool", "concat", "shuffle", "move", "lrn")
#: kinds whose real outputs have both signs: codes without one are clamped at zero
CLAMPING = (*MAC_KINDS, "add", "batchnorm", "layernorm")


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of a CSV in workloads/tables, its comment lines left out."""
    text = resources.files(TABLES).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def _published() -> dict[tuple[str, int], Density]:
    return {
        (row["profile"], int(row["order"])): Density(
            float(row["weight_density"]), int(row["code_bits"]), row["codebook"] == "yes", float(row["input_density"]),
            row["weight_source"], row["input_source"],
        )
        for row in read_table("densities")
    }  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What a tensor without data holds. density: share of values that are not zero; positive: none is below zero;
    boolean: all are 0 or 1."""

    density: float
    source: str
    positive: bool = False
    boolean: bool = False


DENSE = Expected(1.0, "guess: dense (not after a ReLU)")
HALF = Expected(0.5, "guess: half of a ReLU's outputs are zero", positive=True)
#: as HALF, of a layer whose real outputs have both signs and whose codes have none
CLAMPED = Expected(
    0.5, "guess: half are zero, as its codes begin at zero (a ReLU folded into their format)", positive=True
)
TRUTH = Expected(0.5, "guess: half of a comparison's outputs are true", positive=True, boolean=True)


def densities(network: Network) -> dict[str, Density]:
    """Layer name -> Density, for every layer.

    A layer with MACs has the published row of its place in the network's profile. Where there is none, weights are
    dense, shared by 4-bit codes (EIE's width), and inputs are as ``expectations`` has them.
    """
    expected = expectations(network)
    places = {layer.name: place for place, layer in enumerate(network.mac_layers)}
    found = {}
    for layer in network.layers:
        published = _published().get((network.profile or "", places.get(layer.name, -1)))
        found[layer.name] = network.densities.get(layer.name) or published or _default(expected, layer)
    return found


def _default(expected: Mapping[str, Expected], layer: Layer) -> Density:
    inputs = _joined([expected[name] for name in (layer.inputs if layer.kind == "concat" else layer.inputs[:1])])
    return Density(1.0, 4, True, inputs.density, "dense: no published pruning of this network", inputs.source)


#: elementwise functions: values of one sign whatever they read; that keep zeros (of these ABSOLUTE also make all
#: values positive); that say yes or no; that are a ReLU
POSITIVE = ("exp", "sigmoid", "hardsigmoid", "softplus")
ZERO_KEEPING = (
    "neg", "sign", "round", "sin", "erf", "tanh", "softsign", "swish", "hardswish", "mish", "gelu", "elu", "leakyrelu",
)  # fmt: skip
ABSOLUTE = ("abs", "sqrt")
LOGICAL = ("compare", "and", "or", "xor", "not")
RECTIFYING = ("relu", "relu6")
#: reductions whose result is never below zero
POSITIVE_REDUCTIONS = ("l1", "l2", "sumsquare", "argmax", "argmin")


def expectations(network: Network) -> dict[str, Expected]:
    """Tensor name ('input', a side input or a layer's output) -> what it holds where no data says so.

    Sources that begin with "guess" are guesses; the rest follows from the layers and the number formats.
    """
    found = dict.fromkeys(network.side_inputs, DENSE)
    found["input"] = Expected(1.0, "dense: the network's input", positive=True)
    for layer in network.layers:
        found[layer.name] = _output(layer, [found[name] for name in layer.inputs], network.formats.get(layer.name))
    return found


def _output(layer: Layer, read: list[Expected], form: NumberFormat | None) -> Expected:
    """What a layer makes of what it reads."""
    if layer.activation or layer.kind in RECTIFYING:
        return HALF
    if layer.kind in TRANSPARENT:
        return _joined(read)
    if layer.kind == "elementwise":  # a range that is found to quantise by it changes nothing
        return _function(layer.computed.replace("min+max+quantise", "quantise").split("+"), read)
    if layer.kind == "reduce":
        return replace(DENSE, positive=layer.function in POSITIVE_REDUCTIONS)
    if layer.kind == "softmax":
        return Expected(1.0, "guess: dense (a softmax has no zeros but small ones)", positive=True)
    signless = form is not None and form.zero_point == form.low
    return CLAMPED if signless and layer.kind in CLAMPING else DENSE


def _joined(read: list[Expected]) -> Expected:
    """Of tensors side by side (their sizes, which differ little, are left out)."""
    if len(set(read)) == 1:
        return read[0]
    density = sum(each.density for each in read) / len(read)
    source = "; ".join(dict.fromkeys(each.source for each in read))
    return Expected(density, source, all(each.positive for each in read), all(each.boolean for each in read))


def _function(names: list[str], read: list[Expected]) -> Expected:
    state, others = read[0], read[1:]
    for name in names:
        if name in LOGICAL:
            state = TRUTH
        elif name in RECTIFYING:
            state = HALF
        elif name in ABSOLUTE:
            state = replace(state, positive=True)
        elif name in POSITIVE:
            state = replace(DENSE, positive=True)
        elif name == "mul":  # zero where one of them is; whose sign it is, is known of positive ones only
            both = [state, *others]
            density = math.prod(each.density for each in both)
            source = state.source if density == state.density else "; ".join(dict.fromkeys(e.source for e in both))
            state = Expected(density, source, all(each.positive for each in both), all(each.boolean for each in both))
        elif name in (*ZERO_KEEPING, "quantise"):
            state = replace(state, positive=state.positive and name not in ("neg", "sin"), boolean=False)
        else:
            state = DENSE
    return state


def warnings_of(network: Network) -> tuple[str, ...]:
    """The importer's warnings, and one that counts the layers whose inputs are taken as dense for want of data.

    Built-in networks have no data at all, and are headed so; of them nothing is told here.
    """
    if network.images is not None or not network.files:
        return network.warnings
    guessed = [
        layer.name
        for layer, density in zip(network.layers, densities(network).values(), strict=True)
        if layer.inputs[0] not in network.activations and density.input_source.startswith(DENSE.source)
    ]
    if not guessed:
        return network.warnings
    return (
        *network.warnings,
        f"the inputs of {len(guessed)} of {len(network.layers)} layers are guessed to have no zeros ('{guessed[0]}' is "
        "the first; see input_source in layers.csv): --activations or --image brings real ones",
    )
