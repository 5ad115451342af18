"""What flows through a network, as a user says it: one record for the command, its configuration and a study.

A setting more is a field here and an argument of ``load_network``; the command's option is made of its ``help``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a command that asks for help does not wait for numpy
    from workloads.network import Network


def _said(kind: type, metavar: str, text: str, option: str = "", **more: Any) -> Any:
    """A field: the kind of its value, and its option on a command line (``option``: where that has another name)."""
    told = {"kind": kind, "metavar": metavar, "help": text, "option": option}
    return field(metadata=told, **(more or {"default": None}))


@dataclass(frozen=True)
class DataSettings:
    """As the arguments of ``load_network`` of these names; None or empty: nothing said."""

    weights: str | None = _said(str, "FILE", "real weights: a Deep Compression .net file")
    image: str | None = _said(str, "FILE|DIR", "PNG, JPEG, .npy, .npz (FILE.npz:NAME for one) or a directory")
    activations: str | None = _said(str, "FILE", "recorded tensors by name (.npz), not synthetic ones")
    batch: int | None = _said(int, "N", "items at once (default: one, or the number of images)")
    dims: Mapping[str, int] = _said(
        dict, "NAME=SIZE", "a size that a .onnx file leaves open", option="dim", default_factory=dict
    )
    precision: Mapping[str, Any] = _said(
        dict,
        "KEY=FORMAT",
        "weights, activations, first_last or profile, as weights=integer:bits=4",
        default_factory=dict,
    )

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> "DataSettings":
        """Those of a mapping that may hold more."""
        return cls(**{key: tree[key] for key in KINDS if key in tree})

    def load(self, network: str) -> "Network":
        """InputError as ``load_network`` raises it."""
        from workloads.load import load_network

        return load_network(network, **self.tree())

    def tree(self) -> dict[str, Any]:
        """Name -> value, in the order of the fields."""
        return asdict(self)


#: setting -> kind of its value
KINDS: dict[str, type] = {each.name: each.metadata["kind"] for each in fields(DataSettings)}
#: those with one value, and those of values by name
PLAIN = tuple(key for key, kind in KINDS.items() if kind is not dict)
NAMED = tuple(key for key, kind in KINDS.items() if kind is dict)
