"""TensorFlow Lite, 8-bit models: asymmetric uint8 and symmetric per-channel int8 -> layers, weights, number formats.

The file's maps are N, H, W, C, ours N, C, H, W; weights become [M, C/G, R, S] views of the file. A layer is named after
its operator's place in the file. An operator that moves no data (RESHAPE, SQUEEZE, and QUANTIZE or DEQUANTIZE at the
ends) is no layer; a PAD becomes part of its readers' padding.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workloads.importers import network_files
from workloads.importers.record import refuse_unsupported
from workloads.importers.tflite_file import IDENTIFIER, Operator, fits_shape, read_model
from workloads.importers.tflite_graph import LIMIT_SIZE, Graph, Sides
from workloads.network import Network
from workloads.registry import InputError
from workloads.window import same_padding

#: a larger file is not read
LIMIT_BYTES = 160 << 20
ACTIVATIONS = {0: None, 1: "relu", 3: "relu6"}
ACTIVATION_NAMES = {2: "RELU_N1_TO_1", 4: "TANH", 5: "SIGN_BIT"}
SAME, VALID = 0, 1
#: sizes in a shape that a view may be given
LIMIT_VIEW = 16


def _activation(op: Operator) -> str | None:
    code = op.option("fused_activation_function")
    if code not in ACTIVATIONS:
        name = ACTIVATION_NAMES.get(code, f"code {code}")
        raise op.refuse(f"fused activation {name}: expected NONE, RELU or RELU6")
    return ACTIVATIONS[code]


def _window(
    graph: Graph, op: Operator, source: str, taps: tuple[int, int], dilation: tuple[int, int]
) -> dict[str, Any]:
    """R, S, stride, dilation and padding of a window."""
    stride = op.option("stride_h"), op.option("stride_w")
    scheme = op.option("padding")
    if not 1 <= min(stride + dilation + taps) <= max(stride + dilation + taps) <= LIMIT_SIZE:
        raise op.refuse(f"filter {taps}, stride {stride}, dilation {dilation}: expected 1 to {LIMIT_SIZE}")
    if scheme not in (SAME, VALID):
        raise op.refuse(f"padding scheme {scheme}: expected 0 (SAME) or 1 (VALID)")
    given = graph.pads.get(op.inputs[0], (0, 0, 0, 0))
    sides: list[int] = []
    for axis, size in enumerate(graph.maps[source][1:]):
        before, after = given[2 * axis : 2 * axis + 2]
        sizes = size + before + after, taps[axis], stride[axis], dilation[axis]
        own = (0, 0) if scheme == VALID else same_padding(*sizes)
        sides += [before + own[0], after + own[1]]
    return {"R": taps[0], "S": taps[1], "stride": stride, "dilation": dilation, "padding": tuple(sides)}


def _has_bias(op: Operator) -> bool:
    return len(op.inputs) > 2 and op.inputs[2] >= 0


def _conv(graph: Graph, op: Operator) -> None:
    source, weights = graph.source(op, 0, padded=True), graph.constant(op, 1, rank=4)
    M, R, S, per_group = weights.shape
    C = graph.maps[source][0]
    if C % per_group or M % (C // per_group):
        raise op.refuse(f"weights {list(weights.shape)} (O, H, W, I) do not fit {C} input channels")
    window = _window(graph, op, source, (R, S), (op.option("dilation_h_factor"), op.option("dilation_w_factor")))
    groups = C // per_group
    layer = graph.add(
        op, "depthwise" if 1 < groups == C else "conv", (source,), M, G=groups, bias=_has_bias(op),
        activation=_activation(op), **window,
    )  # fmt: skip
    graph.load(op, layer, weights.constant().transpose(0, 3, 1, 2), axis=0)
    if groups > 1:
        graph.variants[layer.name] = "grouped"


def _depthwise(graph: Graph, op: Operator) -> None:
    source, weights = graph.source(op, 0, padded=True), graph.constant(op, 1, rank=4)
    one, R, S, M = weights.shape
    C, multiplier = graph.maps[source][0], op.option("depth_multiplier")
    if one != 1 or M % C or multiplier not in (0, M // C):
        raise op.refuse(
            f"weights {list(weights.shape)} (1, H, W, O) and multiplier {multiplier} do not fit {C} input channels"
        )
    window = _window(graph, op, source, (R, S), (op.option("dilation_h_factor"), op.option("dilation_w_factor")))
    layer = graph.add(
        op, "depthwise", (source,), M, G=C, bias=_has_bias(op), activation=_activation(op), **window
    )  # fmt: skip
    graph.load(op, layer, weights.constant().transpose(3, 0, 1, 2), axis=3)


def _fully_connected(graph: Graph, op: Operator) -> None:
    source, weights = graph.source(op, 0, flat=True), graph.constant(op, 1, rank=2)
    (M, K), (C, H, W) = weights.shape, graph.maps[source]
    if K != C * H * W:
        raise op.refuse(f"weights {list(weights.shape)} do not fit {C * H * W} inputs")
    ranks = [len(graph.model.tensor(number).shape) for number in (op.inputs[0], graph.output(op))]
    if op.option("keep_num_dims") and ranks[0] != ranks[1]:
        raise op.refuse(f"keeps the number of dimensions, but reads {ranks[0]} and writes {ranks[1]}")
    if op.option("weights_format"):
        raise op.refuse("weights are stored shuffled, which this importer does not read")
    layer = graph.add(
        op, "fc", (source,), M, C=K, H=1, W=1, bias=_has_bias(op), activation=_activation(op)
    )  # fmt: skip
    values = weights.constant().reshape(M, H, W, C).transpose(0, 3, 1, 2)  # a map is flattened H, W, C in the file
    graph.load(op, layer, values.reshape(M, K, 1, 1), axis=0)


def _pool(kind: str) -> Callable[[Graph, Operator], None]:
    def read(graph: Graph, op: Operator) -> None:
        source = graph.source(op, 0, padded=True)
        graph.keeps_format(op)
        window = _window(graph, op, source, (op.option("filter_height"), op.option("filter_width")), (1, 1))
        padded = any(graph.pads.get(op.inputs[0], ()))
        if padded and kind == "avg" and op.option("padding") == SAME:
            raise op.refuse("reads a padded map and pads it again: what it averages over is no window of one layer")
        if padded and kind == "max":  # a maximum may leave the PAD's zeros out where nothing is below zero
            form, sides = graph.formats[source], window["padding"]
            if form.zero_point != form.low or max(sides[:2]) >= window["R"] or max(sides[2:]) >= window["S"]:
                raise op.refuse("takes the maximum with a PAD's zeros, which are not its smallest values")
        graph.add(
            op, "pool", (source,), pool=kind, count_include_pad=padded, activation=_activation(op), **window
        )  # fmt: skip

    return read


def _mean(graph: Graph, op: Operator) -> None:
    source, axes = graph.source(op, 0), graph.constant(op, 1)
    rank = len(graph.model.tensor(op.inputs[0]).shape)
    if axes.dtype != "<i4" or rank != 4 or sorted({int(axis) % 4 for axis in axes.constant().ravel()[:8]}) != [1, 2]:
        raise op.refuse("only the mean over height and width of a map is supported")
    _, H, W = graph.maps[source]
    layer = graph.add(op, "pool", (source,), pool="avg", R=H, S=W)
    graph.variants[layer.name] = "mean_keep_dims" if op.option("keep_dims") else "mean"


def _add(graph: Graph, op: Operator) -> None:
    sources = graph.source(op, 0), graph.source(op, 1)
    shapes = [graph.maps[source] for source in sources]
    if shapes[0] != shapes[1]:
        raise op.refuse(f"adds maps of different shapes {list(shapes[0])} and {list(shapes[1])} (C, H, W)")
    graph.add(op, "add", sources, activation=_activation(op))


def _concat(graph: Graph, op: Operator) -> None:
    sources = tuple(graph.source(op, place) for place in range(max(1, len(op.inputs))))
    rank, axis = len(graph.model.tensor(op.inputs[0]).shape), op.option("axis")
    if axis not in (-1, rank - 1):
        raise op.refuse(f"joins along axis {axis}: expected {rank - 1} (channels)")
    if len({graph.maps[source][1:] for source in sources}) > 1 or _activation(op):
        raise op.refuse("expected maps of one height and width, and no fused activation")
    graph.keeps_format(op)
    channels = sum(graph.maps[source][0] for source in sources)
    graph.add(op, "concat", sources, channels, C=channels)


def _softmax(graph: Graph, op: Operator) -> None:
    source, beta = graph.source(op, 0), op.real_option("beta")
    if beta != 1:
        raise op.refuse(f"beta={beta:g}: expected 1")
    form = graph.format(graph.model.tensor(graph.output(op)))
    if (form.scale, form.zero_point) != (1 / 256, form.low):
        raise op.refuse(
            f"its output has scale {form.scale:g} and zero point {form.zero_point}: expected 1/256, {form.low}"
        )
    graph.add(op, "softmax", (source,))


def _elementwise(kind: str) -> Callable[[Graph, Operator], None]:
    def read(graph: Graph, op: Operator) -> None:
        graph.add(op, kind, (graph.source(op, 0),))

    return read


def _pad(graph: Graph, op: Operator) -> None:
    source, table = graph.source(op, 0, padded=True), graph.constant(op, 1, rank=2)
    graph.keeps_format(op)
    if table.shape != (4, 2) or table.dtype not in ("<i4", "<i8"):
        raise op.refuse("expected four pairs of integers (N, H, W, C)")
    pairs = table.constant().tolist()
    if any(pairs[0] + pairs[3]) or not all(0 <= n <= LIMIT_SIZE for pair in pairs for n in pair):
        raise op.refuse(f"pads {pairs} (N, H, W, C): only height and width can be padded, by 0 to {LIMIT_SIZE}")
    before = graph.pads.get(op.inputs[0], (0, 0, 0, 0))
    sides: Sides = tuple(a + b for a, b in zip(before, pairs[1] + pairs[2], strict=True))
    number = graph.alias(op)
    C, H, W = graph.maps[source]
    found = C, H + sides[0] + sides[1], W + sides[2] + sides[3]
    if graph.shape(graph.model.tensor(number)) != found:
        raise op.refuse(f"its output is {list(found)} (C, H, W), the file says otherwise")
    graph.pads[number] = sides


def _reshape(graph: Graph, op: Operator) -> None:
    """Another view of the same codes: a map as it is, or flattened (then only FULLY_CONNECTED can read it)."""
    source = graph.source(op, 0, flat=True)
    number, shape = graph.output(op), graph.maps[source]
    if graph.model.tensor(number).format != graph.model.tensor(op.inputs[0]).format:
        raise op.refuse("changes scale, zero point or type")
    _check_view(graph, op, number)
    found = graph.shape(graph.model.tensor(number))
    elements = shape[0] * shape[1] * shape[2]
    if found not in (shape, (elements, 1, 1)):
        raise op.refuse(f"turns {list(shape)} (C, H, W) into {list(found)}: expected the same, or {elements} channels")
    graph.alias(op)
    graph.flat.discard(number)
    if found != shape:
        graph.flat.add(number)


def _check_view(graph: Graph, op: Operator, number: int) -> None:
    """InputError unless the shape that the file declares is the one that the operator's own numbers make."""
    before, declared = (graph.model.tensor(each).shape for each in (op.inputs[0], number))
    if op.name == "SQUEEZE":
        gone = [axis % max(1, len(before)) for axis in op.numbers("squeeze_dims")]
        gone = gone or [axis for axis, size in enumerate(before) if size == 1]
        wanted = [tuple(size for axis, size in enumerate(before) if axis not in gone)]
    else:
        wanted = [op.numbers("new_shape")]
        if len(op.inputs) > 1 and op.inputs[1] >= 0 and graph.model.tensor(op.inputs[1]).is_constant:
            wanted.append(tuple(graph.constant(op, 1).constant().ravel()[:LIMIT_VIEW].tolist()))
    for shape in filter(None, wanted):
        if not fits_shape(shape, declared):
            raise op.refuse(f"makes shape {list(shape)}, the file declares {list(declared)}")


