"""Arrays from .npz files, which are not trusted: no pickles, and headers say sizes before memory is taken."""

import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from workloads.registry import InputError

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class Header:
    """What an array's .npy header says. member: its name in the archive."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Of its elements in memory."""
        return self.size * self.dtype.itemsize


def npz_headers(path: Path, what: str) -> dict[str, Header]:
    """Name -> header of every array in a .npz file, none of which is unpacked.

    ``what`` begins the InputError for a file that cannot be read, or a member that is no array of the size it says.
    """
    with _opened(path, what) as archive:
        return dict(_members(archive, f"{what} {path}"))


def read_npz(path: Path, limit_bytes: int, what: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Name -> array of a .npz file, of those in ``names`` (default: all).

    ``what`` begins the InputError if it cannot be read, or if these arrays take more than ``limit_bytes``.
    """
    with _opened(path, what) as archive:
        headers = dict(_members(archive, f"{what} {path}"))
        wanted = list(headers) if names is None else list(names)
        size = sum(headers[name].bytes for name in wanted)
        if size > limit_bytes:
            raise InputError(f"{what} {path}: its arrays unpack to {size} bytes; {limit_bytes} is the limit")
        found = {}
        for name in wanted:
            with archive.open(headers[name].member) as file:
                found[name] = np.lib.format.read_array(file, allow_pickle=False)
        return found


@contextmanager
def _opened(path: Path, what: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{what} {path}: no such file") from None
    except Exception as error:  # a broken archive raises many kinds
        raise InputError(f"{what} {path}: cannot read it as .npz: {first_line(error)}") from None


def _members(archive: zipfile.ZipFile, where: str) -> Iterator[tuple[str, Header]]:
    """(name, header) of every member; each name once, each an array of the size that its header says."""
    seen = set()
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        if name in seen:
            raise InputError(f"{where}: {name} is there twice")
        seen.add(name)
        with archive.open(entry) as file:
            shape, dtype = _header(file, f"{where}: {name}")
            begin = file.tell()
        header = Header(entry.filename, shape, dtype)
        if entry.file_size != begin + header.bytes:
            raise InputError(
                f"{where}: {name}: its header says {list(shape)} {dtype}, {header.bytes} bytes; "
                f"it holds {entry.file_size - begin}"
            )
        yield name, header


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype]:
    """(shape, type) of an array file, read up to its first element."""
    try:
        read = _HEADERS.get(np.lib.format.read_magic(file))
    except ValueError:
        read = None
    if read is None:
        raise InputError(f"{where} is no .npy array")
    try:
        shape, _, dtype = read(file)
    except ValueError as error:
        raise InputError(f"{where} is no .npy array: {first_line(error)}") from None
    if dtype.hasobject:
        raise InputError(f"{where} holds Python objects, not numbers")
    if min(shape, default=0) < 0:
        raise InputError(f"{where}: negative size in shape {list(shape)}")
    return shape, dtype


def first_line(error: Exception) -> str:
    """An exception's text, or its kind, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
