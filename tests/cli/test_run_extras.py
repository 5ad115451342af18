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
from accel_sim.results.rundir import FILES
from accel_sim.results.svg import short, ticks
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
    assert found["system.energy"] == pytest.approx(summary["energy_pj"] * 1e-12, rel=1e-11)
    assert found["simTicks"] == round(found["simSeconds"] * found["simFreq"]) == 57_261 * 1250
    assert found["system.laneSlots::total"] == sum(v for k, v in found.items() if re.fullmatch(
        r"system\.laneSlots::(?!total).*", k))  # fmt: skip
    for name in ("numCycles", "energy", "laneSlots::total"):
        layers = [value for key, value in found.items() if re.fullmatch(rf"system\.layers\.\w+\.{name}", key)]
        assert len(layers) == 7 and sum(layers) == pytest.approx(found[f"system.{name}"], rel=1e-11)


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


#: what is typed -> what is offered; "file" stands for the files there are
TYPED = {
    "com": {"compare", "completion"},
    "run squeezenet1_": {"squeezenet1_0", "squeezenet1_1"},
    "run lenet5 sys": {"systolic"},
    "run --set array.rows=16 lenet5 sys": {"systolic"},
    "run --out x --json lenet5_": {"lenet5_twn"},
    "run --out ": {"file"},
    "run --tra": {"--trace"},
    "list ha": {"hardware"},
    "show network vgg1": {"vgg16", "vgg19"},
    "stats vgg1": {"vgg16", "vgg19"},
    "plot x --kind p": {"pareto", "parallel"},
    "experiment me": {"memory_energy"},
    "experiment al": {"all"},
    "dram t.csv --part ddr": {"ddr3_1600", "ddr4_2400"},
    "accelergy x --ar": {"--art"},
    "sweep ": {"file"},
    "sweep x --engine ": {"local", "dask"},
    "search x --sampler t": {"tpe"},
    "compare a b ": {"file"},
    "report ": {"file"},
    "completion b": {"bash"},
    "nothing x": set(),
}
#: shell -> what follows its script: prints what is offered for each line that it is given, a line each
SHELLS = {
    "bash": """
offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _accel_sim; echo "${COMPREPLY[@]}"; }
""",
    "zsh": """
compadd() { shift; offered+=(${(M)@:#${words[CURRENT]}*}) }
_files() { offered+=(file) }
offer() { words=("$@"); CURRENT=$#; offered=(); _accel_sim; echo "${offered[@]}" }
""",
    "fish": """
function offer; echo (complete -C (string join ' ' -- $argv) | string replace -r '\\t.*' ''); end
""",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    text = call("completion", shell).out
    if shell == "zsh":
        text = "compdef() {}\n" + text
    words = [" ".join(f"'{word}'" for word in ("accel-sim", *typed.split(" "))) for typed in TYPED]
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("")
    (tmp_path / "script").write_text(text + SHELLS[shell] + "".join(f"offer {line}\n" for line in words))
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain, tmp_path / "script"], capture_output=True, text=True, check=True, cwd=tmp_path / "here"
    )
    found = dict(zip(TYPED, (set(line.split()) for line in done.stdout.splitlines()), strict=True))
    if shell == "zsh":  # the shell itself keeps the files that begin with what is typed
        found = {typed: offered - ({"file"} if not typed.endswith(" ") else set()) for typed, offered in found.items()}
    if shell == "fish":  # it offers options and files where a command is not known
        found.pop("nothing x")
    assert (found, done.stderr) == ({typed: TYPED[typed] for typed in found}, "")


def test_a_wrong_shell_is_refused():
    done = call("completion", "tcsh")
    assert done.code == 2 and done.line.startswith("accel-sim completion: argument shell: invalid choice: 'tcsh'")


def test_a_notebook_shows_every_layer():
    result = simulate(load_network("lenet5"), load_hardware("eie"))
    text = result._repr_html_()
    assert Page(text).open == []
    assert all(f">{name}</td>" in text for name in result.layers.layer)
    assert f"{result.summary['cycles']:,} cycles" in text
    legend = re.findall(r"background:([^']+)'></span> ([a-z ]+)</span>", text)
    causes = result.cycles.groupby("cause").lane_slots.sum()
    assert {name for _, name in legend} == {cause.replace("_", " ") for cause in causes.index[causes > 0]}
    assert len({fill for fill, _ in legend}) == len(legend), "no two look alike"


def test_round_figures():
    assert ticks(8.7) == [0, 2, 4, 6, 8] and ticks(100) == [0, 20, 40, 60, 80, 100] and ticks(0) == [0.0]
    for top in (1, 1.1, 2, 3.59, 5, 9.99, 12, 0.04, 123456):
        assert 2 <= len(ticks(top)) <= 6 and ticks(top)[-1] <= top * (1 + 1e-9)
    assert [short(value) for value in (0, 12, 1234, 5.5e6, 7e9)] == ["0", "12", "1.23 k", "5.5 M", "7 G"]
