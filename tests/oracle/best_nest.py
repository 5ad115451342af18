"""The fewest bytes to and from memory over all tile sizes and loop orders, by trying each of them.

A dense array takes `block` elements of a dimension at once; a tile is whole blocks, or all that is left. A level of
`capacity` bytes keeps an operand below the outermost loop at which all that lies there together fits; where it is
replaced by other data, each of the `slots` needs that room. Sums that the array holds (no buffer in between) may not
leave it unfinished.
"""

from dataclasses import dataclass
from itertools import permutations, product

from .loop_nest import DEPENDS, Loops, loaded, summed
from .traffic import tile_inputs, tile_outputs, tile_weights


@dataclass(frozen=True)
class Array:
    """block: dim -> elements of a fold; streamed: the dimension that is not laid out over PEs; sum_bytes: of one."""

    block: dict[str, int]
    streamed: str
    sum_bytes: int = 4


def sizes(shape: dict) -> dict[str, int]:
    G = shape["G"]
    return {
        "groups": G, "pixels": shape["N"] * shape["E"] * shape["F"], "filters": shape["M"] // G,
        "k": shape["C"] // G * shape["R"] * shape["S"],
    }  # fmt: skip


def least(shape: dict, weight_bits: int, array: Array, capacity: dict[str, int], slots: int) -> int | None:
    """Bytes, or None if no tile fits."""
    found = []
    whole = sizes(shape)
    choices = [sorted({min(n, whole[dim]) for n in range(block, whole[dim] + block, block)})
               for dim, block in array.block.items()]  # fmt: skip
    for chosen in product(*choices):
        tiles = dict(zip(array.block, chosen, strict=True))
        for inner in permutations([dim for dim in array.block if dim != "groups"]):
            order = ("groups", *inner)
            if array.streamed == "k" and tiles["k"] < whole["k"] and not (
                order[-1] == "k" and all(tiles[dim] <= array.block[dim] for dim in order[:-1])
            ):  # fmt: skip
                continue
            moved = one_nest(shape, weight_bits, array, capacity, slots, order, tiles)
            if moved is not None:
                found.append(moved)
    return min(found, default=None)


def one_nest(shape, weight_bits, array, capacity, slots, order, tiles) -> int | None:
    whole = sizes(shape)
    loops = Loops(order, tuple(-(-whole[dim] // tiles[dim]) for dim in order))
    spilling = array.streamed != "k" and whole["k"] > array.block["k"]

    def spans(index):
        at = dict(zip(order, index, strict=True))
        return {dim: range(i * tiles[dim], min(whole[dim], (i + 1) * tiles[dim])) for dim, i in at.items()}

    def sums(index):
        each = tile_outputs(shape, spans(index))
        return {address * array.sum_bytes + byte for address in each for byte in range(array.sum_bytes)}

    def final(index):
        return tile_outputs(shape, spans(index))

    parts = {
        "inputs": {index: tile_inputs(shape, spans(index)) for index in loops},
        "weights": {index: tile_weights(shape, weight_bits, spans(index)) for index in loops},
        "outputs": {index: sums(index) if spilling else final(index) for index in loops},
    }
    total = 0
    for operand, part in parts.items():
        keep = next((d for d in range(5) if fits(loops, operand, d, part, capacity[operand], slots)), None)
        if keep is None:
            return None
        if operand == "outputs":
            moved = summed(loops, [keep], sums, final)
            total += moved.spilled[0] + moved.read_back[0] + moved.finished[0]
        else:
            total += loaded(loops, operand, [keep], part.__getitem__)[0]
    return total


def fits(loops: Loops, operand: str, keep: int, part: dict, capacity: int, slots: int) -> bool:
    together: dict[tuple, set] = {}
    for index in loops:
        together.setdefault(loops.key(operand, keep, index), set()).update(part[index])
    replaced = any(
        dim in DEPENDS[operand] and n > 1 for dim, n in zip(loops.dims[:keep], loops.counts[:keep], strict=True)
    )
    return max(map(len, together.values())) * (slots if replaced else 1) <= capacity
