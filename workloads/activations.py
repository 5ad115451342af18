"""Activations recorded elsewhere: a .npz of tensors by name, in place of synthetic ones.

A name is 'input', a layer's (meaning the layer's output, as the next layer reads it) or a further input's. Where the
network says in which number format a tensor lies, integers are its codes and floats are made codes of it; else integers
are codes of their own type, around ``NAME.zero_point`` and at ``NAME.scale`` if the file has these, and floats become
8-bit codes at the largest power-of-two scale that holds them, unsigned if none is negative.
"""

import hashlib
import math
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from workloads.archive import npz_headers, read_npz
from workloads.fit import wholes
from workloads.formats.codes import Codes, NumberFormat
from workloads.formats.pow2 import fraction_bits
from workloads.network import Network
from workloads.registry import InputError, few, unknown

LIMIT_BYTES = 4 << 30
#: what a file may say of a tensor beside its values
MEMBERS = ("scale", "zero_point")


def attach_activations(network: Network, path: Path) -> Network:
    """The network with recorded tensors; tensors the file lacks stay synthetic, those that no layer reads are left out
    and told in its warnings (a recording often holds more than a network reads).

    Raises InputError for what does not fit: sizes, what contradicts the network's number formats, a file of which
    nothing is the network's.
    """
    elements = {"input": network.batch * math.prod(network.input_shape)}
    elements |= {name: math.prod(shape) for name, shape in network.side_inputs.items()}
    elements |= {layer.name: layer.output_elements for layer in network.layers}
    headers = npz_headers(path, "--activations")
    unread = [name for name in headers if not _is_read(name, headers, network)]
    tensors = [name for name in headers if name in elements and name not in unread]
    strange = next((name for name in headers if not _is_known(name, headers, elements)), None)
    if strange is not None and not tensors:
        raise InputError(f"--activations {path}: {unknown('tensor', strange, list(elements))}")
    for name in filter(elements.__contains__, headers):
        if headers[name].size != elements[name] or headers[name].size == 0:
            raise InputError(
                f"--activations {path}: '{name}' has shape {list(headers[name].shape)}, "
                f"expected {elements[name]} values"
            )
    arrays, found = read_npz(path, LIMIT_BYTES, "--activations"), {}
    for name in tensors:
        try:
            members = {
                member: arrays.get(f"{name}.{member}") for member in MEMBERS if f"{name}.{member}" not in tensors
            }
            found[name] = recorded_codes(arrays[name], network.formats.get(name), **members)
        except ValueError as error:
            raise InputError(f"--activations {path}: '{name}' {error}") from None
    if not found:
        none = f"no layer reads '{unread[0]}'" if unread else "holds no tensor"
        raise InputError(f"--activations {path}: {none}")
    for layer in network.mac_layers:
        for name, whole in zip(layer.inputs, wholes(layer), strict=True):
            if name in found and found[name].values.size != whole:
                raise InputError(
                    f"--activations {path}: '{name}' has {elements[name]} values, layer '{layer.name}' reads {whole}: "
                    "only what is read as it is can be recorded"
                )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    told = (*network.warnings, _told(path, unread, len(headers))) if unread else network.warnings
    return replace(network, activations=found, files={**network.files, path.name: digest}, warnings=told)


def _is_known(name: str, names: Collection[str], elements: Collection[str]) -> bool:
    """Whether an array is a tensor of the network, or what a tensor of the file is at and around."""
    stem, _, member = name.rpartition(".")
    return name in elements or (member in MEMBERS and stem in names and stem in elements)


def _is_read(name: str, names: Collection[str], network: Network) -> bool:
    """The same, of tensors that a layer of the network reads."""
    return _is_known(name, names, {each for layer in network.layers for each in layer.inputs})


def _told(path: Path, unread: list[str], arrays: int) -> str:
    """unread: names of arrays; arrays: how many the file has."""
    count = f"{len(unread)} of its {arrays} arrays"
    return f"--activations {path}: no layer reads {count}, which change nothing ({few(unread)})"


def _number(array: np.ndarray | None, member: str) -> float | None:
    """The one finite number an array holds; ValueError if it holds something else."""
    if array is None:
        return None
    kinds, what = ("iu", "one integer") if member == "zero_point" else ("iuf", "one number")
    array = np.asarray(array)
    if array.size != 1 or array.dtype.kind not in kinds or not np.isfinite(array).all():
        raise ValueError(f"has a {member} of {array.dtype} {list(array.shape)}; expected {what}")
    return array.reshape(-1)[0].item()


def recorded_codes(
    array: np.ndarray, form: NumberFormat | None, scale: np.ndarray | None = None, zero_point: np.ndarray | None = None
) -> Codes:
    """A recorded tensor as codes. form: what the network says of it; scale, zero_point: what its file says (a number).

    ValueError (without the tensor's name) where the two differ, or no code can hold the values.
    """
    step, zero = _number(scale, "scale"), _number(zero_point, "zero_point")
    if form is not None:
        if zero is not None and zero != form.zero_point:
            raise ValueError(f"has zero point {zero}, in the network it is {form.zero_point}")
        if step is not None and form.scale is not None and np.float32(step) != np.float32(form.step):
            raise ValueError(f"has scale {step:g}, in the network it is {form.step:g}")
        return _in_network(array, form if form.scale is not None or step is None else replace(form, scale=step))
    if step is None and zero is None:
        return quantise(array)
    if array.dtype.kind not in "iu":
        raise ValueError(f"has type {array.dtype}; a scale and a zero point go with integer codes")
    return Codes(array, replace(quantise(array).format, scale=step, zero_point=int(zero or 0)))


def _in_network(array: np.ndarray, form: NumberFormat) -> Codes:
    """Codes in the network's own format of a tensor."""
    wanted = f"{'int' if form.signed else 'uint'}{form.bits}"
    if array.dtype.kind == "f":
        if form.scale is None:
            raise ValueError(f"has type {array.dtype}; the network says no scale for them: give its {wanted} codes")
        if not np.isfinite(array).all():
            raise ValueError("holds values that are not finite")
        return Codes.nearest(array.astype(np.float64), form)
    if array.dtype.kind != ("i" if form.signed else "u"):
        raise ValueError(f"has type {array.dtype}; in the network its codes are {wanted}")
    low, high = int(array.min()), int(array.max())
    if low < form.low or high > form.high:
        raise ValueError(f"holds codes {low}..{high}; in the network they are {wanted}, {form.low}..{form.high}")
    return Codes(array.astype(form.dtype), form)


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
