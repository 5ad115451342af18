"""SCALE-Sim's .cfg as a machine: the `systolic` preset with the file's array, buffers, dataflow and bandwidth."""

import configparser
from pathlib import Path
from typing import Any

from workloads.importers.record import Record
from workloads.registry import InputError, unknown

SECTION, MODES, SPARSE = "architecture_presets", "run_presets", "sparsity"
#: key -> path in our YAML, and what its value is
FIELDS = {
    "arrayheight": ("array.rows", int),
    "arraywidth": ("array.cols", int),
    "ifmapsramszkb": ("memories.input_sram.capacity_kib", float),
    "filtersramszkb": ("memories.weight_sram.capacity_kib", float),
    "ofmapsramszkb": ("memories.output_sram.capacity_kib", float),
    "dataflow": ("dataflow.stationary", str),
}
#: at which the file's bytes per cycle become GB/s
CLOCK_MHZ = 1000
#: bytes per cycle that never stall an array (CALC mode derives the bandwidth instead of limiting it)
UNLIMITED = 1 << 20
#: section -> switches of what is not simulated; with all of them off, the section's other keys mean nothing
SWITCHES = {"layout": ("ifmapcustomlayout", "filtercustomlayout"), SPARSE: ("sparsitysupport",)}
#: section -> keys that change no figure here: where addresses begin, queues of the DRAM trace, which network it is (the
#: command line says that), and what belongs to a switch that is off
HARMLESS = {
    SECTION: (
        "ifmapoffset", "filteroffset", "ofmapoffset", "readrequestbuffer", "writerequestbuffer",
    ),
    "layout": (
        "ifmapsrambankbandwidth", "ifmapsrambanknum", "ifmapsrambankport", "filtersrambankbandwidth",
        "filtersrambanknum", "filtersrambankport",
    ),
    SPARSE: ("sparserep", "optimizedmapping", "blocksize", "randomnumbergeneratorseed"),
    "network_presets": ("topologycsvloc",),
}  # fmt: skip


def read_cfg(path: Path) -> dict[str, Any]:
    """Dotted path -> value over the `systolic` preset; InputError for what is missing, broken or not simulated.

    One word is one byte, as in the tool. Bandwidth holds in USER mode; in CALC mode nothing stalls. The file counts in
    cycles of a clock it does not name: at CLOCK_MHZ, the preset's, they are as many here.
    """
    sections = _sections(path)
    general, section = sections["general"], sections[SECTION]
    if not section:
        raise InputError(f"{path}: has no section [{SECTION}]")
    settings: dict[str, object] = {"memories.dram.latency_ns": 1000 / CLOCK_MHZ, "clock_mhz": CLOCK_MHZ}
    for key, (where, kind) in FIELDS.items():
        settings[where] = _value(section, key, kind)
    settings["memories.dram.bandwidth_gb_s"] = _bandwidth(section, sections[MODES]) * CLOCK_MHZ / 1000
    settings["name"] = general.get("run_name", path.stem).strip().strip("\"'")
    settings["description"] = f"SCALE-Sim configuration {path.name}"
    for name, keys in (*SWITCHES.items(), (MODES, ("useramulatortrace",))):
        for key in keys:
            if sections[name].get(key, "false").strip().lower() not in ("false", "no", "off", "0"):
                raise InputError(f"{path}: [{name}] {key}: expected False: what it switches on is not simulated here")
    for name, record in sections.items():
        record.done(HARMLESS.get(name, ()))
    return settings


def _sections(path: Path) -> dict[str, Record]:
    """Every section that a .cfg can have, empty where the file has none."""
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read hardware description: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: broken configuration: is no UTF-8 text") from None
    except configparser.Error as error:
        raise InputError(f"{path}: broken configuration: {str(error).splitlines()[0]}") from None
    known = ("general", SECTION, "layout", SPARSE, MODES, "network_presets")
    if SECTION not in parser:
        raise InputError(f"{path}: has no section [{SECTION}]")
    for name in parser.sections():
        if name not in known:
            raise InputError(f"{path}: {unknown('section', name, list(known))}")
    found = {name: dict(parser[name]) if name in parser else {} for name in known}
    return {name: Record(entries, f"{path}: [{name}]", "key") for name, entries in found.items()}


def _value(section: Record, key: str, kind: type) -> Any:
    text = section.get(key)
    if text is None:
        raise InputError(f"{section.where} {key} is missing")
    try:
        return kind(text.strip())
    except ValueError:
        raise InputError(f"{section.where} {key}: expected a number, not '{text.strip()}'") from None


def _bandwidth(section: Record, modes: Record) -> float:
    """Bytes per cycle: in USER mode the file's one bandwidth, in CALC mode more than an array can use."""
    mode, given = modes.get("interfacebandwidth"), section.get("bandwidth")
    word = ("" if given is not None else "CALC") if mode is None else mode.strip().upper()
    if word not in ("USER", "CALC"):
        found = "it is missing" if mode is None else f"not '{mode.strip()}'"
        raise InputError(f"{modes.where} interfacebandwidth: expected USER or CALC, {found}")
    if word == "CALC":
        return UNLIMITED
    if given is not None and len({text.strip() for text in given.split(",")}) > 1:
        raise InputError(f"{section.where} bandwidth: expected one number for all operands, not '{given.strip()}'")
    if given is not None:
        section = Record({"bandwidth": given.split(",")[0]}, section.where)
    return _value(section, "bandwidth", float)
