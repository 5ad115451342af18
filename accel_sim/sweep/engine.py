"""Who works on the points: processes of this computer."""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, resource_tracker
from typing import Any, Protocol

from accel_sim.host.signals import held_back
from accel_sim.sweep.task import Task
from workloads.registry import InputError

#: tasks a worker has at once: one it works on, one that waits
DEPTH = 2
#: workers in a row that may die before they are ready
MOST_STILLBORN = 3
#: variables that would let a worker start threads
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """text: of the point's file, or None and the reason."""

    task: Task
    text: str | None
    reason: str = ""


class Engine(Protocol):
    """ready: InputError if nobody can work. run: one outcome for each task, in any order; tasks are taken as they are
    needed. close: ends what it started."""

    def ready(self) -> None:
        """InputError if nobody can work."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """One outcome for each task, in any order; tasks are taken as they are needed."""

    def close(self) -> None:
        """Ends what it started."""


class EngineError(InputError):
    """No worker can be had."""


@dataclass(eq=False)
class _Worker:
    process: Any
    pipe: Any
    pending: deque[Task] = field(default_factory=deque)
    ready: bool = False


@dataclass(frozen=True)
class Local:
    """Spawned processes. A task whose worker dies is tried once more; the second time it is its own fault."""

    workers: int
    #: processes that wait for the next run
    idle: list[_Worker] = field(default_factory=list, repr=False, compare=False)

    def ready(self) -> None:
        """Processes can be started when they are needed."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes as workers finish; EngineError if no worker can be had."""
        crew = _Crew(iter(tasks), self.idle)
        try:
            yield from crew.run(self.workers)
        except BaseException:
            self.close()  # they may be at work
            raise

    def close(self) -> None:
        """Ends the processes that wait for a next run."""
        while self.idle:
            worker = self.idle.pop()
            worker.process.terminate()
            worker.process.join()
            worker.pipe.close()


class _Crew:
    """workers: those there are; the list is the caller's."""

    def __init__(self, tasks: Iterator[Task], workers: list[_Worker]) -> None:
        self.tasks, self.again = tasks, deque[Task]()
        self.workers = workers
        self.suspects: set[str] = set()
        self.stillborn = 0

    def run(self, most: int) -> Iterator[Outcome]:
        while True:
            self._feed(most)
            if not any(worker.pending for worker in self.workers):
                return
            ready = connection.wait(
                [each for worker in self.workers for each in (worker.pipe, worker.process.sentinel)]
            )
            for worker in list(self.workers):
                if worker.pipe in ready or worker.process.sentinel in ready:
                    yield from self._heard(worker)

    def _feed(self, most: int) -> None:
        """Gives every worker what it can hold, those with least first; starts workers while there are tasks."""
        for depth in range(1, DEPTH + 1):
            for worker in self.workers:
                if len(worker.pending) < depth and (task := self._next()) is not None:
                    _give(worker, task)
            while depth == 1 and len(self.workers) < most and (task := self._next()) is not None:
                self.workers.append(_hire())
                _give(self.workers[-1], task)

    def _next(self) -> Task | None:
        return self.again.popleft() if self.again else next(self.tasks, None)

    def _heard(self, worker: _Worker) -> Iterator[Outcome]:
        """Takes all that a worker has said; buries it if it is dead."""
        try:
            while worker.pipe.poll():
                said = worker.pipe.recv()
                if said is None:
                    worker.ready, self.stillborn = True, 0
                else:
                    yield Outcome(worker.pending.popleft(), *said)
        except (EOFError, OSError):
            yield from self._bury(worker)

    def _bury(self, worker: _Worker) -> Iterator[Outcome]:
        self.workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        if not worker.ready:
            self.stillborn += 1
            if self.stillborn >= MOST_STILLBORN:
                raise EngineError(f"{self.stillborn} workers ended before they began ({_end(worker.process.exitcode)})")
        elif worker.pending:
            task = worker.pending.popleft()
            if task.key in self.suspects:
                yield Outcome(task, None, f"its worker died twice ({_end(worker.process.exitcode)})")
            else:
                self.suspects.add(task.key)
                worker.pending.appendleft(task)
        self.again.extendleft(reversed(worker.pending))


def _end(code: int) -> str:
    """An exit code in words."""
    with contextlib.suppress(ValueError):
        if code < 0:
            return signal.Signals(-code).name
    return f"exit code {code}"


def _give(worker: _Worker, task: Task) -> None:
    worker.pending.append(task)
    with contextlib.suppress(OSError):  # it is dead, and will be found to be
        worker.pipe.send(task)


def _hire() -> _Worker:
    """Starts a worker; Ctrl-C, which reaches the whole group, waits until it has all that it starts with: one without
    would print a traceback of its own."""
    context = get_context("spawn")
    with held_back():
        # the tracker of multiprocessing unblocks the signal whatever it was when it starts (CPython 3.11)
        resource_tracker.ensure_running()
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        before = {name: os.environ.get(name) for name in THREADS}
        os.environ.update(dict.fromkeys(THREADS, "1"))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the worker's, until it can ignore it
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            theirs.close()
    return _Worker(process, ours)


def _serve(pipe: Any) -> None:
    """A worker's life: answers tasks until nobody is there to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from accel_sim.sweep.work import attempt

    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(attempt(pipe.recv()))
