"""The DRAM kernel against a model that advances one clock at a time, and the laws it must keep."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cython_core import dram, dram_cut
from tests.oracle import dram_clocked

COLUMN_BITS, ROW_BITS = 2, 2


def log2(n: int) -> int:
    return n.bit_length() - 1


class Kernel:
    """The kernel's arrays for one channel of a ``dram_clocked.Machine``."""

    def __init__(self, machine: dram_clocked.Machine, log: int = 4000):
        m, t = machine, machine.t
        burst, CL, CWL = t["burst"], t["CL"], t["CWL"]
        values = {
            "ranks": m.ranks, "groups": m.groups, "banks": m.banks, "read_depth": m.read_depth,
            "write_depth": m.write_depth, "drain_above": m.drain_above, "drain_below": m.drain_below,
            "closed": m.closed, "protect_hits": m.protect_hits, "refresh": m.refresh,
            "rcd_rd": t["RCDRD"], "rcd_wr": t["RCDWR"], "rp": t["RP"], "ras": t["RAS"], "rc": t["RAS"] + t["RP"],
            "rrd_s": t["RRD_S"], "rrd_l": t["RRD_L"], "faw": t["FAW"], "ccd_s": t["CCD_S"], "ccd_l": t["CCD_L"],
            "rtp": t["RTP"], "rfc": t["RFC"], "refi": t["REFI"],
            "read_done": CL + burst, "write_done": CWL + burst, "read_to_write": CL + burst + t["RTW"] - CWL,
            "write_to_read_s": CWL + burst + t["WTR_S"], "write_to_read_l": CWL + burst + t["WTR_L"],
            "write_to_pre": CWL + burst + t["WR"],
            "other_rr": burst + t["RTRS"], "other_rw": CL + burst + t["RTRS"] - CWL,
            "other_wr": max(burst, CWL + burst + t["RTRS"] - CL), "other_ww": burst,
        }  # fmt: skip
        self.machine = machine
        self.timing = np.array([int(values[name]) for name in dram.TIMING], np.int64)
        self.channels = np.zeros((1, dram.words(self.timing)), np.int64)
        dram.reset(self.timing, self.channels)
        self.pending, self.ends = np.zeros((1, 200, 5), np.int64), np.zeros((1, 2), np.int64)
        self.tickets = np.full((64, 3), -1, np.int64)
        self.log = np.zeros((log, 6), np.int64)

    def submit(self, burst: dram_clocked.Burst) -> None:
        m = self.machine
        widths = [0, log2(m.ranks), log2(m.groups), log2(m.banks), ROW_BITS, COLUMN_BITS]
        lows = [sum(widths[i + 1 :]) for i in range(6)]
        fields = (0, burst.rank, burst.group, burst.bank, burst.row, burst.column)
        address = sum(value << low for value, low in zip(fields, lows, strict=True))
        self.tickets[burst.name] = 1, -1, 0
        run = np.array([[64 * address, 64, 1, 0, burst.arrival, burst.write]], np.int64)
        places = np.array(list(zip(lows, widths, strict=True)), np.int64)
        assert dram_cut.cut(run, 6, places, False, 2 * burst.name, self.pending, self.ends) == 1

    def advance(self, limit: int) -> int:
        return dram.advance(self.timing, self.channels, self.pending, self.ends, self.tickets, limit, self.log)

    def run(self, limit: int) -> dict[int, int]:
        """To ``limit``, over every completion; returns name -> clock of the last beat."""
        done: dict[int, int] = {}
        while 0 <= (found := self.advance(limit)) <= limit:
            finished = [i for i in range(64) if self.tickets[i, 0] == 0 and self.tickets[i, 2] == found]
            assert finished
            done |= dict.fromkeys(finished, found)
            self.tickets[finished, 0] = -1
        return done

    def commands(self) -> list[tuple]:
        m, found = self.machine, []
        for clock, channel, command, bank, row, column in self.log[1 : 1 + self.log[0, 0]].tolist():
            assert channel == 0
            name = dram.COMMANDS[command]
            place = (bank // (m.groups * m.banks), bank // m.banks % m.groups, bank % m.banks)
            found.append((clock, name, (place[0], -1, -1) if name in ("PREA", "REF") else place, row, column))
        return found

    def counts(self, clock: int) -> dict[str, int]:
        return dict(zip(dram.COUNTS, dram.counts(self.timing, self.channels, clock), strict=True))


@st.composite
def machines(draw) -> dram_clocked.Machine:
    def few(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    burst, CWL = few(1, 4), few(1, 6)
    RRD_S, CCD_S = few(1, 4), few(burst, 5)
    t = {
        "burst": burst, "CWL": CWL, "CL": CWL + few(0, 5), "RCDRD": few(1, 8), "RCDWR": few(1, 8), "RP": few(1, 8),
        "RAS": few(4, 16), "RRD_S": RRD_S, "RRD_L": RRD_S + few(0, 3), "FAW": few(4, 24), "CCD_S": CCD_S,
        "CCD_L": CCD_S + few(0, 3), "WTR_S": few(1, 4), "WTR_L": few(1, 8), "WR": few(1, 9), "RTP": few(1, 6),
        "RTW": few(0, 3), "RTRS": few(0, 2), "RFC": few(5, 40),
    }  # fmt: skip
    t["REFI"] = t["RFC"] + few(30, 120)
    write_depth = few(1, 8)
    drain_above = few(0, write_depth)
    return dram_clocked.Machine(
        ranks=draw(st.sampled_from((1, 2))), groups=draw(st.sampled_from((1, 2, 4))),
        banks=draw(st.sampled_from((1, 2))), read_depth=few(1, 8), write_depth=write_depth,
        drain_above=drain_above, drain_below=few(1, drain_above + 1), closed=draw(st.booleans()),
        protect_hits=draw(st.booleans()), refresh=draw(st.booleans()), t=t,
    )  # fmt: skip


@st.composite
def loads(draw, most: int = 40) -> tuple[dram_clocked.Machine, list[dram_clocked.Burst]]:
    machine, clock, bursts = draw(machines()), 0, []
    local = draw(st.booleans())
    for name in range(draw(st.integers(1, most))):
        clock += draw(st.sampled_from((0, 0, 0, 1, 2, 25)))
        bursts.append(dram_clocked.Burst(
            clock, draw(st.integers(0, machine.ranks - 1)), draw(st.integers(0, machine.groups - 1)),
            draw(st.integers(0, machine.banks - 1)), draw(st.integers(0, 0 if local else 3)),
            draw(st.integers(0, 3)), draw(st.booleans()), name,
        ))  # fmt: skip
    return machine, bursts


HORIZON = 600


def given_all(machine: dram_clocked.Machine, bursts: list[dram_clocked.Burst]) -> Kernel:
    """A kernel that knows all bursts from the start."""
    kernel = Kernel(machine)
    for burst in bursts:
        kernel.submit(burst)
    return kernel


@given(loads())
def test_equals_the_model_that_advances_a_clock_at_a_time(load):
    machine, bursts = load
    kernel = given_all(machine, bursts)
    done = kernel.run(HORIZON)
    slow = dram_clocked.play(machine, bursts, HORIZON)
    assert kernel.commands() == slow.log
    assert done == {name: clock for name, clock in slow.done.items() if clock <= HORIZON}
    counts = kernel.counts(HORIZON)
    assert (counts["forwarded"], counts["merged"]) == (slow.forwarded, slow.merged)
    assert (counts["open"], counts["precharged"]) == (slow.open_clocks, slow.precharged_clocks)


@given(loads(), st.lists(st.integers(0, 300), max_size=60))
def test_any_sequence_of_limits_and_late_arrivals_gives_the_same_commands(load, limits):
    """A burst is shown to the kernel only once it has run to the burst's arrival."""
    machine, bursts = load
    whole, stopped = given_all(machine, bursts), Kernel(machine)
    expected = whole.run(HORIZON)
    done, left = {}, list(bursts)
    for limit in sorted({*limits, *(burst.arrival for burst in bursts), HORIZON}):
        done |= stopped.run(limit)
        assert all(clock < limit for clock, *_ in stopped.commands())
        while left and left[0].arrival == limit:
            stopped.submit(left.pop(0))
    assert stopped.commands() == whole.commands()
    assert done == expected
    assert stopped.counts(HORIZON) == whole.counts(HORIZON)


@given(loads())
def test_what_goes_in_comes_out(load):
    """RD + WR + forwarded + merged = bursts; refreshes fall due on time; every row touched is opened; time adds up."""
    machine, bursts = load
    kernel = given_all(machine, bursts)
    end = max(kernel.run(1 << 40).values()) if not machine.refresh else HORIZON
    if machine.refresh:
        kernel.run(HORIZON)
    counts = kernel.counts(end)
    if not machine.refresh:
        assert counts["RD"] + counts["WR"] + counts["forwarded"] + counts["merged"] == len(bursts)
        assert counts["RD"] + counts["forwarded"] == sum(not burst.write for burst in bursts)
        assert counts["last_beat"] == end
        served = {(burst.place, burst.row) for burst in bursts}
        assert counts["ACT"] >= len(served)
    else:
        assert counts["REF"] <= machine.ranks * (HORIZON // machine.t["REFI"]) + machine.ranks
    assert counts["open"] + counts["precharged"] == machine.ranks * end


def test_a_completion_stops_the_kernel_before_anything_later():
    machine = dram_clocked.Machine(
        1, 1, 2, 8, 8, 6, 2, False, False, False,
        {
            "burst": 4, "CWL": 8, "CL": 11, "RCDRD": 11, "RCDWR": 11, "RP": 11, "RAS": 28, "RRD_S": 5, "RRD_L": 5,
            "FAW": 24, "CCD_S": 4, "CCD_L": 4, "WTR_S": 6, "WTR_L": 6, "WR": 12, "RTP": 6, "RTW": 2, "RTRS": 1,
            "RFC": 208, "REFI": 6240,
        },
    )  # fmt: skip
    kernel = Kernel(machine)
    for name in range(10):
        kernel.submit(dram_clocked.Burst(0, 0, 0, name % 2, name, 0, False, name))
    assert kernel.advance(1 << 40) == 1 + 11 + 11 + 4  # ACT at 1
    assert max(clock for clock, *_ in kernel.commands()) < 27
    assert kernel.advance(1 << 40) == 27  # the transfer is still there: nothing moves


def test_the_clocked_model_imports_none_of_our_packages():
    tree = ast.parse(Path(dram_clocked.__file__).read_text(encoding="utf-8"))
    named = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert named == {"dataclasses"}


def test_a_channel_that_can_never_serve_a_burst_ends_in_an_error():
    """Refreshed all the time (tREFI = tRFC), no bank is ever open for an access."""
    t = dict.fromkeys(
        ("burst", "CWL", "CL", "RCDRD", "RCDWR", "RP", "RRD_S", "RRD_L", "CCD_S", "CCD_L", "WTR_S", "WTR_L", "WR",
         "RTP", "RTW", "RTRS"), 2)  # fmt: skip
    machine = dram_clocked.Machine(
        ranks=1, groups=1, banks=2, read_depth=4, write_depth=4, drain_above=2, drain_below=1, closed=False,
        protect_hits=False, refresh=True, t=t | {"RAS": 4, "FAW": 4, "RFC": 20, "REFI": 20},
    )  # fmt: skip
    kernel = Kernel(machine)
    kernel.submit(dram_clocked.Burst(25, 0, 0, 0, 0, 0, False))
    with pytest.raises(RuntimeError, match=r"dram: channel 0 has served no burst for [0-9]+ clocks"):
        kernel.advance(1 << 60)
