"""A place to work in, runs made once for all tests, and the two ways a command can end badly."""

from pathlib import Path

import pytest

from accel_sim.results import plots

from .calls import Done, call, tree
from .chromium import Browser


@pytest.fixture
def plain(monkeypatch):
    """Runs without figures: they take longer than everything else together."""
    monkeypatch.setattr(plots, "write", lambda folder: [])


@pytest.fixture
def here(tmp_path, monkeypatch, plain) -> Path:
    """An empty working directory, for runs without figures."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ends(tmp_path, monkeypatch, plain):
    """ends(code, *arguments) -> Done: the command ends so, with one line on stderr, and leaves every file as it was."""
    monkeypatch.chdir(tmp_path)

    def check(code: int, *arguments: object) -> Done:
        before = tree(tmp_path)
        done = call(*arguments)
        assert (done.code, done.out) == (code, ""), done
        assert done.line.startswith(f"accel-sim {arguments[0]}: ")
        assert tree(tmp_path) == before
        return done

    return check


@pytest.fixture
def refused(ends):
    """refused(*arguments) -> what `accel-sim ARGUMENTS` says, in one line, when it refuses bad input."""

    def check(*arguments: object) -> str:
        done = ends(2, *arguments)
        return done.line.removeprefix(f"accel-sim {arguments[0]}: ")

    return check


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[tuple[str, str], Path]:
    """(network, hardware) -> directory of a whole run, for a few of them."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    with pytest.MonkeyPatch.context() as patch:
        for network, hardware, drawn in (
            ("lenet5", "eie", True), ("lenet_300_100", "systolic", False), ("lenet5", "systolic", False),
            ("lenet_300_100", "eie", False), ("squeezenet1_0", "eie", False),
        ):  # fmt: skip
            if not drawn:
                patch.setattr(plots, "write", lambda folder: [])
            out = folder / f"{network}-{hardware}"
            done = call("run", network, hardware, "--out", out, "--quiet")
            assert (done.code, done.out, done.err) == (0, f"results: {out}\n", "")
            found[network, hardware] = out
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium of a module's tests."""
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser
