"""Command-level DRAM: FR-FCFS controllers over banks, bank groups, ranks and channels; energy by command."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from accel_sim.memories import dram_part
from accel_sim.memories.memory import Completed, memories
from accel_sim.values.actions import Actions
from accel_sim.values.checks import MOST_PIECES, require
from accel_sim.values.tile import Extent
from cython_core import dram, dram_cut
from workloads.registry import InputError, unknown

#: letters of an address map -> what they are
FIELDS = {"Ch": "channel", "Ra": "rank", "Bg": "bank group", "Ba": "bank", "Ro": "row", "Co": "column"}
#: scheduler -> a row is not closed while an older request for it waits
SCHEDULERS = {"frfcfs": False, "frfcfs_rowhit": True}
PAGES = ("open", "closed")
NEVER = 1 << 61
_NO_LOG = np.zeros((0, 6), np.int64)


@dataclass(eq=False)
class DramState:
    """The arrays of ``cython_core.dram`` for one memory, and what its transfers are called outside.

    clocks_per_cycle: memory clocks in a cycle of the array clock; names: row of ``tickets`` -> the caller's ticket;
    log: [n, 6] commands are written here, if n > 0.
    """

    timing: np.ndarray
    channels: np.ndarray
    pending: np.ndarray
    ends: np.ndarray
    tickets: np.ndarray
    clocks_per_cycle: Fraction
    names: dict[int, int]
    log: np.ndarray

    def record(self, commands: int) -> None:
        """Has the first ``commands`` from now on written to a new log."""
        self.log = np.zeros((commands + 1, 6), np.int64)

    def clock(self, cycle: int) -> int:
        """The first memory clock at or after an array cycle."""
        return -(-cycle * self.clocks_per_cycle.numerator // self.clocks_per_cycle.denominator)

    def cycle(self, clock: int) -> int:
        """The first array cycle at or after a memory clock."""
        return -(-clock * self.clocks_per_cycle.denominator // self.clocks_per_cycle.numerator)

    def begin_ticket(self, name: int, arrival: int) -> int:
        """A free row of ``tickets``, now that of ``name``, with no burst to wait for."""
        row = next((row for row in range(len(self.tickets)) if row not in self.names), len(self.tickets))
        if row == len(self.tickets):
            self.tickets = np.concatenate([self.tickets, np.full_like(self.tickets, -1)])
        self.tickets[row] = 0, -1, arrival
        self.names[row] = name
        return row

    def make_room(self, bursts: int) -> None:
        """Lets every channel's pending list take ``bursts`` more: what was taken in is dropped, the rest moved up."""
        if int(self.ends[:, 1].max()) + bursts <= self.pending.shape[1]:
            return
        left = int((self.ends[:, 1] - self.ends[:, 0]).max())
        moved = np.empty((len(self.ends), 2 * (left + bursts), 5), np.int64)
        for channel, (first, last) in enumerate(self.ends):
            moved[channel, : last - first] = self.pending[channel, first:last]
        self.pending, self.ends[:, 1], self.ends[:, 0] = moved, self.ends[:, 1] - self.ends[:, 0], 0


