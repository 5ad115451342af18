"""Figures of a run, drawn from its CSV files alone: cycles by cause and energy by component, layer by layer; roofs."""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from accel_sim.energy.table import STATIC
from accel_sim.results import plots_roofline
from accel_sim.results.style import (
    COMPONENT_STYLE,
    COUNT_UNITS,
    ENERGY_UNITS,
    component_styles,
    head,
    house_style,
    largest_unit,
    save,
    say,
    written,
)
from accel_sim.run import roofline
from accel_sim.values.cause_style import CAUSE_STYLE
from accel_sim.values.causes import CAUSES, Slots, sentence
from workloads.registry import InputError

#: inches beside the axes that the legend takes
LEGEND = 2.6
#: file -> columns that must be in it
TABLES = {
    "cycles.csv": ("layer", "cause", "level", "operand", "lane_slots", "cycles"),
    "actions.csv": ("layer", "component", "energy_pj"),
    "roofline.csv": roofline.COLUMNS,
    "roofs.csv": roofline.ROOF_COLUMNS,
}


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file of a run; layers and levels are text, whatever they are called, and only an empty field is no value
    (a cause without level and operand has empty texts)."""
    places = ["level", "operand"]
    frame = pd.read_csv(path, dtype=dict.fromkeys(["layer", *places], str), keep_default_na=False, na_values=[""])
    return frame.assign(**{name: frame[name].fillna("") for name in places if name in frame})


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


def write(folder: Path) -> list[Path]:
    """Draws cycles.png, energy.png and (if a layer has MACs) roofline.png into a run's directory; returns the paths."""
    frames, summary = read_run(folder)
    cycles, actions, layers, ports = frames.values()
    if cycles.empty:
        return []
    paths = []
    with house_style() as plt:
        for name, figure in (
            ("cycles", _cycles(plt, cycles, summary)),
            ("energy", _energy(plt, actions, summary)),
            ("roofline", plots_roofline.draw(plt, layers, ports, name_of(summary), sentence(Slots.of(cycles)))),
        ):
            if figure is not None:
                path = folder / f"{name}.png"
                save(figure, path)
                paths.append(path)
    return paths


def name_of(summary: dict) -> str:
    """Network and machine of a run."""
    return f"{summary['network']} on {summary['hardware']}"


def _cycles(plt, frame: pd.DataFrame, summary: dict):
    table = cycles_table(frame)
    figure, axes = _canvas(plt, len(table), 2)
    scale, unit = largest_unit(table.sum(axis=1).max(), COUNT_UNITS)
    stack(axes[0], table / scale, CAUSE_STYLE, table.sum())
    axes[0].set_ylabel(f"cycles ({unit})" if unit else "cycles")
    head(figure, f"{name_of(summary)}: {summary['cycles']:,} cycles")
    say(axes[0], sentence(Slots.of(frame)), figure.get_figwidth() - LEGEND)
    stack(axes[1], table.div(table.sum(axis=1) / 100, axis=0), CAUSE_STYLE, table.sum())
    axes[1].set(ylabel="share of the layer (%)", ylim=(0, 100))
    axes[0].tick_params(labelbottom=False)
    axes[1].get_legend().remove()
    return figure


def _energy(plt, frame: pd.DataFrame, summary: dict):
    table = energy_table(frame)
    styles = component_styles(table)
    figure, axes = _canvas(plt, len(table), 2)
    chip = table.drop(columns=[part for part in ("dram", "background") if part in table])
    head(figure, f"{name_of(summary)}: {_joules(table.sum().sum())}")
    for axis, part, what in ((axes[0], table, "all components"), (axes[1], chip, "on chip alone")):
        scale, unit = largest_unit(part.sum(axis=1).max(), ENERGY_UNITS)
        stack(axis, part / scale, styles, table.sum())
        axis.set_ylabel(f"energy ({unit})")
        say(axis, f"{what}: {_joules(part.sum().sum())}", figure.get_figwidth() - LEGEND)
    axes[0].tick_params(labelbottom=False)
    axes[1].get_legend().remove()
    return figure


def _joules(energy_pj: float) -> str:
    scale, unit = largest_unit(energy_pj, ENERGY_UNITS)
    return f"{energy_pj / scale:,.4g} {unit}"


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
    return _used(table, sorted(table, key=place_of))


def place_of(part: str) -> tuple[int, str]:
    """Key by which components are sorted: the known ones as in the palette, a network behind its level."""
    known = list(COMPONENT_STYLE)
    own = part.removesuffix("_noc")
    return known.index(own) if own in known else known.index("leakage") - 1, part


def _used(table: pd.DataFrame, order: Iterable[str]) -> pd.DataFrame:
    """The parts and layers that are not zero, parts in ``order``."""
    return table.loc[table.sum(axis=1) > 0, [part for part in order if table[part].sum() > 0]]


def _canvas(plt, bars: int, rows: int):
    figure, axes = plt.subplots(rows, 1, figsize=(max(10.0, 0.24 * bars + 4.5), 3.8 * rows), squeeze=False, sharex=True)
    return figure, axes[:, 0]


def stack(axis, table: pd.DataFrame, styles: dict, totals: pd.Series) -> None:
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
    names = [written(layer) for layer in table.index]
    axis.set_xticks(range(len(table)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axis.set_xlim(-0.7, len(table) - 0.3)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.005, 1.0))
