"""Runs of elementwise layers become one: a value that only the next of them reads never leaves the post unit.

Exporters write GELU, layer norm or hard swish as chains of simple operators; a pass over memory for each would be a
machine nobody builds.
"""

from collections import Counter
from dataclasses import replace

from workloads.layer import Layer

#: functions that one layer may join
LONGEST = 32
#: kinds that end or continue a run -> what they compute, where the layer does not say
ENDS = {"elementwise": None, "relu": "relu", "relu6": "relu6"}


def merge_elementwise(layers: dict[str, Layer], kept: set[str]) -> dict[str, Layer]:
    """The layers with every run under its last layer's name. kept: layers whose outputs leave the network."""
    readers = Counter(name for layer in layers.values() for name in set(layer.inputs))
    made: dict[str, Layer] = {}
    for name, layer in layers.items():
        made[name] = layer
        if layer.kind not in ENDS:
            continue
        for source in layer.inputs:
            before = made.get(source)
            if before is None or before.kind != "elementwise" or readers[source] > 1 or source in kept:
                continue
            if before.output_elements == layer.output_elements and before.computed.count("+") < LONGEST - 1:
                made[name] = _joined(before, made[name])
                del made[source]
    return made


def _joined(before: Layer, layer: Layer) -> Layer:
    """Both as one layer: the inputs of the first and what else the second reads, each once."""
    sizes: dict[str, int] = {}
    for each in (before, layer):
        for name, size in zip(each.inputs, each.input_sizes or [each.input_elements] * len(each.inputs), strict=True):
            if name != before.name:
                sizes[name] = max(size, sizes.get(name, 0))
    whole = all(size == layer.output_elements for size in sizes.values())
    function = f"{before.computed}+{layer.computed or ENDS[layer.kind]}"
    return replace(
        layer, kind="elementwise", function=function, inputs=tuple(sizes),
        input_sizes=() if whole else tuple(sizes.values()), reshaped=before.reshaped or layer.reshaped,
        crossed=before.crossed or layer.crossed,
    )  # fmt: skip
