"""Network and weight files, one importer each: it registers itself under the file's suffix."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workloads.network import Network
from workloads.registry import InputError, Registry

#: suffix -> function(path) -> Network
network_files: Registry[Callable[..., Network]] = Registry("network file", "workloads.importers")
#: suffix -> function(network, path) -> Network with real weights
weight_files: Registry[Callable[[Network, Path], Network]] = Registry("weight file", "workloads.importers")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors raised inside (a layer's or the network's own checks) begin with the file's name."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{path}: {text}") from None
