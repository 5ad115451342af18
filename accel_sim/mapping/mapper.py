"""Who chooses a layer's tiles: the search for the best under an objective, or the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict

from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import DIMENSIONS, TAPS, Nest
from accel_sim.mapping.search import OBJECTIVES, Given, Goal, Space, search
from accel_sim.values.checks import ReadAs
from workloads.layer import Layer
from workloads.layer_names import chosen
from workloads.registry import InputError, unknown


class Wish(TypedDict, total=False):
    """What a user fixes of a layer's mapping. order: of all dims, outermost first; tiles: dim -> elements."""

    order: list[str]
    tiles: dict[str, int]


@dataclass(frozen=True)
class MappingRules:
    """The `mapping` section of a machine.

    objective: what the tiles make small: dram (bytes moved), cycles, energy or edp (energy x delay). layers: glob of
    layer names -> {order: [dims, outermost first], tiles: {dim: elements}}; what is left out is searched; the first
    glob that matches counts. keep_maps: a map stays on chip between layers where it fits. prefetch_layers: the next
    layer's first weights are loaded during this one. map_layout: of maps in the outermost memory: nchw,
    each map without a gap, or nhwc, the channels of a pixel side by side and each pixel in whole bytes.
    """

    objective: str = "edp"
    layers: dict[str, Annotated[Wish, ReadAs(dict[str, object])]] = field(default_factory=dict)
    keep_maps: bool = False
    prefetch_layers: bool = False
    map_layout: Literal["nchw", "nhwc"] = "nchw"

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(str(unknown("objective", self.objective, list(OBJECTIVES))))
        if self.keep_maps and self.map_layout == "nhwc":
            raise ValueError("keep_maps: maps that stay on chip need map_layout: nchw")
        for name, wanted in self.layers.items():
            _check(name, wanted)

    def given(self, layers: Sequence[Layer]) -> dict[str, Given]:
        """Layer -> what the user fixed of its mapping; InputError for a name that means no layer with MACs.

        layers: of the whole network.
        """
        found: dict[str, Given] = {}
        if not self.layers:
            return found
        names, with_macs = [[layer.name for layer in layers if layer.has_macs or some] for some in (True, False)]
        exact = [name for name in self.layers if name in with_macs]  # over every glob
        for wish in dict.fromkeys([*exact, *self.layers]):
            wanted = self.layers[wish]
            order = tuple(wanted["order"]) if "order" in wanted else None
            for layer in chosen(wish, with_macs, "mapping.layers", names):
                where = f"layer '{layer}': mapping.layers.{wish}"
                found.setdefault(layer, Given(where, order, dict(wanted.get("tiles", {}))))
        return found


def _check(name: str, wanted: Mapping[str, object]) -> None:
    where = f"layers.{name}"
    for key in wanted:
        if key not in ("order", "tiles"):
            raise ValueError(f"{where}: {unknown('key', str(key), ['order', 'tiles'])}")
    order, tiles = wanted.get("order", list(DIMENSIONS)), wanted.get("tiles", {})
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(DIMENSIONS):
        raise ValueError(f"{where}.order: expected {', '.join(DIMENSIONS)} once each, outermost first")
    if not isinstance(tiles, dict):
        raise ValueError(f"{where}.tiles: expected a mapping of {', '.join(DIMENSIONS)} to elements")
    for dim, tile in tiles.items():
        if dim not in (*DIMENSIONS, TAPS):
            raise ValueError(f"{where}.tiles: {unknown('dimension', str(dim), [*DIMENSIONS, TAPS])}")
        if not isinstance(tile, int) or isinstance(tile, bool) or tile < 1:
            raise ValueError(f"{where}.tiles.{dim}: expected a number of elements from 1 on, not {tile!r}")


@dataclass(frozen=True)
class Mapper:
    """Chooses one layer's nest. goal: the objective and what things cost; given: what the user fixed, or None."""

    goal: Goal
    given: Given | None = None

    def nest(self, space: Space, buffers: dict[str, Buffer]) -> Nest:
        """InputError where nothing fits the buffers, or what was given does not."""
        return search(space, buffers, self.goal, self.given)

    def tiles(self, cut: tuple[str, ...], order: tuple[str, ...]) -> dict[str, int]:
        """The user's tiles of the dimensions that a dataflow of fixed order cuts."""
        if self.given is None:
            return {}
        if self.given.order not in (None, order):
            raise InputError(f"{self.given.where}: this dataflow's order is {' '.join(order)}")
        for dim in self.given.tiles:
            if dim not in cut:
                raise InputError(f"{self.given.where}: this dataflow cuts {' and '.join(cut)} alone, not {dim}")
        return self.given.tiles
