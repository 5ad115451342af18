"""How far a study is: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

#: seconds between plain lines
PAUSE = 10.0


class Counter(Protocol):
    """Called with True for each point that is done, with False for each that failed."""

    def __call__(self, good: bool) -> None:
        """A point is done, or failed."""


@contextmanager
def progress(total: int, enabled: bool, stream: TextIO | None = None) -> Iterator[Counter]:
    """Counts to ``total`` on stderr."""
    stream = stream or sys.stderr
    if not enabled:
        yield lambda good: None
    elif stream.isatty():
        with _bar(total) as count:
            yield count
    else:
        yield Lines(total, stream)


@contextmanager
def _bar(total: int) -> Iterator[Counter]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("points"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("points", total=total, rate="")
        started, failed = time.monotonic(), 0

        def count(good: bool) -> None:
            nonlocal failed
            failed += not good
            done = bar.tasks[0].completed + 1
            rate = f"{done / max(time.monotonic() - started, 1e-9):.1f}/s" + (f", {failed} failed" if failed else "")
            bar.update(task, advance=1, rate=rate)

        yield count


class Lines:
    """Writes '40/100 points, 1 failed, 5.0 points/s, 12 s left' every PAUSE seconds, and at the end."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self.total, self.stream = total, stream
        self.done = self.failed = 0
        self.started = self.last = time.monotonic()

    def __call__(self, good: bool) -> None:
        """Counts, and writes a line every PAUSE seconds and at the end."""
        self.done += 1
        self.failed += not good
        now = time.monotonic()
        if now - self.last >= PAUSE or self.done == self.total:
            self.last = now
            print(self.line(now - self.started), file=self.stream, flush=True)

    def line(self, seconds: float) -> str:
        """What it says after so many seconds."""
        rate = self.done / max(seconds, 1e-9)
        failed = f", {self.failed} failed" if self.failed else ""
        left = span((self.total - self.done) / rate)
        return f"{self.done}/{self.total} points{failed}, {rate:.1f} points/s, {left} left"


def span(seconds: float) -> str:
    """Seconds as a person says them: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
