"""What each ONNX operator becomes, one function each under its operator's name ('domain.Name' outside the standard)."""

from workloads.registry import Registry

#: operator -> function(graph, node): adds layers and binds the node's outputs
operators = Registry("ONNX operator", "workloads.importers.onnx.operators")
