"""Causes name the level and the operand: by hand, and by law over machines; a bound says what the counts say."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.mapping.buffer import Buffer
from accel_sim.memories.flat import FlatDram
from accel_sim.run.engine import Engine
from accel_sim.values.causes import CAUSES, COMPUTE, OPERANDS, PLACED, Bound, Cause, Slots, bound, sentence
from accel_sim.values.jobs import Job, Transfer
from accel_sim.values.tile import Extent, Stream
from accel_sim.works.folds import FoldWork, Passes
from accel_sim.works.grid import GridWork, Recurrence
from accel_sim.works.timed import timed as took
from tests.unit.accel_sim.test_feeding import SMALL, matrix
from tests.unit.accel_sim.test_hierarchies import MACHINES, build, glb
from workloads import load_network


def test_a_cause_is_whole_or_refused():
    assert str(Cause("sram", "l1", "partial_sums")) == "sram of partial_sums at l1"
    wrongs = (("memory",), ("sram",), ("sram", "l1"), ("sram", "l1", "sums"), ("post", "l1"), ("post", "", "inputs"))
    for wrong in wrongs:
        with pytest.raises(ValueError, match=r"^cause "):
            Cause(*wrong)
    with pytest.raises(ValueError, match="must say for what"):
        GridWork(*np.zeros((5, 1, 1), int), Recurrence(), avail=np.ones(1, np.int64))
    with pytest.raises(ValueError, match="must say from where"):
        FoldWork((Passes(1, 1, 1, 1),), 1, 1, 1, 0)


def test_rows_stand_in_order_and_add_up():
    slots = Slots({Cause("dram_read", "dram", "weights"): 3, Cause("sram", "b", "inputs"): 2})
    slots.update({Cause("sram", "a", "weights"): 4, Cause("sram", "b", "inputs"): 1, Cause("post"): 0})
    kept = [row for row in slots.rows if row[3]]
    assert kept == [("sram", "a", "weights", 4), ("sram", "b", "inputs", 3), ("dram_read", "dram", "weights", 3)]
    assert list(dict.fromkeys(row[0] for row in slots.rows)) == list(CAUSES)
    assert slots.by_name == dict.fromkeys(CAUSES, 0) | {"sram": 7, "dram_read": 3}
    frame = pd.DataFrame(slots.rows, columns=["cause", "level", "operand", "lane_slots"])
    assert Slots.of(frame) == +slots


def load(operand: str, size: int, cycles: int = 0, cause: Cause | None = None, **tensors: int) -> Transfer:
    """tensor=bytes: what the transfer holds, if not all of it is the operand's own."""
    streams = [
        Stream(tensor, operand, False, (Extent(0, count),), "dram", "near")
        for tensor, count in (tensors or {operand: size}).items()
    ]
    return Transfer(tuple(streams), cycles, cause)


def idle(jobs: list[Job], **buffers: Buffer) -> dict[str, int]:
    memory = FlatDram(level="hbm", bandwidth_gb_s=0.8, latency_ns=0)
    schedule = Engine(memory, memory.new_state(800)).play(jobs, buffers)
    return {str(cause): count for cause, count in schedule.idle.items() if count}


NEAR = {name: Buffer("near", 1 << 20, 2, 8, latency=2) for name in ("inputs", "weights", "outputs")}


def test_the_operand_that_comes_last_sets_the_start():
    """3 bytes of inputs, then 5 of weights on one channel: all waiting is for the weights, and 2 cycles of latency."""
    loads = {("inputs", "near"): load("inputs", 3), ("weights", "near"): load("weights", 5)}
    assert idle([Job(4, 0, loads, {})], **NEAR) == {
        "dram_read of weights at hbm": 8, "sram of weights at near": 2,
    }  # fmt: skip
    other = dict(reversed(loads.items()))
    assert idle([Job(4, 0, other, {})], **NEAR)["dram_read of weights at hbm"] in (5, 8)


def test_a_transfer_of_two_tensors_is_named_by_the_larger():
    for tensors, name in (({"weights": 5, "pointers": 3}, "weights"), ({"weights": 3, "pointers": 5}, "pointers")):
        found = idle([Job(1, 0, {("weights", "near"): load("weights", 0, **tensors)}, {})], **NEAR)
        assert found == {f"dram_read of {name} at hbm": 8, f"sram of {name} at near": 2}


