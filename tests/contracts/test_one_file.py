"""A new MAC unit, dataflow, encoding, memory, network or preset is one file and no other edit."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from accel_sim.machine.config import load_hardware, to_tree
from accel_sim.parts import dataflows, macs, memories
from accel_sim.results import plots
from accel_sim.shell import cli
from workloads import InputError
from workloads.encoding import encodings
from workloads.network import networks

MAC = """
from dataclasses import dataclass

from accel_sim.values.actions import Actions
from accel_sim.macs.unit import MacUnit, Mode, constant_cost
from accel_sim.parts import macs


@macs.add("half_price")
@dataclass(frozen=True)
class HalfPrice(MacUnit):
    width_bits: int = 9
    accumulator_bits: int | None = 24

    @property
    def modes(self):
        product = 2 * self.width_bits
        return (Mode(self.width_bits, self.width_bits, product_bits=product, sum_bits=self.sum_bits(product)),)

    def cost(self, mode, a_signed=True, w_signed=True):
        return constant_cost(mode, a_signed)

    def products(self, a, w, mode, a_signed=True, w_signed=True):
        return (a * w).sum(axis=-1)

    def actions(self, issued, effectual, mode=None, cycles=None):
        return Actions({("mac", "mult", self.width_bits): issued})
"""
DATAFLOW = '''
from dataclasses import dataclass, replace

from accel_sim.dataflows.folded.systolic import Systolic
from accel_sim.parts import dataflows


@dataflows.add("two_thirds")
@dataclass(frozen=True)
class TwoThirds:
    """A systolic array of which every third row is dark."""

    stationary: str = "os"

    def mode(self, mac, operands):
        return Systolic().mode(mac, operands)

    def tiles(self, layer, operands, rows, cols, mac, buffers, encodings, placement, mapper):
        inner = Systolic(self.stationary)
        tiled = inner.tiles(layer, operands, rows * 2 // 3, cols, mac, buffers, encodings, placement, mapper)
        return _Dark(tiled, (rows - rows * 2 // 3) * cols)


@dataclass(frozen=True)
class _Dark:
    tiled: object
    lanes: int

    @property
    def facts(self):
        return self.tiled.facts

    @property
    def nest(self):
        return self.tiled.nest

    def __iter__(self):
        for tile in self.tiled:
            work = replace(tile.work, lanes=tile.work.lanes + self.lanes)
            yield replace(tile, work=work)

    def execute(self, *arguments):
        return self.tiled.execute(*arguments)
'''
ENCODING = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.encoding import Decoded, Encoded, Encoding, Part, encodings, pack, unpack


@encodings.add("coordinates")
@dataclass(frozen=True)
class Coordinates(Encoding):
    """Each entry is a code and its place in the slice."""

    place_bits: int = 10
    parts: ClassVar = (Part("payload", "entry"), Part("index", "entry"))

    def entries(self, slices):
        return slices.kept.sum(axis=1, dtype=np.int32)

    def bits(self, slices, entries):
        return {"payload": entries * slices.symbol_bits, "index": entries * self.place_bits}

    def encode(self, slices):
        which, places = np.nonzero(slices.kept)
        field = slices.symbols[which, places] | places.astype(np.uint32) << np.uint32(slices.symbol_bits)
        stream = pack(field, slices.symbol_bits + self.place_bits)
        return Encoded(stream, self.entries(slices), slices.length, slices.symbol_bits)

    def decode(self, encoded):
        field = unpack(encoded.stream, encoded.symbol_bits + self.place_bits, int(encoded.entries.sum()))
        places = (field >> np.uint32(encoded.symbol_bits)).astype(np.int32)
        return Decoded(field & np.uint32((1 << encoded.symbol_bits) - 1), places, encoded.entries)
'''
MEMORY = '''
from dataclasses import dataclass

from accel_sim.values.actions import Actions
from accel_sim.parts import memories


@memories.add("bursts")
@dataclass(frozen=True)
class Bursts:
    """Whole bursts of 64 bytes, four cycles each."""

    level: str = "dram"

    def peak_bytes_per_cycle(self, clock_mhz):
        return 16

    def idle_latency(self, clock_mhz):
        return 20

    def new_state(self, clock_mhz):
        return {"free": 0, "waiting": []}

    def submit(self, state, ticket, time, extents, is_write):
        begin = max(time, state["free"])
        count = sum(e.count * (-(-(e.address % 64 + e.bytes) // 64)) for e in extents)
        state["free"] = begin + 4 * count
        state["waiting"].append((ticket, begin, state["free"], state["free"] + 20))

    def advance(self, state, limit):
        waiting = state["waiting"]
        if not waiting or (limit is not None and waiting[0][3] > limit):
            return []
        first = [each for each in waiting if each[3] == waiting[0][3]]
        del waiting[: len(first)]
        return first

    def actions(self, state, time):
        return Actions()

    def price(self, action, bits, table):
        return 20.0 * bits, "of a test"
'''
NETWORK = """
from workloads.network import networks
from workloads.networks.builder import Builder


