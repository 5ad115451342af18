"""Floor 2: on what hardware a network runs, how long it takes and what it costs."""

import importlib
from typing import TYPE_CHECKING

from accel_sim.host.version import __version__

if TYPE_CHECKING:  # what the names below are; at run time they are loaded when somebody asks for them
    from accel_sim.machine.config import load_hardware
    from accel_sim.run.simulate import simulate

__all__ = ["__version__", "load_hardware", "simulate"]


def __getattr__(name: str) -> object:
    """Public names are loaded on first use, so that ``accel-sim --help`` starts at once."""
    places = {"load_hardware": "accel_sim.machine.config", "simulate": "accel_sim.run.simulate"}
    if name not in places:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(places[name]), name)
