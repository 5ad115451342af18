"""What stands in a TensorFlow Lite file: tensors, constants and operators of its one subgraph, every offset checked.

Field numbers: schema version 3 (tensorflow/lite/schema/schema.fbs). Constants are views of the file.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import numpy as np

from workloads.formats.codes import NumberFormat
from workloads.importers.flatbuffer import Table, root
from workloads.importers.record import Record
from workloads.profiles import read_table
from workloads.registry import InputError

IDENTIFIER = b"TFL3"
#: more than this of anything is refused before it is read
LIMIT_TENSORS, LIMIT_OPERATORS, LIMIT_INPUTS = 1 << 14, 1 << 12, 64
LIMIT_RANK, LIMIT_SCALES, LIMIT_NAME = 8, 1 << 16, 64
#: tensor type -> numpy type of its constants
TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 6: "?", 7: "<i2", 9: "i1"}
TYPE_NAMES = {"<f4": "float32", "<f2": "float16", "<i4": "int32", "u1": "uint8", "<i8": "int64", "i1": "int8"}


@dataclass(frozen=True, eq=False)
class Tensor:
    """shape: as in the file; dtype: numpy type, or '' for one we do not read; data: its constant's bytes, or empty.

    scales, zero_points: [1 or channels] (empty: not quantised); axis: quantised dimension as the file says.
    """

    where: str
    shape: tuple[int, ...]
    dtype: str
    data: np.ndarray
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int

    @property
    def is_constant(self) -> bool:
        """Whether the file holds its values."""
        return len(self.data) > 0

    @property
    def eight_bit(self) -> bool:
        """Whether its elements are int8 or uint8."""
        return self.dtype in ("u1", "i1")

    @property
    def kind(self) -> str:
        """Name of its element type."""
        return TYPE_NAMES.get(self.dtype, "a type this importer does not read")

    def constant(self) -> np.ndarray:
        """Its values in its shape, a view of the file; InputError if they are missing or of another size."""
        if not self.is_constant:
            raise InputError(f"{self.where}: expected a constant, but it has no data in the file")
        if not self.dtype:
            raise InputError(f"{self.where}: is of a type this importer does not read")
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        if size != len(self.data):
            raise InputError(
                f"{self.where}: shape {list(self.shape)} takes {size} bytes, its buffer has {len(self.data)}"
            )
        return self.data.view(self.dtype).reshape(self.shape)

    @cached_property
    def format(self) -> NumberFormat:
        """Number format of an 8-bit tensor with one scale; InputError if it is none."""
        if not self.eight_bit:
            raise InputError(f"{self.where}: is {self.kind}; only 8-bit models are read (quantise it to int8)")
        if len(self.scales) != 1 or len(self.zero_points) > 1:
            raise InputError(f"{self.where}: expected one scale and zero point, not {len(self.scales)} scales")
        scale, zero = self.checked_scales
        return NumberFormat(8, self.dtype == "i1", float(scale[0]), int(zero[0]))

    @cached_property
    def checked_scales(self) -> tuple[np.ndarray, np.ndarray]:
        """(scales float64, zero points int64), one each or one per channel; InputError for what no scale can be."""
        with np.errstate(invalid="ignore"):  # a signalling NaN
            scales = self.scales.astype(np.float64)
        zeros = self.zero_points if len(self.zero_points) else np.zeros(len(scales), np.int64)
        if len(zeros) != len(scales):
            raise InputError(f"{self.where}: {len(scales)} scales but {len(zeros)} zero points")
        if not (np.isfinite(scales) & (scales > 0)).all():
            raise InputError(f"{self.where}: a scale must be positive and finite, not {scales.min():g}")
        low, high = (-128, 127) if self.dtype == "i1" else (0, 255)
        if self.eight_bit and len(zeros) and not (low <= zeros.min() and zeros.max() <= high):
            raise InputError(f"{self.where}: zero point {zeros.min()}..{zeros.max()} is outside {low}..{high}")
        return scales, zeros


@dataclass(frozen=True, eq=False)
class Operator:
    """number: place in the file; name, version: as in the schema; inputs, outputs: tensor numbers, -1 = left out."""

    number: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Table
    path: str

    @property
    def where(self) -> str:
        """File, number and name, for messages."""
        return f"{self.path}: operator {self.number} ({self.name})"

    def refuse(self, what: str) -> InputError:
        """An InputError that says where."""
        return InputError(f"{self.where}: {what}")

    @cached_property
    def options(self) -> Record:
        """Name -> number of the fields that its option table has, and which of them were asked for."""
        options, kind = self.table.table(4, "options"), self.table.scalar(3, "<B", 0)
        if options is None or self.name not in _options():
            return Record({}, self.where, "option")
        names = {option.field: name for name, option in _options()[self.name].items()}
        given = {names.get(each, f"field {each} (version {self.version})"): each for each in options.present()}
        if given and kind != _option_types().get(self.name, kind):
            raise self.refuse(f"its options are of type {kind}: expected {_option_types()[self.name]}")
        return Record(given, self.where, "option")

    def _asked(self, name: str) -> Table | None:
        """The option table if it has this field, which is then read."""
        return self.table.table(4, "options") if name in self.options else None

    def option(self, name: str) -> int:
        """A field of its option table, its default if it is left out."""
        known, options = _options()[self.name][name], self._asked(name)
        return int(known.default) if options is None else options.scalar(known.field, known.form, int(known.default))

    def real_option(self, name: str) -> float:
        """The same of a field that is a float."""
        known, options = _options()[self.name][name], self._asked(name)
        return known.default if options is None else options.real(known.field, known.default)

    def numbers(self, name: str) -> tuple[int, ...]:
        """A field of its option table that is a short list, empty if it is left out."""
        options = self._asked(name)
        if options is None:
            return ()
        return tuple(options.array(_options()[self.name][name].field, "<i4", LIMIT_RANK, name).tolist())

    def done(self) -> None:
        """InputError for what it says beside its inputs, its outputs and the options that were asked for."""
        self.options.done([name for name, option in _options().get(self.name, {}).items() if not option.read])
        table = self.table
        if len(table.array(5, "u1", len(table.data), "custom options")):
            raise self.refuse("has custom options, which this importer does not read")
        if table.array(7, "u1", LIMIT_INPUTS, "mutating inputs").any() or len(table.array(8, "<i4", LIMIT_INPUTS, "")):
            raise self.refuse("changes its inputs or keeps values between runs, which this importer does not read")
        extra = [field for field in table.present() if field in (9, 10, 12) or field > 13]  # 13: debug metadata
        if extra:
            raise self.refuse(f"has field {extra[0]} of a later schema, which this importer does not read")


@dataclass(frozen=True, eq=False)
class Model:
    """operators: in the order they run; inputs, outputs: tensor numbers. A tensor is read when asked for."""

    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tables: list[Table]
    buffers: list[Table]
    known: dict[int, Tensor] = field(default_factory=dict)

    def tensor(self, number: int) -> Tensor:
        """By its number; read once."""
        if number not in self.known:
            self.known[number] = _tensor(self.tables[number], self.buffers)
        return self.known[number]


def read_model(data: bytes, where: str) -> Model:
    """The model in ``data``; InputError (``where`` first) if it is none or reaches outside the file."""
    top = root(data, IDENTIFIER, where)
    graphs = top.tables(2, 1 << 10, "subgraph")
    if len(graphs) != 1:
        raise InputError(f"{where}: expected one subgraph, not {len(graphs)}")
    (graph,) = graphs
    graph = replace(graph, where=where)
    buffers = top.tables(4, 2 * LIMIT_TENSORS, "buffer")
    tables = graph.tables(0, LIMIT_TENSORS, "tensor")
    version = top.scalar(0, "<I", 0)
    if version != 3:
        raise InputError(f"{where}: schema version {version}: expected 3")
    codes = [(_name(table), table.scalar(2, "<i", 1)) for table in top.tables(1, LIMIT_OPERATORS, "operator code")]
    operators = tuple(
        _operator(table, number, codes, len(tables), where)
        for number, table in enumerate(graph.tables(3, LIMIT_OPERATORS, "operator"))
    )
    inputs, outputs = (_numbers(graph, field, name, len(tables)) for field, name in ((1, "inputs"), (2, "outputs")))
    return Model(operators, inputs, outputs, tables, buffers)


@dataclass(frozen=True)
class _Option:
    """One field of an option table. form: struct code; read: asked for where the operator is read."""

    field: int
    form: str
    default: float
    read: bool


@cache
def _options() -> dict[str, dict[str, _Option]]:
    """Operator -> name -> field of its option table."""
    found: dict[str, dict[str, _Option]] = {}
    for row in read_table("tflite_options"):
        known = found.setdefault(row["operator"], {})
        if row["name"]:
            default = float(row["default"]) if row["form"] == "<f" else int(row["default"] or 0)
            known[row["name"]] = _Option(int(row["field"]), row["form"], default, row["read"] == "yes")
    return found


@cache
def _option_types() -> dict[str, int]:
    """Operator -> number of its option table in the union, where it has one."""
    return {row["operator"]: int(row["type"]) for row in read_table("tflite_options") if row["type"]}


@cache
def _operator_names() -> dict[int, str]:
    return {int(row["code"]): row["operator"] for row in read_table("tflite_operators")}


def fits_shape(wanted: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a shape is the wanted one; -1 stands for any size."""
    return len(wanted) == len(shape) and all(a in (-1, b) for a, b in zip(wanted, shape, strict=True))


