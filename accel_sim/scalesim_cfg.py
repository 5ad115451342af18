"""SCALE-Sim's .cfg as a machine: the `systolic` preset with the file's array, buffers, dataflow and bandwidth."""

import configparser
from pathlib import Path
from typing import Any

from workloads.registry import InputError

SECTION = "architecture_presets"
#: key -> path in our YAML, and what its value is
FIELDS = {
    "arrayheight": ("array.rows", int),
    "arraywidth": ("array.cols", int),
    "ifmapsramszkb": ("memories.input_sram.capacity_kib", float),
    "filtersramszkb": ("memories.weight_sram.capacity_kib", float),
    "ofmapsramszkb": ("memories.output_sram.capacity_kib", float),
    "dataflow": ("dataflow.stationary", str),
    "bandwidth": ("memories.dram.bandwidth_gb_s", float),
}
#: at which the file's bytes per cycle become GB/s
CLOCK_MHZ = 1000
#: bytes per cycle that never stall an array (CALC mode derives the bandwidth instead of limiting it)
UNLIMITED = 1 << 20


def read_cfg(path: Path) -> dict[str, Any]:
    """Dotted path -> value over the `systolic` preset; InputError for what is missing or broken.

    One word is one byte, as in the tool. Bandwidth holds in USER mode; in CALC mode nothing stalls. The file counts in
    cycles of a clock it does not name: at CLOCK_MHZ, the preset's, they are as many here.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read hardware description: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: broken configuration: is no UTF-8 text") from None
    except configparser.Error as error:
        raise InputError(f"{path}: broken configuration: {str(error).splitlines()[0]}") from None
    if SECTION not in parser:
        raise InputError(f"{path}: has no section [{SECTION}]")
    section = parser[SECTION]
    settings: dict[str, Any] = {"memories.dram.latency_ns": 1000 / CLOCK_MHZ}
    for key, (where, kind) in FIELDS.items():
        if key not in section:
            raise InputError(f"{path}: [{SECTION}] {key} is missing")
        text = section[key].split(",")[0].strip()
        try:
            settings[where] = kind(text)
        except ValueError:
            raise InputError(f"{path}: [{SECTION}] {key}: expected a number, not '{text}'") from None
    if parser.get("run_presets", "interfacebandwidth", fallback="CALC").strip().upper() != "USER":
        settings["memories.dram.bandwidth_gb_s"] = UNLIMITED
    settings["memories.dram.bandwidth_gb_s"] *= CLOCK_MHZ / 1000
    settings["clock_mhz"] = CLOCK_MHZ
    settings["name"] = parser.get("general", "run_name", fallback=path.stem).strip().strip("\"'")
    settings["description"] = f"SCALE-Sim configuration {path.name}"
    return settings
