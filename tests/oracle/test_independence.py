"""An oracle that used our code would check nothing."""

import ast
from pathlib import Path

import pytest

ORACLES = sorted(path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_"))
OURS = {"cython_core", "workloads", "accel_sim", "experiments"}


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.name)
def test_oracle_imports_none_of_our_packages(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & OURS, f"{path.name}:{getattr(node, 'lineno', 0)}"


def test_there_are_oracles():
    assert len(ORACLES) >= 4
