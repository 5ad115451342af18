"""The integer model "stored": weights are the codes their file holds; nothing says yet how sums become codes again."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.models import integer_models
from workloads.network import Network
from workloads.operands import Requant
from workloads.registry import InputError


@integer_models.add("stored")
@dataclass(frozen=True, eq=False)
class Stored:
    """Weight codes as they are; a forward pass is refused."""

    network: Network
    fixed_formats: ClassVar[bool] = False

    def input_codes(self) -> Codes:
        """InputError: there is no forward pass."""
        raise self._refuse()

    def weight_codes(self, layer: Layer) -> Codes:
        """As they are stored."""
        return self.network.weights[layer.name].codes

    def finishing(self, layer: Layer) -> tuple[np.ndarray, Requant]:
        """InputError: there is no forward pass."""
        raise self._refuse()

    def post(self, layer: Layer, maps: list[Codes]) -> Codes:
        """InputError: there is no forward pass."""
        raise self._refuse()

    def _refuse(self) -> InputError:
        return InputError(
            f"network '{self.network.name}': its integer codes have no forward pass of images yet; leave out --image"
        )
