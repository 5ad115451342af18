"""Integer models of a whole network, one file each: how real weights and images become codes, and sums codes again."""

from collections.abc import Callable
from typing import ClassVar, Protocol

import numpy as np

from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.network import Network
from workloads.registry import Registry
from workloads.requant import Requant

#: name -> class that takes a Network with real weights; InputError if the network is outside the model
integer_models: "Registry[Callable[[Network], IntegerModel]]" = Registry("integer model", "workloads.models")


class IntegerModel(Protocol):
    """What a forward pass asks for, layer by layer.

    fixed_formats: the network's formats alone say how sums become codes; no images are needed for it.
    """

    fixed_formats: ClassVar[bool]

    @property
    def network(self) -> Network:
        """Whose integers they are."""

    def input_codes(self) -> Codes:
        """[N, C, H, W] codes of the network's images."""

    def weight_codes(self, layer: Layer) -> Codes:
        """[M, C/G, R, S] codes; needs no images."""

    def finishing(self, layer: Layer) -> tuple[np.ndarray, Requant]:
        """(bias [M] int64 at accumulator scale, what makes codes of the sums) of a layer with MACs."""

    def post(self, layer: Layer, maps: list[Codes]) -> Codes:
        """Output codes of a layer without MACs."""
