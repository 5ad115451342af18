"""The post-processing unit: layers without MACs, bias, requantisation and activation (docs/model.md 5)."""

from dataclasses import dataclass

from accel_sim.values.actions import Actions
from accel_sim.values.checks import require
from workloads.layer import Layer

#: operations per output element: one compare or add per tap or input map, a multiply where values are scaled; LRN and
#: softmax from their formulas (a square and an add per tap, power, multiply; max, subtract, exponential, sum, divide);
#: shuffle, move and a concat that is no mere placement one move; layer norm: two sums, difference, square, and three
#: multiplies and adds of the deviation, gain and shift
OPERATIONS = {
    "relu": 1, "relu6": 1, "concat": 1, "shuffle": 1, "move": 1, "batchnorm": 2, "softmax": 5,
    "layernorm": 7,
}  # fmt: skip
#: operations per output element of what an elementwise layer computes; 1 where it is not here (a compare, an add, a
#: multiply, or one look-up of a tabulated function: exp, log, sqrt, erf, sin)
FUNCTION_OPERATIONS = {
    "sigmoid": 3,  # exp, add, divide
    "tanh": 4,  # exp, add, subtract, divide
    "hardsigmoid": 3,  # multiply, add, clip
    "hardswish": 4,  # hardsigmoid, multiply
    "swish": 4,  # sigmoid, multiply
    "softplus": 3,  # exp, add, log
    "mish": 8,  # softplus, tanh, multiply
    "gelu": 5,  # scale, erf, add, two multiplies
    "elu": 4,  # compare, exp, subtract, multiply
    "leakyrelu": 2,  # compare, multiply
    "softsign": 3,  # magnitude, add, divide
    "quantise": 3,  # multiply, round, clip
}
#: bias, rescale and clip of a sum that leaves the array
REQUANTISE = 1
#: a code of a map that leaves encoded: compared with zero, and laid behind the one before
ENCODE = 1


def operations(layer: Layer) -> int:
    """Operations per output element of a layer on this unit."""
    if layer.has_macs:
        return REQUANTISE
    if layer.kind == "lrn":
        return 2 * layer.lrn.size + 2
    if layer.kind == "add":
        return len(layer.inputs)
    if layer.kind in ("pool", "reduce"):
        return layer.R * layer.S + (1 if layer.pool == "avg" else 0)
    if layer.kind == "elementwise":
        return sum(FUNCTION_OPERATIONS.get(name, 1) for name in layer.computed.split("+"))
    return OPERATIONS[layer.kind]


@dataclass(frozen=True)
class PostUnit:
    """lanes: elements at once; ops_per_cycle: operations a lane does in one cycle; pj_per_op: energy of one, None =
    a 32-bit addition of the energy table."""

    lanes: int = 16
    ops_per_cycle: int = 1
    pj_per_op: float | None = None

    def __post_init__(self) -> None:
        require(self, 1, "lanes", "ops_per_cycle")
        require(self, 0, "pj_per_op")

    def cycles(self, ops: int) -> int:
        """Cycles of so many operations."""
        return -(-ops // (self.lanes * self.ops_per_cycle))

    def actions(self, ops: int) -> Actions:
        """Operations, all of 32 bits."""
        return Actions({("post", "op", 32): ops})