@networks.add("pair")
def pair():
    net = Builder("pair", (2, 9, 9))
    net.conv("first", 12, 3, pad=1)
    net.pool("pool", "max", 2, 2)
    net.fc("last", 10, act=None)
    return net.network()
"""
#: kind -> (name, text, settings that put it into a preset, network, preset)
PARTS = {
    "macs": ("half_price", MAC, ["mac={name: half_price}"], "lenet_300_100", "systolic"),
    "dataflows": ("two_thirds", DATAFLOW, ["dataflow={name: two_thirds}"], "lenet_300_100", "systolic"),
    "encodings": ("coordinates", ENCODING, ["encodings.weights={name: coordinates}"], "lenet_300_100", "eie"),
    "memories": ("bursts", MEMORY, ["memories.dram={name: bursts}"], "lenet_300_100", "eie"),
    "networks": ("pair", NETWORK, [], "pair", "eie"),
}  # fmt: skip


@pytest.fixture
def plugins(tmp_path, monkeypatch) -> Path:
    """A folder of a user's own parts; the registries forget them after the test."""
    folder = tmp_path / "parts"
    folder.mkdir()
    monkeypatch.setenv("ACCEL_SIM_PLUGINS", str(folder))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "write", lambda folder: [])
    for registry in (macs, dataflows, encodings, memories, networks):
        registry.names()
        monkeypatch.setattr(registry, "_parts", dict(registry._parts))
        monkeypatch.setattr(registry, "_complete", False)
    yield folder
    for name in [name for name in sys.modules if name.startswith("accel_sim_plugin_")]:
        del sys.modules[name]


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_in_one_file_is_listed_and_runs(kind, plugins, capsys):
    name, text, settings, network, preset = PARTS[kind]
    (plugins / f"{name}.py").write_text(text)
    assert run("list", kind) == 0
    assert name in capsys.readouterr().out.splitlines()
    options = [word for setting in settings for word in ("--set", setting)]
    assert run("run", network, preset, *options, "--check", "--quiet", "--out", "r") == 0
    summary = json.loads(Path("r/summary.json").read_text())
    assert summary["check"]["passed"]
    config = yaml.safe_load(Path("r/config.yaml").read_text())
    assert name in repr(config)
    assert run("run", "--config", "r/config.yaml", "--quiet", "--out", "again") == 0
    for file in ("layers.csv", "cycles.csv", "actions.csv", "summary.json", "config.yaml", "provenance.json"):
        assert Path("again", file).read_bytes() == Path("r", file).read_bytes()


@pytest.mark.parametrize("kind", PARTS)
def test_a_wrong_name_of_a_part_of_yours_gets_the_right_one(kind, plugins, capsys):
    name, text, settings, network, preset = PARTS[kind]
    (plugins / f"{name}.py").write_text(text)
    options = [word for setting in settings for word in ("--set", setting.replace(name, name[:-1]))]
    assert run("run", network if settings else name[:-1], preset, *options, "--out", "r") == 2
    assert f"unknown {kind_of(kind)} '{name[:-1]}'; did you mean '{name}'?" in capsys.readouterr().err


def kind_of(kind: str) -> str:
    registries = {"macs": macs, "dataflows": dataflows, "encodings": encodings, "memories": memories}
    return registries.get(kind, networks).kind


#: what a dataflow of one's own says when its array does something that no kind of work says
WORK = """
from accel_sim.values.causes import Cause, Slots
from accel_sim.values.work import Timed, UNMAPPED


@dataclass(frozen=True)
class Halted:
    \"\"\"Another kind of work, after which all lanes rest for as long.\"\"\"

    inner: object
    of_array = True

    def time(self, lanes):
        timed = self.inner.time(lanes)
        return Timed(2 * timed.cycles, Slots(timed.causes + Slots({UNMAPPED: lanes * timed.cycles})), timed.stalled)
"""


