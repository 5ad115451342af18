"""The released SqueezeNet and a photograph through every MAC unit that multiplies integers, checked bit for bit."""

from functools import cache
from pathlib import Path

import pytest

from accel_sim import load_hardware, simulate
from accel_sim.parts import macs
from workloads import load_network
from workloads.registry import InputError

NET = "data/squeezenet_deep_compression/compressed_SqueezeNet.net"
PHOTO = "data/images/photos_227_rgb_uint8.npz:chelsea"
#: unit -> weights it can take; the rest run on the released 8-bit weights
WEIGHTS = {"add_subtract": "ternary", "log_shift": "ternary"}  # -1, 0 and 1 times a scale
#: units that have no product of 8-bit integers
REFUSED = {"float_mac": "not integer codes", "xnor_popcount": "8x8-bit operands do not fit any mode"}
VECTOR = {
    "stripes": "bit_serial", "loom": "dynamic_serial_2d", "pragmatic": "essential_bits", "laconic": "term_product",
    "shapeshifter": "group_precision", "dadiannao": "conventional", "bit_tactical": "essential_bits",
}  # fmt: skip
RUNS = [("systolic", name) for name in macs.names() if name not in REFUSED] + list(VECTOR.items())


@cache
def squeezenet(folder: Path, weights: str | None):
    precision = None if weights is None else {"weights": weights}
    return load_network("squeezenet1_0", weights=folder / NET, image=f"{folder / PHOTO}", precision=precision)


def machine(preset: str, unit: str):
    return load_hardware(preset, {"mac.name": unit} if preset == "systolic" else {})


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "unit"), RUNS, ids=[f"{unit} in {preset}" for preset, unit in RUNS])
def test_every_layer_equals_the_reference(preset, unit, shared):
    network = squeezenet(shared, WEIGHTS.get(unit))
    result = simulate(network, machine(preset, unit), check=True)
    assert result.summary["check"] == {"passed": True, "layers": 26, "overflows": 0}
    if unit not in WEIGHTS:
        assert result.summary["top5"][0] == [285, 4141]


@pytest.mark.slow
@pytest.mark.parametrize("unit", REFUSED)
def test_others_say_why_not(unit, shared):
    with pytest.raises(InputError, match=f"MAC unit '{unit}'") as refusal:
        simulate(squeezenet(shared, None), machine("systolic", unit))
    assert REFUSED[unit] in str(refusal.value)