def test_what_is_slower_than_the_memory_has_its_own_level():
    """4 bytes are there after 4 cycles; the decoder before the level takes until 9."""
    slow = load("weights", 4, 9, Cause("decode", "near", "weights"))
    assert idle([Job(1, 0, {("weights", "near"): slow}, {})], **NEAR) == {
        "dram_read of weights at hbm": 4, "decode of weights at near": 5, "sram of weights at near": 2,
    }  # fmt: skip


def test_writes_name_what_leaves():
    """A slot of outputs is free when the 6 bytes before it have left; the last tile's sums leave in 2 cycles."""
    def out(tensor: str, size: int, epoch: int) -> dict[str, Transfer]:
        return {"near": Transfer((Stream(tensor, "outputs", True, (Extent(0, size),), "near", "dram"),), epoch=epoch)}

    one = {"outputs": Buffer("near", 1 << 20, 1, 8)}
    jobs = [Job(1, 0, {}, out("outputs", 6, 0)), Job(1, 0, {}, out("partial_sums", 2, 1))]
    assert idle(jobs, **one) == {"dram_write of outputs at hbm": 6, "dram_write of partial_sums at hbm": 2}


def test_a_fold_waits_for_what_it_holds_and_for_what_feeds_it():
    """WS, 2 folds of 4 x 3 PEs: loads are weights; K = 8 sums go through one shared bank of words of 8 bits."""
    level = {
        "dataflow.stationary": "ws", "memories.output_sram.packed": False, "memories.output_sram.banks": 1,
        "memories.output_sram.ports": "1rw",
    }  # fmt: skip
    run = matrix(7, 8, 3).run("systolic", SMALL | level)
    waits = {str(cause): count for cause, count in run.causes.items() if cause.name == "sram" and count}
    assert set(waits) >= {"sram of weights at weight_sram", "sram of partial_sums at output_sram"}
    assert waits["sram of partial_sums at output_sram"] == 7 * (3 - 1 + 6 - 1) * 12  # 3 words, then 3 more read back
    held = matrix(7, 8, 3).run("systolic", SMALL | {"dataflow.stationary": "is"})
    assert held.causes[Cause("sram", "input_sram", "inputs")] > 0
    bus = {"memories.input_sram.network": {"name": "bus", "width_bits": 8}}
    assert matrix(4, 5, 3).run("systolic", SMALL | bus).causes[Cause("noc", "input_sram_noc", "inputs")] == 5 * 3 * 12


def test_inputs_by_address_are_not_blamed_for_a_network():
    """OS, 4 pixels x K = 5: inputs lie apart in enough banks, but a bus passes one of three weights a cycle."""
    layout = {
        "memories.input_sram": {
            "name": "sram", "level": "input_sram", "capacity_kib": 64, "holds": ["inputs"], "word_bits": 8,
            "banks": 256, "layout": "tensor", "latency_cycles": 0, "fill_bytes_per_cycle": 64,
        },
        "memories.weight_sram.network": {"name": "bus", "width_bits": 8},
    }  # fmt: skip
    run = matrix(4, 5, 3).run("systolic", SMALL | layout)
    assert run.causes[Cause("noc", "weight_sram_noc", "weights")] == (5 + 3) * 2 * 12  # steps of all 4 skewed rows
    assert not any(cause.name == "sram" and cause.level == "input_sram" for cause in run.causes)


def test_the_scan_and_the_pointers_of_a_broadcast_machine():
    network = load_network("lenet5")
    scanned = simulate(network, load_hardware("eie", {"dataflow.scan_width": 1})).cycles
    waits = scanned[(scanned.cause == "decode") & (scanned.lane_slots > 0)]
    assert set(waits.level) == {"act"}
    assert set(waits.operand) == {"inputs"}
    banked = simulate(network, load_hardware("eie", {"memories.ptr.banks": 1})).cycles
    assert banked[(banked.cause == "sram") & (banked.operand == "pointers")].lane_slots.sum() > 0


