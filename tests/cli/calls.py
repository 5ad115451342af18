"""How these tests call the program, and how they look at what it left."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from accel_sim.cli import main


@dataclass(frozen=True)
class Done:
    """code: as a shell would see it; out, err: all that was printed."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr; fails if there are more, or none."""
        assert self.err.count("\n") == 1, f"expected one line, not {self.err!r}"
        return self.err.removesuffix("\n")


def call(*arguments: object) -> Done:
    """Runs `accel-sim ARGUMENTS`; an exception other than a refusal by the parser is the test's to see."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
    return Done(code, out.getvalue(), err.getvalue())


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: relative path -> bytes (None for a directory)."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in paths}


def results(folder: Path) -> dict[str, bytes]:
    """The files of a run's directory that must be equal for equal runs."""
    files = tree(folder)
    files.pop("run.log")
    return files
