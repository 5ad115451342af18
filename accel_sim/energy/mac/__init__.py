"""Energy and area of MAC units: a fitted component model, measured ratios, and one table of who is priced how."""

from accel_sim.energy.mac.psma import array_area_um2, array_energy, array_source
from accel_sim.energy.mac.units import unit_area_um2, unit_energy

__all__ = ["array_area_um2", "array_energy", "array_source", "unit_area_um2", "unit_energy"]
