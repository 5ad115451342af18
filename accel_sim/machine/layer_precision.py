"""One layer's format in the ``precision`` section of a run, as options and axes set it."""


def set_layer(precision: dict[str, object], path: str, value: object) -> None:
    """path: NAME.weights or NAME.activations, put over what the section says of layers.

    Where that is no mapping it stays as it is: it is refused when the section is read (workloads.precision).
    """
    name, _, operand = path.rpartition(".")
    layers = precision.get("layers") or {}
    entry = layers.get(name, {}) if isinstance(layers, dict) else None
    if isinstance(layers, dict) and isinstance(entry, dict):
        precision["layers"] = {**layers, name: {**entry, operand: value}}
