"""Bad arguments and machines: exit code 2, one line that says what, where and what was expected, nothing written."""

import re

import pytest
import yaml

from accel_sim.machine.config import load_hardware, to_tree

from .calls import call, results

LENET = ("run", "lenet5", "eie", "--out", "r")
SYSTOLIC = ("run", "lenet5", "systolic", "--out", "r")
KEYS = "name, description, clock_mhz, array, mac, dataflow, encodings, memories, post, energy, mapping"
#: of 64 lanes, a bit each: no layer fits
TINY = (
    "memories.spmat={name: register_file, level: spmat, capacity_bytes: 0.125, word_bits: 1, slots: 2, "
    "holds: [weights], compressed: [weights]}"
)
HINT = "(see 'accel-sim run --help')"

#: the whole text -> arguments; `...` stands for a list of known names
ARGUMENTS = {
    "unknown network 'lenet6'; did you mean 'lenet5'? (known: ...); or give a network file (...)": (
        "run", "lenet6", "eie", "--out", "r"),
    "none/net.prototxt: cannot read network: No such file or directory": ("run", "none/net.prototxt", "eie"),
    "unknown hardware 'sistolic'; did you mean 'systolic'? (known: ...); or give a ...": (
        "run", "lenet5", "sistolic"),
    "none.yaml: cannot read hardware description: No such file or directory": ("run", "lenet5", "none.yaml"),
    ".: cannot read hardware description: Is a directory": ("run", "lenet5", "."),
    "expected NETWORK and HARDWARE, or --config FILE": ("run", "lenet5"),
    f"argument --batch: invalid int value: 'two' {HINT}": (*LENET, "--batch", "two"),
    "batch=0 must be at least 1": (*LENET, "--batch", "0"),
    "batch=-3 must be at least 1": (*LENET, "--batch", "-3"),
    f"argument --seed: invalid int value: '0.5' {HINT}": (*LENET, "--seed", "0.5"),
    "seed=-1 must not be negative": (*LENET, "--seed", "-1"),
    "network 'lenet5': unknown layer 'conv9*'; did you mean 'conv2'? (known: ...)": (*LENET, "--layers", "conv9*"),
    "none.net: cannot read weights: No such file or directory": (*LENET, "--weights", "none.net"),
    "--set array.rows: expected KEY=VALUE, as array.rows=16": (*LENET, "--set", "array.rows"),
    "--set =4: expected KEY=VALUE, as array.rows=16": (*LENET, "--set", "=4"),
    "--set array.rows line 2: broken YAML: did not find expected ',' or ']'": (*LENET, "--set", "array.rows=[1"),
    f"preset 'eie': --set aray.rows: unknown key 'aray'; did you mean 'array'? (known: {KEYS})": (
        *LENET, "--set", "aray.rows=4"),
    "preset 'eie': array.row: unknown key 'row'; did you mean 'rows'? (known: rows, cols)": (
        *LENET, "--set", "array.row=4"),
    "preset 'eie': --set array.rows.x: 'array.rows' has no fields": (*LENET, "--set", "array.rows.x=4"),
    "preset 'eie': --set memories.spmt.slots: unknown level 'spmt'; did you mean 'spmat'? (known: dram, ...)": (
        *LENET, "--set", "memories.spmt.slots=2"),
    "preset 'eie': array: rows=-1 must be at least 1": (*LENET, "--set", "array.rows=-1"),
    "preset 'eie': array.rows: expected a number, not 'many'": (*LENET, "--set", "array.rows=many"),
    "preset 'eie': array.rows: Input should be a valid integer, ..., not 1.5": (*LENET, "--set", "array.rows=1.5"),
    "preset 'eie': array: expected a mapping of rows, cols": (*LENET, "--set", "array=4"),
    "preset 'eie': clock_mhz: '1 GB' is no quantity in kHz or MHz or GHz": (*LENET, "--set", "clock_mhz=1 GB"),
    "preset 'eie': clock_mhz: expected a number, not None": (*LENET, "--set", "clock_mhz="),
    "preset 'eie': mac.name: unknown MAC unit 'conventionl'; did you mean 'conventional'? (known: ...)": (
        *LENET, "--set", "mac.name=conventionl"),
    "preset 'eie': dataflow.name: unknown dataflow 'systlic'; did you mean 'systolic'? (known: ...)": (
        *LENET, "--set", "dataflow.name=systlic"),
    "preset 'eie': encodings.weights.name: unknown encoding 'rel_index'; did you mean 'relative_index'? (known: ...)": (
        *LENET, "--set", "encodings.weights.name=rel_index"),
    "preset 'eie': memories.spmat.name: unknown memory 'srm'; did you mean 'sram'? (known: ...)": (
        *LENET, "--set", "memories.spmat.name=srm"),
    "preset 'eie': memories.spmat: holds: unknown operand 'weight' (known: ...)": (
        *LENET, "--set", "memories.spmat.holds=[weight]"),
    "preset 'eie': energy: node_nm=0 must be between 7 and 130": (*LENET, "--set", "energy.node_nm=0"),
    "preset 'eie': energy: vdd=0 must be above 0 and at most 2 V, within the fit of 45 nm": (
        *LENET, "--set", "energy.vdd=0"),
    "preset 'eie': energy: vdd=99 must be above 0 and at most 2 V, within the fit of 45 nm": (
        *LENET, "--set", "energy.vdd=99"),
    "preset 'eie': energy: unknown energy table 'horowitz'; did you mean 'horowitz_45nm'? (known: ...)": (
        *LENET, "--set", "energy.table=horowitz"),
    "preset 'systolic': dataflow.stationary: Input should be 'os', 'ws' or 'is', not 'xs'": (
        *SYSTOLIC, "--set", "dataflow.stationary=xs"),
    "preset 'systolic': memories.dram: latency_ns=-1.0 must be at least 0": (
        *SYSTOLIC, "--set", "memories.dram.latency_ns=-1"),
    "preset 'systolic': memories.dram.bandwidth_bytes_per_cycle: is now bandwidth_gb_s, which no clock changes; 16 at "
    "500 MHz is bandwidth_gb_s=8": (
        *SYSTOLIC, "--set", "memories.dram.bandwidth_bytes_per_cycle=16", "--set", "clock_mhz=500"),
    "preset 'systolic': memories.dram.latency_cycles: is now latency_ns, which no clock changes; 40 at 800 MHz is "
    "latency_ns=50": (*SYSTOLIC, "--set", "memories.dram.latency_cycles=40", "--set", "clock_mhz=800"),
    "preset 'systolic': dataflow.output_bits: is no field any more: a map is as wide as the network's codes; choose "
    "that with --precision activations=BITS": (*SYSTOLIC, "--set", "dataflow.output_bits=32"),
    "preset 'systolic': memories.input_sram: fill_bytes_per_cycle=0 must be at least 0.001: nothing passes ...": (
        *SYSTOLIC, "--set", "memories.input_sram.fill_bytes_per_cycle=0"),
    "preset 'systolic': memories: a circle of levels filled from each other: input_sram <- input_sram": (
        *SYSTOLIC, "--set", "memories.input_sram.source=input_sram"),
    "preset 'systolic': memories: level 'input_sram' is filled from 'weight_sram', which holds no inputs": (
        *SYSTOLIC, "--set", "memories.input_sram.source=weight_sram"),
    "dataflow 'systolic' reads plain weights: take weights out of `compressed` of level 'weight_sram' ...": (
        *SYSTOLIC, "--set", "memories.weight_sram.compressed=[weights]"),
    "mapping.keep_maps: inputs come into level 'input_sram', outputs leave from 'output_sram': expected ...": (
        *SYSTOLIC, "--set", "mapping.keep_maps=true"),
    "preset 'systolic': mapping: layers.conv1.order: expected groups, pixels, filters, k once each, outermost first": (
        *SYSTOLIC, "--set", "mapping.layers={conv1: {order: [k]}}"),
    "preset 'systolic': mapping: layers.conv1.tiles.k: expected a number of elements from 1 on, not 0": (
        *SYSTOLIC, "--set", "mapping.layers={conv1: {tiles: {k: 0}}}"),
    "layer 'conv1': mapping.layers.conv1: order pixels filters k groups cannot be played, expected ...": (
        *SYSTOLIC, "--set", "mapping.layers={conv1: {order: [pixels, filters, k, groups]}}"),
    "layer 'conv1': mapping.layers.conv1: this dataflow cuts groups and pixels alone, not k": (
        *LENET, "--set", "mapping.layers={conv1: {tiles: {k: 4}}}"),
    "layer 'conv1': MAC unit 'conventional': 8x8-bit operands do not fit any mode ...": (
        *LENET, "--set", "mac.activation_bits=4"),
    "preset 'eie': memories.spmat: capacity_kib=0.0001: no SRAM macro of 0.1024 B x 64 b in the table (CACTI 7.0, "
    "45 nm, itrs-lstp, 1rw); nearest possible ...": (*LENET, "--set", "memories.spmat.capacity_kib=0.0001"),
    "preset 'eie': memories.act: capacity_bytes=1 must be at least 2: a word has 16 bits": (
        *LENET, "--set", "memories.act={name: register_file, level: act, capacity_bytes: 1, holds: [inputs, outputs]}"),
    "layer 'conv1' cannot fit: its smallest tile needs 128 bytes of weights at once, level 'spmat' holds 4 (2 slots); "
    "raise its capacity_bytes to at least 4": (*LENET, "--set", TINY),
    "layer 'conv1' cannot fit: its smallest tile needs 168 bytes of inputs at once, level 'input_sram' holds 10 (2 "
    "slots); raise its capacity_bytes to at least 336": (*SYSTOLIC, "--set",
        "memories.input_sram={name: register_file, level: input_sram, capacity_bytes: 20, slots: 2, per_lane: false, "
        "holds: [inputs]}"),
    "precision.layers: expected a mapping of layer names to weights and activations": (
        *LENET, "--precision", "layers=5", "--precision", "layers.fc1.weights=4"),
    "precision.layers.fc1: expected weights and activations, not 3": (
        *LENET, "--precision", "layers={fc1: 3}", "--precision", "layers.fc1.weights=4"),
    "unknown network 'lenet'; did you mean 'lenet5'? (known: ...); or give a network file (...)": (
        "show", "network", "lenet"),
    "unknown hardware 'ei'; did you mean 'eie'? (known: ...); or give a ...": ("show", "hardware", "ei"),
    "--forward fast: expected integer or float": ("stats", "lenet5", "--forward", "fast"),
    "unknown experiment 'eie_isca'; did you mean 'eie_isca16'? (known: ...)": ("experiment", "eie_isca"),
}  # fmt: skip


