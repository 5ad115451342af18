"""`staging.Staging` against a nest replayed with sets of bytes."""

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import Loop, Nest
from accel_sim.mapping.staging import Staging
from accel_sim.values.tile import Extent
from tests.oracle import loop_nest
from tests.oracle.loop_nest import DEPENDS, Loops

NAMES = ("glb", "middle", "near")


def runs(addresses: set[int]) -> tuple[Extent, ...]:
    """The bytes as extents, some of them strided."""
    found: list[list[int]] = []
    for address in sorted(addresses):
        if found and address == found[-1][0] + found[-1][1]:
            found[-1][1] += 1
        else:
            found.append([address, 1])
    if len(found) > 1 and len({size for _, size in found}) == 1:
        steps = {b[0] - a[0] for a, b in pairwise(found)}
        if len(steps) == 1:
            return (Extent(*found[0], len(found), steps.pop()),)
    return tuple(Extent(*run) for run in found)


class Layer:
    """A made-up layer: rows of an input map under a window with halo, weights of half a byte, outputs of one."""

    def __init__(self, draw):
        self.sizes = {"groups": draw(st.integers(1, 2)), "pixels": draw(st.integers(1, 5)),
                      "filters": draw(st.integers(1, 4)), "k": draw(st.integers(1, 6))}  # fmt: skip
        self.stride, self.reach = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        self.taps = draw(st.sampled_from([1, 2, 3]))

    def inputs(self, s: dict[str, range]) -> set[int]:
        channels = {k // self.taps for k in s["k"]}
        rows = range(s["pixels"][0] * self.stride, s["pixels"][-1] * self.stride + self.reach)
        return {(g * 8 + c) * 32 + row for g in s["groups"] for c in channels for row in rows}

    def weights(self, s: dict[str, range]) -> set[int]:
        K = self.sizes["k"]
        row = -(-K // 2)
        return {
            (g * self.sizes["filters"] + m) * row + k // 2 for g in s["groups"] for m in s["filters"] for k in s["k"]
        }

    def outputs(self, s: dict[str, range]) -> set[int]:
        pixels = self.sizes["pixels"]
        return {
            (g * self.sizes["filters"] + m) * pixels + p for g in s["groups"] for m in s["filters"] for p in s["pixels"]
        }

    def sums(self, s: dict[str, range]) -> set[int]:
        return {4 * address + byte for address in self.outputs(s) for byte in range(4)}


@st.composite
def nests(draw):
    layer = Layer(draw)
    order = ("groups", *draw(st.permutations(["pixels", "filters", "k"])))
    loops = tuple(Loop(dim, layer.sizes[dim], draw(st.integers(1, layer.sizes[dim]))) for dim in order)
    depth = draw(st.integers(1, 3))
    keeps = {operand: tuple(_keep(draw, loops, operand) for _ in range(depth)) for operand in DEPENDS}
    return layer, Nest(loops, keeps)


def _keep(draw, loops, operand: str) -> int:
    """As the search leaves it: behind a loop that changes the operand, as nothing is gained farther in."""
    changing = [i + 1 for i, loop in enumerate(loops) if loop.dim in DEPENDS[operand] and loop.count > 1]
    return draw(st.sampled_from([0, *changing]))


def buffer(levels: int) -> Buffer:
    path: tuple[Buffer, ...] = ()
    for name in NAMES[-levels:]:
        path = (*path, Buffer(name, 1 << 20, 2, 8, outer=path))
    return path[-1]


@settings(max_examples=300)
@given(nests())
def test_bytes_across_every_boundary(case):
    layer, nest = case
    levels = len(nest.keeps["inputs"])
    names = NAMES[-levels:]
    staging = Staging(nest, dict.fromkeys(DEPENDS, buffer(levels)), "dram")
    moved: Counter = Counter()

    def spans(index):
        return {loop.dim: range(*loop.span(i)) for loop, i in zip(nest.loops, index, strict=True)}

    for index in nest:
        s = spans(index)
        streams = staging.load("inputs", "inputs", index, lambda _, s=s: runs(layer.inputs(s)), overlap=True)
        streams += staging.load("weights", "weights", index, lambda _, s=s: runs(layer.weights(s)), overlap=True)
        streams += staging.sums(index, lambda s=s: runs(layer.outputs(s)), lambda s=s: runs(layer.sums(s)))
        for stream in streams:
            level = stream.source if stream.is_write else stream.target
            other = stream.target if stream.is_write else stream.source
            assert other == ("dram", *names)[names.index(level)]
            moved[stream.tensor, stream.is_write, level] += stream.bytes
    loops = Loops(tuple(loop.dim for loop in nest.loops), tuple(loop.count for loop in nest.loops))
    expected: Counter = Counter()
    for operand in ("inputs", "weights"):
        part = getattr(layer, operand)
        found = loop_nest.loaded(loops, operand, nest.keeps[operand], lambda index, part=part: part(spans(index)))
        expected.update({(operand, False, name): size for name, size in zip(names, found, strict=True)})
    sums = loop_nest.summed(
        loops, nest.keeps["outputs"], lambda index: layer.sums(spans(index)), lambda index: layer.outputs(spans(index))
    )
    for tensor, is_write, sizes in (
        ("partial_sums", True, sums.spilled), ("partial_sums", False, sums.read_back), ("outputs", True, sums.finished),
    ):  # fmt: skip
        expected.update({(tensor, is_write, name): size for name, size in zip(names, sizes, strict=True)})
    assert +moved == +expected
