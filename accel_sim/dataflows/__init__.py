"""Dataflows, one file each: which products fall in which (step, lane)."""
