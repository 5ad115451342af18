"""A name or a file -> Network, with real weights and images where they are given."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workloads.network import Network, networks
from workloads.precision import Precision
from workloads.registry import InputError, unknown


def load_network(
    name: str | Path,
    *,
    weights: str | Path | None = None,
    image: str | Path | None = None,
    activations: str | Path | None = None,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    precision: Mapping[str, Any] | None = None,
) -> Network:
    """A built-in name, or a network file (``.onnx``, ``.tflite``, ``.npz``, Caffe ``.prototxt``, topology ``.csv``).

    weights: a Deep Compression ``.net`` file for the network's layers with MACs, in order. image: PNG, JPEG, .npy, .npz
    (``file.npz:name`` for one of several) or a directory; the batch is their number unless ``batch`` is given.
    activations: a .npz of recorded tensors (see workloads.activations).
    dims: sizes of the dimensions that the file leaves open, by name.
    precision: formats that its codes are made to have, as the fields of workloads.precision.Precision.
    Raises InputError for an unknown name, an unreadable file, or data that does not fit the network.
    """
    from workloads.importers import weight_files

    if batch is not None and batch < 1:
        raise InputError(f"batch={batch} must be at least 1")
    # the batch of a file that leaves it open is set where the file is read, unless images say how many there are
    network, has_batch = _shapes(name, batch if image is None else None, dims)
    if weights is not None:
        kind = Path(weights).suffix.lower()
        if kind not in weight_files.names():
            raise InputError(f"--weights {weights}: unknown kind '{kind}' (known: {', '.join(weight_files.names())})")
        network = weight_files.get(kind)(network, Path(weights))
    if image == "":
        raise InputError("--image: expected a file or a directory, not an empty name")
    if image is not None:
        from workloads.images import attach_images

        if not network.weights:
            raise InputError(f"--image {image}: needs real weights to be of use: give them with --weights FILE")
        network = attach_images(network, str(image))
    if batch is not None and not has_batch:
        network = network.with_batch(batch)
    if activations is not None:
        from workloads.activations import attach_activations

        if image is not None:
            raise InputError("--activations and --image both say what flows through the network: give one")
        network = attach_activations(network, Path(activations))
    return Precision.of(precision or {}).apply(network)


def _shapes(name: str | Path, batch: int | None, dims: Mapping[str, int] | None) -> tuple[Network, bool]:
    """The network of that name or file, and whether ``batch`` is already in it."""
    from workloads.importers import network_files

    suffix = Path(name).suffix.lower()
    if str(name) in networks.names():
        network = networks.get(str(name))()
    elif suffix in network_files.names():
        reader = network_files.get(suffix)
        if "dims" in inspect.signature(reader).parameters:
            return reader(Path(name), batch=batch, dims=dims), batch is not None
        network = reader(Path(name))
    else:
        files = ", ".join(network_files.names())
        if Path(name).exists():
            kind = f"unknown kind '{suffix}'" if Path(name).is_file() else "is no file"
            raise InputError(f"network {name}: {kind} (known: {files})")
        raise InputError(f"{unknown('network', str(name), networks.names())}; or give a network file ({files})")
    if dims:
        raise InputError(f"network '{name}': has no open dimension '{next(iter(dims))}'")
    return network, False