def matches(expected: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), text) is not None


@pytest.mark.parametrize("text", ARGUMENTS)
def test_arguments(text, refused):
    found = refused(*ARGUMENTS[text])
    assert matches(text, found), found


@pytest.mark.parametrize("command", [(), ("bogus",), ("list", "nets"), ("show", "layers", "x"), ("run", "--bogus")])
def test_the_parser_refuses_in_one_line_too(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(*command)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"accel-sim.*: .* \(see 'accel-sim.* --help'\)", done.line)


#: what nobody can build or time, in a field of the right type
OUT_OF_RANGE = [
    "memories.dram.bandwidth_gb_s=1e-9", "memories.dram.bandwidth_gb_s=1e400",
    "memories.dram.latency_ns=99999999999999999999", "array.rows=99999999999", "clock_mhz=1e400",
    "memories.spmat.capacity_kib=1e400", "dataflow.queue_depth=99999999999", "dataflow.scan_width=99999999999999999999",
    "energy.leakage_mw_per_lane=1e400", "post.pj_per_op=1e400",
]  # fmt: skip


@pytest.mark.parametrize("setting", OUT_OF_RANGE)
def test_sizes_beyond_reason_are_refused_by_name(setting, refused):
    field = setting.split("=")[0].split(".")[-1]
    assert field in refused(*LENET, "--set", setting)


