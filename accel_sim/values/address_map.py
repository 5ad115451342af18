"""Where each tensor of a network lies in the outermost memory level."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from accel_sim.values.channel_last import PixelMap
from accel_sim.values.map_layout import StoredMap, packed_bytes, padding_note
from workloads.layer import Layer
from workloads.network import Network
from workloads.registry import InputError

#: every tensor begins at a multiple of this
ALIGNMENT = 64


@dataclass(frozen=True)
class Placement:
    """Where one layer's tensors lie in ``level``; inputs: one per tensor it reads.

    weights: byte address (of a dynamic matmul, its second input); encoded: room for that input once it is encoded as
    weights are; room: bytes there, or for weights of its own. partial_sums: byte address. take: bytes -> address of
    room for what a dataflow lays down beside them.
    """

    level: str
    inputs: tuple[StoredMap, ...]
    weights: int
    outputs: StoredMap
    partial_sums: int
    encoded: int
    room: int
    take: Callable[[int], int]


@dataclass
class AddressMap:
    """Tensors one behind the other, each at the width of its codes; what a concat joins lies inside the joined map, so
    that joining moves nothing.

    level: name of the outermost memory; columns: into which a format may deal the weights, each with pointers of its
    own (0 = plain weights). pixels: channels lie last, each pixel in whole bytes. apart: none lies inside another, so
    that joining copies. tensors: name -> where it lies.
    """

    network: Network
    level: str
    columns: int
    pixels: bool = False
    apart: bool = False
    tensors: dict[str, StoredMap] = field(default_factory=dict)
    top: int = 0
    _copied: set[str] = field(default_factory=set)
    _parts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        network = self.network
        for name in ("input", *network.side_inputs):
            self._store(name)
        for layer in reversed(network.layers):  # a concat is placed before what it joins
            if layer.name not in self.tensors:
                self._store(layer.name)
            if layer.kind != "concat":
                continue
            if not self._fits_together(layer):
                self._copied.add(layer.name)
                continue
            whole = self.tensors[layer.name]
            self._parts.update(layer.inputs)
            if isinstance(whole, PixelMap):
                first = 0
                for source in layer.inputs:
                    self.tensors[source] = whole.part(first, self.network[source].M)
                    first += self.network[source].M
                continue
            bit = whole.bit
            for source in layer.inputs:
                self.tensors[source] = replace(whole, bit=bit)
                bit += network.elements(source) * whole.bits

    def _fits_together(self, concat: Layer) -> bool:
        """All that it joins can lie side by side: nothing has a place elsewhere, twice, or at another width."""
        names, bits = concat.inputs, self.tensors[concat.name].bits
        if self.apart:
            return False
        if self.pixels and concat.reshaped:
            return False
        return len(set(names)) == len(names) and not any(
            name in self.tensors or self.network.code_bits(name) != bits for name in names
        )

    def joins(self, layer: Layer) -> bool:
        """A concat that moves nothing, for its inputs are written side by side; others are copied."""
        return layer.kind == "concat" and layer.name not in self._copied

    def moved(self, layer: Layer) -> tuple[Layer, tuple[str, ...]]:
        """(what a layer without MACs moves, notes): a concat that cannot be mere placement is a copy."""
        if layer.name not in self._copied:
            return layer, ()
        note = "a part lies elsewhere already, or has codes of another width"
        note = f"copies what it joins: {'an encoded map lies in one piece' if self.apart else note}"
        return replace(layer, kind="move", input_sizes=tuple(map(self.network.elements, layer.inputs))), (note,)

    def padding(self, layer: Layer) -> Iterator[str]:
        """A sentence for the map that a layer makes, and for each of the network's own that it reads, if padding makes
        it noticeably larger. The parts of a joined map are not padded."""
        for name in (*layer.inputs, layer.name):
            if name in (layer.name, "input", *self.network.side_inputs) and name not in self._parts:
                values, bits = self.network.elements(name), self.tensors[name].bits
                what = "its map takes" if name == layer.name else f"'{name}' takes"
                last = isinstance(self.tensors[name], PixelMap)
                yield from padding_note(what, self.bytes(name), values * bits, "a pixel" if last else "a map")

    def bytes(self, name: str) -> int:
        """Of a tensor as it lies in memory, padding included; of a part of a joined map its codes alone."""
        stored, values = self.tensors[name], self.network.elements(name)
        if isinstance(stored, PixelMap) and name not in self._parts:
            return values // stored.channels * stored.pixel // 8
        return packed_bytes(values, stored.bits)

    def place(self, layer: Layer) -> Placement:
        """Where a layer's tensors lie; weights and partial sums get room of their own at each call."""
        inputs = tuple(self.tensors[name] for name in layer.inputs)
        room = 4 * (layer.weights + layer.G * layer.K * self.columns) + 4096
        own = self.take(room if layer.has_macs else 0)
        sums = self.take(8 * layer.output_elements if layer.has_macs else 0)
        weights = inputs[-1].address if layer.dynamic else own
        second = inputs[-1]
        if layer.dynamic and isinstance(second, PixelMap) and second.pixel != second.channels * second.bits:
            raise InputError(
                f"layer '{layer.name}': mapping.map_layout=nhwc: its second operand, pixels of {second.channels} codes "
                f"of {second.bits} bits, is read without a gap: choose nchw, or a width that fills bytes"
            )
        return Placement(self.level, inputs, weights, self.tensors[layer.name], sums, own, room, self.take)

    def _store(self, name: str) -> None:
        values, bits = self.network.elements(name), self.network.code_bits(name)
        if not self.pixels or name in self.network.side_inputs:
            self.tensors[name] = StoredMap.at(self.take(packed_bytes(values, bits)), bits, values)
            return
        channels = self.network.input_shape[0] if name == "input" else self.network[name].M
        size = values // channels * packed_bytes(channels, bits)
        self.tensors[name] = PixelMap.of(self.take(size), bits, values // channels, channels)

    def take(self, size: int) -> int:
        """Address of room for so many bytes, of nobody else."""
        address, self.top = self.top, self.top + -(-size // ALIGNMENT) * ALIGNMENT
        return address