def _quantise(graph: Graph, op: Operator) -> None:
    """Only at the network's input: its codes are then what the operator makes."""
    source = op.inputs[0] if op.inputs else -1
    if graph.makers.get(source) != "input" or graph.layers:
        raise op.refuse("changes a scale inside the network; only one at its input is supported")
    given, made = graph.model.tensor(source), graph.model.tensor(graph.output(op))
    form = graph.format(made)
    if given.eight_bit:
        old = graph.format(given)
        if old.scale != form.scale or old.zero - old.low != form.zero - form.low:
            raise op.refuse(f"rescales the input's codes: expected a step of {old.scale:g}")
    elif given.dtype != "<f4":
        raise op.refuse(f"its input is {given.kind}: expected float32, uint8 or int8")
    graph.formats["input"] = form
    graph.alias(op)


def _dequantise(graph: Graph, op: Operator) -> None:
    """Only at the network's end: whoever reads its float output is refused."""
    graph.source(op, 0, flat=True)
    graph.alias(op)


def _shape_only(graph: Graph, op: Operator) -> None:
    """Computes the shape of a RESHAPE, whose result the file declares anyway."""
    for number in op.outputs:
        if number < 0 or graph.model.tensor(number).dtype not in ("<i4", "<i8"):
            raise op.refuse("is supported only on shapes (integers)")


