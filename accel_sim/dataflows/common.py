"""What dataflows share: what they know of a layer, where tensors lie, and how one maps its layer to tiles."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import Nest
from accel_sim.values.channel_last import PixelMap
from accel_sim.values.map_layout import StoredMap, packed_bytes
from accel_sim.values.tile import Extent, Tile
from workloads.encoding import Encoding, encodings
from workloads.encodings.dense import Dense
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.operands import MacOperands
from workloads.registry import InputError


@dataclass(frozen=True)
class Facts:
    """What a dataflow knows of a whole layer: macs_issued; weight_bits as the machine stores them (pointers and
    codebook included); tile_count; notes for the user, one sentence each. file_words: words of each component of
    accel_sim.energy.registers that is a register file in this machine."""

    macs_issued: int
    weight_bits: int
    tile_count: int
    notes: tuple[str, ...] = ()
    file_words: Mapping[str, int] = field(default_factory=dict)


class TiledLayer(Protocol):
    """One layer cut into tiles; ``execute`` issues a tile's products for a checked run.

    A machine that stores weights encoded may have ``prelude`` too: tiles of the post-processing unit that are complete
    before the first of these begins.
    """

    @property
    def facts(self) -> Facts:
        """What is known of the whole layer."""

    @property
    def nest(self) -> Nest:
        """The loops around the tiles."""

    def __iter__(self) -> Iterator[Tile]: ...

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        """sums: [N*E*F, M] int64, updated product by product; returns the overflows."""


def input_extents(
    layer: Layer, stored: StoredMap, pixels: tuple[int, int], channels: tuple[int, int]
) -> tuple[Extent, ...]:
    """Bytes of a stored N, C, H, W map that a range of output pixels reads.

    pixels: [first, last) in N, E, F order; channels: [first, last). Whole rows of the map are moved, except where all
    pixels lie in one output row.
    """
    H, W = layer.H, layer.W
    count = channels[1] - channels[0]
    extents: list[Extent] = []
    for n, (top, bottom), columns in layer.window.boxes(*pixels):
        if isinstance(stored, PixelMap):
            extents += stored.box((layer.C, H, W), n, (top, bottom), columns or (0, W), channels)
            continue
        start, height = ((n * layer.C + channels[0]) * H + top) * W, bottom - top
        if columns is None:
            extents += stored.read(start, height * W, count, H * W)
            continue
        for c in range(count):
            extents += stored.read(start + c * H * W + columns[0], columns[1] - columns[0], height, W)
    return stored.once(extents)


def input_bytes_bound(layer: Layer, bits: int, pixels: int, channels: int) -> int:
    """No range of ``pixels`` output pixels that begins at a multiple of its length needs more room for ``channels``."""
    return packed_bytes(layer.window.most_read(pixels, layer.N) * channels, bits)


def window_bytes(layer: Layer, bits: int, pixels: int, channels: int) -> int:
    """Room for what ``pixels`` output pixels of one output row read of ``channels``, at most."""
    return packed_bytes(layer.window.most_read_in_row(pixels) * channels, bits)


def output_extents(
    layer: Layer, stored: StoredMap, pixels: tuple[int, int], channels: tuple[int, int]
) -> tuple[Extent, ...]:
    """Bytes of the stored N, M, E, F output map that a range of pixels and channels writes (plane-wise runs)."""
    first, last = pixels
    if isinstance(stored, PixelMap):
        return stored.written(first * layer.M + channels[0], channels[1] - channels[0], last - first, layer.M)
    plane = layer.window.plane
    extents: list[Extent] = []
    for n, low, high in layer.window.images(first, last):
        start = (n * layer.M + channels[0]) * plane + low
        extents += stored.written(start, high - low, channels[1] - channels[0], plane)
    return tuple(extents)


def lies_in(layer: Layer, encoding: Encoding) -> Encoding:
    """How the weights of an array of plain weights lie in the outermost memory: as the machine encodes them, but plain
    where they are activations, which nobody has encoded."""
    return Dense() if layer.dynamic else encoding


def encoding_notes(codes: Codes, encoding: Encoding, stored_bytes: int, pointer_bytes: int) -> Iterator[str]:
    """Where encoded weights are larger than plain ones. pointer_bytes: those of the stored ones that are pointers or
    counts."""
    plain = -(-codes.values.size * codes.format.plain_bits // 8)
    if not encoding.plain and stored_bytes > plain:
        pointers = f", {pointer_bytes:,} of them pointers" if pointer_bytes else ""
        name = encodings.name_of(encoding)
        yield f"{name} makes the weights larger: {stored_bytes:,} bytes{pointers}, {plain:,} plain"


def plain_weights(
    dataflow: str, layer: Layer, operands: MacOperands, encoding: Encoding, buffer: Buffer
) -> tuple[MacOperands, Codes]:
    """For PEs without a codebook: the operands with weights already looked up, and the weights as DRAM holds them.

    encoding, buffer: of the weights. InputError if they are still encoded in the level next to the array.
    """
    if buffer.compressed:
        raise InputError(
            f"dataflow '{dataflow}' reads plain weights: take weights out of `compressed` of level "
            f"'{buffer.level}' (a decoder stands before the first level without it)"
        )
    plain = replace(operands, weights=operands.weights.plain())
    return plain, plain.weights if lies_in(layer, encoding).plain else operands.weights


def check_codebook(layer: Layer, codes: Codes, codebook_bits: int) -> None:
    """InputError if an entry of the layer's codebook is wider than the field that holds it."""
    form = codes.format
    if form.codebook is not None and form.value_bits > codebook_bits:
        raise InputError(
            f"layer '{layer.name}': dataflow.codebook_bits={codebook_bits} cannot hold its codebook's entries, "
            f"{min(form.codebook)} to {max(form.codebook)}: raise it to at least {form.value_bits}"
        )
