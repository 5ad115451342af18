"""``--json``: every command that prints something prints one document with it, and nothing else on stdout."""

import argparse
import json
import math
import shutil

import pytest

from accel_sim.host import answer
from accel_sim.shell.arguments import parser

from .calls import call
from .test_dram_command import GOOD
from .test_sweep import SMALL

#: prints a shell's script, which is a document of its own and no result
NO_RESULT = {"completion"}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command that the parser knows."""
    (found,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return found.choices


@pytest.fixture(scope="module")
def made(tmp_path_factory, runs):
    """A directory with a run r, another run s, a study of two points done in d, a trace.csv."""
    folder = tmp_path_factory.mktemp("json")
    shutil.copytree(runs["lenet5", "eie"], folder / "r")
    shutil.copytree(runs["lenet5", "systolic"], folder / "s")
    (folder / "trace.csv").write_text(GOOD)
    (folder / "study.yaml").write_text(SMALL.replace("  array.rows: [4, 8]\n", ""))
    assert call("sweep", folder / "study.yaml", "--out", folder / "d", "--workers", 1, "--quiet").code == 0
    return folder


def strict(text: str):
    """The one JSON document of a text; fails for NaN and Infinity, and for a key that is used twice."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    def once(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    assert text.endswith("\n") and text.count("\n") == 1
    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


#: command -> (arguments, whether a document says what it must)
CASES = {
    "run": [(["lenet_300_100", "systolic", "--out", "made"], lambda found: (
        (found["network"], found["hardware"], found["out"]) == ("lenet_300_100", "systolic", "made")
        and found["cycles"] > 0 and found["energy_pj"] > 0))],
    "list": [(["hardware"], lambda found: {"eie", "systolic"} <= set(found))],
    "show": [
        (["network", "lenet5"], lambda found: (found[0]["layer"], found[0]["macs"]) == ("conv1", 288_000)),
        (["network", "lenet5", "--topology"], lambda found: found["topology_csv"].count("conv") == 2),
        (["hardware", "eie"], lambda found: found["name"] == "eie" and found["clock_mhz"] == 800),
    ],
    "stats": [(["lenet_300_100"], lambda found: [row["layer"] for row in found["layers"]][:2] == ["fc1", "fc2"])],
    "plot": [
        (["d"], lambda found: found["files"] == ["d/plots/pareto.png", "d/plots/pareto.csv"]),
        (["r"], lambda found: found["files"] == ["r/cycles.png", "r/energy.png", "r/roofline.png"]),
    ],
    "experiment": [(["mac_units", "--out", "ex"], lambda found: found[0]["passed"] and found[0]["rows"] > 100)],
    "dram": [(["trace.csv", "--part", "ddr4_2400"], lambda found: (
        (found["commands"]["RD"], found["cycles"]) == (3, 139)
        and math.isclose(found["time_us"], 139 * 0.833e-3, rel_tol=0.01)))],
    "accelergy": [(["r", "--out", "acc"], lambda found: "dram" in found["components"] and found["energy_pj"] > 0)],
    "sweep": [
        (["study.yaml", "--out", "d", "--workers", "1"], lambda found: (found["points"], found["skipped"]) == (2, 2)),
        (["study.yaml", "--out", "d", "--workers", "1", "--dry-run"], lambda found: found["left"] == 0),
    ],
    "search": [(["study.yaml", "--out", "e", "--workers", "1", "--points", "2"], lambda found: (
        (found["points"], found["space"]) == (2, 2) and found["front"]))],
    "compare": [(["r", "s"], lambda found: (
        [run["hardware"] for run in found["runs"]] == ["eie", "systolic"]
        and found["total"][0]["cycles"] == 57_261 and found["total"][0]["cycles_ratio"] == 1))],
    "report": [(["r"], lambda found: found["report"] == "r/report.html" and found["bytes"] > 10_000)],
}  # fmt: skip
#: command -> arguments that it refuses
WRONG = {
    "run": ["none", "eie"], "list": ["none"], "show": ["network", "none"], "stats": ["none"], "plot": ["none"],
    "experiment": ["none"], "dram": ["none.csv", "--part", "ddr4_2400"], "accelergy": ["none"],
    "sweep": ["none.yaml"], "search": ["none.yaml", "--points", "2"], "compare": ["r", "none"], "report": ["none"],
}  # fmt: skip


def test_every_command_is_tried():
    assert set(CASES) == set(WRONG) == set(commands()) - NO_RESULT
    for name, command in commands().items():
        assert ("--json" in command.format_help()) == (name not in NO_RESULT), name


@pytest.mark.slow
@pytest.mark.parametrize(("command", "arguments", "check"), [
    pytest.param(name, arguments, check, id=f"{name}-{number}")
    for name, cases in CASES.items() for number, (arguments, check) in enumerate(cases)
])  # fmt: skip
def test_stdout_is_one_document(made, monkeypatch, request, command, arguments, check):
    monkeypatch.chdir(made)
    if command == "run":
        request.getfixturevalue("plain")
    done = call(command, *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    found = strict(done.out)
    assert check(found), found
    if command not in ("plot", "experiment", "search"):
        assert call(command, *arguments, "--json").out == done.out


@pytest.mark.parametrize("command", WRONG)
def test_what_is_refused_is_one_line_on_stderr(made, monkeypatch, command):
    monkeypatch.chdir(made)
    done = call(command, *WRONG[command], "--json")
    assert (done.code, done.out) == (2, "")
    assert done.line.startswith(f"accel-sim {command}: ")


def test_what_is_no_number_is_null(capsys):
    answer.say({"b": math.nan, "a": [math.inf, (-math.inf, 1.5)], "c": {"d": None, "e": "NaN"}})
    assert capsys.readouterr().out == '{"b": null, "a": [null, [null, 1.5]], "c": {"d": null, "e": "NaN"}}\n'
