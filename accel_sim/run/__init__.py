"""The simulator: a network's layers, one after another, through a machine. Begin with ``simulate.py``."""
