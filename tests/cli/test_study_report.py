"""`accel-sim report` of a study: what the page holds, how large it gets, what is refused."""

import json
import re
import shlex
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest

from accel_sim.sweep import chart_data, results, study_files
from accel_sim.sweep.study_svg import prefix_of, said

from .calls import call, tree
from .test_run_extras import Page

STUDY = """name: small <b>
network: [lenet_300_100, {name: lenet_300_100, label: twice, batch: 2}]
hardware: {name: systolic, label: array, set: {clock_mhz: 500}}
axes:
  array.rows: [4, 8]
  dataflow.stationary: [os, ws]
derived:
  array.cols: 32 // array.rows
  lanes: array.rows * array.cols
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The directory of a study with one failed point beside its eight."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "small.yaml").write_text(STUDY)
    assert call("sweep", folder / "small.yaml", "--out", folder / "s", "--workers", 1, "--quiet").code == 0
    tree = json.loads(next((folder / "s" / "points").iterdir()).read_text())
    tree["hardware"]["array"]["rows"] = 3
    failed = {"point": "f" * 64, "run": tree["run"], "hardware": tree["hardware"], "reason": "too <small>"}
    (folder / "s" / "failed" / f"{'f' * 64}.json").write_text(json.dumps(failed))
    return folder / "s"


@pytest.fixture
def copy(swept, tmp_path):
    return shutil.copytree(swept, tmp_path / "s")


def data(text: str) -> dict:
    """What the page's script works on."""
    return json.loads(re.search(r'<script type="application/json" id=data>(.*?)</script>', text)[1])


def column(page: dict, name: str) -> list:
    found = next(each for each in page["columns"] if each["name"] == name)
    return found.get("values") or [found["all"]] * page["count"]


def test_a_study_s_report_is_one_whole_page_the_same_each_time(copy):
    before = tree(copy)
    done = call("report", copy, "--json")
    whole = (copy / "report.html").read_bytes()
    assert json.loads(done.out) == {"report": str(copy / "report.html"), "bytes": len(whole)}
    assert call("report", copy).code == 0 and (copy / "report.html").read_bytes() == whole
    assert tree(copy) == before | {"report.html": whole}
    text = whole.decode()
    page = Page(text)
    assert page.open == [] and "<b>" not in text and "name: small &lt;b&gt;" in text
    links = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("href", "src")]
    assert all(link.startswith(("#", "data:")) for link in links)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) and {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert "array.rows=3, dataflow.stationary=" in text and "too &lt;small&gt;" in text


def test_its_points_are_those_of_the_results(copy):
    call("report", copy)
    page, frame = data((copy / "report.html").read_text()), results.read(copy)
    for name in ("point", "network", "array.rows", "lanes", "cycles", "dram_read_bytes"):
        assert column(page, name) == frame[name].tolist()
    assert column(page, "energy_pj") == pytest.approx(frame.energy_pj.tolist(), rel=1e-6)
    front = chart_data.front(frame, ["energy_pj", "time_s"])
    assert page["front"] == front.index[front.front].tolist() and page["knee"] == front.index[front.knee].tolist()
    assert len(page["knee"]) == 2  # one a network


def test_the_command_of_a_point_gives_its_figures(copy, plain, tmp_path):
    """As the page's script puts it together; see study.js."""
    call("report", copy)
    page = data((copy / "report.html").read_text())
    assert list(page["rerun"]["set"]) == ["array.rows", "dataflow.stationary", "array.cols"]
    row, rerun = page["count"] - 1, page["rerun"]
    network, machine = (rerun[kind][column(page, kind)[row]] for kind in ("network", "hardware"))
    sets = " ".join(before + str(column(page, name)[row]) for name, before in rerun["set"].items())
    line = f"{network[0]} {machine[0]} {network[1]} {machine[1]} {sets}"
    assert call("run", *shlex.split(line), "--out", tmp_path / "again").code == 0
    again = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert again["cycles"] == column(page, "cycles")[row]
    assert again["time_s"] == pytest.approx(column(page, "time_s")[row])
    assert again["energy_pj"] == pytest.approx(column(page, "energy_pj")[row], rel=1e-6)


def test_a_sweep_goes_on_beside_a_report_and_takes_the_old_one_away(copy):
    call("report", copy)
    before = tree(copy)
    assert call("sweep", copy / "study.yaml", "--out", copy, "--workers", 1, "--quiet").code == 0
    assert tree(copy) == {name: bytes_ for name, bytes_ in before.items() if name != "report.html"}


@pytest.mark.slow
@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_page_of_many_points_is_below_two_megabytes(copy, count):
    frame = results.read(copy)
    names = frame.attrs["settings"]
    rows = [{name: None if pd.isna(v) else v for name, v in row.items()} for row in frame.to_dict("records")]
    figures, points = {}, []
    for at in range(count):
        row, key = rows[at % len(rows)], f"{at * 0x9E3779B97F4A7C15 % 2**64:064x}"
        scale = 1 + at * 0.6180339887 % 1
        figures[key] = {
            name: v * scale if isinstance(v, float) else int(v * scale) if isinstance(v, int) else v
            for name, v in row.items() if name not in names and name != "point"
        }  # fmt: skip
        points.append(SimpleNamespace(task=SimpleNamespace(key=key), values={name: row[name] for name in names}))
    store = SimpleNamespace(folder=copy, points=figures, figures=figures.__getitem__)
    results.collect(points, store, names)
    done = call("report", copy, "--json")
    assert 300_000 < json.loads(done.out)["bytes"] < 2_000_000
    text = (copy / "report.html").read_text()
    page, table = data(text), results.read(copy)
    front = chart_data.front(table, chart_data.objectives(table, []))
    assert (page["count"] == count) == ("points: the fronts" not in text) == (count == 2_000)
    assert {column(page, "point")[row] for row in page["front"]} == set(front.point[front.front])
    assert text.count(" data-p=") - text.count("<button type=button class=open") == page["count"]


def test_what_is_no_study_with_results_is_refused(refused, copy, tmp_path):
    (tmp_path / "empty").mkdir()
    assert refused("report", "empty").startswith("empty: is no run directory (")
    (tmp_path / "early").mkdir()
    shutil.copy(copy / "study.yaml", tmp_path / "early")
    assert refused("report", "early") == (
        "early: the study has no results yet (accel-sim sweep collects them at its end)"
    )
    path = next(copy / name for name in results.FILES if (copy / name).exists())
    frame = results.read(copy)
    path.write_bytes(path.read_bytes()[:1000])
    assert refused("report", "s").startswith(f"s/{path.name}: cannot be read: ")
    path.unlink()
    for text, broken in {
        "s: has no finished point to report (1 failed, see failed/)": frame[:0],
        "s/results.csv: is no table of a study's points (it has no column 'cycles')": frame.drop(columns="cycles"),
        "s/results.csv: is no table of a study's points (column 'time_s' has fields without a number)": frame.assign(
            time_s="soon"
        ),
        "s/results.csv: is no table of a study's points (it has no column 'array.rows')": frame.drop(
            columns="array.rows"
        ),
    }.items():
        broken.to_csv(copy / "results.csv", index=False)
        assert refused("report", "s") == text


def test_a_study_without_a_front_says_so(copy):
    frame = results.read(copy)
    (copy / "results.parquet").unlink(missing_ok=True)
    frame[:1].to_csv(copy / "results.csv", index=False)
    assert call("report", copy).code == 0
    text = (copy / "report.html").read_text()
    assert "There is no front" in text and "Which setting matters" not in text
    assert data(text)["front"] == []


def test_a_search_is_reported_by_its_own_goal(copy):
    (copy / "study.yaml").write_text(
        STUDY + "search: {objectives: [cycles, utilization, dram_read_bytes], constraints: [array.rows <= 4]}\n"
    )
    (copy / "search.journal").touch()
    found = study_files.read(copy)
    assert found.searched and found.objectives == ["cycles", "utilization", "dram_read_bytes"]
    assert found.frame.front.any() and set(found.frame[found.frame.front]["array.rows"]) == {4}
    assert call("report", copy).code == 0
    page = data((copy / "report.html").read_text())
    assert [column(page, "array.rows")[row] for row in page["barred"]] == [8] * 4
    assert "less cycles, more utilization, less dram read bytes" in (copy / "report.html").read_text()


def test_figures_with_prefixes():
    assert said(85_113_000.0, "energy_pj") == "85.11 µJ" and said(2.5e-3, "time_s") == "2.5 ms"
    assert said(12_500_000.0, "area_um2") == "12.5 mm²" and said(0.0, "time_s") == "0 ps"
    assert prefix_of("cycles", 1e9) == ("", 1.0)
