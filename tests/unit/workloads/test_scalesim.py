"""SCALE-Sim topology files and configurations, both ways, and what is refused."""

import pytest

from accel_sim import load_hardware, simulate
from workloads import InputError, load_network
from workloads.importers.scalesim import HEADER, read_topology, write_topology
from workloads.layer import Layer
from workloads.network import Network


def read(tmp_path, *rows, header=HEADER):
    path = tmp_path / "net.csv"
    path.write_text("\n".join((header, *rows)), encoding="utf-8")
    return read_topology(path)


def test_rows_with_trailing_commas_depthwise_and_sparsity(tmp_path):
    network = read(
        tmp_path,
        "Conv1, 224, 224, 11, 11, 3, 96, 4,",
        "DP2, 57, 57, 3, 3, 32, 1, 2,",
        "",
        "Conv3,14,14,1,1,64,64,1,2:4,",
    )
    conv, depthwise, sparse = network.layers
    assert (conv.E, conv.F, conv.macs) == (55, 55, 105_415_200)  # rounded up: ceil(213 / 4) + 1
    assert (depthwise.kind, depthwise.G, depthwise.M, depthwise.E) == ("depthwise", 32, 32, 28)
    assert network.densities[sparse.name].weights == 0.5
    assert depthwise.inputs == ("Conv1",)


def test_gemm_form_is_rows_of_pixels(tmp_path):
    (layer,) = read(tmp_path, "g, 128, 64, 32,", header="Layer, M, N, K,").layers
    assert (layer.E * layer.F, layer.M, layer.K, layer.macs) == (128, 64, 32, 128 * 64 * 32)


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v1", "squeezenet1_0", "lenet5", "googlenet"])
def test_our_networks_come_back_with_their_macs_and_cycles(name, tmp_path):
    network = load_network(name)
    path = tmp_path / "net.csv"
    path.write_text(write_topology(network), encoding="utf-8")
    again = load_network(path)
    assert again.macs == network.macs
    assert sum(layer.weights for layer in again.layers) == sum(layer.weights for layer in network.mac_layers)
    if name == "lenet5":
        machine = load_hardware("systolic")
        frame = simulate(network, machine).layers
        ours = frame.array_cycles[frame.macs_nominal > 0].tolist()
        assert simulate(again, machine).layers.array_cycles.tolist() == ours


def test_what_a_topology_cannot_hold_is_named():
    layer = Layer(name="odd", kind="conv", C=1, M=1, H=9, W=9, R=3, S=3, dilation=(2, 2))
    with pytest.raises(InputError, match=r"a topology holds no dilation and no unequal strides: odd$"):
        write_topology(Network("n", (layer,), (1, 9, 9)))


REFUSED = {
    "net.csv: has no layers (expected a header and rows of name, ifmap height, ": [],
    "net.csv line 2: 4 sizes after the name; expected 7 (or M, N, K)": ["a, 1, 2, 3, 4,"],
    "net.csv line 3: stride: expected an integer from 1 to 16777216, not '0'": ["a,5,5,1,1,1,1,1,", "b,5,5,1,1,1,1,0,"],
    "net.csv line 2: ifmap height: expected an integer from 1 to 16777216, not '-5'": ["a,-5,5,1,1,1,1,1,"],
    "net.csv line 2: sparsity '4:2': expected N:M with 1 <= N <= M": ["a,5,5,1,1,1,1,1,4:2"],
    "net.csv line 2: layer 'a': filter 9x9 does not fit": ["a,5,5,9,9,1,1,1,"],
    "net.csv line 3: layer name 'a' is used twice": ["a,5,5,1,1,1,1,1,", "a,5,5,1,1,1,1,1,"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_refuses(message, tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, *REFUSED[message])
    assert message in str(caught.value)


CFG = """[general]
run_name = "mine"
[architecture_presets]
ArrayHeight: 16
ArrayWidth: 8
IfmapSramSzkB: 64
FilterSramSzkB: 32
OfmapSramSzkB: 128
Dataflow: ws
Bandwidth: 10,10
[run_presets]
InterfaceBandwidth: USER
"""


def machine(tmp_path, text):
    path = tmp_path / "m.cfg"
    path.write_text(text, encoding="utf-8")
    return load_hardware(path)


def test_a_configuration_is_a_systolic_machine(tmp_path):
    found = machine(tmp_path, CFG)
    assert (found.name, found.array.rows, found.array.cols, found.dataflow.stationary) == ("mine", 16, 8, "ws")
    assert [level.capacity_kib for level in found.memories[1:]] == [64, 32, 128]
    assert found.dram.bandwidth_gb_s == 10  # bytes a cycle at 1000 MHz
    assert machine(tmp_path, CFG.replace("USER", "CALC")).dram.bandwidth_gb_s > 1e6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ArrayHeight: 16\n", ""), "[architecture_presets] arrayheight is missing"),
        (("ArrayHeight: 16", "ArrayHeight: many"), "[architecture_presets] arrayheight: expected a number, not 'many'"),
        (("[architecture_presets]", "[architecture]"), "has no section [architecture_presets]"),
        (("[general]", "general"), "broken configuration"),
        (("Dataflow: ws", "Dataflow: xs"), "dataflow.stationary"),
    ],
)
def test_a_broken_configuration_is_refused(change, message, tmp_path):
    with pytest.raises(InputError) as caught:
        machine(tmp_path, CFG.replace(*change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
