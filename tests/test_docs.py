"""The YAML in the documentation is what the simulator reads."""

import re
from pathlib import Path

from accel_sim import yaml_io
from accel_sim.config import from_tree, load_hardware, to_tree

DOCS = Path(__file__).parents[1] / "docs"


def test_the_hierarchy_and_the_mapping_of_the_documentation_make_a_machine():
    text = (DOCS / "memory_hierarchy.md").read_text(encoding="utf-8")
    tree = to_tree(load_hardware("systolic"))
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        tree |= yaml_io.parse(block, "docs")
    machine = from_tree(tree, "docs")
    assert [level.level for level in machine.on_chip] == ["glb", "weight_sram", "input_sram", "output_sram"]
    assert [buffer.level for buffer in machine.buffers["weights"].path] == ["glb", "weight_sram"]
    assert machine.mapping.given("fire9/expand3x3").tiles == {"filters": 64, "pixels": 1024}
