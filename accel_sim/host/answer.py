"""``--json`` and ``--quiet``: the options, and the one document that a command prints with the first."""

import argparse
import json
import math
from collections.abc import Mapping


def place(text: str) -> str:
    """The type of an option that takes a file or a directory."""
    if not text:
        raise argparse.ArgumentTypeError("expected a file or a directory, not an empty name")
    return text


def json_option(command: argparse.ArgumentParser) -> None:
    """Every command that prints something has it."""
    command.add_argument("--json", action="store_true", help="print one JSON document and nothing else")


def options(command: argparse.ArgumentParser) -> None:
    """For commands whose results lie in files."""
    json_option(command)
    command.add_argument("--quiet", action="store_true", help="print nothing but where the results lie")


def say(tree: object) -> None:
    """Prints a document on one line of stdout: keys in the order they were given, null for what is no finite number."""
    print(json.dumps(_finite(tree), allow_nan=False))


def _finite(tree: object) -> object:
    if isinstance(tree, float):
        return tree if math.isfinite(tree) else None
    if isinstance(tree, Mapping):
        return {key: _finite(value) for key, value in tree.items()}
    return [_finite(value) for value in tree] if isinstance(tree, list | tuple) else tree
