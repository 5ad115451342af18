"""SCALE-Sim topology CSV, both ways (format: SCALE-Sim 3.0.0's shipped files, reader and writer).

Convolutions: name, ifmap height, width, filter height, width, channels, filters, stride (or stride height, width), an
optional N:M column, a trailing comma. There is no padding column: sizes are padded already, and outputs are
ceil((H - R + stride) / stride). A layer whose name contains `DP` is depthwise: each channel is convolved on its own.
GEMM form: name, M, N, K. SCALE-Sim goes by the columns' places and drops line 1 whatever it holds; here the header's
names say which column is which, and a file without a header keeps its first layer.
"""

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.importers import network_files
from workloads.importers.record import Names, Record
from workloads.layer import Layer
from workloads.network import Density, Network
from workloads.registry import InputError, unknown

LIMIT_BYTES = 32 << 20
LIMIT_SIZE = 1 << 24
SIZES = ("ifmap height", "ifmap width", "filter height", "filter width", "channels", "filters", "stride")
STRIDES = ("stride height", "stride width")
GEMM = ("M", "N", "K")
SPARSITY = "sparsity"
HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
#: column -> names it may have in a header, without case and whatever stands between letters
COLUMNS = {
    "name": ("layername", "layer", "name", "layerid"),
    "ifmap height": ("ifmapheight", "ifmaph", "inputheight", "inputh"),
    "ifmap width": ("ifmapwidth", "ifmapw", "inputwidth", "inputw"),
    "filter height": ("filterheight", "filterh", "filtheight", "filth", "kernelheight", "kernelh"),
    "filter width": ("filterwidth", "filterw", "filtwidth", "filtw", "kernelwidth", "kernelw"),
    "channels": ("channels", "channel", "numchannels", "numchannel", "inputchannels"),
    "filters": ("numfilter", "numfilters", "filters", "numfilt", "outputchannels"),
    "stride": ("strides", "stride"),
    "stride height": ("strideheight", "strideh"), "stride width": ("stridewidth", "stridew"),
    SPARSITY: ("sparsity", "sparsityratio", "sparsityratios", "sparse", "nm"),
}  # fmt: skip
_BY_NAME = {alias: column for column, aliases in COLUMNS.items() for alias in aliases}
_RATIO = re.compile(r"(\d{1,4}):(\d{1,4})")
#: how a cell begins that can be no column's name
_NUMBER = re.compile(r"[-+.]?[0-9]")


@network_files.add(".csv")
def read_topology(path: Path) -> Network:
    """A topology file as a Network; InputError with the line for a row that is none."""
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes; a topology may have {LIMIT_BYTES}")
        data = path.read_bytes()
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise InputError(f"{path}: cannot read network: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: is no CSV text") from None
    rows = [(number, cells) for number, row in enumerate(lines, 1) if (cells := _cells(row))]
    columns, warnings = _columns(rows, path)
    records = [columns.record(cells, f"{path} line {number}") for number, cells in rows[0 if columns.first else 1 :]]
    names = Names(record["name"] for record in records)
    layers: list[Layer] = []
    seen: set[str] = set()
    densities: dict[str, Density] = {}
    for record in records:
        name = record["name"]
        if not name:
            raise InputError(f"{record.where}: a layer has no name")
        if name in seen:
            raise InputError(f"{record.where}: layer name '{name}' is used twice")
        seen.add(name)
        layer, kept = _layer(record, names.layer(name), layers[-1].name if layers else "input")
        layers.append(layer)
        if kept is not None:
            source = f"{path.name}: {kept[0]}:{kept[1]} (drawn at random, not in blocks)"
            densities[layer.name] = Density(kept[0] / kept[1], 8, True, 0.5, source, "guess: half of a ReLU's outputs")
    if not layers:
        raise InputError(f"{path}: has no layers (expected a header and rows of name, {', '.join(SIZES)})")
    shape = (layers[0].C, layers[0].H, layers[0].W)
    files = {path.name: hashlib.sha256(data).hexdigest()}
    return Network(
        path.stem, tuple(layers), shape, densities=densities, files=files, warnings=(*warnings, *names.warnings),
        independent=True,
    )  # fmt: skip


def _cells(row: list[str]) -> list[str]:
    """A row without spaces and trailing commas."""
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


@dataclass(frozen=True)
class _Columns:
    """Which column is which. names: in the file's order, None = by their number in each row (a file that names none).

    first: whether the file's first line is a layer. sizes: how many a row has (0 = no row says).
    """

    names: tuple[str, ...] | None = None
    first: bool = False
    sizes: int = 0

    def record(self, cells: list[str], where: str) -> Record:
        """One row's cells by column; InputError for more or fewer than there are columns."""
        names = self.names or self._by_place(cells, where)
        if ":" in cells[-1] and SPARSITY not in names and len(cells) == len(names) + 1:
            names = (*names, SPARSITY)  # what it is shows in its form
        elif names[-1] == SPARSITY and len(cells) == len(names) - 1:
            names = names[:-1]  # a row may leave its ratio out
        if len(cells) != len(names):
            expected = ", ".join(name for name in names if name not in ("name", SPARSITY))
            raise InputError(f"{where}: {len(cells) - 1} values after the name; expected {expected}")
        return Record(dict(zip(names, cells, strict=True)), where, "column")

    def _by_place(self, cells: list[str], where: str) -> tuple[str, ...]:
        sizes = _count(cells)
        form = {len(SIZES): SIZES, len(GEMM): GEMM}.get(sizes)
        if form is None:
            raise InputError(f"{where}: {sizes} sizes after the name; expected {len(SIZES)} (or M, N, K)")
        if self.sizes != sizes:
            raise InputError(f"{where}: {sizes} sizes after the name, the rows before have {self.sizes}")
        return ("name", *form)


