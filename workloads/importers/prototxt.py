"""Caffe deploy prototxt: protobuf text format -> layers. All unsupported layer types are named at once."""

import hashlib
import math
import re
from pathlib import Path
from typing import Any

from workloads.importers import naming, network_files
from workloads.layer import Layer, Lrn
from workloads.network import Network
from workloads.registry import InputError

LIMIT_BYTES = 4 << 20
LIMIT_DEPTH = 16
#: no size in a layer may exceed this
LIMIT_SIZE = 1 << 20
_TOKEN = re.compile(r"""\s+|\#[^\n]*|([{}:])|"([^"\\\n]*)"|'([^'\\\n]*)'|([A-Za-z0-9_.+\-]+)|(.)""", re.DOTALL)
Message = dict[str, list[Any]]


def parse(text: str, where: str) -> Message:
    """Protobuf text format -> field name -> its values, in order (a message is a mapping again)."""
    stack: list[Message] = [{}]
    name, colon = None, False
    for match in _TOKEN.finditer(text):
        mark, *quoted, word, bad = match.groups()
        string = next((value for value in quoted if value is not None), None)
        if mark is None and string is None and word is None and bad is None:
            continue

        def refuse(what: str, at: int = match.start()):
            raise InputError(f"{where} line {text.count(chr(10), 0, at) + 1}: broken prototxt: {what}")

        if bad is not None:
            refuse(f"unexpected '{bad}'")
        if mark == "{":
            if name is None:
                refuse("'{' without a name before it")
            if len(stack) > LIMIT_DEPTH:
                refuse(f"nested deeper than {LIMIT_DEPTH}")
            inner: Message = {}
            stack[-1].setdefault(name, []).append(inner)
            stack.append(inner)
            name, colon = None, False
        elif mark == "}":
            if name is not None or len(stack) == 1:
                refuse("unexpected '}'")
            stack.pop()
        elif mark == ":":
            if name is None or colon:
                refuse("unexpected ':'")
            colon = True
        elif name is None:
            if word is None:
                refuse("expected a field name")
            name = word
        elif not colon:
            refuse(f"expected ':' or '{{' after '{name}'")
        else:
            stack[-1].setdefault(name, []).append(string if string is not None else word)
            name, colon = None, False
    if len(stack) > 1 or name is not None:
        raise InputError(f"{where}: broken prototxt: it ends inside a message")
    return stack[0]


class _Fields:
    """Typed look-ups in one message; errors name the layer."""

    def __init__(self, message: Any, where: str):
        self.message, self.where = message if isinstance(message, dict) else {}, where

    def text(self, name: str, default: str | None = None) -> str:
        values = self.message.get(name, [default])
        if not isinstance(values[-1], str):
            raise InputError(f"{self.where}: expected one {name}")
        return values[-1]

    def numbers(self, name: str) -> list[int]:
        return [self._number(name, value) for value in self.message.get(name, [])]

    def number(self, name: str, default: int | None = None) -> int:
        if name not in self.message and default is None:
            raise InputError(f"{self.where}: {name} is missing")
        return self._number(name, self.message[name][-1]) if name in self.message else default

    def real(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text) if len(text) <= 32 else math.nan
        except ValueError:
            value = math.nan
        if not 0 <= value <= LIMIT_SIZE:
            raise InputError(f"{self.where}: {name}: expected a number from 0 to {LIMIT_SIZE}, not {text!r}")
        return value

    def _number(self, name: str, value: Any) -> int:
        if (
            not isinstance(value, str)
            or not value.isascii()
            or not value.isdigit()
            or len(value) > 9
            or int(value) > LIMIT_SIZE
        ):
            raise InputError(f"{self.where}: {name}: expected an integer from 0 to {LIMIT_SIZE}, not {value!r}")
        return int(value)

    def pair(self, stem: str, height: str, width: str, default: int | None) -> tuple[int, int]:
        """One value for both axes, two values, or the _h and _w fields."""
        if height in self.message or width in self.message:
            return self.number(height, 0), self.number(width, 0)
        values = self.numbers(stem)
        if not values and default is None:
            raise InputError(f"{self.where}: {stem} is missing")
        return tuple((values or [default])[:1] * 2 if len(values) < 2 else values[:2])

    def flag(self, name: str, default: bool) -> bool:
        text = self.text(name, "true" if default else "false")
        if text not in ("true", "false"):
            raise InputError(f"{self.where}: {name}: expected true or false, not '{text}'")
        return text == "true"

    def inner(self, name: str) -> "_Fields":
        return _Fields(self.message.get(name, [{}])[-1], self.where)


