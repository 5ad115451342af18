"""SCALE-Sim topology CSV, both ways (format: SCALE-Sim 3.0.0's shipped files).

Convolutions: name, ifmap height, width, filter height, width, channels, filters, stride, an optional N:M column, a
trailing comma. There is no padding column: sizes are padded already, and outputs are ceil((H - R + stride) / stride).
A layer whose name contains `DP` is depthwise: each channel is convolved on its own. GEMM form: name, M, N, K.
"""

import csv
import hashlib
import io
import re
from dataclasses import replace
from pathlib import Path

from workloads.importers import network_files
from workloads.layer import Layer
from workloads.network import Density, Network
from workloads.registry import InputError

LIMIT_BYTES = 4 << 20
LIMIT_SIZE = 1 << 24
SIZES = ("ifmap height", "ifmap width", "filter height", "filter width", "channels", "filters", "stride")
HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"


@network_files.add(".csv")
def read_topology(path: Path) -> Network:
    """A topology file as a Network; InputError with the line for a row that is none."""
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes; a topology may have {LIMIT_BYTES}")
        data = path.read_bytes()
        rows = list(csv.reader(io.StringIO(data.decode("utf-8")), quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise InputError(f"{path}: cannot read network: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: is no CSV text") from None
    layers: list[Layer] = []
    densities: dict[str, Density] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        where = f"{path} line {number}"
        layer, kept = _layer(cells, where)
        if any(layer.name == other.name for other in layers):
            raise InputError(f"{where}: layer name '{layer.name}' is used twice")
        if layers:
            layer = replace(layer, inputs=(layers[-1].name,))
        layers.append(layer)
        if kept is not None:
            source = f"{path.name}: {kept[0]}:{kept[1]} (drawn at random, not in blocks)"
            densities[layer.name] = Density(kept[0] / kept[1], 8, True, 0.5, source, "guess: half of a ReLU's outputs")
    if not layers:
        raise InputError(f"{path}: has no layers (expected a header and rows of name, {', '.join(SIZES)})")
    shape = (layers[0].C, layers[0].H, layers[0].W)
    files = {path.name: hashlib.sha256(data).hexdigest()}
    return Network(path.stem, tuple(layers), shape, densities=densities, files=files, independent=True)


def _layer(cells: list[str], where: str) -> tuple[Layer, tuple[int, int] | None]:
    """(layer, N:M or None) of one row."""
    name, *rest = cells
    kept = None
    if rest and ":" in rest[-1]:
        match = re.fullmatch(r"(\d{1,4}):(\d{1,4})", rest.pop())
        kept = (int(match[1]), int(match[2])) if match else (1, 0)
        if not 1 <= kept[0] <= kept[1]:
            raise InputError(f"{where}: sparsity '{cells[-1]}': expected N:M with 1 <= N <= M")
    names = ("M", "N", "K") if len(rest) == 3 else SIZES
    if len(rest) != len(names):
        raise InputError(f"{where}: {len(rest)} sizes after the name; expected {len(SIZES)} (or M, N, K)")
    sizes = [_size(text, what, where) for what, text in zip(names, rest, strict=True)]
    if len(sizes) == 3:
        m, n, k = sizes  # [M, K] x [K, N]: M rows are pixels
        return Layer(name=name, kind="conv", C=k, M=n, H=m, activation="relu"), kept
    height, width, r, s, channels, filters, stride = sizes
    depthwise = "DP" in name
    shape = {"C": channels, "H": height, "W": width, "R": r, "S": s, "stride": (stride, stride), "ceil_mode": True}
    fields = {"G": channels, "M": channels * filters} if depthwise else {"M": filters}
    try:
        kind = "depthwise" if depthwise and channels > 1 else "conv"
        return Layer(name=name, kind=kind, activation="relu", **shape, **fields), kept
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _size(text: str, what: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= LIMIT_SIZE:
        raise InputError(f"{where}: {what}: expected an integer from 1 to {LIMIT_SIZE}, not '{text}'")
    return int(text)


def write_topology(network: Network) -> str:
    """The network's layers with MACs as a topology: padding added to the sizes, a row per group and batch item.

    Raises InputError naming every layer the format cannot hold (dilation, unequal strides).
    """
    wrong = [x.name for x in network.mac_layers if x.dilation != (1, 1) or x.stride[0] != x.stride[1]]
    if wrong:
        names = ", ".join(wrong)
        raise InputError(f"network '{network.name}': a topology holds no dilation and no unequal strides: {names}")
    lines = [HEADER]
    for layer in network.mac_layers:
        stride = layer.stride[0]
        height, width = (layer.E - 1) * stride + layer.R, (layer.F - 1) * stride + layer.S
        depthwise = layer.kind == "depthwise"
        channels = layer.C if depthwise else layer.C // layer.G
        filters = layer.M // layer.G
        sizes = (height, width, layer.R, layer.S, channels, filters, stride)
        for copy in range(layer.N * (1 if depthwise else layer.G)):
            suffix = ("_DP" if depthwise else "") + (f"_{copy}" if copy else "")
            lines.append(f"{layer.name.replace(',', '_')}{suffix}, {', '.join(map(str, sizes))},")
    return "\n".join(lines) + "\n"
