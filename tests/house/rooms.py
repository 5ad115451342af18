"""Rooms of the house, and who looks into whom: measured from the imports of every file, wherever in it they stand.

A room is a folder directly below accel_sim, a loose file there, or another package. A floor is the longest chain of
imports below a room, back arrows left out; back arrows are the fewest imports between rooms whose cut leaves no circle.
"""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("cython_core", "workloads", "accel_sim", "experiments")
SPLIT = "accel_sim"

Arrow = tuple[str, str]


@dataclass(frozen=True)
class House:
    """root: of the repository."""

    root: Path

    @cached_property
    def files(self) -> dict[str, Path]:
        """Module name -> file, of all packages."""
        found = {}
        for package in PACKAGES:
            for path in sorted((self.root / package).rglob("*.py")):
                parts = path.relative_to(self.root).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    def room(self, module: str) -> str:
        """Of a module: 'workloads', 'accel_sim/macs', 'accel_sim/shell/cli.py'."""
        first, *rest = module.split(".")
        if first != SPLIT:
            return first
        name = rest[0] if rest else "__init__"
        return f"{SPLIT}/{name}" if (self.root / SPLIT / name).is_dir() else f"{SPLIT}/{name}.py"

    @cached_property
    def rooms(self) -> set[str]:
        """All, those with nothing but data left out."""
        return {self.room(module) for module, path in self.files.items() if path.read_text().count("\n") > 2}

    @property
    def loose(self) -> set[str]:
        """Rooms that are one file directly below accel_sim."""
        return {room for room in self.rooms if room.endswith(".py")}

    @cached_property
    def arrows(self) -> dict[Arrow, set[tuple[str, str]]]:
        """(from, to) of two rooms -> the modules behind it."""
        found: dict[Arrow, set[tuple[str, str]]] = {}
        for module, path in self.files.items():
            for target in self._imported(module, path):
                pair = self.room(module), self.room(target)
                if pair[0] != pair[1]:
                    found.setdefault(pair, set()).add((module, target))
        return found

    def _imported(self, module: str, path: Path) -> Iterator[str]:
        """Modules of the house that a file imports."""
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (found for each in node.names if (found := self._known(each.name)))
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                yield from (found for each in node.names if (found := self._known(f"{base}.{each.name}")))

    def _known(self, name: str) -> str | None:
        """The module that a dotted name lies in, kernels by their package."""
        while name and name not in self.files:
            name = name.rpartition(".")[0]
        return name or None

    @cached_property
    def circles(self) -> list[set[str]]:
        """Rooms that import each other round, each circle as large as it is."""
        below = {room: self._reached(room) for room in self.rooms}
        rings = {frozenset({room, *(each for each in below[room] if room in below[each])}) for room in below}
        return [set(ring) for ring in sorted(rings, key=sorted) if len(ring) > 1]

    def _reached(self, room: str) -> set[str]:
        reached, ahead = set(), [room]
        while ahead:
            here = ahead.pop()
            new = {to for origin, to in self.arrows if origin == here} - reached
            reached |= new
            ahead.extend(new)
        return reached

    @cached_property
    def back(self) -> set[Arrow]:
        """The fewest arrows whose cut leaves no circle."""
        return {arrow for ring in self.circles for arrow in _against(sorted(ring), self.arrows)}

    @cached_property
    def floors(self) -> dict[str, int]:
        """Room -> floor, the lowest 1."""
        return _floors(self.rooms, set(self.arrows) - self.back) or {}


def _against(ring: list[str], arrows: Collection[Arrow]) -> list[Arrow]:
    """Arrows that point up in an order of the rooms of a circle with the fewest of those: 2^n steps."""
    place = {room: number for number, room in enumerate(ring)}
    inside = [(place[origin], place[to]) for origin, to in arrows if origin in place and to in place]
    fewest: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    for below in range(1 << len(ring)):  # rooms that stand already, as bits; who comes next looks up to the others
        count, order = fewest.pop(below) if below + 1 < 1 << len(ring) else fewest[below]
        for room in range(len(ring)):
            if not below >> room & 1:
                cost = count + sum(origin == room and not below >> to & 1 for origin, to in inside)
                known = fewest.get(below | 1 << room)
                if known is None or cost < known[0]:
                    fewest[below | 1 << room] = cost, (*order, room)
    order = fewest[(1 << len(ring)) - 1][1]
    stands = {room: number for number, room in enumerate(order)}
    return [(ring[origin], ring[to]) for origin, to in inside if stands[origin] < stands[to]]


def _floors(rooms: set[str], arrows: set[Arrow]) -> dict[str, int] | None:
    """Longest chains below; None where there is a circle."""
    floors, left = {}, set(rooms)
    while left:
        free = {room for room in left if not any(origin == room and to in left for origin, to in arrows)}
        if not free:
            return None
        for room in free:
            floors[room] = 1 + max((floors[to] for origin, to in arrows if origin == room and to in floors), default=0)
        left -= free
    return floors
