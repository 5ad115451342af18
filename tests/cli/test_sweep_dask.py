"""`accel-sim sweep --scheduler`: on a cluster of its own processes, one of which is killed on the way."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from .calls import call, tree
from .test_sweep import FRAGILE, LONGER, PLUGIN, plugged, started, study


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def process(*arguments, cwd):
    """A process of Dask, ended with the test."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler" if arguments[0] == "scheduler" else
               "distributed.cli.dask_worker", *arguments[1:], "--no-dashboard"]  # fmt: skip
    with (cwd / "dask.log").open("a") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd) as running:
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def cluster(cwd, *options):
    """(address of a scheduler, its two workers), all of them processes of their own."""
    pytest.importorskip("distributed", reason="Dask is not installed (pip install 'accel-sim[dask]')")
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        stack.enter_context(process("scheduler", "--port", address.rpartition(":")[2], cwd=cwd))
        start = ("worker", address, "--nthreads", "1", *options)
        workers = [stack.enter_context(process(*start, cwd=cwd)) for _ in range(2)]
        deadline = time.monotonic() + 60
        while (cwd / "dask.log").read_text().count("Starting established connection") < 4:
            assert time.monotonic() < deadline, (cwd / "dask.log").read_text()
            time.sleep(0.1)
        yield address, workers


#: networks x machines x formats of data
PRECISIONS = """network: [lenet_300_100, {name: lenet5, label: conv}]
hardware: [eie, {name: systolic, label: wide, set: {array.rows: 64}}]
axes:
  precision.weights: [int8, int4]
  precision.activations: [int8, int4]
  precision.layers.fc1.weights: [int2, int6]
  batch: [1, 2]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "points"),
    [(LONGER, 60), pytest.param(PRECISIONS, 64, marks=pytest.mark.long)],
    ids=["machines", "precisions"],
)
def test_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(text, points, tmp_path):
    path = study(tmp_path, text)
    with started(path, "--out", tmp_path / "local", "--workers", 2) as local:
        assert local.wait() == 0
    with cluster(tmp_path, "--no-nanny") as (address, workers):
        out = tmp_path / "cluster"
        with started(path, "--out", out, "--scheduler", address, "--json") as sweep:
            while len(list((out / "points").glob("*.json"))) < 3 and sweep.poll() is None:
                time.sleep(0.01)
            os.kill(workers[0].pid, signal.SIGKILL)
            said, err = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, err
    assert json.loads(said)["made"] == points
    assert tree(out) == tree(tmp_path / "local")


@pytest.mark.slow
def test_a_point_that_kills_its_workers_is_given_up_and_no_other(tmp_path, monkeypatch):
    plugged(tmp_path, monkeypatch, PLUGIN)
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    out = tmp_path / "out"
    with (
        cluster(tmp_path) as (address, _),  # nannies start new workers
        started(study(tmp_path, FRAGILE), "--out", out, "--scheduler", address, "--json") as sweep,
    ):
        said, err = sweep.communicate(timeout=240)
    assert sweep.returncode == 4, err
    found = json.loads(said)
    assert (found["points"], found["made"], found["failed"]) == (5, 2, 3)
    reasons = sorted(json.loads(path.read_text())["reason"] for path in (out / "failed").iterdir())
    assert reasons == ["KeyError: 'lost'", "its worker died again and again (KilledWorker)", "layer 'fc1': not today"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--scheduler", "tcp://127.0.0.1:1"), "--scheduler tcp://127.0.0.1:1: cannot reach it: "),
        (("--engine", "dask"), "--engine dask: expected --scheduler ADDRESS"),
    ],
)
def test_no_cluster(options, reason, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed (pip install 'accel-sim[dask]')")
    from accel_sim.sweep import dask_engine

    monkeypatch.setattr(dask_engine, "PATIENCE", "0.3s")
    done = call("sweep", study(tmp_path), "--out", tmp_path / "out", *options)
    assert done.code == 2
    assert done.line.startswith(f"accel-sim sweep: {reason}")
    assert not (tmp_path / "out").exists()


def test_no_dask(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = call("sweep", study(tmp_path), "--out", tmp_path / "out", "--engine", "dask")
    assert done.line.startswith("accel-sim sweep: --engine dask: needs the package distributed")
