"""Caffe deploy prototxt -> layers, by Caffe's own rules (caffe.proto and its layers). Weights come from other files.

What is simulated is the phase TEST: layers that only other phases include are left out, as Caffe does.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from workloads.importers import naming, network_files
from workloads.importers.prototext import Fields, parse
from workloads.importers.record import Names, refuse_unsupported
from workloads.layer import Layer, Lrn
from workloads.network import Network
from workloads.registry import InputError
from workloads.window import outputs_of

LIMIT_BYTES = 4 << 20
#: what every layer type that has an axis works along here
CHANNELS = (1, -3)


@dataclass
class _Graph:
    """Layers as they are read; a blob is known by the name of the layer that made it last."""

    names: Names
    layers: list[Layer] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def add(self, fields: Fields, kind: str, inputs: tuple[str, ...], M: int | None = None, **given) -> None:
        C, H, W = self.shapes[inputs[0]]
        name = self.names.layer(fields.text("name"))
        layer = Layer(
            name=name, kind=kind, inputs=inputs, **({"C": C, "H": H, "W": W, "M": C if M is None else M} | given)
        )
        self.places[name] = len(self.layers)
        self.layers.append(layer)
        self.makers[fields.text("top")] = name
        self.shapes[name] = (layer.M, layer.E, layer.F)
        self.read.update(inputs)

    def fuse(self, name: str, activation: str) -> bool:
        """Folds an activation into the layer of this name if it has MACs, none yet, and nobody read it without."""
        layer = self.layers[self.places[name]] if name in self.places else None
        if layer is None or not layer.has_macs or layer.activation is not None or name in self.read:
            return False
        self.layers[self.places[name]] = replace(layer, activation=activation)
        return True


def _convolution(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    p = fields.inner("convolution_param")
    R, S = p.pair("kernel_size", ("kernel_h", "kernel_w"), None)
    vertical, horizontal = p.pair("pad", ("pad_h", "pad_w"), 0)
    groups, channels = p.number("group", 1), graph.shapes[inputs[0]][0]
    p.only("axis", 1, CHANNELS, "channels")
    graph.add(
        fields, "depthwise" if 1 < groups == channels else "conv", inputs, p.number("num_output"), G=groups,
        R=R, S=S, stride=p.pair("stride", ("stride_h", "stride_w"), 1), dilation=p.pair("dilation", None, 1),
        padding=(vertical, vertical, horizontal, horizontal), bias=p.flag("bias_term", True),
    )  # fmt: skip


def _pooling(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    p = fields.inner("pooling_param")
    kind = p.choice("pool", {"MAX": "max", "AVE": "avg", "STOCHASTIC": None}, "MAX")
    _, H, W = graph.shapes[inputs[0]]
    rounds_up = _rounds_up(p)
    stride = p.pair("stride", ("stride_h", "stride_w"), 1, most=1)
    pads = p.pair("pad", ("pad_h", "pad_w"), 0, most=1)
    if p.flag("global_pooling", False):
        if p.has("kernel_size") or p.has("kernel_h") or p.has("kernel_w") or (stride, pads) != ((1, 1), (0, 0)):
            raise fields.refuse("global_pooling takes the whole map: expected no kernel_size, stride 1 and pad 0")
        graph.add(fields, "pool", inputs, pool=kind, global_pool=True, R=H, S=W)
        return
    taps = p.pair("kernel_size", ("kernel_h", "kernel_w"), None, most=1)
    if any(pad and pad >= size for pad, size in zip(pads, taps, strict=True)):
        raise fields.refuse(f"pad {pads} must be smaller than the kernel {taps}")
    if rounds_up and not any(pads) and all(stride):
        for size, tap, step in zip((H, W), taps, stride, strict=True):  # Caffe clips such windows only beside padding
            if (outputs_of(size, tap, step, ceil=True) - 1) * step >= size:
                raise fields.refuse(f"its last window begins outside the map {H}x{W}: Caffe computes no value there")
    graph.add(
        fields, "pool", inputs, pool=kind, R=taps[0], S=taps[1], stride=stride, ceil_mode=rounds_up,
        padding=(pads[0], pads[0], pads[1], pads[1]),
    )  # fmt: skip


def _rounds_up(p: Fields) -> bool:
    """Whether a pool's output size is rounded up: Caffe's default, or as round_mode (or ceil_mode, of a fork) says."""
    rounds_up = p.choice("round_mode", {"CEIL": True, "FLOOR": False}, "CEIL")
    if not p.has("ceil_mode"):
        return rounds_up
    forks = p.flag("ceil_mode", True)
    if p.has("round_mode") and forks != rounds_up:
        raise p.refuse("round_mode and ceil_mode contradict each other")
    return forks


def _inner_product(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    p = fields.inner("inner_product_param")
    C, H, W = graph.shapes[inputs[0]]
    p.only("axis", 1, CHANNELS, "all but the batch")
    if p.flag("transpose", False):
        raise fields.refuse("transpose: expected false (weights as one row per output)")
    graph.add(fields, "fc", inputs, p.number("num_output"), C=C * H * W, H=1, W=1, bias=p.flag("bias_term", True))


def _relu(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    if fields.inner("relu_param").real("negative_slope", 0.0):
        raise fields.refuse("negative_slope: expected 0 (a leaky ReLU is not supported)")
    in_place = fields.texts("bottom") == fields.texts("top")
    if not (in_place and graph.fuse(inputs[0], "relu")):
        graph.add(fields, "relu", inputs)


def _concat(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    p = fields.inner("concat_param")
    if p.has("axis") and p.has("concat_dim"):
        raise fields.refuse("expected axis or concat_dim, not both")
    p.only("axis", 1, CHANNELS, "channels")
    p.only("concat_dim", 1, (1,), "channels")
    shapes = [graph.shapes[source] for source in inputs]
    if len({shape[1:] for shape in shapes}) > 1:
        raise fields.refuse(f"the maps it joins differ: {', '.join(map(str, shapes))}")
    channels = sum(shape[0] for shape in shapes)
    graph.add(fields, "concat", inputs, channels, C=channels)


def _eltwise(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    p = fields.inner("eltwise_param")
    p.choice("operation", {"PROD": None, "SUM": "add", "MAX": None}, "SUM")
    if any(text not in ("1", "1.0") for text in p.texts("coeff")):
        raise fields.refuse(f"coeff: expected 1 for each input, not {', '.join(p.texts('coeff'))}")
    shapes = {graph.shapes[source] for source in inputs}
    if len(shapes) > 1:
        raise fields.refuse(f"the maps it joins differ: {', '.join(map(str, sorted(shapes)))}")
    graph.add(fields, "add", inputs)


def _dropout(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    fields.inner("dropout_param")
    graph.makers[fields.text("top")] = inputs[0]


def _lrn(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    p = fields.inner("lrn_param")
    p.choice("norm_region", {"ACROSS_CHANNELS": True, "WITHIN_CHANNEL": None}, "ACROSS_CHANNELS")
    size, default = p.number("local_size", 5), Lrn(alpha=1.0)  # caffe.proto: LRNParameter
    if size % 2 == 0:
        raise fields.refuse(f"local_size: expected an odd number, not {size}")
    lrn = Lrn(size, p.real("alpha", default.alpha), p.real("beta", default.beta), p.real("k", default.k))
    graph.add(fields, "lrn", inputs, lrn=lrn)


def _softmax(graph: _Graph, inputs: tuple[str, ...], fields: Fields) -> None:
    fields.inner("softmax_param").only("axis", 1, CHANNELS, "channels")
    graph.add(fields, "softmax", inputs)


#: layer type -> its reader, and how many blobs it reads (0: two or more)
TYPES: dict[str, tuple[Callable[[_Graph, tuple[str, ...], Fields], None], int]] = {
    "Convolution": (_convolution, 1), "Pooling": (_pooling, 1), "InnerProduct": (_inner_product, 1),
    "ReLU": (_relu, 1), "Concat": (_concat, 0), "Eltwise": (_eltwise, 0), "Dropout": (_dropout, 1),
    "Softmax": (_softmax, 1), "LRN": (_lrn, 1),
}  # fmt: skip


@network_files.add(".prototxt")
def read_prototxt(path: Path) -> Network:
    """A Caffe deploy file as a Network (shapes only); InputError if it is broken or has a type we do not know."""
    with naming(path):
        return _read(path)


def _read(path: Path) -> Network:
    data = _content(path)
    top = Fields(parse(data.decode("utf-8"), str(path)), str(path))
    old, new = len(top.record.get("layers", [])), len(top.record.get("layer", []))
    if old:
        form = f"mixes {new} 'layer' with {old} 'layers'" if new else f"has {old} 'layers'"
        raise top.refuse(f"{form} of Caffe's old form (V1), which is not read: rewrite it with upgrade_net_proto_text")
    for number, fields in enumerate(top.messages("layer"), 1):
        fields.where = fields.record.where = f"{path}: layer '{(fields.texts('name') or [str(number)])[0]}'"
    layers = [each for each in top.messages("layer") if _included(each, top.inner("state"))]
    top.children["layer"] = layers  # what is left out need not be read
    blob, (N, C, H, W), layers = _input(top, layers)
    if not layers:
        raise top.refuse("has no layers")
    kinds = ((each.text("type", "?"), f"'{each.text('name', '?')}'") for each in layers)
    refuse_unsupported(str(path), "layer types", kinds, TYPES, f"supported: {', '.join(TYPES)}")
    graph = _Graph(Names(name for each in layers for name in each.texts("name")))
    graph.makers[blob], graph.shapes["input"] = "input", (C, H, W)
    for fields in layers:
        _layer(graph, fields)
    name = top.text("name", path.stem)
    top.done()
    network = Network(
        name, tuple(graph.layers), (C, H, W), files={path.name: hashlib.sha256(data).hexdigest()},
        warnings=tuple(graph.names.warnings),
    )  # fmt: skip
    return network if N == 1 else network.with_batch(N)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes; a prototxt may have {LIMIT_BYTES}")
        data = path.read_bytes()
        data.decode("utf-8")
        return data
    except OSError as error:
        raise InputError(f"{path}: cannot read network: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no UTF-8 text") from None


def _layer(graph: _Graph, fields: Fields) -> None:
    """One layer; every field of it must have been read then."""
    read, count = TYPES[fields.text("type")]
    bottoms = fields.texts("bottom")
    missing = [bottom for bottom in bottoms if bottom not in graph.makers]
    if missing or not bottoms:
        raise fields.refuse(f"reads '{(missing or ['nothing'])[0]}', which no layer before it makes")
    if len(bottoms) != count if count else len(bottoms) < 2 and fields.text("type") == "Eltwise":
        raise fields.refuse(f"reads {len(bottoms)} blobs: expected {count or 'two or more'}")
    fields.text("top")
    fields.choice("phase", {"TRAIN": None, "TEST": True}, "TEST")
    fields.messages("param")
    read(graph, tuple(graph.makers[bottom] for bottom in bottoms), fields)


def _input(top: Fields, layers: list[Fields]) -> tuple[str, tuple[int, int, int, int], list[Fields]]:
    """(blob, (N, C, H, W), the other layers): the one input, given by fields of the network or by a layer."""
    shapes = [shape.numbers("dim") for shape in top.messages("input_shape")]
    blobs, dims = top.texts("input"), top.numbers("input_dim")
    shapes += [dims] if dims else []
    own = [each for each in layers if each.text("type", "") == "Input"]
    for fields in own:
        blobs = blobs + fields.texts("top")
        shapes += [shape.numbers("dim") for shape in fields.inner("input_param").messages("shape")]
        fields.text("name", "")
    if len(blobs) > 1 or len(shapes) > 1:
        raise top.refuse(f"expected one input, not {max(len(blobs), len(shapes))} ({', '.join(blobs)})")
    dims = shapes[0] if shapes else []
    if len(dims) != 4 or min(dims) < 1:
        raise top.refuse(f"expected an input of four dimensions (N, C, H, W), not {dims}")
    others = [each for each in layers if each.text("type", "") != "Input"]
    N, C, H, W = dims
    return (blobs or ["data"])[0], (N, C, H, W), others


def _included(fields: Fields, state: Fields) -> bool:
    """Whether Caffe builds it in phase TEST: it meets any include rule, or no exclude rule (net.cpp, FilterNet)."""
    state.choice("phase", {"TRAIN": None, "TEST": True}, "TEST")
    level, stages = state.number("level", 0), set(state.texts("stage"))
    include, exclude = fields.messages("include"), fields.messages("exclude")
    if include and exclude:
        raise fields.refuse("expected include or exclude rules, not both")
    met = [_meets(rule, level, stages) for rule in include + exclude]
    return any(met) if include else not any(met)


def _meets(rule: Fields, level: int, stages: set[str]) -> bool:
    phase = rule.choice("phase", {"TRAIN": False, "TEST": True}, "TEST")
    low, high = rule.number("min_level", 0), rule.number("max_level", level)
    return (
        phase and low <= level <= high and stages.issuperset(rule.texts("stage"))
        and stages.isdisjoint(rule.texts("not_stage"))
    )  # fmt: skip
