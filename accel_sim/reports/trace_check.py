"""What makes a timeline valid; every trace is held against it before it is written."""

import math
from collections.abc import Iterator
from typing import Any

TIME = "1 cycle = 1 us"
#: kind of slice -> the kind of slice it may lie in; all others have their track to themselves
INSIDE = {"command": "row"}
#: process -> what it groups
PROCESSES = (1, 2)


def faults(tree: object) -> Iterator[str]:
    """What is wrong with a trace: fields and their kinds, tracks without a name, slices that overlap or lie in one they
    may not lie in, counters below zero or out of order."""
    if not isinstance(tree, dict) or not isinstance(tree.get("traceEvents"), list):
        yield "expected a mapping with a list traceEvents"
        return
    if (tree.get("otherData") or {}).get("time") != TIME:
        yield f"otherData.time: expected '{TIME}'"
    tracks: dict[tuple[int, Any], list[tuple[int, int, str | None]]] = {}
    counted: dict[str, int] = {}
    for number, event in enumerate(tree["traceEvents"]):
        where, kind = f"event {number}", event.get("ph")
        if kind not in ("M", "X", "C", "i") or not isinstance(event.get("name"), str):
            yield f"{where}: expected ph M, X, C or i, and a name"
        elif event.get("pid") not in PROCESSES or type(event.get("tid")) is not int:
            yield f"{where}: expected pid 1 or 2, and a number tid"
        elif kind == "M":
            if event["name"] == "thread_name":
                tracks[event["pid"], event["tid"]] = []
        elif (at := _parts(event.get("ts"))) is None or at < 0:
            yield f"{where}: ts is no number of cycles with at most three decimals"
        elif kind == "X":
            fault = _slice(event, at, tracks)
            if fault:
                yield f"{where}: {fault}"
        elif kind == "C":
            held = (event.get("args") or {}).get("bytes")
            if type(held) is not int or held < 0 or at < counted.get(event["name"], 0):
                yield f"{where}: counter '{event['name']}' is no whole number from 0 on, or goes back in time"
            counted[event["name"]] = at


def _slice(event: dict[str, Any], begin: int, tracks: dict[tuple[int, Any], list[tuple[int, int, str | None]]]) -> str:
    """What is wrong with a slice ("" = nothing). tracks: (pid, tid) -> slices under way, outermost first."""
    length, kind = _parts(event.get("dur")), event.get("cat")
    if length is None or length <= 0:
        return "dur is no positive number of cycles with at most three decimals"
    if (event["pid"], event["tid"]) not in tracks:
        return f"track {event['tid']} has no name"
    under, end = tracks[event["pid"], event["tid"]], begin + length
    if under and begin < under[-1][0]:
        return f"begins at {begin / 1000:g}, before the slice before it does, at {under[-1][0] / 1000:g}"
    while len(under) > 1 and under[-1][1] <= begin:
        under.pop()
    outer = under[-1] if under and under[-1][1] > begin else None
    if outer is not None and (kind not in INSIDE or INSIDE[kind] != outer[2]):
        return f"begins at {begin / 1000:g}, before its track is free at {outer[1] / 1000:g}"
    if outer is not None and end > outer[1]:
        return f"ends at {end / 1000:g}, after the slice it lies in, at {outer[1] / 1000:g}"
    if outer is None:
        under.clear()
    under.append((begin, end, kind))
    return ""


def _parts(cycles: object) -> int | None:
    """Thousandths of a cycle; None if it is no such number."""
    if isinstance(cycles, bool) or not isinstance(cycles, int | float) or not math.isfinite(cycles):
        return None
    parts = round(cycles * 1000)
    return parts if parts / 1000 == cycles else None
