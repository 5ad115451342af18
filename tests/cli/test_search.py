"""`accel-sim search`: the front of a study, by looking at a part of it."""

import json
import signal
import sys
import time

import numpy as np
import pytest

from accel_sim.sweep import results
from accel_sim.sweep.search import Space, explore

from .calls import call, tree
from .test_sweep import FRAGILE, PLUGIN, plugged, started, study

SPACE = """network: lenet_300_100
hardware: systolic
axes:
  array.rows: {range: [4, 24, 2]}
  array.cols: {range: [4, 24, 2]}
  dataflow.stationary: [os, ws, is]
"""


@pytest.fixture(autouse=True)
def optuna():
    pytest.importorskip("optuna", reason="Optuna is not installed (pip install 'accel-sim[search]')")


def dominated_area(points: np.ndarray, corner: np.ndarray) -> float:
    """Hypervolume of two objectives between the points and a corner that is worse than all."""
    area, top = 0.0, corner[1]
    for x, y in sorted(map(tuple, points)):
        if y < top:
            area += (corner[0] - x) * (top - y)
            top = y
    return area


def test_the_area_by_hand():
    points = np.array([(1.0, 4.0), (2.0, 2.0), (3.0, 3.0), (4.0, 1.0), (2.0, 2.0)])
    assert dominated_area(points, np.array([5.0, 5.0])) == 4 + 3 * 2 + 1


def bowl(picks):
    """Two objectives with a front of their own; the corner of high x has no point, high y is not allowed."""
    return {
        (x, y): None if x > 17 else ([float(x * x + 10 * y), float((x - 12) ** 2 + 10 * y)], y < 15) for x, y in picks
    }


def found(seed: int, points: int = 60, sampler: str = "nsga2"):
    space = Space(("x", "y"), (20, 20), (True, True))
    *_, known = explore(space, bowl, points=points, objectives=2, seed=seed, sampler=sampler)
    return known


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_a_seed_gives_the_same_points_and_no_more_than_asked(sampler):
    first = found(3, 40, sampler)
    assert first == found(3, 40, sampler)
    assert first.keys() != found(4, 40, sampler).keys()
    assert sum(value is not None for value in first.values()) == 40


def test_it_goes_where_points_are_allowed_and_good():
    heights = [y for (_, y), value in found(0).items() if value is not None]
    assert np.mean(heights[30:]) < np.mean(heights[:30]) - 2
    assert sum(y >= 15 for y in heights[30:]) < sum(y >= 15 for y in heights[:30])


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_all_points_are_looked_at_if_so_many_are_asked_for(sampler):
    space = Space(("a", "b"), (5, 4), (False, True))
    *_, known = explore(
        space, lambda picks: {p: None if p == (1, 1) else ([float(sum(p))], True) for p in picks}, points=19,
        objectives=1, seed=0, sampler=sampler,
    )  # fmt: skip
    assert sum(value is not None for value in known.values()) == 19


def test_an_axis_of_names_is_no_scale():
    space = Space(("a", "b"), (3, 4), (False, True))
    assert space.number((2, 3)) == 11
    *_, known = explore(space, lambda picks: {p: ([1.0], True) for p in picks}, points=12, objectives=1, seed=0)
    assert known.keys() <= {(a, b) for a in range(3) for b in range(4)}


@pytest.mark.long
def test_it_finds_the_front_with_a_fifth_of_the_points(tmp_path):
    with started(study(tmp_path, SPACE), "--out", tmp_path / "all", "--workers", 2) as whole:
        assert whole.wait() == 0
    frame = results.read(tmp_path / "all")
    values = frame[["energy_pj", "time_s"]].to_numpy()
    assert len(values) == 363
    front = values[[not any((a <= b).all() and (a < b).any() for a in values) for b in values]]
    corner = front.min(axis=0) + 1.1 * np.ptp(front, axis=0)  # just behind the front: far away, any points would do
    space = Space(("rows", "cols", "stationary"), (11, 11, 3), (True, True, False))

    def share(seen: np.ndarray) -> float:
        """Of the hypervolume of all points."""
        return dominated_area(seen[(seen < corner).all(axis=1)], corner) / dominated_area(front, corner)

    found, by_chance = [], []
    for seed in range(10):
        *_, known = explore(
            space, lambda picks: {pick: (values[space.number(pick)].tolist(), True) for pick in picks},
            points=363 // 5, objectives=2, seed=seed,
        )  # fmt: skip
        seen = np.array([value[0] for value in known.values()])
        assert len(seen) <= 72
        found.append(share(seen))
        by_chance.append(share(values[np.random.default_rng(seed).choice(363, 72, replace=False)]))
    assert np.median(found) >= 0.95
    assert np.median(found) > np.median(by_chance)


@pytest.mark.slow
def test_a_search_that_was_killed_looks_at_the_same_points(tmp_path):
    path, told = study(tmp_path, SPACE), []
    for out in ("whole", "killed"):
        arguments = path, "--points", 60, "--seed", 3, "--out", tmp_path / out, "--json"
        if out == "killed":
            with started(*arguments, "--workers", 2, command="search") as search:
                while len(list((tmp_path / out / "points").glob("*.json"))) < 15 and search.poll() is None:
                    time.sleep(0.01)
                search.send_signal(signal.SIGKILL)
            (tmp_path / out / "search.journal.lock").touch()  # as it may lie there then
        with started(*arguments, "--workers", 1, command="search") as search:
            said, err = search.communicate()
        assert search.returncode == 0, err
        told.append(json.loads(said)["front"])
    files = [{name: data for name, data in tree(tmp_path / out).items() if name != "search.journal"}
             for out in ("whole", "killed")]  # fmt: skip
    assert files[0] == files[1]
    assert told[0] == told[1]


@pytest.mark.slow
def test_where_nothing_is_allowed_the_front_is_empty(tmp_path):
    text = SPACE + "search: {objectives: [energy_pj, cycles], constraints: [array.rows > 99]}\n"
    done = call("search", study(tmp_path, text), "--points", 4, "--workers", 1, "--out", tmp_path / "out")
    assert done.code == 0
    assert done.out.startswith("4 of 363 points, 0 on the front")
    assert "no point meets the constraints" in done.out


@pytest.mark.slow
def test_a_search_and_again_and_the_rest_of_the_study(tmp_path):
    text = SPACE + "search: {objectives: [energy_pj, cycles], constraints: [array.rows * array.cols <= 256]}\n"
    path, out = study(tmp_path, text), tmp_path / "out"
    done = call("search", path, "--out", out, "--points", 12, "--workers", 1, "--seed", 5, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["points"], told["space"], told["failed"]) == (12, 363, 0)
    assert all(row["array.rows"] * row["array.cols"] <= 256 for row in told["front"])
    assert len(results.read(out)) == 12
    before = {name: data for name, data in tree(out).items() if name != "search.journal"}  # it has times in it
    again = call("search", path, "--out", out, "--points", 12, "--workers", 2, "--seed", 5)
    assert again.out.startswith(f"12 of 363 points, {len(told['front'])} on the front:\n")
    assert again.err.splitlines()[-1].startswith(f"12/12 points, front of {len(told['front'])}, best energy_pj ")
    assert {name: data for name, data in tree(out).items() if name != "search.journal"} == before
    assert call("plot", out).code == 0


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("search: {objective: [energy_pj]}\n", (), "study.yaml: search: expected a mapping of objectives and"),
        ("search: {objectives: []}\n", (), "study.yaml: search.objectives: expected one to four columns"),
        ("search: {constraints: ['1 +']}\n", (), "study.yaml: search.constraints.0: '1 +' is no expression"),
        ("", ("--points", 0), "expected --points of at least 1"),
        ("", ("--seed", -1), "expected --points of at least 1 and --seed of 0"),
        ("name: two\n", (), "study.yaml: network: a search has one front, expected one network, not 2"),
    ],
)
def test_refusals(text, options, reason, refused, tmp_path):
    networks = "[lenet5, lenet_300_100]" if "two" in text else "lenet_300_100"
    study(tmp_path, SPACE.replace("lenet_300_100", networks) + text)
    assert refused("search", "study.yaml", "--points", 5, *options).startswith(reason)


@pytest.mark.slow
def test_a_figure_that_is_not_there(tmp_path):
    path = study(tmp_path, SPACE + "search: {objectives: [energy_pj, speed]}\n")
    done = call("search", path, "--out", tmp_path / "out", "--points", 1, "--workers", 1)
    assert (done.code, done.line) == (2, "accel-sim search: search: no figure or setting is called 'speed'")


@pytest.mark.slow
def test_failed_points_are_told_and_tried_again_if_asked(tmp_path, monkeypatch):
    plugged(tmp_path, monkeypatch, PLUGIN.replace("== 3", "== 3 and os.path.exists('broken')"))
    (tmp_path / "broken").touch()
    text = FRAGILE.replace("[1, 2, 3, 4, 5]", "[3, 4]") + "search: {objectives: [energy_pj, cycles]}\n"
    for options, code, said in (
        ((), 4, "layer 'fc1': not today\naccel-sim search: 1 of 2 points failed\n"),
        (("--retry-failed",), 0, ""),
    ):
        arguments = study(tmp_path, text), "--points", 2, "--out", "out", "--workers", 1, "--json", *options
        with started(*arguments, command="search", cwd=tmp_path) as search:
            out, err = search.communicate()
        assert (search.returncode, json.loads(out)["failed"]) == (code, code // 4), err
        assert err.endswith(said)
        (tmp_path / "broken").unlink(missing_ok=True)
    assert len(results.read(tmp_path / "out")) == 2


def test_no_optuna(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = call("search", study(tmp_path, SPACE), "--out", tmp_path / "out", "--points", 1)
    assert done.line.startswith("accel-sim search: accel-sim search needs the package optuna")
