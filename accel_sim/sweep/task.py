"""One point as a worker gets it: small, and all that determines its figures."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from accel_sim.results.rundir import network_digest
from workloads.network import Network


@dataclass(frozen=True)
class Data:
    """A network's operands. key: digest of all of them; settings: JSON of what load_network takes, name first."""

    key: str
    settings: str
    seed: int


@dataclass(frozen=True)
class Task:
    """key: digest of all that determines the figures; hardware: JSON of the machine with every default; source: digest
    of the simulator it is meant for; cache: folder of encoded networks, '' if there is none."""

    key: str
    data: Data
    hardware: str
    layers: str
    source: str
    cache: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """What stands in a point's file beside its figures."""
        run = json.loads(self.data.settings) | {"layers": self.layers, "seed": self.data.seed}
        return {
            "point": self.key, "run": run, "hardware": json.loads(self.hardware),
            "network_sha256": self.data.key, "source_sha256": self.source,
        }  # fmt: skip


def digest(*parts: object) -> str:
    """sha256 over values of JSON, in an order of its own."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def identity(network: Network) -> str:
    """sha256 over all that the operands of a network are made of."""
    found = hashlib.sha256(network_digest(network).encode())
    for name, weights in network.weights.items():
        found.update(repr((name, weights.file_bytes, weights.source)).encode())
        for array in (weights.bias, weights.shared, weights.values):
            _array(found, array)
    for name, codes in network.activations.items():
        found.update(repr((name, codes.format)).encode())
        _array(found, codes.values)
    for field in fields(network):
        if field.name not in ("layers", "weights", "images", "activations"):
            value = getattr(network, field.name)
            found.update(repr((field.name, sorted(value.items()) if isinstance(value, Mapping) else value)).encode())
    return found.hexdigest()


def _array(found: Any, array: np.ndarray | None) -> None:
    if array is not None:
        found.update(repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes())
