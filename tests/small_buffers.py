"""Buffers smaller than any SRAM macro, for layers that shall be cut into tiles: register files of a few bytes."""

from dataclasses import asdict
from typing import Any

from accel_sim.machine.config import load_hardware
from accel_sim.memories.register_file import RegisterFile
from accel_sim.memories.sram import Sram


def small(level: Sram, capacity_bytes: float) -> RegisterFile:
    """A level of this size in another's place; its word is no wider than all of it."""
    width = min(level.word_bits, int(8 * capacity_bytes))
    return RegisterFile(
        level.level, capacity_bytes, level.holds, width, level.slots, level.per_lane, packed=level.packed,
        compressed=level.compressed, latency_cycles=level.latency_cycles,
    )  # fmt: skip


def settings(preset: str, **capacity_bytes: float) -> dict[str, Any]:
    """Settings that put such levels into a preset, by level name."""
    levels = load_hardware(preset).levels
    parts = {name: asdict(small(levels[name], size)) for name, size in capacity_bytes.items()}
    return {f"memories.{name}": {"name": "register_file", **part} for name, part in parts.items()}