def test_a_batch_beyond_reason_is_refused(refused):
    assert "batch" in refused(*LENET, "--batch", "100000000000")


@pytest.mark.parametrize("setting", ["array.rows=true", "mac.zero_operand_gating=3", "name=", "description=[1, 2]"])
def test_a_value_of_another_type_is_refused_by_name(setting, refused):
    assert refused(*LENET, "--set", setting).startswith(f"preset 'eie': {setting.split('=')[0]}")


def test_a_wrong_unit_is_one_mistake_not_two(refused):
    assert refused(*LENET, "--set", "memories.spmat.capacity_kib=128 KB") == (
        "preset 'eie': memories.spmat.capacity_kib: '128 KB' is no quantity in B or KiB or MiB or GiB"
    )


@pytest.mark.parametrize("name", ["mac", "post", "queue", "accumulator", "register", "codebook", "zero_point"])
def test_a_memory_level_may_not_take_the_name_of_another_component(name, refused):
    """Its accesses would be priced as that component's."""
    assert f"'{name}'" in refused(*LENET, "--set", f"memories.act.level={name}")


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        (("memories.ptr.capacity_kib=128 B", "memories.ptr.slots=100"), "ptr"),
        (("memories.act.capacity_kib=64 B", "memories.act.slots=50", "memories.spmat.capacity_kib=0.3"), "act"),
    ],
)
def test_a_layer_that_cannot_fit_names_the_level_that_is_too_small(settings, level, refused):
    command = ("run", "lenet_300_100", "eie", "--layers", "fc1")
    text = refused(*command, *(word for setting in settings for word in ("--set", setting)))
    assert text.startswith("layer 'fc1' cannot fit: ")
    assert f"level '{level}' holds" in text


