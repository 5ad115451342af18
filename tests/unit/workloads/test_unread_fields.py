"""No reader drops a field: whatever is put into a good file that nobody asks for is refused by its name.

Samples of every format get one strange field in each place that can hold one; then the fields of each format that
exist, are not read, and would change a figure.
"""

import re

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from accel_sim import load_hardware
from tests.unit.workloads.onnx_models import Model, block, convolutions, quantised
from tests.unit.workloads.test_tflite import pointwise, read, started
from tests.unit.workloads.tflite_builder import SAME, number, vector, window
from workloads import InputError, load_network
from workloads.importers.record import Record

PROTOTXT = """name: "t" input: "data" input_shape { dim: 1 dim: 4 dim: 9 dim: 9 }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" param { lr_mult: 1 }
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param { engine: CAFFE } }
layer { name: "n" type: "LRN" bottom: "c" top: "n" lrn_param { local_size: 3 } }
layer { name: "p" type: "Pooling" bottom: "n" top: "p" pooling_param { pool: AVE kernel_size: 1 } }
layer { name: "e" type: "Eltwise" bottom: "p" bottom: "c" top: "e" eltwise_param { operation: SUM } }
layer { name: "k" type: "Concat" bottom: "e" bottom: "c" top: "k" concat_param { axis: 1 } }
layer { name: "d" type: "Dropout" bottom: "k" top: "k" dropout_param { dropout_ratio: 0.5 } }
layer { name: "f" type: "InnerProduct" bottom: "k" top: "f" inner_product_param { num_output: 5 } }
layer { name: "s" type: "Softmax" bottom: "f" top: "s" include { phase: TEST } softmax_param { axis: 1 } }
"""
CSV = """Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,Sparsity
c,8,8,3,3,4,8,1,2:4"""
CFG = """[general]
run_name = t
[architecture_presets]
ArrayHeight: 4
ArrayWidth: 4
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
Dataflow: os
[layout]
IfmapCustomLayout: False
[sparsity]
SparsitySupport: false
[run_presets]
InterfaceBandwidth: CALC
"""
SHAPES = """name: t
input: [4, 8, 8]
layers:
  - {name: c, kind: conv, M: 4}
  - {name: p, kind: pool, pool: max, R: 2, S: 2}
  - {name: n, kind: lrn, lrn: {size: 3}}
  - {name: f, kind: fc, M: 5}
"""


def refused(name, load, what):
    with pytest.raises(InputError) as caught:
        load()
    assert name in str(caught.value), caught.value
    assert what in str(caught.value), caught.value
    assert "\n" not in str(caught.value)


def loaded(path, data, load=load_network):
    """The file that ``data`` (text or bytes) makes, read."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return load(path)


def test_prototxt_in_every_message(tmp_path):
    path = tmp_path / "n.prototxt"
    assert len(loaded(path, PROTOTXT).layers) == 7  # the ReLU is the convolution's, the dropout nothing
    free = ("weight_filler",)  # whatever stands in a filler is training's
    places = [match.end() for match in re.finditer(r"(\w+) \{", PROTOTXT) if match[1] not in free]
    for place in [0, *places]:
        text = f"{PROTOTXT[:place]} zz_top: 1 {PROTOTXT[place:]}"
        refused("'zz_top'", lambda text=text: loaded(path, text), "n.prototxt: ")


def test_topology_in_every_column(tmp_path):
    path, rows = tmp_path / "n.csv", [line.split(",") for line in CSV.splitlines()]
    assert loaded(path, CSV).macs == 8 * 6 * 6 * 36
    for place in range(len(rows[0]) + 1):
        cells = zip(rows, ("zz", "1"), strict=True)
        text = "\n".join(",".join([*row[:place], cell, *row[place:]]) for row, cell in cells)
        refused("'zz'", lambda text=text: loaded(path, text), "n.csv line 1: unknown column")


def test_configuration_in_every_section(tmp_path):
    path = tmp_path / "m.cfg"
    assert loaded(path, CFG, load_hardware).array.rows == 4
    for place in [match.end() for match in re.finditer(r"\]\n", CFG)]:
        text = f"{CFG[:place]}zz_top: 1\n{CFG[place:]}"
        refused("'zz_top'", lambda text=text: loaded(path, text, load_hardware), "m.cfg: [")
    refused("'zz'", lambda: loaded(path, f"{CFG}[zz]\nx: 1\n", load_hardware), "unknown section")


def test_npz_in_every_mapping(tmp_path):
    path = tmp_path / "n.npz"

    def load(text):
        np.savez(path, network=np.array(text))
        return load_network(path)

    assert len(load(SHAPES).layers) == 4
    for place in [match.end() for match in re.finditer(r"\{", SHAPES)]:
        text = f"{SHAPES[:place]}zz_top: 1, {SHAPES[place:]}"
        refused("'zz_top'", lambda text=text: load(text), "n.npz: ")
    refused("'zz_top'", lambda: load(SHAPES + "zz_top: 1\n"), "n.npz: key")


@pytest.mark.parametrize("sample", [convolutions, lambda: block(S=4, batch=1), quantised])
def test_onnx_at_every_node(sample, tmp_path):
    path = tmp_path / "m.onnx"
    proto = sample().proto("y")
    assert loaded(path, proto.SerializeToString()).layers
    for node in proto.graph.node:
        node.attribute.append(helper.make_attribute("zz_top", 1))
        refused("'zz_top'", lambda: loaded(path, proto.SerializeToString()), f"'{node.name}' ({node.op_type})"
                if node.name else f"({node.op_type})")  # fmt: skip
        node.attribute.pop()


#: operator -> (shapes of its inputs, all computed but the first of them), attributes, the one that is not read
ATTRIBUTES = [
    ("Add", [[1, 4], [1, 4]], {"axis": 0}, "axis"),
    ("Conv", [[1, 4, 5, 5], (4, 4, 3, 3)], {"ceil_mode": 1}, "ceil_mode"),
    ("MatMul", [[2, 4], (4, 3)], {"transB": 1}, "transB"),
    ("GlobalAveragePool", [[1, 4, 5, 5]], {"channels_last": 1}, "channels_last"),
    ("Softmax", [[1, 4]], {"dim": 1}, "dim"),
    ("Relu", [[1, 4]], {"negative_slope": 0.1}, "negative_slope"),
    ("Concat", [[1, 4], [1, 4]], {"axis": 1, "new_axis": 1}, "new_axis"),
]
VALUES = [
    (
        "Conv",
        [[1, 4, 5, 5], (4, 4, 3, 3)],
        {"auto_pad": "SAME_UPPER", "pads": [1, 1, 1, 1]},
        "and auto_pad 'SAME_UPPER'",
    ),
    ("Resize", [[1, 4, 5, 5]], {"coordinate_transformation_mode": "tf_crop_and_resize"}, "tf_crop_and_resize"),
    ("Resize", [[1, 4, 5, 5]], {"keep_aspect_ratio_policy": "not_larger"}, "not_larger"),
    ("DepthToSpace", [[1, 4, 5, 5]], {"blocksize": 2, "mode": "XYZ"}, "mode 'XYZ': expected DCR or CRD"),
    ("Pad", [[1, 4, 5, 5]], {"mode": "zeros"}, "mode 'zeros': expected one of constant, "),
    ("com.microsoft.FusedMatMul", [[2, 4], (4, 3)], {"transBatchA": 1}, "'transBatchA': expected 0"),
    ("BatchNormalization", [[1, 4, 5, 5]], {"spatial": 0}, "'spatial': expected 1"),
    ("LRN", [[1, 4, 5, 5]], {"size": 0}, "size must be at least 1"),
    ("Split", [[1, 4]], {"num_outputs": 2}, "'num_outputs': expected 1"),
]


def node_model(op, inputs, attributes):
    """One operator; inputs: lists are computed, tuples stored."""
    m, domain = Model(), op.rpartition(".")[0]
    names = [
        m.weights(f"w{i}", *shape) if isinstance(shape, tuple) else m.input(f"x{i}", shape)
        for i, shape in enumerate(inputs)
    ]
    m.op(op.rpartition(".")[2], names, "y", domain=domain, **attributes)
    return m.proto("y").SerializeToString()


@pytest.mark.parametrize(("op", "inputs", "attributes", "name"), ATTRIBUTES)
def test_onnx_attributes_of_other_operators(op, inputs, attributes, name, tmp_path):
    path, data = tmp_path / "m.onnx", node_model(op, inputs, attributes)
    refused(f"'y' ({op}): attribute '{name}' is not read here", lambda: loaded(path, data), "m.onnx: node ")


@pytest.mark.parametrize(("op", "inputs", "attributes", "text"), VALUES)
def test_onnx_values_that_are_not_read(op, inputs, attributes, text, tmp_path):
    path, data = tmp_path / "m.onnx", node_model(op, inputs, attributes)
    refused(text, lambda: loaded(path, data), f"'y' ({op}): ")


def test_onnx_attributes_that_are_read(tmp_path):
    path, x = tmp_path / "m.onnx", [1, 4, 7, 7]
    (pool,) = loaded(path, node_model("AveragePool", [x], {"kernel_shape": [2, 2], "count_include_pad": 1})).layers
    (other,) = loaded(path, node_model("AveragePool", [x], {"kernel_shape": [2, 2]})).layers
    assert (pool.count_include_pad, other.count_include_pad) == (True, False)
    (lrn,) = loaded(path, node_model("LRN", [x], {"size": 3, "alpha": 0.5, "beta": 0.25, "bias": 2.0})).layers
    assert (lrn.lrn.size, lrn.lrn.alpha, lrn.lrn.beta, lrn.lrn.k) == (3, 0.5, 0.25, 2.0)


def declared(proto, **shapes):
    """The model with declared shapes of values inside and at its end."""
    for name, shape in shapes.items():
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        ends = [entry for entry in proto.graph.output if entry.name == name]
        if ends:
            ends[0].CopyFrom(info)
        else:
            proto.graph.value_info.append(info)
    return proto.SerializeToString()


def test_onnx_shapes_are_those_that_the_file_declares(tmp_path):
    path = tmp_path / "m.onnx"
    good = {"c1": ["N", 8, 12, 12], "p1": [1, 8, 6, 6], "cat": [None, 16, 6, 6], "y": ["N", 10], "w3": [10, 16]}
    assert loaded(path, declared(convolutions().proto("y"), **good)).layers
    # onnx's own shape inference declares every value, without our reader
    inferred = onnx.shape_inference.infer_shapes(convolutions().proto("y"))
    assert loaded(path, inferred.SerializeToString()).layers
    wrong = {"c1": ["N", 8, 12, 10], "p1": [2, 8, 6, 6], "cat": [1, 16, 6], "y": [1, 11], "w3": [16, 10], "g1": [1]}
    for name, shape in wrong.items():
        data = declared(convolutions().proto("y"), **{name: shape})
        refused(f"'{name}' comes out as ", lambda data=data: loaded(path, data), f"the file declares {shape}")


@pytest.mark.parametrize(
    ("op", "attributes", "sizes"),
    [
        ("QLinearGlobalAveragePool", {}, (1, 1)),
        ("QLinearAveragePool", {"kernel_shape": [2, 3], "strides": [2, 1]}, (4, 5)),
        ("QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, (4, 3)),
    ],
)
@pytest.mark.parametrize("last", [0, 1])
def test_quantised_pools_with_channels_last_are_those_with_channels_first(op, attributes, sizes, last, tmp_path):
    m = Model()
    x = m.input("x", [1, 8, 7, 64] if last else [1, 64, 8, 7], TensorProto.UINT8)
    scale, zero = m.tensor("s", np.float32(0.1)), m.tensor("z", np.uint8(3))
    m.op(op, [x, scale, zero, scale, zero], "y", domain="com.microsoft", channels_last=last, **attributes)
    (layer,) = loaded(
        tmp_path / "m.onnx", declared(m.proto("y"), y=[1, *sizes, 64] if last else [1, 64, *sizes])
    ).layers
    assert (layer.C, layer.H, layer.W, layer.M) == (64, 8, 7, 64)
    assert layer.output_shape == (1, 64, *sizes)


def test_an_onnx_layer_called_input_is_renamed_and_it_is_told(tmp_path):
    m = Model()
    m.op("Relu", [m.op("Conv", [m.input("x", [1, 4, 5, 5]), m.weights("w", 4, 4, 3, 3)], "input")], "y")
    network = loaded(tmp_path / "m.onnx", m.proto("y").SerializeToString())
    assert [layer.name for layer in network.layers] == ["input_1"]
    assert network.warnings == ("layer 'input' is called 'input_1' here: 'input' is the network's own input",)


def test_an_operator_that_is_unknown_forty_times_is_named_once(tmp_path):
    m = Model()
    x = m.input("x", [1, 4])
    for i in range(40):
        x = m.op("Conv3d" if i else "Fancy", [x], f"n{i}")
    refused(
        "unsupported operators in 40 of 40 nodes: Fancy ('n0'); Conv3d (39, first 'n1'; nearest supported: Conv); ",
        lambda: loaded(tmp_path / "m.onnx", m.proto("n39").SerializeToString()), "m.onnx",
    )  # fmt: skip


def operators():
    """(builder, output) with one of most operators that have options."""
    b, x = started((1, 8, 8, 4))
    y = pointwise(b, x, 4, 4, (1, 8, 8))
    w = b.tensor([1, 3, 3, 4], "int8", 0.01, data=np.ones((1, 3, 3, 4)))
    bias = b.tensor([4], "int32", np.float32(0.01) * np.float32(0.02), data=np.zeros(4))
    y = b.op("DEPTHWISE_CONV_2D", [y, w, bias], b.tensor([1, 8, 8, 4], "int8", 0.02, -128), window(multiplier=1))
    y = b.op("MAX_POOL_2D", [y], b.tensor([1, 8, 8, 4], "int8", 0.02, -128), window(scheme=SAME, taps=(2, 2)))
    y = b.op("ADD", [y, y], b.tensor([1, 8, 8, 4], "int8", 0.02, -128), {0: ("<b", 0)})
    y = b.op("CONCATENATION", [y, x], b.tensor([1, 8, 8, 8], "int8", 0.02, -128), {0: ("<i", 3)})
    axes = b.tensor([2], "int32", data=[1, 2])
    y = b.op("MEAN", [y, axes], b.tensor([1, 8], "int8", 0.02, -128), {0: ("<B", 0)})
    w = b.tensor([5, 8], "int8", 0.01, data=np.ones((5, 8)))
    y = b.op("FULLY_CONNECTED", [y, w, -1], b.tensor([1, 5], "int8", 0.02, -128), {0: ("<b", 0)})
    return b, b.op("SOFTMAX", [y], b.tensor([1, 5], "int8", 1 / 256, -128), {0: ("<f", 1.0)})


NEWEST = {"CONV_2D": 6, "DEPTHWISE_CONV_2D": 6, "MAX_POOL_2D": 5, "ADD": 1, "CONCATENATION": 1, "MEAN": 0,
          "FULLY_CONNECTED": 4, "SOFTMAX": 0}  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(place=st.integers(0, 7), above=st.integers(1, 6), value=st.integers(0, 255))
def test_tflite_options_of_a_later_schema_at_every_operator(place, above, value):
    b, y = operators()
    name, field = list(NEWEST)[place], list(NEWEST.values())[place] + above
    b.operators[place][4][1][field] = number("<B", value)
    refused(f"operator {place} ({name}): option 'field {field} (version ", lambda: read(b, y), "is not read here")


@pytest.mark.parametrize(
    ("place", "field", "entry", "text"),
    [
        (0, 3, number("<B", 2), "its options are of type 2: expected 1"),
        (0, 5, vector("u1", [1]), "has custom options"),
        (3, 7, vector("u1", [0, 1]), "changes its inputs or keeps values between runs"),
        (3, 8, vector("<i4", [0]), "changes its inputs or keeps values between runs"),
        (3, 14, number("<i", 1), "has field 14 of a later schema"),
    ],
)  # fmt: skip
def test_tflite_fields_of_an_operator(place, field, entry, text):
    b, y = operators()
    assert len(read(b, y).layers) == 8
    b.operators[place][field] = entry
    refused(text, lambda: read(b, y), f"operator {place} (")


@pytest.mark.parametrize(
    ("field", "entry", "text"),
    [
        (5, number("<B", 1), "is a variable"),
        (7, vector("<i4", [1, 8, 9, 4]), "shape [1, 8, 8, 4] is not that of its signature [1, 8, 9, 4]"),
        (9, vector("<i4", []), "has field 9"),
    ],
)
def test_tflite_fields_of_a_tensor(field, entry, text):
    b, y = operators()
    b.tensors[0][field] = entry
    refused(text, lambda: read(b, y), "m.tflite: tensor 0")


def test_tflite_options_that_change_nothing_are_harmless():
    b, y = operators()
    expected = read(b, y).layers
    for place, field in ((3, 1), (0, 6), (6, 3)):  # pot_scale_int16, quantized_bias_type, asymmetric_quantize_inputs
        b.operators[place][4][1][field] = number("<b", 1)
    b.tensors[0][7] = vector("<i4", [-1, 8, 8, 4])
    assert read(b, y).layers == expected


@pytest.mark.parametrize(
    ("op", "options", "shape", "text"),
    [
        ("RESHAPE", [1, 128, 2], [1, 256], "makes shape [1, 128, 2], the file declares [1, 256]"),
        ("RESHAPE", [-1, 256], [1, 256], None),
        ("SQUEEZE", [0], [1, 8, 8, 4], "makes shape [8, 8, 4], the file declares [1, 8, 8, 4]"),
    ],
)
def test_tflite_views_make_the_shapes_that_they_declare(op, options, shape, text):
    b, x = started((1, 8, 8, 4))
    made = b.op(op, [x], b.tensor(shape, "int8", 0.02, -128))
    b.operators[-1] |= {3: number("<B", {"RESHAPE": 17, "SQUEEZE": 30}[op]), 4: ("table", {0: vector("<i4", options)})}
    w = b.tensor([5, 256], "int8", 0.01, data=np.ones((5, 256)))
    y = b.op("FULLY_CONNECTED", [made, w, -1], b.tensor([1, 5], "int8", 0.02, -128), {0: ("<b", 0), 2: ("<B", 0)})
    if text is None:
        assert read(b, y).layers
    else:
        refused(text, lambda: read(b, y), f"operator 0 ({op}): ")


def test_a_fully_connected_layer_that_keeps_its_dimensions():
    b, x = started((1, 1, 1, 4))
    w = b.tensor([5, 4], "int8", 0.01, data=np.ones((5, 4)))
    y = b.op("FULLY_CONNECTED", [x, w, -1], b.tensor([1, 5], "int8", 0.02, -128), {0: ("<b", 0), 2: ("<B", 1)})
    refused("keeps the number of dimensions, but reads 4 and writes 2", lambda: read(b, y), "(FULLY_CONNECTED)")


@given(st.dictionaries(st.text(), st.integers()), st.sets(st.text()), st.sets(st.text()))
def test_a_record_refuses_what_is_there_and_was_not_asked_for(entries, asked, harmless):
    record = Record(entries, "f")
    assert {name: record.get(name) for name in asked} == {name: entries.get(name) for name in asked}
    left = set(entries) - asked - harmless
    assert set(record.unread(harmless)) == left
    if not left:
        record.done(harmless)
        return
    with pytest.raises(InputError, match=r"^f: field '"):
        record.done(harmless)
