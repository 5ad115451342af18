"""Second operands that are activations: a machine that stores weights encoded has to encode them first."""

from collections.abc import Iterator

from accel_sim.actions import Actions
from accel_sim.address_map import Placement
from accel_sim.dataflows.common import Buffer, read, write
from accel_sim.tile import Extent, PostWork, Tile


def encoding_tiles(
    count: int, bits: int, stream: int, pieces: int, buffers: dict[str, Buffer], placement: Placement
) -> Iterator[Tile]:
    """``count`` plain codes of ``bits`` become a stream of so many bytes, in ``pieces`` tiles.

    The operand lies in memory as plain codes: the post-processing unit reads, encodes and writes it.
    """
    inputs, outputs = buffers["inputs"], buffers["outputs"]
    for piece in range(pieces):
        first, last = piece * count // pieces, (piece + 1) * count // pieces
        left, right = first * bits // 8, -(-last * bits // 8)
        low, high = piece * stream // pieces, (piece + 1) * stream // pieces
        streams = (
            read("inputs", "inputs", (Extent(placement.weights + left, right - left),), placement, inputs),
            write("outputs", "outputs", (Extent(placement.encoded + low, high - low),), placement, outputs),
        )
        accesses = Actions({(inputs.level, "read", bits): last - first})
        accesses[outputs.level, "write", outputs.word_bits] += -(-(high - low) * 8 // outputs.word_bits)
        yield Tile(PostWork(), streams, accesses, last - first)
