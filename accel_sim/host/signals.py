"""What ends a command from outside: Ctrl-C, a batch system, a terminal that is closed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: what ends a command as Ctrl-C does: a batch system or ``timeout``, a terminal that is closed
ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal of ENDING: everything is left as on Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def heard() -> Iterator[None]:
    """ENDING raises Ended, where nobody has said otherwise (``nohup`` has)."""

    def end(number: int, _frame: object) -> None:
        raise Ended(number)

    ours = [each for each in ENDING if _here() and signal.getsignal(each) == signal.SIG_DFL]
    for each in ours:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


@contextmanager
def held_back() -> Iterator[None]:
    """A signal that would raise in the block raises at its end.

    Blocking it would not do: a thread of a library may take it, and Python then raises in the main thread.
    """
    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        came.append(number)

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, *ENDING) if _here()}
    before = {each: handler for each, handler in before.items() if callable(handler)}
    try:
        for each in before:
            signal.signal(each, note)
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if came:
            signal.raise_signal(came[0])


def _here() -> bool:
    """Only the main thread sets, and hears, signals."""
    return threading.current_thread() is threading.main_thread()
