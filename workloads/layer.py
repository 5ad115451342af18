"""One layer's shape in the field's letters (docs/model.md 1); it knows no data and no hardware."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NoReturn

import numpy as np

from workloads.registry import InputError
from workloads.window import Axis, Window, outputs_of

MAC_KINDS = ("conv", "depthwise", "fc", "matmul")
#: layers without MACs; they run on the post-processing unit
POST_KINDS = (
    "pool", "add", "concat", "shuffle", "relu", "relu6", "lrn", "batchnorm", "softmax", "layernorm", "elementwise",
    "reduce", "move",
)  # fmt: skip
KINDS = MAC_KINDS + POST_KINDS
#: what an 'elementwise' layer computes of each element (several, in turn, are joined by '+'), and a 'reduce' of all
FUNCTIONS = {
    "elementwise": (
        "add", "sub", "mul", "div", "min", "max", "pow", "mod", "where", "compare", "and", "or", "xor", "not", "neg",
        "abs", "sign", "round", "exp", "log", "sqrt", "reciprocal", "sin", "cos", "erf", "tanh", "sigmoid",
        "hardsigmoid", "hardswish", "swish", "mish", "gelu", "elu", "leakyrelu", "softplus", "softsign", "clip",
        "relu", "relu6", "quantise",
    ),
    "reduce": ("sum", "min", "prod", "l1", "l2", "sumsquare", "logsumexp", "argmax", "argmin"),
}  # fmt: skip
POOLS = ("max", "avg")
#: values of one tensor; a layer that has more is refused before memory is taken
LIMIT_ELEMENTS = 1 << 30
ACTIVATIONS = (None, "relu", "relu6")
#: kinds that read more than one input, from as many on; a dynamic product reads two, every other layer one
JOINING = ("add", "concat", "elementwise", "move")
#: kinds whose inputs may have sizes of their own (``Layer.input_sizes``), as has a dynamic product
SIZED = ("add", "elementwise", "move")


@dataclass(frozen=True)
class Lrn:
    """Local response normalisation across channels: x / (k + alpha / size * sum of ``size`` squares around)^beta.

    The defaults are those of AlexNet's Caffe release (lrn_param of bvlc_alexnet), whose k = 1.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self):
        if self.size < 1 or self.k <= 0 or min(self.alpha, self.beta) < 0:
            raise InputError(f"lrn: {self}: size must be at least 1, k positive, alpha and beta not negative")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Shape of one layer; every field is checked at birth (InputError).

    N batch, G groups, C input channels, H x W input map, M output channels, R x S filter, E x F output map (derived).
    stride, dilation: (vertical, horizontal); padding: (top, bottom, left, right).
    inputs: names of the layers whose outputs it reads ('input' = the network's input), in order.
    bias: has a bias vector. bn: a folded batch norm (scale and shift count as 2*M parameters).
    activation: fused into the output (None, 'relu', 'relu6').
    pool: 'max' or 'avg' for kind 'pool'; global_pool: filter = whole map; ceil_mode: output size rounds up.
    count_include_pad: an average divides by all of its window inside the padded map (Caffe, PyTorch), else only by the
    part inside the map (TensorFlow). lrn: constants of kind 'lrn'.
    dynamic: a matmul whose second operand is an activation, the last of its two inputs: it has no parameters, and N = 1
    (items are groups, each with an operand of its own).
    reshaped: reads what its input holds under another shape of as many elements. crossed: its channels lie where what
    it reads has pixels, in an order that only its file knew: no images flow through it.
    function: what kinds 'elementwise' and 'reduce' compute (FUNCTIONS). input_sizes: elements read of each input, where
    that is not the input map of each (broadcast operands, parts, tensors that are joined by a copy).
    A matrix product [B, I, K] x [B, K, J] is G = B, C = B*K, M = B*J, H = E = I, W = F = 1.
    """

    name: str
    kind: str
    C: int
    H: int = 1
    W: int = 1
    M: int
    N: int = 1
    G: int = 1
    R: int = 1
    S: int = 1
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    inputs: tuple[str, ...] = ("input",)
    bias: bool = False
    bn: bool = False
    activation: str | None = None
    pool: str | None = None
    global_pool: bool = False
    ceil_mode: bool = False
    count_include_pad: bool = True
    lrn: Lrn = Lrn()
    dynamic: bool = False
    function: str | None = None
    input_sizes: tuple[int, ...] = ()
    reshaped: bool = False
    crossed: bool = field(default=False, repr=False)  # of images alone: it is no part of a network's hash

    def __post_init__(self):
        def refuse(what: str):
            raise InputError(f"layer '{self.name}': {what}")

        if self.kind not in KINDS:
            refuse(f"unknown kind '{self.kind}' (known: {', '.join(KINDS)})")
        for letter in "NGCHWMRS":
            if getattr(self, letter) < 1:
                refuse(f"{letter}={getattr(self, letter)} must be at least 1")
        if min(self.stride) < 1 or min(self.dilation) < 1 or min(self.padding) < 0:
            refuse(f"stride {self.stride} and dilation {self.dilation} must be >= 1, padding {self.padding} >= 0")
        if self.C % self.G or self.M % self.G:
            refuse(f"C={self.C} and M={self.M} must be multiples of the groups G={self.G}")
        if self.kind == "depthwise" and self.C != self.G:
            refuse(f"a depthwise layer has one group per channel, not G={self.G} for C={self.C}")
        if self.kind == "fc" and (self.H, self.W, self.R, self.S) != (1, 1, 1, 1):
            refuse("a fully connected layer has H=W=R=S=1 (flatten its input into C)")
        if self.kind == "pool" and self.pool not in POOLS:
            refuse(f"pool={self.pool!r} must be one of {POOLS}")
        if self.kind in FUNCTIONS:
            for name in self.computed.split("+"):
                if name not in FUNCTIONS[self.kind]:
                    refuse(f"function {name!r} must be one of {', '.join(FUNCTIONS[self.kind])}")
        self._check_inputs(refuse)
        if self.activation not in ACTIVATIONS:
            refuse(f"activation={self.activation!r} must be one of {ACTIVATIONS}")
        for what in ("weights", "input_elements", "output_elements"):
            if getattr(self, what) > LIMIT_ELEMENTS:
                size = getattr(self, what)
                refuse(f"{size} {what.replace('_', ' ')}; {LIMIT_ELEMENTS} is the limit (check sizes and batch)")
        if self.E < 1 or self.F < 1:
            refuse(f"filter {self.R}x{self.S} does not fit the padded input {self.H}x{self.W} (padding {self.padding})")

    def _check_inputs(self, refuse: Callable[[str], NoReturn]) -> None:
        if self.dynamic and self.kind != "matmul":
            refuse(f"only a matmul can be dynamic, not kind '{self.kind}'")
        if self.dynamic and self.N > 1:
            refuse(f"N={self.N}: a dynamic product has N=1 (its items are groups G, each with an operand of its own)")
        if not self.inputs or (self.kind not in JOINING and len(self.inputs) != 1 + self.dynamic):
            refuse(f"reads {len(self.inputs)} inputs; kind '{self.kind}' reads {1 + self.dynamic}")
        if self.input_sizes and not self.dynamic and self.kind not in SIZED:
            refuse(f"kind '{self.kind}' has no input_sizes")
        if self.input_sizes and (len(self.input_sizes) != len(self.inputs) or min(self.input_sizes) < 1):
            refuse(f"input_sizes {self.input_sizes} must be one size for each of {len(self.inputs)} inputs")

    @property
    def computed(self) -> str:
        """Function of a kind that has one (FUNCTIONS), several joined by '+'; '' of other kinds."""
        return self.function or ""

    @property
    def has_macs(self) -> bool:
        """Whether the array computes it; other layers run on the post-processing unit."""
        return self.kind in MAC_KINDS

    @cached_property
    def window(self) -> Window:
        """Which places of the map every output reads; the shape of each layer's window, one of a single place too."""
        return Window(self._axis(0, self.H, self.R), self._axis(1, self.W, self.S))

    def _axis(self, axis: int, size: int, kernel: int) -> Axis:
        before, after = self.padding[2 * axis : 2 * axis + 2]
        spaced = self.stride[axis], self.dilation[axis], before, after
        outputs = outputs_of(size, kernel, *spaced, ceil=self.ceil_mode, begins_inside=self.kind == "pool")
        return Axis(size, kernel, *spaced, outputs)

    @cached_property
    def E(self) -> int:
        """Rows of the output map."""
        return self.window.rows.outputs

    @cached_property
    def F(self) -> int:
        """Columns of the output map."""
        return self.window.columns.outputs

    @property
    def geometry(self) -> np.ndarray:
        """[14] int64 of groups, channels of a group and window, as kernels take it (cython_core/window.pxd)."""
        return self.window.geometry(self.G, self.C // self.G)

    @property
    def K(self) -> int:
        """Products per output: (C/G)*R*S, in C, R, S order."""
        return self.C // self.G * self.R * self.S

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(M, C/G, R, S)"""
        return (self.M, self.C // self.G, self.R, self.S)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)"""
        return (self.N, self.C, self.H, self.W)

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """(N, M, E, F)"""
        return (self.N, self.M, self.E, self.F)

    @property
    def input_elements(self) -> int:
        """N*C*H*W, of one input map."""
        return self.N * self.C * self.H * self.W

    @property
    def output_elements(self) -> int:
        """N*M*E*F"""
        return self.N * self.M * self.E * self.F

    @property
    def weights(self) -> int:
        """M*(C/G)*R*S; 0 for layers without MACs."""
        return self.M * self.K if self.has_macs else 0

    @property
    def params(self) -> int:
        """Stored parameters: weights, bias, batch-norm scale and shift."""
        weights = 0 if self.dynamic else self.weights
        return weights + self.M * (int(self.bias) + 2 * int(self.bn))

    @property
    def macs(self) -> int:
        """macs_nominal = N*M*E*F*(C/G)*R*S, padding taps included."""
        return self.N * self.E * self.F * self.weights

    @cached_property
    def macs_nonpad(self) -> int:
        """Nominal MACs without those whose input lies in the padding."""
        if not self.has_macs:
            return 0
        return self.N * self.M * (self.C // self.G) * self.window.rows.products * self.window.columns.products

    def lowered(self) -> "Layer":
        """The same products as a 1x1 layer whose input is the im2col matrix: G*K channels, E x F."""
        return replace(
            self, kind="conv", C=self.G * self.K, H=self.E, W=self.F, R=1, S=1, stride=(1, 1), padding=(0, 0, 0, 0),
            dilation=(1, 1),
        )  # fmt: skip

    def padded(self) -> "Layer":
        """The same outputs of a map that has all its padding in it (``window.sides`` around the former)."""
        (top, bottom), (left, right) = self.window.sides
        return replace(self, H=self.H + top + bottom, W=self.W + left + right, padding=(0, 0, 0, 0))
