"""Command-level DRAM as a memory: legal edges to the clock, its two clocks, transfers, refusals."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim.memories.dram_banked import DramBanked
from accel_sim.memories.memory import Memory
from accel_sim.parts import memories
from cython_core import dram
from workloads.registry import InputError


def place(row: int = 0, bank: int = 0, group: int = 0, column: int = 0) -> int:
    """Byte address on DDR4 with the map RoBaBgRaCoCh."""
    return (((row * 4 + bank) * 4 + group) * 128 + column) * 64


def commands(memory: DramBanked, requests: list[tuple[int, int, str]]) -> list[tuple[int, str, int, int]]:
    """(clock, command, bank in the channel, row) for requests (arrival clock, address, R or W), to the last beat."""
    runs = np.array([(address, 64, 1, 0, arrival, op == "W") for arrival, address, op in requests], np.int64)
    state = memory.new_state(memory.memory_mhz, log=1000)
    memory.submit_each(state, 0, runs)
    memory.advance(state, None)
    lines = state.log[1 : 1 + state.log[0, 0]].tolist()
    return [(clock, dram.COMMANDS[command], bank, row) for clock, _, command, bank, row, _ in lines]


DDR4 = DramBanked(part="ddr4_2400", refresh=False)
DDR3 = DramBanked(part="ddr3_1600", refresh=False)


@pytest.mark.parametrize(("memory", "last_beat", "tRCD", "tCCD"), [(DDR4, 39, 17, 6), (DDR3, 27, 11, 4)])
def test_first_read_of_an_idle_channel(memory, last_beat, tRCD, tCCD):
    """Taken in at 0, ACT at 1, RD tRCD later, the next RD of the row tCCD later; data ends at +CL+BL/2: 38 and 26."""
    found = commands(memory, [(0, 0, "R"), (0, 64, "R")])
    assert found == [(1, "ACT", 0, 0), (1 + tRCD, "RD", 0, 0), (1 + tRCD + tCCD, "RD", 0, 0)]
    state = memory.new_state(memory.memory_mhz)
    memory.submit(state, 7, 0, ((0, 64, 1, 0),), False)
    assert memory.advance(state, None) == [(7, 0, last_beat, last_beat)]


# what is there, the address and direction of the probe, the command waited from, the probe's command, clocks between
EDGES = {
    "tRAS": ([(0, place(), "R")], place(row=1), "R", "ACT", "PRE", 39),
    "tRTP": ([(0, place(), "R"), (100, place(column=1), "R")], place(row=1), "R", "RD", "PRE", 9),
    "tWR": ([(0, place(), "R"), (100, place(), "W")], place(row=1), "R", "WR", "PRE", 34),
    "tCCD_L": ([(0, place(), "R")], place(column=5), "R", "RD", "RD", 6),
    "tCCD_S": (
        [(0, place(group=1), "R"), (100, place(), "R"), (200, place(), "R")],
        place(group=1), "R", "RD", "RD", 4,
    ),
    "tCCD_L of writes": ([(0, place(), "W")], place(column=5), "W", "WR", "WR", 6),
    "tWTR_L": ([(0, place(), "R"), (100, place(), "W")], place(column=1), "R", "WR", "RD", 25),
    "tWTR_S": (
        [(0, place(group=1), "R"), (50, place(), "R"), (200, place(), "W")],
        place(group=1), "R", "WR", "RD", 19,
    ),
    "read to write": ([(0, place(), "R"), (100, place(), "R")], place(column=1), "W", "RD", "WR", 11),
    "tRRD_S": ([(0, place(), "R")], place(group=1), "R", "ACT", "ACT", 4),
    "tRRD_L": ([(0, place(), "R")], place(bank=1), "R", "ACT", "ACT", 6),
}  # fmt: skip


@pytest.mark.parametrize("late", [-1, 0, 1])
@pytest.mark.parametrize("name", EDGES)
def test_a_command_waits_for_its_edge_and_no_longer(name, late):
    """The probe is looked at one clock before the legal edge, at it, and one clock after it."""
    there, address, op, first, then, gap = EDGES[name]
    begun = max(clock for clock, command, *_ in commands(DDR4, there) if command == first)
    edge = begun + gap
    found = commands(DDR4, [*there, (edge + late - 1, address, op)])  # a burst is looked at one clock after it is in
    assert next(clock for clock, command, *_ in found if command == then and clock > begun) == edge + max(late, 0)


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_the_fifth_row_waits_for_tFAW(late):
    four = [(0, place(group=g), "R") for g in range(4)]
    acts = [clock for clock, command, *_ in commands(DDR4, four) if command == "ACT"]
    assert acts == [1, 5, 9, 13]
    found = commands(DDR4, [*four, (1 + 26 + late - 1, place(bank=1), "R")])
    assert [clock for clock, command, *_ in found if command == "ACT"][4] == 1 + 26 + max(late, 0)


@pytest.mark.parametrize(("memory", "tRC"), [(DDR4, 56), (DDR3, 39)])
def test_rows_of_one_bank_in_turn_take_tRC_each(memory, tRC):
    found = commands(memory, [(0, 131072 * row * 2, "R") for row in range(20)])
    acts = [clock for clock, command, *_ in found if command == "ACT"]
    assert np.diff(acts).tolist() == [tRC] * 19


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_refresh_blocks_its_rank_for_tRFC(late):
    """REF at tREFI on an idle channel; a row opens tRFC later."""
    memory = DramBanked(part="ddr4_2400")
    found = commands(memory, [(9360 + 420 + late - 1, 0, "R")])
    assert found[:2] == [(9360, "REF", 0, -1), (9360 + 420 + max(late, 0), "ACT", 0, 0)]


def test_refresh_closes_open_rows_first():
    found = commands(DramBanked(part="ddr4_2400"), [(0, 0, "R"), (12000, 0, "R")])
    assert [line[:2] for line in found] == [
        (1, "ACT"), (18, "RD"), (9360, "PREA"), (9360 + 17, "REF"), (12001, "ACT"), (12018, "RD"),
    ]  # fmt: skip


def test_refreshes_until_a_time():
    memory = DramBanked(part="ddr4_2400")
    state = memory.new_state(memory.memory_mhz)
    assert [memory.counts(state, n)["REF"] for n in (9360, 9361, 93600, 93601)] == [0, 1, 9, 10]


def test_a_closed_page_is_precharged_with_every_access():
    memory = DramBanked(part="ddr4_2400", page="closed", refresh=False)
    found = commands(memory, [(0, 0, "R"), (0, 64, "R")])
    assert [line[:2] for line in found] == [(1, "ACT"), (18, "RD"), (57, "ACT"), (74, "RD")]  # tRC
    found = commands(memory, [(0, 0, "W"), (0, 64, "W")])
    assert [line[:2] for line in found] == [(1, "ACT"), (18, "WR"), (18 + 34 + 17, "ACT"), (86, "WR")]  # tWR, tRP


def test_a_row_with_an_older_hit_is_kept_open_by_frfcfs_rowhit_only():
    """tRTP < tCCD_L: plain FR-FCFS closes the row between two hits of it (the note in Ramulator's scheduler)."""
    requests = [(0, place(column=c), "R") for c in range(12)] + [(0, place(row=1), "R")]
    part = {"base": "ddr4_2400", "tRTP": 2, "tRAS": 20}
    plain = commands(DramBanked(part=part, refresh=False), requests)
    kept = commands(DramBanked(part=part, refresh=False, scheduler="frfcfs_rowhit"), requests)
    assert [name for _, name, *_ in kept] == ["ACT", *["RD"] * 12, "PRE", "ACT", "RD"]
    assert [name for _, name, *_ in plain].count("ACT") > 2


def test_channels_halve_the_time_of_a_stream():
    extents, clocks = ((0, 1 << 18, 1, 0),), []
    for channels in (1, 2, 4):
        memory = DramBanked(part="ddr4_2400", channels=channels, refresh=False)
        state = memory.new_state(memory.memory_mhz)
        memory.submit(state, 0, 0, extents, False)
        clocks.append(memory.advance(state, None)[0][3])
    assert clocks[0] / clocks[1] == pytest.approx(2, rel=0.03)
    assert clocks[0] / clocks[2] == pytest.approx(4, rel=0.06)


def test_ranks_share_the_bus_but_not_the_activation_window():
    """Every row new: one rank is bound by tFAW, two are not."""
    rows = [(0, place(row=i // 16, bank=i // 4 % 4, group=i % 4), "R") for i in range(320)]
    split = [(0, address // 8192 // 2 * 16384 + address // 8192 % 2 * 8192, op) for _, address, op in rows]
    one = commands(DDR4, rows)[-1][0]
    memory = DramBanked(part={"base": "ddr4_2400", "ranks": 2}, refresh=False)
    two = commands(memory, split)[-1][0]
    assert one == pytest.approx(320 * 26 / 4, rel=0.02)
    assert two < 0.85 * one


def test_bytes_become_bursts():
    """Runs that meet inside a burst share it; a run off the boundary touches one more; nothing is lost or doubled."""
    state = DDR4.new_state(1000)
    DDR4.submit(state, 0, 0, ((0, 28, 8, 28), (1 << 20, 64, 1, 0), (2**20 + 100, 64, 1, 0)), False)
    DDR4.submit(state, 1, 0, ((1 << 21, 1, 1, 0), (0, 0, 5, 64)), True)
    done = {ticket for _ in range(2) for ticket, *_ in DDR4.advance(state, None)}
    counts = DDR4.counts(state, 10_000)
    assert done == {0, 1}
    assert (counts["RD"], counts["WR"]) == (math.ceil(28 * 8 / 64) + 1 + 2, 1)


def test_a_transfer_of_nothing_is_over_at_once():
    state = DDR4.new_state(DDR4.memory_mhz)
    for ticket, extents in ((3, ()), (4, ((64, 0, 1, 0),))):
        DDR4.submit(state, ticket, 50, extents, False)
        assert DDR4.advance(state, 60) == [(ticket, 50, 50, 50)]


@given(st.integers(0, 10**9), st.sampled_from((100, 333.3, 800, 1204.8, 4000)))
def test_time_is_converted_exactly_and_rounded_up(cycle, clock_mhz):
    state = DDR4.new_state(clock_mhz)
    ratio = Fraction(1000) / Fraction("0.83") / Fraction(str(clock_mhz))
    assert state.clock(cycle) == math.ceil(cycle * ratio)
    assert state.cycle(cycle) == math.ceil(cycle / ratio)
    assert state.cycle(state.clock(cycle)) >= cycle


def test_a_slower_array_sees_the_same_commands_in_fewer_cycles():
    times = {}
    for clock_mhz in (DDR4.memory_mhz, DDR4.memory_mhz / 2, DDR4.memory_mhz * 3):
        state = DDR4.new_state(clock_mhz)
        DDR4.submit(state, 0, 0, ((0, 6400, 1, 0),), False)
        times[clock_mhz / DDR4.memory_mhz] = DDR4.advance(state, None)[0][3]
    assert times[Fraction(1, 2)] == math.ceil(times[1] / 2)
    assert times[3] == 3 * times[1]


transfers = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 40), st.integers(1, 700), st.booleans()), min_size=1, max_size=12
)


@given(transfers, st.lists(st.integers(0, 1500), max_size=30), st.sampled_from((1, 2)), st.sampled_from((700, 1500)))
def test_limits_do_not_change_what_happens(given_transfers, limits, channels, clock_mhz):
    """Shown all at once with their times, or each only when the time has come: the same commands and completions."""
    memory = DramBanked(part="ddr4_2400", channels=channels)
    ordered = sorted(given_transfers, key=lambda transfer: transfer[0])

    def submit(state, number):
        time, block, size, is_write = ordered[number]
        memory.submit(state, number, time, ((block * 4096, size, 2, 8192),), is_write)

    whole, stopped = memory.new_state(clock_mhz, 3000), memory.new_state(clock_mhz, 3000)
    for number in range(len(ordered)):
        submit(whole, number)
    expected, found, shown = [], [], 0
    while done := memory.advance(whole, 5000):
        expected += done
    for limit in sorted({*limits, *(time for time, *_ in ordered), 5000}):
        while done := memory.advance(stopped, limit):
            assert len({completion for *_, completion in done}) == 1
            found += done
            assert found[-1][3] <= limit
        while shown < len(ordered) and ordered[shown][0] == limit:
            submit(stopped, shown)
            shown += 1
    assert len(found) == len(ordered)
    assert found == expected
    assert [transfer[3] for transfer in found] == sorted(transfer[3] for transfer in found)
    assert np.array_equal(stopped.log, whole.log)
    assert memory.counts(stopped, 6000) == memory.counts(whole, 6000)


def test_idle_memory_has_nothing_to_report():
    memory = DramBanked()
    state = memory.new_state(800)
    assert memory.advance(state, None) == []
    assert memory.advance(state, 100_000) == []
    assert memory.counts(state, 100_000)["REF"] == 100_000 * 1.25 / 0.83 // 9360


def test_room_is_made_for_any_number_of_transfers():
    """Lists of pending bursts and tickets grow; nothing is lost."""
    state = DDR4.new_state(1000)
    for ticket in range(100):
        DDR4.submit(state, ticket, ticket, ((ticket << 16, 64 * 50, 1, 0),), ticket % 2 == 0)
    done = []
    while found := DDR4.advance(state, None):
        done += found
    assert sorted(ticket for ticket, *_ in done) == list(range(100))
    counts = DDR4.counts(state, done[-1][3])
    assert counts["RD"] == counts["WR"] == 2500


def test_a_read_of_a_waiting_write_is_served_from_the_queue():
    memory = DramBanked(part="ddr4_2400", refresh=False)
    state = memory.new_state(memory.memory_mhz)
    runs = np.array(
        [(64 * 999, 64, 1, 0, 0, 0), (0, 64, 1, 0, 0, 1), (0, 64, 1, 0, 0, 1), (0, 64, 1, 0, 0, 0)], np.int64
    )
    memory.submit_each(state, 0, runs)
    cycles = memory.advance(state, None)[0][3]
    counts = memory.counts(state, cycles)
    assert (counts["RD"], counts["WR"], counts["forwarded"], counts["merged"]) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"part": "ddr4_240"}, "unknown DRAM part 'ddr4_240'; did you mean 'ddr4_2400'?"),
        ({"page": "opn"}, "unknown page 'opn'; did you mean 'open'? (known: open, closed)"),
        ({"scheduler": "fcfs"}, "unknown scheduler 'fcfs'; did you mean 'frfcfs'? (known: frfcfs, frfcfs_rowhit)"),
        ({"channels": 3}, "channels=3 must be a power of two"),
        ({"channels": 0}, "channels=0 must be at least 1"),
        ({"read_queue": 0}, "read_queue=0 must be at least 1"),
        ({"write_low": 0.9}, "write_low=0.9, write_high=0.8 must be shares with low <= high"),
        ({"address_map": "RoBaBgRaCo"}, "address_map='RoBaBgRaCo' must name Ch, Ra, Bg, Ba, Ro, Co once each"),
        ({"address_map": "RoRoBaBgRaCoCh"}, "address_map='RoRoBaBgRaCoCh' must name"),
        ({"address_map": "robabgracoch"}, "address_map='robabgracoch' must name"),
    ],
)
def test_wrong_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        DramBanked(**fields)


