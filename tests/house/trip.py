"""One layer's way through the house: the calls that go from a room to one on a higher floor."""

import sys
from types import FrameType

from accel_sim import load_hardware
from accel_sim.run.session import Session
from accel_sim.run.simulate import run_layer
from tests.house.rooms import House
from workloads import load_network
from workloads.walk import walk

PRESETS = ("systolic", "eie", "pragmatic")


def climbs(house: House) -> dict[tuple[str, str], set[str]]:
    """(from, to) of rooms -> 'caller -> called', of all calls below run_layer that pass to a higher floor: a network
    with every common kind of layer, checked, on a machine of each dataflow."""
    modules = {str(path): module for module, path in house.files.items()}
    found: dict[tuple[str, str], set[str]] = {}

    def heard(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_back is None:
            return
        called, caller = (modules.get(each.f_code.co_filename) for each in (frame, frame.f_back))
        if called is None or caller is None:
            return
        pair = house.room(caller), house.room(called)
        if house.floors[pair[0]] < house.floors[pair[1]]:
            names = f"{caller}.{frame.f_back.f_code.co_name} -> {called}.{frame.f_code.co_name}"
            found.setdefault(pair, set()).add(names)

    network = load_network("lenet5")
    for preset in PRESETS:
        session, operands = Session.start(network, load_hardware(preset)), list(walk(network, 0))
        sys.setprofile(heard)
        try:
            for layer, each in operands:
                run_layer(layer, each, session, check=True)
        finally:
            sys.setprofile(None)
    return found
