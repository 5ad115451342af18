"""What each ONNX operator becomes, one function each under its operator's name ('domain.Name' outside the standard)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from workloads.registry import Registry

if TYPE_CHECKING:
    from workloads.importers.onnx.file import Node
    from workloads.importers.onnx.graph import Graph

#: operator -> function(graph, node): adds layers and binds the node's outputs
operators: "Registry[Callable[[Graph, Node], None]]" = Registry("ONNX operator", "workloads.importers.onnx.operators")
