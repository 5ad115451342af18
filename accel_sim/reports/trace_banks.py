"""Commands of a banked DRAM as slices: when each bank's row is open, why it was opened, and the bursts it serves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from accel_sim.memories.dram_banked import DramBanked, DramState
from cython_core import dram

#: (track, kind, name, begin, end in clocks, details); slices of kind "command" lie inside one of kind "row"
Slice = tuple[str, str, str, int, int, dict[str, object]]


@dataclass
class _Row:
    """A row while it is open. why: miss (the bank was closed) or conflict (another row was closed for it).

    bursts: [command, first clock, last clock, how many] of those of one kind with gaps of at most a row cycle (tRC).
    """

    number: int
    since: int
    why: str
    bursts: list[list[Any]] = field(default_factory=list)

    def serve(self, command: str, clock: int, gap: int) -> None:
        last = self.bursts[-1] if self.bursts else None
        if last is not None and last[0] == command and clock - last[2] <= gap:
            last[2:] = clock, last[3] + 1
        else:
            self.bursts.append([command, clock, clock, 1])

    def count(self, command: str) -> int:
        return sum(burst[3] for burst in self.bursts if burst[0] == command)


class Banks:
    """Reads a log of commands; ``slices`` are those of all banks and ranks, in the order of their end."""

    def __init__(self, memory: DramBanked, state: DramState) -> None:
        self.part, self.closed_page = memory.found, memory.page == "closed"
        self.timing = dict(zip(dram.TIMING, state.timing.tolist(), strict=True))
        self.open: dict[tuple[int, int], _Row] = {}
        self.conflicts: set[tuple[int, int]] = set()

    def slices(self, log: list[list[int]], end: int) -> Iterator[Slice]:
        """log: lines of clock, channel, command, bank, row, column; end: clock at which rows still open are cut off."""
        for clock, channel, number, bank, row, _ in log:
            command, where = dram.COMMANDS[number], (channel, bank)
            if command == "ACT":
                self.open[where] = _Row(row, clock, "conflict" if where in self.conflicts else "miss")
                self.conflicts.discard(where)
            elif command in ("RD", "WR"):
                self.open[where].serve(command, clock, self.timing["rc"])
                if self.closed_page:
                    after = clock + self.timing["rtp" if command == "RD" else "write_to_pre"]
                    yield from self._close(where, max(after, self.open[where].since + self.timing["ras"]))
            elif command == "PRE":
                self.conflicts.add(where)
                yield from self._close(where, clock)
            else:
                yield from self._maintain(command, channel, bank, clock)
        for where in sorted(self.open):
            yield from self._row(where, end)

    def _maintain(self, command: str, channel: int, first: int, clock: int) -> Iterator[Slice]:
        """PREA or REF of the rank whose first bank is ``first``."""
        banks = self.timing["groups"] * self.timing["banks"]
        if command == "PREA":
            for where in sorted(self.open):
                if where[0] == channel and first <= where[1] < first + banks:
                    yield from self._close(where, clock)
        length = self.timing["rp" if command == "PREA" else "rfc"]
        yield f"channel {channel} rank {first // banks} refresh", "", command, clock, clock + length, {}

    def _close(self, where: tuple[int, int], clock: int) -> Iterator[Slice]:
        yield from self._row(where, clock)
        yield self._track(where), "", "PRE", clock, clock + self.timing["rp"], {}

    def _row(self, where: tuple[int, int], end: int) -> Iterator[Slice]:
        row, track = self.open.pop(where), self._track(where)
        reads, writes = row.count("RD"), row.count("WR")
        first = row.bursts[0][1] if row.bursts else end
        yield track, "command", "ACT", row.since, min(row.since + self.timing["rcd_rd"], first), {}
        until = [burst[1] for burst in row.bursts[1:]] + [end]
        for (command, begin, last, number), most in zip(row.bursts, until, strict=False):
            stop = min(last + int(self.part["burst_clocks"]), most)
            yield track, "command", f"{command} x{number}", begin, stop, {"bytes": number * self.part.burst_bytes}
        shown: dict[str, object] = {
            "reads": reads, "writes": writes, "hits": max(0, reads + writes - 1),
            "bytes": (reads + writes) * self.part.burst_bytes,
        }  # fmt: skip
        yield track, "row", f"{row.why}: row {row.number}", row.since, end, shown

    def _track(self, where: tuple[int, int]) -> str:
        channel, bank = where
        group, number = divmod(bank, self.timing["banks"])
        rank, group = divmod(group, self.timing["groups"])
        return f"channel {channel} rank {rank} group {group} bank {number}"