def test_a_kind_of_work_in_one_file_takes_the_time_it_says(plugins):
    """The array's own cycles double, and every other figure of the products stays."""
    halted = DATAFLOW.replace("work=work)", "work=Halted(work))").replace('"two_thirds"', '"halted"')
    (plugins / "two_thirds.py").write_text(DATAFLOW)
    (plugins / "halted.py").write_text(halted + WORK)
    for name in ("two_thirds", "halted"):
        command = ("lenet_300_100", "systolic", "--set", f"dataflow={{name: {name}}}", "--check", "--quiet")
        assert run("run", *command, "--out", name) == 0
    once, twice = (pd.read_csv(f"{name}/layers.csv") for name in ("two_thirds", "halted"))
    assert (twice.array_cycles == 2 * once.array_cycles).all()
    assert (twice.macs_issued == once.macs_issued).all() and (twice.macs_effectual == once.macs_effectual).all()


@pytest.mark.slow
def test_a_machine_in_one_file_has_all_of_them(plugins, tmp_path):
    """In a fresh process: five parts, a preset of them by path, and nothing else."""
    for name, text, *_ in PARTS.values():
        (plugins / f"{name}.py").write_text(text)
    tree = to_tree(load_hardware("systolic"))
    tree |= {"name": "mine", "description": "a machine of a test", "mac": {"name": "half_price"}}
    tree |= {"dataflow": {"name": "two_thirds", "stationary": "ws"}}
    tree["memories"][0] = {"name": "bursts", "level": "dram"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(tree))
    command = [sys.executable, "-m", "accel_sim", "run", "pair", "mine.yaml", "--check", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), text=True, capture_output=True, check=True)
    summary = json.loads(done.stdout)
    assert (summary["network"], summary["hardware"], summary["out"]) == ("pair", "mine", "runs/pair-mine")
    assert summary["check"] == {"passed": True, "layers": 2, "overflows": 0}
    slots = pd.read_csv(tmp_path / "runs/pair-mine/cycles.csv").groupby("layer").lane_slots.sum()
    layers = pd.read_csv(tmp_path / "runs/pair-mine/layers.csv").set_index("layer")
    assert (slots[layers.index] == layers.cycles * 1024).all()
    actions = pd.read_csv(tmp_path / "runs/pair-mine/actions.csv")
    assert set(actions[actions.component == "dram"].source) == {"of a test"}


def test_a_unit_that_counts_what_nothing_prices_is_refused_when_it_is_loaded(plugins):
    (plugins / "half_price.py").write_text(MAC.replace('("mac", "mult"', '("lookup", "read"'))
    with pytest.raises(InputError) as held:
        load_hardware("systolic", {"mac.name": "half_price"})
    assert str(held.value) == (
        "preset 'systolic': mac: MAC unit 'half_price': nothing prices lookup.read of 9 bits (known: mac.add, "
        "mac.float_add, mac.float_mult, mac.mult, register, queue, accumulator, codebook, post, dram, input_sram, "
        "weight_sram, output_sram, input_sram_noc, weight_sram_noc, output_sram_noc)"
    )


def test_a_taken_name_is_an_error(plugins):
    """Also of a class that happens to have the same name as the one that is there."""
    from workloads.encodings.dense import Dense

    for part in (dataclass(frozen=True)(type(name, (Dense,), {})) for name in (Dense.__name__, "Other")):
        with pytest.raises(ValueError, match=r"^encoding 'dense' is registered twice$"):
            encodings.add("dense")(part)
    assert encodings.get("dense") is Dense


@pytest.mark.parametrize("text", ["def broken(:", "import nowhere_to_be_found", "1 / 0"])
def test_a_plugin_that_does_not_load_is_named_in_one_line(text, plugins, capsys):
    (plugins / "mine.py").write_text(text)
    assert run("list", "macs") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "mine.py" in error


def test_a_plugin_folder_that_is_not_there_is_named(plugins, capsys, monkeypatch):
    monkeypatch.setenv("ACCEL_SIM_PLUGINS", "nowhere")
    assert run("list", "macs") == 2
    assert capsys.readouterr().err == "accel-sim list: ACCEL_SIM_PLUGINS: 'nowhere' is no directory\n"


