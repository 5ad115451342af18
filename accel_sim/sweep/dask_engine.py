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
PATIENCE = "10s"


@dataclass(frozen=True)
class Dask:
    """address: of the scheduler; None = as Dask's own configuration says. How often a task may lose its worker before
    it is given up is the scheduler's setting (distributed.scheduler.allowed-failures)."""

    address: str | None

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """One outcome for each task; InputError if there is no Dask, no cluster or no worker in it."""
        try:
            from distributed import as_completed
        except ImportError:
            raise InputError("--engine dask: needs the package distributed (pip install 'accel-sim[dask]')") from None
        waiting = iter(tasks)
        with self._client() as client:
            room = DEPTH * sum(client.nthreads().values())
            if not room:
                raise InputError(f"--scheduler {self.address}: the cluster has no workers")
            known: dict[str, Task] = {}
            flow = as_completed([_submit(client, task, known) for task in islice(waiting, room)], loop=client.loop)
            for future in flow:
                yield _outcome(future, known.pop(future.key))
                for task in islice(waiting, 1):
                    flow.add(_submit(client, task, known))

    def close(self) -> None:
        """Nothing: the cluster is somebody else's."""

    def _client(self) -> Any:
        from distributed import Client

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


def _outcome(future: Any, task: Task) -> Outcome:
    if future.status == "finished":
        return Outcome(task, *future.result())
    error = future.exception() if future.status == "error" else None
    return Outcome(task, None, f"its worker died ({type(error).__name__ if error else future.status})")
