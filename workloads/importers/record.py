"""What a file says and what its reader asked for: a field that nobody reads is refused by name, never dropped.

Every importer looks its fields up through ``Record``, renames layers through ``Names``, and names what it cannot read
through ``refuse_unsupported``.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from workloads.registry import InputError

#: names that layers cannot have, because they mean something else -> what
RESERVED = {"input": "the network's own input"}
#: names of fields that an error lists
LIMIT_LISTED = 24


class Record(Mapping[str, Any]):
    """Fields of one record of a file by name. Looking one up is asking for it, whether it is there or not.

    where: begins every error; what: what the file's format calls a field.
    """

    def __init__(self, entries: Mapping[str, Any], where: str, what: str = "field"):
        self._entries, self.where, self.what = entries, where, what
        self._asked: dict[str, None] = {}

    def __getitem__(self, name: str) -> Any:
        self._asked[name] = None
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def unread(self, harmless: Collection[str] = ()) -> list[str]:
        """Fields that are there and that nobody asked for. harmless: those that change nothing that is simulated."""
        return [name for name in self._entries if name not in self._asked and name not in harmless]

    def done(self, harmless: Collection[str] = ()) -> None:
        """InputError if a field was not asked for; to be called when all that is wanted has been read."""
        left = self.unread(harmless)
        if left:
            name, known = str(left[0]), [str(each) for each in self._asked]
            near = difflib.get_close_matches(name, [each for each in known if each != name], n=1, cutoff=0.7)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            more = ", ..." if len(known) > LIMIT_LISTED else ""
            read = ", ".join(known[:LIMIT_LISTED]) or "none"
            raise InputError(f"{self.where}: {self.what} '{name}' is not read here{hint} (read: {read}{more})")


class Names:
    """Layer names as they are given out: a reserved or taken one gets a number, and ``warnings`` say so."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {*RESERVED, *taken}
        self._numbers: Counter[str] = Counter()
        self.warnings: list[str] = []

    def unique(self, name: str) -> str:
        """The name, or one like it that is free."""
        candidate = name
        while candidate in self._taken:
            self._numbers[name] += 1
            candidate = f"{name}_{self._numbers[name]}"
        self._taken.add(candidate)
        return candidate

    def layer(self, name: str) -> str:
        """The name of a layer as the network can have it: only a reserved one is changed."""
        if name not in RESERVED:
            self._taken.add(name)
            return name
        return self.renamed(name)

    def renamed(self, name: str) -> str:
        """Another name in place of a reserved one, which is told."""
        made = self.unique(name)
        self.warnings.append(f"layer '{name}' is called '{made}' here: '{name}' is {RESERVED[name]}")
        return made


def refuse_unsupported(
    where: str, what: str, found: Iterable[tuple[str, str]], known: Collection[str], advice: str
) -> None:
    """InputError if any (kind, example) is of an unknown kind: each kind once, with its count and first example."""
    examples: dict[str, list[str]] = {}
    for kind, example in found:
        if kind not in known:
            examples.setdefault(kind, []).append(example)
    if not examples:
        return
    parts = []
    for kind, names in examples.items():
        near = difflib.get_close_matches(kind, list(known), n=1, cutoff=0.75)
        count = f"{len(names)}, first {names[0]}" if len(names) > 1 else names[0]
        parts.append(f"{kind} ({count}{f'; nearest supported: {near[0]}' if near else ''})")
    shown = "; ".join(parts[:LIMIT_LISTED])
    more = f"; and {len(parts) - LIMIT_LISTED} more kinds" if len(parts) > LIMIT_LISTED else ""
    raise InputError(f"{where}: unsupported {what}: {shown}{more}; {advice}")
