"""A user's wish is played, or its change is told, or it is refused; a layer is found by its own name first."""

import csv
import json

import numpy as np
import pytest

from .calls import call

SHAPES = """
name: n
input: [4, 8, 9]
layers:
  - {name: 'conv[0]', kind: conv, M: 8, R: 3, S: 3}
  - {name: 'conv[1]', kind: conv, M: 8}
  - {name: conv0, kind: conv, M: 8}
  - {name: features.3.pool, kind: pool, pool: max, R: 2, S: 2}
"""


@pytest.fixture
def bracketed(here):
    """A network whose layers are called as PyTorch calls them: a glob of the first's name matches the third."""
    np.savez("n.npz", network=SHAPES)
    return here


def rows(folder) -> dict[str, dict[str, str]]:
    with (folder / "layers.csv").open() as file:
        return {row["layer"]: row for row in csv.DictReader(file)}


def run(*options) -> None:
    """A run that goes well, and warns of nothing but guessed inputs."""
    done = call("run", "n.npz", "systolic", "--quiet", "--out", "o", *options)
    assert done.code == 0
    assert all("warning: the inputs of" in line for line in done.err.splitlines())


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("conv[0]", ["conv[0]"]), ("conv[[]?]", ["conv[0]", "conv[1]"]), ("conv?", ["conv0"]), ("conv[01]", ["conv0"]),
        ("features.3.pool", ["features.3.pool"]),
    ],
)  # fmt: skip
def test_layers_by_name_then_by_glob(glob, names, bracketed):
    run("--layers", glob)
    assert list(rows(bracketed / "o")) == names


def test_precision_of_a_layer_by_its_own_name(bracketed):
    run("--precision", "layers.conv[0].weights=int4")
    assert [row["weight_machine_bytes"] for row in rows(bracketed / "o").values()] == ["144", "64", "64", "0"]


def nests(folder) -> dict[str, str]:
    return {text.split(" ", 1)[0]: text for text in (folder / "mapping.txt").read_text().split("\n\n")}


@pytest.mark.parametrize(
    "setting", ['mapping.layers={"conv[0]": {tiles: {k: 9}}}', "mapping.layers.conv[0].tiles.k=9",
                'mapping.layers={"conv?": {tiles: {k: 4}}, "*[[]0]": {tiles: {k: 4}}, "conv[0]": {tiles: {k: 9}}}'],
)  # fmt: skip
def test_a_mapping_of_a_layer_by_its_own_name(setting, bracketed):
    """The name is over every glob, wherever it stands."""
    run("--set", setting)
    assert "for k in 4 x 9:" in nests(bracketed / "o")["conv[0]"]
    assert "for k in 4 x 9" not in nests(bracketed / "o")["conv0"]


def test_a_whole_mapping_set_step_by_step(bracketed):
    order = "[groups, filters, pixels, k]"
    run("--set", f"mapping.layers.conv[0].order={order}", "--set", "mapping.layers.conv[0].tiles={k: 9, pixels: 32}")
    found = nests(bracketed / "o")["conv[0]"]
    assert found.index("for pixels in 2 x 32") < found.index("for k in 4 x 9")


def test_a_rounded_tile_is_told_in_the_table_and_beside_the_nest(bracketed):
    run("--set", "mapping.layers.conv0.tiles.pixels=7")
    told = "mapping.layers.conv0.tiles.pixels=7 is played as 32"
    table = rows(bracketed / "o")
    assert [told in row["notes"] for row in table.values()] == [False, False, True, False]
    assert f"# {told}\n" in nests(bracketed / "o")["conv0"]
    assert "for pixels in 2 x 32" in nests(bracketed / "o")["conv0"]


def test_a_tile_beyond_the_layer_is_told_too(bracketed):
    run("--set", "mapping.layers.conv0.tiles.pixels=4000")
    assert "pixels=4000 is played as 42" in rows(bracketed / "o")["conv0"]["notes"]


def test_a_tile_that_is_played_says_nothing(bracketed):
    run("--set", "mapping.layers.conv0.tiles.pixels=32")
    assert "pixels" not in rows(bracketed / "o")["conv0"]["notes"]


