"""How these tests call the program, and how they look at what it left."""

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accel_sim.shell.cli import main


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
    """Everything below a folder: relative path -> bytes (None for a directory or a link)."""
    paths = sorted(folder.rglob("*"))
    whole = {path: path.is_file() and not path.is_symlink() for path in paths}
    return {str(path.relative_to(folder)): path.read_bytes() if whole[path] else None for path in paths}


def names(folder: Path) -> set[str]:
    """What lies directly in a folder."""
    return {path.name for path in folder.iterdir()}


def results(folder: Path) -> dict[str, bytes]:
    """The files of a run's directory that must be equal for equal runs."""
    files = tree(folder)
    files.pop("run.log")
    return files


def net(shapes: Iterable[tuple[int, int]], seed: int = 0) -> bytes:
    """A Deep Compression file, written from its format alone: a tenth of each (weights, filters) is stored."""
    rng, counts, layers = np.random.default_rng(seed), [], []
    for weights, filters in shapes:
        count = weights // 10
        runs = rng.integers(0, 16, count, dtype=np.uint8)
        book = np.concatenate([[0], rng.normal(size=255)]).astype("<f4")
        bias = rng.normal(size=filters).astype("<f4")
        codes = rng.integers(0, 256, count, dtype=np.uint8)
        nibbles = np.append(runs, np.zeros(count % 2, np.uint8))
        counts.append(count)
        layers += [book.tobytes(), bias.tobytes(), codes.tobytes(), (nibbles[::2] | nibbles[1::2] << 4).tobytes()]
    return np.array(counts, "<u4").tobytes() + b"".join(layers)


def prototxt(*layers: str, shape: tuple[int, ...] = (1, 3, 12, 12)) -> str:
    """A Caffe deploy file of one input and these layers."""
    dims = " ".join(f"dim: {size}" for size in shape)
    return f'name: "tiny"\ninput: "data"\ninput_shape {{ {dims} }}\n' + "\n".join(layers) + "\n"


def layer(kind: str, name: str, bottom: str, parameters: str = "", top: str | None = None) -> str:
    """One layer of a prototxt."""
    bottoms = " ".join(f'bottom: "{each}"' for each in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top or name}" {parameters} }}'


CONV = layer("Convolution", "conv", "data", "convolution_param { num_output: 40 kernel_size: 3 pad: 1 }")
TINY = prototxt(
    CONV,
    layer("ReLU", "relu", "conv", top="conv"),
    layer("Pooling", "pool", "conv", "pooling_param { pool: MAX kernel_size: 4 stride: 4 }"),
    layer("InnerProduct", "fc", "pool", "inner_product_param { num_output: 40 }"),
)


def tiny(folder: Path, hardware: str = "eie") -> list[str]:
    """Writes a small network with real weights and an image; returns the arguments of a run of them.

    Its first layer pads, so that the mean of its pixels is the zero point of their codes.
    """
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    (folder / "tiny.prototxt").write_text(TINY)
    (folder / "tiny.net").write_bytes(net([(40 * 27, 40), (40 * 360, 40)]))
    Image.fromarray(pixels).save(folder / "tiny.png")
    names = [str(folder / f"tiny.{suffix}") for suffix in ("prototxt", "net", "png")]
    return ["run", names[0], hardware, "--weights", names[1], "--image", names[2]]
