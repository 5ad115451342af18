"""The house rules that a machine can check: imports go down, --help is light, files stay small, the wheel is whole."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: from the lowest floor to the highest; a file may import its own floor and those below it
FLOORS = ("cython_core", "workloads", "accel_sim", "experiments")
#: what `accel-sim --help` must not wait for
HEAVY = ("numpy", "pandas", "pydantic", "matplotlib")
FILE_LINES, FUNCTION_LINES, KERNEL_LINES = 400, 60, 300
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def sources(suffix: str) -> list[Path]:
    return sorted(path for floor in FLOORS for path in (ROOT / floor).rglob(f"*{suffix}"))


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def imported(tree: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """(module, line) of every import at any depth: statements, relative ones and importlib calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: -(node.level - 1) or None] if node.level else []
            yield ".".join([*parts, node.module or ""]), node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
            yield from ((str(name), node.lineno) for name in names)


def upward(tree: ast.AST, package: str) -> list[tuple[str, int]]:
    """Imports of a floor above the package's own."""
    above = FLOORS[FLOORS.index(package.split(".")[0]) + 1 :]
    return [(name, line) for name, line in imported(tree, package) if name.split(".")[0] in above]


def test_imports_only_go_down():
    faults = []
    for path in sources(".py"):
        package = ".".join(path.parent.relative_to(ROOT).parts)
        for name, line in upward(ast.parse(path.read_text(encoding="utf-8")), package):
            faults.append(f"{where(path, line)} imports {name}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("path", sources(".pyx"), ids=lambda path: path.name)
def test_a_kernel_knows_only_arrays(path):
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    words = ((number, line.split()) for number, line in lines)
    imports = [(number, line[1]) for number, line in words if line[:1] in (["from"], ["import"], ["cimport"])]
    faults = [where(path, number) for number, name in imports if name.split(".")[0] in FLOORS[1:]]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "text",
    [
        "import accel_sim",
        "import numpy, accel_sim.shell.cli as c",
        "from accel_sim import tile",
        "def f():\n    if True:\n        from experiments.x import y",
        "import importlib\nimportlib.import_module('accel_sim.shell.cli')",
        "__import__('accel_sim')",
    ],
)
def test_the_rule_sees_every_way_to_import_upwards(text):
    assert upward(ast.parse(text), "workloads.networks")
    assert not upward(ast.parse(text), "experiments")


def test_the_rule_lets_downward_and_relative_imports_pass():
    text = "import cython_core.bits\nfrom workloads import layer\nfrom . import x\nfrom ..layer import Layer"
    assert not upward(ast.parse(text), "workloads.networks")


def test_help_imports_nothing_heavy():
    program = (
        "import sys\nfrom accel_sim.shell.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print(sorted(set({HEAVY}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_files_are_small():
    limits = [(path, FILE_LINES) for path in sources(".py")] + [(path, KERNEL_LINES) for path in sources(".pyx")]
    lengths = [(path, len(path.read_text(encoding="utf-8").splitlines()), limit) for path, limit in limits]
    faults = [
        f"{where(path, limit)}: {lines} lines, {limit} allowed" for path, lines, limit in lengths if lines > limit
    ]
    assert not faults, "\n".join(faults)


def test_functions_are_small():
    faults = []
    for path in sources(".py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    faults.append(
                        f"{where(path, node.lineno)}: {node.name} has {lines} lines, {FUNCTION_LINES} allowed"
                    )
    assert not faults, "\n".join(faults)


def test_every_kernel_has_a_stub():
    missing = [where(path, 1) for path in sources(".pyx") if not path.with_suffix(".pyi").exists()]
    assert sources(".pyx")
    assert not missing, "\n".join(missing)


def test_the_wheel_has_every_package():
    folders = {path.parent for path in sources(".py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert packages == set(SETUPTOOLS["packages"])
    missing = sorted(str(folder) for folder in folders if not (folder / "__init__.py").exists())
    assert not missing, "folders of modules without __init__.py"


def test_the_wheel_has_every_data_file():
    faults = []
    for path in sources(""):
        built = path.suffix in (".py", ".so", ".c", ".pyc", ".html") or "__pycache__" in path.parts
        if path.is_file() and not built:
            patterns = SETUPTOOLS["package-data"].get(".".join(path.parent.relative_to(ROOT).parts), [])
            if not any(fnmatch(path.name, pattern) for pattern in patterns):
                faults.append(where(path, 1))
    assert not faults, "not in [tool.setuptools.package-data]: " + ", ".join(faults)
