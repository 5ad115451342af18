"""What elementwise layers and reductions compute of real values, where the network holds all that it takes.

A network keeps the name of a function and not its constants (a slope, bounds, which of several comparisons): functions
that have some are in ``UNKNOWN`` with what is missing, and a forward pass through them is refused.
"""

import math
from collections.abc import Callable
from functools import reduce

import numpy as np

from workloads.layer import Layer
from workloads.registry import InputError

UNARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "sin": np.sin,
    "cos": np.cos,
    "erf": lambda x: np.vectorize(math.erf, otypes=[float])(x),
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (1 + np.tanh(x / 2)),
    "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "not": lambda x: (x == 0).astype(np.float64),
}
#: of two or more maps, in any order
COMMUTATIVE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "add": np.add,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "and": lambda a, b: ((a != 0) & (b != 0)).astype(np.float64),
    "or": lambda a, b: ((a != 0) | (b != 0)).astype(np.float64),
    "xor": lambda a, b: ((a != 0) ^ (b != 0)).astype(np.float64),
}
#: of two maps in this order
BINARY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "sub": np.subtract,
    "div": np.divide,
    "pow": np.power,
}
#: function -> what a network does not say of it
UNKNOWN = {
    "mod": "the sign of its result",
    "where": "its condition",
    "compare": "which comparison",
    "round": "in which direction",
    "hardsigmoid": "its slope",
    "swish": "its slope",
    "gelu": "which approximation",
    "elu": "its scale",
    "leakyrelu": "its slope",
    "clip": "its bounds",
    "quantise": "its scale",
}
REDUCE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sum": lambda x: x.sum(axis=-1),
    "min": lambda x: x.min(axis=-1),
    "prod": lambda x: x.prod(axis=-1),
    "l1": lambda x: np.abs(x).sum(axis=-1),
    "l2": lambda x: np.sqrt((x * x).sum(axis=-1)),
    "sumsquare": lambda x: (x * x).sum(axis=-1),
    "logsumexp": lambda x: np.logaddexp.reduce(x, axis=-1),
    "argmax": lambda x: x.argmax(axis=-1).astype(np.float64),
    "argmin": lambda x: x.argmin(axis=-1).astype(np.float64),
}


def elementwise(layer: Layer, maps: list[np.ndarray]) -> np.ndarray:
    """maps: [N, C, H, W] real values that broadcast -> the same; InputError where the layer does not say it all."""
    names = layer.computed.split("+")
    for name in names:
        if name in UNKNOWN:
            raise _refused(layer, f"the network does not keep {UNKNOWN[name]} of '{name}'")
    with np.errstate(all="ignore"):  # what is not finite is refused
        if len(maps) == 1 and all(name in UNARY for name in names):
            made = reduce(lambda values, name: UNARY[name](values), names, maps[0])
        elif len(maps) == len(names) + 1 and len(set(names)) == 1 and names[0] in COMMUTATIVE:
            made = reduce(COMMUTATIVE[names[0]], maps)
        elif len(maps) == 2 and len(names) == 1 and names[0] in BINARY:
            made = BINARY[names[0]](*maps)
        else:  # a constant operand, or several functions whose operands are no longer told apart
            raise _refused(layer, f"the network does not keep all operands of '{layer.function}' ({len(maps)} maps)")
    if made.shape != layer.input_shape:
        raise _refused(layer, f"its maps do not broadcast to {list(layer.input_shape)}")
    return _finite(layer, made)


def reduction(layer: Layer, x: np.ndarray) -> np.ndarray:
    """[N, C, H, W] real values -> [N, C, 1, 1]; InputError where the window is not the map."""
    if (layer.R, layer.S) != (layer.H, layer.W):
        raise _refused(layer, f"'{layer.function}' of a window that is not its whole map")
    with np.errstate(all="ignore"):
        made = REDUCE[layer.computed](x.reshape(layer.N, layer.C, -1))
    return _finite(layer, made[:, :, None, None])


def _finite(layer: Layer, values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise _refused(layer, f"'{layer.function}' makes values that are not finite of these images")
    return values


def _refused(layer: Layer, why: str) -> InputError:
    return InputError(f"layer '{layer.name}': no forward pass through its function: {why}; leave out --image")
