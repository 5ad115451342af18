"""Fewer bits on one array with different MAC units: what latency and energy really gain.

AlexNet, SqueezeNet 1.0 and MobileNet run at 8, 4 and 2 bits (weights and activations) on the 32 x 32 ``systolic`` array,
whose PEs are MAC units of five kinds at the same clock. A unit of several products a cycle asks its SRAMs for more
operands, so ports as wide as the widest mode needs are given to all of them: what is compared is the array.
"""

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.experiment import Experiment
from accel_sim.plots import house_style, save
from accel_sim.result import Result
from workloads import load_network

NETWORKS = {"alexnet": "AlexNet", "squeezenet1_0": "SqueezeNet 1.0", "mobilenet_v1": "MobileNet 1.0-224"}
BITS = (8, 4, 2)
#: name in the table -> (label, fields of the unit)
UNITS: dict[str, tuple[str, dict[str, Any]]] = {
    "gated": ("data gated", {"name": "conventional", "precision_gating": True}),
    "swp": ("sub-word, sum together", {"name": "subword_parallel", "sharing": "together"}),
    "fusion": ("Bit Fusion bricks", {"name": "divide_conquer"}),
    "serial": ("1-bit serial weights", {"name": "bit_serial"}),
    "serial_2d": ("2-bit serial, both", {"name": "bit_serial_2d", "digit_bits": 2}),
}
SOURCE = "accel_sim, presets systolic with synthetic codes of these widths"
SHOWN = "shown, not gated: "
