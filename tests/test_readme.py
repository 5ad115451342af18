"""Every command in a README ```console block is run, and prints what the README says (`...` stands for anything)."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def examples() -> list[tuple[str, str]]:
    """(command, expected output) in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            found.append((command, expected))
    return found


def pattern(expected: str) -> str:
    lines = []
    for line in expected.splitlines():
        lines.append(r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\s*\n")
    return "".join(lines)


@pytest.mark.parametrize(("command", "expected"), examples(), ids=lambda text: text.split("\n")[0][:60])
def test_example_prints_what_it_says(command, expected, tmp_path):
    program, *arguments = shlex.split(command)
    assert program == "accel-sim"
    done = subprocess.run(
        [sys.executable, "-m", "accel_sim", *arguments], cwd=tmp_path, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert re.fullmatch(pattern(expected), done.stdout), done.stdout


def test_there_are_examples():
    assert len(examples()) >= 4
