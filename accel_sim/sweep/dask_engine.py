"""Who works on the points: a Dask cluster that runs already."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from accel_sim.sweep.engine import Outcome
from accel_sim.sweep.task import Task
from accel_sim.sweep.work import attempt
from workloads.registry import InputError

#: tasks at the scheduler for each thread of the cluster
DEPTH = 3
#: seconds to find the scheduler
PATIENCE = "5s"


@dataclass(frozen=True)
class Dask:
    """address: of the scheduler; None = as Dask's own configuration says.

    How many workers a task may lose is the scheduler's setting (distributed.scheduler.allowed-failures), and a lost
    worker counts for all tasks it had. So what was given up is tried once more at the end, each task alone."""

    address: str | None

    def ready(self) -> None:
        """InputError if there is no Dask, no cluster or no worker in it."""
        with self._client() as client:
            if not client.nthreads():
                raise InputError(f"--scheduler {self.address}: the cluster has no workers")

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """One outcome for each task; where all workers go, it waits for others."""
        from distributed import as_completed

        waiting = iter(tasks)
        with self._client() as client:
            room = DEPTH * max(1, sum(client.nthreads().values()))
            known: dict[str, Task] = {}
            suspects: list[Task] = []
            flow = as_completed([_submit(client, task, known) for task in islice(waiting, room)], loop=client.loop)
            for future in flow:
                task = known.pop(future.key)
                if future.status == "finished":
                    yield Outcome(task, *future.result())
                else:
                    suspects.append(task)
                for task in islice(waiting, 1):
                    flow.add(_submit(client, task, known))
            for task in suspects:
                yield _alone(client, task)

    def close(self) -> None:
        """Nothing: the cluster is somebody else's."""

    def _client(self) -> Any:
        try:
            from distributed import Client
        except ImportError:
            raise InputError("--engine dask: needs the package distributed (pip install 'accel-sim[dask]')") from None
        if self.address is None:
            import dask

            if dask.config.get("scheduler-address", None) is None:  # Client would start a cluster of its own
                raise InputError("--engine dask: expected --scheduler ADDRESS, or DASK_SCHEDULER_ADDRESS to be set")
        try:
            return Client(self.address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"--scheduler {self.address}: cannot reach it: {reason}") from None


def _submit(client: Any, task: Task, known: dict[str, Task]) -> Any:
    future = client.submit(attempt, task, key=f"accel-sim-{task.key}", pure=False)
    known[future.key] = task
    return future


def _alone(client: Any, task: Task) -> Outcome:
    """Of a task that nothing else runs beside: if its worker dies now, it is its own fault."""
    future = client.submit(attempt, task, key=f"accel-sim-{task.key}-alone", pure=False)
    error = future.exception()
    if error is None:
        return Outcome(task, *future.result())
    return Outcome(task, None, f"its worker died again and again ({type(error).__name__})")
