"""A model file as plain records: checked before it is parsed, and free of protobuf afterwards."""

import hashlib
import mmap
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from workloads.importers.onnx.tensors import TYPES, Constant, check_shape, stored_tensor
from workloads.importers.onnx.wire import walk
from workloads.importers.record import Record
from workloads.registry import InputError

#: protobuf's own limit of a message; larger models keep their weights in files beside it
LIMIT_BYTES = (1 << 31) - 1
#: a node takes some 50 us to read
LIMIT_NODES = 20_000
#: stored tensors, and graph inputs
LIMIT_TENSORS = 50_000
#: no number in an attribute may exceed this (except where it stands for "to the end")
LIMIT_SIZE = 1 << 20
#: domains whose operators are the standard's own
STANDARD = ("", "ai.onnx")
INSTALL = "reading .onnx files needs the package 'onnx': pip install 'accel-sim[onnx]' (or pip install onnx)"
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7


def text(value: Any, where: str) -> str:
    """A name as protobuf gives it; bytes are what is no UTF-8."""
    if not isinstance(value, str):
        raise InputError(f"{where}: holds a name that is no UTF-8 text")
    return value


def shown(name: str) -> str:
    """A name from a file as it may stand in one line of an error, or name a layer."""
    return "".join(c if c.isprintable() else "?" for c in name[:120])


@dataclass(frozen=True, eq=False)
class Node:
    """One operator call. kind: the name its operator is registered under ('domain.Op' outside the standard).

    inputs, outputs: value names, '' = left out. attributes: name -> AttributeProto, and which of them were asked for.
    """

    index: int
    name: str
    op: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Record
    where: str
    folder: Path

    @property
    def label(self) -> str:
        """Its name, or else its number."""
        return f"'{shown(self.name)}'" if self.name else f"node {self.index}"

    def error(self, what: str) -> InputError:
        """An InputError that names the node."""
        return InputError(f"{self.where}: {what}")

    def _get(self, name: str, kind: int, what: str) -> Any:
        attribute = self.attributes.get(name)
        if attribute is not None and attribute.type != kind:
            raise self.error(f"attribute '{name}' is no {what}")
        return attribute

    def integer(self, name: str, default: int) -> int:
        """An attribute; InputError if it is of another kind."""
        attribute = self._get(name, _INT, "integer")
        return default if attribute is None else int(attribute.i)

    def real(self, name: str, default: float) -> float:
        """An attribute; InputError if it is of another kind."""
        attribute = self._get(name, _FLOAT, "float")
        return default if attribute is None else float(attribute.f)

    def string(self, name: str, default: str) -> str:
        """An attribute; InputError if it is of another kind."""
        attribute = self._get(name, _STRING, "string")
        return default if attribute is None else attribute.s.decode("utf-8", "replace")

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An attribute, None if it is not there; InputError if it is of another kind."""
        attribute = self._get(name, _INTS, "list of integers")
        return None if attribute is None else tuple(attribute.ints)

    def reals(self, name: str) -> tuple[float, ...] | None:
        """An attribute, None if it is not there; InputError if it is of another kind."""
        attribute = self._get(name, _FLOATS, "list of floats")
        return None if attribute is None else tuple(attribute.floats)

    def tensor(self, name: str) -> Constant | None:
        """An attribute, None if it is not there; InputError if it is of another kind."""
        attribute = self._get(name, _TENSOR, "tensor")
        return None if attribute is None else stored_tensor(attribute.t, f"{self.where}: '{name}'", self.folder)

    def only(self, name: str, default: int, reason: str) -> None:
        """InputError unless an integer attribute is left out or has the one value that we know to read."""
        if self.integer(name, default) != default:
            raise self.error(f"attribute '{name}': expected {default} ({reason}), not {self.integer(name, default)}")

    def sizes(self, name: str, count: int, default: int, lowest: int = 0) -> tuple[int, ...]:
        """``count`` sizes from ``lowest`` to LIMIT_SIZE."""
        values = self.integers(name)
        if values is None:
            return (default,) * count
        if len(values) != count or any(not lowest <= value <= LIMIT_SIZE for value in values):
            raise self.error(
                f"attribute '{name}': expected {count} integers from {lowest} to {LIMIT_SIZE}, not {list(values[:8])}"
            )
        return values


@dataclass(frozen=True, eq=False)
class ModelFile:
    """inputs: name -> sizes, each a number or the name of an open dimension (graph inputs that are no constants).

    declared: the same of every value whose shape the file says, None for a dimension that it leaves unnamed.
    """

    path: Path
    digest: str
    bytes: int
    opset: int
    nodes: tuple[Node, ...]
    inputs: dict[str, tuple[int | str, ...]]
    outputs: tuple[str, ...]
    constants: dict[str, Constant] = field(default_factory=dict)
    declared: dict[str, tuple[int | str | None, ...]] = field(default_factory=dict)

    @cached_property
    def makers(self) -> dict[str, int]:
        """Value name -> index of the node that makes it."""
        return {name: node.index for node in self.nodes for name in node.outputs if name}

    @cached_property
    def live(self) -> tuple[Node, ...]:
        """The nodes that the outputs depend on, in the file's order."""
        wanted, pending = set(), [self.makers[name] for name in self.outputs if name in self.makers]
        while pending:
            index = pending.pop()
            if index not in wanted:
                wanted.add(index)
                pending += [self.makers[name] for name in self.nodes[index].inputs if name in self.makers]
        return tuple(node for node in self.nodes if node.index in wanted)


