"""What a user's own mypy makes of accel_sim: the packages as a wheel carries them, away from our own files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_imports import ROOT, SETUPTOOLS

pytestmark = pytest.mark.slow

GOOD = """from accel_sim import load_hardware, simulate
from workloads import load_network
machine = load_hardware("eie", {"array.rows": 8})
result = simulate(load_network("lenet5"), machine, check=True)
print(machine.array.lanes + 1, sum(run.cycles for run in result.runs), result.machine.dram.level.upper())
"""
#: a line that is wrong -> what is said of it
BAD = {
    'simulate(load_network("lenet5"), "eie")': 'Argument 2 to "simulate" has incompatible type "str"; expected "Accele',
    "load_hardware(3)": 'Argument 1 to "load_hardware" has incompatible type "int"; expected "str | Path"',
    "result.cycels": '"Result" has no attribute "cycels"',
    'machine.dataflow.mode("wide")': 'Missing positional argument "operands" in call to "mode" of "Dataflow"',
    'machine.mac.sum_bits("8")': 'Argument 1 to "sum_bits" of "MacUnit" has incompatible type "str"; expected "int"',
    'machine.encodings["weights"].entries()': 'Missing positional argument "slices" in call to "entries" of "Encoding"',
    "machine.on_chip[0].price(1, 2)": 'Argument 1 to "price" of "OnChip" has incompatible type "int"; expected "str"',
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The files of a wheel but for its compiled modules, from what pyproject.toml says of them."""
    folder = tmp_path_factory.mktemp("installed")
    for package in SETUPTOOLS["packages"]:
        source, target = (root.joinpath(*package.split(".")) for root in (ROOT, folder))
        target.mkdir()
        for pattern in ("*.py", *SETUPTOOLS["package-data"].get(package, ())):
            for path in source.glob(pattern):
                shutil.copy(path, target)
    return folder


def checked(script: str, folder: Path, installed: Path) -> subprocess.CompletedProcess:
    (folder / "script.py").write_text(script, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", sys.executable, "script.py"]
    path = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd=folder, env=path, text=True, capture_output=True, timeout=600)


def test_a_users_script_passes_mypys_strict_mode(tmp_path, installed):
    done = checked(GOOD, tmp_path, installed)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["Success: no issues found in 1 source file"]), done


def test_mistakes_of_a_users_script_are_found(tmp_path, installed):
    """Not one of the names is an Any, of which mypy would take everything."""
    done = checked(GOOD + "\n".join(BAD) + "\n", tmp_path, installed)
    first = GOOD.count("\n") + 1
    for number, said in enumerate(BAD.values(), first):
        assert f"script.py:{number}: error: {said}" in done.stdout, done.stdout
