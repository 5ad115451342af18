"""From a study's YAML to its points."""

import re
from pathlib import Path

import pytest

from accel_sim.host import yaml_io
from accel_sim.sweep import study
from accel_sim.sweep.plan import distinct, space
from accel_sim.sweep.study import StudyError
from workloads.precision import Precision

ROOT = Path(__file__).parents[4]
HEAD = "network: lenet_300_100\nhardware: systolic\n"


def test_the_studies_of_the_documentation():
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "studies.md").read_text(encoding="utf-8"), re.DOTALL)
    assert [len(points(block)) for block in blocks] == [2 * 4 * 3, 2 * 2 + 2, 11 * 11]


def test_the_worked_studies_are_whole_and_shown():
    text = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    files = {path.stem: path for path in (ROOT / "experiments" / "studies").glob("*.yaml")}
    assert {name: len(distinct(space(study.read(path)))) for name, path in files.items()} == {
        "array_shape": 7 * 3, "precision_mac": 5 * 3 * 3, "buffer_encoding": 6 * 2,
    }  # fmt: skip
    for name in files:
        assert f"experiments/studies/{name}.yaml" in text
        assert (ROOT / "docs" / "figures" / f"{name}.png").is_file()


def points(text):
    return distinct(space(study.of(yaml_io.parse(text, "test"), "test")))


def values(text, *columns):
    return [tuple(point.values[column] for column in columns) for point in points(text)]


def mistakes(text):
    with pytest.raises(StudyError) as error:
        points(text)
    return error.value.lines


def test_axes_are_crossed_the_first_outermost():
    text = HEAD + "axes: {array.rows: [4, 8], dataflow.stationary: [os, ws]}"
    assert values(text, "array.rows", "dataflow.stationary") == [(4, "os"), (4, "ws"), (8, "os"), (8, "ws")]


def test_zipped_axes_move_together():
    text = HEAD + "axes: {array.rows: [4, 8], clock_mhz: [100, 200], array.cols: [1, 2]}\nzip: [array.rows, array.cols]"
    assert values(text, "array.rows", "array.cols", "clock_mhz") == [
        (4, 1, 100),
        (4, 1, 200),
        (8, 2, 100),
        (8, 2, 200),
    ]


def test_conditions_and_derived_values():
    text = HEAD + (
        "axes: {array.rows: [4, 8, 16]}\nderived: {array.cols: 64 // array.rows, lanes: array.rows * array.cols, "
        "post.lanes: array.cols}\nwhere: [array.cols >= 8, lanes == 64]"
    )
    assert values(text, "array.rows", "array.cols", "lanes") == [(4, 16, 64), (8, 8, 64)]
    assert '"cols": 16' in points(text)[0].task.hardware
    assert '"post": {"lanes": 16' in points(text)[0].task.hardware


def test_an_axis_that_does_not_apply_is_left_alone_and_counted_once():
    text = (
        "network: lenet_300_100\nhardware: [systolic, eie]\naxes: {dataflow.stationary: [os, ws]}\n"
        "when: {dataflow.stationary: hardware == 'systolic'}"
    )
    assert values(text, "hardware", "dataflow.stationary") == [("systolic", "os"), ("systolic", "ws"), ("eie", None)]


def test_conditions_see_fields_of_the_machine_that_are_no_axes():
    text = (
        HEAD
        + "axes: {array.rows: [16, 32, 64]}\nwhere: array.rows <= array.cols and memories.dram.latency_ns == 50"
    )
    assert values(text, "array.rows") == [(16,), (32,)]


def test_networks_and_machines_with_data_and_settings_of_their_own(monkeypatch):
    monkeypatch.setattr(Precision, "apply", lambda self, network: network)
    text = (
        "network: [lenet5, {name: lenet5, label: two, batch: 2, layers: 'conv*'}]\n"
        "hardware: {name: systolic, label: small, set: {array.rows: 4}}\naxes: {seed: [0, 1], precision.weights: [4]}"
    )
    assert values(text, "network", "hardware", "seed") == [
        ("lenet5", "small", 0),
        ("lenet5", "small", 1),
        ("two", "small", 0),
        ("two", "small", 1),
    ]
    last = points(text)[-1].task
    assert (last.layers, last.data.seed) == ("conv*", 1)
    assert last.config["run"]["batch"] == 2
    assert last.config["run"]["precision"] == {"weights": 4}
    assert last.config["hardware"]["array"]["rows"] == 4


def test_networks_can_be_an_axis_that_is_zipped():
    text = "hardware: systolic\naxes: {network: [lenet5, lenet_300_100], batch: [1, 2]}\nzip: [[network, batch]]"
    assert values(text, "network", "batch") == [("lenet5", 1), ("lenet_300_100", 2)]


