"""Where each tensor of a network lies in the outermost memory level."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from workloads.layer import Layer
from workloads.network import Network

#: every tensor begins at a multiple of this
ALIGNMENT = 64


@dataclass(frozen=True)
class Placement:
    """Byte addresses of one layer's tensors in ``level``; inputs: one per tensor it reads.

    weights: of a dynamic matmul, its second input; encoded: room for that input once it is encoded as weights are;
    room: bytes there, or for weights of its own. take: bytes -> address of room for what a dataflow lays down beside
    them.
    """

    level: str
    inputs: tuple[int, ...]
    weights: int
    outputs: int
    partial_sums: int
    encoded: int
    room: int
    take: Callable[[int], int]


@dataclass
class AddressMap:
    """Tensors one behind the other; what a concat joins lies inside the joined map, so that joining moves nothing.

    level: name of the outermost memory; code_bits: width of a stored activation; columns: into which a format may deal
    the weights, each with pointers of its own (0 = plain weights).
    """

    network: Network
    level: str
    code_bits: int
    columns: int
    tensors: dict[str, int] = field(default_factory=dict)
    top: int = 0

    def __post_init__(self):
        C, H, W = self.network.input_shape
        self.tensors["input"] = self._take(self.network.batch * self._map_bytes(C, H * W))
        for name, shape in self.network.side_inputs.items():
            self.tensors[name] = self._take(-(-math.prod(shape) * self.code_bits // 8))
        for layer in reversed(self.network.layers):  # a concat is placed before what it joins
            if layer.name not in self.tensors:
                self.tensors[layer.name] = self._take(self.bytes_of(layer))
            if layer.kind == "concat":
                offset = self.tensors[layer.name]
                for source in layer.inputs:
                    self.tensors.setdefault(source, offset)
                    offset += self.bytes_of(self.network[source]) if source != "input" else 0

    def place(self, layer: Layer) -> Placement:
        """Addresses of a layer's tensors; weights and partial sums get room of their own at each call."""
        inputs = tuple(self.tensors[name] for name in layer.inputs)
        room = 4 * (layer.weights + layer.G * layer.K * self.columns) + 4096
        own = self._take(room if layer.has_macs else 0)
        sums = self._take(8 * layer.output_elements if layer.has_macs else 0)
        weights = inputs[-1] if layer.dynamic else own
        return Placement(self.level, inputs, weights, self.tensors[layer.name], sums, own, room, self._take)

    def _take(self, size: int) -> int:
        address, self.top = self.top, self.top + -(-size // ALIGNMENT) * ALIGNMENT
        return address

    def _map_bytes(self, channels: int, plane: int) -> int:
        return channels * -(-plane * self.code_bits // 8)

    def bytes_of(self, layer: Layer) -> int:
        """Of a layer's output map."""
        return layer.N * self._map_bytes(layer.M, layer.E * layer.F)
