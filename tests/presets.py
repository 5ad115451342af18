"""Every preset as a parameter: one of each kind of array in the fast tier, those that differ from it in little in the
slow one."""

import pytest

from accel_sim.machine.config import presets

#: machines whose dataflow a preset of the fast tier has too, with another MAC unit or other sizes
LIKE_OTHERS = {"bitfusion", "dadiannao", "laconic", "loom", "shapeshifter", "stripes", "tensor_core"}

EVERY_PRESET = pytest.mark.parametrize(
    "hardware",
    [pytest.param(name, marks=[pytest.mark.slow] if name in LIKE_OTHERS else []) for name in presets()],
)
