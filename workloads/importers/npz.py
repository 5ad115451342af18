"""A network as arrays and a small YAML of shapes, in one .npz: the lowest common way to bring real weights.

The array `network` holds the YAML text (or a file of the same name ending in .yaml lies beside the .npz):

    name: tiny
    input: [3, 32, 32]
    layers:
      - {name: conv1, kind: conv, M: 16, R: 3, S: 3, padding: 1, activation: relu}
      - {name: pool1, kind: pool, pool: max, R: 2, S: 2, stride: 2}
      - {name: fc1, kind: fc, M: 10}

A layer reads the one before it unless it says `inputs: [...]`; sizes that follow from its inputs are filled in.
Arrays: `conv1.weight` [M, C/G, R, S] as integers (codes, taken as they are) or floats (made 8-bit codes at a power of
two), `conv1.bias` [M], `conv1.scale` and `conv1.zero_point` (one number or [M]) for integer codes. Without any array
the weights are synthetic.
"""

import hashlib
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from workloads.archive import first_line, read_npz
from workloads.formats.codes import Codes, NumberFormat
from workloads.importers import naming, network_files
from workloads.layer import Layer
from workloads.models.int8_pow2 import pow2_codes
from workloads.network import LayerWeights, Network
from workloads.registry import InputError, unknown

LIMIT_BYTES = 4 << 30
LIMIT_YAML = 1 << 20
LIMIT_SIZE = 1 << 24
NETWORK = "network"
ARRAYS = ("weight", "bias", "scale", "zero_point")
FIELDS = {field.name: field for field in fields(Layer)}


@network_files.add(".npz")
def read_network(path: Path) -> Network:
    """The file as a Network with real weights; InputError in one line for what is broken or does not fit."""
    with naming(path):
        return _read(path)


def _read(path: Path) -> Network:
    arrays = read_npz(path, LIMIT_BYTES, "network")
    tree = _tree(path, arrays.pop(NETWORK, None))
    shape = tuple(_sizes(tree.get("input"), 3, f"{path}: input"))
    layers = _layers(tree["layers"], shape, path)
    weights = _weights(arrays, layers, path)
    integers = any(name.endswith(".weight") and array.dtype.kind in "iu" for name, array in arrays.items())
    return Network(
        str(tree.get("name", path.stem)), tuple(layers.values()), shape, weights=weights,
        model="stored" if integers else "int8-pow2", files={path.name: hashlib.sha256(path.read_bytes()).hexdigest()},
    )  # fmt: skip


def _tree(path: Path, array: np.ndarray | None) -> dict[str, Any]:
    """The YAML mapping, from the array or from the file beside it."""
    beside = path.with_suffix(".yaml")
    if array is not None and array.dtype.kind == "U" and array.ndim == 0:
        text = str(array)
    elif array is not None:
        raise InputError(f"{path}: array '{NETWORK}': expected one string, not {array.dtype} {list(array.shape)}")
    elif beside.is_file() and beside.stat().st_size <= LIMIT_YAML:
        text = beside.read_text(encoding="utf-8", errors="replace")
    else:
        raise InputError(f"{path}: has no array '{NETWORK}' with the YAML of its shapes, nor is there a {beside.name}")
    if len(text) > LIMIT_YAML:
        raise InputError(f"{path}: its YAML has {len(text)} characters; {LIMIT_YAML} is the limit")
    try:
        tree = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: broken YAML: {first_line(error)}") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("layers"), list) or not tree["layers"]:
        raise InputError(f"{path}: expected a mapping with name, input and a list of layers")
    return tree


def _layers(entries: list, shape: tuple[int, ...], path: Path) -> dict[str, Layer]:
    found: dict[str, Layer] = {}
    shapes = {"input": shape}
    last = "input"
    for number, entry in enumerate(entries, 1):
        where = f"{path}: layer {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise InputError(f"{where}: expected a mapping with a name")
        layer = _layer(entry, last, shapes, f"{path}: layer '{entry['name']}'")
        if layer.name in shapes:
            raise InputError(f"{where}: layer name '{layer.name}' is used twice")
        found[layer.name], shapes[layer.name], last = layer, (layer.M, layer.E, layer.F), layer.name
    return found


def _layer(entry: dict, last: str, shapes: dict, where: str) -> Layer:
    for key in entry:
        if key not in FIELDS:
            raise InputError(f"{where}: {unknown('field', str(key), list(FIELDS))}")
    inputs = entry.get("inputs", [last])
    if not isinstance(inputs, list) or not inputs or any(name not in shapes for name in map(str, inputs)):
        raise InputError(f"{where}: inputs: expected a list of layers before it, not {inputs!r}")
    C, H, W = shapes[str(inputs[0])]
    kind = entry.get("kind")
    if kind == "fc":
        C, H, W = C * H * W, 1, 1
    elif kind == "concat":
        C = sum(shapes[str(name)][0] for name in inputs)
    given: dict[str, Any] = {"C": C, "H": H, "W": W, "M": C, "inputs": tuple(map(str, inputs))}
    if kind == "depthwise":
        given["G"] = C
    if entry.get("global_pool") is True:
        given |= {"R": H, "S": W}
    for key, value in entry.items():
        if key != "inputs":
            given[key] = _value(key, value, where)
    try:
        return Layer(**given)
    except TypeError as error:
        raise InputError(f"{where}: {first_line(error)}") from None


