"""The time of any work, and the law that its lane-slots add up."""

from accel_sim.values.work import Timed, Work


def timed(work: Work, lanes: int) -> Timed:
    """What a work says it takes. Raises AssertionError if its states do not add up (a bug of whoever wrote it)."""
    found = work.time(lanes)
    assert sum(found.causes.values()) == lanes * found.cycles, f"lane-slots do not add up: {found}"
    return found
