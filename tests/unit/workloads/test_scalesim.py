"""SCALE-Sim topology files and configurations, both ways, and what is refused."""

import re
import time

import pytest

from accel_sim import load_hardware, simulate
from workloads import InputError, load_network
from workloads.importers import scalesim
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


def lines(tmp_path, *rows):
    path = tmp_path / "net.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return read_topology(path)


def test_without_a_header_the_first_line_is_a_layer_and_it_is_told(tmp_path):
    network = lines(tmp_path, "c1,8,8,3,3,4,8,1,", "c2,6,6,3,3,8,8,1,2:4,")
    assert (network.macs, len(network.layers)) == (8 * 6 * 6 * 36 + 8 * 4 * 4 * 72, 2)
    assert network.warnings == ("net.csv has no header: line 1 is read as layer 'c1'",)
    network = lines(tmp_path, "", "g1,128,64,32,", "g2,128,32,16,")
    assert network.macs == 128 * 64 * 32 + 128 * 32 * 16
    assert network.warnings == ("net.csv has no header: line 2 is read as layer 'g1'",)


@pytest.mark.parametrize("header", ["h", "Layer name, a, b, c, d, e, f, g,", "Layer,,,"])
def test_a_header_without_known_names_is_told(header, tmp_path):
    network = lines(tmp_path, header, "c1,8,8,3,3,4,8,1,")
    assert network.macs == 8 * 6 * 6 * 36
    (told,) = network.warnings
    assert told.startswith("net.csv: line 1 names no column: they are taken in SCALE-Sim's order (name, ifmap height, ")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Num Filter, Channels, Strides,",
         "c,9,8,3,2,6,4,1,"),
        ("strides;Num_Filter;CHANNELS;filter-width;filter height;IFMAP_WIDTH;ifmapheight;Layer Name",
         "1;6;4;2;3;8;9;c"),
        ("Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,Stride height,"
         "Stride width,",
         "c,9,8,3,2,4,6,1,1,"),
        ("name,sparsity ratio,input h,input w,kernel h,kernel w,input channels,output channels,stride",
         "c,,9,8,3,2,4,6,1"),
    ],
)  # fmt: skip
def test_columns_are_found_by_their_names(header, row, tmp_path):
    network = lines(tmp_path, header.replace(";", ","), row.replace(";", ","))
    (layer,) = network.layers
    assert (layer.H, layer.W, layer.R, layer.S, layer.C, layer.M, layer.stride) == (9, 8, 3, 2, 4, 6, (1, 1))
    assert not network.warnings


def test_strides_of_both_directions(tmp_path):
    header = (
        "Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,Stride width,Stride height,"
    )
    (layer,) = lines(tmp_path, header, "c,9,9,3,3,4,6,1,2,").layers
    assert layer.stride == (2, 1)


@pytest.mark.parametrize("order", ["M,N,K", "M,K,N", "K,N,M", "N,M,K"])
def test_matrix_sizes_in_any_order(order, tmp_path):
    sizes = {"M": 128, "N": 64, "K": 32}
    row = ",".join(str(sizes[letter]) for letter in order.split(","))
    (layer,) = lines(tmp_path, f"Layer,{order},Sparsity", f"g,{row},1:2,").layers
    assert (layer.H, layer.M, layer.C) == (128, 64, 32)


def test_a_layer_called_input_is_renamed_and_it_is_told(tmp_path):
    network = read(tmp_path, "input,8,8,3,3,4,8,1,", "input_1,6,6,3,3,8,8,1,")
    assert [layer.name for layer in network.layers] == ["input_2", "input_1"]
    assert network.layers[1].inputs == ("input_2",)
    assert network.warnings == ("layer 'input' is called 'input_2' here: 'input' is the network's own input",)


HEADERS = {
    "net.csv line 1: unknown column 'Batch'": "Layer name, IFMAP Height, IFMAP Width, Filter Height, "
    "Filter Width, Channels, Num Filter, Strides, Batch",
    "net.csv line 1: unknown column 'Chanels'; did you mean 'channels'?": "Layer name, IFMAP Height, IFMAP Width, "
    "Filter Height, Filter Width, Chanels, Num Filter, Strides,",
    "net.csv line 1: its header has no column for channels": "Layer name, IFMAP Height, IFMAP Width, Filter Height, "
    "Filter Width, Num Filter, Strides,",
    "net.csv line 1: column 'Channels' is there twice (channels)": "Layer name, IFMAP Height, IFMAP Width, Filter "
    "Height, Filter Width, Channels, Channel, Strides,",
    "net.csv line 1: 'x' stands among sizes: expected a header of names, or a layer's sizes": "c1,8,8,3,x,4,8,1,",
}  # fmt: skip


