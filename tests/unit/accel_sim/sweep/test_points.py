"""What a point's name depends on, how networks reach the workers, and what a terminal shows of a study."""

import io
import os
import pty
import select
import sys
from dataclasses import replace

import numpy as np
import pytest

from accel_sim.host import yaml_io
from accel_sim.sweep import plan as planner
from accel_sim.sweep import run, shared, study
from accel_sim.sweep.progress import Lines, progress
from tests.unit.workloads.onnx_models import convolutions
from workloads import InputError

TEXT = "network: {network}\nhardware: systolic\naxes: {{array.rows: [4, 8], batch: [1, 2]}}\n{more}"


def tasks(network: str = "lenet5", more: str = "") -> list:
    text = TEXT.format(network=network, more=more)
    return [point.task for point in planner.distinct(planner.space(study.of(yaml_io.parse(text, "t"), "t")))]


def test_a_points_name_says_all_that_it_depends_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng, shapes = np.random.default_rng(0), "name: n\ninput: [4, 1, 1]\nlayers: [{name: fc1, kind: fc, M: 3}]"
    np.savez("net.npz", network=shapes, **{"fc1.weight": rng.normal(size=(3, 4))})
    first = tasks("net.npz")
    assert len({task.key for task in first}) == 4
    assert [task.key for task in tasks("net.npz")] == [task.key for task in first]
    np.savez("net.npz", network=shapes, **{"fc1.weight": rng.normal(size=(3, 4))})  # other weights under the same name
    changed = tasks("net.npz")
    monkeypatch.setattr(planner, "source_digest", lambda: "another version")
    others = [changed, tasks("net.npz"), tasks("{name: net.npz, seed: 3}"), tasks("{name: net.npz, layers: fc*}")]
    names = [{task.key for task in each} for each in (first, *others)]
    assert sum(map(len, names)) == len(set().union(*names)) == 20


def test_a_network_is_encoded_once_and_mapped(tmp_path, monkeypatch):
    made = []
    load = shared.load
    monkeypatch.setattr(shared, "load", lambda data: made.append(data) or load(data))
    found = tasks()
    for _ in range(2):
        assert list(run._encoded(found, tmp_path)) == found
    assert len(made) == 2, "a batch of 1 and one of 2"
    _, walked = shared.opened(found[0].data, str(tmp_path))
    assert len(made) == 2
    arrays = [operands.weights.values for layer, operands in walked if layer.has_macs]
    large = [array for array in arrays if array.nbytes >= shared.LEAST_BYTES]
    assert large
    for array in large:
        whole = array if array.base is None else array.base
        assert isinstance(whole, np.memmap), "a view of a file, not a copy"
        assert not array.flags.writeable
    assert shared.opened(found[0].data, str(tmp_path))[1] is walked


def test_a_mapped_network_tells_the_codes_of_its_maps_unless_images_flow(tmp_path):
    found = tasks()[0]
    list(run._encoded([found], tmp_path))
    network, walked = shared.opened(found.data, str(tmp_path))
    operands = {layer.name: each for layer, each in walked}
    assert np.array_equal(walked.codes("pool1").values, operands["conv2"].inputs.values)
    assert walked.codes("prob").values.size == network["prob"].output_elements
    flowing = replace(walked, network=replace(network, images=np.zeros((1, 1, 28, 28), np.uint8)))
    with pytest.raises(InputError, match=r"^encodings.inputs: a study keeps no maps of images: encode them in a run"):
        flowing.codes("pool1")


def test_an_onnx_file_is_an_axis_as_a_name_is(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    convolutions().save("model.onnx", "y")
    assert len(tasks("[model.onnx, lenet5]")) == 8


def test_lines_without_a_terminal():
    stream = io.StringIO()
    count = Lines(3, stream)
    for good in (True, False, True):
        count(good)
    assert stream.getvalue().startswith("3/3 points, 1 failed, ")
    assert stream.getvalue().count("\n") == 1


def test_a_bar_on_a_terminal(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with progress(4, enabled=True) as count:
            for good in (True, True, False, True):
                count(good)
        terminal.flush()
        shown = ""
        while select.select([ours], [], [], 0.2)[0]:
            shown += os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "4/4" in shown
    assert "1 failed" in shown
    assert shown.rstrip().endswith(("\x1b[2K", "\x1b[1A\x1b[2K", "\x1b[?25h")), "the bar is wiped away at the end"
