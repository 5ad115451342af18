"""The best loop nest of a layer, found exactly: every order and every tile size that differs, under the capacities.

For each candidate every level keeps an operand below the outermost loop at which it fits; a loop's bytes are then what
one pass moves times the passes (Timeloop, Parashar et al., ISPASS 2019, with a place of its own for every operand and
level as in ZigZag, Mei et al., TC 2021). Bytes are exact, cycles and energy are estimates that only choose: the run
itself is played tile by tile.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from accel_sim.mapping.buffer import Buffer, cannot_fit
from accel_sim.mapping.nest import DIMENSIONS, RELEVANT, TAPS, Loop, Nest
from accel_sim.mapping.space import Candidates, Space
from workloads.registry import InputError

OBJECTIVES = ("dram", "cycles", "energy", "edp")
#: what a tile costs beside what it moves (guesses): latencies of the outermost memory, which wait behind other
#: transfers, and cycles, in which an array that only just keeps up waits
PER_TILE, TILE_CYCLES = 0.5, 2
#: a layer is cut into more tiles only if it must be
MOST_TILES = 2000


@dataclass(frozen=True)
class Goal:
    """What is made small, and what things cost. bytes_per_cycle, latency: of the outermost memory (an estimate where it
    has none of its own); pj_per_byte: level -> (read, write); static_pj: per cycle."""

    objective: str
    origin: str
    bytes_per_cycle: float
    latency: int
    pj_per_byte: dict[str, tuple[float, float]]
    static_pj: float

    def best(self, metrics: "Metrics") -> int | None:
        """Number of the best candidate, None if none fits.

        The very least of the objective, so that more room never makes the estimate worse (dram: the least bytes, and of
        those the least cycles); among equals the fewest tiles.
        """
        left = np.flatnonzero(metrics.fits)
        if not len(left):
            return None
        edp = metrics.energy * metrics.cycles
        values = {"cycles": metrics.cycles, "energy": metrics.energy, "edp": edp}
        if self.objective == "dram":
            left = left[metrics.dram[left] == metrics.dram[left].min()]
        keys = [values.get(self.objective, metrics.cycles), metrics.tiles, metrics.dram, metrics.cycles]
        return int(left[np.lexsort([key[left] for key in keys[::-1]])[0]])


@dataclass(frozen=True, eq=False)
class Metrics:
    """Of every candidate, [n] each: bytes moved to and from the outermost memory, cycles, pJ, tiles; keeps: operand ->
    level -> depth; fits."""

    dram: np.ndarray
    cycles: np.ndarray
    energy: np.ndarray
    tiles: np.ndarray
    keeps: dict[str, list[np.ndarray]]
    fits: np.ndarray

    @staticmethod
    def joined(parts: "list[Metrics]") -> "Metrics":
        """One behind the other, without what is kept."""
        names = ("dram", "cycles", "energy", "tiles", "fits")
        return Metrics(keeps={}, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def search(space: Space, buffers: dict[str, Buffer], goal: Goal, given: "Given | None" = None) -> Nest:
    """The best nest; of equal ones the first in the order of enumeration.

    Taps are cut only where a tile would not fit with all of them, or where the user says so. given: what the user
    fixed. Raises InputError if nothing fits: what would, or what the given tiles need.
    """
    orders, choices = space.orders, space.choices()
    if given is not None:
        orders, choices = given.orders(space), given.choices(space, choices)
    found = _every(space, choices)
    if TAPS in choices:
        found = found if space.sizes[TAPS] not in choices[TAPS] else _cut_where_needed(space, orders, found, buffers)
        orders = orders if TAPS in found.choices else _uncut(orders)
    nest = _best(space, orders, found, buffers, goal)
    if nest is None:
        raise _refusal(space, orders, found, buffers, given)
    return nest


def _uncut(orders: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The orders without the loop of taps."""
    return tuple(tuple(dim for dim in order if dim != TAPS) for order in orders)


