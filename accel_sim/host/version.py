"""The version of accel_sim."""

__version__ = "0.1.0"
