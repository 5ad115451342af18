"""A machine: one frozen record, equal to its YAML."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from accel_sim.dataflows.common import Facts
from accel_sim.dataflows.dataflow import Dataflow, dataflows
from accel_sim.dataflows.post import PostUnit
from accel_sim.energy import table as energy
from accel_sim.energy.mac import pricing as mac_pricing
from accel_sim.energy.mac.units import unit_name
from accel_sim.energy.registers import REGISTERS
from accel_sim.energy.table import ARITHMETIC, LOGIC_NM, EnergyTable
from accel_sim.energy.tech_scaling import most_mhz
from accel_sim.machine.levels import OnChip, buffers
from accel_sim.macs.unit import MacUnit, Mode, macs
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.mapper import MappingRules
from accel_sim.mapping.search import Goal
from accel_sim.memories.memory import Outermost, Priced, memories
from accel_sim.values.actions import Actions
from accel_sim.values.checks import require
from workloads.encoding import Encoding, encodings
from workloads.encoding_trial import fault
from workloads.registry import InputError, Registry, is_plugin

#: a level's name stands in tables, prefixes of columns and settings
LEVEL_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Worked(Protocol):
    """What a layer's energy depends on, beside the machine."""

    @property
    def mode(self) -> Mode | None:
        """Of the MAC unit; None: the layer needs none."""

    @property
    def actions(self) -> Actions:
        """All that were counted."""

    @property
    def array_cycles(self) -> int:
        """What the array alone needs."""

    @property
    def macs_effectual(self) -> int:
        """Products of two non-zero operands."""

    @property
    def facts(self) -> Facts:
        """What the dataflow knows of it."""


MOST_LANES = 1 << 22
#: components that are priced by their own rules; no memory level may carry their name
COMPONENTS = ("post", *ARITHMETIC, *REGISTERS)


@dataclass(frozen=True)
class Array:
    """rows, cols: lanes (PEs) of the array, rows x cols of them."""

    rows: int
    cols: int = 1

    def __post_init__(self) -> None:
        require(self, 1, "rows", "cols")
        if self.rows * self.cols > MOST_LANES:
            raise ValueError(f"rows={self.rows} x cols={self.cols}: at most {MOST_LANES} lanes can be simulated")

    @property
    def lanes(self) -> int:
        """PEs, or lanes of docs/model.md 3."""
        return self.rows * self.cols