OPERATORS: dict[str, Callable[[Graph, Operator], None]] = {
    "CONV_2D": _conv, "DEPTHWISE_CONV_2D": _depthwise, "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool("avg"), "MAX_POOL_2D": _pool("max"), "MEAN": _mean, "ADD": _add, "CONCATENATION": _concat,
    "SOFTMAX": _softmax, "RELU": _elementwise("relu"), "RELU6": _elementwise("relu6"), "PAD": _pad,
    "RESHAPE": _reshape, "SQUEEZE": _reshape, "QUANTIZE": _quantise, "DEQUANTIZE": _dequantise,
    "SHAPE": _shape_only, "STRIDED_SLICE": _shape_only, "PACK": _shape_only,
}  # fmt: skip


@network_files.add(".tflite")
def read_tflite(path: Path) -> Network:
    """An 8-bit TensorFlow Lite file as a Network with real weights; InputError if it is broken or not supported."""
    try:
        size = path.stat().st_size
        if size > LIMIT_BYTES:
            raise InputError(f"{path}: {size} bytes; a .tflite file may have {LIMIT_BYTES}")
        with path.open("rb") as file:
            head = file.read(8)
            data = head + file.read() if head[4:] == IDENTIFIER else head
    except OSError as error:
        raise InputError(f"{path}: cannot read network: {error.strerror}") from None
    return import_tflite(data, str(path), path.stem, path.name)


