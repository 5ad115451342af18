"""Figures of a run, drawn from its CSV files alone: cycles by cause and energy by component, layer by layer; roofs."""

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import output, plots_roofline, roofline
from accel_sim.causes import CAUSES
from accel_sim.energy import STATIC
from workloads.registry import InputError

#: Okabe-Ito colours (safe for colour-blind readers), one per state everywhere; hatched = waiting for a neighbour unit
CAUSE_STYLE = {
    "effectual": ("#009E73", ""), "ineffectual": ("#E69F00", ""), "unmapped": ("#D9D9D9", ""),
    "decode": ("#CC79A7", ""),
    "sram": ("#56B4E9", ""), "noc": ("#56B4E9", "////"), "imbalance": ("#D55E00", ""), "dispatch": ("#F0E442", ""),
    "fill_drain": ("#999999", ""), "output": ("#CC79A7", "////"), "dram_read": ("#0072B2", ""),
    "dram_write": ("#0072B2", "////"), "reconfigure": ("#000000", ""), "post": ("#F0E442", "////"),
    "dependency": ("#000000", "////"),
}  # fmt: skip
#: component -> colour, the same in each figure; memory levels without an entry take the spare colours in order
COMPONENT_STYLE = {
    "mac": ("#009E73", ""), "dram": ("#0072B2", ""), "post": ("#F0E442", "////"), "register": ("#999999", ""),
    "queue": ("#999999", "...."), "accumulator": ("#D55E00", ""), "codebook": ("#F0E442", ""),
    "spmat": ("#56B4E9", ""), "ptr": ("#CC79A7", ""), "act": ("#E69F00", ""),
    "weight_sram": ("#56B4E9", ""), "output_sram": ("#CC79A7", ""), "input_sram": ("#E69F00", ""),
    "leakage": ("#000000", ""), "background": ("#000000", "////"),
}  # fmt: skip
SPARE = [
    (colour, hatch)
    for hatch in ("xxxx", "\\\\\\\\", "....")
    for colour in ("#56B4E9", "#CC79A7", "#E69F00", "#009E73", "#D55E00")
]
#: (name, what one of it is), the smallest first
ENERGY_UNITS = (("pJ", 1), ("nJ", 1e3), ("µJ", 1e6), ("mJ", 1e9))
COUNT_UNITS = (("", 1), ("thousand", 1e3), ("million", 1e6))

#: file -> columns that must be in it
TABLES = {
    "cycles.csv": ("layer", "cause", "level", "operand", "lane_slots", "cycles"),
    "actions.csv": ("layer", "component", "energy_pj"),
    "roofline.csv": roofline.COLUMNS,
}


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file of a run; layers are text, whatever they are called, and only an empty field is no value."""
    return pd.read_csv(path, dtype={"layer": str}, keep_default_na=False, na_values=[""])


def read_run(folder: Path) -> tuple[dict[str, pd.DataFrame], dict]:
    """(TABLES, summary) of a run's directory; InputError if it is none."""
    if not folder.exists():
        raise InputError(f"{folder}: is no run directory (nothing is there)")
    if (folder / "study.yaml").exists():
        raise InputError(f"{folder}: is a study's directory, expected a run's (its report says how to run a point)")
    try:
        frames = {name: read_table(folder / name) for name in TABLES}
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        for name, columns in TABLES.items():
            missing = [column for column in columns if column not in frames[name]]
            if missing:
                raise InputError(f"{folder}: is no run directory (a column '{missing[0]}' is missing)")
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{folder}: is no run directory ({Path(error.filename).name} is missing)") from None
    except (ValueError, NotADirectoryError) as error:
        raise InputError(f"{folder}: is no run directory ({str(error).splitlines()[0]})") from None
    return frames, summary


@contextmanager
def house_style() -> Iterator[Any]:
    """matplotlib.pyplot, without a screen and in the house's style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style = resources.files("accel_sim").joinpath("house.mplstyle")
    with resources.as_file(style) as sheet, plt.style.context(str(sheet)):
        yield plt


def save(figure, path: Path) -> None:
    """The figure as the same bytes each time, whole or not at all."""
    import matplotlib.pyplot as plt

    picture = io.BytesIO()
    figure.savefig(picture, metadata={"Software": None})
    plt.close(figure)
    output.write(path, picture.getvalue())


def write(folder: Path) -> list[Path]:
    """Draws cycles.png, energy.png and (if a layer has MACs) roofline.png into a run's directory; returns the paths."""
    frames, summary = read_run(folder)
    cycles, actions, roofs = frames.values()
    if cycles.empty:
        return []
    paths = []
    with house_style() as plt:
        for name, figure in (
            ("cycles", _cycles(plt, cycles, summary)),
            ("energy", _energy(plt, actions, summary)),
            ("roofline", plots_roofline.draw(plt, roofs, summary)),
        ):
            if figure is not None:
                path = folder / f"{name}.png"
                save(figure, path)
                paths.append(path)
    return paths


