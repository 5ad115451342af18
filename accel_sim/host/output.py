"""Where results go: whole or not at all, in one line where the system refuses, and nothing left behind.

What is half done lies under a hidden name and is locked by the process that makes it. One that nobody holds was left by
a process that was killed, and is removed by the next that writes there.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workloads.registry import InputError

PREFIX = ".accel_sim-"
_HIDDEN = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")
#: written last: a run's directory that holds it is whole
MARK = "summary.json"


class UnwrittenError(InputError):
    """A file that the system refuses to write. path: where the user wanted it; why: what the system says."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: cannot be written ({why})")
        self.path, self.why = path, why


def said(error: OSError) -> str:
    """What the system says, without its number."""
    return error.strerror or str(error) or type(error).__name__


@contextmanager
def whole(out: Path, *, beside: bool = False) -> Iterator[Path]:
    """A new directory that takes the place of ``out`` when the block has filled it, and is gone if it fails.

    beside: its files join those that ``out`` has. Raises InputError where the system refuses to write, with the place
    that the user gave, never the hidden one.
    """
    asked = out
    try:
        out = out.resolve()
        stays = out.exists() and (beside or _must_stay(out))
        folder = out if stays else _ground(out)
        clear(folder)
        with _scratch(folder) as scratch:
            with _asked_for(scratch, asked):
                yield scratch
            scratch.chmod(0o755)
            _move(scratch, out, beside=beside) if stays else _replace(scratch, out)
    except OSError as error:  # what os.access does not know, too: root, /proc, a file system that is read-only or full
        raise InputError(f"{'' if beside else '--out '}{asked}: cannot write there: {said(error)}") from None


@contextmanager
def _asked_for(scratch: Path, out: Path) -> Iterator[None]:
    """A file that cannot be written below the hidden directory is named as one of ``out``."""
    try:
        yield
    except UnwrittenError as error:
        if not error.path.is_relative_to(scratch):
            raise
        raise UnwrittenError(out / error.path.relative_to(scratch), error.why) from None
    except OSError as error:
        path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        if path is None or not path.is_relative_to(scratch):
            raise
        raise UnwrittenError(out / path.relative_to(scratch), said(error)) from None


def write(path: Path, data: bytes | str) -> None:
    """A file of a directory that is there, whole or not at all; InputError where the system refuses."""
    try:
        with _scratch(path.parent) as scratch:
            made = scratch / path.name
            made.write_bytes(data.encode() if isinstance(data, str) else data)
            made.replace(path)
    except OSError as error:
        raise UnwrittenError(path, said(error)) from None


def clear(folder: Path) -> None:
    """Removes what killed processes have left half done in a folder; leaves what it may not touch."""
    for path in [path for path in folder.glob(f"{PREFIX}*") if _HIDDEN.fullmatch(path.name)]:
        with suppress(OSError):
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
            finally:
                os.close(held)


def check_target(out: Path, files: Collection[str], kind: str) -> None:
    """InputError unless ``out`` is new, empty or the directory of an earlier ``kind``, with none but its ``files``."""
    if out.is_symlink() and not out.exists():
        raise InputError(f"--out {out}: is a link to nothing, expected a directory")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file, expected a directory")
    if out.is_dir():
        clear(out)
        if any(path.name not in files or path.is_dir() for path in out.iterdir()):
            raise InputError(f"--out {out}: holds other files, expected a new, empty or earlier {kind}'s directory")
    ground = out if out.is_dir() else _ground(out.absolute())
    if not ground.is_dir() or not os.access(ground, os.W_OK):
        raise InputError(f"--out {out}: cannot write below {ground}")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A hidden directory that this process holds, and that is gone in the end, wherever a signal comes."""
    path = folder / _hidden()  # known before it is there
    held = None
    try:
        try:
            while held is None:
                while path.exists():
                    path = folder / _hidden()
                path.mkdir(0o700)
                held = _hold(path)
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
    finally:
        shutil.rmtree(path, ignore_errors=True)  # a signal may have come between, and ended the first
        if held is not None:
            os.close(held)


def _hidden() -> str:
    return f"{PREFIX}{secrets.token_hex(4)}"


def _hold(path: Path) -> int | None:
    """Locks a new directory until the number it returns is closed; None if another has cleared it before."""
    with suppress(FileNotFoundError):
        held = os.open(path, os.O_RDONLY)
        with suppress(OSError):  # not every file system has locks; there nobody clears
            fcntl.flock(held, fcntl.LOCK_EX)
        if path.exists():
            return held
        os.close(held)
    return None


def _ground(out: Path) -> Path:
    """The nearest directory above ``out`` that exists."""
    return next(folder for folder in out.parents if folder.exists())


def _must_stay(out: Path) -> bool:
    """A directory that no other can take the place of: where we are, a mount point, one whose parent is not ours; an
    empty one keeps its owner and rights."""
    return out == Path.cwd() or out.is_mount() or not os.access(out.parent, os.W_OK) or not any(out.iterdir())


def _move(scratch: Path, out: Path, *, beside: bool) -> None:
    """File by file; an earlier result's own go first, and its mark before all."""
    new = sorted(scratch.iterdir(), key=lambda path: path.name == MARK)
    if not beside:
        for old in sorted(out.iterdir(), key=lambda path: path.name != MARK):
            if old.is_file():
                old.unlink()
    for path in new:
        path.replace(out / path.name)


def _replace(scratch: Path, out: Path) -> None:
    """By one rename; an earlier result comes back if that fails."""
    made = []
    try:
        for folder in reversed([folder for folder in out.parents if not folder.exists()]):
            made.append(folder)
            folder.mkdir()
        if not out.exists():
            scratch.replace(out)
            return
        with _scratch(out.parent) as retired:
            earlier = retired / out.name
            try:
                out.replace(earlier)
                scratch.replace(out)
            except BaseException:
                if not out.exists():
                    earlier.replace(out)
                raise
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise
