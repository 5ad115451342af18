"""The tables behind a study's figures, by hand and against the plain definition."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.results.style import house_style
from accel_sim.sweep import chart_data, charts
from workloads.registry import InputError


def table(**columns) -> pd.DataFrame:
    """A study of rows x mac; energy = 10 rows, serial half of it."""
    points = list(itertools.product(("a", "b"), (2, 4, 8), ("plain", "serial")))
    frame = pd.DataFrame(points, columns=["network", "array.rows", "mac.name"])
    frame.insert(0, "point", [f"{i:03d}" for i in range(len(frame))])
    frame["lanes"] = 2 * frame["array.rows"]
    frame["energy_pj"] = 10.0 * frame["array.rows"] / (1 + (frame["mac.name"] == "serial"))
    frame["time_s"] = 1.0 / frame["array.rows"]
    frame = frame.assign(**columns)
    frame.attrs |= {"settings": ["network", "array.rows", "mac.name", "lanes"], "derived": ["lanes"]}
    return frame


def test_points_that_differ_in_x_alone_lie_on_one_line():
    found = chart_data.lines(table(), "array.rows", "energy_pj", "mac.name")
    assert found.columns.tolist() == ["array.rows", "energy_pj", "mac.name", "network", "point", "line"]
    assert found.groupby("line")["array.rows"].apply(list).tolist() == [[2, 4, 8]] * 4
    assert found[found.line == 1].energy_pj.tolist() == [10, 20, 40]
    assert found[found.line == 1]["mac.name"].unique().tolist() == ["serial"]


@pytest.mark.parametrize(("color", "panels"), [("mac.name", ["a", "b"]), ("network", [""])])
def test_networks_have_panels_of_their_own_unless_they_are_told_apart_by_colour(color, panels):
    with house_style() as plt:
        figure, _ = charts.KINDS["line"](plt, table(), charts.Wish("line", "array.rows", "energy_pj", color=color))
        titles = [axis.get_title(loc="left") or axis.get_title() for axis in figure.axes]
        lines = [len(line.get_xdata()) for axis in figure.axes for line in axis.get_lines()]
        plt.close(figure)
    assert [title.partition("energy")[0].strip(" :") for title in titles] == panels
    assert sorted(filter(None, lines)) == [3, 3, 3, 3]  # the legend has lines without points


def test_a_derived_value_does_not_cut_a_line():
    assert "lanes" not in chart_data.lines(table(), "array.rows", "time_s", None)
    assert chart_data.lines(table(), "lanes", "time_s", None).line.nunique() == 4


def grid(derived: dict) -> pd.DataFrame:
    """A study of three axes, rows x bits x mac, with values derived of them."""
    points = list(itertools.product((2, 4, 8), (16, 32), ("plain", "serial")))
    frame = pd.DataFrame(points, columns=["rows", "bits", "mac"])
    for name, of in derived.items():
        frame[name] = [of(rows, bits, mac) for rows, bits, mac in points]
    frame.insert(0, "point", [f"{i:03d}" for i in range(len(frame))])
    frame["cycles"] = 1000.0 * frame.bits / frame.rows
    frame.attrs |= {"settings": ["rows", "bits", "mac", *derived], "derived": list(derived)}
    return frame


@pytest.mark.parametrize("of", [
    lambda rows, bits, mac: rows, lambda rows, bits, mac: rows * bits, lambda rows, bits, mac: f"{rows} {mac}",
    lambda rows, bits, mac: (rows, bits, mac),
], ids=["x", "x and an axis", "x and the colour", "all"])  # fmt: skip
@pytest.mark.parametrize("color", [None, "mac"])
def test_a_derived_value_of_several_axes_does_not_cut_a_line(of, color):
    """Four lines of three points, whatever changes along them with x."""
    found = chart_data.lines(grid({"size": of}), "rows", "cycles", color)
    assert found.groupby("line").rows.apply(list).tolist() == [[2, 4, 8]] * 4
    assert found.groupby("line")[["bits", "mac"]].nunique().to_numpy().max() == 1


def test_x_derived_of_two_axes_has_a_line_for_each_value_of_the_first():
    found = chart_data.lines(grid({"size": lambda rows, bits, mac: rows * bits}), "size", "cycles", "mac")
    assert found.groupby("line")["size"].apply(list).tolist() == [
        [rows * 16, rows * 32] for rows in (2, 4, 8) for mac in ("plain", "serial")
    ]


@pytest.mark.parametrize(("pick", "first"), [("min", 10.0), ("mean", 15.0), ("max", 20.0)])
def test_a_cell_says_how_many_points_it_stands_for(pick, first):
    found = chart_data.heat(table(), "array.rows", "network", "energy_pj", pick)
    assert found.iloc[0].tolist() == [2, "a", first, 2]
    assert len(found) == 6


def test_the_front_of_each_network_and_its_knee():
    found = chart_data.front(table(), ["energy_pj", "time_s"])
    assert found[found.front]["mac.name"].unique().tolist() == ["serial"]
    assert found.groupby("network").front.sum().tolist() == [3, 3]
    assert found[found.knee]["array.rows"].tolist() == [4, 4]  # (1/3, 1/3) of the way; the others are at (0, 1), (1, 0)


def test_more_utilization_is_better():
    frame = table(utilization=[0.1 * i for i in range(12)])
    found = chart_data.front(frame, ["utilization", "energy_pj"])
    assert found[found.network == "a"].front.tolist() == [False, True, False, True, False, True]


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30))
def test_undominated_is_what_its_definition_says(points):
    values = np.array(points, float)
    plain = [not any((a <= b).all() and (a < b).any() for a in values) for b in values]
    assert chart_data.undominated(values).tolist() == plain


def test_unknown_figures_are_on_no_front():
    assert chart_data.undominated(np.array([[1, np.nan], [2, 2]])).tolist() == [False, True]


def test_tornado_changes_one_setting_at_a_time():
    found = chart_data.tornado(table(), "energy_pj", None)
    assert found.values.tolist() == [
        ["array.rows", 2, 8, 20.0, 80.0, 40.0, 4],
        ["mac.name", "serial", "plain", 20.0, 40.0, 40.0, "plain"],
    ]
    again = chart_data.tornado(table(), "energy_pj", "001")
    assert again.y_base.tolist() == [10.0, 10.0]


def test_a_value_derived_of_two_settings_is_none_that_a_tornado_could_change():
    frame = pd.DataFrame([(r, c, r * c, 10.0 * r + c) for r in (1, 2, 3) for c in (1, 2, 3)], columns=list("rcpy"))
    frame["point"] = [f"{number:03}" for number in range(len(frame))]
    frame.attrs |= {"settings": ["r", "c", "p"], "derived": ["p"]}
    assert chart_data.tornado(frame, "y", None).setting.tolist() == ["r", "c"]


def test_parallel_has_what_differs():
    frame = table()
    frame.attrs["settings"].append("hardware")
    frame["hardware"] = "eie"
    found = chart_data.parallel(frame, "time_s")
    assert found.columns.tolist() == ["point", "network", "array.rows", "mac.name", "lanes", "time_s"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda f: chart_data.lines(f, "array.row", "time_s", None), "unknown column 'array.row'; did you mean"),
        (lambda f: chart_data.lines(f, "array.rows", "mac.name", None), "column 'mac.name' holds no numbers"),
        (lambda f: chart_data.heat(f, "lanes", "lanes", "time_s", "min"), "expected three different columns"),
        (lambda f: chart_data.objectives(f.drop(columns="time_s"), []), "fewer than two of energy, time and area"),
        (lambda f: chart_data.tornado(f, "time_s", "x"), "--base x: no point's name begins so"),
        (lambda f: chart_data.tornado(f[:1], "time_s", None), "no setting differs between points"),
        (
            lambda f: chart_data.tornado(f.iloc[[0, 3, 7, 8]], "time_s", None),
            "no two points differ in one setting alone",
        ),
    ],
)
def test_refusals(make, reason):
    with pytest.raises(InputError) as error:
        make(table())
    assert reason in str(error.value)
