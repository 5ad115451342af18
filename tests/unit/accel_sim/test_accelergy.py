"""ERT and ART are read as Accelergy means them, written so that they are read again, and refused in one line."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.energy.accelergy import MOST_BYTES, MOST_ENTRIES, Ert, base_name, read_art
from accel_sim.energy.table import EnergyTable, price
from accel_sim.host import yaml_io
from accel_sim.results.accelergy import accelergy_names, action_counts, art, ert
from accel_sim.values.actions import Actions
from workloads import InputError, load_network

#: as Accelergy 0.4 writes it: index ranges, entries told apart by arguments, none or null or {} of them, leak
PUBLISHED = """
ERT:
  version: '0.4'
  tables:
  - name: system_top.chip.PE[0..63].mac[1..1]
    actions:
    - name: add
      arguments:
        width: 32
      energy: 0.125
    - name: add
      arguments: {width: 8}
      energy: 3.0e-2
    - name: mult
      arguments: {}
      energy: 2
    - {name: leak, arguments: {}, energy: 0.5}
  - name: system_top.chip.glb[1..1]
    actions:
    - name: read
      arguments: {address_delta: 0, data_delta: 1}
      energy: 7.5
    - name: read
      arguments: {address_delta: 1, data_delta: 1}
      energy: 9.5
    - name: write
      energy: 6.0
      arguments: {width: 64}
    - name: write
      arguments: null
      energy: 4.0
"""
#: as 0.2 wrote it: mappings by name
OLD = """
ERT:
  tables:
    chip.PE[0..7].mac:
      idle: {arguments: null, energy: 0}
      add: {energy: 1.5}
    chip.glb:
      read:
      - {arguments: {width: 8}, energy: 2}
      - {arguments: {width: 16}, energy: 3.5}
  version: 0.2
