"""Where a dense array's weights lie in memory: plain, or encoded tile by tile with a decoder in front of the array."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from accel_sim.dataflows.common import encoding_notes
from accel_sim.dataflows.folded.ranges import Ranges
from accel_sim.dataflows.pieces import tap_columns
from accel_sim.mapping.nest import TAPS, Loop, Nest
from accel_sim.values.map_layout import StoredMap, packed_bytes, padding_note
from accel_sim.values.tile import Extent, Field
from workloads.encoding import Encoding, Slices, encodings
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.registry import InputError
from workloads.stored import StoredTensor


@dataclass(frozen=True, eq=False)
class WeightStore:
    """codes: [M, C/G, R, S] as stored; plain_bits: of a code once decoded.

    An encoded layer is a run of chunks, one per tile of the nest (groups, filters, k, taps): a slice per filter, each
    encoded on its own so that a chunk can be read alone, behind a count of its entries in ``pointer_bits`` where the
    encoding wants one. The codebook of ``codebook_bits`` entries and the encoding's table lie before the first chunk.
    Plain filters begin at whole bytes each; what an earlier layer made (a dynamic operand) lies as that layer wrote it,
    value behind value. The weights of a filter lie in C, R, S order; where tiles have some of the taps alone, in (block
    of channels, tap, channel) order.
    """

    layer: Layer
    codes: Codes
    encoding: Encoding
    nest: Nest
    plain_bits: int
    pointer_bits: int = 16
    codebook_bits: int = 16

    @property
    def plain(self) -> bool:
        """Whether weights lie as they are."""
        return self.encoding.plain

    @cached_property
    def overlaps(self) -> bool:
        """Tiles share bytes: k is cut inside a byte."""
        k = self.nest.loops[self.nest.place("k")]
        if self.layer.dynamic or self._taps is not None:
            return self.plain and self.plain_bits % 8 != 0
        return self.plain and k.count > 1 and k.tile * self.plain_bits % 8 != 0

    @property
    def _taps(self) -> Loop | None:
        """The loop that cuts them, if one does."""
        return self.nest.loop(TAPS)

    @cached_property
    def _zero(self) -> np.ndarray:
        """[M, K] int64 the code whose real value is zero."""
        zero = np.broadcast_to(self.codes.zero_points(), self.codes.values.shape)
        return zero.reshape(self.layer.M, self.layer.K).astype(np.int64)

    @cached_property
    def _symbols(self) -> np.ndarray:
        """[M, K] uint32 stored symbols: codes as differences from their zero, in as many bits."""
        values = self.codes.values.reshape(self.layer.M, self.layer.K).astype(np.int64)
        return ((values - self._zero) & ((1 << self.codes.format.bits) - 1)).astype(np.uint32)

    @cached_property
    def _kept(self) -> np.ndarray:
        return np.ascontiguousarray(self.codes.kept().reshape(self.layer.M, self.layer.K).view(np.uint8))

    @cached_property
    def _cuts(self) -> list[np.ndarray]:
        """Of each tile of k and taps, the [n] indices k of its slices."""
        loop, taps = self.nest.loops[self.nest.place("k")], self._taps
        return self._cut(loop.tile, None if taps is None else taps.tile)

    def _cut(self, k_tile: int, tap_tile: int | None) -> list[np.ndarray]:
        K, taps = self.layer.K, self.layer.R * self.layer.S
        spans = [(a, min(a + k_tile, K)) for a in range(0, K, k_tile)]
        if tap_tile is None:
            return [np.arange(*span) for span in spans]
        some = [(t, min(t + tap_tile, taps)) for t in range(0, taps, tap_tile)]
        return [tap_columns(span, each, taps) for span in spans for each in some]

    def _slices(self, cuts: list[np.ndarray]) -> Iterator[Slices]:
        """A run per cut, a slice per filter."""
        for cut in cuts:
            kept = np.ascontiguousarray(self._kept[:, cut])
            yield Slices(kept, self.codes.format.bits, partial(self._symbols_at, cut))

    def _symbols_at(self, cut: np.ndarray) -> np.ndarray:
        return self._symbols[:, cut]

    @cached_property
    def tensor(self) -> StoredTensor:
        """Its slices: the filters' of the first cut, of the second, ..."""
        book = self.codes.format.codebook
        return StoredTensor(
            lambda: self._slices(self._cuts), self.encoding, self.codes.format.bits,
            pointer_bits=self.pointer_bits if self.encoding.counted else 0,
            book_bits=0 if book is None else len(book) * self.codebook_bits,
        )  # fmt: skip

    def _by_filter(self, slices: np.ndarray) -> np.ndarray:
        """[slices] -> [M, cuts]."""
        return slices.reshape(len(self._cuts), self.layer.M).T

    def most_entries(self, k_tile: int, tap_tile: int | None = None) -> int:
        """Of a slice, if k is cut into tiles of this size, and these into so many taps; 0 where nothing counts them."""
        if not self.encoding.counted:
            return 0
        return max(int(self.encoding.entries(each).max()) for each in self._slices(self._cut(k_tile, tap_tile)))

    def countable(self, k_tile: int, tap_tile: int | None = None) -> bool:
        """The count of entries before each slice fits its field, if k is cut into such tiles."""
        most = (1 << self.pointer_bits) - 1
        return k_tile <= most or self.most_entries(k_tile, tap_tile) <= most

    def check_counts(self, k_tile: int, tap_tile: int | None = None) -> None:
        """InputError unless ``countable``: the smallest tile that the dataflow can take."""
        if not self.countable(k_tile, tap_tile):
            most = self.most_entries(k_tile, tap_tile)
            raise InputError(
                f"layer '{self.layer.name}': dataflow.pointer_bits={self.pointer_bits} counts up to "
                f"{(1 << self.pointer_bits) - 1} entries of a filter in a tile, the smallest tile has {most}: raise it "
                f"to at least {most.bit_length()}"
            )

    def fields(self, r: Ranges) -> tuple[Field, ...]:
        """The largest count of entries before a slice of a tile's ranges."""
        if not self.encoding.counted:
            return ()
        rows = self._by_filter(self.tensor.entries)[:, self._number(r)].reshape(-1, self.layer.M // self.layer.G)
        most = int(rows[slice(*r.groups), slice(*r.filters)].max())
        return (Field("dataflow.pointer_bits", self.pointer_bits, most),)

    def _number(self, r: Ranges) -> int:
        """Which of the ``_cuts`` a tile's ranges have."""
        k, taps = self.nest.loops[self.nest.place("k")], self._taps
        number = r.k[0] // k.tile
        return number if taps is None else number * taps.count + r.taps[0] // taps.tile

    @cached_property
    def _chunks(self) -> np.ndarray:
        """[group tiles, filter tiles, cuts, 2] first and last + 1 byte of every chunk."""
        groups, filters = (self.nest.loops[self.nest.place(dim)] for dim in ("groups", "filters"))
        bits = self._by_filter(self.tensor.slice_bits).reshape(self.layer.G, -1, len(self._cuts))
        bits = np.add.reduceat(bits, np.arange(0, groups.size, groups.tile), axis=0)
        bits = np.add.reduceat(bits, np.arange(0, filters.size, filters.tile), axis=1)
        return self.tensor.chunks(bits)

    @cached_property
    def bytes(self) -> int:
        """Of all weights as they lie in the outermost memory."""
        return packed_bytes(self.layer.M * self._row_bits, 1) if self.plain else int(self._chunks.max())

    @property
    def _row_bits(self) -> int:
        """From a plain filter to the next."""
        bits = self.layer.K * self.plain_bits
        return bits if self.layer.dynamic else 8 * packed_bytes(bits, 1)

    @property
    def pointer_bytes(self) -> int:
        """Those of them that are counts of entries."""
        return 0 if self.plain else -(-self.tensor.part_bits("pointers") // 8)

    def notes(self, wanted: Encoding) -> Iterator[str]:
        """What the user should know of how they lie; wanted: the machine's encoding of weights."""
        if self.layer.dynamic and not wanted.plain:
            yield f"the second operand is an activation: it is read plain, not as {encodings.name_of(wanted)}"
        yield from encoding_notes(self.codes, self.encoding, self.bytes, self.pointer_bytes)
        if self.plain and not self.layer.dynamic:
            code_bits = self.layer.M * self.layer.K * self.plain_bits
            yield from padding_note("its weights take", self.bytes, code_bits, "each filter")

    def extents(self, r: Ranges, base: int, encoded: bool) -> tuple[Extent, ...]:
        """Bytes of the weights of a tile's ranges, from address ``base`` on."""
        if encoded:
            tiles = [getattr(r, d)[0] // self.nest.loops[self.nest.place(d)].tile for d in ("groups", "filters")]
            at = (*tiles, self._number(r))
            first, last = (int(edge) for edge in self._chunks[at])
            first = 0 if at == (0, 0, 0) else first  # codebook and table come with the first chunk
            return (Extent(base + first, last - first),)
        filters, row = self.layer.M // self.layer.G, self._row_bits
        begin, end = r.row
        left, right = begin * self.plain_bits, row if end == self.layer.K else end * self.plain_bits
        if r.filters == (0, filters):
            runs = [(r.groups[0] * filters, r.groups[1] * filters)]
        else:
            runs = [(g * filters + r.filters[0], g * filters + r.filters[1]) for g in range(*r.groups)]
        stored = StoredMap.at(base, 1, self.layer.M * row)
        return stored.once([e for a, b in runs for e in stored.read(a * row + left, right - left, b - a, row)])

    def decoded(self) -> Codes:
        """The codes as the decoder makes them from the stored stream, slice by slice: what is not stored is zero."""
        form, mask = self.codes.format, (1 << self.codes.format.bits) - 1
        values = self._zero.copy()
        for cut, encoded in zip(self._cuts, self.tensor.encoded(), strict=True):
            decoded = self.tensor.decode(encoded)
            rows = np.repeat(np.arange(self.layer.M), decoded.entries)[decoded.kept]
            place = rows, cut[decoded.positions[decoded.kept]]
            values[place] = (decoded.symbols[decoded.kept] + self._zero[place]) & mask
        if form.signed:
            values = np.where(values > form.high, values - mask - 1, values)
        return Codes(values.reshape(self.codes.values.shape), form)
