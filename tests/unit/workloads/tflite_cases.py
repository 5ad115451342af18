"""Random one- to three-operator models of every supported kind, the same file for the same seed.

``tflite_litert.csv`` holds what LiteRT 2.3.0 (built-in kernels, no delegate, x86) made of each: CRC-32 of the output's
bytes, N, H, W, C. To make it again: ``python tflite_cases.py`` where ai-edge-litert is installed.
"""

import math
import zlib
from pathlib import Path

import numpy as np

from tests import tables
from tests.unit.workloads.tflite_builder import NONE, RELU, RELU6, SAME, Builder, window

GOLDEN = Path(__file__).with_name("tflite_litert.csv")
KINDS = (
    "conv", "grouped", "depthwise", "fc", "avg_pool", "max_pool", "pad", "add", "concat", "mean", "relu", "flatten",
)  # fmt: skip
SEEDS = range(16)
#: seed // 4 -> the scales to draw from; random ones (before these) never make a tie
STEPS = {
    2: [0.005, 0.01, 0.02, 0.025, 0.03, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75],
    3: [2.0**-k for k in range(1, 8)],
}


class Case:
    """One model under construction: a map x of C channels enters it."""

    def __init__(self, kind, dtype, seed):
        self.steps = STEPS.get(seed // 4)
        self.rng = np.random.default_rng([KINDS.index(kind), dtype == "int8", seed])
        self.info, self.dtype, self.b = np.iinfo(dtype), dtype, Builder()
        self.H, self.W = (int(n) for n in self.rng.integers(4, 12, 2))
        self.C = 8 if kind == "grouped" else int(self.rng.choice([1, 3, 4, 8, 16, 24]))
        self.act = int(self.rng.choice([NONE, RELU, RELU6]))
        self.taps = tuple(int(n) for n in self.rng.integers(1, 4, 2))
        self.stride = tuple(int(n) for n in self.rng.integers(1, 4, 2))
        self.scheme = int(self.rng.integers(0, 2))
        self.scale, self.zero = self.step(), self.point()
        self.x = self.b.tensor([1, self.H, self.W, self.C], dtype, self.scale, self.zero)
        self.b.inputs = [self.x]

    def step(self, low=0.005, high=0.1):
        return float(np.float32(self.rng.uniform(low, high) if self.steps is None else self.rng.choice(self.steps)))

    def rounded(self, steps):
        """Scales as they are drawn, or the nearest of few decimal digits or powers of two."""
        steps = np.asarray(steps, np.float64)
        if self.steps is None:
            return steps
        if self.steps is STEPS[3]:
            return 2.0 ** np.round(np.log2(steps))
        unit = 10.0 ** np.floor(np.log10(steps))
        return np.round(steps / unit) * unit

    def point(self):
        inside = int(self.rng.integers(self.info.min, self.info.max + 1))
        return int(self.rng.choice([self.info.min, inside]))

    def codes(self, shape):
        return self.rng.integers(self.info.min, self.info.max + 1, shape).astype(self.dtype)

    def map(self, H, W, C, *, same=False):
        """A computed tensor; same: in the input's format."""
        scale, zero = (self.scale, self.zero) if same else (self.step(), self.point())
        return self.b.tensor([1, H, W, C], self.dtype, scale, zero)

    def out(self, size, axis):
        taps, stride = self.taps[axis], self.stride[axis]
        return -(-size // stride) if self.scheme == SAME else (size - taps) // stride + 1

    def matrix(self, name, source, shape, axis, output, options):
        """A convolution or matrix product with random weights, to an output [..., M]; int8 often per channel."""
        M, symmetric = shape[axis], self.dtype == "int8"
        scales = self.rounded(self.rng.uniform(0.001, 0.05, M)).astype(np.float32)
        scales = scales if symmetric and self.rng.integers(0, 2) else scales[:1]
        weights = np.maximum(self.codes(shape), -127) if symmetric else self.codes(shape)
        w = self.b.tensor(shape, self.dtype, scales, 0 if symmetric else self.point(), data=weights, axis=axis)
        steps = (scales * np.float32(self.scale)).astype(np.float32)
        bias = self.b.tensor([M], "int32", steps, data=self.rng.integers(-5000, 5000, M))
        step = self.scale * float(scales.mean()) * math.sqrt(math.prod(shape) / M) * float(self.rng.uniform(20, 90))
        y = self.b.tensor([*output, M], self.dtype, float(np.float32(self.rounded(step))), self.point())
        return self.b.op(name, [source, w, bias], y, options)

    def conv(self, source, H, W, C, M):
        output = [1, self.out(H, 0), self.out(W, 1)]
        return self.matrix("CONV_2D", source, [M, *self.taps, C], 0, output, window(self.stride, self.scheme, self.act))


def _conv(c):
    return c.conv(c.x, c.H, c.W, c.C, int(c.rng.choice([1, 5, 16, 33])))


def _grouped(c):
    groups = int(c.rng.choice([2, 4, 8]))
    return c.conv(c.x, c.H, c.W, c.C // groups, groups * int(c.rng.choice([1, 3, 4])))


def _depthwise(c):
    multiplier = int(c.rng.choice([1, 2, 3]))
    options = window(c.stride, c.scheme, c.act, multiplier=multiplier)
    output = [1, c.out(c.H, 0), c.out(c.W, 1)]
    return c.matrix("DEPTHWISE_CONV_2D", c.x, [1, *c.taps, c.C * multiplier], 3, output, options)


def _fc(c):
    return c.matrix(
        "FULLY_CONNECTED", c.x, [int(c.rng.choice([1, 5, 16])), c.H * c.W * c.C], 0, [1], {0: ("<b", c.act)}
    )


def _pool(name, source=None, H=None, W=None):
    def build(c, source=source, H=H, W=W):
        H, W = H or c.H, W or c.W
        y = c.map(c.out(H, 0), c.out(W, 1), c.C, same=True)
        return c.b.op(name, [c.x if source is None else source], y, window(c.stride, c.scheme, c.act, taps=c.taps))

    return build


def _pad(c):
    """PAD, then a convolution or an average without padding of its own."""
    sides = [int(n) for n in c.rng.integers(0, 3, 4)]
    H, W = c.H + sides[0] + sides[1], c.W + sides[2] + sides[3]
    pairs = c.b.tensor([4, 2], "int32", data=[[0, 0], sides[:2], sides[2:], [0, 0]])
    padded = c.b.op("PAD", [c.x, pairs], c.map(H, W, c.C, same=True))
    if c.rng.integers(0, 2):
        return c.conv(padded, H, W, c.C, 6)
    c.scheme = 1
    return _pool("AVERAGE_POOL_2D")(c, padded, H, W)


def _add(c):
    c.taps, c.stride = (1, 1), (1, 1)
    return c.b.op("ADD", [c.x, c.conv(c.x, c.H, c.W, c.C, c.C)], c.map(c.H, c.W, c.C), {0: ("<b", c.act)})


def _concat(c):
    pooled = c.b.op("MAX_POOL_2D", [c.x], c.map(c.H, c.W, c.C, same=True), window(taps=(2, 2)))
    return c.b.op("CONCATENATION", [pooled, c.x], c.map(c.H, c.W, 2 * c.C, same=True), {0: ("<i", 3)})


def _mean(c):
    keep = int(c.rng.integers(0, 2))
    axes = c.b.tensor([2], "int32", data=[1, 2])
    y = c.b.tensor([1, 1, 1, c.C] if keep else [1, c.C], c.dtype, c.step(), c.point())
    return c.b.op("MEAN", [c.x, axes], y, {0: ("<b", keep)})


def _relu(c):
    return c.b.op(["RELU", "RELU6"][int(c.rng.integers(0, 2))], [c.x], c.map(c.H, c.W, c.C))


def _flatten(c):
    """RESHAPE, FULLY_CONNECTED, SOFTMAX."""
    size = c.H * c.W * c.C
    flat = c.b.tensor([1, size], c.dtype, c.scale, c.zero)
    c.b.op("RESHAPE", [c.x, c.b.tensor([2], "int32", data=[1, size])], flat)
    scores = c.matrix("FULLY_CONNECTED", flat, [7, size], 0, [1], {0: ("<b", c.act)})
    return c.b.op("SOFTMAX", [scores], c.b.tensor([1, 7], c.dtype, 1 / 256, c.info.min), {0: ("<f", 1.0)})


BUILD = {
    "conv": _conv, "grouped": _grouped, "depthwise": _depthwise, "fc": _fc, "avg_pool": _pool("AVERAGE_POOL_2D"),
    "max_pool": _pool("MAX_POOL_2D"), "pad": _pad, "add": _add, "concat": _concat, "mean": _mean, "relu": _relu,
    "flatten": _flatten,
}  # fmt: skip


def case(kind, dtype, seed):
    """(file, input [1, H, W, C])."""
    c = Case(kind, dtype, seed)
    c.b.outputs = [BUILD[kind](c)]
    return c.b.data(), c.codes((1, c.H, c.W, c.C))


def golden():
    return tables.read(GOLDEN)


def _record():
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with GOLDEN.open("w", encoding="utf-8") as file:
        file.write("kind,dtype,seed,file_crc32,input_crc32,output_crc32\n")
        for kind in KINDS:
            for dtype in ("uint8", "int8"):
                for seed in SEEDS:
                    data, x = case(kind, dtype, seed)
                    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                    lite = Interpreter(model_content=data, experimental_op_resolver_type=resolver)
                    lite.allocate_tensors()
                    lite.set_tensor(lite.get_input_details()[0]["index"], x)
                    lite.invoke()
                    y = lite.get_tensor(lite.get_output_details()[0]["index"])
                    crcs = [zlib.crc32(part) for part in (data, x.tobytes(), np.ascontiguousarray(y).tobytes())]
                    file.write(f"{kind},{dtype},{seed},{','.join(map(str, crcs))}\n")


if __name__ == "__main__":
    _record()
