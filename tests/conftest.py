"""What all tests share: a guard against stale kernels, where reference data lies, a steady hypothesis profile."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import cython_core

ROOT = Path(__file__).parents[1]
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # commands that tests start need not compile accel_sim again

settings.register_profile("steady", max_examples=35, derandomize=True, deadline=None)
settings.load_profile("steady")


def pytest_configure(config):
    build = cython_core.build_info()
    if build["source"] != cython_core.source_hash():
        pytest.exit("the compiled kernels are older than their sources: run 'make install' (or 'pip install -e .')", 2)
    if os.environ.get("ACCEL_SIM_EXPECT_DEBUG") == "1" and not build["debug"]:
        pytest.exit("expected the debug build of the kernels (ACCEL_SIM_DEBUG=1 pip install -e .)", 2)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")


@pytest.fixture
def terminal() -> Iterator[None]:
    """Signals are heard as in a terminal, here and by processes started from here: not so below nohup or in a script's
    background."""
    plain = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in plain.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data; tests that need it skip without it, and fail in CI."""
    folder = Path(os.environ.get("ACCEL_SIM_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        message = f"no reference data in {folder} (set ACCEL_SIM_SHARED)"
        if os.environ.get("ACCEL_SIM_REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder.resolve()
