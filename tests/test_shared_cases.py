"""The small inputs with right answers in ``shared/cases``, each through the public interface.

What stands in LATER is not read yet (newer operators, older forms): a strict expected failure, so that whoever adds it
must take it from the list.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from tests.unit.workloads.tflite_run import output
from workloads import load_network

pytestmark = pytest.mark.slow
ROOT = Path(os.environ.get("ACCEL_SIM_SHARED", Path(__file__).parents[2] / "shared"))
CASES = ROOT / "cases"

LATER = {
    "models/03_tflite_float32", "models/04_tflite_fp16_weights", "models/05_duplicate_node_names",
    "models/06_dims_minus_one_and_question_mark", "models/07_convtranspose", "models/08_lstm",
    "models/10_if_known_condition",
    "models/13_qoperator_qgemm_softmax", "models/15_resize_linear", "models/17_tflite_uint8_io_quantize_at_output",
    "models/19_tflite_logistic_int8", "models/23_caffe_batchnorm_scale",
    "discovered/02_ort_qoperator_concat_gemm_softmax", "discovered/05_onnx_matmulnbits",
    "discovered/06_onnx_attention_rope",
    "discovered/07_onnx_local_functions", "discovered/103_tflite_int4_weights", "discovered/104_tflite_quantize_inside",
}  # fmt: skip


def folders(kind: str) -> list[str]:
    """The cases of one kind, 'kind/name'."""
    return sorted(f"{kind}/{path.name}" for path in (CASES / kind).glob("*/") if path.is_dir())


def later(names: list[str]) -> list:
    """The same as parameters, those of LATER as strict expected failures."""
    mark = pytest.mark.xfail(strict=True, reason="not read yet")
    return [pytest.param(name, marks=mark) if name in LATER else name for name in names]


@dataclass(frozen=True)
class Shell:
    """What a case's run.sh printed, both streams, and its exit code."""

    code: int
    text: str


