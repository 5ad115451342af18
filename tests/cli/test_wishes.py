"""A user's wish is played, or its change is told, or it is refused; a layer is found by its own name first."""

import csv

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
    "objective, layers, keep_maps, prefetch_layers)": ("--set", "mapping.layer.conv0.tiles.k=9"),
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
