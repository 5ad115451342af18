"""A system that refuses (a full, broken or read-only disk, a closed pipe, a signal): one line, no result half there."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from accel_sim.host import output
from accel_sim.results import experiment
from workloads.registry import InputError

from .calls import call, names, tree

STUDY = (
    "network: lenet_300_100\nhardware: systolic\naxes: {array.rows: [4, 8]}\n"
    "search: {objectives: [cycles, energy_pj]}\n"
)
SWEEP = ("s.yaml", "--workers", "1", "--quiet", "--out", "t")
#: command -> names of files at which it fails, one after the other
WRITING = {
    ("run", "lenet_300_100", "systolic", "--quiet", "--trace", "--stats", "--out", "new/r"): (
        "layers.csv", "config.yaml", "provenance.json", "trace.json", "stats.txt", "run.log"),
    ("run", "lenet_300_100", "systolic", "--quiet", "--seed", "1", "--out", "r"): ("layers.csv", "run.log"),
    ("accelergy", "r", "--quiet", "--out", "a"): ("ERT.yaml", "layers.yaml"),
    ("report", "r"): ("report.html",),
    ("report", "s"): ("report.html",),
    ("compare", "r", "r", "--out", "c"): ("compare.csv", "compare_energy.png"),
    ("plot", "r"): ("cycles.png",),
    ("plot", "s", "--x", "array.rows", "--y", "cycles"): ("line-array.rows-cycles.png", "line-array.rows-cycles.csv"),
    ("sweep", *SWEEP): ("study.yaml", "results.parquet"),
    ("search", *SWEEP, "--points", "2"): ("study.yaml",),
    ("experiment", "stub", "--out", "e/f"): ("stub.csv", "stub.png"),
}  # fmt: skip
CASES = [(command, name, errno.ENOSPC) for command, files in WRITING.items() for name in files]
CASES += [(("report", "r"), "report.html", number) for number in (errno.EROFS, errno.EDQUOT, errno.EIO)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run and a study to work on."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "s.yaml").write_text(STUDY)
        assert call("run", "lenet_300_100", "systolic", "--quiet", "--out", "r").code == 0
        assert call("sweep", "s.yaml", "--workers", "1", "--quiet", "--out", "s").code == 0
    return folder


@pytest.fixture
def stub(monkeypatch):
    """An experiment that takes no time."""
    row = experiment.compared("a", 1.0, 1.0, 0.1, "exact", "x", "y")
    found = experiment.Experiment("stub", "?", lambda: [row], lambda frame, path: output.write(path, b"picture"))
    point = type("Point", (), {"load": lambda self: found})()
    monkeypatch.setattr(experiment, "experiments", lambda: {"stub": point})


def refuse(monkeypatch, name: str, number: int) -> None:
    """Writing a file of this name fails, after some of its bytes are there."""
    real = {each: getattr(Path, each) for each in ("write_bytes", "write_text")}
    to_csv = pd.DataFrame.to_csv

    def fail(path: Path) -> None:
        if path.name == name:
            real["write_bytes"](path, b"half")
            raise OSError(number, os.strerror(number), str(path))

    def written(each):
        def write(path, *arguments, **more):
            fail(path)
            return real[each](path, *arguments, **more)

        return write

    def write_csv(frame, path=None, **more):
        if path is not None:
            fail(Path(path))
        return to_csv(frame, path, **more)

    for each in real:
        monkeypatch.setattr(Path, each, written(each))
    monkeypatch.setattr(pd.DataFrame, "to_csv", write_csv)


@pytest.mark.slow
@pytest.mark.usefixtures("stub", "plain_of_runs")
@pytest.mark.parametrize(("command", "name", "number"), CASES, ids=lambda value: str(value)[:40])
def test_one_line_and_nothing_left(command, name, number, made, tmp_path, monkeypatch):
    """An earlier result stays as it was; the points of a study are results of their own, and stay."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        refuse(patch, name, number)
        done = call(*command)
    assert (done.code, done.out) == (2, "")
    assert os.strerror(number) in done.line and done.line.startswith(f"accel-sim {command[0]}: ")
    assert output.PREFIX not in done.line and f"/{name}: cannot be written" in done.line
    assert {path: data for path, data in tree(tmp_path).items() if path.split("/")[0] != "t"} == before
    assert not [path for path in tree(tmp_path) if output.PREFIX in path]


@pytest.fixture
def plain_of_runs(request, monkeypatch):
    """Runs without figures, which take longer than the rest, where no figure is what fails."""
    from accel_sim.results import plots

    if request.node.callspec.params["command"][0] == "run":
        monkeypatch.setattr(plots, "write", lambda folder: [])


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda path: output.write(path, b"picture"), lambda path: path.write_bytes(b"x"),
        lambda path: pd.DataFrame({"a": [1]}).to_csv(path),
    ],
)  # fmt: skip
def test_a_file_is_named_where_the_user_wanted_it(make, beside, here, monkeypatch):
    """Not below the hidden directory in which it would have been made."""
    refuse(monkeypatch, "energy.png", errno.ENOSPC)
    with pytest.raises(InputError) as refusal, output.whole(Path("runs/x"), beside=beside) as scratch:
        make(scratch / "energy.png")
    assert str(refusal.value) == "runs/x/energy.png: cannot be written (No space left on device)"
    assert names(here) == set()


