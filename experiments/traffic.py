"""The bytes a layer cannot do without: what several experiments set the simulated DRAM traffic beside."""

from accel_sim.run.result import Result
from workloads import Layer


def compulsory_bytes(layer: Layer, weight_bytes: int, bits: tuple[int, int] = (8, 8)) -> int:
    """Every input that an output needs, every weight as it is stored, every output, once each.

    weight_bytes: all weights as they lie in memory; bits: of a value read and of one written. A concat moves nothing:
    what it joins was written side by side.
    """
    if layer.kind == "concat":
        return 0
    needed = layer.window.rows.used * layer.window.columns.used
    inputs = len(layer.inputs) * layer.N * layer.C * needed
    outputs = layer.N * layer.M * layer.E * layer.F
    return (inputs * bits[0] + outputs * bits[1]) // 8 + weight_bytes


def compulsory(result: Result) -> dict[str, int]:
    """layer -> compulsory bytes of each layer that ran."""
    ran, bits = result.layers.set_index("layer"), result.network.code_bits
    return {
        layer.name: compulsory_bytes(
            layer, int(ran.weight_machine_bytes[layer.name]), (bits(layer.inputs[0]), bits(layer.name))
        )
        for layer in result.network.layers
        if layer.name in ran.index
    }


def moved(result: Result) -> dict[str, int]:
    """layer -> bytes moved to and from DRAM."""
    frame = result.layers
    return dict(zip(frame.layer, frame.dram_read_bytes + frame.dram_write_bytes, strict=True))
