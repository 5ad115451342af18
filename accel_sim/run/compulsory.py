"""The bytes that a layer cannot do without, and a note where the outermost memory moves many times as many."""

from collections.abc import Iterator

from workloads.layer import Layer
from workloads.operands import MacOperands, Operands

#: times the compulsory bytes; beyond, a result says so
MANY = 4


def read_elements(layer: Layer) -> int:
    """Elements of the input map that some output reads, padding left out."""
    if not layer.has_macs:
        return layer.input_elements
    return layer.N * layer.C * layer.window.rows.used * layer.window.columns.used


def compulsory_bytes(layer: Layer, operands: Operands, output_bytes: int) -> int:
    """Each input that is read, each weight at the width of its plain code, and each output, once.

    output_bytes: of the output map as it is written.
    """
    bits = read_elements(layer) * operands.inputs.format.bits
    if isinstance(operands, MacOperands):
        bits += operands.weights.values.size * operands.weights.format.plain_bits
    return -(-bits // 8) + output_bytes


def traffic_note(layer: Layer, operands: Operands, moved_bytes: int, output_bytes: int) -> Iterator[str]:
    """Where the outermost memory moves more than MANY times what the layer cannot do without."""
    least = compulsory_bytes(layer, operands, output_bytes)
    if moved_bytes > MANY * least:
        times = moved_bytes / least
        yield f"DRAM moves {times:.1f} times the {least:,} bytes of its inputs, weights and outputs, each once"