def _cut_where_needed(
    space: Space, orders: tuple[tuple[str, ...], ...], found: Candidates, buffers: dict[str, Buffer]
) -> Candidates:
    """Without tiles with some of the taps that could be played with all of them."""
    found = found.take((found.counts(TAPS) == 1) | (found.tiles("k") == min(found.choices["k"])))
    whole = found.without(TAPS)
    fits = np.any([space.allowed(order, whole) for order in _uncut(orders)], axis=0)
    for buffer in buffers["weights"].path:
        fits &= _one_tile_fits(space, "weights", buffer, whole)
    cut = found.counts(TAPS) > 1
    return found.take(~cut | ~fits) if (cut & ~fits).any() else found.take(~cut).without(TAPS)


def _best(
    space: Space, orders: tuple[tuple[str, ...], ...], found: Candidates, buffers: dict[str, Buffer], goal: Goal
) -> Nest | None:
    """The best of these candidates in these orders, None if nothing fits."""
    tried = []
    for order in _different(orders, found):
        allowed = found.take(space.allowed(order, found))
        for operand in space.operands:  # what no slot holds goes at once
            for buffer in buffers[operand].path:
                allowed = allowed.take(_one_tile_fits(space, operand, buffer, allowed))
        few = allowed.take(np.prod([allowed.counts(dim) for dim in allowed.choices], axis=0) <= MOST_TILES)
        allowed = few if len(few) else allowed
        if len(allowed):
            tried.append((order, allowed, evaluate(space, order, allowed, buffers, goal)))
    best = goal.best(Metrics.joined([metrics for *_, metrics in tried])) if tried else None
    if best is None:
        return None
    for order, allowed, metrics in tried:
        if best < len(allowed):
            return _nest(space, order, allowed, metrics, best)
        best -= len(allowed)
    raise AssertionError("search: the best candidate lies beyond all")


def _different(orders: tuple[tuple[str, ...], ...], found: "Candidates") -> Iterator[tuple[str, ...]]:
    """The first of the orders that differ only in the place of loops that never turn."""
    turning = {dim for dim in found.choices if any(tile < found.sizes[dim] for tile in found.choices[dim])}
    seen = set()
    for order in orders:
        key = tuple(dim for dim in order if dim in turning)
        if key not in seen:
            seen.add(key)
            yield order


def _every(space: Space, choices: dict[str, list[int]]) -> Candidates:
    dims = [dim for dim in (*DIMENSIONS, TAPS) if dim in choices]
    mesh = np.meshgrid(*(np.arange(len(choices[dim])) for dim in dims), indexing="ij")
    at = {dim: m.ravel() for dim, m in zip(dims, mesh, strict=True)}
    return Candidates(choices, at, space.sizes)


def evaluate(
    space: Space, order: tuple[str, ...], found: Candidates, buffers: dict[str, Buffer], goal: Goal
) -> Metrics:
    """Traffic, cycles and energy of every candidate in one loop order."""
    n, counts = len(found), {dim: found.counts(dim) for dim in order}
    tiles = np.prod([counts[dim] for dim in order], axis=0)
    fits, dram, keeps = np.ones(n, bool), np.zeros(n), {}
    energy, slowest, first = np.full(n, space.fixed_pj), np.zeros(n), np.zeros(n)
    for operand in space.operands:
        path, loads = buffers[operand].path, np.zeros(n)
        depths = [_depth(space, operand, buffer, order, counts, found) for buffer in path]
        fits &= np.all([ok for _, ok in depths], axis=0)
        keeps[operand] = [depth for depth, _ in depths]
        for number, buffer in enumerate(path):
            depth = np.min(keeps[operand][number:], axis=0)  # what a level farther in keeps is not asked for again
            inward, outward, loads = _boundary(space, operand, order, counts, depth, found)
            source = path[number - 1].level if number else goal.origin
            read, write = goal.pj_per_byte[source], goal.pj_per_byte[buffer.level]
            energy += inward * (read[0] + write[1]) + outward * (write[0] + read[1])
            moving = inward + outward
            if buffer.fill is not None:
                slowest = np.maximum(slowest, moving / float(buffer.fill))
            if number == 0:
                dram += moving
                slowest = np.maximum(slowest, moving / goal.bytes_per_cycle + loads * goal.latency)
        # as with all taps: no estimate is better than that of a level which they fit
        first += space.room(operand, buffers[operand], frozenset({TAPS}), found) / goal.bytes_per_cycle
    array = space.array_cycles(order, found)
    swaps = 2 * goal.latency + tiles * (PER_TILE * goal.latency + TILE_CYCLES)
    cycles = np.maximum(array, np.maximum(slowest, dram / goal.bytes_per_cycle)) + first + swaps
    return Metrics(dram, cycles, energy + goal.static_pj * cycles, tiles, keeps, fits)