WITH_MACS = "conv[0], conv[1], conv0"
REFUSED = {
    f"mapping.layers: unknown layer 'convo'; did you mean 'conv0'? (known: {WITH_MACS})": (
        "--set", "mapping.layers={convo: {tiles: {k: 9}}}"),
    f"mapping.layers: unknown layer 'fc*' (known: {WITH_MACS})": (
        "--set", "mapping.layers={conv0: {tiles: {k: 4}}, 'fc*': {tiles: {k: 9}}}"),
    f"mapping.layers: 'features.3.pool' has no MACs, expected a layer that has ({WITH_MACS})": (
        "--set", "mapping.layers.features.3.pool.tiles.pixels=9"),
    f"precision.layers: 'features.3.pool' has no MACs, expected a layer that has ({WITH_MACS})": (
        "--precision", "layers.features.3.pool.activations=int4"),
    f"precision.layers: unknown layer 'conv[2]'; did you mean 'conv[1]'? (known: {WITH_MACS})": (
        "--precision", "layers.conv[2].weights=int4"),
    f"network 'n': unknown layer 'conv[7]'; did you mean 'conv[1]'? (known: {WITH_MACS}, features.3.pool)": (
        "--layers", "conv[7]"),
    "preset 'systolic': --set mapping.layer.conv0.tiles.k: unknown key 'layer'; did you mean 'layers'? (known: "
    "objective, layers, keep_maps, prefetch_layers, map_layout)": ("--set", "mapping.layer.conv0.tiles.k=9"),
    "preset 'systolic': mapping: layers.conv0.tiles: unknown dimension 'x' (known: groups, pixels, filters, k, taps)": (
        "--set", "mapping.layers.conv0.tiles.x=9"),
    "preset 'systolic': mapping.layers.conv0: Input should be a valid dictionary, not 9": (
        "--set", "mapping.layers.conv0=9"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_a_wish_that_means_nothing_is_refused(text, refused):
    np.savez("n.npz", network=SHAPES)
    assert refused("run", "n.npz", "systolic", "--out", "o", *REFUSED[text]) == text


def test_a_study_refuses_a_mapping_of_no_layer_before_it_runs(refused, tmp_path):
    (tmp_path / "s.yaml").write_text(
        "network: lenet5\nhardware: systolic\naxes: {mapping.layers.conv9.tiles.k: [9, 18], array.rows: [4]}\n"
    )
    assert refused("sweep", "s.yaml", "--out", "o").startswith(
        "s.yaml: mapping.layers: unknown layer 'conv9'; did you mean 'conv2'? (known: conv1, conv2, fc1, fc2) (at "
    )


@pytest.mark.slow
def test_an_axis_does_not_change_the_value_of_another(here):
    """A mapping given as one axis, and a field of it as another: every point has its own."""
    (here / "s.yaml").write_text(
        "network: lenet5\nhardware: systolic\n"
        "axes: {mapping.layers: [{conv1: {tiles: {k: 25}}}], mapping.layers.conv1.tiles.filters: [4, 20], "
        "array.rows: [32]}\n"
    )
    done = call("sweep", "s.yaml", "--out", "o", "--workers", "1", "--quiet")
    assert (done.code, done.err) == (0, "")


@pytest.mark.slow
def test_a_recording_of_more_than_the_network_reads_is_told(bracketed):
    """Names of other modules, and tensors of the network that nobody reads."""
    maps = {"input": (4, 8, 9), "conv[0]": (8, 6, 7), "features.3.pool": (8, 5, 6), "input.scale": ()}
    extra = {f"relu{i}": np.zeros(3) for i in range(5)} | {"relu0.scale": 0.5}
    arrays = {name: np.ones(shape, np.uint8 if shape else float) for name, shape in maps.items()}
    np.savez("some.npz", **arrays)
    np.savez("more.npz", **arrays, **extra)
    said = {}
    for file in ("some", "more"):
        done = call("run", "n.npz", "systolic", "--quiet", "--out", file, "--activations", f"{file}.npz")
        assert done.code == 0
        said[file] = [line for line in done.err.splitlines() if "no layer reads" in line]
    begin = "accel-sim run: warning: --activations"
    assert said == {
        "some": [f"{begin} some.npz: no layer reads 1 of its 4 arrays, which change nothing ('features.3.pool')"],
        "more": [
            f"{begin} more.npz: no layer reads 7 of its 10 arrays, which change nothing ('features.3.pool', 'relu0', "
            "'relu1', 'relu2', 'relu3', ...)"
        ],
    }
    assert rows(bracketed / "some") == rows(bracketed / "more")


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"conv": (8, 6, 7)}, "unknown tensor 'conv'; did you mean 'conv0'?"),
        ({"features.3.pool": (8, 5, 6)}, "no layer reads 'features.3.pool'"),
        ({"input": (4, 8, 9), "features.3.pool": (8, 5)}, "'features.3.pool' has shape [8, 5], expected 240 values"),
    ],
)
def test_a_recording_of_nothing_that_is_read(arrays, text, bracketed, refused):
    np.savez("n.npz", network=SHAPES)
    np.savez("a.npz", **{name: np.ones(shape, np.uint8) for name, shape in arrays.items()})
    assert refused("run", "n.npz", "systolic", "--activations", "a.npz").startswith(f"--activations a.npz: {text}")


