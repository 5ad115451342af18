"""Floor 2: on what hardware a network runs, how long it takes and what it costs."""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from accel_sim.version import __version__

if TYPE_CHECKING:  # what the names below are; at run time _Package loads them
    from accel_sim.config import load_hardware
    from accel_sim.simulate import simulate

__all__ = ["__version__", "load_hardware", "simulate"]


class _Package(ModuleType):
    """Public names are loaded on first use, so that ``accel-sim --help`` starts at once.

    ``simulate`` is a function and the name of the file it lies in; importing that file must not hide the function.
    """

    @property
    def load_hardware(self) -> object:
        return importlib.import_module("accel_sim.config").load_hardware

    @property
    def simulate(self) -> object:
        return importlib.import_module("accel_sim.simulate").simulate

    @simulate.setter
    def simulate(self, module: ModuleType) -> None:
        """Where the import system binds a submodule to its package."""


sys.modules[__name__].__class__ = _Package
