"""``python -m tests.soak --seed N --minutes M``: cases until the time is over; a broken law is shown on a small case.

Same seed, same cases. Exit code 1 if a law was broken.
"""

import argparse
import re
import sys
import time
import traceback
import warnings
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from tests.soak.cases import Case, cases, smaller
from tests.soak.laws import DEAR, LAWS, RefusedError, Run, laws_of

ROUND = 250  # cases of one seed of hypothesis
ATTEMPTS = 60  # smaller cases that are tried for a broken law


class Soak:
    """What has been seen. broken: kind -> (the smallest case found, what it said)."""

    def __init__(self, only: str | None = None):
        self.only = only
        self.outcomes: Counter = Counter()
        self.refusals: Counter = Counter()
        self.broken: dict[str, tuple[Case, str]] = {}

    def check(self, case: Case) -> None:
        """One case under every law; a kind of fault that is new is made small."""
        self.outcomes["cases"] += 1
        laws = laws_of(case) if self.only is None else {self.only: (LAWS | DEAR)[self.only]}
        faults, refusal = faults_of(case, laws)
        self.outcomes["ran" if refusal is None else "refused"] += 1
        if refusal is not None:
            self.refusals[re.sub(r"'[^']*'|[-+]?\d[\d.,e+]*", "_", refusal)[:110]] += 1
        for kind, text in faults.items():
            self.outcomes["faults"] += 1
            if kind not in self.broken:
                self.broken[kind] = self.shrunk(case, kind, text)

    def shrunk(self, case: Case, kind: str, text: str) -> tuple[Case, str]:
        """The smallest case found that shows a fault of this kind."""
        laws = {name: law for name, law in (LAWS | DEAR).items() if name == kind.partition(":")[0]}
        tries = 0
        while tries < ATTEMPTS:
            for less in smaller(case):
                tries += 1
                faults, _ = faults_of(less.filled(), laws)
                if kind in faults:
                    case, text = less.filled(), faults[kind]
                    break
            else:
                break
        return case, text

    def round(self, seed: int, end: float) -> None:
        """``ROUND`` cases, or as many as there is time for."""

        @seeded(seed)
        @settings(
            max_examples=ROUND, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(cases())
        def body(case: Case) -> None:
            if time.monotonic() < end:
                self.check(case)

        body()


def faults_of(case: Case, laws: dict) -> tuple[dict[str, str], str | None]:
    """(kind of fault -> what it said, the refusal if the case was refused)."""
    try:
        run = Run(case)
    except RefusedError as refusal:
        return {}, str(refusal)
    except Exception as error:
        return dict([told("runs_or_is_refused", error)]), None
    found = {}
    for name, law in laws.items():
        try:
            law(run)
        except RefusedError:
            continue
        except Exception as error:
            kind, text = told(name, error)
            found[kind] = text
    return found, None


def told(name: str, error: Exception) -> tuple[str, str]:
    """(kind: the law, the type of the error and where it was raised; what it said)."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    kind = f"{name}: {type(error).__name__} at {last.filename.rpartition('/')[2]}:{last.name}"
    return kind, "".join(traceback.format_exception(error)[-2:])


def main() -> int:
    """Runs until the minutes or the cases are over."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--cases", type=int, default=1 << 40, help="at most about so many")
    parser.add_argument("--law", choices=sorted(LAWS | DEAR), help="this one alone")
    parser.add_argument("--refusals", type=int, default=0, help="show so many of the commonest refusals")
    given = parser.parse_args()
    warnings.simplefilter("error")
    soak, end, number = Soak(given.law), time.monotonic() + 60 * given.minutes, 0
    while time.monotonic() < end and soak.outcomes["cases"] < given.cases:
        soak.round(given.seed * 1_000_003 + number, end)
        number += 1
    counts = ", ".join(f"{count} {name}" for name, count in sorted(soak.outcomes.items()))
    print(f"soak: seed {given.seed}, {len(LAWS | DEAR)} laws: {counts}; {len(soak.broken)} kinds of broken laws")
    for text, times in soak.refusals.most_common(given.refusals):
        print(f"{times:7} refused: {text}")
    for kind, (case, text) in soak.broken.items():
        print(f"\n== {kind}\n{case}\n{text}")
    return int(bool(soak.broken))


if __name__ == "__main__":
    sys.exit(main())