@memories.add("dram_banked")
@dataclass(frozen=True)
class DramBanked:
    """Every access is cut into bursts; each costs the commands its bank needs, when they are legal.

    level: its name in results. part: a name of ``accel_sim/tables/dram``, or a mapping of own parameters with an
    optional ``base`` (for LPDDR parts no sound reference exists). channels: each with its own bus and controller.
    page: a row stays open, or is closed after every access (auto-precharge). scheduler: frfcfs (oldest ready command
    first) or frfcfs_rowhit (and no row is closed while an older request for it waits). address_map: high to low.
    read_queue, write_queue: bursts a controller looks at. write_high: writes are held back until more than this share
    of their queue is full or no read waits; write_low: then sent until less than this is. refresh: all banks of a rank,
    every tREFI.

    Transfers enter the queues in the order in which they were submitted, one burst per channel and clock. A read of a
    burst whose write still waits is served from the queue.
    """

    level: str = "dram"
    part: str | dict[str, object] = "ddr4_2400"
    channels: int = 1
    page: str = "open"
    scheduler: str = "frfcfs"
    address_map: str = "RoBaBgRaCoCh"
    read_queue: int = 32
    write_queue: int = 32
    write_high: float = 0.8
    write_low: float = 0.2
    refresh: bool = True

    def __post_init__(self) -> None:
        require(self, 1, "channels", "read_queue", "write_queue", at_most=MOST_PIECES)
        if self.channels & (self.channels - 1):
            raise ValueError(f"channels={self.channels} must be a power of two")
        for name, known in (("page", PAGES), ("scheduler", tuple(SCHEDULERS))):
            if getattr(self, name) not in known:
                raise ValueError(str(unknown(name, getattr(self, name), list(known))))
        if not 0 <= self.write_low <= self.write_high <= 1:
            raise ValueError(
                f"write_low={self.write_low:g}, write_high={self.write_high:g} must be shares with low <= high"
            )
        letters = re.findall(r"[A-Z][a-z]*|[^A-Z]+", self.address_map)
        if sorted(letters) != sorted(FIELDS):
            raise ValueError(
                f"address_map='{self.address_map}' must name {', '.join(FIELDS)} once each, high to low, "
                f"as RoBaBgRaCoCh"
            )
        _ = self.found

    @cached_property
    def found(self) -> dram_part.DramPart:
        """The part; InputError if there is none of that name."""
        return dram_part.find(self.part)

    @cached_property
    def bits(self) -> np.ndarray:
        """[6, 2] lowest bit above the burst, and bits, of channel, rank, bank group, bank, row and column."""
        part = self.found
        sizes = {
            "Ch": self.channels, "Ra": part["ranks"], "Bg": part["bank_groups"], "Ba": part["banks_per_group"],
            "Ro": part["rows"], "Co": part["columns"] // part["burst_length"],
        }  # fmt: skip
        low, places = 0, {}
        for letters in reversed(re.findall("..", self.address_map)):
            width = int(sizes[letters]).bit_length() - 1
            places[letters] = low, width
            low += width
        return np.array([places[letters] for letters in FIELDS], np.int64)

    @property
    def capacity_bytes(self) -> int:
        """Of all channels."""
        return self.channels * self.found.channel_bytes

    @property
    def memory_mhz(self) -> Fraction:
        """The part's clock."""
        return 1000 / Fraction(str(self.found["tCK_ns"]))

    def peak_bytes_per_cycle(self, clock_mhz: float) -> Fraction:
        """The most bytes all data buses can move in a cycle of the array clock, were every beat used."""
        clocks = self.memory_mhz / Fraction(str(clock_mhz))
        return self.channels * Fraction(self.found.burst_bytes, int(self.found["burst_clocks"])) * clocks

    def new_state(self, clock_mhz: float | Fraction, log: int = 0) -> DramState:
        """Idle memory at cycle 0 of an array clock of ``clock_mhz``; the first ``log`` commands are recorded."""
        part = self.found
        values = part.gaps | {
            "ranks": part["ranks"], "groups": part["bank_groups"], "banks": part["banks_per_group"],
            "read_depth": self.read_queue, "write_depth": self.write_queue,
            "drain_above": math.floor(Fraction(str(self.write_high)) * self.write_queue),
            "drain_below": max(1, math.ceil(Fraction(str(self.write_low)) * self.write_queue)),  # else reads starve
            "closed": self.page == "closed", "protect_hits": SCHEDULERS[self.scheduler], "refresh": self.refresh,
        }  # fmt: skip
        timing = np.array([int(values[name]) for name in dram.TIMING], np.int64)
        channels = np.zeros((self.channels, dram.words(timing)), np.int64)
        dram.reset(timing, channels)
        state = DramState(
            timing, channels,
            pending=np.empty((self.channels, 1024, 5), np.int64),
            ends=np.zeros((self.channels, 2), np.int64),
            tickets=np.full((8, 3), -1, np.int64),
            clocks_per_cycle=self.memory_mhz / Fraction(str(clock_mhz)),
            names={},
            log=_NO_LOG,
        )  # fmt: skip
        if log:
            state.record(log)
        return state

    def submit(self, state: DramState, ticket: int, time: int, extents: tuple[Extent, ...], is_write: bool) -> None:
        """Enqueues a transfer of byte extents (address, bytes, count, stride), cut into bursts, at cycle ``time``.

        Extents that follow each other inside one burst share it. Raises InputError for an address beyond the part.
        """
        runs = np.empty((len(extents), 6), np.int64)
        runs[:, :4] = np.array(extents, np.int64).reshape(-1, 4)
        arrival = state.clock(time)
        runs[:, 4:] = arrival, is_write
        self._enqueue(state, ticket, arrival, runs, join=True)

    def submit_each(self, state: DramState, ticket: int, runs: np.ndarray) -> None:
        """Enqueues a trace as one transfer. runs: [n, 6] address, bytes, count, stride, arrival clock, is_write."""
        self._enqueue(state, ticket, int(runs[0, 4]), runs, join=False)

    def _enqueue(self, state: DramState, ticket: int, arrival: int, runs: np.ndarray, *, join: bool) -> None:
        ends = runs[:, 0] + runs[:, 3] * np.maximum(runs[:, 2] - 1, 0) + runs[:, 1]
        if len(runs) and int(ends.max()) > self.capacity_bytes:
            raise InputError(
                f"memory '{self.level}': address {int(ends.max()) - 1:#x} lies beyond the {self.capacity_bytes} bytes "
                f"of {self.channels} x {self.found.name}; use more channels or another part"
            )
        row = state.begin_ticket(ticket, arrival)
        state.make_room(int(((runs[:, 1] // self.found.burst_bytes + 2) * runs[:, 2]).sum()))
        state.tickets[row, 0] = dram_cut.cut(
            runs, self.found.burst_bytes.bit_length() - 1, self.bits, join, 2 * row, state.pending, state.ends
        )

    def advance(self, state: DramState, limit: int | None) -> list[Completed]:
        """Runs to the first cycle in which transfers complete, but commits nothing at or after cycle ``limit``.

        Returns these transfers as (ticket, begin, end, completion) in cycles: the first burst is taken in, the last
        beat is over, and again (what waits for it goes on then). None: no bound.
        """
        bound, done = NEVER if limit is None else state.clock(limit), []
        while state.names or limit is not None:  # idle memory would be refreshed for ever
            found = dram.advance(
                state.timing, state.channels, state.pending, state.ends, state.tickets, bound, state.log
            )
            if found < 0 or found > bound or (limit is not None and state.cycle(found) > limit):
                break
            bound = min(bound, state.clock(state.cycle(found)))  # and what else is over by that cycle
            for row in [row for row in state.names if state.tickets[row, 0] == 0 and state.tickets[row, 2] <= found]:
                _, begin, end = (int(word) for word in state.tickets[row])
                over = state.cycle(end)
                done.append((state.names.pop(row), over if begin < 0 else state.cycle(begin), over, over))
                state.tickets[row] = -1
        return done

    def counts(self, state: DramState, time: int) -> dict[str, int]:
        """COUNTS of ``cython_core.dram`` up to cycle ``time``; of a transfer under way, the commands issued by then."""
        clock = state.clock(time)
        dram.advance(state.timing, state.channels, state.pending, state.ends, state.tickets, clock, state.log)
        return dict(zip(dram.COUNTS, dram.counts(state.timing, state.channels, clock), strict=True))

    def actions(self, state: DramState, time: int) -> Actions:
        """Commands and clocks by state up to cycle ``time``."""
        counts, burst = self.counts(state, time), 8 * self.found.burst_bytes
        return Actions({
            (self.level, "act_pre", 0): counts["ACT"],
            (self.level, "rd", burst): counts["RD"],
            (self.level, "wr", burst): counts["WR"],
            (self.level, "ref", 0): counts["REF"],
            (self.level, "background_open", 0): counts["open"],
            (self.level, "background_precharged", 0): counts["precharged"],
        })  # fmt: skip

    def price(self, action: str, bits: int, table: object) -> tuple[float, str]:
        """(pJ, source) of one command or one clock; bytes read and written are counted, their commands are priced."""
        if action in ("read", "write"):
            return 0.0, "bytes moved: priced by their commands"
        return self.found.energies[action]

    def idle_latency(self, clock_mhz: float) -> int:
        """Cycles from a request to its last beat, from an idle and closed bank."""
        clocks = self.found.gaps["rcd_rd"] + self.found.gaps["read_done"]
        return math.ceil(clocks * Fraction(str(clock_mhz)) / self.memory_mhz)

    @cached_property
    def streaming_pj_per_byte(self) -> tuple[float, float]:
        """(read, write): pJ a byte where whole rows are streamed: what the search of tiles weighs."""
        part = self.found
        row = part["columns"] * part["bus_bits"] / 8
        act = part.energies["act_pre"][0] / row
        read, write = (part.energies[name][0] / part.burst_bytes + act for name in ("rd", "wr"))
        return read, write
