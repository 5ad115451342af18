"""Small TensorFlow Lite files for tests: a FlatBuffers writer of a few lines, and a model put together by operators.

Nothing is imported from the package, so that a mistake in its reader is not repeated here.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

#: operator -> (code, type of its options)
OPERATORS = {
    "ADD": (0, 11), "AVERAGE_POOL_2D": (1, 5), "CONCATENATION": (2, 10), "CONV_2D": (3, 1), "DEPTHWISE_CONV_2D": (4, 2),
    "DEQUANTIZE": (6, 0), "FULLY_CONNECTED": (9, 8), "LOGISTIC": (14, 0), "MAX_POOL_2D": (17, 5), "MUL": (18, 0),
    "RELU": (19, 0), "RELU6": (21, 0), "RESHAPE": (22, 0), "SOFTMAX": (25, 9), "CUSTOM": (32, 0), "PAD": (34, 22),
    "MEAN": (40, 27), "SQUEEZE": (43, 30), "QUANTIZE": (114, 0),
}  # fmt: skip
TYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int8": 9}
SAME, VALID = 0, 1
NONE, RELU, RELU6 = 0, 1, 3


def vector(dtype, values):
    return ("vector", np.asarray(values, dtype=dtype))


def number(form, value):
    return ("number", form, value)


def _align(buf, step, ahead=0):
    buf.extend(b"\0" * (-(len(buf) + ahead) % step))


def _table(buf, fields):
    """Writes vtable, table and, behind them, what the table refers to; returns the table's place."""
    place, at = {}, 4
    for key, value in sorted(fields.items()):
        size = struct.calcsize(value[1]) if value[0] == "number" else 4
        at += -at % size
        place[key], at = at, at + size
    count = max(fields, default=-1) + 1
    _align(buf, 8, 4 + 2 * count)
    vtable = len(buf)
    buf.extend(
        struct.pack("<HH", 4 + 2 * count, at) + b"".join(struct.pack("<H", place.get(i, 0)) for i in range(count))
    )
    start = len(buf)
    buf.extend(bytes(at))
    struct.pack_into("<i", buf, start, start - vtable)
    for key, value in fields.items():
        if value[0] == "number":
            struct.pack_into(value[1], buf, start + place[key], value[2])
        else:
            target = _child(buf, value)
            struct.pack_into("<I", buf, start + place[key], target - start - place[key])
    return start


def _child(buf, value):
    kind, content = value
    if kind == "table":
        return _table(buf, content)
    if kind == "text":
        kind, content = "vector", np.frombuffer(content.encode() + b"\0", np.uint8)
        _align(buf, 4)
        start = len(buf)
        buf.extend(struct.pack("<I", len(content) - 1) + content.tobytes())
        return start
    if kind == "vector":
        _align(buf, 16, 4)
        start = len(buf)
        buf.extend(struct.pack("<I", len(content)) + content.tobytes())
        return start
    _align(buf, 4)
    start = len(buf)
    buf.extend(struct.pack("<I", len(content)) + bytes(4 * len(content)))
    for i, fields in enumerate(content):
        at = start + 4 + 4 * i
        struct.pack_into("<I", buf, at, _table(buf, fields) - at)
    return start


def pack(fields, identifier=b"TFL3"):
    """The file whose root table has these fields."""
    buf = bytearray(b"\0\0\0\0" + identifier)
    start = _table(buf, fields)
    struct.pack_into("<I", buf, 0, start)
    return bytes(buf)


@dataclass
class Builder:
    """tensor() and op() return a tensor's number; data() is the file. Shapes are as in the file (N, H, W, C)."""

    tensors: list = field(default_factory=list)
    buffers: list = field(default_factory=lambda: [{}])
    operators: list = field(default_factory=list)
    codes: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)

    def tensor(self, shape, dtype="int8", scale=None, zero=0, data=None, axis=0):
        fields = {0: vector("<i4", shape), 1: number("<b", TYPES[dtype]), 3: ("text", f"t{len(self.tensors)}")}
        if data is not None:
            self.buffers.append({0: vector("u1", np.frombuffer(np.asarray(data, dtype).tobytes(), np.uint8))})
            fields[2] = number("<I", len(self.buffers) - 1)
        if scale is not None:
            scales, zeros = np.atleast_1d(scale), np.atleast_1d(zero)
            zeros = np.broadcast_to(zeros, scales.shape)
            quantised = {2: vector("<f4", scales), 3: vector("<i8", zeros)}
            fields[4] = ("table", quantised | ({6: number("<i", axis)} if axis else {}))
        self.tensors.append(fields)
        return len(self.tensors) - 1

    def op(self, name, inputs, outputs, options=None):
        """options: field number -> (struct code, value)."""
        code, kind = OPERATORS[name]
        if code not in self.codes:
            self.codes.append(code)
        outputs = [outputs] if isinstance(outputs, int) else outputs
        fields = {0: number("<I", self.codes.index(code)), 1: vector("<i4", inputs), 2: vector("<i4", outputs)}
        if options is not None:
            fields[3] = number("<B", kind)
            fields[4] = ("table", {key: number(*value) for key, value in options.items()})
        self.operators.append(fields)
        return outputs[0]

    def fields(self):
        graph = {
            0: ("tables", self.tensors), 1: vector("<i4", self.inputs), 2: vector("<i4", self.outputs),
            3: ("tables", self.operators), 4: ("text", "main"),
        }  # fmt: skip
        codes = [
            {0: number("<b", min(c, 127)), 2: number("<i", 1 if c != 9 else 4), 3: number("<i", c)} for c in self.codes
        ]
        return {
            0: number("<I", 3), 1: ("tables", codes), 2: ("tables", [graph]), 3: ("text", "test"),
            4: ("tables", self.buffers),
        }  # fmt: skip

    def data(self):
        return pack(self.fields())


def window(stride=(1, 1), scheme=SAME, act=NONE, taps=None, multiplier=None):
    """Options of a convolution, a depthwise convolution (``multiplier``) or a pool (``taps``)."""
    found = {0: ("<b", scheme), 1: ("<i", stride[1]), 2: ("<i", stride[0])}
    if taps is not None:
        return found | {3: ("<i", taps[1]), 4: ("<i", taps[0]), 5: ("<b", act)}
    if multiplier is not None:
        return found | {3: ("<i", multiplier), 4: ("<b", act)}
    return found | {3: ("<b", act)}
