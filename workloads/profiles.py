"""Densities for a network that ships no data: per layer, as published or measured elsewhere, each with its source."""

import csv
from functools import cache
from importlib import resources

from workloads.layer import Layer
from workloads.network import Density, Network

TABLES = "workloads.tables"
#: kinds whose outputs are zero where their inputs are
TRANSPARENT = ("pool", "concat", "shuffle", "move")


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


def densities(network: Network) -> dict[str, Density]:
    """Layer name -> Density, for every layer.

    A layer with MACs has the published row of its place in the network's profile. Where there is none, weights are
    dense, shared by 4-bit codes (EIE's width), and half of what comes out of a ReLU is zero (a guess).
    """
    layers = {layer.name: layer for layer in network.layers}
    places = {layer.name: place for place, layer in enumerate(network.mac_layers)}
    found = {}
    for layer in network.layers:
        published = _published().get((network.profile or "", places.get(layer.name, -1)))
        found[layer.name] = network.densities.get(layer.name) or published or _default(layer, layers)
    return found


def _default(layer: Layer, layers: dict[str, Layer]) -> Density:
    sources = [rectified(name, layers) for name in layer.inputs]
    inputs, source = (
        (0.5, "guess: half of a ReLU's outputs are zero") if all(sources) else (1.0, "dense: not after a ReLU")
    )
    return Density(1.0, 4, True, inputs, "dense: no published pruning of this network", source)


def rectified(name: str, layers: dict[str, Layer]) -> bool:
    """True if the tensor of this name comes out of a ReLU (through pooling, concatenation or shuffling)."""
    layer = layers.get(name)
    if layer is None:  # an input of the network
        return False
    if layer.activation or layer.kind in ("relu", "relu6"):
        return True
    return layer.kind in TRANSPARENT and all(rectified(source, layers) for source in layer.inputs)