def _one_tile_fits(space: Space, operand: str, buffer: Buffer, found: Candidates) -> np.ndarray:
    """[n] bool: a tile's part fits a slot, or there is only one such part and it fits the level."""
    return _one_tile_room(space, operand, buffer, found) <= buffer.bytes


def _one_tile_room(space: Space, operand: str, buffer: Buffer, found: Candidates) -> np.ndarray:
    """[n] bytes of a level that a tile's part needs, in every slot if there are several such parts."""
    return space.room(operand, buffer, frozenset(), found) * np.where(_several(operand, found), buffer.slots, 1)


def _several(operand: str, found: Candidates) -> np.ndarray:
    """[n] bool: more than one tile's part."""
    several = np.zeros(len(found), bool)
    for dim in RELEVANT[operand] & set(found.choices):
        several |= found.counts(dim) > 1
    return several


def _depth(
    space: Space, operand: str, buffer: Buffer, order: tuple[str, ...], counts: dict[str, np.ndarray], found: Candidates
) -> tuple[np.ndarray, np.ndarray]:
    """([n] outermost loop below which a level can keep the operand, [n] whether it can hold one tile)."""
    n = len(found)
    depth, ok = np.full(n, len(order)), np.zeros(n, bool)
    for keep in range(len(order), -1, -1):
        inside = frozenset(order[keep:])
        changing = np.zeros(n, bool)
        for dim in order[:keep]:
            if dim in RELEVANT[operand]:
                changing |= counts[dim] > 1
        need = space.room(operand, buffer, inside, found) * np.where(changing, buffer.slots, 1)
        fit = need <= buffer.bytes
        depth, ok = np.where(fit, keep, depth), ok | fit
    return depth, ok