def read_model(path: Path) -> ModelFile:
    """Parses a file; InputError for one that is broken, too large, too new, or not sorted."""
    try:
        from onnx import ModelProto
        from onnx.defs import onnx_opset_version
    except ImportError:
        raise InputError(f"{path}: {INSTALL}") from None
    data = _content(path, ModelProto.DESCRIPTOR)
    try:
        proto = ModelProto.FromString(data)
    except Exception as error:  # protobuf's DecodeError has no home that is stable over its versions
        raise InputError(f"{path}: is no ONNX model: {str(error).splitlines()[0][:120]}") from None
    if not proto.HasField("graph"):
        raise InputError(f"{path}: is no ONNX model: it has no graph")
    newest = onnx_opset_version()
    opset = max((each.version for each in proto.opset_import if each.domain in STANDARD), default=1)
    if not 1 <= opset <= newest:
        raise InputError(f"{path}: operator set {opset}: expected 1 to {newest}, the onnx package's newest")
    graph = proto.graph
    for what, entries, limit in (
        ("nodes", graph.node, LIMIT_NODES),
        ("stored tensors", graph.initializer, LIMIT_TENSORS),
        ("inputs", graph.input, LIMIT_TENSORS),
        ("declared values", graph.value_info, LIMIT_TENSORS),
    ):
        if len(entries) > limit:
            raise InputError(f"{path}: has {len(entries)} {what}; {limit} is the limit")
    if len(graph.sparse_initializer):
        raise InputError(f"{path}: sparse initialisers are not supported")
    constants: dict[str, Constant] = {}
    for tensor in graph.initializer:
        name = text(tensor.name, str(path))
        if name in constants:
            raise InputError(f"{path}: tensor '{shown(name)}' is stored twice")
        constants[name] = stored_tensor(tensor, f"{path}: tensor '{shown(name)}'", path.parent)
    inputs = {}
    for entry in graph.input:
        name = text(entry.name, str(path))
        if name in inputs:
            raise InputError(f"{path}: input '{shown(name)}' is declared twice")
        inputs[name] = _sizes(entry, f"{path}: input '{shown(name)}'") if name not in constants else ()
    inputs = {name: sizes for name, sizes in inputs.items() if name not in constants}
    outputs = tuple(text(entry.name, str(path)) for entry in graph.output)
    external = (sum(constant.elements * constant.bits for constant in constants.values()) + 7) // 8
    size = max(len(data), external)
    nodes = tuple(_node(index, entry, path) for index, entry in enumerate(graph.node))
    declared = _declared([*graph.value_info, *graph.output, *graph.input], str(path))
    model = ModelFile(path, hashlib.sha256(data).hexdigest(), size, opset, nodes, inputs, outputs, constants, declared)
    _check_names(model)
    return model