"""


@pytest.fixture
def read(tmp_path):
    def parse(text: str | bytes, name: str = "ERT.yaml") -> Ert:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return Ert.read(tmp_path / name)

    return parse


@pytest.mark.parametrize(
    ("component", "action", "bits", "energy", "entry"),
    [
        ("mac", "add", 32, 0.125, "system_top.chip.PE[0..63].mac[1..1] add(width=32)"),
        ("mac", "add", 8, 0.03, "system_top.chip.PE[0..63].mac[1..1] add(width=8)"),
        ("mac", "add", 0, 0.125, "system_top.chip.PE[0..63].mac[1..1] add(width=32)"),  # no width: the first
        ("mac", "mult", 9, 2.0, "system_top.chip.PE[0..63].mac[1..1] mult(), taken for 9 bits"),
        ("mac", "leakage", 0, 0.5, "system_top.chip.PE[0..63].mac[1..1] leak()"),
        ("mac", "background", 0, 0.5, "system_top.chip.PE[0..63].mac[1..1] leak()"),
        ("glb", "read", 64, 7.5, "system_top.chip.glb[1..1] read(address_delta=0, data_delta=1), taken for 64 bits"),
        ("glb", "write", 64, 6.0, "system_top.chip.glb[1..1] write(width=64)"),
        ("glb", "write", 8, 4.0, "system_top.chip.glb[1..1] write(), taken for 8 bits"),
        ("glb", "write", 0, 4.0, "system_top.chip.glb[1..1] write()"),
    ],
)
def test_a_published_table(read, component, action, bits, energy, entry):
    assert read(PUBLISHED).price(component, action, bits) == (energy, f"ERT ERT.yaml: {entry}")


def test_a_table_of_version_02(read):
    table = read(OLD)
    assert table.price("mac", "add", 16) == (1.5, "ERT ERT.yaml: chip.PE[0..7].mac add(), taken for 16 bits")
    assert table.price("mac", "idle", 0)[0] == 0
    assert table.price("glb", "read", 16) == (3.5, "ERT ERT.yaml: chip.glb read(width=16)")


@pytest.mark.parametrize("version", ["0.2", "0.3", "0.4", "'0.2'", "'0.3'", "'0.4'"])
def test_versions(read, version):
    assert read(PUBLISHED.replace("'0.4'", version)).price("mac", "add", 8)[0] == 0.03


def test_base_names():
    assert base_name("mac") == base_name("system.chip.PE[0..63].mac") == base_name("a.mac[1..2][3]") == "mac"
    assert base_name("a.b[0..3].") == base_name("[1..2]") == ""


MISSES = {
    ("mca", "add", 8): "no energy for action 'add' of component 'mca' (8 bits): no table is named 'mca'; did you mean "
    "'mac'? (known: mac, glb)",
    ("mac", "multiply", 8): "no energy for action 'multiply' of component 'mac' (8 bits): "
    "'system_top.chip.PE[0..63].mac[1..1]' has no action 'multiply'; did you mean 'mult'? (known: add, mult, leak)",
    ("mac", "add", 17): "no energy for action 'add' of component 'mac' (17 bits): "
    "'system_top.chip.PE[0..63].mac[1..1]' has no width 17 of 'add'; the nearest is 8 (known: 8, 32)",
    ("glb", "leakage", 0): "no energy for action 'leakage' of component 'glb': 'system_top.chip.glb[1..1]' has no "
    "action 'leak' (known: read, write); 0 in energy.leakage_mw_per_mm2 and null in background_mw leaves it out",
}


@pytest.mark.parametrize("key", MISSES)
def test_what_is_not_in_the_table(read, key):
    table = read(PUBLISHED)
    with pytest.raises(InputError) as error:
        table.price(*key)
    assert str(error.value) == f"{table.path}: {MISSES[key]}"


def test_two_tables_of_one_name_are_told_only_when_it_is_asked_for(read):
    table = read(PUBLISHED.replace("chip.glb[1..1]", "chip.io.mac"))
    assert table.entries
    with pytest.raises(
        InputError, match=r"both 'system_top.chip.PE\[0..63\].mac\[1..1\]' and 'system_top.chip.io.mac'"
    ):
        table.price("mac", "add", 8)


def test_an_area_table(tmp_path):
    path = tmp_path / "ART.yaml"
    path.write_text(
        "ART:\n  version: 0.4\n  tables:\n  - {name: 's.PE[0..3].mac', area: 12.5}\n  - {name: s.glb, area: 3}\n"
    )
    assert read_art(path) == {"mac": 12.5, "glb": 3.0}
    path.write_text("ART: {version: 0.4, tables: [{name: a.mac, area: 1}, {name: b.mac, area: 1}]}")
    with pytest.raises(InputError, match=r"ART.tables\[1\].name: component 'mac' is given twice"):
        read_art(path)


def entry(text: str) -> str:
    return f"ERT: {{version: 0.4, tables: [{{name: s.mac, actions: [{text}]}}]}}"


FIRST = "ERT.tables[0].actions[0]."
ENERGY = FIRST + "energy: expected a number of pJ from 0 to 1e+12, not "
BROKEN = {
    "": "expected the top key 'ERT'",
    "[1, 2]": "expected the top key 'ERT'",
    "ERT_summary: {version: 0.4}": "expected the top key 'ERT', not ERT_summary",
    "ERT: 3": "ERT: expected a mapping, not 3",
    "ERT: {tables: []}": "ERT.version: is missing (known: tables)",
    "ERT: {version: 0.4, table: []}": "ERT.tables: is missing; did you mean 'table'? (known: version, table)",
    "ERT: {version: 0.5, tables: []}": "ERT.version: expected one of 0.2, 0.3, 0.4, not 0.5",
    "ERT: {version: true, tables: []}": "ERT.version: expected one of 0.2, 0.3, 0.4, not True",
    "ERT: {version: [0.4], tables: []}": "ERT.version: expected one of 0.2, 0.3, 0.4, not a list",
    "ERT: {version: 0.4, tables: {a: {}}}": "ERT.tables: expected a list, as in version 0.4, not a dict",
    "ERT: {version: 0.4, tables: 7}": "ERT.tables: expected a list, not 7",
    "ERT: {version: 0.4, tables: [7]}": "ERT.tables[0]: expected a mapping, not 7",
    "ERT: {version: 0.4, tables: [{nam: a}]}": "ERT.tables[0].name: is missing; did you mean 'nam'? (known: nam)",
    "ERT: {version: 0.4, tables: [{name: 5, actions: []}]}":
        "ERT.tables[0].name: expected the name of a component, not 5",
    "ERT: {version: 0.4, tables: [{name: 'a.', actions: []}]}":
        "ERT.tables[0].name: expected the name of a component, not 'a.'",
    "ERT: {version: 0.4, tables: [{name: a}]}": "ERT.tables[0].actions: is missing (known: name)",
    "ERT: {version: 0.4, tables: [{name: a, actions: []}, {name: a, actions: []}]}":
        "ERT.tables[1].name: table 'a' is given twice",
    "ERT: {version: 0.2, tables: {a: 3}}": "ERT.tables.a: expected a mapping, not 3",
    "ERT: {version: 0.2, tables: {3: {}}}": "ERT.tables: expected names of components, not 3",
    "ERT: {version: 0.2, tables: {a: {r: [3]}}}": "ERT.tables.a.r[0]: expected a mapping, not 3",
    "ERT: {version: 0.2, tables: {a: {r: {}}}}": "ERT.tables.a.r.energy: is missing",
    entry("{energy: 1}"): FIRST + "name: is missing (known: energy)",
    entry("{name: [x], energy: 1}"): FIRST + "name: expected the name of an action, not a list",
    entry("{name: add}"): FIRST + "energy: is missing (known: name)",
    entry("{name: a, energy: -1}"): ENERGY + "-1",
    entry("{name: a, energy: .nan}"): ENERGY + "'.nan'",
    entry("{name: a, energy: 1e999}"): ENERGY + "inf",
    entry("{name: a, energy: !!float nan}"): ENERGY + "nan",
    entry("{name: a, energy: !!float .nan}"): ENERGY + "nan",
    entry("{name: a, energy: true}"): ENERGY + "True",
    entry("{name: a, energy: !!bool x}"): "broken YAML: a value does not fit its tag",
    entry("{name: a, energy: !!timestamp x}"): "broken YAML: a value does not fit its tag",
    entry("{name: a, energy: 1, arguments: [8]}"): FIRST + "arguments: expected a mapping, not a list",
    entry("{name: a, energy: 1, arguments: {1: 2}}"):
        FIRST + "arguments: expected names and plain values, not a dict",
    entry("{name: a, energy: 1, arguments: {width: 0}}"):
        FIRST + "arguments.width: expected a whole number of bits, not 0",
    entry("{name: a, energy: 1, arguments: {width: wide}}"):
        FIRST + "arguments.width: expected a whole number of bits, not 'wide'",
    entry("{name: a, energy: 1}, {name: a, energy: 2, arguments: {}}"):
        "ERT.tables[0].actions[1]: s.mac a() is given twice",
    entry("{name: a, energy: 1, energy: 2}"): " line 1: broken YAML: key 'energy' is given twice",
    "[" * 100_000: " line 1: broken YAML: exceeded maximum nesting depth",
    "ERT: !!python/object/apply:os.getcwd []":
        " line 1: broken YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.getcwd'",
    "a: {x: 1}\nb: {!!merge <<: {x: 2}}":
        " line 2: broken YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:merge'",
    b"ERT: \xff": "cannot read ERT: is no UTF-8 text",
}  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:50] if isinstance(text, str) else "bytes")
def test_broken_files(read, tmp_path, text):
    with pytest.raises(InputError) as error:
        read(text)
    expected = BROKEN[text]
    assert str(error.value) == f"{tmp_path / 'ERT.yaml'}{'' if expected.startswith(' line') else ': '}{expected}"


def test_what_is_no_file(tmp_path):
    for path, reason in ((tmp_path, "is no file"), (tmp_path / "x.yaml", "No such file or directory")):
        with pytest.raises(InputError) as error:
            Ert.read(path)
        assert str(error.value) == f"{path}: cannot read ERT: {reason}"
    with pytest.raises(InputError, match="cannot read ERT"):
        Ert.read(tmp_path / "a\0b.yaml")


def test_a_file_too_large_is_not_read(read):
    with pytest.raises(InputError, match=f"{MOST_BYTES + 1} bytes, at most {MOST_BYTES}"):
        read(b" " * (MOST_BYTES + 1))


def test_few_bytes_that_mean_too_many_entries_are_refused(read):
    many = ", ".join(f"{{name: r{i}, energy: 1}}" for i in range(300))
    tables = ", ".join(f"{{name: s.c{i}, actions: *a}}" for i in range(MOST_ENTRIES // 300 + 1))
    with pytest.raises(InputError, match=f"ERT.tables: more than {MOST_ENTRIES} entries"):
        read(f"A: &a [{many}]\nERT: {{version: 0.4, tables: [{tables}]}}")


names = st.text(st.characters(categories=["L", "N"], include_characters="_-"), min_size=1, max_size=8)
keys = st.tuples(
    names,
    names | st.sampled_from(["leakage", "background", "1e5", "null", "0o7", "yes"]),
    st.just(0) | st.integers(1, 4096),
)
tables = st.dictionaries(keys, st.floats(0, 1e12), min_size=1, max_size=12)


@given(tables)
def test_what_is_written_is_read_again_and_prices_the_same(tmp_path_factory, table):
    """Every action, whatever its name, at its own width, to the last bit."""
    written = accelergy_names(table)
    assert len(set(written.values())) == len(table)
    path = tmp_path_factory.mktemp("ert") / "ERT.yaml"
    path.write_text(
        yaml_io.dump({"ERT": ert(("system", "x"), {written[key]: pj for key, pj in table.items()})}), "utf-8"
    )
    energy, counts = EnergyTable(str(path)), Actions({key: 3 + i for i, key in enumerate(table)})
    rows = price(counts, energy, {}, None, {})
    assert {row[:3]: row[4] for row in rows} == table
    assert [row[5] for row in rows] == [counts[key] * table[key] for key in sorted(table)]
    assert yaml.safe_load(path.read_text("utf-8")) == yaml_io.parse(path.read_text("utf-8"), "ours")  # 1.1 and 1.2


@given(st.dictionaries(names, st.floats(0, 1e12)), st.sets(names))
def test_areas_are_read_again(tmp_path_factory, areas, others):
    path = tmp_path_factory.mktemp("art") / "ART.yaml"
    path.write_text(yaml_io.dump({"ART": art(("system", "x"), sorted({*areas, *others}), areas)}), "utf-8")
    assert read_art(path) == areas


def test_static_power_of_two_kinds_keeps_its_names_apart():
    kinds = [
        ("dram", "background", 0),
        ("dram", "leakage", 0),
        ("mac", "background", 0),
        ("x", "leak", 0),
        ("x", "leakage", 0),
    ]
    written = accelergy_names(kinds)
    assert written == {
        kinds[0]: ("dram", "background", 0), kinds[1]: ("dram", "leak", 0), kinds[2]: ("mac", "leak", 0),
        kinds[3]: ("x", "leak", 0), kinds[4]: ("x", "leakage", 0),
    }  # fmt: skip


def test_counts_are_a_tree_of_the_components_path():
    counts = {("mac", "add", 8): 5, ("mac", "leak", 0): 7, ("act", "read", 16): 1}
    assert action_counts(("system", "chip"), counts) == {
        "version": "0.4",
        "subtree": [{"name": "system", "subtree": [{"name": "chip", "local": [
            {"name": "act", "action_counts": [{"name": "read", "arguments": {"width": 16}, "counts": 1}]},
            {"name": "mac", "action_counts": [
                {"name": "add", "arguments": {"width": 8}, "counts": 5}, {"name": "leak", "counts": 7}]},
        ]}]}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "memory", [{}, {"memories.dram.background_mw": 20}, {"memories.dram": {"name": "dram_banked"}}]
)
@pytest.mark.parametrize("hardware", ["eie", "systolic", "bitfusion"])
def test_a_run_priced_by_its_own_table_is_the_same_run(hardware, memory, tmp_path):
    """Leakage, background power and DRAM commands included; every other column stays as it was."""
    first = simulate(load_network("lenet5"), load_hardware(hardware, memory))
    pj = {row[1:4]: row[5] for row in first.actions.itertuples(index=False, name=None)}
    written = accelergy_names(pj)
    path = tmp_path / "own.yaml"
    path.write_text(yaml_io.dump({"ERT": ert(("system", "x"), {written[key]: each for key, each in pj.items()})}))
    again = simulate(load_network("lenet5"), load_hardware(hardware, memory | {"energy.table": str(path)}))
    assert again.summary == first.summary | {"notes": []}  # a user's prices are not ours to doubt
    assert again.actions.drop(columns="source").equals(first.actions.drop(columns="source"))
    assert again.actions.source.str.startswith("ERT own.yaml: system.x.").all()
    assert math.fsum(again.actions.energy_pj) == pytest.approx(first.summary["energy_pj"], rel=1e-14)


def test_prices_of_products_come_back(tmp_path):
    """Of ``energy.mac: unit``: the table names an action for each mode of the unit."""
    settings = {"mac.name": "subword_parallel", "energy.mac": "unit"}
    first = simulate(load_network("lenet5"), load_hardware("systolic", settings))
    pj = {row[1:4]: row[5] for row in first.actions.itertuples(index=False, name=None)}
    names = accelergy_names(pj)
    path = tmp_path / "own.yaml"
    path.write_text(yaml_io.dump({"ERT": ert(("system", "x"), {names[key]: each for key, each in pj.items()})}))
    back = load_hardware("systolic", {"mac.name": "subword_parallel", "energy.table": str(path)})
    again = simulate(load_network("lenet5"), back)
    assert again.actions.drop(columns="source").equals(first.actions.drop(columns="source"))


def test_the_table_prices_what_the_hardware_also_could(read, tmp_path):
    """Neither leakage in mW nor post.pj_per_op of the hardware, nor our own tables."""
    read(PUBLISHED)
    table = EnergyTable(str(tmp_path / "ERT.yaml"), leakage_mw_per_lane=9)
    rows = price(
        Actions({("mac", "leakage", 0): 2, ("mac", "add", 8): 3}), table, {}, 5.0, {("mac", "leakage"): (8.0, "x")}
    )
    assert [row[4] for row in rows] == [0.03, 0.5]
    assert table.files == {"ERT.yaml": table.ert.sha256}
    assert EnergyTable().files == {}
