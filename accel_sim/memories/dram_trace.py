"""A trace of requests, played alone through a DRAM part: ``accel-sim dram``."""

import csv
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from accel_sim.host import yaml_io
from accel_sim.memories.dram_banked import DramBanked
from accel_sim.memories.dram_part import find
from workloads.registry import InputError, unknown

COLUMNS = ("address", "op", "arrival")
#: JSON key of an energy -> actions it adds up
ENERGIES = {
    "act_pre": ("act_pre",), "rd": ("rd",), "wr": ("wr",), "ref": ("ref",),
    "background": ("background_open", "background_precharged"),
}  # fmt: skip


def memory(part: str, settings: dict[str, object]) -> DramBanked:
    """A part (a name or a YAML file of parameters) with fields of ``dram_banked`` set; InputError if any is bad."""
    own = Path(part).suffix in (".yaml", ".yml")
    given = yaml_io.read(Path(part), "DRAM part") if own else part
    if own and not isinstance(given, dict):
        raise InputError(f"{part}: expected a mapping of DRAM parameters")
    find(given)
    known = [field.name for field in fields(DramBanked) if field.name not in ("part", "level")]
    for key in settings:
        if key not in known:
            raise InputError(f"--set {key}: {unknown('field', key, known)}")
    try:
        return TypeAdapter(DramBanked).validate_python(settings | {"part": given})
    except ValidationError as error:
        fault = error.errors()[0]
        message = fault["msg"].removeprefix("Value error, ")
        raise InputError(f"--set {fault['loc'][0]}: {message}" if fault["loc"] else f"--set {message}") from None


def read(path: Path, capacity_bytes: int) -> np.ndarray:
    """A CSV with the columns address, op and, if wanted, arrival -> [n, 3] address, 1 = write, arrival clock.

    Addresses and arrivals are decimal or 0x...; lines that begin with # are comments. InputError names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise InputError(f"{path}: cannot read trace: {reason}") from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and line.lstrip()[0] != "#"]
    if not numbered:
        raise InputError(f"{path}: is empty, expected the columns address, op and, if wanted, arrival")
    header = [cell.strip() for cell in numbered[0][1].split(",")]
    if sorted(header) not in (sorted(COLUMNS), sorted(COLUMNS[:2])):
        raise InputError(
            f"{path} line {numbered[0][0]}: header '{numbered[0][1].strip()[:60]}', expected the columns address, op "
            f"and, if wanted, arrival"
        )
    rows, before = np.zeros((len(numbered) - 1, 3), np.int64), 0
    for i, (number, cells) in enumerate(_cells(path, numbered[1:])):
        where = f"{path} line {number}"
        if len(cells) != len(header):
            raise InputError(f"{where}: {len(cells)} cells, expected {len(header)} ({', '.join(header)})")
        row = dict(zip(header, cells, strict=True))
        if row["op"] not in ("R", "W"):
            raise InputError(f"{where}: op '{row['op']}' is neither R nor W")
        address, arrival = _whole(where, "address", row["address"]), _whole(where, "arrival", row.get("arrival", "0"))
        if address >= capacity_bytes:
            raise InputError(f"{where}: address {row['address']} is beyond the part's {capacity_bytes} bytes")
        if not before <= arrival < 1 << 40:
            raise InputError(f"{where}: arrival {arrival} must be at least the one before it, {before}, and below 2^40")
        rows[i], before = (address, row["op"] == "W", arrival), arrival
    if not len(rows):
        raise InputError(f"{path}: holds no request below its header")
    return rows


def _cells(path: Path, numbered: list[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    try:
        for (number, _), cells in zip(numbered, csv.reader(line for _, line in numbered), strict=True):
            yield number, [cell.strip() for cell in cells]
    except (csv.Error, ValueError) as error:
        raise InputError(f"{path}: broken CSV: {error}") from None


def _whole(where: str, column: str, text: str) -> int:
    digits = text.lower().removeprefix("0x")
    base = 16 if digits != text.lower() else 10
    try:
        if not digits.isascii() or not digits.isalnum():
            raise ValueError
        return int(digits, base)
    except ValueError:
        raise InputError(f"{where}: {column} '{text}' is no number from 0 on, decimal or 0x...") from None


def play(requests: np.ndarray, dram: DramBanked) -> dict[str, Any]:
    """Plays requests ([n, 3] as ``read`` gives them), one burst each, at most one entering a queue per memory clock.

    cycles: memory clocks from 0 to the last data beat; read latency: from entering a queue to the last beat;
    hit_rate: 1 - ACT / (RD + WR); pj_per_bit_commands: without refresh and background.
    """
    part, n = dram.found, len(requests)
    state = dram.new_state(dram.memory_mhz)  # a trace counts memory clocks
    one, none = np.ones(n, np.int64), np.zeros(n, np.int64)
    dram.submit_each(state, 0, np.stack([requests[:, 0], one, one, none, requests[:, 2], requests[:, 1]], 1))
    ((_, _, _, cycles),) = dram.advance(state, None)
    counts = dram.counts(state, cycles)
    energy = dict.fromkeys(ENERGIES, 0.0)
    for (_, action, _), count in dram.actions(state, cycles).items():
        name = next(name for name, actions in ENERGIES.items() if action in actions)
        energy[name] += count * part.energies[action][0]
    seconds, bits = cycles * part["tCK_ns"] * 1e-9, 8 * n * part.burst_bytes
    bursts, reads = counts["RD"] + counts["WR"], n - int(requests[:, 1].sum())
    total = sum(energy.values())
    return {
        "part": part.name, "scheduler": dram.scheduler, "page": dram.page, "channels": dram.channels,
        "requests": n, "reads": reads, "writes": n - reads,
        "cycles": cycles, "time_us": 1e6 * seconds,
        "commands": {name: counts[name] for name in ("ACT", "PRE", "PREA", "RD", "WR", "REF")},
        "forwarded": counts["forwarded"], "merged": counts["merged"],
        "hit_rate": 1 - counts["ACT"] / bursts if bursts else 0.0,
        "read_latency_cycles": counts["latency"] / reads if reads else None,
        "bandwidth_gb_s": bits / 8e9 / seconds,
        "bus_utilization": bursts * part["burst_clocks"] / (cycles * dram.channels),
        "energy_pj": energy | {"total": total},
        "pj_per_bit": total / bits,
        "pj_per_bit_commands": sum(energy[name] for name in ("act_pre", "rd", "wr")) / bits,
    }  # fmt: skip