def shell(case: str, tmp_path: Path, timeout: int = 300) -> Shell:
    """Runs a case's run.sh with this interpreter and its accel-sim in front of the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", CASES / case / "run.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        env=os.environ | {"PATH": path, "TMPDIR": str(tmp_path)}, cwd=tmp_path,
    )  # fmt: skip
    assert "Traceback" not in done.stdout, done.stdout
    return Shell(done.returncode, done.stdout)


def test_the_cases_are_there(shared):
    assert len(folders("reports")) >= 8
    assert len(folders("faults")) >= 11
    assert len(folders("models")) >= 16
    assert len(folders("discovered")) >= 10
    assert {case for case in LATER if not (shared / "cases" / case).is_dir()} == set()


@pytest.mark.parametrize("case", folders("reports"))
def test_report(case, shared, tmp_path):
    done = shell(case, tmp_path)
    assert (done.code, "WRONG" in done.text) == (0, False), done.text


def codes(text: str) -> list[int]:
    """The exit codes that a case printed as rc=N."""
    return [int(word.removeprefix("rc=")) for word in text.split() if word.startswith("rc=")]


#: case -> what its output must hold, all of it; and the exit codes it prints
FAULTS = {
    "faults/01_relative_index_zero_point": ((), [0, 0, 0, 0]),
    "faults/02_network_named_by_text": (
        ("memories.l2.network: expected a mapping with a name (one of bus, crossbar, multicast, neighbour)",
         "memories.input_sram.network: expected a mapping"), [2, 2],
    ),
    "faults/04_npz_member_no_npy": (("t.npz: c.weight is no .npy array", "n.npz: ", "a.npz: "), [2, 2, 2]),
    "faults/05_shapes_that_do_not_fit": (("layer 'c'", "9", "4"), [2]),
    "faults/08_batch_of_dynamic_matmul": (("qk",), [2, 2]),
    "faults/10_study_zip_of_mapping": (("zip[0]",), [2]),
    # it fits now that a weight tile may be one tap; tests/cli/test_boundaries.py follows the hint where one is given
    "faults/12_hint_names_a_field_that_is_not_there": (("results: o",), [0]),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_fault(case, shared, tmp_path):
    done = shell(case, tmp_path)
    words, expected = FAULTS[case]
    assert codes(done.text) == expected, done.text
    assert all(word in done.text for word in words), done.text


def test_reading_many_layers_is_linear(shared, tmp_path):
    """2,500, 5,000 and 10,000 rows: each twice the rows of the one before."""
    lines = [line.split() for line in shell("faults/06_many_layers", tmp_path).text.splitlines() if " rows " in line]
    assert [int(words[0]) for words in lines] == [2500, 5000, 10000]
    assert float(lines[-1][2]) < 3


def test_a_full_disk_and_a_read_only_one_are_one_line(shared, tmp_path):
    done = shell("faults/07_disk_full_and_read_only", tmp_path)
    if "mount" in done.text and "permission" in done.text.lower():
        pytest.skip("mounting takes root; tests/cli inject the same errors")
    assert done.text.count("accel-sim ") == 4, done.text  # run, accelergy, report, plot


def test_a_bomb_is_not_unpacked(shared, tmp_path):
    last = shell("faults/13_zip_bomb", tmp_path).text.splitlines()[-1]
    assert int(last.removesuffix(" MB")) < 400, last


def test_sigterm_leaves_nothing(shared, tmp_path):
    done = shell("faults/14_sigterm", tmp_path)
    assert codes(done.text)[0] in (130, 143), done.text
    assert ".accel_sim-" not in done.text.split("rc=")[1]


def rows(path: Path, *options: str) -> list[dict]:
    """A network file's layers, as ``show network --json`` prints them."""
    command = [sys.executable, "-m", "accel_sim", "show", "network", str(path), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def counted(path: Path, *options: str) -> tuple[list[int], list[int]]:
    """(MACs, parameters) of its layers with MACs."""
    held = [row for row in rows(path, *options) if row["macs"]]
    return [row["macs"] for row in held], [row["params"] for row in held]


#: case -> (file, options, MACs of each layer with MACs, their weights where the case tells them)
MODELS = {
    "models/01_image_elementwise": ("net.onnx", (), [6912, 1024], None),
    "models/03_tflite_float32": ("net.tflite", (), [6912], None),
    "models/04_tflite_fp16_weights": ("net.tflite", (), [6912], None),
    "models/05_duplicate_node_names": ("net.onnx", (), [6912, 1024], None),
    "models/06_dims_minus_one_and_question_mark": (
        "net.onnx", ("--dim", "x[0]=1", "--dim", "x[2]=8", "--dim", "x[3]=12"), [10368], None,
    ),
    "models/07_convtranspose": ("net.onnx", (), [6912, 5120], [108, 80]),
    "models/08_lstm": ("net.onnx", (), None, None),
    "models/10_if_known_condition": ("net.onnx", (), [6912], [108]),
    "models/11_global_reduce_does_not_fit": ("net.onnx", (), [1769472], None),
    "models/13_qoperator_qgemm_softmax": ("net.onnx", (), None, None),
    "models/15_resize_linear": ("net.onnx", (), [6912, 4096], None),
    "models/17_tflite_uint8_io_quantize_at_output": ("net.tflite", (), [8192], None),
    "models/18_tflite_reference_rounding": ("net.tflite", (), [8192], None),
    "models/19_tflite_logistic_int8": ("net.tflite", (), [8192], None),
    "models/23_caffe_batchnorm_scale": ("net.prototxt", (), [55296, 20480], None),
    "models/24_eie_depthwise_does_not_fit": ("net.onnx", (), [1411200], [28800]),
}  # fmt: skip


@pytest.mark.parametrize("case", later(list(MODELS)))
def test_model_is_read(case, shared):
    file, options, macs, weights = MODELS[case]
    found = counted(CASES / case / file, *options)
    assert macs in (None, found[0])
    assert weights in (None, found[1])


@pytest.mark.parametrize("command", ["run", "stats"])
def test_a_photograph_through_an_elementwise_layer(command, shared, tmp_path):
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / "any.png")
    net = CASES / "models/01_image_elementwise/net.onnx"
    machine = ["systolic", "--check", "--out", str(tmp_path / "o")] if command == "run" else []
    line = [sys.executable, "-m", "accel_sim", command, str(net), *machine, "--image", str(tmp_path / "any.png")]
    done = subprocess.run(line, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("machine", ["eie", "systolic", "bitfusion"])
def test_a_reduction_streams(machine, shared):
    net = load_network(CASES / "models/11_global_reduce_does_not_fit/net.onnx")
    result = simulate(net, load_hardware(machine))
    layers = result.layers.set_index("layer")
    assert result.summary["macs_nominal"] == 1_769_472
    assert layers.dram_read_bytes["peak"] == 65_536


@pytest.mark.parametrize("machine", ["eie", "systolic", "bitfusion"])
def test_a_depthwise_layer_larger_than_the_buffers(machine, shared):
    net = load_network(CASES / "models/24_eie_depthwise_does_not_fit/net.onnx")
    result = simulate(net, load_hardware(machine), check=True)
    assert result.summary["macs_nominal"] == 1_411_200
    moved = result.summary["dram_read_bytes"] + result.summary["dram_write_bytes"]
    if machine != "bitfusion":  # its maps lie in memory as im2col matrices
        stored = 1152 * 25 * (3.5 if machine == "eie" else 1)  # eie: 12 bits a weight and a pointer of 16 to each
        assert result.summary["weight_machine_bytes"] <= 1.05 * stored
        assert moved <= 1.2 * (2 * 1152 * 49 + stored)  # map in and out


NODELEGATE = "x86_kernels_no_delegate"
#: case -> (file, npz and name of its input codes, npz and name of what LiteRT made of them, those N, C, H, W)
TFLITE = {
    "models/17_tflite_uint8_io_quantize_at_output": [("net", "expected:x", f"expected:{NODELEGATE}", ())],
    "models/18_tflite_reference_rounding": [("net", "expected:x", f"expected:{NODELEGATE}", ())],
    "models/19_tflite_logistic_int8": [("net", "expected:x", f"expected:{NODELEGATE}", ())],
    "discovered/01_tflite_add_rounding": [
        ("add_case", "add_case_trace:input", "add_case_expected:nodelegate", ("input", "output")),
    ],
    "discovered/101_tflite_uint8_add": [
        ("add_16", "add_16_input:input", "add_16_expected:nodelegate", ("output",)),
        ("add_15", "add_15_input:input", "add_15_expected:nodelegate", ("output",)),
    ],
    "discovered/102_tflite_relu_scale_ratio": [
        ("relu_i8", "relu_i8:input", "relu_i8:nodelegate", ()), ("relu_u8", "relu_u8:input", "relu_u8:nodelegate", ()),
    ],
    "discovered/103_tflite_int4_weights": [("int4_conv", "int4_conv:input", "int4_conv:nodelegate", ())],
}  # fmt: skip


@pytest.mark.parametrize("case", later(list(TFLITE)))
def test_codes_are_those_of_the_interpreter(case, shared):
    def held(place: str, turned: bool) -> np.ndarray:
        """An array of the case as [N, H, W, C]."""
        file, name = place.split(":")
        values = np.load(CASES / case / f"{file}.npz")[name]
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1)) if turned else values

    for file, source, expected, turned in TFLITE[case]:
        made = output((CASES / case / f"{file}.tflite").read_bytes(), held(source, "input" in turned))
        assert np.array_equal(made, held(expected, "output" in turned)), file


def test_channels_last_pools(shared):
    found = rows(CASES / "discovered/03_qlinear_pool_channels_last/x_gap_cl.onnx")
    assert found[-1]["output"] == [64, 1, 1]


@pytest.mark.parametrize("case", later(sorted(set(folders("discovered")) & LATER)))
def test_discovered_file_is_read(case, shared):
    for file in sorted((CASES / case).glob("*.onnx")) + sorted((CASES / case).glob("*.tflite")):
        assert rows(file)
