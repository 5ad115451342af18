"""The Deep Compression release format (.net): codes, codebook and relative index of every convolution.

Little endian: per convolution a uint32 number of stored entries; then per convolution a codebook of 256 float32 (entry
0 = 0.0 = pruned), M float32 biases, one byte of code per entry, one 4-bit zero count per entry (low nibble first).
An entry lies (count + 1) places after the one before, over the weights in M, C, R, S order. Format: worked out on the
release of songhan/SqueezeNet-Deep-Compression, see this project's reference data.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workloads.encoding import Slices
from workloads.encodings.relative_index import RelativeIndex
from workloads.formats.codes import Codes, NumberFormat
from workloads.importers import weight_files
from workloads.layer import Layer
from workloads.network import LayerWeights, Network
from workloads.profiles import read_table
from workloads.registry import InputError

BOOK = 256
INDEX = RelativeIndex(index_bits=4)
#: a layer declared with more weights is refused before memory is taken
LIMIT_WEIGHTS = 1 << 28
#: sha256 of the released file -> (table of its layers' output scales, profile of its densities)
RELEASES = {
    "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261": ("squeezenet_dc_int8_pow2", "squeezenet1_0"),
}
#: Caffe's ImageNet mean, blue first
MEAN = (104.0, 117.0, 123.0)


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """One layer as the file holds it. book: [256], bias: [M] float32; codes: [n], runs (0..15): [n] uint8."""

    book: np.ndarray
    bias: np.ndarray
    codes: np.ndarray
    runs: np.ndarray

    @property
    def bytes(self) -> int:
        """Of the layer in the file."""
        return 4 * (1 + BOOK + len(self.bias)) + len(self.codes) + (len(self.codes) + 1) // 2

    @property
    def fillers(self) -> int:
        """Stored entries of code 0."""
        return int(np.count_nonzero(self.codes == 0))

    def dense(self, layer: Layer) -> np.ndarray:
        """[M, C/G, R, S] uint8 codes, 0 = pruned."""
        out = np.zeros(layer.weights, dtype=np.uint8)
        out[np.cumsum(self.runs.astype(np.int64) + 1) - 1] = self.codes
        return out.reshape(layer.weight_shape)


def read_net(data: bytes, layers: tuple[Layer, ...], where: str) -> list[StoredLayer]:
    """The file's layers, in order; InputError if it is not, to the byte, a file for layers of these shapes."""
    head = 4 * len(layers)
    if len(data) < head:
        raise InputError(f"{where}: {len(data)} bytes; the counts of {len(layers)} layers alone take {head}")
    counts = np.frombuffer(data, "<u4", len(layers)).astype(np.int64)
    for layer, count in zip(layers, counts, strict=True):
        if layer.weights > LIMIT_WEIGHTS:
            raise InputError(f"{where}: layer '{layer.name}' has {layer.weights} weights; {LIMIT_WEIGHTS} is the limit")
        if count > layer.weights:
            raise InputError(
                f"{where}: layer '{layer.name}' has {layer.weights} weights, the file stores {count} entries"
            )
    expected = head + sum(
        4 * (BOOK + layer.M) + n + (n + 1) // 2 for layer, n in zip(layers, counts.tolist(), strict=True)
    )
    if len(data) != expected:
        kind = "truncated" if len(data) < expected else "oversized"
        raise InputError(f"{where}: {kind}: {len(data)} bytes, its counts ask for {expected}")
    stored, at = [], head
    for layer, count in zip(layers, counts.tolist(), strict=True):
        book = np.frombuffer(data, "<f4", BOOK, at)
        bias = np.frombuffer(data, "<f4", layer.M, at + 4 * BOOK)
        at += 4 * (BOOK + layer.M)
        codes = np.frombuffer(data, np.uint8, count, at)
        packed = np.frombuffer(data, np.uint8, (count + 1) // 2, at + count)
        at += count + len(packed)
        runs = np.stack([packed & 15, packed >> 4], axis=1).ravel()
        entry = StoredLayer(book, bias, codes, runs[:count])
        _check(entry, layer, runs[count:], where)
        stored.append(entry)
    return stored


def _check(entry: StoredLayer, layer: Layer, rest: np.ndarray, where: str) -> None:
    def refuse(what: str):
        raise InputError(f"{where}: layer '{layer.name}': {what}")

    if not np.isfinite(entry.book).all() or not np.isfinite(entry.bias).all():
        refuse("its codebook or bias holds a value that is not finite")
    if entry.book[0] != 0:
        refuse(f"codebook entry 0 stands for pruned weights and must be 0, not {entry.book[0]}")
    places = int(entry.runs.sum(dtype=np.int64)) + len(entry.runs)
    if places > layer.weights:
        refuse(f"its indices reach weight {places}, it has {layer.weights}")
    if rest.any():
        refuse("the unused last index nibble is not 0")


def write_net(layers: list[StoredLayer]) -> bytes:
    """The inverse of ``read_net``."""
    parts = [np.array([len(layer.codes) for layer in layers], "<u4").tobytes()]
    for layer in layers:
        runs = np.concatenate([layer.runs, np.zeros(len(layer.runs) % 2, np.uint8)]).reshape(-1, 2)
        parts += [layer.book.astype("<f4").tobytes(), layer.bias.astype("<f4").tobytes(), layer.codes.tobytes()]
        parts.append((runs[:, 0] | runs[:, 1] << 4).astype(np.uint8).tobytes())
    return b"".join(parts)


def store(weights: LayerWeights) -> StoredLayer:
    """Dense codes back to entries: zeros become runs, runs that do not fit fillers. ValueError without a codebook."""
    if weights.shared is None:
        raise ValueError("weights without a codebook cannot be stored as a .net file")
    codes = weights.codes.values.reshape(1, -1)
    whole = Slices.of(codes, (codes != 0).view(np.uint8), weights.codes.format.bits)
    symbols, runs = INDEX.stored(whole, INDEX.entries(whole))
    bias = np.zeros(weights.codes.values.shape[0]) if weights.bias is None else weights.bias
    return StoredLayer(weights.shared, bias.astype(np.float32), symbols.astype(np.uint8), runs.astype(np.uint8))


@weight_files.add(".net")
def attach_deep_compression(network: Network, path: Path) -> Network:
    """The network with the file's weights on its layers with MACs, in order; Caffe's channel order and mean."""
    layers = network.mac_layers
    limit = sum(4 * (1 + BOOK + layer.M) + 2 * layer.weights for layer in layers)
    try:
        if path.stat().st_size > limit:
            raise InputError(
                f"{path}: oversized: {path.stat().st_size} bytes; '{network.name}' can fill {limit} at most"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read weights: {error.strerror}") from None
    stored = read_net(data, layers, str(path))
    weights = {
        layer.name: LayerWeights(
            Codes(entry.dense(layer), NumberFormat(8, False)), entry.bias.astype(np.float64), entry.book, entry.bytes
        )
        for layer, entry in zip(layers, stored, strict=True)
    }
    digest = hashlib.sha256(data).hexdigest()
    calibration, profile = {}, network.profile
    if digest in RELEASES:
        table, profile = RELEASES[digest]
        rows = read_table(table)
        calibration = {layer.name: int(row["frac_bits_out"]) for layer, row in zip(layers, rows, strict=True)}
    return replace(
        network, weights=weights, calibration=calibration, profile=profile, bgr=True,
        mean=network.mean or MEAN[: network.input_shape[0]], files={**network.files, path.name: digest},
    )  # fmt: skip
