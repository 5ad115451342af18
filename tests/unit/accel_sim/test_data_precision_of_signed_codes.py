"""Widths found in the data of signed codes of which none is negative: they are unsigned there, and so are costs."""

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from tests.contracts import samples
from workloads import Codes, Network
from workloads.network import LayerWeights

#: vector presets whose costs depend on operands
PRESETS = ("laconic", "loom", "pragmatic", "stripes", "shapeshifter", "bit_tactical")


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_any_sign_of_the_data_runs_and_is_right(preset, negative):
    layer = samples.LAYERS["conv"]
    _, x, w = samples.given(layer)
    most = 8  # 0 to 7 take three bits unsigned, and four in two's complement
    x, w = (Codes((np.abs(codes.values.astype(int)) % most).astype(np.int8), codes.format) for codes in (x, w))
    if negative:
        w = Codes(np.where(np.arange(w.values.size).reshape(w.values.shape) % 2, -w.values, w.values), w.format)
    network = Network(
        "n", (layer,), layer.input_shape[1:], weights={layer.name: LayerWeights(w)}, activations={"input": x},
        model="given",
    )
    result = simulate(network, load_hardware(preset, {"dataflow.precision": "data"}), check=True)
    assert result.summary["check"]["passed"]
    assert np.array_equal(result.sums[layer.name], samples.convolution(layer, x, w).sums)
