"""A network: layers in the order they run, and what is known of their data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.registry import InputError, Registry

#: width of the codes of a tensor that nothing gives a format
CODE_BITS = 8
#: name -> function(**options) -> Network (shapes only)
networks = Registry("network", "workloads.networks")


@dataclass(frozen=True)
class Density:
    """How synthetic codes of a layer look. weights, inputs: share of non-zero codes; code_bits: width of a weight code;
    codebook: weights are shared, a code names an entry of a table; *_source: where the figures come from."""

    weights: float
    code_bits: int
    codebook: bool
    inputs: float
    weight_source: str
    input_source: str

    def __post_init__(self):
        for name in ("weights", "inputs"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"density of {name}: {getattr(self, name)} is outside 0..1")
        if not 2 <= self.code_bits <= 8:
            raise InputError(f"density: code_bits={self.code_bits} is outside 2..8")


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Real weights of one layer.

    codes: [M, C/G, R, S]; bias: [M] float64 real values, or None.
    shared: [codebook size] float32 real value of each code (weight-shared networks; code 0 = pruned), else None.
    file_bytes: bytes of this layer in the file it came from (codes, indices, codebook, bias), 0 if unknown.
    values: [M, C/G, R, S] float32 where the file has real values, of which the codes were made; else None.
    source: where they come from, for the user.
    """

    codes: Codes
    bias: np.ndarray | None = None
    shared: np.ndarray | None = None
    file_bytes: int = 0
    values: np.ndarray | None = None
    source: str = "real weights"

    def real(self) -> np.ndarray:
        """[M, C/G, R, S] real values, float64 (float32 where the file has them)."""
        if self.values is not None:
            return self.values
        if self.shared is not None:
            return self.shared.astype(np.float64)[self.codes.values]
        return self.codes.real()


@dataclass(frozen=True, eq=False)
class Network:
    """layers: in execution order; input_shape: (C, H, W) of one item.

    weights: layer name -> LayerWeights (empty: synthetic weights will be made).
    images: [N, C, H, W] uint8 pixels in the channel order the network wants, or None.
    image_names: one per image. mean: per-channel mean to subtract from the pixels. bgr: wants blue first (Caffe).
    profile: name of the published densities to use when there is no data (see workloads.profiles).
    files: what the data was read from, name -> sha256 (for provenance).
    model: the integer model that turns weights and images into codes (see workloads.models).
    activations: tensor name ('input' or a layer's) -> recorded codes, in place of synthetic ones.
    densities: layer name -> Density to use instead of the profile's.
    calibration: layer name -> fractional bits of its output (integer model int8-pow2).
    formats: tensor ('input' or layer name) -> number format of its codes, where the file says so (quantised models).
    variants: layer name -> which arithmetic of its kind it uses, where the integer model knows several.
    warnings: what the importer had to assume, one sentence each.
    weight_formats: layer name -> number format (workloads.format) its synthetic weights get, instead of the density's.
    side_inputs: name -> shape of further inputs beside 'input' (masks, caches, tables) that layers read by name.
    """

    name: str
    layers: tuple[Layer, ...]
    input_shape: tuple[int, int, int]
    weights: Mapping[str, LayerWeights] = field(default_factory=lambda: MappingProxyType({}))
    images: np.ndarray | None = None
    image_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    bgr: bool = False
    profile: str | None = None
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    calibration: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    model: str = "int8-pow2"
    activations: Mapping[str, Codes] = field(default_factory=lambda: MappingProxyType({}))
    densities: Mapping[str, Density] = field(default_factory=lambda: MappingProxyType({}))
    formats: Mapping[str, NumberFormat] = field(default_factory=lambda: MappingProxyType({}))
    variants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    weight_formats: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    side_inputs: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.layers:
            raise InputError(f"network '{self.name}': has no layers")
        known = {"input", *self.side_inputs}
        for layer in self.layers:
            if layer.name in known:
                raise InputError(f"network '{self.name}': layer name '{layer.name}' is used twice")
            missing = [name for name in layer.inputs if name not in known]
            if missing:
                raise InputError(
                    f"network '{self.name}': layer '{layer.name}' reads '{missing[0]}', which is not before it"
                )
            known.add(layer.name)

    def __getitem__(self, name: str) -> Layer:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    @property
    def mac_layers(self) -> tuple[Layer, ...]:
        """Those that the array computes, in order."""
        return tuple(layer for layer in self.layers if layer.has_macs)

    @property
    def macs(self) -> int:
        """macs_nominal of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def params(self) -> int:
        """Stored parameters of all layers."""
        return sum(layer.params for layer in self.layers)

    @property
    def batch(self) -> int:
        """N of every layer."""
        return self.layers[0].N

    def elements(self, tensor: str) -> int:
        """Values of a tensor: 'input', a side input, or what a layer makes."""
        if tensor == "input":
            return self.batch * math.prod(self.input_shape)
        return math.prod(self.side_inputs[tensor]) if tensor in self.side_inputs else self[tensor].output_elements

    def code_bits(self, tensor: str) -> int:
        """Width of a tensor's codes: what the layer that makes it writes (its sums requantised), and its readers read.

        That of its recorded codes or of its format; CODE_BITS where neither says anything (the scores, say, which no
        layer with MACs reads).
        """
        if self.images is None and tensor in self.activations:
            return self.activations[tensor].format.bits
        return self.formats[tensor].bits if tensor in self.formats else CODE_BITS

    def with_batch(self, n: int) -> "Network":
        """The same network on n items (images are repeated in turn, and numbered)."""
        images = self.images
        names, recorded = self.image_names, dict(self.activations)
        if images is not None and len(images) != n:
            pick = np.arange(n) % len(images)
            images, names = images[pick], tuple(f"{names[i]}#{number}" for number, i in enumerate(pick, 1))
            if "input" in recorded:  # the images' codes in a format of their own
                codes = recorded["input"]
                recorded["input"] = replace(codes, values=codes.values[pick])
        layers = tuple(self._with_items(layer, n) for layer in self.layers)
        return replace(self, layers=layers, images=images, image_names=names, activations=MappingProxyType(recorded))

    def _with_items(self, layer: Layer, n: int) -> Layer:
        if n == self.batch:
            return layer
        if self.batch != layer.N or layer.dynamic or any(name in self.side_inputs for name in layer.inputs):
            raise InputError(
                f"network '{self.name}': batch={n}: layer '{layer.name}' is made for the {self.batch} items that its "
                "file fixes"
            )
        return replace(layer, N=n, input_sizes=tuple(size // layer.N * n for size in layer.input_sizes))
