"""Photographs as a network wants them: [N, C, H, W] uint8, from PNG, JPEG, .npy, .npz or a directory of these."""

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workloads.archive import first_line, npz_headers, read_npz
from workloads.network import Network
from workloads.registry import InputError

PICTURES = (".png", ".jpg", ".jpeg")
ARRAYS = (".npy", ".npz")
#: larger files and arrays are refused before memory is taken
LIMIT_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Photo:
    """pixels: [H, W, 3] or [H, W] uint8 of a file, or of one array in it."""

    path: Path
    key: str | None
    pixels: np.ndarray

    @property
    def name(self) -> str:
        """Its key in an archive, or the file's name without the ending."""
        return self.key or self.path.stem

    @property
    def where(self) -> str:
        """File and key, for messages."""
        return f"{self.path}:{self.key}" if self.key else str(self.path)


def attach_images(network: Network, spec: str) -> Network:
    """The network on the images that ``spec`` names; its batch is their number.

    spec: a file, a directory, or ``FILE.npz:NAME`` for one array of several. Images are RGB [H, W, 3] or grey [H, W];
    one of another size is centre-cropped to the network's shape and scaled. Raises InputError for what cannot be read.
    """
    photos = _read(spec)
    if not photos:
        raise InputError(f"--image {spec}: holds no image ({', '.join(PICTURES + ARRAYS)})")
    pixels = np.stack([_fit(photo, *network.input_shape) for photo in photos])
    if network.bgr:
        pixels = pixels[:, ::-1]
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in {photo.path for photo in photos}}
    names = [photo.name for photo in photos]
    twice = {name for name in names if names.count(name) > 1}
    return replace(
        network.with_batch(len(photos)), images=np.ascontiguousarray(pixels),
        image_names=tuple(photo.where if photo.name in twice else photo.name for photo in photos),
        files={**network.files, **dict(sorted(files.items()))},
    )  # fmt: skip


def _read(spec: str) -> list[Photo]:
    """Every image that ``spec`` names, in the order of their names."""
    path, key = Path(spec), None
    if not path.exists() and ":" in spec:
        stem, _, key = spec.rpartition(":")
        path = Path(stem)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES + ARRAYS)
        return [photo for file in files for photo in _read(str(file))]
    if not path.is_file():
        raise InputError(f"--image {spec}: no such file or directory")
    if path.stat().st_size > LIMIT_BYTES:
        raise InputError(f"--image {path}: {path.stat().st_size} bytes; an image file may have {LIMIT_BYTES}")
    if path.suffix.lower() in PICTURES:
        return [Photo(path, None, _picture(path))]
    if path.suffix.lower() in ARRAYS:
        return _arrays(path, key)
    raise InputError(f"--image {path}: unknown kind '{path.suffix}' (known: {', '.join(PICTURES + ARRAYS)})")


def _picture(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                if image.width * image.height * 3 > LIMIT_BYTES:
                    raise InputError(f"--image {path}: {image.width}x{image.height} pixels are too many")
                return np.asarray(image.convert("RGB"))
    except InputError:
        raise
    except Exception as error:  # Pillow raises many kinds for a broken file
        raise InputError(f"--image {path}: cannot read it as PNG or JPEG: {first_line(error)}") from None


def _arrays(path: Path, key: str | None) -> list[Photo]:
    try:
        if path.suffix.lower() == ".npy":
            return [Photo(path, None, np.array(np.load(path, mmap_mode="r", allow_pickle=False)))]
    except Exception as error:  # a broken file raises many kinds
        raise InputError(f"--image {path}: cannot read it as .npy: {first_line(error)}") from None
    names = list(npz_headers(path, "--image"))
    if key is not None and key not in names:
        raise InputError(f"--image {path}: has no array '{key}' (it has: {', '.join(names)})")
    arrays = read_npz(path, LIMIT_BYTES, "--image", names if key is None else [key])
    return [Photo(path, name, array) for name, array in arrays.items()]


def _fit(photo: Photo, channels: int, height: int, width: int) -> np.ndarray:
    """[channels, height, width] uint8 of one image."""
    from PIL import Image

    array, where = photo.pixels, photo.where
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise InputError(
            f"--image {where}: expected [H, W, 3] or [H, W] uint8 pixels, not {list(array.shape)} {array.dtype}"
        )
    if not array.size:
        raise InputError(f"--image {where}: is empty")
    image = Image.fromarray(array.reshape(array.shape[:2]) if array.size == array.shape[0] * array.shape[1] else array)
    image = image.convert("RGB" if channels == 3 else "L")
    if image.size != (width, height):
        scale = min(image.width / width, image.height / height)  # the largest box of the right shape, in the middle
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (left, top, left + width * scale, top + height * scale)
        image = image.resize((width, height), Image.Resampling.BICUBIC, box)
    pixels = np.asarray(image).reshape(height, width, -1).transpose(2, 0, 1)
    if pixels.shape[0] != channels:
        raise InputError(f"--image {where}: the network wants {channels} channels")
    return pixels
