"""What a layer's products are made of as the network declares it: the other side of a checked run.

A walk gives every layer its operands; here the integers are made again from what the network itself holds (recorded
codes, stored weights, the number formats of its tensors), so that a walk that lost one of these is found out.
"""

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands


def declared_integers(network: Network, layer: Layer, operands: MacOperands) -> tuple[np.ndarray, np.ndarray]:
    """(inputs [N, C, H, W], weights [M, C/G, R, S]) int64 of a layer with MACs.

    operands: gives the codes of what the network holds none of (synthetic ones, those of a forward pass); what they
    stand for is the network's to say wherever it does.
    """
    inputs = _tensor(network, layer.inputs[0], operands.inputs, layer.input_shape)
    if layer.dynamic:
        return inputs, _tensor(network, layer.inputs[-1], operands.weights, layer.weight_shape)
    held = network.weights.get(layer.name)
    if held is None:
        return inputs, _integers(operands.weights.values, operands.weights.format)
    # real values in steps of the codes: exact for codes, the rule of int8-pow2 for values that it rounds
    scales = np.asarray(operands.weights.scales())
    return inputs, np.rint(held.real() / np.where(scales == 0, 1, scales)).astype(np.int64)


def declared_formats(network: Network, layer: Layer, operands: MacOperands) -> tuple[NumberFormat, NumberFormat]:
    """Number formats of (inputs, weights), as ``declared_integers`` takes them."""
    names, made = layer.inputs[:: max(1, len(layer.inputs) - 1)], (operands.inputs, operands.weights)
    recorded = [network.activations.get(name, codes) for name, codes in zip(names, made, strict=False)]
    forms = [network.formats.get(name, codes.format) for name, codes in zip(names, recorded, strict=True)]
    if layer.dynamic:
        return forms[0], forms[-1]
    held = network.weights.get(layer.name)
    return forms[0], operands.weights.format if held is None else held.codes.format


def zero_points(form: NumberFormat, axes: int) -> np.ndarray:
    """A format's zero points, [1, ...] of so many axes, one on its own axis for each place there."""
    points = np.asarray(form.zero_point, np.int64)
    return points.reshape([-1 if axis == form.axis and points.ndim else 1 for axis in range(axes)])


def _tensor(network: Network, name: str, made: Codes, shape: tuple[int, ...]) -> np.ndarray:
    recorded = network.activations.get(name)
    codes = made if recorded is None else recorded
    return _integers(codes.values.reshape(shape), network.formats.get(name, codes.format))


def _integers(values: np.ndarray, form: NumberFormat) -> np.ndarray:
    """q - zero point, or the codebook's entry."""
    if form.codebook is not None:
        return np.asarray(form.codebook, np.int64)[values]
    return values.astype(np.int64) - zero_points(form, values.ndim)
