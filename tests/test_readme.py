"""Every command in a README ```console block is run, and prints what the README says (`...` stands for anything).

Commands of a block run one after another in one directory, beside the files that ```yaml blocks name in line one.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def examples() -> list[list[tuple[str, str]]]:
    """Of every block: (command, expected output) in order."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    parts = [re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] for block in blocks]
    return [[part.partition("\n")[::2] for part in block] for block in parts]


def pattern(expected: str) -> str:
    lines = []
    for line in expected.splitlines():
        lines.append(r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\s*\n")
    return "".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("block", examples(), ids=lambda block: block[0][0][:60])
def test_examples_print_what_the_page_says(block, tmp_path):
    for name, body in re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", README, re.DOTALL):
        (tmp_path / name).write_text(body, encoding="utf-8")
    for command, expected in block:
        program, *arguments = shlex.split(command)
        assert program == "accel-sim"
        done = subprocess.run(
            [sys.executable, "-m", "accel_sim", *arguments], cwd=tmp_path, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == (2 if expected.startswith(f"accel-sim {arguments[0]}: ") else 0), done.stdout
        assert re.fullmatch(pattern(expected), done.stdout), done.stdout


def test_there_are_examples():
    assert sum(map(len, examples())) >= 8
