"""A network's operands, made once and shared: arrays are files that every worker maps into its memory."""

import io
import json
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from accel_sim.sweep.task import Data
from workloads.data_settings import DataSettings
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import Operands
from workloads.registry import InputError

#: smaller arrays are no files of their own
LEAST_BYTES = 4096
#: networks a worker keeps open
MOST_OPEN = 8


@dataclass(frozen=True, eq=False)
class Walked:
    """What workloads.walk.walk gives of a network, gone through once. scores: [images, classes] or None."""

    layers: tuple[tuple[Layer, Operands], ...]
    scores: np.ndarray | None
    network: Network
    seed: int

    def __iter__(self) -> Iterator[tuple[Layer, Operands]]:
        return iter(self.layers)

    def codes(self, tensor: str) -> Codes:
        """Of synthetic data; InputError for images, whose codes have flown by."""
        from workloads.walk import walk

        if self.network.images is not None:
            raise InputError("encodings.inputs: a study keeps no maps of images: encode them in a run of its own")
        return walk(self.network, self.seed).codes(tensor)


class _Pickler(pickle.Pickler):
    """Puts large arrays into files of their own beside the pickle, each once."""

    def __init__(self, file: BinaryIO, folder: Path) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.folder = folder
        self.known: dict[int, str] = {}
        self.held: list[np.ndarray] = []

    def persistent_id(self, value: object) -> str | None:
        if not isinstance(value, np.ndarray) or value.nbytes < LEAST_BYTES or value.dtype.hasobject:
            return None
        if id(value) not in self.known:
            self.known[id(value)] = f"{len(self.known)}.npy"
            self.held.append(value)  # so that no other array gets its id
            np.save(self.folder / self.known[id(value)], value)
        return self.known[id(value)]

    def reducer_override(self, value: object) -> Any:
        return (_proxy, (dict(value),)) if isinstance(value, MappingProxyType) else NotImplemented


def _proxy(value: dict) -> MappingProxyType:
    return MappingProxyType(value)  # the type itself has no name that can be pickled


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, folder: Path) -> None:
        super().__init__(file)
        self.folder = folder

    def persistent_load(self, name: str) -> np.ndarray:
        return np.asarray(np.load(self.folder / name, mmap_mode="r"))


def load(data: Data) -> tuple[Network, Walked]:
    """The network and its operands, made here."""
    from workloads.walk import walk

    settings = json.loads(data.settings)
    network = DataSettings.of(settings).load(settings["network"])
    way = walk(network, data.seed)
    layers = tuple(way)
    return network, Walked(layers, way.scores, network, data.seed)


def encode(data: Data, cache: Path) -> None:
    """Writes them below ``cache`` (which must be of this run of the study alone: what lies in it is trusted).

    InputError where there is no room, or no such network."""
    place = folder(data, cache)
    if place.exists():
        return
    scratch = place.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    found, text = load(data), io.BytesIO()
    try:
        scratch.mkdir(parents=True)
        _Pickler(text, scratch).dump(found)
        (scratch / "network.pickle").write_bytes(text.getvalue())
        scratch.rename(place)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise InputError(f"{place}: cannot write: {error.strerror or error}") from None


def folder(data: Data, cache: Path) -> Path:
    """Where ``encode`` puts this network's data."""
    return cache / f"{data.key}-{data.seed}"


@lru_cache(maxsize=MOST_OPEN)
def opened(data: Data, cache: str) -> tuple[Network, Walked]:
    """What ``encode`` wrote, mapped; made here where there is no such folder (a worker on another machine)."""
    place = folder(data, Path(cache)) if cache else None
    if place is None or not place.exists():
        return load(data)
    return _Unpickler(io.BytesIO((place / "network.pickle").read_bytes()), place).load()