class _Graph:
    """Layers as they are read; a blob is known by the name of the layer that made it last."""

    def __init__(self):
        self.layers: list[Layer] = []
        self.makers: dict[str, str] = {}
        self.shapes: dict[str, tuple[int, int, int]] = {}

    def add(self, name: str, kind: str, top: str, inputs: tuple[str, ...], M: int | None = None, **fields) -> None:
        C, H, W = self.shapes[inputs[0]]
        layer = Layer(
            name=name, kind=kind, inputs=inputs, **({"C": C, "H": H, "W": W, "M": C if M is None else M} | fields)
        )
        self.layers.append(layer)
        self.makers[top] = name
        self.shapes[name] = (layer.M, layer.E, layer.F)

    def fuse(self, name: str, activation: str) -> bool:
        """Folds an activation into the layer of this name if it has MACs and none yet."""
        from dataclasses import replace

        for place, layer in enumerate(self.layers):
            if layer.name == name and layer.has_macs and layer.activation is None:
                self.layers[place] = replace(layer, activation=activation)
                return True
        return False


def _convolution(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    p = fields.inner("convolution_param")
    R, S = p.pair("kernel_size", "kernel_h", "kernel_w", None)
    vertical, horizontal = p.pair("pad", "pad_h", "pad_w", 0)
    groups, channels = p.number("group", 1), graph.shapes[inputs[0]][0]
    graph.add(
        name, "depthwise" if 1 < groups == channels else "conv", top, inputs, p.number("num_output"), G=groups,
        R=R, S=S, stride=p.pair("stride", "stride_h", "stride_w", 1), dilation=p.pair("dilation", "", "", 1),
        padding=(vertical, vertical, horizontal, horizontal), bias=p.flag("bias_term", True),
    )  # fmt: skip


def _pooling(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    p = fields.inner("pooling_param")
    kind = {"MAX": "max", "AVE": "avg"}.get(p.text("pool", "MAX"))
    if kind is None:
        raise InputError(f"{fields.where}: pool: expected MAX or AVE, not '{p.text('pool')}'")
    if p.flag("global_pooling", False):
        _, H, W = graph.shapes[inputs[0]]
        graph.add(name, "pool", top, inputs, pool=kind, global_pool=True, R=H, S=W)
        return
    R, S = p.pair("kernel_size", "kernel_h", "kernel_w", None)
    vertical, horizontal = p.pair("pad", "pad_h", "pad_w", 0)
    graph.add(
        name, "pool", top, inputs, pool=kind, R=R, S=S, stride=p.pair("stride", "stride_h", "stride_w", 1),
        padding=(vertical, vertical, horizontal, horizontal), ceil_mode=True,
    )  # fmt: skip


def _inner_product(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    p = fields.inner("inner_product_param")
    C, H, W = graph.shapes[inputs[0]]
    bias = p.flag("bias_term", True)
    graph.add(name, "fc", top, inputs, p.number("num_output"), C=C * H * W, H=1, W=1, bias=bias)


def _relu(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    in_place = fields.text("bottom") == top
    if in_place and graph.fuse(inputs[0], "relu"):
        return
    graph.add(name, "relu", top, inputs)


def _concat(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    shapes = [graph.shapes[source] for source in inputs]
    if len({shape[1:] for shape in shapes}) > 1:
        raise InputError(f"{fields.where}: the maps it joins differ: {', '.join(map(str, shapes))}")
    channels = sum(shape[0] for shape in shapes)
    graph.add(name, "concat", top, inputs, channels, C=channels)


def _eltwise(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    if fields.inner("eltwise_param").text("operation", "SUM") != "SUM":
        raise InputError(f"{fields.where}: only SUM is supported")
    shapes = {graph.shapes[source] for source in inputs}
    if len(shapes) > 1:
        raise InputError(f"{fields.where}: the maps it joins differ: {', '.join(map(str, sorted(shapes)))}")
    graph.add(name, "add", top, inputs)


def _dropout(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    graph.makers[top] = inputs[0]


def _lrn(graph: _Graph, name: str, top: str, inputs: tuple[str, ...], fields: _Fields) -> None:
    p = fields.inner("lrn_param")
    if p.text("norm_region", "ACROSS_CHANNELS") != "ACROSS_CHANNELS":
        raise InputError(f"{fields.where}: norm_region: expected ACROSS_CHANNELS, not '{p.text('norm_region')}'")
    size, default = p.number("local_size", 5), Lrn(alpha=1.0)  # caffe.proto: LRNParameter
    if size % 2 == 0:
        raise InputError(f"{fields.where}: local_size: expected an odd number, not {size}")
    lrn = Lrn(size, p.real("alpha", default.alpha), p.real("beta", default.beta), p.real("k", default.k))
    graph.add(name, "lrn", top, inputs, lrn=lrn)


def _elementwise(kind: str):
    return lambda graph, name, top, inputs, fields: graph.add(name, kind, top, inputs)


TYPES = {
    "Convolution": _convolution, "Pooling": _pooling, "InnerProduct": _inner_product, "ReLU": _relu, "Concat": _concat,
    "Eltwise": _eltwise, "Dropout": _dropout, "Softmax": _elementwise("softmax"), "LRN": _lrn,
}  # fmt: skip


@network_files.add(".prototxt")
def read_prototxt(path: Path) -> Network:
    """A Caffe deploy file as a Network (shapes only); InputError if it is broken or has a type we do not know."""
    with naming(path):
        return _read(path)


def _read(path: Path) -> Network:
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes; a prototxt may have {LIMIT_BYTES}")
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot read network: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no UTF-8 text") from None
    message = parse(text, str(path))
    top = _Fields(message, str(path))
    dims = top.numbers("input_dim") or top.inner("input_shape").numbers("dim")
    layers = [_Fields(entry, f"{path}: layer {number}") for number, entry in enumerate(message.get("layer", []), 1)]
    for fields in layers:
        fields.where = f"{path}: layer '{fields.text('name', '?')}'"
    blob = top.text("input", "data")
    for fields in [fields for fields in layers if fields.text("type", "") == "Input"]:
        dims, blob = fields.inner("input_param").inner("shape").numbers("dim"), fields.text("top")
        layers.remove(fields)
    if len(dims) != 4 or min(dims) < 1:
        raise InputError(f"{path}: expected an input of four dimensions (N, C, H, W), not {dims}")
    if not layers:
        raise InputError(f"{path}: has no layers")
    wrong = [f"'{f.text('name', '?')}' ({f.text('type', '?')})" for f in layers if f.text("type", "?") not in TYPES]
    if wrong:
        raise InputError(f"{path}: unsupported layers: {', '.join(wrong)} (supported: {', '.join(TYPES)})")
    graph = _Graph()
    graph.makers[blob], graph.shapes["input"] = "input", tuple(dims[1:])
    for fields in layers:
        bottoms = [str(value) for value in fields.message.get("bottom", [])]
        missing = [bottom for bottom in bottoms if bottom not in graph.makers]
        if missing or not bottoms:
            raise InputError(f"{fields.where}: reads '{(missing or ['nothing'])[0]}', which no layer before it makes")
        inputs = tuple(graph.makers[bottom] for bottom in bottoms)
        TYPES[fields.text("type")](graph, fields.text("name"), fields.text("top"), inputs, fields)
    network = Network(
        top.text("name", path.stem),
        tuple(graph.layers),
        tuple(dims[1:]),
        files={path.name: hashlib.sha256(data).hexdigest()},
    )
    return network if dims[0] == 1 else network.with_batch(dims[0])
