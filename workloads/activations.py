"""Activations recorded elsewhere: a .npz of tensors by name, in place of synthetic ones.

A name is 'input' or a layer's (meaning the layer's output, as the next layer reads it). Integer arrays are taken as
codes; floats become 8-bit codes at the largest power-of-two scale that holds them, unsigned if none is negative.
"""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from workloads.archive import npz_headers, read_npz
from workloads.formats.codes import Codes, NumberFormat
from workloads.formats.pow2 import fraction_bits
from workloads.network import Network
from workloads.registry import InputError, unknown

LIMIT_BYTES = 4 << 30


def attach_activations(network: Network, path: Path) -> Network:
    """The network with recorded tensors; tensors the file lacks stay synthetic. InputError for what does not fit."""
    elements = {"input": network.batch * math.prod(network.input_shape)}
    elements |= {layer.name: layer.output_elements for layer in network.layers}
    for name, header in npz_headers(path, "--activations").items():
        if name not in elements:
            raise InputError(f"--activations {path}: {unknown('tensor', name, list(elements))}")
        if header.size != elements[name] or header.size == 0:
            raise InputError(
                f"--activations {path}: '{name}' has shape {list(header.shape)}, expected {elements[name]} values"
            )
    found = {}
    for name, array in read_npz(path, LIMIT_BYTES, "--activations").items():
        try:
            found[name] = quantise(array)
        except ValueError as error:
            raise InputError(f"--activations {path}: '{name}' {error}") from None
    if not found:
        raise InputError(f"--activations {path}: holds no tensor")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(network, activations=found, files={**network.files, path.name: digest})


def quantise(array: np.ndarray) -> Codes:
    """Recorded values as codes; ValueError (without the tensor's name) for what no code can hold."""
    if array.dtype.kind in "iu" and array.dtype.itemsize <= 2:
        return Codes(array, NumberFormat(8 * array.dtype.itemsize, array.dtype.kind == "i"))
    if array.dtype.kind != "f":
        raise ValueError(f"has type {array.dtype}; expected float, or integers of 8 or 16 bits")
    if not np.isfinite(array).all():
        raise ValueError("holds values that are not finite")
    signed = bool((array < 0).any())
    top = 127 if signed else 255
    largest = float(np.abs(array).max())
    fraction = fraction_bits(largest, top)
    codes = np.rint(np.ldexp(array.astype(np.float64), fraction)).astype(np.int8 if signed else np.uint8)
    return Codes(codes, NumberFormat(8, signed, math.ldexp(1.0, -fraction)))
