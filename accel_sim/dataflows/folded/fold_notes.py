"""What a layer's result says about the folds of an array."""

from collections.abc import Iterator
from dataclasses import replace

from accel_sim.dataflows.folded.fold_space import FoldSpace
from accel_sim.dataflows.folded.folds import Box, FoldPlan

#: a grouped layer that has work for a smaller share of the array gets a note
FULL_ENOUGH = 0.5
#: share of a layer's array cycles from which on it is told what part-filled folds cost
TOLD = 0.01


def group_note(plan: FoldPlan, boxes: list[Box], rows: int, cols: int) -> Iterator[str]:
    """Why a layer of many small groups leaves most of the array idle. rows, cols: of the array."""
    space, layer = plan.space, plan.space.layer
    share = sum(map(plan.mapped, boxes)) / (sum(map(plan.folds, boxes)) * rows * cols)
    if layer.G > 1 and share < FULL_ENOUGH:
        shape = plan.shapes(boxes[0])[0]
        kind = "depthwise" if layer.kind == "depthwise" else "grouped"
        filters = f"{space.sizes['filters']} filter{'s' if space.sizes['filters'] > 1 else ''} a group"
        reach = f"{shape.rows} of {rows} rows and {shape.cols} of {cols} columns"
        groups = f"{space.pack} of {layer.G} groups a fold"
        yield f"{kind}: {filters} and {groups} reach {reach}, so {100 * share:.1f} % of the PEs have work"


def part_fold_note(space: FoldSpace) -> Iterator[str]:
    """What filling and draining of folds costs that leave rows or columns without work."""
    whole, used = (sum(replace(space, used_alone=used).folds_last()) for used in (False, True))
    if whole - used > TOLD * whole:
        if space.used_alone:
            last = f"as long as the rows and columns they use, {whole - used:,} cycles less than as the whole array"
        else:
            last = f"as long as the whole array, {whole - used:,} cycles more than as the rows and columns they use"
        yield f"part-filled folds take {last} (dataflow.part_folds)"
