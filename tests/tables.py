"""Tables of reference data."""

import csv
from pathlib import Path


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV; lines that begin with # are comments."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))
