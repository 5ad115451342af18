"""Chains layers: keeps the current shape so that a network file reads like its paper's table."""

from dataclasses import dataclass, field

from workloads.layer import Layer
from workloads.network import Network
from workloads.quantise import quantise_network
from workloads.registry import InputError
from workloads.window import same_padding


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


@dataclass
class Builder:
    """Appends layers after ``at`` (default: the last one added) and returns the new layer's name.

    pad: an int, (vertical, horizontal), (top, bottom, left, right), or 'same' (TensorFlow: odd pixel after).
    """

    name: str
    input_shape: tuple[int, int, int]
    profile: str | None = None
    layers: list[Layer] = field(default_factory=list)
    shapes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    last: str = "input"

    def __post_init__(self):
        self.shapes["input"] = self.input_shape

    def _add(self, name: str, kind: str, M: int | None = None, *, at=None, **fields) -> str:
        inputs = (at or self.last,) if isinstance(at or self.last, str) else tuple(at)
        C, H, W = self.shapes[inputs[0]]
        fields = {"C": C, "H": H, "W": W, "M": C if M is None else M} | fields
        layer = Layer(name=name, kind=kind, inputs=inputs, **fields)
        self.layers.append(layer)
        self.shapes[name] = (layer.M, layer.E, layer.F)
        self.last = name
        return name

    def _padding(self, pad, kernel, stride, at, dilation=(1, 1)) -> tuple[int, int, int, int]:
        if pad == "same":
            source = self.shapes[at or self.last]
            (top, bottom), (left, right) = map(same_padding, source[1:], kernel, stride, dilation)
            return top, bottom, left, right
        if isinstance(pad, tuple) and len(pad) == 4:
            return pad
        vertical, horizontal = _pair(pad)
        return (vertical, vertical, horizontal, horizontal)

    def conv(self, name, M, kernel, stride=1, pad=0, groups=1, *, bias=True, bn=False, act="relu", dilation=1, at=None):
        """Appends a convolution (depthwise where each channel is a group of its own); returns its name."""
        kernel, stride, dilation = _pair(kernel), _pair(stride), _pair(dilation)
        kind = "depthwise" if groups > 1 and groups == self.shapes[at or self.last][0] else "conv"
        return self._add(
            name, kind, M, at=at, G=groups, R=kernel[0], S=kernel[1], stride=stride, dilation=dilation,
            padding=self._padding(pad, kernel, stride, at, dilation), bias=bias, bn=bn, activation=act,
        )  # fmt: skip

    def fc(self, name, M, *, bias=True, act="relu", at=None):
        """Appends a fully connected layer over the whole map; returns its name."""
        C, H, W = self.shapes[at or self.last]
        return self._add(name, "fc", M, at=at, C=C * H * W, H=1, W=1, bias=bias, activation=act)

    def pool(self, name, pool, kernel, stride=1, pad=0, *, ceil=True, at=None):
        """Appends a pool; ceil: its output size rounds up. Returns its name."""
        kernel, stride = _pair(kernel), _pair(stride)
        padding = self._padding(pad, kernel, stride, at)
        return self._add(
            name, "pool", at=at, pool=pool, R=kernel[0], S=kernel[1], stride=stride, padding=padding, ceil_mode=ceil
        )

    def global_pool(self, name, *, at=None):
        """Appends an average over the whole map; returns its name."""
        _, H, W = self.shapes[at or self.last]
        return self._add(name, "pool", at=at, pool="avg", global_pool=True, R=H, S=W)

    def _refuse_unequal(self, name, maps) -> None:
        if len(set(maps)) > 1:
            raise InputError(f"layer '{name}': the maps it joins differ: {', '.join(map(str, maps))}")

    def add(self, name, inputs, *, act=None):
        """Appends a sum of maps; InputError if their shapes differ. Returns its name."""
        self._refuse_unequal(name, [self.shapes[source] for source in inputs])
        return self._add(name, "add", at=tuple(inputs), activation=act)

    def concat(self, name, inputs, *, act=None):
        """Joins maps along channels; InputError if their sizes differ. Returns its name."""
        self._refuse_unequal(name, [self.shapes[source][1:] for source in inputs])
        channels = sum(self.shapes[source][0] for source in inputs)
        return self._add(name, "concat", channels, at=tuple(inputs), C=channels, activation=act)

    def shuffle(self, name, groups, *, at=None):
        """Appends a shuffle of channel groups; returns its name."""
        return self._add(name, "shuffle", at=at, G=groups)

    def unit(self, name, kind, *, at=None):
        """An elementwise layer: relu, relu6, lrn, batchnorm, softmax."""
        return self._add(name, kind, at=at)

    def network(self, bits: dict[str, tuple[int, int]] | None = None) -> Network:
        """bits: layer -> (activation, weight) width of its synthetic codes, for networks made for few bits."""
        network = Network(self.name, tuple(self.layers), self.input_shape, profile=self.profile)
        return few_bits(network, bits or {})


def few_bits(network: Network, bits: dict[str, tuple[int, int]]) -> Network:
    """bits: layer -> (activation, weight) width of its synthetic codes; single bits are binary weights, 0 or 1."""
    formats = {
        layer: (
            "binary" if weight == 1 else f"integer:bits={weight}",
            "affine:bits=1" if activation == 1 else f"integer:bits={activation}",
        )
        for layer, (activation, weight) in bits.items()
    }
    return quantise_network(network, layers=formats)
