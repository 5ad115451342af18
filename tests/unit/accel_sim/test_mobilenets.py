"""Whole real MobileNets on every preset, each output computed from the issued products and compared."""

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from tests.presets import EVERY_PRESET
from workloads import load_network
from workloads.statistics import work_counts
from workloads.walk import walk


def network(shared, folder, name, photo):
    with np.load(shared / "data/images/photos_227_rgb_uint8.npz") as photos:
        a = photos[photo]
    if name == "vww_96_int8":
        b = a[17:209, 17:209].astype(np.int64)
        a = ((b[::2, ::2] + b[1::2, ::2] + b[::2, 1::2] + b[1::2, 1::2] + 2) >> 2).astype(np.uint8)
    else:
        a = a[1:225, 1:225]
    np.save(folder / f"{photo}.npy", a)
    return load_network(shared / f"data/mobilenet_int8/{name}.tflite", image=folder / f"{photo}.npy")


def checked(result, layers):
    assert result.summary["check"] == {"passed": True, "layers": layers, "overflows": 0}
    assert result.summary["data"] == "real"
    frame = result.layers.set_index("layer")
    depthwise, others = frame[frame.kind == "depthwise"], frame[frame.kind == "conv"]
    assert len(depthwise) == 13
    for name, row in depthwise.iterrows():
        assert "depthwise: " in row.notes, f"{name} says nothing of its {100 * row.utilization:.2f} %"
    assert not others.notes.str.contains("depthwise").any()
    return int(frame.macs_effectual.sum())


@pytest.mark.slow
@EVERY_PRESET
def test_the_sparse_network_on_every_preset(hardware, shared, tmp_path):
    data = network(shared, tmp_path, "vww_96_int8", "grace_hopper")
    result = simulate(data, load_hardware(hardware), check=True)
    work = [
        work_counts(layer, operands.inputs, operands.weights) for layer, operands in walk(data, 0) if layer.has_macs
    ]
    assert checked(result, 28) == sum(counts["mac_both_nz"] for counts in work)
    assert result.summary["top5"] == [[0, 1], [1, -8]]
    late = result.layers.set_index("layer").loc["26_conv"]
    assert late.weight_density < 0.011  # 1 % of its weights are left


@pytest.mark.long
@EVERY_PRESET
def test_the_large_network_on_every_preset(hardware, shared, tmp_path):
    data = network(shared, tmp_path, "mobilenet_v1_1.0_224_quant_embedding_extractor", "coffee")
    result = simulate(data, load_hardware(hardware), check=True)
    checked(result, 27)
    assert result.summary["macs_nominal"] == 567_716_352
