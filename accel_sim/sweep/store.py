"""A study's directory: one file a point, written whole or not at all, under a name that says all it depends on."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accel_sim.host.output import PREFIX, clear, said, write
from workloads.registry import InputError

#: all that may lie in it
NAMES = (
    "study.yaml", "results.parquet", "results.csv", "points", "failed", "plots", "report.html", ".cache",
)  # fmt: skip
#: how files that may lie there too begin: a search's journal and its lock
JOURNAL = "search.journal"


class Store:
    """points: keys of points that are done; failed: of those that were tried in vain."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.points = _keys(folder / "points")
        self.failed = _keys(folder / "failed") - self.points

    @property
    def cache(self) -> Path:
        """Folder of encoded networks, of one run of the study."""
        return self.folder / ".cache"

    def put(self, key: str, text: str) -> None:
        """A point that is done."""
        write(self.folder / "points" / f"{key}.json", text.encode())
        (self.folder / "failed" / f"{key}.json").unlink(missing_ok=True)
        self.points.add(key)
        self.failed.discard(key)

    def fail(self, key: str, config: dict[str, Any], reason: str) -> None:
        """A point that cannot be done, and why."""
        text = json.dumps(config | {"reason": reason}, indent=1) + "\n"
        write(self.folder / "failed" / f"{key}.json", text.encode())
        self.failed.add(key)

    def figures(self, key: str) -> dict[str, Any]:
        """Of a point that is done; InputError if somebody broke its file."""
        return self._read("points", key, "figures")

    def reason(self, key: str) -> str:
        """Why a point failed; InputError if somebody broke its file."""
        return self._read("failed", key, "reason")

    def _read(self, kind: str, key: str, field: str) -> Any:
        path = self.folder / kind / f"{key}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))[field]
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{path}: is no whole point (delete it, and it is made again)") from None


def check(folder: Path) -> None:
    """InputError unless the folder is new, empty or a study's."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file, expected a directory")
    if folder.is_dir() and any(
        path.name not in NAMES and not path.name.startswith((JOURNAL, PREFIX)) for path in folder.iterdir()
    ):
        raise InputError(f"--out {folder}: holds other files, expected a new, empty or earlier study's directory")


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """The store of a folder, for one process at a time; what a killed one left half done is gone."""
    check(folder)
    try:
        lock = os.open(_made(folder), os.O_RDONLY)
    except OSError as error:
        raise InputError(f"--out {folder}: cannot write there: {said(error)}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"--out {folder}: another sweep is writing there") from None
        for each in (folder, folder / "points", folder / "failed"):
            clear(each)
        shutil.rmtree(folder / ".cache", ignore_errors=True)
        try:
            yield Store(folder)
        finally:
            shutil.rmtree(folder / ".cache", ignore_errors=True)
    finally:
        os.close(lock)  # and with it the lock


def _made(folder: Path) -> Path:
    """A study's folder with those of its points; what was made of it is gone where one of them cannot be."""
    made = []
    try:
        for each in (*reversed(folder.parents), folder, folder / "points", folder / "failed"):
            if not each.exists():
                each.mkdir()
                made.append(each)
    except OSError:
        for each in reversed(made):
            each.rmdir()
        raise
    return folder


def _keys(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.json")} if folder.is_dir() else set()