def _cycles(plt, frame: pd.DataFrame, summary: dict):
    table = cycles_table(frame)
    figure, axes = _canvas(plt, len(table), 2)
    scale, unit = largest_unit(table.sum(axis=1).max(), COUNT_UNITS)
    _stack(axes[0], table / scale, CAUSE_STYLE, table.sum())
    axes[0].set_ylabel(f"cycles ({unit})" if unit else "cycles")
    share = 100 * summary["utilization"]
    axes[0].set_title(
        f"{summary['network']} on {summary['hardware']}: {summary['cycles']:,} cycles, {share:.1f} % of slots effectual"
    )
    _stack(axes[1], table.div(table.sum(axis=1) / 100, axis=0), CAUSE_STYLE, table.sum())
    axes[1].set(ylabel="share of the layer (%)", ylim=(0, 100))
    axes[0].tick_params(labelbottom=False)
    axes[1].get_legend().remove()
    return figure


def _energy(plt, frame: pd.DataFrame, summary: dict):
    table = energy_table(frame)
    styles = component_styles(table)
    figure, axes = _canvas(plt, len(table), 2)
    chip = table.drop(columns=[part for part in ("dram", "background") if part in table])
    totals = table.sum()
    for axis, part, what in ((axes[0], table, "all"), (axes[1], chip, "on chip alone")):
        scale, unit = largest_unit(part.sum(axis=1).max(), ENERGY_UNITS)
        _stack(axis, part / scale, styles, totals)
        axis.set_ylabel(f"energy ({unit})")
        total_scale, total_unit = largest_unit(part.sum().sum(), ENERGY_UNITS)
        axis.set_title(
            f"{summary['network']} on {summary['hardware']}: {part.sum().sum() / total_scale:,.3g} {total_unit}, {what}"
        )
    axes[0].tick_params(labelbottom=False)
    axes[1].get_legend().remove()
    return figure


def cycles_table(frame: pd.DataFrame) -> pd.DataFrame:
    """[layers, causes] cycles from the rows of cycles.csv; layers and causes without any are left out."""
    return _used(by_cause(frame, "cycles"), CAUSES)


def by_cause(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """[layers, causes] a column of cycles.csv, over all levels and operands."""
    table = frame.pivot_table(index="layer", columns="cause", values=column, aggfunc="sum", sort=False)
    return table.reindex(index=frame.layer.unique(), columns=CAUSES).fillna(0.0)


def energy_table(frame: pd.DataFrame) -> pd.DataFrame:
    """[layers, components] pJ from the rows of actions.csv; static energy is leakage and background."""
    static = frame.action.isin(STATIC)
    frame = frame.assign(part=frame.component.where(~static, frame.action))
    table = frame.pivot_table(
        index="layer", columns="part", values="energy_pj", aggfunc="sum", fill_value=0, sort=False
    )
    order = [part for part in COMPONENT_STYLE if part in table] + sorted(set(table) - set(COMPONENT_STYLE))
    return _used(table, order)


def component_styles(parts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """(colour, hatch) of each component; those without one of their own, or whose own is taken, get spare ones."""
    found: dict[str, tuple[str, str]] = {}
    spare = cycle(SPARE)
    for part in parts:
        own = COMPONENT_STYLE.get(part)
        found[part] = next(spare) if own is None or own in found.values() else own
    return found


def _used(table: pd.DataFrame, order: Iterable[str]) -> pd.DataFrame:
    """The parts and layers that are not zero, parts in ``order``."""
    return table.loc[table.sum(axis=1) > 0, [part for part in order if table[part].sum() > 0]]


def _canvas(plt, bars: int, rows: int):
    figure, axes = plt.subplots(rows, 1, figsize=(max(10.0, 0.24 * bars + 4.5), 3.8 * rows), squeeze=False, sharex=True)
    return figure, axes[:, 0]


def _stack(axis, table: pd.DataFrame, styles: dict, totals: pd.Series) -> None:
    """Stacked bars, one per layer; the legend gives each part's share of the whole run."""
    base = pd.Series(0.0, index=table.index)
    for part in table:
        colour, hatch = styles[part]
        share = 100 * totals[part] / totals.sum()
        axis.bar(
            range(len(table)), table[part], bottom=base, width=0.82, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0.4, label=f"{part.replace('_', ' ')}  {share:.1f} %",
        )  # fmt: skip
        base += table[part]
    axis.set_xticks(range(len(table)), table.index, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axis.set_xlim(-0.7, len(table) - 0.3)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.005, 1.0))


def largest_unit(top: float, units: tuple) -> tuple[float, str]:
    """The largest unit in which ``top`` is at least 1."""
    name, factor = next((pair for pair in reversed(units) if top >= pair[1]), units[0])
    return factor, name
