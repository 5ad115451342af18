"""Floor 2: on what hardware a network runs, how long it takes and what it costs."""

from typing import Any

__all__ = ["__version__", "load_hardware", "simulate"]
__version__ = "0.1.0"

_HOME = {"load_hardware": "accel_sim.config", "simulate": "accel_sim.simulate"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'accel_sim' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
