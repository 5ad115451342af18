"""DRAM timing sets: one part a file, each figure with its source."""
