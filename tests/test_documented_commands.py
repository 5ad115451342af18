"""Every `accel-sim` line of a plain block in README and docs runs as it stands, in order, on files of those names.

Blocks marked ```console are run by test_readme, which also reads what they print.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from accel_sim.results import plots
from tests.cli.calls import call
from tests.unit.workloads.onnx_models import convolutions
from tests.unit.workloads.test_scalesim import CFG
from workloads import load_network

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/accelergy.md", "docs/adding_a_part.md")
ERT = "energy.table=runs/a-accelergy/ERT.yaml"
#: words of a synopsis -> what stands for them here
PLACEHOLDERS = {"DIR": "runs/a", "NETWORK": "lenet5", "HARDWARE": "systolic", "energy.table=path/to/ERT.yaml": ERT}


def blocks(page: str, language: str) -> list[str]:
    """Code blocks of a page in that language ("" = none named)."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        body for name, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) if name == language
    ]


def commands(page: str) -> list[str]:
    lines = "".join(blocks(page, "")).splitlines()
    return [line for line in lines if re.match(r"(\w+=\S+ )?accel-sim ", line)]


@pytest.fixture
def folder(tmp_path, shared, monkeypatch) -> Path:
    """Files of all names that the pages use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "write", lambda folder: [])
    data = shared / "data"
    for name, stored in (
        ("compressed_SqueezeNet.net", data / "squeezenet_deep_compression/compressed_SqueezeNet.net"),
        ("mobilenet.tflite", data / "mobilenet_int8/mobilenet_v1_0.25_128_quant.tflite"),
    ):
        (tmp_path / name).symlink_to(stored)
    with np.load(data / "images/photos_227_rgb_uint8.npz") as photos:
        Image.fromarray(photos["chelsea"]).save("cat.png")
    Path("photos").mkdir()
    Path("photos/cat.png").write_bytes(Path("cat.png").read_bytes())
    convolutions().save("model.onnx", "y")
    rng = np.random.default_rng(0)
    arrays = {"conv1": rng.normal(size=(16, 3, 3, 3)), "fc1": rng.normal(size=(10, 16 * 16 * 16))}
    exec(blocks("docs/bring_your_own_network.md", "python")[0], arrays)  # writes mine.npz
    np.savez("trace.npz", conv1=rng.integers(0, 256, (1, 96, 55, 55), dtype=np.uint8))
    Path("topology.csv").write_text(call("show", "network", "lenet5", "--topology").out, encoding="utf-8")
    Path("scale.cfg").write_text(CFG, encoding="utf-8")
    Path("trace.csv").write_text("address,op\n0,R\n64,W\n", encoding="utf-8")
    Path("study.yaml").write_text(blocks("README.md", "yaml")[0], encoding="utf-8")
    Path("my_parts").mkdir()
    Path("my_parts/tiny.py").write_text(blocks("docs/adding_a_part.md", "python")[0], encoding="utf-8")
    for out, hardware in (("runs/a", "systolic"), ("runs/b", "eie")):
        assert call("run", "lenet5", hardware, "--out", out, "--quiet").code == 0
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(page, folder):
    assert commands(page)
    for line in commands(page):
        words = shlex.split(re.sub(r"\[[^]]*\]", "", line), comments=True)
        words = [PLACEHOLDERS.get(word, word) for word in words]
        if "=" in words[0]:  # a variable that is read when the program starts
            done = subprocess.run(
                ["env", words[0], sys.executable, "-m", "accel_sim", *words[2:]],
                check=False,
                text=True,
                stderr=subprocess.PIPE,
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
        else:
            done = call(*words[1:])
            assert done.code == 0, f"{line}\n{done.err}"


def test_no_page_with_commands_is_left_out():
    """reports and studies have console blocks and tests of their own."""
    pages = {str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]}
    assert {page for page in pages if commands(page)} == set(PAGES)


def test_the_python_of_the_pages_runs(folder):
    """All but the recording with ONNX Runtime, which is no dependency."""
    assert call("accelergy", "runs/a", "--out", "tables").code == 0
    for name in ("ERT.yaml", "ART.yaml"):
        Path(name).write_bytes(Path("tables", name).read_bytes())
    rng, network = np.random.default_rng(0), load_network("squeezenet1_0")
    for page, given in (
        ("README.md", {}),
        ("docs/accelergy.md", {}),
        ("docs/number_formats.md", {"values": rng.normal(size=(4, 3, 3, 3)), "network": network}),
    ):
        assert blocks(page, "python")
        for block in blocks(page, "python"):
            exec(block, dict(given))
