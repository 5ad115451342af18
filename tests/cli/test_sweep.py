"""`accel-sim sweep`: what a study leaves, whatever happens on the way."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from accel_sim.sweep import charts, results
from tests.unit.workloads.test_tflite import with_axis

from .calls import Done, call, tiny, tree

SMALL = """name: small
network: lenet_300_100
hardware: systolic
axes:
  array.rows: [4, 8]
  dataflow.stationary: [os, ws]
"""
#: a MAC unit that ends its process, or refuses, at a setting
PLUGIN = '''
import os
from dataclasses import dataclass
from accel_sim.macs.conventional import Conventional
from accel_sim.parts import macs


@macs.add("fragile")
@dataclass(frozen=True)
class Fragile(Conventional):
    """headroom_bits 1: its process ends; 2: a bug; 3: a refusal."""

    def mode(self, activation_bits, weight_bits):
        if self.headroom_bits == 1:
            os._exit(7)
        if self.headroom_bits == 2:
            raise KeyError("lost")
        if self.headroom_bits == 3:
            raise ValueError("not today")
        return super().mode(activation_bits, weight_bits)
'''
FRAGILE = """network: lenet_300_100
hardware: {name: systolic, set: {mac.name: fragile}}
axes: {mac.headroom_bits: [1, 2, 3, 4, 5]}
"""


def slow(*options: str):
    """A parameter of the slow tier."""
    return pytest.param(options, marks=pytest.mark.slow)


def study(folder: Path, text: str = SMALL) -> Path:
    path = folder / "study.yaml"
    path.write_text(text)
    return path


def plugged(folder: Path, monkeypatch, text: str) -> None:
    """Makes a plugin of this text known to processes that start now."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "fragile.py").write_text(text)
    monkeypatch.setenv("ACCEL_SIM_PLUGINS", str(folder / "plugins"))


