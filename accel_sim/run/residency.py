"""Maps that stay on chip between layers: which of a network's tensors, and what that leaves for the layers around them.

A map stays in the outermost on-chip level that holds inputs and outputs together, from the layer that makes it to the
last that reads it, if every layer in between still finds room for its own tiles: fire modules, or a depthwise layer and
the pointwise one behind it.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

from accel_sim.dataflows.common import input_bytes_bound
from accel_sim.mapping.buffer import Buffer
from accel_sim.values.address_map import AddressMap
from accel_sim.values.map_layout import packed_bytes
from accel_sim.values.tile import Extent, Stream
from workloads.layer import Layer
from workloads.network import Network
from workloads.registry import InputError


@dataclass
class Residency:
    """buffers: of the machine; running: names of the layers that run, or none if nothing may stay.

    kept: tensor -> (first address, last + 1, numbers of the layer that makes it and of the last that reads it).
    """

    network: Network
    addresses: AddressMap
    buffers: dict[str, Buffer]
    running: frozenset[str]
    kept: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.running:
            self._choose()

    @cached_property
    def level(self) -> str:
        """The level maps stay in."""
        inputs, outputs = self.buffers["inputs"].path[0], self.buffers["outputs"].path[0]
        if inputs.level != outputs.level:
            raise InputError(
                f"mapping.keep_maps: inputs come into level '{inputs.level}', outputs leave from '{outputs.level}': "
                f"expected one level that holds both"
            )
        return inputs.level

    @cached_property
    def room(self) -> int:
        """Bytes of the level that inputs and outputs share."""
        _ = self.level
        return self.buffers["inputs"].path[0].bytes + self.buffers["outputs"].path[0].bytes

    def _choose(self) -> None:
        """Keeps tensors in the order they are made, as long as every layer in their lifetime finds room."""
        layers = self.network.layers
        readers: dict[str, int] = {}
        for number, layer in enumerate(layers):
            for name in layer.inputs:
                readers[name] = number
        for layer in reversed(layers):  # what is joined lives as long as what it is joined to
            if self.addresses.joins(layer):
                for name in layer.inputs:
                    readers[name] = max(readers.get(name, 0), readers.get(layer.name, -1))
        encoded = {layer.inputs[-1] for layer in layers if layer.dynamic}  # read as weights are, from outside
        joined = {name for layer in layers if self.addresses.joins(layer) for name in layer.inputs}
        for number, layer in enumerate(layers[:-1]):
            if layer.name not in readers or self.addresses.joins(layer) or layer.name in encoded:
                continue
            if layer.name not in self.running:
                continue
            size, begin = self._bytes(layer.name), self.addresses.tensors[layer.name].address
            trial = (begin, begin + size, number, readers[layer.name])
            span = range(number, readers[layer.name] + 1)
            self.kept[layer.name] = trial
            if any(self._least(layers[at], at) > self.room for at in span):
                del self.kept[layer.name]
        for layer in layers:  # a map joined of parts is read as a whole: all parts stay, or none
            if self.addresses.joins(layer) and not all(name in self.kept for name in layer.inputs):
                for name in joined.intersection(layer.inputs):
                    self.kept.pop(name, None)

    def _bytes(self, tensor: str) -> int:
        return packed_bytes(self.network.elements(tensor), self.addresses.tensors[tensor].bits)

    def _live(self, number: int) -> int:
        """Bytes of the maps kept while a layer runs."""
        return sum(end - begin for begin, end, made, last in self.kept.values() if made <= number <= last)

    def _least(self, layer: Layer, number: int) -> int:
        """Bytes that a layer needs: maps that stay, and an output row of what does not."""
        stored, need = self.addresses.tensors, self._live(number)
        if self.addresses.joins(layer):
            return need
        inputs, outputs = self.buffers["inputs"].path[0], self.buffers["outputs"].path[0]
        if not self.holds_inputs(layer):
            need += 2 * inputs.slots * input_bytes_bound(layer, stored[layer.inputs[0]].bits, layer.F, layer.C)
        if layer.name not in self.kept:
            need += 2 * outputs.slots * packed_bytes(layer.F * layer.M, stored[layer.name].bits)
        return need

    def holds_inputs(self, layer: Layer) -> bool:
        """All maps the layer reads are on chip."""
        return all(self._whole(name) for name in layer.inputs)

    def _whole(self, name: str) -> bool:
        if name in self.kept:
            return True
        number = self._numbers.get(name)
        layer = None if number is None else self.network.layers[number]
        return layer is not None and self.addresses.joins(layer) and all(map(self._whole, layer.inputs))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Layer -> its place in the network."""
        return {layer.name: number for number, layer in enumerate(self.network.layers)}

    def shares(self, layer: Layer) -> dict[str, Buffer]:
        """The machine's buffers as one layer finds them: what stays is there whole, the rest shares what is left."""
        if not self.kept:
            return self.buffers
        number = self._numbers[layer.name]
        holds, left = self.holds_inputs(layer), self.room - self._live(number)
        begin, end, *_ = self.kept.get(layer.name, (0, 0))
        part = left if holds else left // 2  # of what is left, outputs take
        shares = {"inputs": self.room if holds else left - part, "outputs": end - begin + part}
        return self.buffers | {operand: _outermost(self.buffers[operand], size) for operand, size in shares.items()}

    def moved(self, streams: tuple[Stream, ...], origin: str) -> tuple[Stream, ...]:
        """The streams without what stays on chip."""
        if not self.kept:
            return streams
        return tuple(filter(None, (self._without(stream, origin) for stream in streams)))

    def _without(self, stream: Stream, origin: str) -> Stream | None:
        if stream.tensor not in ("inputs", "outputs") or origin not in (stream.source, stream.target):
            return stream
        left = tuple(extent for extent in stream.extents if not self._stays(extent))
        return replace(stream, extents=left) if left else None

    def _stays(self, extent: Extent) -> bool:
        return any(begin <= extent.address < end for begin, end, _, _ in self.kept.values())


def _outermost(buffer: Buffer, size: int) -> Buffer:
    """The buffer with another share of the outermost level of its path."""
    if not buffer.outer:
        return replace(buffer, bytes=size)
    outer = (replace(buffer.outer[0], bytes=size), *buffer.outer[1:])
    return replace(buffer, outer=outer)
