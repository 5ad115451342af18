"""A network: layers in the order they run, and what is known of their data."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from workloads.fit import items_of_input, misfit
from workloads.format import Format
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.registry import InputError, Registry

#: width of the codes of a tensor that nothing gives a format
CODE_BITS = 8
#: name -> function(**options) -> Network (shapes only)
networks: Registry[Callable[..., "Network"]] = Registry("network", "workloads.networks")


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
    activations: tensor name ('input', a layer's or a side input's) -> recorded codes, in place of synthetic ones; of
    the tensor's format where ``formats`` has it.
    densities: layer name -> Density to use instead of the profile's.
    calibration: layer name -> fractional bits of its output (integer model int8-pow2).
    formats: tensor ('input' or layer name) -> number format of its codes, where the file says so (quantised models).
    variants: layer name -> which arithmetic of its kind it uses, where the integer model knows several.
    warnings: what the importer had to assume, one sentence each.
    weight_formats: layer name -> number format (workloads.format) its synthetic weights get, instead of the density's.
    side_inputs: name -> shape of further inputs beside 'input' (masks, caches, tables) that layers read by name.
    independent: each layer has sizes of its own, whatever the one it follows makes (a topology, whose sizes are
    padded); of all other networks every layer's sizes are those of the layers it reads (InputError, workloads.fit).
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
    weight_formats: Mapping[str, Format] = field(default_factory=lambda: MappingProxyType({}))
    side_inputs: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()
    independent: bool = False

    def __post_init__(self):
        if not self.layers:
            raise InputError(f"network '{self.name}': has no layers")
        known = {"input", *self.side_inputs}
        for layer in self.layers:
            if layer.name == "input":
                raise InputError(f"network '{self.name}': a layer cannot be called 'input', the network's own input")
            if layer.name in known:
                raise InputError(f"network '{self.name}': layer name '{layer.name}' is used twice")
            missing = [name for name in layer.inputs if name not in known]
            if missing:
                raise InputError(
                    f"network '{self.name}': layer '{layer.name}' reads '{missing[0]}', which is not before it"
                )
            known.add(layer.name)
        wrong = None if self.independent else misfit(self.layers, self.input_shape, self.side_inputs)
        if wrong:
            raise InputError(f"network '{self.name}': {wrong}")
        self._check_recorded()
        self._check_weights()

    def _check_recorded(self) -> None:
        """Images and recorded codes have the size and the number format of their tensors."""
        shape = (self.batch, *self.input_shape)
        if self.images is not None and self.images.shape != shape:
            raise InputError(f"network '{self.name}': images {list(self.images.shape)}, its input is {list(shape)}")
        sizes = {"input": math.prod(shape)} | {name: math.prod(side) for name, side in self.side_inputs.items()}
        sizes |= {layer.name: layer.output_elements for layer in self.layers if layer.name in self.activations}
        for name, codes in self.activations.items():
            if codes.values.size != sizes.get(name):
                has = f"{codes.values.size} values of '{name}' are recorded"
                raise InputError(f"network '{self.name}': {has}, it has {sizes.get(name, 'no such tensor')}")
            form = self.formats.get(name, codes.format)
            scales = {form.scale, codes.format.scale} - {None}
            if replace(codes.format, scale=form.scale) != form or len(scales) > 1:
                raise InputError(f"network '{self.name}': tensor '{name}' is recorded as {codes.format}, but is {form}")

    def _check_weights(self) -> None:
        """Weights have the shape of their layers, a bias one value for each filter."""
        for layer in self.layers:
            held = self.weights.get(layer.name)
            if held is None or not layer.has_macs:
                continue
            bias = (layer.M,) if held.bias is None else np.shape(held.bias)
            if held.codes.values.shape != layer.weight_shape or bias != (layer.M,):
                shapes = f"weights {list(held.codes.values.shape)} and bias {list(bias)}"
                raise InputError(
                    f"network '{self.name}': layer '{layer.name}' has {shapes}, expected {list(layer.weight_shape)} "
                    f"and [{layer.M}]"
                )

    def __getitem__(self, name: str) -> Layer:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @property
    def names(self) -> tuple[str, ...]:
        """Of its layers, in order."""
        return tuple(layer.name for layer in self.layers)

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
    def pixels(self) -> np.ndarray:
        """Its images; InputError if it has none."""
        if self.images is None:
            raise InputError(f"network '{self.name}': a forward pass needs images")
        return self.images

    @property
    def batch(self) -> int:
        """Items of the network's input."""
        return items_of_input(self.layers, self.input_shape)

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
        batch = self.batch
        layers = tuple(self._with_items(layer, batch, n) for layer in self.layers)
        return replace(self, layers=layers, images=images, image_names=names, activations=MappingProxyType(recorded))

    def _with_items(self, layer: Layer, batch: int, n: int) -> Layer:
        if n == batch:
            return layer
        if batch != layer.N or layer.dynamic or any(name in self.side_inputs for name in layer.inputs):
            raise InputError(
                f"network '{self.name}': batch={n}: layer '{layer.name}' is made for the {batch} items that its "
                "file fixes"
            )
        return replace(layer, N=n, input_sizes=tuple(size // layer.N * n for size in layer.input_sizes))
