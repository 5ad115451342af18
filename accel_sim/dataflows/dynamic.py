"""Second operands that are activations: a machine that stores weights encoded has to encode them first."""

from collections.abc import Iterator

from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import Loop, Nest
from accel_sim.mapping.staging import Staging
from accel_sim.values.actions import Actions
from accel_sim.values.address_map import Placement
from accel_sim.values.map_layout import StoredMap
from accel_sim.values.tile import Extent, Tile
from accel_sim.works.post import PostWork


def encoding_tiles(
    count: int, bits: int, stream: int, pieces: int, buffers: dict[str, Buffer], placement: Placement
) -> Iterator[Tile]:
    """``count`` plain codes of ``bits`` become a stream of so many bytes, in ``pieces`` tiles.

    The operand lies in memory as plain codes: the post-processing unit reads, encodes and writes it.
    """
    inputs, outputs = buffers["inputs"], buffers["outputs"]
    keeps = {operand: (1,) * len(buffers[operand].path) for operand in ("inputs", "outputs")}
    staging = Staging(Nest((Loop("pixels", max(1, pieces), 1),), keeps), buffers, placement.level)
    stored = StoredMap.at(placement.weights, bits, count)

    def tile(piece: int) -> Tile:
        first, last = piece * count // pieces, (piece + 1) * count // pieces
        low, high = piece * stream // pieces, (piece + 1) * stream // pieces
        plain = stored.written(first, last - first)  # a byte that two pieces share is read once
        encoded = Extent(placement.encoded + low, high - low)
        streams = staging.load("inputs", "inputs", (piece,), lambda _: plain)
        streams += staging.sums((piece,), lambda: (encoded,), tuple)
        accesses = Actions({(inputs.level, "read", inputs.word_bits): inputs.words(last - first, bits)})
        accesses[outputs.level, "write", outputs.word_bits] += outputs.words(high - low, 8)
        return Tile(PostWork(), tuple(streams), accesses, last - first)

    yield from map(tile, range(pieces))
