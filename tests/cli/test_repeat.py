"""Equal input gives equal bytes: in another directory, in another process, from config.yaml; another seed does not."""

import shutil
import subprocess
import sys

import pytest

from .calls import call, results


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(runs, tmp_path):
    command = [sys.executable, "-m", "accel_sim", "run", "lenet5", "eie", "--out", "deep/er/run"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "results: deep/er/run"
    assert results(tmp_path / "deep/er/run") == results(runs["lenet5", "eie"])


def test_its_own_config_gives_the_same_bytes(runs, here):
    first, again = runs["lenet_300_100", "systolic"], here / "again"
    assert call("run", "--config", first / "config.yaml", "--out", again, "--quiet").code == 0
    assert results(again) == results(first)


SPECIAL = ["--seed", "7", "--batch", "2", "--layers", "fc[12]", "--check", "--set", "array.rows=8"]


def test_the_config_of_a_special_run_holds_all_that_was_special(here):
    assert call("run", "lenet_300_100", "eie", *SPECIAL, "--out", "a", "--quiet").code == 0
    assert call("run", "--config", "a/config.yaml", "--out", "b", "--quiet").code == 0
    assert results(here / "a") == results(here / "b")


@pytest.mark.parametrize("hardware", ["eie", "systolic"])
def test_another_seed_gives_other_data_of_the_same_shape(hardware, here, runs):
    assert call("run", "lenet5", hardware, "--seed", "1", "--out", "r", "--quiet").code == 0
    other, first = results(here / "r"), results(runs["lenet5", hardware])
    assert other["cycles.csv"] != first["cycles.csv"]
    assert (other["actions.csv"] != first["actions.csv"]) == (hardware == "eie")  # no action of systolic heeds values
    shapes = [line.split(",")[:13] for line in other["layers.csv"].decode().splitlines()]
    assert shapes == [line.split(",")[:13] for line in first["layers.csv"].decode().splitlines()]


def test_an_earlier_run_is_replaced_as_a_whole(here, runs):
    shutil.copytree(runs["lenet5", "systolic"], here / "r")
    assert call("run", "lenet5", "eie", "--out", "r", "--quiet").code == 0
    fresh, expected = results(here / "r"), results(runs["lenet5", "eie"])
    assert fresh == {name: data for name, data in expected.items() if not name.endswith(".png")}


def test_an_empty_directory_may_be_the_target(here, runs):
    (here / "r").mkdir()
    assert call("run", "lenet5", "systolic", "--out", "r", "--quiet").code == 0
    assert results(here / "r") == results(runs["lenet5", "systolic"])
    assert [path.name for path in here.iterdir()] == ["r"]