@pytest.mark.parametrize("name", [*MACHINES, "decoder, slow"])
def test_levels_and_operands_are_the_machines_own(name):
    if name == "decoder, slow":
        slow = {"memories.weight_sram.decoder_values_per_cycle": 0.25}
        machine = build("systolic", settings=slow, weights={"name": "relative_index", "index_bits": 4})
    else:
        machine = MACHINES[name]()
    result = simulate(load_network("lenet5"), machine)
    spent = result.cycles[result.cycles.lane_slots > 0]
    placed = spent[spent.cause.isin(PLACED)]
    assert (spent[~spent.cause.isin(PLACED)][["level", "operand"]] == "").all(axis=None)
    holds = {level: set(part.holds) for level, part in machine.levels.items() if hasattr(part, "holds")}
    for row in placed.itertuples():
        if row.cause in ("dram_read", "dram_write"):
            assert row.level == machine.dram.level
        else:
            operand = "outputs" if row.operand == "partial_sums" else row.operand
            assert operand in holds[row.level] | ({"pointers"} if "weights" in holds[row.level] else set())


def test_a_slow_shared_level_names_who_fills_most_of_its_port():
    machine = build("systolic", glb(fill_bytes_per_cycle=0.5))
    frame = simulate(load_network("lenet_300_100"), machine).cycles
    waits = frame[frame.cause == "sram"].groupby(["level", "operand"]).lane_slots.sum()
    assert waits.idxmax() == ("glb", "weights")


placed = st.sampled_from(PLACED).flatmap(
    lambda name: st.builds(Cause, st.just(name), st.sampled_from(["a", "b"]), st.sampled_from(OPERANDS))
)
counts = st.dictionaries(
    st.sampled_from([name for name in CAUSES if name not in PLACED]).map(Cause) | placed, st.integers(0, 9), max_size=9
)


@given(counts)
def test_a_bound_is_what_most_slots_say(slots):
    """Against a count that knows nothing of Slots: compute from a half on, else the name waited for most."""
    found, total = bound(slots), sum(slots.values())
    if not total:
        assert found is None
        assert sentence(slots) == "no time"
        return
    names = {}
    for cause, count in slots.items():
        names[cause.name] = names.get(cause.name, 0) + count
    own = sum(names.get(name, 0) for name in COMPUTE)
    assert (found.name == "compute") == (2 * own >= total)
    waits = {name: count for name, count in names.items() if name not in COMPUTE}
    group = COMPUTE if found.name == "compute" else (found.name,)
    if found.name != "compute":
        assert waits[found.name] == max(waits.values())
    assert found.cause.name in group
    assert slots[found.cause] == max(count for cause, count in slots.items() if cause.name in group)
    share = Fraction(own if found.name == "compute" else waits[found.name], total)
    assert (found.share, found.cause_share) == pytest.approx((share, Fraction(slots[found.cause], total)))


def test_sentences_by_hand():
    three = {Cause("sram", "l1", "inputs"): 60, Cause("sram", "l1", "partial_sums"): 15}
    three |= {Cause("dram_read", "dram", "weights"): 4, Cause("effectual"): 21}
    assert bound(three) == Bound("sram", Cause("sram", "l1", "inputs"), 0.75, 0.6)
    assert sentence(three) == "sram takes 75 % of lane-slots, most of it sram of inputs at l1 (60 %)"
    assert sentence({Cause("fill_drain"): 3, Cause("effectual"): 1}) == "fill_drain takes 75 % of lane-slots"
    own = {Cause("unmapped"): 5, Cause("effectual"): 2, Cause("post"): 3}
    assert sentence(own) == "compute takes 70 % of lane-slots, most of it unmapped (50 %)"
    assert str(bound(own)) == "compute: unmapped 50 %"


def test_a_tile_with_load_is_charged_to_its_level():
    work = FoldWork((Passes(2, 3, 1, 8),), 5, 4, 40, 0, loading=Cause("sram", "w", "weights"))
    timed = took(work, 4)
    assert timed.causes == Slots({
        Cause("effectual"): 40, Cause("sram", "w", "weights"): 24, Cause("fill_drain"): 8, Cause("unmapped"): 0,
        Cause("ineffectual"): 0,
    })  # fmt: skip
