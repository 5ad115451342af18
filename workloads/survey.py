"""Statistics of a whole network's data, layer by layer: what `accel-sim stats` shows."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from workloads.activations import quantise
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands
from workloads.reference import forward_float
from workloads.registry import InputError
from workloads.statistics import histogram, value_statistics, work_counts
from workloads.walk import RealWalk, walk

FORWARDS = ("integer", "float")


def survey(network: Network, seed: int = 0, forward: str = "integer") -> Iterator[dict[str, Any]]:
    """One mapping per layer with MACs: layer, kind, weights, inputs, work (exact counts, one mapping per batch item).

    weights, inputs: ``value_statistics``, their histogram and source; inputs also the mean, least and largest density
    over the batch's items. forward: how images flow: the network's integer model, or float64 (each layer's inputs are
    then made 8-bit codes at a power-of-two scale, and densities are those of the floats).
    """
    if forward not in FORWARDS:
        raise InputError(f"--forward {forward}: expected {' or '.join(FORWARDS)}")
    for layer, operands, densities in _data(network, seed, forward):
        yield {
            "layer": layer.name,
            "kind": layer.kind,
            "weights": _tensor(operands.weights, operands.weight_source, 0 if layer.kind == "depthwise" else 1),
            "inputs": _tensor(operands.inputs, operands.input_source)
            | {"density_mean": float(densities.mean()), "density_min": float(densities.min())}
            | {"density_max": float(densities.max())},
            "work": [_work(layer, operands, item) for item in range(layer.N)],
        }


def _data(network: Network, seed: int, forward: str) -> Iterator[tuple[Layer, MacOperands, np.ndarray]]:
    """(layer, operands, density of each item) of every layer with MACs."""
    if forward == "integer":
        for layer, operands in walk(network, seed):
            if isinstance(operands, MacOperands):
                yield layer, operands, _densities(operands.inputs.integers())
        return
    mean = np.asarray(network.mean or (0.0,) * network.input_shape[0]).reshape(1, -1, 1, 1)
    blobs = forward_float(network) | {"input": 0.0 if network.images is None else network.images - mean}
    source = f"float forward of {', '.join(network.image_names)}"
    model = RealWalk(network).model
    for layer in network.mac_layers:
        blob = np.asarray(blobs[layer.inputs[0]]).reshape(layer.input_shape)
        operands = MacOperands(
            quantise(blob), model.weight_codes(layer), weight_source="real weights", input_source=source
        )
        yield layer, operands, _densities(blob)


def _densities(values: np.ndarray) -> np.ndarray:
    return np.count_nonzero(values, axis=(1, 2, 3)) / values[0].size


def _tensor(codes: Codes, source: str, channels: int = 1) -> dict[str, Any]:
    return value_statistics(codes, channels) | {"histogram": histogram(codes), "source": source}


def _work(layer: Layer, operands: MacOperands, item: int) -> dict[str, int]:
    one = Codes(operands.inputs.values[item : item + 1], operands.inputs.format)
    weights = operands.weights
    if layer.dynamic:  # its second operand is a map with items of its own
        return {"mac_dense": layer.macs // layer.N}
    return work_counts(replace(layer, N=1), one, weights)