def _name(table: Table) -> str:
    """Name of an operator code: the later, wider field wins if it is larger (schema.fbs, OperatorCode)."""
    code, names = max(table.scalar(0, "<b", 0), table.scalar(3, "<i", 0)), _operator_names()
    if names.get(code) == "CUSTOM":
        custom = table.text(1, LIMIT_NAME, "custom code")
        return f"CUSTOM '{''.join(c if c.isprintable() else '?' for c in custom)}'"
    return names.get(code, f"unknown code {code}")


def _numbers(table: Table, field: int, name: str, tensors: int) -> tuple[int, ...]:
    numbers = tuple(int(n) for n in table.array(field, "<i4", LIMIT_INPUTS, name))
    wrong = [n for n in numbers if not -1 <= n < tensors]
    if wrong:
        raise InputError(f"{table.where}: {name}: tensor {wrong[0]} does not exist (there are {tensors})")
    return numbers


def _operator(table: Table, number: int, codes: list[tuple[str, int]], tensors: int, where: str) -> Operator:
    code = table.scalar(0, "<I", 0)
    if code >= len(codes):
        raise table.refuse(f"operator code {code} does not exist (there are {len(codes)})")
    inputs, outputs = (_numbers(table, field, name, tensors) for field, name in ((1, "inputs"), (2, "outputs")))
    return Operator(number, *codes[code], inputs, outputs, table, where)


