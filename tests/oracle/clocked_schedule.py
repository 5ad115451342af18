"""Tiles moving through loaders, array, post-processing unit and writer over one memory channel, cycle by cycle.

Rules: a loader takes a buffer slot, then asks the channel; a slot is freed when the array has finished the last tile
that uses what lies in it. A tile with results needs a free output slot before it starts. The channel serves one
transfer after another in order of arrival (within a cycle: reads before writes, operands by name), ceil(bytes / width)
cycles each; data is there ``latency`` cycles after. The array takes tiles in order.
"""

from dataclasses import dataclass, field


@dataclass
class Tile:
    array: int
    post: int
    reads: dict[str, int]
    write: int | None = None
    post_only: bool = False


@dataclass
class Channel:
    bandwidth: int
    latency: int
    free_at: int = 0
    busy: set = field(default_factory=set)

    def ask(self, now: int, size: int) -> int:
        begin = max(now, self.free_at)
        self.free_at = begin - (-size // self.bandwidth)
        self.busy |= set(range(begin, self.free_at))
        return self.free_at + self.latency


@dataclass
class Schedule:
    tiles: list[Tile]
    slots: dict[str, int]
    channel: Channel

    def run(self) -> tuple[int, dict[str, int], int]:
        """(end, idle cycles of the array by cause, cycles in which the channel was busy while the array worked)."""
        self.operands = sorted({operand for tile in self.tiles for operand in tile.reads})
        self.loads = {o: [n for n, tile in enumerate(self.tiles) if o in tile.reads] for o in self.operands}
        self.arrival = {o: {} for o in self.operands}  # load number -> cycle at which its data is there
        self.freed = dict.fromkeys(self.operands, 0)
        self.started: list[int] = []
        self.ended: list[int] = []
        self.posted: list[int] = []
        self.written: dict[int, int] = {}
        now = 0
        while not self._over(now):
            while self._step(now):
                pass
            now += 1
        while self._step(now):
            pass
        return self._account(now)

    def _over(self, now: int) -> bool:
        while self._step(now):
            pass
        done = len(self.posted) == len(self.tiles) and all(end <= now for end in self.posted)
        writes = [n for n, tile in enumerate(self.tiles) if tile.write is not None]
        return done and all(n in self.written and self.written[n] <= now for n in writes)

    def _step(self, now: int) -> bool:
        return self._load(now) or self._array(now) or self._post(now) or self._write(now)  # reads before writes

    def _load(self, now: int) -> bool:
        moved = False
        for operand in self.operands:
            number = len(self.arrival[operand])
            if number == len(self.loads[operand]) or number - self.freed[operand] >= self.slots[operand]:
                continue
            if number and self.arrival[operand][number - 1] > now:
                continue  # one transfer at a time
            size = self.tiles[self.loads[operand][number]].reads[operand]
            self.arrival[operand][number] = self.channel.ask(now, size)
            moved = True
        return moved

    def _here(self, operand: str, tile: int, now: int) -> bool:
        needed = sum(1 for n in self.loads[operand] if n <= tile)
        return needed == 0 or self.arrival[operand].get(needed - 1, now + 1) <= now

    def _array(self, now: int) -> bool:
        n = len(self.started)
        if len(self.ended) < n and self._busy_until(n - 1) <= now:
            self.ended.append(now)
            for operand in self.operands:
                used = [load for load in self.loads[operand] if load < n]
                last_use = n == len(self.tiles) or n in self.loads[operand]
                if used and last_use:
                    self.freed[operand] = len(used)
            return True
        if n == len(self.tiles) or len(self.ended) < n:
            return False
        ready = all(self._here(operand, n, now) for operand in self.tiles[n].reads)
        earlier = [m for m in range(n) if self.tiles[m].write is not None]
        if self.tiles[n].write is not None and len(earlier) >= self.slots["outputs"]:
            needed = earlier[len(earlier) - self.slots["outputs"]]
            ready = ready and self.written.get(needed, now + 1) <= now
        if ready:
            self.started.append(now)
        return ready

    def _busy_until(self, n: int) -> int:
        tile = self.tiles[n]
        return self.started[n] + (tile.post if tile.post_only else tile.array)

    def _post(self, now: int) -> bool:
        n = len(self.posted)
        if n == len(self.tiles) or len(self.ended) <= n or (n and self.posted[n - 1] > now):
            return False
        self.posted.append(now + (0 if self.tiles[n].post_only else self.tiles[n].post))
        return True

    def _write(self, now: int) -> bool:
        for n, tile in enumerate(self.tiles):
            if tile.write is None or n in self.written:
                continue
            if any(end > now for end in self.written.values()) or len(self.posted) <= n or self.posted[n] > now:
                return False
            self.written[n] = self.channel.ask(now, tile.write)
            return True
        return False

    def _account(self, end: int) -> tuple[int, dict[str, int], int]:
        idle = dict.fromkeys(("dram_read", "dram_write", "post"), 0)
        working = set()
        free = 0
        for n, tile in enumerate(self.tiles):
            arrivals = [self.arrival[o][sum(1 for m in self.loads[o] if m <= n) - 1] for o in tile.reads]
            loaded = max(arrivals, default=0)
            cause = "dram_read" if loaded >= self.started[n] else "dram_write"
            idle[cause] += self.started[n] - free
            until = self._busy_until(n)
            if tile.post_only:
                idle["post"] += until - self.started[n]
            else:
                working |= set(range(self.started[n], until))
            free = until
        posted = max(self.posted, default=0)
        idle["post"] += max(0, posted - free)
        idle["dram_write"] += end - max(free, posted)
        return end, idle, len(working & self.channel.busy)