def started(*arguments: object, command: str = "sweep", **options) -> subprocess.Popen:
    """`accel-sim sweep` as a process of its own."""
    line = [sys.executable, "-m", "accel_sim", command, *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def children(pid: int) -> list[int]:
    """Processes that work for another one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
            line = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if text.rpartition(")")[2].split()[1] == str(pid) and "spawn_main" in line:
            found.append(int(path.parent.name))
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Path, Done]:
    """(directory, what was said) of the small study, made once."""
    folder = tmp_path_factory.mktemp("small")
    done = call("sweep", study(folder), "--out", folder / "out", "--workers", 1)
    return folder / "out", done


def test_a_study_leaves_its_points_and_one_table(small):
    out, done = small
    assert done.code == 0
    assert done.out.startswith("4 points: 4 made in ")
    assert done.err.splitlines()[-1].startswith("4/4 points, ")
    kept = tree(out)
    assert sum(name.startswith("points/") for name in kept) == 4
    assert kept["study.yaml"] == SMALL.encode()
    assert not [name for name in kept if ".new" in name or ".cache" in name or name.startswith("failed/")]
    frame = results.read(out)
    assert frame["array.rows"].tolist() == [4, 4, 8, 8]
    assert frame["dataflow.stationary"].tolist() == ["os", "ws", "os", "ws"]
    assert frame.columns[:5].tolist() == ["point", "network", "hardware", "array.rows", "dataflow.stationary"]
    causes = frame[[name for name in frame if name.startswith("cycles.")]].sum(axis=1)
    energies = frame[[name for name in frame if name.startswith("energy_pj.")]].sum(axis=1)
    assert causes.tolist() == pytest.approx(frame.cycles.tolist())
    assert energies.tolist() == pytest.approx(frame.energy_pj.tolist())


def test_a_point_has_the_figures_of_a_run(small, here):
    done = call(
        "run", "lenet_300_100", "systolic", "--set", "array.rows=8", "--set", "dataflow.stationary=ws", "--json"
    )
    summary, row = json.loads(done.out), results.read(small[0]).iloc[3]
    for name in ("cycles", "time_s", "energy_pj", "utilization", "dram_read_bytes", "dram_write_bytes", "macs_issued"):
        assert row[name] == summary[name], name


@pytest.mark.slow
def test_real_weights_and_images_are_shared_too(here):
    arguments = tiny(here)
    text = (
        f"network: {{name: {arguments[1]}, weights: {here}/tiny.net, image: {here}/tiny.png}}\n"
        "hardware: [eie, systolic]\naxes: {batch: [1, 2]}\n"
    )
    assert call("sweep", study(here, text), "--out", "out", "--workers", 1, "--quiet").code == 0
    frame = results.read(here / "out")
    assert frame.data.tolist() == ["real"] * 4
    for row, (hardware, batch) in enumerate([("eie", 1), ("eie", 2), ("systolic", 1), ("systolic", 2)]):
        arguments[2] = hardware
        summary = json.loads(call(*arguments, "--batch", batch, "--json", "--out", f"{hardware}{batch}").out)
        assert frame.cycles[row] == summary["cycles"]
        assert frame.energy_pj[row] == summary["energy_pj"]


def test_a_second_start_makes_nothing_and_changes_nothing(small):
    out, _ = small
    before = tree(out)
    done = call("sweep", out / "study.yaml", "--out", out, "--json")
    found = json.loads(done.out)
    assert (found["points"], found["made"], found["skipped"], found["failed"]) == (4, 0, 4, 0)
    assert done.err == ""
    assert tree(out) == before


def test_what_an_importer_had_to_assume_is_told_once(tmp_path):
    builder, last = with_axis(5, 0.01)
    builder.outputs = [last]
    (tmp_path / "m.tflite").write_bytes(builder.data())
    path = study(tmp_path, f"network: {tmp_path}/m.tflite\nhardware: systolic\naxes: {{array.rows: [4, 8]}}\n")
    done = call("sweep", path, "--out", tmp_path / "out", "--workers", 1, "--quiet")
    assert done.code == 0
    assert done.line.startswith(f"accel-sim sweep: warning: {tmp_path}/m.tflite: tensor 1 and 1 more: quantized_dim")


def test_another_study_does_not_go_over_one_that_is_there(small, tmp_path):
    out, _ = small
    before = tree(out)
    path = study(tmp_path, SMALL.replace("name: small", "name: other"))
    done = call("sweep", path, "--out", out)
    assert (done.code, done.line) == (
        2, f"accel-sim sweep: --out {out}: holds the study 'small', not 'other'; give another directory",
    )  # fmt: skip
    assert tree(out) == before


@pytest.mark.slow
def test_a_longer_study_makes_what_is_new(small, tmp_path):
    out, _ = small
    path = study(tmp_path, SMALL.replace("[4, 8]", "[4, 8, 16]"))
    before = tree(out)
    found = json.loads(call("sweep", path, "--out", out, "--workers", 1, "--json").out)
    assert (found["points"], found["made"], found["skipped"]) == (6, 2, 4)
    call("sweep", study(tmp_path), "--out", out, "--quiet")
    assert {name: data for name, data in tree(out).items() if name in before} == before


def test_without_pyarrow_the_table_is_a_csv(small, monkeypatch):
    out, _ = small
    monkeypatch.setattr(results, "_parquet", lambda table: None)
    call("sweep", out / "study.yaml", "--out", out, "--quiet")
    assert not (out / "results.parquet").exists()
    frame = pd.read_csv(out / "results.csv")
    assert len(frame) == 4
    assert frame.cycles.tolist() == results.read(out).cycles.tolist()


def test_dry_run(tmp_path):
    done = call("sweep", study(tmp_path), "--dry-run", "--workers", 2)
    assert done.code == 0
    assert re.match(r"4 points, 4 to be made: about \d+ s on 2 workers, ", done.out)
    found = json.loads(call("sweep", tmp_path / "study.yaml", "--dry-run", "--json", "--out", tmp_path / "o").out)
    assert (found["points"], found["left"], found["sample"]) == (4, 4, 4)
    assert {path.name for path in tmp_path.iterdir()} == {"study.yaml"}


def test_all_mistakes_are_told_before_anything_runs(tmp_path):
    path = study(tmp_path, SMALL.replace("[4, 8]", "[4, 0]") + "  mac.x: [1]\n  post.lanes: [0]\n")
    done = call("sweep", path, "--out", tmp_path / "out")
    lines = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert all(line.startswith(f"accel-sim sweep: {path}: ") for line in lines)
    assert len(lines) == 3
    for part in ("array: rows=0 must be at least 1", "mac.x: unknown key 'x'", "post: lanes=0 must be"):
        assert part in done.err
    assert not (tmp_path / "out").exists()


def test_mistakes_in_the_file_hide_none_of_its_points(tmp_path):
    """What is wrong in the file, in expressions, networks, machines and settings: a line each, in one go."""
    text = """network: [lenet5, lenet6]
hardware: [systolic, sistolic]
axes:
  array.rows: [8, 0]
  dataflow.stationry: [os]
  precision.weights: [int8, int99]
  memories.weight_sram.capacity_kib: {range: [1, 2]}
where: [array.rows >]
derived: {x: foo + 1}
bogus: 1
"""
    path = study(tmp_path, text)
    for command in (("sweep",), ("sweep", "--dry-run"), ("search", "--points", 2)):
        done = call(command[0], path, *command[1:], "--out", tmp_path / "out")
        assert (done.code, done.out) == (2, "")
        for part in (
            "unknown key 'bogus'", "axes.memories.weight_sram.capacity_kib: expected range",
            "where.0: 'array.rows >' is", "'foo + 1': no axis", "unknown key 'stationry'", "number format 'int99'",
            "rows=0 must be at least 1", "unknown hardware 'sistolic'", "unknown network 'lenet6'",
        ):  # fmt: skip
            assert sum(part in line for line in done.err.splitlines()) == 1, part
        assert len(done.err.splitlines()) == 9
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--x", "array.rows", "--y", "energy_pj", "--color", "dataflow.stationary"),
        slow("--kind", "heat", "--x", "array.rows", "--y", "dataflow.stationary", "--z", "cycles", "--pick", "mean"),
        slow("--where", "array.rows == 8"),
        slow("--color", "dataflow.stationary"),
        slow("--kind", "parallel", "--y", "time_s"),
        slow("--kind", "tornado", "--y", "time_s"),
    ],
)
def test_a_figure_and_the_csv_it_shows(small, options):
    out, _ = small
    done = call("plot", out, *options)
    assert (done.code, done.err) == (0, "")
    picture, data = map(Path, done.out.splitlines())
    first = picture.read_bytes(), data.read_bytes()
    assert first[0].startswith(b"\x89PNG")
    assert len(pd.read_csv(data)) in (2, 4)
    call("plot", out, *options)
    assert (picture.read_bytes(), data.read_bytes()) == first


def test_figures_of_other_wishes_do_not_overwrite_each_other(small):
    """Two conditions that read alike once no sign can stand in a name; the path that is printed says which."""
    out, _ = small
    wishes = [
        (), ("--where", "array.rows < 99"), ("--where", "array.rows <= 99"), ("--where", "array.rows != 99"),
    ]  # fmt: skip
    printed = [Path(call("plot", out, "--kind", "tornado", "--y", "time_s", *wish).out.split()[0]) for wish in wishes]
    assert printed[0].name == "tornado-time_s.png"
    assert all(path.name.startswith("tornado-time_s-where-array.rows") for path in printed[1:])
    assert len({path.name for path in printed}) == 4
    assert all(path.exists() for path in printed)


def test_every_choice_of_a_figure_is_in_its_name():
    wishes = [
        charts.Wish("pareto"), charts.Wish("pareto", "a", "b", z="c"), charts.Wish("pareto", "a", "b", color="c"),
        charts.Wish("heat", "a", "b", "c"), charts.Wish("heat", "a", "b", "c", pick="max"),
        charts.Wish("tornado", y="b", base="c"), charts.Wish("tornado", y="b", base="d"),
        charts.Wish("line", "a" * 200, "b"), charts.Wish("line", "a" * 200, "c"),
    ]  # fmt: skip
    assert len({wish.stem for wish in wishes}) == len(wishes)
    assert wishes[0].stem == "pareto"
    assert all(re.fullmatch(r"[\w.-]{1,140}", wish.stem) for wish in wishes)


def test_what_cannot_be_drawn(small, tmp_path):
    out, _ = small
    for options, reason in (
        (("--x", "rows", "--y", "cycles"), "unknown column 'rows'"),
        (("--x", "array.rows"), "--kind line: expected --y COLUMN"),
        (("--where", "array.rows > 99"), f"{out}: has no points to draw"),
        (("--kind", "parallel", "--y", "cycles", "--color", "hardware"), "--kind parallel: takes no --color"),
        (("--x", "array.rows", "--y", "cycles", "--base", "a"), "--kind line: takes no --base"),
    ):
        assert call("plot", out, *options).line.startswith(f"accel-sim plot: {reason}")
    assert "is no study's directory" in call("plot", tmp_path, "--x", "a").line
    assert "is no study's directory, which --kind is for" in call("plot", tmp_path, "--kind", "pareto").line


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--workers", 0), "--workers 0: expected at least 1"),
        (("--scheduler", "tcp://x", "--workers", 1), "--scheduler: the cluster's workers do the work"),
        (("--out", "full"), "--out full: holds other files"),
        (("--out", "study.yaml"), "--out study.yaml: is a file"),
    ],
)
def test_refusals(options, reason, refused, tmp_path):
    study(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    assert refused("sweep", "study.yaml", *options).startswith(reason)
    assert refused("sweep", "none.yaml").startswith("none.yaml: cannot read study")


@pytest.mark.slow
def test_a_failing_point_is_recorded_and_the_rest_goes_on(tmp_path, monkeypatch):
    plugged(tmp_path, monkeypatch, PLUGIN)
    out = tmp_path / "out"
    with started(study(tmp_path, FRAGILE), "--out", out, "--workers", 2, "--json") as done:
        text, err = done.communicate()
    assert done.returncode == 4, err
    found = json.loads(text)
    assert (found["points"], found["made"], found["failed"]) == (5, 2, 3)
    reasons = sorted(json.loads(path.read_text())["reason"] for path in (out / "failed").iterdir())
    assert reasons == ["KeyError: 'lost'", "its worker died twice (exit code 7)", "layer 'fc1': not today"]
    assert results.read(out)["mac.headroom_bits"].tolist() == [4, 5]
    before = tree(out)
    with started(out / "study.yaml", "--out", out, "--quiet") as done:  # what failed is left alone, and told
        _, err = done.communicate()
    assert done.returncode == 4
    assert err.endswith("3 of 5 points failed\n")
    assert tree(out) == before
    (tmp_path / "plugins" / "fragile.py").write_text(PLUGIN.replace("== 2", "== -2"))
    with started(out / "study.yaml", "--out", out, "--retry-failed", "--json") as done:
        text, _ = done.communicate()
    assert json.loads(text)["failed"] == 2  # other sources: all points are new


@pytest.mark.slow
def test_retry_failed_makes_what_can_be_made_now(tmp_path, monkeypatch):
    plugged(tmp_path, monkeypatch, PLUGIN.replace("== 2", "== 2 and os.path.exists('broken')"))
    (tmp_path / "broken").touch()
    text = FRAGILE.replace("[1, 2, 3, 4, 5]", "[2, 4]")
    codes = []
    for options in ((), (), ("--retry-failed",)):
        with started(study(tmp_path, text), "--out", "out", "--workers", 1, *options, cwd=tmp_path) as done:
            done.communicate()
        codes.append(done.returncode)
        if codes == [4]:
            (tmp_path / "broken").unlink()
    assert codes == [4, 4, 0]
    assert not list((tmp_path / "out" / "failed").iterdir())
    assert len(results.read(tmp_path / "out")) == 2


LONGER = SMALL.replace("[4, 8]", "{range: [1, 30, 1]}")


@pytest.mark.long
def test_killed_at_any_moment_it_ends_with_the_same_bytes(tmp_path):
    path = study(tmp_path, LONGER)
    with started(path, "--out", tmp_path / "whole", "--workers", 1) as whole:
        assert whole.wait() == 0
    expected = tree(tmp_path / "whole")
    out = tmp_path / "killed"
    for workers, least in ((2, 1), (3, 12), (1, 30)):
        with started(path, "--out", out, "--workers", workers) as killed:
            while len(list((out / "points").glob("*.json"))) < least and killed.poll() is None:
                time.sleep(0.01)
            os.kill(killed.pid, signal.SIGKILL)
    assert 30 <= len(list((out / "points").glob("*.json"))) < 60
    (out / "points" / ".accel_sim-half_way").mkdir()
    with started(path, "--out", out, "--workers", 2) as last:
        assert last.wait() == 0
    assert tree(out) == expected


@pytest.mark.slow
def test_a_killed_worker_is_replaced(tmp_path):
    path, out = study(tmp_path, LONGER), tmp_path / "out"
    with started(path, "--out", out, "--workers", 2, "--json") as sweep:
        while len(list((out / "points").glob("*.json"))) < 5:
            time.sleep(0.01)
        os.kill(children(sweep.pid)[0], signal.SIGKILL)
        text, err = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, err
    assert json.loads(text)["made"] == 60


@pytest.mark.slow
@pytest.mark.parametrize("full", ["points", ".cache"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(full, tmp_path, monkeypatch):
    """The cache of networks is a convenience; a point that cannot be kept ends the study."""

    def save(*_):
        raise OSError("1182816 requested and 130944 written")  # as numpy says it

    real = Path.write_bytes

    def write_bytes(path, data):
        if full in (path.parent.name, path.parent.parent.name):
            path.touch()
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(np, "save", save)
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    out = tmp_path / "out"
    done = call("sweep", study(tmp_path), "--out", out, "--workers", 1, "--quiet")
    if full == "points":
        assert done.code == 2
        said = rf"accel-sim sweep: {out}/points/\w+.json: cannot be written \(No space left on .*"
        assert re.fullmatch(said, done.line)
    else:
        assert (done.code, done.err) == (0, "")
    assert not [name for name in tree(out) if ".new" in name or ".cache" in name]


@pytest.mark.slow
@pytest.mark.usefixtures("terminal")
def test_two_at_once_do_not_write_to_one_directory(tmp_path):
    path, out = study(tmp_path, SMALL.replace("[4, 8]", "{range: [1, 600, 1]}")), tmp_path / "out"
    with started(path, "--out", out, "--workers", 1) as first:
        while not (out / "study.yaml").exists():
            time.sleep(0.01)
        done = call("sweep", path, "--out", out)
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=60)
    assert (done.code, done.line) == (2, f"accel-sim sweep: --out {out}: another sweep is writing there")
    assert first.returncode == 130
    assert err.endswith("accel-sim sweep: interrupted\n")
    assert not (out / ".cache").exists()
