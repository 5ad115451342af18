"""The looks of every figure: one colour for one meaning, from run to run and from figure to figure."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from itertools import product
from pathlib import Path
from textwrap import fill
from typing import Any
from zlib import crc32

from accel_sim.host import output
from accel_sim.values.cause_style import CONTROL, DECODER, FIXED, HATCH, MEMORY, PIPE, WORK

#: shades of on-chip levels: of weights, inputs, outputs, pointers, several, and of names that say nothing
WEIGHTS, INPUTS, OUTPUTS, POINTERS, SHARED = "#56B4E9", "#A5D9F3", "#2A9D9D", "#7B8FD4", "#7FCDBB"
SHADES = (SHARED, "#4A6FB5", "#B8C6E8", "#1F6F78", "#9BD3E8", "#5B5F97")
#: levels by the names that the presets give them; those of eie and systolic, often compared, differ
LEVELS = {
    "#3D8FD1": ("spmat",), "#C9E8F7": ("act",),
    WEIGHTS: ("weight_sram", "wbuf", "weight_fifo"), INPUTS: ("input_sram", "ibuf"),
    OUTPUTS: ("output_sram", "obuf", "accumulators"), POINTERS: ("ptr",),
    SHARED: ("map_sram", "unified_buffer", "shared_memory", "glb"), SHADES[1]: ("l2",), SHADES[2]: ("registers",),
}  # fmt: skip
COMPONENT_STYLE = {
    "mac": (WORK, ""), "zero_point": (WORK, HATCH), "decoder": (DECODER, ""), "codebook": (DECODER, HATCH),
    "register": (PIPE, ""), "queue": (PIPE, "...."), "accumulator": (PIPE, HATCH), "post": (CONTROL, HATCH),
    "dram": (MEMORY, ""), **{name: (shade, "") for shade, names in LEVELS.items() for name in names},
    "leakage": (FIXED, ""), "background": (FIXED, HATCH),
}  # fmt: skip
#: series that stand for settings, never for a cause or a component (Paul Tol's "muted", safe for colour-blind readers)
SERIES = ("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#DDCC77", "#44AA99", "#AA4499", "#999933")
PALE, INK = "#BBBBBB", "#222222"
#: (name, what one of it is), the smallest first
ENERGY_UNITS = (("pJ", 1), ("nJ", 1e3), ("µJ", 1e6), ("mJ", 1e9))
COUNT_UNITS = (("", 1), ("thousand", 1e3), ("million", 1e6))
#: letters of a name in a figure, and of a sentence, at most
NAME, TITLE = 36, 300
#: letters of a title that an inch holds, at its size
LETTERS = 8.6


def component_style(part: str) -> tuple[str, str]:
    """(colour, hatch) of a component, the same wherever it appears; a network looks like its level, hatched."""
    if part in COMPONENT_STYLE:
        return COMPONENT_STYLE[part]
    if part.endswith("_noc"):
        return component_style(part.removesuffix("_noc"))[0], HATCH
    return SHADES[crc32(part.encode()) % len(SHADES)], ""


def component_styles(parts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """(colour, hatch) of each component; of two that would look the same, the later in the alphabet gives way."""
    found: dict[str, tuple[str, str]] = {}
    others = list(product(("", "xxxx", "\\\\\\\\", "...."), SHADES))
    parts = list(parts)
    for part in sorted(parts, key=lambda part: (part not in COMPONENT_STYLE, part)):
        style = component_style(part)
        if style in found.values():
            style = next((shade, hatch) for hatch, shade in others if (shade, hatch) not in found.values())
        found[part] = style
    return {part: found[part] for part in parts}


@contextmanager
def house_style() -> Iterator[Any]:
    """matplotlib.pyplot, without a screen and in the house's style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style = resources.files("accel_sim.results").joinpath("house.mplstyle")
    with resources.as_file(style) as sheet, plt.style.context(str(sheet)):
        yield plt


def save(figure: Any, path: Path) -> None:
    """The figure as the same bytes each time, whole or not at all."""
    import matplotlib.pyplot as plt

    picture = io.BytesIO()
    figure.savefig(picture, metadata={"Software": None})
    plt.close(figure)
    output.write(path, picture.getvalue())


@cache
def _letters() -> frozenset[int]:
    """Code points that the font of the figures has."""
    from matplotlib import font_manager

    path = font_manager.findfont(font_manager.FontProperties())
    return frozenset(font_manager.get_font(path).get_charmap())


def written(name: object, most: int = NAME) -> str:
    """A name as a figure can have it: no formula, no letter that the font lacks (it becomes U+25A1), and not longer
    than ``most`` letters, which its middle pays for."""
    text = "".join(each if ord(each) in _letters() and each.isprintable() else "\u25a1" for each in str(name))
    if len(text) > most:
        text = f"{text[: most // 2]}\u2026{text[-(most - most // 2 - 1) :]}"
    return text.replace("$", r"\$")


def head(figure: Any, title: str) -> None:
    """A figure's title, broken so that it does not run over the picture's edge."""
    text = fill(written(title, TITLE), int(LETTERS * figure.get_figwidth()))
    figure.suptitle(text, x=0.012, ha="left", fontsize=13, weight="bold")


def say(axis: Any, sentence: str, inches: float) -> None:
    """A sentence above an axis that is so many inches wide."""
    text = fill(written(sentence, TITLE), int(1.38 * LETTERS * inches))
    axis.set_title(text, fontsize=10, weight="normal", loc="left")


def largest_unit(top: float, units: tuple) -> tuple[float, str]:
    """The largest unit in which ``top`` is at least 1."""
    name, factor = next((pair for pair in reversed(units) if top >= pair[1]), units[0])
    return factor, name
