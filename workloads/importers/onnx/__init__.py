"""ONNX models -> Network: shapes of every operator set the onnx package knows, and the weights and formats they store.

The file is checked before it is parsed (wire), read into plain records (file, tensors), and its nodes are worked out
one after another: at import where all their inputs are known (constants), else as layers (operators). Nothing of the
file is run, and the onnx package's own C++ code never sees its graph.
"""

from collections.abc import Mapping
from pathlib import Path

from workloads.importers import network_files
from workloads.importers.onnx.arity import check_inputs
from workloads.importers.onnx.constants import AT_IMPORT, evaluate
from workloads.importers.onnx.file import ModelFile, Node, read_model, shown
from workloads.importers.onnx.fusion import merge_elementwise
from workloads.importers.onnx.graph import Graph, Value, layout, layout_axis, order_of
from workloads.importers.onnx.harmless import HARMLESS, OLD_HARMLESS
from workloads.importers.onnx.operators import operators
from workloads.importers.onnx.tensors import UnknownError, check_shape
from workloads.importers.onnx.weights import BUDGET_BASE, BUDGET_PER_BYTE, Budget, Finisher
from workloads.importers.record import refuse_unsupported
from workloads.network import Network
from workloads.registry import InputError, unknown


@network_files.add(".onnx")
def read_onnx(path: Path, *, batch: int | None = None, dims: Mapping[str, int] | None = None) -> Network:
    """A model as a Network; InputError if it is broken, unsafe, or has an operator we do not know.

    batch: size of the first input's leading dimension (default: the file's, or 1 if it leaves it open). dims: sizes of
    other open dimensions by name. Real weights come along where the file has trained ones.
    """
    model = read_model(path)
    shapes = _sizes(model, batch, dict(dims or {}))
    network = finish(read_graph(model, shapes))
    leading = next((sizes[0] for sizes in model.inputs.values() if sizes), None)
    return network if batch is None or isinstance(leading, str) else network.with_batch(batch)


def _sizes(model: ModelFile, batch: int | None, dims: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Input name -> shape, every open dimension set. Raises InputError for one that is not, or that there is not."""
    open_dims = list(dict.fromkeys(size for sizes in model.inputs.values() for size in sizes if isinstance(size, str)))
    for name, size in dims.items():
        if name not in open_dims:
            raise InputError(f"{model.path}: {unknown('open dimension', shown(name), open_dims[:40])}")
        if size < 1:
            raise InputError(f"{model.path}: dimension '{name}' = {size} must be at least 1")
    leading = next((sizes[0] for sizes in model.inputs.values() if sizes), None)
    if isinstance(leading, str):
        dims.setdefault(leading, 1 if batch is None else batch)
    left = [name for name in open_dims if name not in dims]
    if left:
        names = ", ".join(f"'{name}'" for name in left[:8])
        raise InputError(f"{model.path}: open dimensions {names}: give each a size (--dim NAME=SIZE)")
    return {
        name: tuple(dims[size] if isinstance(size, str) else size for size in sizes)
        for name, sizes in model.inputs.items()
    }


def read_graph(model: ModelFile, shapes: dict[str, tuple[int, ...]]) -> Graph:
    """Every node of a model whose inputs have these shapes, as layers and constants."""
    known = {*operators.names(), *AT_IMPORT}
    kinds = [(node.kind, node.label) for node in model.live]
    strange = sum(kind not in known for kind, _ in kinds)
    what = f"operators in {strange} of {len(kinds)} nodes"
    refuse_unsupported(str(model.path), what, kinds, known, "fold constants and inline functions, or export without")
    open_dims = {
        size: given for name, shape in shapes.items() for size, given in zip(model.inputs[name], shape, strict=True)
    }
    graph = Graph(model, Budget(BUDGET_BASE + BUDGET_PER_BYTE * model.bytes), open_dims)
    found = False
    for name, shape in shapes.items():
        check_shape(shape, f"{model.path}: input '{name}'")
        if not graph.uses[name]:
            continue
        if found:
            source = graph.unique(name)
            graph.sides[source] = shape or (1,)
        else:
            source = "input"
            graph.batch = shape[0] if len(shape) > 1 else 1
            graph.input_shape = layout(shape, None, graph.batch)[1:]
        found = True
        order = order_of(shape, layout_axis(shape), graph.batch)
        graph.values[name] = Value(shape, source=source, name=name, order=order)
    for node in model.live:
        try:
            _work_out(graph, node)
        except UnknownError:
            raise node.error("needs a value at import that is computed at run time") from None
    return graph


def _work_out(graph: Graph, node: Node) -> None:
    """Layers and values of one node."""
    check_inputs(node, graph.opset)
    if not evaluate(graph, node):
        if node.kind not in operators.names():
            raise node.error("is supported on constants only, and reads a value that is computed at run time")
        operators.get(node.kind)(graph, node)
    for place, name in enumerate(node.outputs):
        if graph.uses[name] and name and name not in graph.values:
            raise node.error(f"its output {place} is not supported")
    node.attributes.done((*HARMLESS.get(node.kind, ()), *(OLD_HARMLESS if graph.opset < 7 else ())))


def finish(graph: Graph) -> Network:
    """Layers, weights and formats as a Network."""
    path = graph.model.path
    if not graph.layers:
        raise InputError(f"{path}: has no layers")
    finisher = Finisher(path.name, graph.budget)
    weights = {}
    for name, draft in graph.drafts.items():
        made = finisher.finish(draft, graph.layers[name].M, f"{path}: layer '{name}'")
        if made is not None:
            weights[name] = made
    leaving = {value.source for value in map(graph.values.__getitem__, graph.model.outputs) if value.source is not None}
    layers = merge_elementwise(graph.layers, leaving)
    formats = {name: form for name, form in graph.formats.items() if name in layers or name == "input"}
    stored = any(draft.weights.format is not None for draft in graph.drafts.values())
    return Network(
        path.stem, tuple(layers.values()), graph.input_shape, weights=weights, side_inputs=graph.sides,
        formats=formats, files={path.name: graph.model.digest}, model="stored" if stored else "int8-pow2",
        warnings=tuple(graph.names.warnings),
    )  # fmt: skip


def stored_parameters(graph: Graph) -> int:
    """Elements of all float tensors that the file stores, or fills with one value, and its nodes read."""
    filled = {node.outputs[0] for node in graph.model.live if node.kind in ("Constant", "ConstantOfShape")}
    tensors = [graph.values[name] for name in (*graph.model.constants, *filled) if graph.uses[name]]
    stored = [each for each in tensors if each.constant is not None and each.constant.array.dtype.kind == "f"]
    return sum(each.elements for each in stored)
