"""Network -> the same network in other number formats: weights and activations of every layer, each by its own rule.

With images, activations are calibrated on them (their ranges in the float forward pass of the quantised weights) and
the integer model "quantised" computes what flows; without, codes are drawn at the widths given.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from workloads.format import Format, Linear, named, of_tensor, spec_of
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.layer_names import chosen
from workloads.models import integer_models
from workloads.models.int8_pow2 import KEEPS_SCALE, Int8Pow2, unsigned
from workloads.network import LayerWeights, Network
from workloads.profiles import expectations
from workloads.reference import forward_float, real_input
from workloads.registry import InputError

Spec = str | Format | None
#: formats (of weights, of activations); None = what they have
Pair = tuple[Format | None, Format | None]
#: largest pixel
PIXEL = 255


def quantise_network(
    network: Network,
    *,
    weights: Spec = None,
    activations: Spec = None,
    first_last: Spec | tuple[Spec, Spec] = None,
    layers: Mapping[str, tuple[Spec, Spec]] | None = None,
) -> Network:
    """The network with weights and activations (what its layers with MACs read) in these number formats.

    weights, activations: a format's spec (``workloads.format.named``) or the format; None = the width and kind they
    have. first_last: of the first and the last layer with MACs, one for both (weights by channel, if it says so) or a
    pair (weights, activations). layers: glob of layer names -> such a pair; later entries win, and over all else; a
    None in a pair changes nothing. The second operand of a dynamic product is an activation.
    Real weights are quantised from their real values, per layer; synthetic ones are drawn in the format (one scale).
    A tensor is in the format of the layers with MACs that read it, if need be through pooling and joins; what none
    reads (the scores) stays as it is.
    Raises InputError for a bad spec, a glob without a layer, a format that cannot flow through integer sums (floats,
    logarithms; of activations all but evenly spaced codes), readers of one tensor that want it in two formats, and a
    forward pass that cannot calibrate.
    """
    plan = _plan(network, weights, activations, first_last, layers or {})
    if all(pair == (None, None) for pair in plan.values()):
        return network
    parts = _tensor_parts(network, plan, None if activations is None else named(activations))
    if any(part is not None for part, _ in plan.values()):
        network = replace(network, calibration=MappingProxyType({}))  # the scales fit no longer
    network = _with_weights(network, {name: pair[0] for name, pair in plan.items()})
    if network.images is None:
        formats, recorded = _formats_without_images(network, parts)
        return replace(network, formats=MappingProxyType(formats), activations=MappingProxyType(recorded))
    formats = _formats(network, parts)
    codes, mean = _input(network, parts.get("input"))
    held = dict(network.weights)
    if mean is not None:
        for layer in network.mac_layers:
            if "input" in layer.inputs:
                held[layer.name] = _without_mean(held[layer.name], mean)
    recorded = dict(network.activations) | {"input": codes}
    return replace(
        network, mean=(), weights=MappingProxyType(held), activations=MappingProxyType(recorded),
        formats=MappingProxyType(formats | {"input": codes.format}),
    )  # fmt: skip


def _plan(
    network: Network, weights: Spec, activations: Spec, first_last: Spec | tuple[Spec, Spec],
    layers: Mapping[str, tuple[Spec, Spec]],
) -> dict[str, tuple[Format | None, Linear | None]]:  # fmt: skip
    """Layer with MACs -> (format of its weights, of its activations)."""

    def parts(where: str, pair: object) -> Pair:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(f"{where}: expected a pair (weights, activations), not {pair!r}")
        of_weights, of_activations = (None if spec is None else named(spec) for spec in pair)
        return of_weights, of_activations

    names = [layer.name for layer in network.mac_layers]
    plan = dict.fromkeys(names, parts("number formats", (weights, activations)))
    if first_last is not None and not isinstance(first_last, tuple | list):
        part = named(first_last)
        first_last = (part, of_tensor(part))
    if first_last is not None:
        for name in names[:1] + names[-1:]:
            plan[name] = _over(parts("first_last", first_last), plan[name])
    held = [layer.name for layer in network.mac_layers if not layer.dynamic]
    if not names or (weights is not None and not held):
        raise InputError(f"precision: network '{network.name}' has no layer with {'weights' if names else 'MACs'}")
    for glob, pair in layers.items():
        given = parts(f"layers '{glob}'", pair)
        meant = chosen(glob, names, "precision.layers", [layer.name for layer in network.layers])
        if given[0] is not None and not set(meant) & set(held):
            raise InputError(
                f"precision.layers.{glob}.weights: '{meant[0]}' has no weights, it multiplies two activations: give "
                "its activations, or a layer that has weights"
            )
        for name in meant:
            plan[name] = _over(given, plan[name])
    return {name: (pair[0], _flowing(f"layer '{name}'", pair[1])) for name, pair in plan.items()}


def _over(pair: Pair, below: Pair) -> Pair:
    """The pair, with what lies below it where it says nothing."""
    return below[0] if pair[0] is None else pair[0], below[1] if pair[1] is None else pair[1]


def _tensor_parts(
    network: Network, plan: Mapping[str, tuple[Format | None, Linear | None]], default: Format | None
) -> dict[str, Linear]:
    """Tensor name -> the format its readers want; tensors that stay as they are left out.

    default: of those that layers with MACs read through others, and want in no format themselves.
    """
    wanted: dict[str, dict[str, Linear]] = {}  # tensor -> reader with MACs -> format; passed on by pooling and the like
    read: dict[str, None] = {}  # those that some layer with MACs reads in the end
    for layer in reversed(network.layers):
        if layer.has_macs:
            own = plan[layer.name][1]
            wants = {} if own is None else {layer.name: own}
        elif layer.kind in KEEPS_SCALE:
            wants = wanted.get(layer.name, {})
        else:
            wants = {}
        for name in layer.inputs:
            wanted[name] = wanted.get(name, {}) | wants
            if layer.has_macs or layer.name in read:
                read[name] = None
    found = {}
    for name in read:
        wants = wanted.get(name, {})
        if len(set(wants.values())) > 1:
            texts = " and ".join(f"in {spec_of(part)} by '{reader}'" for reader, part in sorted(wants.items()))
            raise InputError(f"tensor '{name}' is read {texts}: give its readers one format of activations")
        part = next(iter(wants.values()), None) or _flowing(f"tensor '{name}'", default)
        if part is not None:
            found[name] = part
    return found


def _flowing(where: str, part: Format | None) -> Linear | None:
    """The format, of activations; InputError (``where`` first) for one that cannot flow through integer sums."""
    if part is None:
        return None
    what = f"{where}: activations in number format '{spec_of(part)}'"
    if not isinstance(part, Linear):
        raise InputError(
            f"{what} cannot flow through integer sums: they need evenly spaced codes (affine, dorefa, "
            "dynamic_fixed_point, integer, pow2)"
        )
    if getattr(part, "axis", None) is not None:
        raise InputError(f"{what}: they have one scale a tensor; leave axis out")
    return part


def _coded(layer: Layer, part: Format, real: np.ndarray) -> Codes:
    """real: [M, C/G, R, S] weights -> integer codes; InputError that names the layer."""
    try:
        codes = part.quantise(real)
    except ValueError as error:
        raise InputError(f"layer '{layer.name}': number format '{spec_of(part)}': {error}") from None
    if codes.format.layout is not None:
        raise InputError(
            f"layer '{layer.name}': weights in number format '{spec_of(part)}' cannot flow through integer sums: their "
            "codes stand for no integers"
        )
    return codes


def _with_weights(network: Network, parts: Mapping[str, Format | None]) -> Network:
    """The network of model 'quantised', its weights in these formats (layer -> format; None = the codes they have)."""
    base = integer_models.get(network.model)(network)
    held, drawn = dict(network.weights), dict(network.weight_formats)
    for layer in network.mac_layers:
        part = parts[layer.name]
        if layer.name in held:
            held[layer.name] = _weights(layer, held[layer.name], base.weight_codes(layer), part)
        elif part is not None and not layer.dynamic:
            drawn[layer.name] = of_tensor(part)
            _coded(layer, part, np.ones((1, 1, 1, 1)))
    return replace(network, model="quantised", weights=MappingProxyType(held), weight_formats=MappingProxyType(drawn))


def _weights(layer: Layer, held: LayerWeights, codes: Codes, part: Format | None) -> LayerWeights:
    """codes: as they are now."""
    source = held.source
    if part is not None:
        codes = _coded(layer, part, held.real())
        source = f"{source}; as {spec_of(part)}"
    return replace(held, codes=codes, shared=None, values=None, source=source)


def _without_mean(held: LayerWeights, mean: np.ndarray) -> LayerWeights:
    """mean: [C] what the layer's inputs are too large by: it goes into the bias."""
    bias = 0.0 if held.bias is None else held.bias
    return replace(held, bias=bias - np.einsum("mcrs,c->m", held.codes.real(), mean))


