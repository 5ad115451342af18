"""Exact references: convolution of any shape, layers without MACs, whole forward passes in float and in integers.

Integer sums are made in float64, which is exact below 2^53 (checked); the accumulator-width reference steps product by
product and is slow on purpose.
"""

import numpy as np

from workloads.formats.codes import Codes
from workloads.functions import elementwise, reduction
from workloads.layer import Layer
from workloads.network import LayerWeights, Network
from workloads.registry import InputError

#: bytes of im2col made at once
CHUNK_BYTES = 1 << 25
#: largest output of a fused activation
CEILING = {"relu": np.inf, "relu6": 6.0}


def convolve(x: np.ndarray, w: np.ndarray, layer: Layer) -> np.ndarray:
    """x: [N, C, H, W], w: [M, C/G, R, S] -> [N, M, E, F] float64 sums of products, by im2col and BLAS."""
    groups, per_group = layer.G, layer.C // layer.G
    matrix = np.ascontiguousarray(w, dtype=np.float64).reshape(groups, layer.M // groups, layer.K)
    x = np.ascontiguousarray(x, dtype=np.float64)
    out = np.empty(layer.output_shape)
    if layer.K == layer.R * layer.S and groups > 1:  # depthwise: too narrow for a matrix product
        for n in range(layer.N):
            window = layer.window.view(x[n])
            filters = matrix.reshape(layer.C, -1, layer.R, layer.S)
            out[n] = np.einsum("cmrs,crsef->cmef", filters, window).reshape(out[n].shape)
        return out
    rows = max(1, CHUNK_BYTES // (8 * layer.K * layer.F))
    for n in range(layer.N):
        window = layer.window.view(x[n])
        for g in range(groups):
            part = window[g * per_group : (g + 1) * per_group]
            target = out[n].reshape(groups, -1, layer.E, layer.F)[g]
            for e in range(0, layer.E, rows):
                columns = part[:, :, :, e : e + rows].reshape(layer.K, -1)
                target[:, e : e + rows] = (matrix[g] @ columns).reshape(target.shape[0], -1, layer.F)
    return out


def conv_integer(x: np.ndarray, w: np.ndarray, layer: Layer) -> np.ndarray:
    """Integer x: [N, C, H, W] and w: [M, C/G, R, S] -> [N, M, E, F] int64, exact."""
    bound = layer.K * int(np.abs(x).max(initial=0)) * int(np.abs(w).max(initial=0))
    if bound >= 1 << 53:
        raise OverflowError(f"layer '{layer.name}': sums of up to {bound} are not exact in float64")
    return convolve(x, w, layer).astype(np.int64)


def accumulate_reference(
    x: np.ndarray, w: np.ndarray, layer: Layer, bits: int, saturate: bool, steps: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """(sums [N, M, E, F] int64, overflows): each sum grows product by product in C, R, S order at ``bits`` width.

    steps: [T, products] indices of that order, -1 = none: what is added at once, where it is not product by product.
    """
    steps = np.arange(layer.K)[:, None] if steps is None else steps
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    filters = layer.M // layer.G
    out, overflows = np.zeros(layer.output_shape, dtype=np.int64), 0
    for n in range(layer.N):
        window = layer.window.view(x[n].astype(np.int64)).reshape(layer.G, layer.K, layer.E, layer.F)
        for m in range(layer.M):
            weights, total = w[m].astype(np.int64).ravel(), out[n, m]
            for step in steps:
                for k in step[step >= 0]:
                    total += weights[k] * window[m // filters, k]
                over, under = total > high, total < low
                overflows += int(over.sum() + under.sum())
                if saturate:
                    np.clip(total, low, high, out=total)
                else:
                    total[...] = (total - low) % (1 << bits) + low
    return out, overflows


def post_layer(layer: Layer, maps: list[np.ndarray], weights: LayerWeights | None = None) -> np.ndarray:
    """A layer without MACs on [N, C, H, W] maps of real values; its fused activation included.

    weights: scale ([M, 1, 1, 1]) and shift (the bias) of a batch norm. Integer maps stay integers, at one scale: they
    can be pooled (averages round half up), joined, shuffled, rectified and added (saturating); other kinds need real
    values (InputError).
    """
    if maps[0].dtype.kind in "iu" and (layer.kind not in INTEGER_KINDS or layer.activation == "relu6"):
        raise InputError(f"layer '{layer.name}': kind '{layer.kind}' needs real values, not bare integers")
    maps = [as_read(layer, values) for values in maps]
    if layer.kind == "batchnorm":
        return _activate(layer, _batchnorm(layer, maps[0], weights))
    if layer.kind not in _POST:
        raise InputError(f"layer '{layer.name}': no forward pass through kind '{layer.kind}'; leave out --image")
    return _activate(layer, _POST[layer.kind](layer, maps))


def as_read(layer: Layer, values: np.ndarray) -> np.ndarray:
    """[N, C, H, W] a map of another shape as a layer reads it: flattened, or with its pixels in another arrangement.

    InputError where channels and pixels change places: the order in which the file has them is not known here.
    """
    if layer.crossed:
        raise InputError(
            f"layer '{layer.name}': no forward pass: it reads channels and pixels in another order than they are made; "
            "leave out --image"
        )
    if not layer.reshaped or values.shape == layer.input_shape:
        return values
    if values.shape[:2] != layer.input_shape[:2] or values.size != layer.input_elements:
        raise InputError(
            f"layer '{layer.name}': no forward pass: it reads {list(values.shape)} as {list(layer.input_shape)}, which "
            "moves channels; leave out --image"
        )
    return values.reshape(layer.input_shape)


def _activate(layer: Layer, values: np.ndarray) -> np.ndarray:
    return values if layer.activation is None else np.clip(values, 0, CEILING[layer.activation]).astype(values.dtype)


def _pool(layer: Layer, maps: list[np.ndarray]) -> np.ndarray:
    (x,) = maps
    integer = x.dtype.kind in "iu"
    lowest = np.iinfo(x.dtype).min if integer else -np.inf
    if layer.pool == "max":
        return np.stack([layer.window.view(item, lowest).max(axis=(1, 2)) for item in x])
    sums = np.stack([layer.window.view(item).sum(axis=(1, 2), dtype=np.int64 if integer else None) for item in x])
    counts = pool_counts(layer)
    return ((sums + counts // 2) // counts).astype(x.dtype) if integer else sums / counts


def pool_counts(layer: Layer) -> np.ndarray:
    """[E, F] int64 what each average is divided by: the window's places in the padded map, or in the map alone."""
    rows, columns = (axis.counts(layer.count_include_pad) for axis in (layer.window.rows, layer.window.columns))
    return np.maximum(np.outer(rows, columns), 1)


def _add(layer: Layer, maps: list[np.ndarray]) -> np.ndarray:
    if maps[0].dtype.kind not in "iu":
        return np.sum(maps, axis=0)
    limits = np.iinfo(maps[0].dtype)
    return np.clip(np.sum(maps, axis=0, dtype=np.int64), limits.min, limits.max).astype(maps[0].dtype)


def _lrn(layer: Layer, maps: list[np.ndarray]) -> np.ndarray:
    """Squares are summed over ``size`` channels around each; beyond the first and last there are none."""
    (x,), p = maps, layer.lrn
    total = np.cumsum(np.pad(x * x, ((0, 0), (1, 0), (0, 0), (0, 0))), axis=1)
    channels, before = np.arange(layer.C), (p.size - 1) // 2
    first, last = np.maximum(channels - before, 0), np.minimum(channels - before + p.size, layer.C)
    return x / (p.k + p.alpha / p.size * (total[:, last] - total[:, first])) ** p.beta


def _softmax(layer: Layer, maps: list[np.ndarray]) -> np.ndarray:
    powers = np.exp(maps[0] - maps[0].max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _shuffle(layer: Layer, maps: list[np.ndarray]) -> np.ndarray:
    """Channel c of group g goes to place c * G + g (ShuffleNet: reshape to G x n, transpose, flatten)."""
    (x,) = maps
    return np.ascontiguousarray(x.reshape(len(x), layer.G, -1, *x.shape[2:]).swapaxes(1, 2)).reshape(x.shape)


def _batchnorm(layer: Layer, x: np.ndarray, weights: LayerWeights | None) -> np.ndarray:
    if weights is None:
        raise InputError(f"layer '{layer.name}': a batch norm needs its scale and shift")
    shift = 0.0 if weights.bias is None else weights.bias.reshape(1, -1, 1, 1)
    return x * weights.real().reshape(1, -1, 1, 1) + shift


_POST = {
    "pool": _pool,
    "concat": lambda layer, maps: np.concatenate(maps, axis=1),
    "relu": lambda layer, maps: np.maximum(maps[0], 0),
    "relu6": lambda layer, maps: np.clip(maps[0], 0, CEILING["relu6"]),
    "add": _add,
    "shuffle": _shuffle,
    "lrn": _lrn,
    "softmax": _softmax,
    "elementwise": elementwise,
    "reduce": lambda layer, maps: reduction(layer, maps[0]),
}
#: kinds that integers of one scale can pass through
INTEGER_KINDS = ("pool", "concat", "relu", "shuffle", "add")


def real_input(network: Network) -> np.ndarray:
    """[N, C, H, W] float64: the images as the network's first layer means them."""
    if "input" in network.activations:
        return network.activations["input"].real()
    if "input" in network.formats:
        return Codes.of_pixels(network.pixels, network.formats["input"]).real()
    mean = np.asarray(network.mean or (0.0,) * network.input_shape[0])
    return network.pixels - mean.reshape(1, -1, 1, 1)


def forward_float(network: Network) -> dict[str, np.ndarray]:
    """Layer name -> [N, M, E, F] float64 outputs for the network's images, from its real weights.

    Raises InputError if it has no images or weights, or a layer has no functional forward.
    """
    if network.images is None or not network.weights:
        raise InputError(f"network '{network.name}': a forward pass needs images and real weights")
    blobs = {"input": real_input(network)}
    for layer in network.layers:
        if (side := next((name for name in layer.inputs if name not in blobs), None)) is not None:
            raise InputError(f"layer '{layer.name}': no forward pass: '{side}' is read, of which there is no image")
        maps = [blobs[name] for name in layer.inputs]
        weights = network.weights.get(layer.name)
        if not layer.has_macs:
            blobs[layer.name] = post_layer(layer, maps, weights)
            continue
        if layer.dynamic or weights is None:
            raise InputError(f"layer '{layer.name}': a float forward pass needs real weights")
        sums = convolve(as_read(layer, maps[0]).reshape(layer.input_shape), weights.real(), layer)
        if weights.bias is not None:
            sums += weights.bias.reshape(1, -1, 1, 1)
        blobs[layer.name] = _activate(layer, sums)
    del blobs["input"]
    return blobs