def _tensor(table: Table, buffers: list[Table]) -> Tensor:
    shape = tuple(int(size) for size in table.array(0, "<i4", LIMIT_RANK, "shape"))
    if min(shape, default=0) < 0:
        raise InputError(f"{table.where}: negative size in shape {list(shape)}")
    number = table.scalar(2, "<I", 0)
    if number >= max(1, len(buffers)):
        raise table.refuse(f"buffer {number} does not exist (there are {len(buffers)})")
    data = np.zeros(0, np.uint8)
    if buffers and number:  # buffer 0 is empty by convention
        if buffers[number].scalar(1, "<Q", 0):
            raise InputError(f"{table.where}: its data lies behind the flatbuffer, which this importer does not read")
        data = buffers[number].array(0, "u1", len(table.data), "data")
    given = table.table(4, "quantisation")
    scales = zeros = np.zeros(0)
    axis = 0
    if given is not None:
        scales = given.array(2, "<f4", LIMIT_SCALES, "scales")
        zeros = given.array(3, "<i8", LIMIT_SCALES, "zero points")
        axis = given.scalar(6, "<i", 0)
        if given.scalar(4, "<B", 0):
            raise InputError(f"{table.where}: has a custom quantisation, which this importer does not read")
    if table.scalar(5, "<B", 0):
        raise InputError(f"{table.where}: is a variable, which this importer does not read")
    signature = tuple(table.array(7, "<i4", LIMIT_RANK, "shape signature").tolist())
    if signature and not fits_shape(signature, shape):
        raise InputError(f"{table.where}: shape {list(shape)} is not that of its signature {list(signature)}")
    extra = [field for field in table.present() if field > 8]
    if extra:
        raise InputError(f"{table.where}: has field {extra[0]}, which this importer does not read")
    if table.table(6, "sparsity") is not None:
        raise InputError(f"{table.where}: is stored sparsely, which this importer does not read")
    return Tensor(table.where, shape, TYPES.get(table.scalar(1, "<b", 0), ""), data, scales, zeros, axis)