def hardware(change) -> str:
    tree = to_tree(load_hardware("eie"))
    change(tree)
    return yaml.safe_dump(tree, sort_keys=False)


FILES = {
    f"expected a mapping of {KEYS}": "",
    f"expected a mapping of {KEYS} ": "- name: eie\n",
    " line 2: broken YAML: did not find expected node content": "array: [\n",
    " line 3: broken YAML: key 'clock_mhz' is given twice": "name: a\nclock_mhz: 1\nclock_mhz: 2\n",
    " line 1: broken YAML: key 'rows' is given twice": "array: {rows: 4, rows: 8}\n",
    " line 1: broken YAML: found character that cannot start any token": "\tname: a\n",
    " line 1: broken YAML: could not determine a constructor for the tag ...": "a: !!python/object:os.system x\n",
    " line 1: broken YAML: found unconstructable recursive node": "a: &a [*a]\n",
    " line 1: broken YAML: exceeded maximum nesting depth": "[" * 3000,
    " line 2: broken YAML: but found another document": "--- 1\n--- 2\n",
    ": broken YAML: unacceptable character #x0000: control characters are not allowed": "\0",
    ": cannot read hardware description: is no UTF-8 text": b"name: \xff",
    f": unknown key 'aray'; did you mean 'array'? (known: {KEYS}); array: is missing": hardware(
        lambda tree: tree.update(aray=tree.pop("array"))
    ),
    ": clock_mhz=0 must be positive": hardware(lambda tree: tree.update(clock_mhz=0)),
    ": encodings: expected a mapping with weights (and inputs and outputs, where maps lie encoded)": hardware(
        lambda tree: tree.update(encodings=None)
    ),
    ": mac: expected a mapping with a name (one of ...)": hardware(lambda tree: tree["mac"].pop("name")),
    ": memories: expected a list of levels, outermost first": hardware(lambda tree: tree.update(memories=[])),
    ": memories: level 'act' is used twice": hardware(lambda tree: tree["memories"][1].update(level="act")),
    ": memories: no level holds outputs": hardware(lambda tree: tree["memories"][3].update(holds=["inputs"])),
    ": memories: inputs end in 'spmat' and in 'act', expected one level": hardware(
        lambda tree: (
            tree["memories"][1].update(holds=["inputs", "weights"]),
            tree["memories"][3].update(source="dram"),
        )
    ),
    ": memories: the first level must serve requests (such as flat)": hardware(lambda tree: tree["memories"].pop(0)),
    ": mac: accumulator_bits=16 must hold a product of 16x16 bits and be at most 62": hardware(
        lambda tree: tree["mac"].update(accumulator_bits=16)
    ),
    ": encodings.weights: index_bits=17 is outside 1..16": hardware(
        lambda tree: tree["encodings"]["weights"].update(index_bits=17)
    ),
}