UNFINISHED = {
    "MAC unit 'half_price' is no frozen dataclass": ("macs", ("@dataclass(frozen=True)\n", "")),
    "MAC unit 'half_price' has no cost": ("macs", ("    def cost(", "    def costs(")),
    "dataflow 'two_thirds' has no mode": ("dataflows", ("    def mode(", "    def modes(")),
    "dataflow 'two_thirds' is no frozen dataclass": ("dataflows", ('")\n@dataclass(frozen=True)', '")\n@dataclass')),
    "memory 'bursts' has no advance": ("memories", ("    def advance(", "    def advanced(")),
    "encoding 'coordinates' is no frozen dataclass": ("encodings", ("@dataclass(frozen=True)\n", "")),
    "encoding 'coordinates' has no decode": ("encodings", ("    def decode(", "    def decodes(")),
    "encoding 'coordinates' has no bits": ("encodings", ("    def bits(", "    def bit(")),
    "encoding 'coordinates' has no parts": ("encodings", ("    parts: ClassVar =", "    part: ClassVar =")),
    "encoding 'coordinates' is no subclass of workloads.encoding.Encoding": ("encodings", ("(Encoding):", ":")),
    "encoding 'coordinates': encode: a stream of 126 bits, its parts take 140 (payload 40, index 100)": (
        "encodings", ("pack(field,", "pack(field[1:],")),
    "encodings.weights: encoding 'coordinates': decodes to other codes than were encoded": (
        "encodings", ("Decoded(field &", "Decoded(field * 0 &")),
    "encoding 'coordinates': encode: bits: expected a mapping of payload, index to the bits of each slice": (
        "encodings", ('"index": entries', '"mask": entries')),
    "encoding 'coordinates': encode: bits: index is not [slices] integers": (
        "encodings", ('"index": entries *', '"index": 1.0 * entries *')),
    "encoding 'coordinates': part 'index' is not of one size in slices of one length: it is not fixed by 'slice'": (
        "encodings", ('Part("index", "entry")', 'Part("index", "slice")')),
    ": ValueError: part 'indices', fixed='entry': expected payload, index, mask,": (
        "encodings", ('Part("index", "entry")', 'Part("indices", "entry")')),
    "encoding 'coordinates': entries: expected [slices] integers": ("encodings", ("sum(axis=1,", "sum(axis=0,")),
    "encoding 'coordinates': AttributeError: 'NoneType' object has no attribute 'entries'": (
        "encodings", ("return Decoded(field", "Decoded(field")),
    "parts/coordinates.py line 32: AttributeError: 'Coordinates' object has no attribute 'nothing'": (
        "encodings", ("places = (field", "places = self.nothing, (field")),
    "MAC unit 'half_price': nothing prices mac.mult3 of 9 bits": ("macs", ('("mac", "mult"', '("mac", "mult3"')),
    "MAC unit 'half_price': nothing prices multiplier.mult of 9 bits": (
        "macs", ('("mac", "mult"', '("multiplier", "mult"')),
    "lane-slots do not add up": ("dataflows", ("lanes=tile.work.lanes + self.lanes", "lanes=tile.work.lanes")),
    "parts/half_price.py line 17: AttributeError: 'HalfPrice' object has no attribute 'nothing'": (
        "macs", ("product = 2 * self.width_bits", "product = self.nothing")),
}  # fmt: skip


@pytest.mark.parametrize("text", UNFINISHED)
def test_an_unfinished_part_is_named_in_one_line(text, plugins, capsys):
    kind, change = UNFINISHED[text]
    name, whole, settings, network, preset = PARTS[kind]
    assert change[0] in whole
    (plugins / f"{name}.py").write_text(whole.replace(*change, 1))
    options = [word for setting in settings for word in ("--set", setting)]
    assert run("run", network, preset, *options, "--quiet", "--out", "r") == 2
    said = capsys.readouterr().err
    assert text in said and name in said and said.count("\n") == 1


def test_an_encoding_that_keeps_to_its_parts_in_short_slices_alone_is_named_in_a_checked_run(plugins, capsys):
    """Filters have 784, 300 and 100 weights; those that a machine is tried on up to 16."""
    name, whole, settings, network, _ = PARTS["encodings"]
    wrong = whole.replace("pack(field,", "pack(field[slices.length > 20 :],")
    (plugins / f"{name}.py").write_text(wrong)
    options = ["--set", settings[0], "--quiet", "--out", "r"]
    assert run("run", network, "systolic", *options) == 0
    capsys.readouterr()
    assert run("run", network, "systolic", *options, "--check") == 2
    said = capsys.readouterr().err
    assert "encoding 'coordinates': a stream of " in said and said.count("\n") == 1


def test_what_a_part_is_asked_for_is_what_its_protocol_says():
    """The names that registration looks for are methods of the protocol, and the shipped parts have all of them."""
    from accel_sim.dataflows import dataflow
    from accel_sim.interconnects import interconnect
    from accel_sim.macs import unit as mac_unit
    from accel_sim.memories import memory
    from accel_sim.memories.on_chip import OnChip

    for names, kind in (
        (mac_unit.ASKED, mac_unit.MacUnit), (dataflow.ASKED, dataflow.Dataflow), (memory.OUTERMOST, memory.Memory),
        (interconnect.ASKED, interconnect.Interconnect), (memory.ON_CHIP, OnChip),
    ):  # fmt: skip
        assert [name for name in names if not hasattr(kind, name) and name not in kind.__annotations__] == []
