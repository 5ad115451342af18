"""Floor 1: what is computed - layers, networks, their real or synthetic operands, and exact references."""

from typing import Any

__all__ = ["Codes", "InputError", "Layer", "Network", "NumberFormat", "load_network"]

_HOME = {
    "Codes": "workloads.formats.codes",
    "NumberFormat": "workloads.formats.codes",
    "InputError": "workloads.registry",
    "Layer": "workloads.layer",
    "Network": "workloads.network",
    "load_network": "workloads.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'workloads' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
