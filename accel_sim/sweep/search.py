"""A part of a study's points, chosen by Optuna: those that make its front.

The same seed asks for the same points in the same order, and points that are there already cost nothing: a search that
was killed is begun again and goes quickly through what it has. So it does not depend on when it was killed.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

from accel_sim.sweep.chart_data import MORE_IS_BETTER
from accel_sim.sweep.study import Goal, Study
from workloads.registry import InputError

#: trials asked at once; what it is decides which points are asked, so it is no option
BATCH = 8
#: at most so many trials for each point: a sampler may ask for what it knows again and again
MOST_TRIALS = 25

#: positions along the groups of a study's axes
Picks = tuple[int, ...]


@dataclass(frozen=True)
class Space:
    """Sizes of the groups of axes; ordered: whether the values of each are numbers that grow."""

    names: tuple[str, ...]
    sizes: Picks
    ordered: tuple[bool, ...]

    @staticmethod
    def of(study: Study) -> "Space":
        """The groups of a study's axes."""
        first = [study.axes[group[0]] for group in study.groups]
        ordered = tuple(map(_grow, first))
        return Space(tuple("+".join(group) for group in study.groups), tuple(map(len, first)), ordered)

    def number(self, picks: Picks) -> int:
        """Position in Study.combinations."""
        found = 0
        for pick, size in zip(picks, self.sizes, strict=True):
            found = found * size + pick
        return found


def _grow(values: list[object]) -> bool:
    """They are numbers, in order."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and numbers == sorted(numbers)


def figures(goal: Goal, row: dict[str, Any]) -> tuple[list[float], bool]:
    """(objectives, less is better; whether all constraints hold) of a point. InputError for a figure it has not."""

    def lookup(name: str) -> Any:
        if name not in row:
            raise InputError(f"search: no figure or setting is called '{name}'")
        return row[name]

    values = []
    for name in goal.objectives:
        value = lookup(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"search.objectives: '{name}' is no number here, but {value!r}")
        values.append(-float(value) if name in MORE_IS_BETTER else float(value))
    return values, all(condition.value(lookup) for condition in goal.constraints)


def explore(
    space: Space,
    evaluate: Callable[[list[Picks]], dict[Picks, tuple[list[float], bool] | None]],
    *,
    points: int,
    objectives: int,
    seed: int,
    sampler: str = "tpe",
    journal: Path | None = None,
) -> Iterator[dict[Picks, tuple[list[float], bool] | None]]:
    """Yields all that is known after each batch, until ``points`` points are.

    evaluate: new places -> (objectives to be made small, feasible), None for one that has no point or failed.
    """
    optuna = _optuna()
    study = optuna.create_study(
        directions=["minimize"] * objectives, sampler=_sampler(optuna, sampler, seed), storage=_storage(journal)
    )
    axes = {
        name: optuna.distributions.IntDistribution(0, size - 1)
        if ordered
        else optuna.distributions.CategoricalDistribution(range(size))
        for name, size, ordered in zip(space.names, space.sizes, space.ordered, strict=True)
    }
    known: dict[Picks, tuple[list[float], bool] | None] = {}
    for _ in range(-(-points * MOST_TRIALS // BATCH)):
        trials = [study.ask(axes) for _ in range(BATCH)]
        picks = [tuple(trial.params[name] for name in space.names) for trial in trials]
        new = list(dict.fromkeys(pick for pick in picks if pick not in known))
        known |= evaluate(new[: points - _count(known)])
        for trial, pick in zip(trials, picks, strict=True):
            value = known.get(pick)
            if value is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                trial.set_constraint("constraints", 0.0 if value[1] else 1.0)
                study.tell(trial, value[0])
        yield known
        if _count(known) >= points:
            return
    rest = (pick for pick in product(*map(range, space.sizes)) if pick not in known)
    while _count(known) < points and (new := list(islice(rest, min(BATCH, points - _count(known))))):
        known |= evaluate(new)  # the sampler asks for nothing new: what is left, in order
        yield known


def _count(known: dict[Picks, tuple[list[float], bool] | None]) -> int:
    """Points that have figures."""
    return sum(value is not None for value in known.values())


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InputError("accel-sim search needs the package optuna (pip install 'accel-sim[search]')") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=BATCH, seed=seed)
    with warnings.catch_warnings():  # optuna calls what it takes for ``multivariate`` an experiment
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(n_startup_trials=2 * BATCH, multivariate=True, seed=seed)


def _storage(journal: Path | None) -> Any:
    from optuna.storages import InMemoryStorage, JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if journal is None:
        return InMemoryStorage()
    for old in journal.parent.glob(f"{journal.name}*"):  # the lock, too, of a search that was killed
        old.unlink()
    return JournalStorage(JournalFileBackend(str(journal)))
