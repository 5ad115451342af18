"""YAML as people mean it: 1.2 numbers and booleans, no duplicate keys, and aliases that stay of a size."""

import re
from typing import Any, ClassVar

import yaml
from yaml.resolver import BaseResolver

from workloads.registry import InputError

#: values of a file once its aliases are written out: a few lines of aliases of aliases are more than any machine holds
MOST_VALUES = 1_000_000


try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without its C library
    from yaml import SafeLoader


class _Loader(SafeLoader):
    """A safe loader with YAML 1.2 scalars."""

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Nothing: YAML 1.2 has no merge keys, and merges of merges grow without bound."""


def scalars(loader: type[BaseResolver]) -> None:
    """A loader or dumper takes the scalars of YAML 1.2 for what they are."""
    for tag, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("int", r"^[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$", "-+0123456789"),
        ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
        ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ):
        starts = list(first) + [""] * (tag == "null")
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), starts)


scalars(_Loader)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be a name", problem_mark=key.start_mark)
        if key.value in seen:
            raise yaml.MarkedYAMLError(problem=f"key '{key.value}' is given twice", problem_mark=key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse(text: str, where: str) -> Any:
    """YAML text -> Python values; InputError in one line (file, line, what) if it is broken.

    So is a text of more than MOST_VALUES values, its aliases written out, or of an alias within what it stands for.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _size(node, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (LookupError, AttributeError):  # PyYAML's own constructors, of '!!bool maybe' and the like
        raise InputError(f"{where}: broken YAML: a value does not fit its tag") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{where}{line}: broken YAML: {problem}") from None


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Values of a node, its aliases written out. known: of other nodes, 0 while one is counted."""
    if known.get(id(node)) == 0:
        raise yaml.MarkedYAMLError(problem="found unconstructable recursive node", problem_mark=node.start_mark)
    if id(node) not in known:
        known[id(node)] = size = 0
        for each in node.value if isinstance(node, yaml.CollectionNode) else ():
            size += sum(_size(part, known) for part in (each if isinstance(each, tuple) else (each,)))
        known[id(node)] = size + 1
        if size >= MOST_VALUES:
            raise yaml.MarkedYAMLError(problem=f"more than {MOST_VALUES:,} values", problem_mark=node.start_mark)
    return known[id(node)]