def _value(key: str, value: Any, where: str) -> Any:
    """A field's value in its type; one number serves both directions of stride, dilation and padding."""
    if key in ("stride", "dilation"):
        return tuple(_sizes([value] * 2 if isinstance(value, int) else value, 2, f"{where}: {key}"))
    if key == "padding":
        return tuple(_sizes([value] * 4 if isinstance(value, int) else value, 4, f"{where}: {key}", 0))
    if FIELDS[key].type == "int" or FIELDS[key].type is int:
        return _sizes([value], 1, f"{where}: {key}")[0]
    kinds = {"bool": bool}.get(str(getattr(FIELDS[key].type, "__name__", FIELDS[key].type)), str)
    if not isinstance(value, kinds):
        raise InputError(f"{where}: {key}: expected {kinds.__name__}, not {value!r}")
    return value


def _sizes(value: Any, count: int, where: str, least: int = 1) -> list[int]:
    good = isinstance(value, list) and len(value) == count
    if not good or any(type(size) is not int or not least <= size <= LIMIT_SIZE for size in value):
        raise InputError(f"{where}: expected {count} integer(s) from {least} to {LIMIT_SIZE}, not {value!r}")
    return value


def _weights(arrays: dict[str, np.ndarray], layers: dict[str, Layer], path: Path) -> dict[str, LayerWeights]:
    by_layer: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        stem, _, kind = name.rpartition(".")
        if stem not in layers or kind not in ARRAYS:
            known = [f"{layer}.{each}" for layer in layers if layers[layer].has_macs for each in ARRAYS]
            raise InputError(f"{path}: {unknown('array', name, known)}")
        by_layer.setdefault(stem, {})[kind] = array
    found = {}
    for stem, parts in by_layer.items():
        try:
            found[stem] = _layer_weights(layers[stem], parts)
        except ValueError as error:
            raise InputError(f"{path}: layer '{stem}': {error}") from None
    missing = [name for name, layer in layers.items() if layer.has_macs and not layer.dynamic and name not in found]
    if found and missing:
        raise InputError(f"{path}: no array '{missing[0]}.weight' (give weights for all layers with MACs, or for none)")
    return found


def _layer_weights(layer: Layer, parts: dict[str, np.ndarray]) -> LayerWeights:
    if "weight" not in parts:
        raise ValueError("has arrays but no weight")
    weight, bias = parts["weight"], parts.get("bias")
    if weight.size != layer.weights or not layer.has_macs:
        raise ValueError(f"weight has shape {list(weight.shape)}, expected {list(layer.weight_shape)}")
    if bias is not None and (bias.shape != (layer.M,) or bias.dtype.kind not in "iuf" or not np.isfinite(bias).all()):
        raise ValueError(f"bias: expected [{layer.M}] finite numbers, not {list(bias.shape)} {bias.dtype}")
    bias = None if bias is None else bias.astype(np.float64)
    weight = weight.reshape(layer.weight_shape)
    if weight.dtype.kind == "f":
        if not np.isfinite(weight).all() or {"scale", "zero_point"} & set(parts):
            raise ValueError("float weights must be finite and have no scale or zero point of their own")
        codes, fraction = pow2_codes(weight.astype(np.float64))
        return LayerWeights(Codes(codes, NumberFormat(8, True, math.ldexp(1.0, -fraction))), bias)
    if weight.dtype.kind not in "iu" or weight.dtype.itemsize > 2:
        raise ValueError(f"weight has type {weight.dtype}; expected float, or integers of 8 or 16 bits")
    scale, zero = (_per_filter(parts.get(name), layer.M, name) for name in ("scale", "zero_point"))
    axis = 0 if isinstance(scale, tuple) or isinstance(zero, tuple) else None
    form = NumberFormat(8 * weight.dtype.itemsize, weight.dtype.kind == "i", scale, zero or 0, axis)
    return LayerWeights(Codes(weight, form), bias)


def _per_filter(array: np.ndarray | None, filters: int, name: str) -> Any:
    """None, one number, or a tuple of one per filter."""
    if array is None:
        return None
    kinds = "iu" if name == "zero_point" else "iuf"
    if array.size not in (1, filters) or array.dtype.kind not in kinds or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected one number or [{filters}], not {list(array.shape)} {array.dtype}")
    values = [int(value) if name == "zero_point" else float(value) for value in array.ravel()]
    return values[0] if array.size == 1 else tuple(values)