def _boundary(
    space: Space,
    operand: str,
    order: tuple[str, ...],
    counts: dict[str, np.ndarray],
    depth: np.ndarray,
    found: Candidates,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """([n] bytes into a level, bytes out of it, loads) for an operand kept at ``depth``."""
    n, relevant = len(found), RELEVANT[operand]
    running, passes, seen = np.ones(n), np.ones(n), np.ones(n)
    apart = {dim: np.zeros(n, bool) for dim in order}
    loads = np.ones(n)
    for place, dim in enumerate(order):
        outside = place < depth
        running = np.where(outside & (dim not in relevant), running * counts[dim], running)
        if dim in relevant:
            passes = np.where(outside & (counts[dim] > 1), running, passes)
            seen = seen * counts[dim]
        apart[dim] = outside & (counts[dim] > 1)
    loads = passes * seen
    if operand != "outputs":
        return passes * space.moved(operand, apart, found, sums=False), np.zeros(n), loads
    spills = np.where(np.isin(depth, range(len(order) + 1)), passes - 1, 0)
    partial = spills * space.moved(operand, apart, found, sums=True)
    return partial, partial + space.moved(operand, apart, found, sums=False), loads


def _nest(space: Space, order: tuple[str, ...], found: Candidates, metrics: Metrics, which: int) -> Nest:
    loops = tuple(Loop(dim, space.sizes[dim], int(found.tiles(dim)[which])) for dim in order)
    keeps = {operand: tuple(int(depth[which]) for depth in depths) for operand, depths in metrics.keeps.items()}
    uncut = next((at for at, loop in enumerate(loops) if loop.dim == TAPS and loop.count == 1), None)
    if uncut is not None:  # a loop of one turn, which nobody needs to see
        loops = loops[:uncut] + loops[uncut + 1 :]
        keeps = {operand: tuple(keep - (keep > uncut) for keep in depths) for operand, depths in keeps.items()}
    return Nest(loops, keeps)


def _refusal(
    space: Space, orders: tuple[tuple[str, ...], ...], found: Candidates, buffers: dict[str, Buffer],
    given: "Given | None",
) -> InputError:  # fmt: skip
    """Names the operand whose smallest tile is too large, and the capacity that would do: alone if one is too small,
    else with those that the next refusals name."""
    playable = np.any([space.allowed(order, found) for order in orders], axis=0)
    found = found.take(playable) if playable.any() else found
    found = found.take(np.lexsort([found.tiles(dim) for dim in found.choices]))
    places = [(operand, buffer) for operand in space.operands for buffer in buffers[operand].path]
    rooms = [_one_tile_room(space, operand, buffer, found) for operand, buffer in places]
    fits = np.array([room <= buffer.bytes for room, (_, buffer) in zip(rooms, places, strict=True)])
    for number, (operand, buffer) in enumerate(places):
        others = np.flatnonzero(np.delete(fits, number, axis=0).all(axis=0))
        others = others if len(others) else np.zeros(1, int)  # several are too small: for the smallest tile
        best = found.take(others[[np.argmin(rooms[number][others])]])
        if not _one_tile_fits(space, operand, buffer, best)[0]:
            need = int(space.room(operand, buffer, frozenset(), best)[0])
            return cannot_fit(space.layer, operand, need, buffer, whole=not _several(operand, best)[0])
    where = f"its mapping ({given})" if given is not None else "every tile size"
    return InputError(f"layer '{space.layer.name}': {where} is none that the dataflow can play within the buffers")


def distinct_tiles(size: int, block: int) -> list[int]:
    """The smallest tile, a multiple of ``block``, for every number of tiles that ``size`` can be cut into."""
    blocks = -(-size // block)
    found, count = [], 1
    while count <= blocks:
        tile = -(-blocks // count)
        found.append(tile * block)
        if tile == 1:
            break
        count = max(count + 1, -(-blocks // (tile - 1)) if tile > 1 else blocks)
    return sorted({min(tile, size) for tile in found})


def orders_of(dims: tuple[str, ...], taps: bool = False) -> Iterator[tuple[str, ...]]:
    """Every loop order with groups outermost (no operand is shared between groups), taps directly inside k."""
    for order in permutations(dims[1:]):
        inside = {"k": ("k", TAPS)} if taps else {}
        yield (dims[0], *(each for dim in order for each in inside.get(dim, (dim,))))


@dataclass(frozen=True)
class Given:
    """A user's mapping of some layers. order: dims outermost first, or None; tiles: dim -> elements."""

    where: str
    order: tuple[str, ...] | None
    tiles: dict[str, int]

    def orders(self, space: Space) -> tuple[tuple[str, ...], ...]:
        """The orders this leaves open."""
        if self.order is None:
            return space.orders
        known = {tuple(dim for dim in order if dim != TAPS): order for order in space.orders}
        if self.order not in known:
            names = "; ".join(map(" ".join, known))
            raise InputError(f"{self.where}: order {' '.join(self.order)} cannot be played, expected one of: {names}")
        return (known[self.order],)

    def choices(self, space: Space, choices: dict[str, list[int]]) -> dict[str, list[int]]:
        """The tile sizes this leaves open; a tile is rounded up to the array's block."""
        taps = space.layer.R * space.layer.S
        if TAPS in self.tiles and TAPS not in choices and taps > 1:
            raise InputError(f"{self.where}: tiles.{TAPS}: no fold of this dataflow takes one of the {taps} taps alone")
        return choices | {dim: [space.rounded(dim, tile)] for dim, tile in self.tiles.items() if dim in choices}

    def changes(self, nest: Nest) -> tuple[str, ...]:
        """A sentence for every tile that is played in another size than the user gave."""
        played = {loop.dim: loop.tile for loop in nest.loops}
        return tuple(
            f"{self.where.partition(': ')[2]}.tiles.{dim}={tile} is played as {played[dim]}"
            for dim, tile in self.tiles.items()
            if played.get(dim, tile) != tile
        )

    def __str__(self) -> str:
        return ", ".join(
            [*([" ".join(self.order)] if self.order else []), *(f"{d} {t}" for d, t in self.tiles.items())]
        )
