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
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from workloads import yaml_text
from workloads.archive import Header, first_line, npz_headers, read_npz
from workloads.formats.codes import Codes, NumberFormat
from workloads.importers import naming, network_files
from workloads.importers.record import Names, Record
from workloads.layer import Layer, Lrn
from workloads.models.int8_pow2 import pow2_codes
from workloads.network import LayerWeights, Network
from workloads.registry import InputError, unknown

LIMIT_BYTES = 4 << 30
LIMIT_YAML = 1 << 20
LIMIT_SIZE = 1 << 24
NETWORK = "network"
ARRAYS = ("weight", "bias", "scale", "zero_point")
FIELDS = {field.name: field for field in fields(Layer)}
#: fields that every layer has, and further ones that mean something for a kind
COMMON = ("name", "kind", "inputs", "N", "C", "H", "W", "M", "input_sizes")
_WINDOW = ("R", "S", "stride", "padding", "dilation", "ceil_mode")
_SUMS = ("bias", "bn", "activation")
READ = {
    "conv": (*_WINDOW, "G", *_SUMS), "depthwise": (*_WINDOW, "G", *_SUMS), "fc": _SUMS,
    "matmul": ("G", "dynamic", *_SUMS),
    "pool": (*_WINDOW, "pool", "global_pool", "count_include_pad", "activation"), "lrn": ("lrn",), "shuffle": ("G",),
    "elementwise": ("function",), "reduce": (*_WINDOW, "function"), "batchnorm": ("bn", "activation"),
    "layernorm": ("bn",), "add": ("activation",),
}  # fmt: skip
#: kinds whose map may be another view of what they read
VIEWS = ("matmul", "softmax", "layernorm", "elementwise", "reduce", "move")


@network_files.add(".npz")
def read_network(path: Path) -> Network:
    """The file as a Network with real weights; InputError in one line for what is broken or does not fit."""
    with naming(path):
        return _read(path)


def _read(path: Path) -> Network:
    headers = npz_headers(path, "network")
    tree = Record(_tree(path, headers.pop(NETWORK, None)), str(path), "key")
    C, H, W = _sizes(tree.get("input"), 3, f"{path}: input")
    shape = (C, H, W)
    name, entries = str(tree.get("name", path.stem)), tree["layers"]
    tree.done()
    names = Names(entry["name"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str))
    layers = _layers(entries, shape, names, path)
    made = {layer.name: weights for layer, weights in _weights(headers, layers, path)}
    integers = any(header.dtype.kind in "iu" for array, header in headers.items() if array.endswith(".weight"))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Network(
        name, tuple(layers.values()), shape, weights=made, model="stored" if integers else "int8-pow2",
        files={path.name: digest}, warnings=tuple(names.warnings),
    )  # fmt: skip


def _tree(path: Path, header: Header | None) -> dict[str, Any]:
    """The YAML mapping, from the array or from the file beside it."""
    beside = path.with_suffix(".yaml")
    if header is not None and header.dtype.kind == "U" and header.shape == ():
        if header.bytes > 4 * LIMIT_YAML:
            raise InputError(f"{path}: its YAML has {header.bytes // 4} characters; {LIMIT_YAML} is the limit")
        text = str(read_npz(path, LIMIT_BYTES, "network", [NETWORK])[NETWORK])
    elif header is not None:
        raise InputError(f"{path}: array '{NETWORK}': expected one string, not {header.dtype} {list(header.shape)}")
    elif beside.is_file() and beside.stat().st_size <= LIMIT_YAML:
        text = beside.read_text(encoding="utf-8", errors="replace")
    else:
        raise InputError(f"{path}: has no array '{NETWORK}' with the YAML of its shapes, nor is there a {beside.name}")
    tree = yaml_text.parse(text, str(path))
    if not isinstance(tree, dict) or not isinstance(tree.get("layers"), list) or not tree["layers"]:
        raise InputError(f"{path}: expected a mapping with name, input and a list of layers")
    return tree


def _layers(entries: list, shape: tuple[int, ...], names: Names, path: Path) -> dict[str, Layer]:
    """Layers by their names in the file."""
    found: dict[str, Layer] = {}
    outputs = {"input": ("input", shape)}  # name in the file -> ours, and its (channels, height, width)
    last = "input"
    for number, entry in enumerate(entries, 1):
        where = f"{path}: layer {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise InputError(f"{where}: expected a mapping with a name")
        name = entry["name"]
        if name in found:
            raise InputError(f"{where}: layer name '{name}' is used twice")
        record = Record(entry, f"{path}: layer '{name}'")
        reads = entry.get("inputs")
        if "input" in found and isinstance(reads, list) and "input" in reads:
            raise InputError(f"{record.where}: inputs: 'input' is a layer and the network's input: rename the layer")
        layer = replace(_layer(record, last, outputs), name=names.layer(name))
        found[name], last = layer, name
        outputs[name] = layer.name, (layer.M, layer.E, layer.F)
    return found


