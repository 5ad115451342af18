"""Results appear whole under their name or not at all, and nobody else's files are touched."""

import fcntl
import importlib
import os

import pytest

from accel_sim.results import plots

from .calls import call, names, results, tree

RUN = ("run", "lenet_300_100", "eie", "--quiet", "--out")


@pytest.fixture
def foreign(tmp_path):
    """A file, and a directory that holds something else."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/notes.txt").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")


TARGETS = {
    "file": "--out file: is a file, expected a directory",
    "folder": "--out folder: holds other files, expected a new, empty or earlier run's directory",
    "folder/notes.txt": "--out folder/notes.txt: is a file, expected a directory",
    "file/below": "--out file/below: cannot write below ",
    ".": "--out .: holds other files, expected a new, empty or earlier run's directory",
    "link": "--out link: ",
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.usefixtures("foreign")
def test_a_target_that_is_something_else(target, refused):
    assert refused(*RUN, target).startswith(TARGETS[target])


def test_a_target_that_only_the_file_system_refuses(refused, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("accel_sim.host.output.Path.mkdir", refuse)
    line = refused(*RUN, "r")
    assert line.startswith("--out ") and line.endswith("r: cannot write there: Operation not permitted")


@pytest.mark.usefixtures("foreign")
def test_an_experiment_does_not_write_into_a_file(refused):
    assert refused("experiment", "eie_isca16", "--out", "file") == "--out file: is a file, expected a directory"


def test_a_file_of_yours_in_a_run_directory_is_not_lost(here):
    assert call(*RUN, "r").code == 0
    (here / "r/notes.txt").write_text("mine")
    done = call(*RUN, "r")
    assert done.code in (0, 2)
    assert (here / "r/notes.txt").read_text() == "mine"


def test_an_empty_working_directory_may_be_the_target(here):
    assert call(*RUN, ".").code == 0
    assert "summary.json" in names(here)


def test_a_link_to_an_empty_directory_may_be_the_target(here):
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    assert call(*RUN, "link").code == 0
    assert "summary.json" in names(here / "link")


def test_a_roundabout_name_of_a_new_directory_is_that_directory(here):
    (here / "a").mkdir()
    assert call(*RUN, "a/../a").code == 0
    assert names(here) == {"a"}
    assert "summary.json" in names(here / "a")


def test_a_machines_name_does_not_lead_the_results_elsewhere(here):
    done = call("run", "lenet_300_100", "eie", "--quiet", "--set", "name=../../elsewhere/x")
    assert done.code in (0, 2)
    assert names(here) <= {"runs"}
    assert all(name.count("/") <= 2 for name in tree(here))


@pytest.fixture(params=["run.simulate.prepare", "results.plots.write", "results.rundir.provenance"])
def interrupted(request, monkeypatch, ends):
    """Ctrl-C in the middle of the simulation, or while results are being written."""

    def strike(*_, **__):
        raise KeyboardInterrupt

    module, _, name = request.param.rpartition(".")
    monkeypatch.setattr(importlib.import_module(f"accel_sim.{module}"), name, strike)


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_leaves_nothing_behind(ends):
    assert ends(130, *RUN, "new/er/r").line == "accel-sim run: interrupted"


def test_ctrl_c_leaves_an_earlier_result_as_it_was(here, monkeypatch):
    assert call(*RUN, "r").code == 0
    before = results(here / "r")

    def strike(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(plots, "write", strike)
    assert call(*RUN, "r", "--seed", "1").code == 130
    assert results(here / "r") == before
    assert names(here) == {"r"}


HIDDEN = ".accel_sim-half_way"


def test_what_a_killed_run_left_is_removed_by_the_next_one_there(here):
    """Beside the results and inside them; not what somebody holds, nor what only looks like it."""
    assert call(*RUN, "below/r").code == 0
    for place in ("below", "below/r"):
        (here / place / HIDDEN).mkdir()
        (here / place / HIDDEN / "layers.csv").write_text("half")
    (here / "below" / ".accel_sim-notes").mkdir()
    (here / "below" / ".accel_sim-held_now").mkdir()
    held = os.open(here / "below/.accel_sim-held_now", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert call(*RUN, "below/r").code == 0
    finally:
        os.close(held)
    assert names(here / "below") == {"r", ".accel_sim-notes", ".accel_sim-held_now"}
    assert HIDDEN not in names(here / "below/r")

