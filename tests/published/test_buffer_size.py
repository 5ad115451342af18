"""DRAM traffic over on-chip capacity: the laws that hold whatever the search chooses, and two layers by hand."""

import pytest

from accel_sim.results.experiment import table
from experiments.buffer_size import fits_whole, rows, run
from experiments.traffic import compulsory, compulsory_bytes, moved
from workloads import Layer

pytestmark = pytest.mark.slow

#: AlexNet's conv1, by hand: 227 x 227 x 3 inputs, 96 x 3 x 11 x 11 weights, 96 x 55 x 55 outputs, a byte each
CONV1 = 227 * 227 * 3 + 96 * 3 * 11 * 11 + 96 * 55 * 55
#: conv4: 2 groups of 192 -> 192 channels, 3 x 3, on 13 x 13 maps
CONV4 = 384 * 13 * 13 + 384 * 192 * 9 + 384 * 13 * 13


def test_a_layer_that_fits_moves_every_byte_once():
    for name, bytes_by_hand in (("conv1", CONV1), ("conv4", CONV4)):
        whole = run("alexnet", 8192, name)
        assert fits_whole(whole)
        assert moved(whole) == compulsory(whole) == {name: bytes_by_hand}


def test_what_lies_between_strides_is_not_compulsory():
    """1 x 1 with stride 2 reads every other row and column; a padded 3 x 3 with stride 2 reads them all."""
    down = Layer(name="down", kind="conv", C=64, M=128, H=56, W=56, R=1, S=1, stride=(2, 2))
    assert compulsory_bytes(down, 128 * 64) == 64 * 28 * 28 + 128 * 64 + 128 * 28 * 28
    conv = Layer(name="conv", kind="conv", C=64, M=128, H=56, W=56, R=3, S=3, stride=(2, 2), padding=(1, 1, 1, 1))
    assert compulsory_bytes(conv, 9) == 64 * 56 * 56 + 9 + 128 * 28 * 28


def test_conv4_moves_more_when_neither_inputs_nor_weights_fit():
    """64 KiB of inputs (64,896 bytes) fit 128 KiB twice, not 32; its weights fit none of these."""
    traffic = {size: moved(run("alexnet", size, "conv4"))["conv4"] for size in (64, 256, 2048)}
    assert traffic[64] > traffic[256] >= traffic[2048] == CONV4
    assert not fits_whole(run("alexnet", 64, "conv4"))


@pytest.mark.parametrize("network", ["squeezenet1_0", "alexnet"])
def test_every_gated_row_is_within(network):
    frame = table(rows([network], (128, 512, 8192)))
    assert frame[frame.within.eq(False)]["item"].tolist() == []
    laws = frame[frame.derived_from.str.startswith("law")].set_index("item")
    assert laws.published.tolist() == laws.simulated.tolist()
    assert len(laws) == 3
    assert laws.loc[f"{network}: steps to twice the size at which traffic does not grow", "published"] == 2
