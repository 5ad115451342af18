"""All points of a study as one table: a row each, in the study's order."""

import csv
import io
from pathlib import Path
from typing import Any

from accel_sim.host.output import write
from accel_sim.sweep import study
from accel_sim.sweep.plan import Point
from accel_sim.sweep.store import Store
from workloads.registry import InputError

FILES = ("results.parquet", "results.csv")


def collect(points: list[Point], store: Store, columns: list[str]) -> Path:
    """Writes results.parquet (results.csv where there is no pyarrow) of the points that are done."""
    rows = [{"point": point.task.key} | _labelled(point, store) for point in points if point.task.key in store.points]
    names = dict.fromkeys(["point", *columns])
    for row in rows:
        names |= dict.fromkeys(row)
    table = {name: _column([row.get(name) for row in rows]) for name in _ordered(list(names))}
    name, data = _parquet(table) or ("results.csv", _csv(table))
    path = store.folder / name
    write(path, data)
    for other in {*FILES, "report.html"} - {name}:  # a report of other results would be a wrong one
        (store.folder / other).unlink(missing_ok=True)
    return path


def is_study(folder: Path) -> bool:
    """A sweep or a search has written into this folder."""
    return (folder / "study.yaml").exists()


def read(folder: Path) -> Any:
    """The table of a study's directory, a DataFrame; attrs["settings"]: network, hardware, axes and derived columns;
    attrs["derived"]: the last of these alone.

    InputError if there is none, or none that can be read here.
    """
    import pandas as pd

    known = study.read(folder / "study.yaml")
    path = next((folder / name for name in FILES if (folder / name).exists()), None)
    if path is None:
        raise InputError(f"{folder}: the study has no results yet (accel-sim sweep collects them at its end)")
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
        else:
            frame = pd.read_parquet(path)
    except ImportError:
        raise InputError(f"{path}: cannot be read without pyarrow") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    frame.attrs |= {"settings": known.columns, "derived": list(known.derived)}
    return frame


def _labelled(point: Point, store: Store) -> dict[str, Any]:
    """The study's own columns win over figures of the same name."""
    return store.figures(point.task.key) | point.values


def _ordered(names: list[str]) -> list[str]:
    """Energy by component and cycles by cause stand behind all others, in order of their name."""
    families = ("energy_pj.", "cycles.")
    parts = [sorted(name for name in names if name.startswith(family)) for family in families]
    return [name for name in names if not name.startswith(families)] + parts[0] + parts[1]


def _column(values: list[Any]) -> list[Any]:
    """Values of one kind: what is neither text nor number is written out, and so is all that is mixed."""
    kinds = {
        "text" if not isinstance(value, int | float) else type(value).__name__ for value in values if value is not None
    }
    if kinds <= {"int", "float"} and len(kinds) == 2:
        return [None if value is None else float(value) for value in values]
    if len(kinds) > 1 or kinds == {"text"}:
        return [None if value is None else value if isinstance(value, str) else str(value) for value in values]
    return values


def _csv(table: dict[str, list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode()


def _parquet(table: dict[str, list[Any]]) -> tuple[str, bytes] | None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer)
    return "results.parquet", buffer.getvalue()