PRODUCT = """
name: n
input: [4, 3, 3]
layers:
  - {name: scores, kind: matmul, C: 4, M: 9, dynamic: true, inputs: [input, input]}
"""
MIXED = PRODUCT + "  - {name: fc, kind: conv, M: 4}\n"


@pytest.mark.parametrize(
    ("text", "wish", "said"),
    [
        (MIXED, "layers.scores.weights=4", "precision.layers.scores.weights: 'scores' has no weights, it multiplies"),
        (MIXED, "layers.s*.weights=4", "precision.layers.s*.weights: 'scores' has no weights, it multiplies"),
        (PRODUCT, "weights=4", "precision: network 'n' has no layer with weights"),
        (PRODUCT.partition("layers")[0] + "layers: [{name: p, kind: pool, pool: max, R: 2, S: 2}]", "activations=4",
         "precision: network 'n' has no layer with MACs"),
    ],
)  # fmt: skip
def test_a_width_of_weights_that_are_not_there(text, wish, said, here, refused):
    np.savez("n.npz", network=text)
    assert refused("run", "n.npz", "systolic", "--precision", wish).startswith(said)


@pytest.mark.slow
def test_a_glob_means_those_that_have_weights(here):
    np.savez("n.npz", network=MIXED)
    done = call("run", "n.npz", "systolic", "--quiet", "--out", "o", "--precision", "layers.*.weights=4")
    assert done.code == 0
    assert rows(here / "o")["fc"]["weight_machine_bytes"] == "20"  # of 36; each row in whole bytes


@pytest.mark.slow
def test_tables_of_an_ert_that_match_nothing_are_told(here):
    assert call("run", "lenet_300_100", "systolic", "--quiet", "--out", "r").code == 0
    assert call("accelergy", "r", "--quiet", "--out", "a").code == 0
    own = (here / "a/ERT.yaml").read_text()
    more = "".join(
        f"  - name: system.{name}\n    actions: [{{name: read, energy: 1.0}}]\n" for name in ("queue", "srma", "pe.x")
    )
    notes = {}
    for name, text in {"own": own, "more": own.rstrip("\n") + "\n" + more}.items():
        (here / f"{name}.yaml").write_text(text)
        call("run", "lenet_300_100", "systolic", "--quiet", "--out", name, "--set", f"energy.table={name}.yaml")
        notes[name] = json.loads((here / name / "summary.json").read_text())["notes"]
    count = own.count("- name: system") + 3
    told = f"2 of its {count} tables name no part of this machine ('system.srma', 'system.pe.x')"
    assert notes == {"own": [], "more": [f"energy.table=more.yaml: {told}"]}
