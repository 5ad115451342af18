"""Which layers a wish means: a user names one by its own name, or several by a glob."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from workloads.registry import InputError, unknown


def matching(wish: str, names: Iterable[str]) -> list[str]:
    """The layer of that very name, else those whose name the wish matches as a glob; none if there are none.

    A name comes first because it may hold what a glob reads otherwise (``conv[0]``).
    """
    names = list(names)
    return [wish] if wish in names else [name for name in names if fnmatchcase(name, wish)]


def chosen(wish: str, names: Iterable[str], where: str, others: Sequence[str] = ()) -> list[str]:
    """As ``matching``; InputError if there are none. where: what the user wrote it in; others: layers that it cannot
    mean because they have no MACs."""
    names = list(names)
    found = matching(wish, names)
    if not found and matching(wish, others):
        raise InputError(f"{where}: '{wish}' has no MACs, expected a layer that has ({', '.join(names)})")
    if not found:
        raise InputError(f"{where}: {unknown('layer', wish, names)}")
    return found
