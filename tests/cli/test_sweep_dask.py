"""`accel-sim sweep --scheduler`: on a cluster of its own processes, one of which is killed on the way."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from .calls import call, tree
from .test_sweep import LONGER, started, study


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


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (pip install 'accel-sim[dask]')")
    path, address = study(tmp_path, LONGER), f"tcp://127.0.0.1:{free_port()}"
    with started(path, "--out", tmp_path / "local", "--workers", 2) as local:
        assert local.wait() == 0
    with ExitStack() as stack:
        stack.enter_context(process("scheduler", "--port", address.rpartition(":")[2], cwd=tmp_path))
        options = ("--nthreads", "1", "--no-nanny")
        workers = [stack.enter_context(process("worker", address, *options, cwd=tmp_path)) for _ in range(2)]
        deadline = time.monotonic() + 60
        while (tmp_path / "dask.log").read_text().count("Starting established connection") < 4:
            assert time.monotonic() < deadline, (tmp_path / "dask.log").read_text()
            time.sleep(0.1)
        out = tmp_path / "cluster"
        with started(path, "--out", out, "--scheduler", address) as sweep:
            while len(list((out / "points").glob("*.json"))) < 3 and sweep.poll() is None:
                time.sleep(0.01)
            os.kill(workers[0].pid, signal.SIGKILL)
            _, err = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, err
    assert tree(out) == tree(tmp_path / "local")


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


def test_no_dask(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = call("sweep", study(tmp_path), "--out", tmp_path / "out", "--engine", "dask")
    assert done.line.startswith("accel-sim sweep: --engine dask: needs the package distributed")
