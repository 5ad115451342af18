"""Layers and networks are called what their authors please; a figure warns of none of it, and fails on none."""

import numpy as np
import pytest

from accel_sim.results.style import TITLE, written

from .calls import call

NAMES = {
    "conv1": "conv1", "卷积": "□□", "a\tb": "a□b", "$x$": r"\$x\$", r"$\nosuch{x}$": r"\$\nosuch{x}\$",
    "x" * 50: "x" * 18 + "…" + "x" * 17, "µ é": "µ é", "_a": "_a",
}  # fmt: skip


def test_a_name_as_a_figure_can_have_it():
    assert {name: written(name) for name in NAMES} == NAMES
    assert len(written("y" * 1000, TITLE)) == TITLE


@pytest.mark.slow
def test_figures_of_strange_names(tmp_path, monkeypatch):
    """As warnings are errors here, matplotlib says nothing; nor does the program."""
    monkeypatch.chdir(tmp_path)
    layers = "".join(f"  - {{name: {name!r}, kind: conv, M: 4}}\n" for name in [*NAMES, "z" * 3000] if "\t" not in name)
    np.savez("名.npz", network=f"name: $名\ninput: [4, 3, 3]\nlayers:\n{layers}")
    done = call("run", "名.npz", "systolic", "--quiet", "--out", "名")
    assert (done.code, done.out) == (0, "results: 名\n")
    assert all("warning: the inputs of" in line for line in done.err.splitlines())
    assert {path.name for path in (tmp_path / "名").glob("*.png")} == {"cycles.png", "energy.png", "roofline.png"}
    done = call("compare", "名", "名", "--quiet", "--out", "c")
    assert (done.code, done.err) == (0, "")
