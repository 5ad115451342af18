"""SRAM macros as CACTI sees them; see accel_sim.memories.sram_macro."""