def _formats_without_images(
    network: Network, parts: Mapping[str, Linear]
) -> tuple[dict[str, NumberFormat], dict[str, Codes]]:
    """(formats, recorded activations in them): scales are known of recorded tensors alone."""
    expected = expectations(network)
    formats, recorded = dict(network.formats), dict(network.activations)
    for name, part in parts.items():
        if name in recorded:
            real = recorded[name].real()
            formats[name] = part.of_range(float(real.min(initial=0.0)), float(real.max(initial=0.0)))
            recorded[name] = Codes.nearest(real, formats[name])
        elif name in formats:
            formats[name] = part.of_range(*_range(formats[name]))
        else:
            low = 0.0 if expected[name].positive else -1.0
            formats[name] = replace(part.of_range(low, 1.0), scale=None)
    return formats, recorded


def _range(form: NumberFormat) -> tuple[float, float]:
    """(lowest, highest) real value of a format of one scale."""
    scale = 1.0 if form.scale is None else form.step
    return scale * (form.low - form.zero), scale * (form.high - form.zero)


def _formats(network: Network, parts: Mapping[str, Linear]) -> dict[str, NumberFormat]:
    """Tensor name -> format, of every layer's output; the input's is left to ``_input``."""
    names = [layer.name for layer in network.layers]
    if all(name in network.formats for name in names):  # a quantised model: it says what its ranges are
        ranges = {name: _range(network.formats[name]) for name in names}
        stay = dict(network.formats)
    else:
        ranges = _calibrated(network) if any(name in parts for name in names) else {}
        positive, fractions = unsigned(network), Int8Pow2(network).fractions
        stay = {name: NumberFormat(8, not positive[name], 2.0 ** -fractions[name]) for name in names}
    return {name: parts[name].of_range(*ranges[name]) if name in parts else stay[name] for name in names}


