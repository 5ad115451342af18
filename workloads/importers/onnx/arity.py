"""How many inputs an ONNX operator takes: more than these mean something that we would drop."""

from functools import cache

from workloads.importers.onnx.file import Node, shown

#: operators outside the standard -> inputs (ONNX Runtime's docs/ContribOperators.md); of FastGelu without its bias,
#: which is not read
OWN = {
    "com.microsoft.FastGelu": 1, "com.microsoft.FusedMatMul": 2, "com.microsoft.Gelu": 1, "com.microsoft.QuickGelu": 1,
    "com.microsoft.QLinearAdd": 8, "com.microsoft.QLinearMul": 8, "com.microsoft.QLinearAveragePool": 5,
    "com.microsoft.QLinearGlobalAveragePool": 5, "com.microsoft.QLinearLeakyRelu": 5,
    "com.microsoft.QLinearSigmoid": 5, "com.microsoft.SimplifiedLayerNormalization": 2,
    "SimplifiedLayerNormalization": 2,
}  # fmt: skip


def check_inputs(node: Node, opset: int) -> None:
    """InputError that names the first input beyond those of the node's operator in this operator set."""
    most = _most(node.kind, opset)
    for place, name in enumerate(node.inputs):
        if name and most is not None and place >= most:
            raise node.error(f"input {place} ('{shown(name)}') is not read: {node.kind} takes {most} at most here")


@cache
def _most(kind: str, opset: int) -> int | None:
    """Inputs of an operator, None where nobody knows; one that the operator set does not have yet is as it came."""
    from onnx.defs import SchemaError, get_all_schemas_with_history, get_schema

    if kind in OWN:
        return OWN[kind]
    try:
        return get_schema(kind, opset, "").max_input
    except SchemaError:
        known = [schema for schema in get_all_schemas_with_history() if (schema.name, schema.domain) == (kind, "")]
        return min(known, key=lambda schema: schema.since_version).max_input if known else None
