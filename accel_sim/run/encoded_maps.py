"""Maps of activations that lie encoded in the outermost memory, whatever machine reads and writes them.

Dataflows and the post-processing unit see plain maps, as they lie on chip: between the two the streams of their tiles
become those of the encoded blocks, which the post unit makes as outputs leave and a decoder undoes as inputs come.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from accel_sim.values import regions
from accel_sim.values.address_map import AddressMap
from accel_sim.values.encoded_map import EncodedMap
from accel_sim.values.errors import CheckError
from accel_sim.values.tile import Stream
from workloads.encoding import Encoding, encodings
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.registry import InputError


@dataclass
class EncodedMaps:
    """encoding: of maps; None: all lie plain. codes: name of a tensor -> its codes, asked for when it is first moved.

    made: tensor -> how it lies, None for one of which nothing says what its codes are: that lies plain.
    """

    addresses: AddressMap
    encoding: Encoding | None
    codes: Callable[[str], Codes]
    made: dict[str, EncodedMap | None] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)
    _checked: set[str] = field(default_factory=set)
    _anew: bool = False

    @cached_property
    def _places(self) -> tuple[list[str], np.ndarray]:
        """(tensors in the order of their addresses, [n, 2] first and last + 1 plain byte of each)."""
        tensors = self.addresses.tensors
        names = sorted(tensors, key=lambda name: tensors[name].address)
        sizes = [(tensors[name].address, tensors[name].address + self.addresses.bytes(name)) for name in names]
        return names, np.array(sizes, np.int64).reshape(-1, 2)

    def _map(self, name: str) -> EncodedMap | None:
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def _make(self, name: str) -> EncodedMap | None:
        """Where the map would lie plain if there is room for it, else at a place of its own."""
        assert self.encoding is not None
        stored, codes = self.addresses.tensors[name], self.codes(name)
        if codes.format.bits != stored.bits or codes.values.size != self.addresses.network.elements(name):
            return None
        found = EncodedMap(name, codes, self.encoding, stored.address, stored.address)
        if found.tensor.table_bits:
            kind = encodings.name_of(self.encoding)
            raise InputError(
                f"encodings.outputs: encoding '{kind}' makes a table of a whole map before it encodes it, "
                f"but the post unit encodes outputs as they come"
            )
        fits = found.bytes <= self.addresses.bytes(name)
        return found if fits else replace(found, address=self.addresses.take(found.bytes))

    def moved(self, streams: tuple[Stream, ...], origin: str) -> tuple[Stream, ...]:
        """A tile's streams as they are with encoded maps."""
        if self.encoding is None:
            return streams
        return tuple(each for stream in streams for each in self._encoded(stream, origin))

    def _encoded(self, stream: Stream, origin: str) -> Iterator[Stream]:
        if origin not in (stream.source, stream.target) or stream.tensor == "partial_sums":
            yield stream
            return
        spans = regions.intervals(stream.extents)
        names, places = self._places
        owner = np.searchsorted(places[:, 0], spans[:, 0], side="right") - 1
        inside = (owner >= 0) & (spans[:, 0] < places[np.maximum(owner, 0), 1])
        owner = np.where(inside, owner, -1)
        for number in np.unique(owner):
            held = None if number < 0 else self._map(names[number])
            mine = spans[owner == number]
            self._anew |= number < 0 and stream.tensor == "inputs"
            if held is not None:
                yield from self._of_map(stream, held, mine)
            elif (owner == number).all():
                yield stream
            else:
                yield replace(stream, extents=regions.extents(mine))

    def _of_map(self, stream: Stream, held: EncodedMap, spans: np.ndarray) -> Iterator[Stream]:
        """spans: [n, 2] plain bytes of one map. What is made of a block that is not complete waits in the post unit."""
        plain = int((spans[:, 1] - spans[:, 0]).sum())
        bits = held.codes.format.bits
        if not stream.is_write:
            extents, codes = held.read(spans)
            yield replace(stream, extents=extents, values=codes, values_bits=bits, plain=plain)
            return
        plain += self._waiting.pop(held.name, 0)
        extents, codes = held.written(spans)
        if extents:
            yield replace(stream, extents=extents, values=codes, values_bits=bits, plain=plain)
        else:
            self._waiting[held.name] = plain

    def check(self, layer: Layer) -> None:
        """CheckError if the stream of a map that a layer has moved is not as long as its parts, or gives back other
        codes than were encoded."""
        for name in (*layer.inputs, layer.name):
            held = self.made.get(name)
            if held is None or name in self._checked:
                continue
            self._checked.add(name)
            if not np.array_equal(held.decoded(), held.symbols()):
                raise CheckError(f"layer '{layer.name}': map '{name}' decodes to other codes than were encoded")

    def notes(self, layer: Layer) -> Iterator[str]:
        """What the user should know of the map that a layer makes."""
        if self._anew:
            self._anew = False
            yield "its inputs lie plain: they were laid out anew for this layer"
        if self.encoding is None or layer.name not in self.made:
            return
        held, name = self.made[layer.name], encodings.name_of(self.encoding)
        if held is None:
            yield f"its map lies plain, not as {name}: nothing says what its codes are"
        elif held.bytes > held.plain_bytes:
            yield (
                f"{name} makes its map larger: {held.bytes:,} bytes, {held.pointer_bytes:,} of them pointers, "
                f"{held.plain_bytes:,} plain"
            )
