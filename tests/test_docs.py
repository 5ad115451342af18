"""The YAML in the documentation is what the simulator reads, and the parts it names are those that there are."""

import re
from pathlib import Path

import pytest

from accel_sim import simulate
from accel_sim.host import yaml_io
from accel_sim.machine import fields
from accel_sim.machine.config import from_tree, load_hardware, presets, to_tree
from accel_sim.parts import interconnects, macs, memories
from workloads import load_network
from workloads.format import formats
from workloads.network import networks

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def page(*names: str) -> str:
    """The text of these pages."""
    return "".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def test_the_hierarchy_and_the_mapping_of_the_documentation_make_a_machine():
    text = (DOCS / "memory_hierarchy.md").read_text(encoding="utf-8")
    tree = to_tree(load_hardware("systolic"))
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        tree |= yaml_io.parse(block, "docs")
    machine = from_tree(tree, "docs")
    assert [level.level for level in machine.on_chip] == ["glb", "weight_sram", "input_sram", "output_sram"]
    assert [buffer.level for buffer in machine.buffers["weights"].path] == ["glb", "weight_sram"]
    given = machine.mapping.given(load_network("squeezenet1_0").layers)
    assert given["fire9/expand3x3"].tiles == {"filters": 64, "pixels": 1024}


def test_the_energy_of_the_documentation_is_a_section():
    (block,) = re.findall(r"```yaml\n(.*?)```", page("docs/mac_energy.md"), re.DOTALL)
    machine = from_tree(to_tree(load_hardware("systolic")) | yaml_io.parse(block, "docs"), "docs")
    assert (machine.energy.mac, machine.energy.node_nm, machine.energy.vdd) == ("unit", 28, 0.8)


@pytest.mark.parametrize(
    ("registry", "pages"),
    [
        (macs, ("docs/mac_units.md", "docs/mac_units_skipping.md")),
        (memories, ("docs/memory_hierarchy.md", "README.md")),
        (interconnects, ("docs/memory_hierarchy.md",)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_every_part_is_described(registry, pages):
    text = page(*pages)
    assert [name for name in registry.names() if not re.search(rf"\b{name}\b", text)] == []


def test_the_table_of_number_formats_has_each_of_them():
    table = "\n".join(
        line.split("|")[1] for line in page("docs/number_formats.md").splitlines() if line.startswith("| `")
    )
    assert set(re.findall(r"`(\w+)`", table)) == set(formats.names())


def test_parts_are_counted_right():
    text = page("README.md", "CHANGELOG.md")
    for registry, kind in (
        (macs, r"(?:MAC )?units\b(?=, each| with modes)"),
        (formats, "number formats"),
        (networks, "built-in networks"),
    ):
        counts = re.findall(rf"(\d+) {kind}", text)
        assert counts, kind
        assert set(counts) == {str(len(registry.names()))}, kind


def test_every_link_leads_to_a_file():
    pages = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    links = [
        (path, link)
        for path in pages
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
        if not link.startswith("http")
    ]
    assert len(links) > 10
    assert [f"{path.name}: {link}" for path, link in links if not (path.parent / link).exists()] == []


def test_the_page_of_fields_is_what_the_code_makes():
    assert page("docs/fields.md") == fields.page(), "run: python -m accel_sim.machine.fields > docs/fields.md"


def test_every_field_of_every_part_has_a_meaning():
    silent = [
        f"{heading}: {name}"
        for heading, record in fields.records()
        for name, _, _, meaning in fields.rows(record)
        if not meaning
    ]
    assert silent == []


def named() -> set[str]:
    """Words in back quotes in the first column of the glossary's tables."""
    lines = [line.split("|")[1] for line in page("docs/glossary.md").splitlines() if line.startswith("| `")]
    return set(re.findall(r"`(\w+)`", " ".join(lines)))


def test_the_glossary_has_every_cause_column_and_component():
    network, known, missing = load_network("lenet_300_100"), named(), set()
    for preset in presets():
        machine = load_hardware(preset)
        result = simulate(network, machine)
        levels = {memory.level for memory in machine.memories}
        components = set(result.actions.component) - levels - {f"{level}_noc" for level in levels}
        missing |= {*result.layers.columns, *result.cycles.cause, *result.summary, *components} - known
    assert missing == set()


#: notes that users do not have: shorthand for pages, and tables that are not shipped
UNSHIPPED = re.compile(
    r"MODEL [0-9]|MODEL section|DESIGN section|reference/[a-z]|\.md [0-9]+[a-z]? of the reference|of the reference\)"
)


def test_nothing_cites_what_a_user_does_not_have():
    """Pages and tables of this repository and published sources alone."""
    places = [ROOT / "README.md", ROOT / "Makefile"]
    for folder in ("accel_sim", "workloads", "cython_core", "experiments", "docs", "benchmarks"):
        files = (ROOT / folder).rglob("*")
        places += [path for path in files if path.suffix in (".py", ".pyx", ".md", ".yaml", ".csv")]
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in places
        for line in path.read_text(encoding="utf-8").splitlines()
        if UNSHIPPED.search(line)
    ]
    assert found == []


def texts() -> list[Path]:
    """Pages, and sources with their docstrings and comments."""
    packages = ("accel_sim", "workloads", "cython_core", "experiments")
    sources = [path for name in packages for path in (ROOT / name).rglob("*.p*") if path.suffix in SOURCES]
    return [ROOT / "README.md", *DOCS.glob("*.md"), *sources]


SOURCES = (".py", ".pyi", ".pyx", ".pxd")
PACKAGE = r"(?:accel_sim|workloads|cython_core|experiments)"


def is_there(dotted: str) -> bool:
    """A module of that name, or something that a module or its class says."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        files = [file for suffix in SOURCES if (file := path.with_suffix(suffix)).exists()]
        files += [path / "__init__.py"] if path.is_dir() else []
        if files:
            rest = parts[length:]
            return not rest or any(re.search(rf"\b{rest[0]}\b", file.read_text(encoding="utf-8")) for file in files)
    return False


def test_modules_and_files_that_texts_name_are_there():
    """Moved code leaves names behind in prose."""
    gone = []
    for path in texts():
        text = path.read_text(encoding="utf-8")
        modules = set(re.findall(rf"\b{PACKAGE}(?:\.[A-Za-z_]\w*)+", text)) - {"accel_sim.experiments"}  # entry points
        files = re.findall(rf"(?<![\w./])({PACKAGE}/[\w./]*\w)", text)
        gone += [f"{path.relative_to(ROOT)}: {each}" for each in modules if not is_there(each)]
        gone += [f"{path.relative_to(ROOT)}: {each}" for each in files if not (ROOT / each).exists()]
    assert not gone, "\n".join(gone)