def _content(path: Path, root: Any) -> bytes:
    """The file's bytes, once its size and its structure are known to be bearable."""
    try:
        if not path.is_file():
            raise InputError(f"{path}: is no file" if path.exists() else f"{path}: cannot read network: no such file")
        size = path.stat().st_size
        if size > LIMIT_BYTES:
            raise InputError(f"{path}: {size} bytes; a model file may have {LIMIT_BYTES}")
        if size == 0:
            raise InputError(f"{path}: is no ONNX model: it is empty")
        with path.open("rb") as file:
            with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                walk(view, root, str(path))
            return file.read(size)
    except OSError as error:
        raise InputError(f"{path}: cannot read network: {error.strerror}") from None


def _sizes(entry: Any, where: str) -> tuple[int | str, ...]:
    """Declared sizes; an open dimension without a name is known by its place, as in 'x[0]'."""
    kind = entry.type.WhichOneof("value")
    if kind != "tensor_type" or not entry.type.tensor_type.HasField("shape"):
        raise InputError(f"{where}: expected a tensor with a shape, not {kind or 'nothing'}")
    tensor = entry.type.tensor_type
    if tensor.elem_type not in TYPES:
        raise InputError(f"{where}: element type {tensor.elem_type} is not supported")
    sizes: list[int | str] = []
    for axis, dim in enumerate(tensor.shape.dim):
        known = dim.WhichOneof("value")
        if known == "dim_value":
            if dim.dim_value < 1:
                raise InputError(f"{where}: axis {axis} has size {dim.dim_value}, expected at least 1")
            sizes.append(dim.dim_value)
        else:
            named = text(dim.dim_param, where) if known else ""
            sizes.append(shown(named) or f"{shown(entry.name)}[{axis}]")
    check_shape(tuple(size for size in sizes if isinstance(size, int)), where)
    return tuple(sizes)


def _declared(entries: Iterable[Any], where: str) -> dict[str, tuple[int | str | None, ...]]:
    """Value name -> its declared shape, where the file says one."""
    found: dict[str, tuple[int | str | None, ...]] = {}
    for entry in entries:
        if entry.type.WhichOneof("value") != "tensor_type" or not entry.type.tensor_type.HasField("shape"):
            continue
        name, sizes = text(entry.name, where), []
        for dim in entry.type.tensor_type.shape.dim:
            known = dim.WhichOneof("value")
            named = text(dim.dim_param, where) if known == "dim_param" else None
            sizes.append(dim.dim_value if known == "dim_value" else named and shown(named))
        if found.setdefault(name, tuple(sizes)) != tuple(sizes):
            raise InputError(f"{where}: '{shown(name)}' is declared twice, as {list(found[name])} and as {sizes}")
    return found


def _node(index: int, proto: Any, path: Path) -> Node:
    name, op, domain = (text(value, f"{path}: node {index}") for value in (proto.name, proto.op_type, proto.domain))
    label = f"'{shown(name)}'" if name else str(index)
    kind = op if domain in STANDARD else f"{domain}.{op}"
    where = f"{path}: node {label} ({shown(kind)})"
    inputs, outputs = (tuple(text(value, where) for value in names) for names in (proto.input, proto.output))
    attributes = Record({text(each.name, where): each for each in proto.attribute}, where, "attribute")
    if len(attributes) != len(proto.attribute):
        raise InputError(f"{where}: has an attribute twice")
    return Node(index, name, op, kind, inputs, outputs, attributes, where, path.parent)


def _check_names(model: ModelFile) -> None:
    """Every value is made once, before it is read; node names are unique (ONNX IR, "Names Within a Graph")."""
    made = dict.fromkeys([*model.inputs, *model.constants], -1)
    named: set[str] = set()
    for node in model.nodes:
        if node.name and node.name in named:
            raise node.error("its name is used twice")
        named.add(node.name)
        for value in filter(None, node.outputs):
            if value in made:
                raise node.error(f"makes '{shown(value)}', which is there already")
            made[value] = node.index
    for node in model.nodes:
        for value in filter(None, node.inputs):
            if value not in made:
                raise node.error(f"reads '{shown(value)}', which no node, input or stored tensor provides")
            if made[value] >= node.index:
                raise node.error(f"reads '{shown(value)}' before it is made: the graph is unsorted or has a cycle")
    for value in model.outputs:
        if value not in made:
            raise InputError(f"{model.path}: output '{shown(value)}' is made by no node")
    if not model.outputs:
        raise InputError(f"{model.path}: has no outputs")