@pytest.mark.parametrize("other", ["array.rows: [5]", "array.rows: [4], seed: [1]", "array.rows: [4], layers: ['fc*']"])
def test_a_point_is_named_by_all_that_determines_it(other):
    one = points(HEAD + "axes: {array.rows: [4]}")[0].task.key
    assert points("axes: {array.rows: [4]}\nderived: {x: 1 + 1}\n" + HEAD)[0].task.key == one
    assert points(HEAD + f"axes: {{{other}}}")[0].task.key != one


def test_equal_points_share_a_task():
    found = points(HEAD + "axes: {array.rows: [4]}") + points(
        "network: lenet_300_100\nhardware: {name: systolic, label: other, set: {array.rows: 4}}"
    )
    assert len({point.task.key for point in found}) == 1


def test_all_mistakes_of_the_file_at_once():
    lines = mistakes(
        "netwrk: lenet5\nhardware: []\naxes: {array.rows: {range: [1]}, aray.cols: [1], dims: [1], seed.x: [1]}\n"
        "zip: [[array.cols, batch]]\nwhen: {mac.name: '1 +'}\nwhere: [open('x')]\nderived: {aray.lanes: 3}"
    )
    for part in (
        "unknown key 'netwrk'; did you mean 'network'?",
        "hardware: has no values",
        "network: is missing",
        "axes.array.rows: expected range: [low, high, step], not [1]",
        "axes.aray.cols: unknown field 'aray'",
        "axes.dims: expected a name behind it",
        "axes.seed.x: 'seed' has no fields",
        "zip[0]: unknown axis 'array.cols'",
        "when.mac.name: '1 +' is no expression",
        "where.0: 'open('x')': only names",
        "derived.aray.lanes: unknown field",
    ):
        assert sum(line.startswith(part) for line in lines) == 1, (part, lines)


def test_all_mistakes_of_the_points_at_once():
    lines = mistakes(
        "network: [lenet5, lenet55, {name: lenet5, label: b, batch: 0}]\nhardware: [systolic, sytolic]\n"
        "axes: {array.rows: [4, 0, -1], mac.acumulator_bits: [32], layers: ['*', nothing]}"
    )
    for part in (
        "unknown network 'lenet55'; did you mean 'lenet5'?",
        "batch=0 must be at least 1",
        "unknown hardware 'sytolic'",
        "hardware preset 'systolic': array: rows=0 must be at least 1",
        "network 'lenet5': unknown layer 'nothing'",
        "hardware preset 'systolic': mac.acumulator_bits: unknown key",
        "hardware preset 'systolic': array: rows=-1",
    ):
        assert sum(line.startswith(part) for line in lines) == 1, (part, lines)
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "where: array.rows > 100", "where: holds at no point"),
        (
            HEAD + "where: array.rowz > 100",
            "'array.rowz > 100': no axis, derived value or field of 'systolic' is called",
        ),
        (HEAD + "axes: {seed: [-1]}", "seed=-1 must not be negative"),
        (HEAD + "axes: {seed: [a]}", "seed: expected a whole number, not 'a'"),
        (HEAD + "axes: {weights: [1]}", "weights: expected text, not 1"),
        (HEAD + "axes: {precision.weigths: [4]}", "precision: unknown key 'weigths'; did you mean 'weights'?"),
        (HEAD + "axes: {network: [lenet5]}", "axes.network: is given above already"),
        ("hardware: systolic\nnetwork: [lenet5, lenet5]", "network[1].label: expected a text of its own"),
        (HEAD + "derived: {array.rows: 1 / 0}", "'1 / 0': division by zero"),
        (HEAD + "axes: {array.rows: {range: [1, 2000, 1]}, array.cols: {range: [1, 2000, 1]}}", "axes: 4000000 comb"),
    ],
)
def test_refusals(text, line):
    assert mistakes(text)[0].startswith(line)


@pytest.mark.parametrize(
    ("layers", "line"),
    [
        ("5", "precision.layers: expected a mapping of layer names to weights and activations"),
        ("{fc1: 5}", "precision.layers.fc1: expected weights and activations, not 5"),
    ],
)
def test_layers_of_a_networks_precision_that_an_axis_cannot_be_put_into(layers, line):
    text = f"network: {{name: lenet_300_100, precision: {{layers: {layers}}}}}\nhardware: systolic\n"
    assert mistakes(text + "axes: {precision.layers.fc1.weights: [4]}")[0].startswith(line)


def test_no_layers_of_a_networks_precision_are_as_if_nothing_was_said():
    text = "network: {name: lenet_300_100, precision: {layers: null}}\nhardware: systolic\n"
    (point,) = points(text + "axes: {precision.layers.fc1.weights: [4]}")
    assert point.task.config["run"]["precision"] == {"layers": {"fc1": {"weights": 4}}}
