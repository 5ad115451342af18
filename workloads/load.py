"""A name or a file -> Network, with real weights and images where they are given."""

from pathlib import Path

from workloads.network import Network, networks
from workloads.registry import InputError, unknown


def load_network(
    name: str | Path, *, weights: str | Path | None = None, image: str | Path | None = None, batch: int | None = None
) -> Network:
    """A built-in name, or a Caffe deploy ``.prototxt`` (which needs ``weights``).

    weights: a Deep Compression ``.net`` file for the network's convolutions, in order. image: PNG, JPEG, .npy, .npz
    (``file.npz:name`` for one of several) or a directory of images; the batch is their number unless ``batch`` is given.
    Raises InputError for an unknown name, an unreadable file, or data that does not fit the network.
    """
    from workloads.importers.deep_compression import attach_deep_compression, read_prototxt

    if str(name) in networks.names():
        network = networks.get(str(name))()
    elif Path(name).suffix == ".prototxt":
        if weights is None:
            raise InputError(f"{name}: a prototxt holds shapes alone; give its weights with --weights FILE.net")
        network = read_prototxt(Path(name))
    else:
        raise InputError(f"{unknown('network', str(name), networks.names())}; or give a .prototxt file with --weights")
    if weights is not None:
        network = attach_deep_compression(network, Path(weights))
    if image is not None:
        network = _with_images(network, str(image))
    if batch is not None:
        if batch < 1:
            raise InputError(f"batch={batch} must be at least 1")
        network = network.with_batch(batch)
    return network


def _with_images(network: Network, image: str) -> Network:
    from workloads.images import attach_images, load_images

    if not network.weights:
        raise InputError("an image needs real weights to be of use: give them with --weights FILE")
    pixels, names = load_images(image, network.input_shape[1:])
    return attach_images(network, pixels, names)