def _count(cells: list[str]) -> int:
    """Sizes in a row whose columns have no names."""
    return len(cells) - 1 - (":" in cells[-1])


def _columns(rows: list[tuple[int, list[str]]], path: Path) -> tuple[_Columns, list[str]]:
    """(columns, what had to be assumed of them) from the first line that is not empty."""
    if not rows:
        return _Columns(), []
    number, cells = rows[0]
    where = f"{path} line {number}"
    numbers = [bool(_NUMBER.match(cell)) for cell in cells[1:]]
    if numbers and all(numbers):
        found = _Columns(None, True, _count(cells))
        return found, [f"{path.name} has no header: line {number} is read as layer '{cells[0]}'"]
    if any(numbers):
        odd = cells[1:][numbers.index(False)]
        raise InputError(f"{where}: '{odd}' stands among sizes: expected a header of names, or a layer's sizes")
    keys = ["".join(c for c in cell.lower() if c.isalnum()) for cell in cells]
    gemm = {"m", "n", "k"} <= set(keys)
    names = [key.upper() if gemm and key in ("m", "n", "k") else _BY_NAME.get(key) for key in keys]
    if set(names) <= {None, "name"}:
        sizes = _count(rows[1][1]) if len(rows) > 1 else 0
        order = ", ".join(("name", *(GEMM if sizes == len(GEMM) else SIZES)))
        told = f"{path.name}: line {number} names no column: they are taken in SCALE-Sim's order ({order})"
        return _Columns(None, False, sizes), [told]
    return _Columns(_checked_header(names, cells, where)), []


def _checked_header(columns: list[str | None], cells: list[str], where: str) -> tuple[str, ...]:
    """The columns' names; InputError for a header with a column that is unknown, there twice, or missing."""
    names = []
    for name, cell in zip(columns, cells, strict=True):
        if name is None:
            raise InputError(f"{where}: {unknown('column', cell, list(COLUMNS))}")
        if columns.count(name) > 1:
            raise InputError(f"{where}: column '{cell}' is there twice ({name})")
        names.append(name)
    wanted = GEMM if "M" in names else SIZES
    if set(STRIDES) & set(names):
        wanted = (*wanted[:-1], *STRIDES)
    missing = [name for name in ("name", *wanted) if name not in names]
    if missing:
        raise InputError(f"{where}: its header has no column for {missing[0]}")
    return tuple(names)


def _layer(row: Record, name: str, before: str) -> tuple[Layer, tuple[int, int] | None]:
    """(layer of this name, N:M or None) of one row. before: the layer that it reads."""
    kept, ratio = None, row.get(SPARSITY)
    if ratio:
        match = _RATIO.fullmatch(ratio)
        kept = (int(match[1]), int(match[2])) if match else (1, 0)
        if not 1 <= kept[0] <= kept[1]:
            raise InputError(f"{row.where}: sparsity '{ratio}': expected N:M with 1 <= N <= M")
    if "M" in row:  # [M, K] x [K, N]: M rows are pixels
        M, N, K = (_size(row, column) for column in GEMM)
        fields: dict[str, Any] = {"kind": "conv", "C": K, "M": N, "H": M}
    else:
        fields = _convolution(row["name"], row)
    row.done()
    try:
        return Layer(name=name, inputs=(before,), activation="relu", **fields), kept
    except InputError as error:
        raise InputError(f"{row.where}: {error}") from None


def _convolution(name: str, row: Record) -> dict[str, Any]:
    H, W, R, S, channels, filters = (_size(row, column) for column in SIZES[:-1])
    stride = [_size(row, column) for column in (("stride",) * 2 if "stride" in row else STRIDES)]
    fields = {"C": channels, "H": H, "W": W, "R": R, "S": S, "stride": tuple(stride), "ceil_mode": True}
    if "DP" not in name:
        return fields | {"kind": "conv", "M": filters}
    return fields | {"kind": "depthwise" if channels > 1 else "conv", "G": channels, "M": channels * filters}


def _size(row: Record, what: str) -> int:
    text = row[what]
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= LIMIT_SIZE:
        raise InputError(f"{row.where}: {what}: expected an integer from 1 to {LIMIT_SIZE}, not '{text}'")
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
        height, width = layer.window.rows.under(layer.E), layer.window.columns.under(layer.F)
        depthwise = layer.kind == "depthwise"
        channels = layer.C if depthwise else layer.C // layer.G
        filters = layer.M // layer.G
        sizes = (height, width, layer.R, layer.S, channels, filters, stride)
        for copy in range(layer.N * (1 if depthwise else layer.G)):
            suffix = ("_DP" if depthwise else "") + (f"_{copy}" if copy else "")
            lines.append(f"{layer.name.replace(',', '_')}{suffix}, {', '.join(map(str, sizes))},")
    return "\n".join(lines) + "\n"
