"""What is made beside the tables: stats.txt, report.html, shell completion, a notebook's view."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pandas as pd
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.reports import stats_txt
from accel_sim.reports.svg import short, ticks
from accel_sim.rundir import FILES
from workloads import load_network

from .calls import call, tree


@pytest.fixture
def stats(tmp_path, plain):
    """A run's directory with stats.txt."""
    assert call("run", "lenet5", "eie", "--out", tmp_path / "r", "--stats", "--quiet").code == 0
    return tmp_path / "r"


def test_stats_are_one_line_each_and_those_of_the_summary(stats):
    text = (stats / "stats.txt").read_text()
    lines = text.strip().splitlines()
    assert (lines[0], lines[-1]) == (stats_txt.BEGIN, stats_txt.END)
    rows = [re.fullmatch(r"(\S+) +(\S+)  # .+ \(.+\)", line) for line in lines[1:-1] if line]
    assert all(rows)
    found = {row[1]: float(row[2]) for row in rows}
    assert len(found) == len(rows), "a name is used twice"
    summary = json.loads((stats / "summary.json").read_text())
    assert found["system.numCycles"] == summary["cycles"]
    assert found["system.energy"] == pytest.approx(summary["energy_pj"], rel=1e-11)
    assert found["system.laneSlots::total"] == sum(v for k, v in found.items() if re.fullmatch(
        r"system\.laneSlots::(?!total).*", k))  # fmt: skip
    assert sum(v for k, v in found.items() if re.fullmatch(r"system\.layers\.\w+\.numCycles", k)) == summary["cycles"]


class Page(HTMLParser):
    """Every tag with its attributes; tags that are never closed."""

    VOID = ("meta", "wbr", "link", "input", "br", "rect", "path", "line", "circle", "polyline")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_a_report_is_one_whole_page_the_same_each_time(runs, tmp_path):
    folder = shutil.copytree(runs["squeezenet1_0", "eie"], tmp_path / "r")
    done = call("report", folder, "--json")
    path = folder / "report.html"
    data = path.read_bytes()
    assert json.loads(done.out) == {"report": str(path), "bytes": len(data)}
    assert call("report", folder).out == f"{path}\n" and path.read_bytes() == data
    assert len(data) < 1_000_000 and path.name in FILES
    page = Page(data.decode())
    assert page.open == []
    links = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("href", "src")]
    assert all(link.startswith(("#", "data:")) for link in links)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) and {link[1:] for link in links if link.startswith("#")} <= set(ids)
    marks = [attrs for _, attrs in page.tags if attrs.get("class") == "mark"]
    assert all(mark["aria-label"] and mark["role"] == "img" for mark in marks)
    actions = pd.read_csv(folder / "actions.csv")
    text = data.decode().replace("&#x27;", "'").replace("&quot;", '"')
    assert all(source in text for source in set(actions.source))


def test_a_report_holds_names_as_text(runs, tmp_path):
    evil = tmp_path / "r"
    evil.mkdir()
    for name, data in tree(runs["lenet5", "eie"]).items():
        (evil / name).write_bytes(data.replace(b"conv1", b"<b>&x") if name.endswith((".csv", ".txt")) else data)
    assert call("report", evil).code == 0
    text = (evil / "report.html").read_text()
    assert "<b>&x" not in text and "&lt;b&gt;&amp;x" in text
    assert Page(text).open == []


def test_a_report_of_what_is_no_run_is_refused(refused):
    assert refused("report", "none") == "none: is no run directory (nothing is there)"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_names(shell):
    done = call("completion", shell)
    assert (done.code, done.err) == (0, "")
    for word in ("compare", "report", "squeezenet1_0", "systolic", "trace"):
        assert word in done.out


@pytest.mark.parametrize(("typed", "expected"), [
    (["accel-sim", "com"], {"compare", "completion"}),
    (["accel-sim", "run", "squeezenet1_"], {"squeezenet1_0", "squeezenet1_1"}),
    (["accel-sim", "run", "lenet5", "sys"], {"systolic"}),
    (["accel-sim", "compare", "--q"], {"--quiet"}),
    (["accel-sim", "nothing", "x"], set()),
])  # fmt: skip
def test_bash_completes(typed, expected, tmp_path):
    script = call("completion", "bash").out
    script += f'COMP_WORDS=({" ".join(typed)}); COMP_CWORD={len(typed) - 1}; _accel_sim; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (set(done.stdout.split()), done.stderr) == (expected, "")


def test_a_wrong_shell_is_refused():
    done = call("completion", "tcsh")
    assert done.code == 2 and done.line.startswith("accel-sim completion: argument shell: invalid choice: 'tcsh'")


def test_a_notebook_shows_every_layer():
    result = simulate(load_network("lenet5"), load_hardware("eie"))
    text = result._repr_html_()
    assert Page(text).open == []
    assert all(f">{name}</td>" in text for name in result.layers.layer)
    assert f"{result.summary['cycles']:,} cycles" in text


def test_round_figures():
    assert ticks(8.7) == [0, 2, 4, 6, 8] and ticks(100) == [0, 20, 40, 60, 80, 100] and ticks(0) == [0.0]
    for top in (1, 1.1, 2, 3.59, 5, 9.99, 12, 0.04, 123456):
        assert 2 <= len(ticks(top)) <= 6 and ticks(top)[-1] <= top * (1 + 1e-9)
    assert [short(value) for value in (0, 12, 1234, 5.5e6, 7e9)] == ["0", "12", "1.23 k", "5.5 M", "7 G"]