def import_tflite(data: bytes, where: str, name: str, file: str) -> Network:
    """The network in ``data``; where: begins every error; name: of the network; file: for provenance."""
    model = read_model(data, where)
    kinds = ((op.name, f"operator {op.number}") for op in model.operators)
    refuse_unsupported(where, "operators", kinds, OPERATORS, f"supported: {', '.join(OPERATORS)}")
    if len(model.inputs) != 1 or model.inputs[0] < 0:
        raise InputError(f"{where}: has {len(model.inputs)} inputs: expected one")
    graph = Graph(where, model, len(data))
    graph.enter(model.inputs[0])
    for op in model.operators:
        OPERATORS[op.name](graph, op)
        op.done()
    if not graph.layers:
        raise InputError(f"{where}: has no layers")
    for number in model.outputs:
        if number not in graph.makers:
            raise InputError(f"{where}: output tensor {number} is made by no operator")
        if number in graph.flat or number in graph.pads:
            raise InputError(f"{where}: ends in a flattened or padded map: expected channels, or a map as it is")
    if "input" not in graph.formats:
        raise InputError(f"{where}: its input is float32; only 8-bit models are read (quantise it to int8)")
    network = Network(
        name, tuple(graph.layers), graph.maps["input"], weights=graph.weights, model="tflite-int8",
        formats=graph.formats, variants=graph.variants, warnings=tuple(_warnings(graph)),
        files={file: hashlib.sha256(data).hexdigest()},
    )  # fmt: skip
    return network if graph.batch == 1 else network.with_batch(graph.batch)


def _warnings(graph: Graph) -> list[str]:
    stray = dict.fromkeys(graph.stray_axes)
    if not stray:
        return []
    more = f" and {len(stray) - 1} more" if len(stray) > 1 else ""
    return [
        f"{next(iter(stray))}{more}: quantized_dimension names an axis that does "
        "not exist (the reference interpreter refuses this); the scales can be read in one way only, which was taken"
    ]