def _calibrated(network: Network) -> dict[str, tuple[float, float]]:
    """Layer name -> (lowest, highest) of its output over the images, 0 among them; one range for what is joined."""
    positive, ranges = unsigned(network), {}
    for name, blob in forward_float(network).items():
        low, high = min(0.0, float(blob.min())), max(0.0, float(blob.max()))
        ranges[name] = (0.0, high) if positive[name] else (min(low, -high) if low == 0 else low, high)
    tied = {name: {name} for name in ranges}
    for layer in network.layers:
        if layer.kind in KEEPS_SCALE and "input" not in layer.inputs:
            group = tied[layer.name].union(*(tied[name] for name in layer.inputs))
            tied |= dict.fromkeys(group, group)
    return {
        name: (min(ranges[other][0] for other in tied[name]), max(ranges[other][1] for other in tied[name]))
        for name in ranges
    }


def _input(network: Network, part: Linear | None) -> tuple[Codes, np.ndarray | None]:
    """(codes of the images, [C] what they are too large by).

    Pixels without a format of their own are coded as they are; their mean goes into the bias of the layers that read
    them, or is the zero point where one of these pads (as in int8-pow2, to whole pixels).
    """
    if "input" in network.activations:  # a network that was quantised before
        codes = network.activations["input"]
        real = codes.real()
        return (codes if part is None else Codes.nearest(real, part.of_range(real.min(), real.max()))), None
    if "input" in network.formats:
        old = network.formats["input"]
        if part is None:
            return Codes.of_pixels(network.pixels, old), None
        return Codes.nearest(real_input(network), part.of_range(*_range(old))), None
    form = NumberFormat(8, False, 1.0) if part is None else part.of_range(0.0, float(PIXEL))
    codes = Codes.nearest(network.pixels.astype(np.float64), form)
    if not any(network.mean):
        return codes, None
    mean = np.rint(np.asarray(network.mean))
    readers = [layer for layer in network.layers if "input" in layer.inputs]
    if all(layer.has_macs and layer.G == 1 for layer in readers) and not any(sum(each.padding) for each in readers):
        return codes, mean
    points = tuple(int(form.zero + point) for point in np.rint(mean / form.step))
    return Codes(codes.values, replace(form, zero_point=points, axis=1)), None
