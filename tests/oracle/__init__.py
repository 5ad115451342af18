"""Slow, obvious, independent models that the simulator is held against."""
