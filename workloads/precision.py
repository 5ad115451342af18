"""How wide a network's codes are made before it runs: the ``precision`` section of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workloads.layer import Layer
from workloads.network import Network
from workloads.profiles import read_table
from workloads.registry import InputError, unknown

#: what a layer of ``layers`` may say
OPERANDS = ("weights", "activations")
KEYS = (*OPERANDS, "first_last", "profile", "layers")


@dataclass(frozen=True)
class Precision:
    """Formats by name, as ``integer:bits=4`` or plain bits; None = as the network has them.

    weights, activations: of every layer with MACs. first_last: of both operands of the first and the last of them, as
    methods of few bits keep them wider. profile: bits of each layer, a row of workloads/tables/precision_profiles.csv.
    layers: glob of layer names -> {weights: ..., activations: ...}; later entries win, and all of them over the rest.
    """

    weights: str | None = None
    activations: str | None = None
    first_last: str | None = None
    profile: str | None = None
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @staticmethod
    def of(section: Mapping[str, Any]) -> "Precision":
        """The section as it stands in a config.yaml; InputError naming the key that is wrong."""
        for key in section:
            if key not in KEYS:
                raise InputError(f"precision: {unknown('key', str(key), list(KEYS))}")
        given = {key: _spec(value, key) for key, value in section.items() if key not in ("layers", "profile")}
        if not isinstance(section.get("profile"), str | None):
            raise InputError(f"precision.profile: expected the name of a profile, not {section['profile']!r}")
        layers = section.get("layers") or {}
        if not isinstance(layers, Mapping):
            raise InputError("precision.layers: expected a mapping of layer names to weights and activations")
        for glob, entry in layers.items():
            wrong = set(entry) - set(OPERANDS) if isinstance(entry, Mapping) else {"value"}
            if wrong:
                raise InputError(f"precision.layers.{glob}: expected {' and '.join(OPERANDS)}, not {entry!r}")
        held = {
            str(glob): {operand: _spec(value, f"layers.{glob}.{operand}") for operand, value in entry.items()}
            for glob, entry in layers.items()
        }
        return Precision(profile=section.get("profile"), layers=held, **given)

    def apply(self, network: Network) -> Network:
        """The network with codes of these formats; InputError for a format it cannot have."""
        layers = {} if self.profile is None else profile(self.profile, network)
        layers |= {glob: (entry.get("weights"), entry.get("activations")) for glob, entry in self.layers.items()}
        if not (layers or self.weights or self.activations or self.first_last):
            return network
        from workloads.quantise import quantise_network

        return quantise_network(
            network, weights=self.weights, activations=self.activations, first_last=self.first_last, layers=layers
        )


def _spec(value: Any, key: str) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"integer:bits={value}"
    if value is not None and not isinstance(value, str):
        raise InputError(f"precision.{key}: expected a number format such as integer:bits=4, or bits, not {value!r}")
    return value


def profile(name: str, network: Network) -> dict[str, tuple[str | None, str | None]]:
    """Layer name -> (format of its weights, of its activations) of a published profile.

    Raises InputError for an unknown profile, or one of another number of layers than the network has.
    """
    rows = {row["profile"]: row for row in read_table("precision_profiles")}
    if name not in rows:
        raise InputError(f"precision.profile: {unknown('profile', str(name), list(rows))}")
    row = rows[name]
    convolutions = [layer for layer in network.mac_layers if layer.kind in ("conv", "depthwise")]
    connected = [layer for layer in network.mac_layers if layer.kind == "fc"]
    where = f"precision.profile '{name}'"
    activations = _bits(row["activations"], convolutions, where)
    weights = _bits(row["weights_conv"], convolutions, where) | _bits(row["weights_fc"], connected, where)
    return {
        layer.name: (_integer(weights.get(layer.name)), _integer(activations.get(layer.name)))
        for layer in (*convolutions, *connected)
    }


def _bits(text: str, layers: list[Layer], where: str) -> dict[str, int]:
    bits = [int(part) for part in text.split("-") if part]
    if len(bits) == 1:
        bits *= len(layers)
    if bits and len(bits) != len(layers):
        kind = layers[0].kind if layers else "such"
        raise InputError(f"{where}: has bits for {len(bits)} {kind} layers, the network has {len(layers)}")
    return {layer.name: wide for layer, wide in zip(layers, bits, strict=False)}


def _integer(bits: int | None) -> str | None:
    return None if bits is None else f"integer:bits={bits}"
