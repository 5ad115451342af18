"""SRAM macros as CACTI sees them; see accel_sim.sram_macro."""