@dataclass(frozen=True)
class Accelerator:
    """memories: outermost level first; the first serves requests, the others hold operands on chip."""

    name: str
    description: str
    clock_mhz: float
    array: Array
    mac: MacUnit
    dataflow: Dataflow
    encodings: dict[str, Encoding]
    memories: tuple[Outermost, *tuple[OnChip, ...]]
    post: PostUnit
    energy: EnergyTable
    mapping: MappingRules

    def __post_init__(self) -> None:
        if self.clock_mhz <= 0:
            raise ValueError(f"clock_mhz={self.clock_mhz:g} must be positive")
        if not self.memories or not hasattr(self.memories[0], "submit"):
            raise ValueError("memories: the first level must serve requests (such as flat)")
        levels = [memory.level for memory in self.memories]
        for level in levels:
            if not LEVEL_NAME.fullmatch(level):
                raise ValueError(f"memories: level '{level}': expected a name of letters, digits, _ and -")
        twice = {level for level in levels if levels.count(level) > 1}
        if twice:
            raise ValueError(f"memories: level '{min(twice)}' is used twice")
        for level in levels:
            if level in COMPONENTS:
                raise ValueError(f"memories: level '{level}' has the name of another component")
        for operand in ("inputs", "weights", "outputs"):
            if operand not in self.buffers:
                raise ValueError(f"memories: no level holds {operand}")
        for operand, encoding in self.encodings.items():
            if (why := fault(encoding)) is not None:
                raise ValueError(f"encodings.{operand}: encoding '{encodings.name_of(encoding)}': {why}")
        self._check_maps()
        self._check_prices()

    @property
    def encoded_maps(self) -> Encoding | None:
        """How maps lie in the outermost memory; None: plain."""
        encoding = self.encodings.get("inputs")
        return None if encoding is None or encoding.plain else encoding

    def _check_maps(self) -> None:
        """ValueError unless a map is read as it was written, value behind value."""
        if self.encodings.get("inputs") != self.encodings.get("outputs"):
            raise ValueError(
                "encodings.outputs: expected the same as encodings.inputs: a map is read as it was written"
            )
        if self.encoded_maps is None:
            return
        if self.mapping.map_layout == "nhwc":
            raise ValueError("encodings.inputs: maps of mapping.map_layout=nhwc lie plain: choose nchw")
        for memory in self.on_chip:
            for operand in {"inputs", "outputs"}.intersection(memory.compressed):
                raise ValueError(
                    f"memories: level '{memory.level}': maps lie plain on chip: take {operand} out of `compressed`"
                )

    def _check_prices(self) -> None:
        """ValueError if the MAC unit counts what nothing prices; an ERT is asked when a run is priced."""
        if self.energy.ert is not None:
            return
        for mode in self.mac.modes or (None,):
            try:
                energy.price(self.mac.actions(1, 1, mode), self.energy, self.levels, None, {})
            except InputError as error:
                raise ValueError(f"mac: MAC unit '{unit_name(self.mac)}': {error}") from None

    @property
    def dram(self) -> Outermost:
        """The outermost memory."""
        return self.memories[0]

    @property
    def on_chip(self) -> tuple[OnChip, ...]:
        """All levels below it, the outermost first."""
        return self.memories[1:]

    @property
    def plugins(self) -> list[str]:
        """Its parts that come from a user's plug-ins, as kind 'name'."""
        named: list[tuple[Registry, object]] = [
            (macs, self.mac),
            (dataflows, self.dataflow),
            *((memories, each) for each in self.memories),
        ]
        named += [(encodings, each) for each in self.encodings.values()]
        return [f"{each.kind} '{each.name_of(part)}'" for each, part in named if is_plugin(type(part))]

    def instances(self, memory: OnChip) -> int:
        """Pieces of a level: one for every lane, or one."""
        return self.array.lanes if memory.per_lane else 1

    @cached_property
    def buffers(self) -> dict[str, Buffer]:
        """operand -> its share of the innermost level that holds it, the levels farther out in ``outer``."""
        return buffers(self.on_chip, self.dram.level, self.array.lanes, self.clock_mhz)

    @cached_property
    def levels(self) -> dict[str, Priced]:
        """component -> the memory or network that prices its actions."""
        found: dict[str, Priced] = {memory.level: memory for memory in self.memories}
        for memory in self.on_chip:
            if memory.network is not None:
                found[f"{memory.level}_noc"] = memory.network
        return found

    @property
    def areas_um2(self) -> dict[str, float]:
        """component -> um2 of all its instances: MAC units and on-chip memories."""
        mac, _ = mac_pricing.area_um2(self.mac_units, self.energy, self.clock_mhz)
        return {"mac": mac} | {memory.level: memory.area_um2 * self.instances(memory) for memory in self.on_chip}

    @property
    def area_um2(self) -> float:
        """um2 of the MAC array and the on-chip memories."""
        return sum(self.areas_um2.values())

    @cached_property
    def mac_units(self) -> mac_pricing.Units:
        """How many, and how many of them to a sum; a dataflow that says nothing has one in each lane, apart."""
        summed = getattr(self.dataflow, "units_summed", lambda rows: 1)(self.array.rows)
        return mac_pricing.Units(self.mac, self.array.lanes, getattr(self.dataflow, "units_per_lane", 1), summed)

    def price(self, run: Worked, file_words: Mapping[str, int]) -> list[tuple]:
        """The priced actions of a layer that ran, and file_words, as ``energy.price`` has them."""
        products = None
        if run.mode is not None:
            lane_cycles = run.array_cycles * self.array.lanes
            work = mac_pricing.Work(run.mode, run.facts.macs_issued, run.macs_effectual, lane_cycles)
            products = mac_pricing.products(self.mac_units, self.energy, self.clock_mhz, work)
        return energy.price(
            run.actions, self.energy, self.levels, self.post.pj_per_op, self.static_pj, products, file_words
        )

    @cached_property
    def static_pj(self) -> dict[tuple[str, str], tuple[float, str]]:
        """(component, action) -> (pJ per cycle, source) of leakage and background power."""
        per_mw = 1e3 / self.clock_mhz  # 1 mW for one cycle, in pJ
        guess = "of the hardware (a guess), x time"
        found = {}
        logic, source = mac_pricing.leakage(self.mac_units, self.energy)
        if logic:
            found["mac", "leakage"] = logic * per_mw, source
        for memory in self.on_chip:
            power, source = memory.leakage
            if power:
                found[memory.level, "leakage"] = power * self.instances(memory) * per_mw, f"{source}; x time"
        background = getattr(self.dram, "background_mw", None)  # a memory with states of its own counts them as actions
        if background is not None:
            found[self.dram.level, "background"] = background * per_mw, f"background_mw {guess}"
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the machine assumes beyond what is known of its parts, one sentence each."""
        node = LOGIC_NM if self.energy.node_nm is None else self.energy.node_nm
        most = most_mhz(node)
        if self.clock_mhz <= most:
            return ()
        return (
            f"clock_mhz={self.clock_mhz:g} is beyond {most:,.0f} MHz, the most that a MAC unit in {node:g} nm is taken "
            "to reach (a guess): times are too short, or the node (energy.node_nm) is another",
        )

    @cached_property
    def goal(self) -> Goal:
        """What moving a byte costs at each level, and time: what the search weighs."""
        dram, per_byte = self.dram, {}
        table = self.energy if self.energy.ert is None else EnergyTable()  # a user's table prices runs, not choices
        for memory in self.memories:
            word = getattr(memory, "word_bits", 8)
            read, write = (memory.price(action, word, table)[0] * 8 / word for action in ("read", "write"))
            per_byte[memory.level] = read, write
        streaming = getattr(dram, "streaming_pj_per_byte", None)
        if streaming is not None:  # its bytes are priced by their commands
            per_byte[dram.level] = streaming
        static = sum(pj for pj, _ in self.static_pj.values())
        bandwidth, latency = float(dram.peak_bytes_per_cycle(self.clock_mhz)), dram.idle_latency(self.clock_mhz)
        return Goal(self.mapping.objective, dram.level, bandwidth, latency, per_byte, static)
