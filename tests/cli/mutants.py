"""Trees of YAML with one value replaced: what a user may write by mistake, anywhere."""

import copy
import datetime
import random
from collections.abc import Iterator
from typing import Any

#: of other types than most fields, and numbers that nobody can build
VALUES = [
    None, True, "text", "", [], [[1]], {}, {"a": 1}, {"name": "x"}, -1, 0, 1, 0.5, 1e-9, 1 << 32, 1e300, float("nan"),
    float("inf"), "1e400", 10**30, [None], [{}], {"name": None}, datetime.date(2020, 1, 1), b"x", "x" * 300, "a\nb",
]  # fmt: skip


def changed(tree: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """(path, tree with another value there) for every node of a tree and every one of VALUES."""
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        for value in VALUES:
            other = copy.copy(tree)
            other[key] = value
            yield (*path, key), other
        if isinstance(tree[key], dict | list):
            for below, inner in changed(tree[key], (*path, key)):
                other = copy.copy(tree)
                other[key] = inner
                yield below, other


def some(tree: Any, count: int, seed: int) -> list[tuple[tuple, Any]]:
    """So many of ``changed``, drawn with a seed."""
    return random.Random(seed).sample(list(changed(tree)), count)