@pytest.mark.parametrize("text", FILES)
def test_hardware_files(text, refused, tmp_path):
    data = FILES[text]
    (tmp_path / "m.yaml").write_bytes(data if isinstance(data, bytes) else data.encode())
    found = refused("run", "lenet5", "m.yaml")
    assert matches("m.yaml: " + text.strip() if text.startswith("expected") else "m.yaml" + text, found), found


@pytest.mark.parametrize("text", ["? [a]\n: b\n", "{[a]: 3}\n", "? {a: b}\n: c\n"])
def test_a_key_that_is_no_name_is_broken_yaml(text, refused, tmp_path):
    (tmp_path / "m.yaml").write_text(text)
    assert refused("run", "lenet5", "m.yaml").startswith("m.yaml line 1: broken YAML: ")


def test_all_mistakes_of_a_file_are_named_at_once(refused, tmp_path):
    def spoil(tree):
        tree["array"]["rows"] = -64
        tree["mac"]["name"] = "convetional"
        tree["dataflow"]["queue_dept"] = 8
        tree["encodings"]["weights"]["index_bits"] = 0
        tree["memories"][1]["capacity_kib"] = -1
        tree["memories"][2]["word_bits"] = "wide"
        tree["post"]["lanes"] = 0
        tree["clock_mhz"] = "1 GB"

    (tmp_path / "m.yaml").write_text(hardware(spoil))
    found = refused("run", "lenet5", "m.yaml").removeprefix("m.yaml: ").split("; ")
    for start in (
        "array: rows=-64 must", "mac.name: unknown MAC unit", "dataflow.queue_dept: unknown key 'queue_dept'",
        "encodings.weights: index_bits=0 is", "memories.spmat: capacity_kib=-1 must",
        "memories.ptr.word_bits: expected a number", "post: lanes=0 must", "clock_mhz: '1 GB' is",
    ):  # fmt: skip
        assert [part for part in found if part.startswith(start)], start


def edited(**changes):
    return lambda config: {**config, "run": {**config["run"], **changes}}


CONFIGS = {
    "expected the sections run and hardware, as in a run's config.yaml": lambda config: {"run": config["run"]},
    "run: unknown key 'sed'; did you mean 'seed'? (known: ...)": edited(sed=1),
    "run.network: is missing": edited(network=None),
    "run.network: expected str, not 5": edited(network=5),
    "run.batch: expected int, not 1.5": edited(batch=1.5),
    "run.check: expected bool, not 'yes'": edited(check="yes"),
    "run.seed: expected int, not None": edited(seed=None),
    "run.layers: expected str, not None": edited(layers=None),
    "array: expected a mapping of rows, cols": lambda config: {
        **config,
        "hardware": {**config["hardware"], "array": 3},
    },
}


@pytest.mark.parametrize("text", CONFIGS)
def test_config_files(text, refused, runs, tmp_path):
    config = yaml.safe_load((runs["lenet5", "eie"] / "config.yaml").read_text())
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(CONFIGS[text](config)))
    found = refused("run", "--config", "c.yaml")
    assert matches("c.yaml: " + text, found), found


@pytest.mark.parametrize(
    ("option", "name"), [(("--seed", "3"), "seed"), (("--check",), "check"), (("lenet5",), "network")]
)
def test_a_config_and_an_argument_may_not_say_the_same_thing(option, name, refused, runs):
    config = runs["lenet5", "eie"] / "config.yaml"
    assert refused("run", *option, "--config", config) == f"--config holds {name} already: give one or the other"


def test_stats_refuses_a_negative_seed_as_run_does(refused):
    assert refused("stats", "lenet5", "--seed", "-1") == "seed=-1 must not be negative"


def test_a_failed_run_leaves_an_earlier_result_as_it_was(ends, runs, tmp_path):
    import shutil

    shutil.copytree(runs["lenet5", "eie"], tmp_path / "r")
    ends(2, *LENET, "--set", TINY)
    assert results(tmp_path / "r") == results(runs["lenet5", "eie"])