def test_a_disk_that_is_full_without_a_file_names_the_directory_as_given(here):
    with pytest.raises(InputError) as refusal, output.whole(Path("runs/x")):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(refusal.value) == "--out runs/x: cannot write there: No space left on device"


def test_a_directory_that_cannot_even_be_made(here, monkeypatch):
    """A study's folders are gone again where the second of them cannot be made."""
    real = Path.mkdir

    def mkdir(path, *arguments, **more):
        if path.name == "failed":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *arguments, **more)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    (here / "s.yaml").write_text(STUDY)
    done = call("sweep", "s.yaml", "--workers", "1", "--quiet", "--out", "a/b")
    assert (done.code, done.line) == (2, "accel-sim sweep: --out a/b: cannot write there: No space left on device")
    assert names(here) == {"s.yaml"}


def test_a_result_in_a_directory_whose_parent_is_not_ours(here, monkeypatch):
    """As a volume that is mounted into a container: the files go where they may."""
    (here / "results").mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != here and real(path, mode))
    for seed in ("0", "1"):
        done = call("run", "lenet_300_100", "systolic", "--quiet", "--out", "results", "--seed", seed)
        assert (done.code, done.err) == (0, "")
    assert "summary.json" in names(here / "results") and not [name for name in names(here) if name[0] == "."]


def start(*arguments, **options) -> subprocess.Popen:
    """`accel-sim ARGUMENTS` as a process of its own group."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True} | options
    return subprocess.Popen([sys.executable, "-m", "accel_sim", *map(str, arguments)], **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("list", "networks"), ("show", "hardware", "eie"), ("show", "network", "lenet5", "--json")]
)
def test_a_full_device_behind_the_output(command):
    with Path("/dev/full").open("w") as full:
        process = start(*command, stdout=full)
        _, said = process.communicate()
    assert (process.returncode, said) == (2, f"accel-sim {command[0]}: No space left on device\n")


@pytest.mark.slow
def test_a_pipe_that_nobody_reads_any_more_is_no_fault():
    with start("show", "network", "resnet152") as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (said, process.returncode) == ("", 0)


@pytest.mark.slow
def test_no_output_at_all_is_told_where_it_is_all_there_is():
    process = subprocess.run(
        f"{sys.executable} -m accel_sim list networks >&-", shell=True, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr == "accel-sim list: there is no standard output to print to\n"
    assert process.returncode == 2


@pytest.mark.slow
def test_a_limit_of_file_sizes(tmp_path):
    """What the system itself refuses, in the middle of a file."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    process = start("run", "lenet5", "systolic", "--quiet", "--out", "r", cwd=tmp_path, preexec_fn=limit)
    out, said = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert said.count("\n") == 1 and "File too large" in said
    assert names(tmp_path) == set()


@pytest.mark.slow
@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_while_results_are_written_leaves_nothing(number, code, tmp_path):
    process = start("run", "lenet_300_100", "systolic", "--out", "o", "--quiet", cwd=tmp_path)
    while not list(tmp_path.glob(f"{output.PREFIX}*")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    out, said = process.communicate()
    word = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert (process.returncode, out, said) == (code, "", f"accel-sim run: {word}\n")
    assert names(tmp_path) == set()


@pytest.mark.slow
def test_what_a_killed_run_left_goes_with_the_next(tmp_path):
    process = start("run", "lenet_300_100", "systolic", "--out", "o", "--quiet", cwd=tmp_path)
    while not list(tmp_path.glob(f"{output.PREFIX}*")):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert names(tmp_path) != set()
    process = start("run", "lenet_300_100", "systolic", "--out", "o", "--quiet", cwd=tmp_path)
    assert (process.communicate(), process.returncode) == (("results: o\n", ""), 0)
    assert names(tmp_path) == {"o"}


@pytest.mark.slow
@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("wait", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_ctrl_c_while_workers_start_prints_no_traceback(wait, tmp_path):
    """It reaches the whole group, as from a terminal."""
    (tmp_path / "s.yaml").write_text(STUDY.replace("[4, 8]", "{range: [4, 64, 1]}"))
    process = start("sweep", "s.yaml", "--workers", "3", "--quiet", "--out", "t", cwd=tmp_path)
    while not (tmp_path / "t" / ".cache").exists():
        assert process.poll() is None
        time.sleep(0.005)
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert (process.returncode, said) == (130, "accel-sim sweep: interrupted\n")