@pytest.mark.parametrize("message", HEADERS)
def test_a_header_that_cannot_be_read_is_refused(message, tmp_path):
    with pytest.raises(InputError) as caught:
        lines(tmp_path, HEADERS[message], "c2,8,8,3,3,4,8,1,")
    assert message in str(caught.value)


def test_rows_of_two_forms_in_a_file_without_names_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"line 3: 3 sizes after the name, the rows before have 7$"):
        lines(tmp_path, "h", "c,8,8,3,3,4,8,1,", "g,1,2,3,")


def seconds(path, rows):
    path.write_text("h\n" + "".join(f"l{i}, 1, 1, 1, 1, 1, 1, 1,\n" for i in range(rows)))
    begin = time.process_time()
    assert len(load_network(path).layers) == rows
    return time.process_time() - begin


@pytest.mark.slow
def test_reading_is_linear_in_the_rows(tmp_path):
    path = tmp_path / "m.csv"
    seconds(path, 1000)  # imports
    few, many = (min(seconds(path, rows) for _ in range(3)) for rows in (10_000, 20_000))
    assert many / few <= 3


REFUSED = {
    "net.csv: has no layers (expected a header and rows of name, ifmap height, ": [],
    "net.csv line 2: 4 values after the name; expected ifmap height, ifmap width, ": ["a, 1, 2, 3, 4,"],
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


def test_what_a_mode_does_not_need_may_be_left_out_or_switched_off(tmp_path):
    calc = CFG.replace("USER", "CALC").replace("Bandwidth: 10,10\n", "")
    assert machine(tmp_path, calc).dram.bandwidth_gb_s > 1e6
    assert machine(tmp_path, calc.split("[run_presets]")[0]) == machine(tmp_path, calc)
    off = (
        "[sparsity]\nSparsitySupport: false\nSparseRep: csr\n[layout]\nIfmapCustomLayout: False\nIfmapSRAMBankNum: 10\n"
    )
    assert machine(tmp_path, calc + "UseRamulatorTrace: False\n" + off) == machine(tmp_path, calc)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ArrayHeight: 16\n", ""), "[architecture_presets] arrayheight is missing"),
        (("ArrayHeight: 16", "ArrayHeight: many"), "[architecture_presets] arrayheight: expected a number, not 'many'"),
        (("[architecture_presets]", "[architecture]"), "has no section [architecture_presets]"),
        (("[general]", "general"), "broken configuration"),
        (("Dataflow: ws", "Dataflow: xs"), "dataflow.stationary"),
        (("Bandwidth: 10,10\n", ""), "[architecture_presets] bandwidth is missing"),
        (("Bandwidth: 10,10", "Bandwidth: 10,20"), "bandwidth: expected one number for all operands, not '10,20'"),
        (("USER", "USR"), "[run_presets] interfacebandwidth: expected USER or CALC, not 'USR'"),
        (("InterfaceBandwidth: USER", ""), "[run_presets] interfacebandwidth: expected USER or CALC, it is missing"),
        (("ArrayHeight: 16", "ArrayHeight: 16,8"), "arrayheight: expected a number, not '16,8'"),
        (("Dataflow", "Banks: 4\nDataflow"), "[architecture_presets]: key 'banks' is not read here"),
        (("[run_presets]", "[run_preset]"), "unknown section 'run_preset'; did you mean 'run_presets'?"),
        (("[run_presets]", "[sparsity]\nSparsitySupport: true\n[run_presets]"), "[sparsity] sparsitysupport: expected"),
        (("[run_presets]", "[layout]\nIfmapCustomLayout: True\n[run_presets]"), "[layout] ifmapcustomlayout: expected"),
        (("USER", "USER\nUseRamulatorTrace: True"), "[run_presets] useramulatortrace: expected False"),
    ],
)
def test_a_broken_configuration_is_refused(change, message, tmp_path):
    with pytest.raises(InputError) as caught:
        machine(tmp_path, CFG.replace(*change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spare", [0, 1, -1])
def test_a_file_may_be_as_large_as_the_limit(spare, tmp_path, monkeypatch):
    path = tmp_path / "m.csv"
    path.write_text(f"{HEADER}\nconv, 8, 8, 3, 3, 4, 8, 1,\n")
    size = path.stat().st_size
    monkeypatch.setattr(scalesim, "LIMIT_BYTES", size + spare)
    if spare < 0:
        said = f"{path}: {size} bytes; a topology may have {size - 1}"
        with pytest.raises(InputError, match=rf"^{re.escape(said)}$"):
            load_network(path)
    else:
        assert load_network(path)["conv"].M == 8
