"""Arrays from .npz files, which are not trusted: no pickles, and their size is known before memory is taken."""

import zipfile
from pathlib import Path

import numpy as np

from workloads.registry import InputError


def read_npz(path: Path, limit_bytes: int, what: str) -> dict[str, np.ndarray]:
    """Name -> array of a whole .npz file; ``what`` begins the InputError if it cannot be read or is too large."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > limit_bytes:
            raise InputError(f"{what} {path}: its arrays unpack to {size} bytes; {limit_bytes} is the limit")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{what} {path}: no such file") from None
    except Exception as error:  # a broken archive raises many kinds
        raise InputError(f"{what} {path}: cannot read it as .npz: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """An exception's text, or its kind, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
