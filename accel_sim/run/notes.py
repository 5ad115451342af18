"""What a run tells beside its figures: prices outside what was measured or fitted, and options that changed nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from accel_sim.energy.mac import pricing
from accel_sim.energy.mac.units import EXTRAPOLATED, unit_name
from accel_sim.energy.registers import REGISTERS
from accel_sim.energy.table import ARITHMETIC
from accel_sim.machine.accelerator import Accelerator
from accel_sim.macs.unit import MacUnit, Mode, Side
from workloads.registry import few

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from accel_sim.run.result import Result

Record = TypeVar("Record", bound="DataclassInstance")

#: of EnergyTable: names where the figures are from, and always changes them
NEVER_IDLE = ("table",)


def of(result: "Result") -> tuple[str, ...]:
    """One sentence each."""
    machine = result.machine
    return (*_extrapolated(result), *_idle_options(result), *_idle_unit_options(machine), *_idle_tables(result))


def _extrapolated(result: "Result") -> Iterator[str]:
    """Each component once, with the source of one of its prices."""
    told: dict[str, list[str]] = {}
    sources: dict[str, str] = {}
    for rows in result.priced.values():
        for component, action, *_, source in rows:
            if EXTRAPOLATED in source and action not in told.setdefault(component, []):
                told[component].append(action)
                sources.setdefault(component, source[source.index(EXTRAPOLATED) :])
    for component, actions in told.items():
        source = re.split(r"; |\) x ", sources[component])[0]  # without what it is multiplied by
        yield f"{component} ({', '.join(actions)}): a price outside what was measured, {source}"


def _idle_options(result: "Result") -> Iterator[str]:
    """Fields of energy and post, given and not at their default, without which every price would be the same."""
    machine = result.machine
    for section in ("energy", "post"):
        record = getattr(machine, section)
        for field in _given(record):
            if (section == "energy" and field.name in NEVER_IDLE) or (section == "post" and field.name != "pj_per_op"):
                continue
            try:
                without = replace(machine, **{section: _at_default(record, field)})
            except ValueError:  # another option needs it
                continue
            if _same_prices(result, without):
                value = getattr(record, field.name)
                yield f"{section}.{field.name}={_text(value)} changed nothing{_why(machine, field.name)}"


def _idle_tables(result: "Result") -> Iterator[str]:
    """Tables of an ERT that can match nothing in this machine, whatever network it runs."""
    machine = result.machine
    ert = machine.energy.ert
    if ert is None:
        return
    parts = {*ARITHMETIC, *REGISTERS, "post", machine.dram.level, *(memory.level for memory in machine.on_chip)}
    parts |= {f"{memory.level}_noc" for memory in machine.on_chip if memory.network is not None}
    parts |= {component for rows in result.priced.values() for component, *_ in rows}
    idle = [table for component, tables in ert.components.items() if component not in parts for table in tables]
    if idle:
        count = sum(map(len, ert.components.values()))
        yield f"energy.table={ert.path}: {len(idle)} of its {count} tables name no part of this machine ({few(idle)})"


def _at_default(record: Record, field: Field) -> Record:
    return replace(record, **{field.name: field.default})


def _given(record: "DataclassInstance") -> list[Field]:
    """Fields that are not at their default."""
    return [f for f in fields(record) if f.default is not MISSING and getattr(record, f.name) != f.default]


def _same_prices(result: "Result", other: Accelerator) -> bool:
    """Whether the run would have the same actions, prices and areas."""
    machine = result.machine
    if machine.areas_um2 != other.areas_um2 or _powers(machine) != _powers(other):
        return False
    files = result.file_words
    return all(_figures(other.price(run, files)) == _figures(result.priced[run.layer.name]) for run in result.runs)


def _powers(machine: Accelerator) -> dict:
    """What is counted, and its pJ a cycle unless an ERT prices it."""
    return {key: 0 if machine.energy.ert else pj for key, (pj, _) in machine.static_pj.items()}


def _figures(rows: list[tuple]) -> list[tuple]:
    return [row[:-1] for row in rows]  # all but the source


def _why(machine: Accelerator, field: str) -> str:
    if field not in ("mac", "dvafs"):
        return ""
    name = unit_name(machine.mac)
    if pricing.figures(machine.mac) is None:
        return f": no energy of a product is known of MAC unit '{name}' as it is here; its additions are priced"
    return f": no mode of MAC unit '{name}' in this run makes more products a cycle than its widest"


def _idle_unit_options(machine: Accelerator) -> Iterator[str]:
    """Fields of the MAC unit without which it would be the same one."""
    unit = machine.mac
    for field in _given(unit):
        try:
            without = _at_default(unit, field)
        except ValueError:
            continue
        charged = field.name == "zero_operand_gating" and pricing.charged_by_cycle(unit, machine.energy)
        if charged or _same_unit(unit, without):
            why = ": energy.table charges its cycles, whatever they do" if charged else ""
            yield f"mac.{field.name}={_text(getattr(unit, field.name))} changed nothing{why}"


def _same_unit(one: MacUnit, other: MacUnit) -> bool:
    """As far as a run can see: modes, hardware, actions, overflow, operands and costs."""
    if (one.modes, one.overflow, one.reconfigure_cycles) != (other.modes, other.overflow, other.reconfigure_cycles):
        return False
    traits: tuple[Callable[[MacUnit, Mode], object], ...] = (
        lambda unit, mode: unit.components(mode),
        lambda unit, mode: unit.actions(1000, 500, mode),
        lambda unit, mode: [_cost(unit, mode, a_signed) for a_signed in (True, False)],
        lambda unit, mode: [_taken(unit, mode, side) for side in ("activations", "weights")],
    )
    extra = [getattr(unit, "group_values", None) for unit in (one, other)]
    return extra[0] == extra[1] and all(
        trait(one, mode) == trait(other, mode) for trait in traits for mode in one.modes
    )


def _cost(unit: MacUnit, mode: Mode, a_signed: bool) -> object:
    try:
        cost = unit.cost(mode, a_signed)
    except ValueError as refusal:
        return str(refusal)
    return (
        cost.table.tobytes(), cost.table.shape, cost.a_min, cost.w_min, cost.operator, cost.reach, cost.trim,
        cost.factor,
    )  # fmt: skip


def _taken(unit: MacUnit, mode: Mode, side: Side) -> bytes:
    bits = mode.activation_bits if side == "activations" else mode.weight_bits
    return unit.takes(np.arange(-(1 << bits - 1), 1 << bits), side).tobytes()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
