"""A random case: a network file with its arrays, recorded activations, a machine, and how both are changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hypothesis import strategies as st

from accel_sim.machine.config import load_hardware, presets, to_tree
from accel_sim.parts import dataflows, macs
from workloads.encoding import encodings
from workloads.layer import FUNCTIONS

from .count import Spec

#: text fields of a machine -> what they may say; others keep what they have
CHOICES = {
    "mac.name": macs.names(), "encodings.weights.name": encodings.names(), "dataflow.name": dataflows.names(),
    "dataflow.stationary": ["os", "ws", "is"], "dataflow.groups": ["serial", "packed"],
    "dataflow.drain": ["hidden", "exposed"], "dataflow.precision": ["format", "data"],
    "dataflow.reduction_order": ["im2col", "taps", "im2col_first"], "dataflow.overlap": ["none", "loads", "folds"],
    "dataflow.initial_sums": ["zero", "loaded"], "dataflow.asymmetric": ["differences", "correction"],
    "mapping.objective": ["dram", "cycles", "energy", "edp"], "mapping.map_layout": ["nchw", "nhwc"],
    "ports": ["1rw", "1r1w"],
    "overflow": ["wrap", "saturate"], "energy.mac": ["horowitz", "unit"], "layout": ["packed", "tensor"],
    "cell": ["itrs-lstp", "itrs-hp"],
}  # fmt: skip
DRAM = ("ddr3_1600", "ddr4_2400", "lpddr4_2400", "hbm2_2000")
NETWORKS = ("bus", "multicast", "neighbour", "crossbar")


@dataclass(frozen=True)
class Case:
    """layers: in order; weights: layer -> (codes, zero point or one a filter); trace: tensor -> codes recorded for it.

    preset, settings: the machine; precision: of the run, or nothing. Everything else follows from ``seed``.
    """

    input: tuple[int, int, int]
    layers: tuple[Spec, ...]
    batch: int
    preset: str
    settings: Mapping[str, Any]
    precision: Mapping[str, Any]
    densities: tuple[float, float]
    signed: tuple[bool, bool]
    zero_points: str
    seed: int
    weights: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)
    trace: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def filled(self) -> "Case":
        """With its arrays, drawn from its seed."""
        rng = np.random.default_rng(self.seed)
        shapes = {"input": self.input} | {spec.name: (spec.M, spec.E, spec.F) for spec in self.layers}
        read = {name for spec in self.layers for name in spec.inputs}
        density, signed = self.densities[0], self.signed[0]
        trace = {name: _codes(rng, (self.batch, *shape), density, signed, 0) for name, shape in shapes.items()}
        weights = {spec.name: self._weights(spec, rng) for spec in self.layers if stored(spec)}
        return replace(self, weights=weights, trace={name: trace[name] for name in trace if name in read})

    def _weights(self, spec: Spec, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        low = -128 if self.signed[1] else 0
        size = {"none": 0, "one": 1, "each": spec.M}[self.zero_points]
        zero = rng.integers(low // 2, low // 2 + 128, size) if size else np.zeros(1, np.int64)
        per_filter = np.broadcast_to(zero, (spec.M,)).reshape(-1, 1, 1, 1)
        return _codes(rng, spec.weight_shape, self.densities[1], self.signed[1], per_filter), zero

    def write(self, folder: Path) -> tuple[Path, Path]:
        """(network file, recorded activations)"""
        entries = [_entry(spec) for spec in self.layers]
        text = yaml.safe_dump({"name": "soak", "input": list(self.input), "layers": entries}, default_flow_style=None)
        arrays: dict[str, np.ndarray] = {}
        for name, (codes, zero) in self.weights.items():
            arrays |= {f"{name}.weight": codes, f"{name}.scale": np.float32(0.1)}
            if self.zero_points != "none":
                arrays[f"{name}.zero_point"] = zero
        np.savez(folder / "net.npz", network=text, **arrays)
        np.savez(folder / "trace.npz", **self.trace)
        return folder / "net.npz", folder / "trace.npz"


def stored(spec: Spec) -> bool:
    """Whether it has weights of its own."""
    return spec.has_macs and not dict(spec.extra).get("dynamic")


def _codes(rng: np.random.Generator, shape: tuple, density: float, signed: bool, zero: Any) -> np.ndarray:
    low, kind = (-128, np.int8) if signed else (0, np.uint8)
    values = rng.integers(low, low + 256, shape)
    return np.where(rng.random(shape) < density, values, zero).astype(kind)


def _entry(spec: Spec) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": spec.name, "kind": spec.kind, "inputs": list(spec.inputs)}
    if spec.kind in ("conv", "depthwise", "fc", "matmul"):
        entry["M"] = spec.M
    if spec.kind in ("conv", "depthwise", "pool"):
        entry |= {"R": spec.R, "S": spec.S}
        entry |= {key: list(getattr(spec, key)) for key in ("stride", "padding", "dilation")}
    if spec.kind in ("conv", "matmul"):
        entry["G"] = spec.G
    return entry | dict(spec.extra)


@st.composite
def layers(draw, shape: tuple[int, int, int]) -> tuple[Spec, ...]:
    """A chain of up to four layers with a branch here and there."""
    found: list[Spec] = []
    shapes, last = {"input": shape}, "input"
    for number in range(draw(st.integers(1, 4))):
        spec = draw(one(f"l{number}", last, shapes))
        if spec.E < 1 or spec.F < 1:
            continue
        found.append(spec)
        shapes[spec.name], last = (spec.M, spec.E, spec.F), spec.name
    return tuple(found) or (Spec("l0", "relu", *shape, M=shape[0]),)


@st.composite
def one(draw, name: str, last: str, shapes: Mapping[str, tuple[int, int, int]]) -> Spec:
    """A layer that reads ``last``, or ``last`` and another map of its size."""
    C, H, W = shapes[last]
    kinds = ("conv", "conv", "conv", "depthwise", "depthwise", "fc", "pool", "relu", "add", "concat", "softmax", "lrn",
             "elementwise", "matmul", "batchnorm")  # fmt: skip
    kind = draw(st.sampled_from(kinds))
    kernel = {"R": draw(st.integers(1, min(5, H))), "S": draw(st.integers(1, min(5, W)))}
    stride = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    padding = tuple(draw(st.integers(0, min(size - 1, 2))) for size in (kernel["R"],) * 2 + (kernel["S"],) * 2)
    twins = [each for each, size in shapes.items() if size == (C, H, W)]
    if kind == "conv":
        groups = draw(st.sampled_from([g for g in range(1, C + 1) if C % g == 0]))
        filters = groups * draw(st.integers(1, 40) if groups == 1 else st.integers(1, 3))
        dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
        return Spec(name, kind, C, H, W, filters, groups, **kernel, stride=stride, padding=padding, dilation=dilation,
                    inputs=(last,))  # fmt: skip
    if kind == "depthwise":
        return Spec(name, kind, C, H, W, C * draw(st.integers(1, 2)), C, **kernel, stride=stride, padding=padding,
                    inputs=(last,))  # fmt: skip
    if kind == "fc":
        return Spec(name, kind, C * H * W, 1, 1, draw(st.integers(1, 90)), inputs=(last,))
    if kind == "matmul" and W == 1:  # scores of a map with itself: [G, H, C/G] x [G, C/G, H]
        groups = draw(st.sampled_from([g for g in range(1, C + 1) if C % g == 0]))
        return Spec(name, kind, C, H, 1, groups * H, groups, inputs=(last, last), extra=(("dynamic", True),))
    if kind == "pool":
        pool = ("pool", draw(st.sampled_from(["max", "avg"])))
        return Spec(name, kind, C, H, W, C, **kernel, stride=stride, padding=padding, inputs=(last,), extra=(pool,))
    if kind == "add":
        return Spec(name, kind, C, H, W, C, inputs=(last, draw(st.sampled_from(twins))))
    if kind == "concat":
        return Spec(name, kind, 2 * C, H, W, 2 * C, inputs=(last, draw(st.sampled_from(twins))))
    if kind == "elementwise":
        function = ("function", draw(st.sampled_from([f for f in FUNCTIONS[kind] if f not in TWO])))
        return Spec(name, kind, C, H, W, C, inputs=(last,), extra=(function,))
    return Spec(name, "relu" if kind == "matmul" else kind, C, H, W, C, inputs=(last,))


#: functions of two operands
TWO = ("add", "sub", "mul", "div", "min", "max", "pow", "mod", "where", "compare", "and", "or", "xor")


def leaves(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """(path, value) of every field of a machine; levels go by their names."""
    if isinstance(tree, Mapping):
        return [leaf for key, value in tree.items() for leaf in leaves(value, f"{path}.{key}" if path else key)]
    if isinstance(tree, list) and tree and all(isinstance(each, Mapping) for each in tree):
        return [leaf for each in tree for leaf in leaves(each, f"{path}.{each['level']}")]
    return [(path, tree)]


TREES = {name: to_tree(load_hardware(name)) for name in presets()}
LEAVES = {name: [leaf for leaf in leaves(tree) if "." in leaf[0]] for name, tree in TREES.items()}


@st.composite
def changed(draw, path: str, value: Any) -> Any:
    """Another value of a field, of its kind; None = leave it."""
    key = next((each for each in (path, path.rpartition(".")[2]) if each in CHOICES), None)
    if key is not None:
        return draw(st.sampled_from(CHOICES[key]))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        near = [value * 2, max(1, value // 2), max(1, value // 8), value + 1]
        return draw(st.sampled_from([1, 2, 3, 4, 8, 16, *near]))
    if isinstance(value, float):
        return value * draw(st.sampled_from([1 / 64, 1 / 8, 0.5, 0.75, 2, 4]))
    if value is None:
        return draw(st.sampled_from([None, 1, 2, 7, 32]))
    return None


@st.composite
def settings_of(draw, preset: str) -> dict[str, Any]:
    """Up to five changed fields, sometimes small buffers, sometimes another memory or network."""
    found: dict[str, Any] = {}
    for path, value in draw(st.lists(st.sampled_from(LEAVES[preset]), max_size=5, unique_by=lambda leaf: leaf[0])):
        new = draw(changed(path, value))
        if (new is not None and not path.endswith((".name", ".source"))) or path in CHOICES:
            found[path] = new
    levels = TREES[preset]["memories"]
    if draw(st.integers(0, 3)) == 0:
        found["memories.dram"] = {"name": "dram_banked", "level": "dram", "part": draw(st.sampled_from(DRAM))}
        found = {path: value for path, value in found.items() if not path.startswith("memories.dram.")}
    if draw(st.integers(0, 3)) == 0:
        level = draw(st.sampled_from(levels[1:]))["level"]
        found[f"memories.{level}.network"] = {"name": draw(st.sampled_from(NETWORKS))}
        found = {path: value for path, value in found.items() if not path.startswith(f"memories.{level}.network.")}
    if draw(st.integers(0, 2)) == 0:
        for level in levels[1:]:
            if "capacity_kib" in level:
                place = f"memories.{level['level']}"
                size, banks = draw(st.sampled_from([(0.25, 1), (0.5, 1), (1, 2), (2, 1), (4, 2), (16, 4)]))
                found |= {f"{place}.capacity_kib": size, f"{place}.banks": banks, f"{place}.word_bits": 32}
    return found


def smaller(case: Case) -> Iterator[Case]:
    """Cases with a little less in them, the largest cuts first; some may be none that can run."""
    read = {name for spec in case.layers for name in spec.inputs}
    for spec in case.layers:
        if len(case.layers) > 1:
            if spec.name not in read:
                yield replace(case, layers=tuple(each for each in case.layers if each is not spec))
            sole = len(set(spec.inputs)) == 1 and spec.kind not in ("concat", "matmul")
            others = {name for each in case.layers[1:] for name in each.inputs}
            if sole and spec is case.layers[0] and "input" not in others:
                rest = tuple(
                    replace(each, inputs=tuple("input" if name == spec.name else name for name in each.inputs))
                    for each in case.layers[1:]
                )
                yield replace(case, layers=rest, input=(spec.M, spec.E, spec.F))
    for path in case.settings:
        yield replace(case, settings={each: value for each, value in case.settings.items() if each != path})
    for key in case.precision:
        yield replace(case, precision={each: value for each, value in case.precision.items() if each != key})
    if case.batch > 1:
        yield replace(case, batch=1)
    if case.zero_points != "none":
        yield replace(case, zero_points="none")
    for spec in case.layers:
        if spec.M > spec.G and spec.kind in ("conv", "fc") and spec.name not in read:
            fewer = replace(spec, M=spec.G)
            yield replace(case, layers=tuple(fewer if each is spec else each for each in case.layers))


precisions = st.one_of(
    st.just({}), st.just({}),
    st.fixed_dictionaries({}, optional={
        "weights": st.sampled_from([2, 3, 4, 5, 8, "ternary", "binary"]),
        "activations": st.sampled_from([2, 3, 4, 6, 8, 12, 16]),
        "first_last": st.sampled_from([4, 8]),
    }),
)  # fmt: skip


@st.composite
def cases(draw) -> Case:
    """Any small network on any machine."""
    preset = draw(st.sampled_from(sorted(TREES)))
    column = draw(st.integers(0, 4)) == 0
    shape = draw(st.integers(1, 24)), draw(st.integers(1, 12)), 1 if column else draw(st.integers(1, 12))
    share = st.sampled_from([0.0, 0.05, 0.3, 0.6, 1.0])
    return Case(
        shape, draw(layers(shape)), draw(st.sampled_from([1, 1, 1, 2, 3])), preset, draw(settings_of(preset)),
        draw(precisions), (draw(share), draw(share)), (draw(st.booleans()), draw(st.booleans())),
        draw(st.sampled_from(["none", "none", "one", "each"])), draw(st.integers(0, 2**31 - 1)),
    ).filled()  # fmt: skip