def _layer(record: Record, last: str, outputs: dict) -> Layer:
    for key in record:
        if key not in FIELDS:
            raise InputError(f"{record.where}: {unknown('field', str(key), list(FIELDS))}")
    inputs = record.get("inputs", [last])
    if not isinstance(inputs, list) or not inputs or any(name not in outputs for name in map(str, inputs)):
        raise InputError(f"{record.where}: inputs: expected a list of layers before it, not {inputs!r}")
    shapes = [outputs[str(name)][1] for name in inputs]
    C, H, W = shapes[0]
    kind = record.get("kind")
    if kind == "fc":
        C, H, W = C * H * W, 1, 1
    elif kind == "concat":
        C = sum(shape[0] for shape in shapes)
    given: dict[str, Any] = {"C": C, "H": H, "W": W, "M": C, "inputs": tuple(outputs[str(name)][0] for name in inputs)}
    if kind == "depthwise":
        given["G"] = C
    if kind == "pool" and record.get("global_pool") is True:
        given |= {"R": H, "S": W}
    for key in (*COMMON, *READ.get(kind, ())) if isinstance(kind, str) else FIELDS:
        if key != "inputs" and key in record:
            given[key] = _value(key, record[key], record.where)
    for letter, size in (("C", C), ("H", H), ("W", W)):
        if given[letter] != size and kind not in VIEWS:
            raise InputError(f"{record.where}: {letter}: what it reads has {size}, the file says {given[letter]}")
    try:
        layer = Layer(**given)
    except TypeError as error:
        raise InputError(f"{record.where}: {first_line(error)}") from None
    record.done()
    return layer


def _value(key: str, value: Any, where: str) -> Any:
    """A field's value in its type; one number serves both directions of stride, dilation and padding."""
    if key in ("stride", "dilation"):
        return tuple(_sizes([value] * 2 if isinstance(value, int) else value, 2, f"{where}: {key}"))
    if key == "padding":
        return tuple(_sizes([value] * 4 if isinstance(value, int) else value, 4, f"{where}: {key}", 0))
    if key == "input_sizes":
        return tuple(_sizes(value, len(value) if isinstance(value, list) else 1, f"{where}: {key}", limit=1 << 30))
    if key == "lrn":
        return _lrn(value, f"{where}: {key}")
    if FIELDS[key].type == "int" or FIELDS[key].type is int:
        return _sizes([value], 1, f"{where}: {key}")[0]
    kinds = {"bool": bool}.get(str(getattr(FIELDS[key].type, "__name__", FIELDS[key].type)), str)
    if not isinstance(value, kinds):
        raise InputError(f"{where}: {key}: expected {kinds.__name__}, not {value!r}")
    return value


def _lrn(value: Any, where: str) -> Lrn:
    """Constants of a local response normalisation, given by name."""
    known = {field.name: field for field in fields(Lrn)}
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a mapping of {', '.join(known)}, not {value!r}")
    record = Record(value, where)
    given = {name: record[name] for name in known if name in record}
    record.done()
    for name, number in given.items():
        if type(number) not in ((int,) if name == "size" else (int, float)) or not abs(number) <= LIMIT_SIZE:
            raise InputError(f"{where}: {name}: expected a number, not {number!r}")
    return Lrn(**given)


def _sizes(value: Any, count: int, where: str, least: int = 1, limit: int = LIMIT_SIZE) -> list[int]:
    good = isinstance(value, list) and len(value) == count
    if not good or any(type(size) is not int or not least <= size <= limit for size in value):
        raise InputError(f"{where}: expected {count} integer(s) from {least} to {limit}, not {value!r}")
    return value


def _weights(headers: dict[str, Header], layers: dict[str, Layer], path: Path) -> Iterator[tuple[Layer, LayerWeights]]:
    """(layer, weights) of every layer with arrays; nothing is unpacked before all names and sizes are known to fit."""
    by_layer: dict[str, dict[str, str]] = {}
    for name, header in headers.items():
        stem, _, kind = name.rpartition(".")
        if stem not in layers or kind not in ARRAYS:
            known = [f"{layer}.{each}" for layer in layers if layers[layer].has_macs for each in ARRAYS]
            raise InputError(f"{path}: {unknown('array', name, known)}")
        by_layer.setdefault(stem, {})[kind] = name
        layer, shape = layers[stem], list(header.shape)
        if kind == "weight" and (header.size != layer.weights or not layer.has_macs):
            raise InputError(f"{path}: layer '{stem}': weight has shape {shape}, expected {list(layer.weight_shape)}")
        if kind != "weight" and header.size not in (1, layer.M):
            number = "" if kind == "bias" else "one number or "
            raise InputError(f"{path}: layer '{stem}': {kind}: expected {number}[{layer.M}], not {shape}")
    missing = [name for name, layer in layers.items() if layer.has_macs and not layer.dynamic and name not in by_layer]
    if by_layer and missing:
        raise InputError(f"{path}: no array '{missing[0]}.weight' (give weights for all layers with MACs, or for none)")
    arrays = read_npz(path, LIMIT_BYTES, "network", [name for parts in by_layer.values() for name in parts.values()])
    for stem, parts in by_layer.items():
        try:
            yield layers[stem], _layer_weights(layers[stem], {kind: arrays.pop(name) for kind, name in parts.items()})
        except ValueError as error:
            raise InputError(f"{path}: layer '{stem}': {error}") from None


def _layer_weights(layer: Layer, parts: dict[str, np.ndarray]) -> LayerWeights:
    if "weight" not in parts:
        raise ValueError("has arrays but no weight")
    weight, bias = parts["weight"], parts.get("bias")
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