def test_an_address_beyond_the_part_is_refused():
    memory = DramBanked(part="lpddr3_1600")
    state = memory.new_state(1000)
    memory.submit(state, 0, 0, ((2**31 - 64, 64, 1, 0),), False)
    message = (
        "memory 'dram': address 0x80000000 lies beyond the 2147483648 bytes of 1 x lpddr3_1600; "
        "use more channels or another part"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        memory.submit(state, 1, 0, ((2**31 - 64, 65, 1, 0),), False)


@pytest.mark.parametrize("order", ["RoBaBgRaCoCh", "RoBaRaCoBgCh", "ChRaBgBaRoCo"])
def test_an_address_map_is_one_to_one(order):
    memory = DramBanked(part={"base": "ddr4_2400", "ranks": 2}, channels=4, address_map=order)
    low, width = memory.bits[:, 0], memory.bits[:, 1]
    taken = sorted(bit for at, n in zip(low, width, strict=True) for bit in range(at, at + n))
    assert taken == list(range(len(taken)))
    assert 64 << len(taken) == memory.capacity_bytes == 4 * 2 * 2**33


def test_the_outermost_levels_keep_to_the_protocol():
    names = [name for name in dir(Memory) if not name.startswith("_") and callable(getattr(Memory, name))]
    assert {"new_state", "submit", "advance", "actions", "price"} <= set(names)
    for name, part in memories.items():
        if hasattr(part, "submit"):
            assert all(callable(getattr(part, method)) for method in names), name
