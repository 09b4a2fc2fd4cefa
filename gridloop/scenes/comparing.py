"""What a rehearsal found, counted: per day, per place, against the present version, and the work it would make. Pure.

An alarm of the one version is *the same* as one of the other when detector and key are and the two last at the same time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from gridloop.flow.asking import Asked
from gridloop.signals.rehearsing import LASTS, Raised

OLD, NEW = "old", "new"
PLACE_DIGITS = 12  # of a region code: the village
MOST_DEVICES = 20
_HOUR = 3_600_000
_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Load:
    """What a case takes: minutes of work, hours it is open; ``measured``: from how many cases, 0 when it is the house's guess."""

    minutes: float
    open_hours: float
    measured: int


def split(found: Iterable[Raised]) -> dict[str, list[Raised]]:
    """By version; the name of a detector says whose it is: ``old:…``, ``new:…``, or neither when both have it alike."""
    sides: dict[str, list[Raised]] = {OLD: [], NEW: []}
    for one in found:
        side, mark, name = one.detector.partition(":")
        for wanted in (side,) if mark else (OLD, NEW):
            sides[wanted].append(one._replace(detector=name) if mark else one)
    return sides


def report(
    sides: Mapping[str, Sequence[Raised]],
    days: Sequence[date],
    local: Callable[[int], date],
    posts: Sequence[tuple[Asked, Callable[[str], int | None]]],
    load: Load,
) -> dict[str, Any]:
    """``local``: the day of a moment (ms); ``posts``: what a case asks for, each with who is competent in a region. Hushed alarms are

    counted by themselves.
    """
    told = {side: [one for one in rows if not one.hushed] for side, rows in sides.items()}
    both = _both(told[OLD], told[NEW])
    own = {side: [one for one in rows if one.goes_by == "device"] for side, rows in told.items()}
    return {
        "detectors": _detectors(sides, told, both),
        "days": _counted(told, lambda one: local(one.start).isoformat(), [day.isoformat() for day in days]),
        "places": _counted(told, lambda one: one.region[:PLACE_DIGITS]),
        "devices": _counted(own, lambda one: one.device)[:MOST_DEVICES],
        "most_in_an_hour": max(Counter((one.detector, one.start // _HOUR) for one in told[NEW]).values(), default=0),
        "work": {
            "minutes": round(load.minutes, 1),
            "open_hours": round(load.open_hours, 1),
            "measured": load.measured,
            "units": [row for task, unit_of in posts for row in _units(told, task, unit_of, load)],
        },
    }


def _both(old: Sequence[Raised], new: Sequence[Raised]) -> Counter[str]:
    """By detector, how many of the new ones have an old one beside them: each of either once, in the order of time."""
    stretches: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for one in sorted(old, key=lambda r: r.start):
        stretches[one.detector, one.key].append((one.start, _FOREVER if one.end == LASTS else one.end))
    found: Counter[str] = Counter()
    for one in sorted(new, key=lambda r: r.start):
        waiting = stretches.get((one.detector, one.key), [])
        while waiting and waiting[0][1] < one.start:
            waiting.pop(0)
        if waiting and waiting[0][0] <= (_FOREVER if one.end == LASTS else one.end):
            waiting.pop(0)
            found[one.detector] += 1
    return found


def _detectors(sides: Mapping[str, Sequence[Raised]], told: Mapping[str, Sequence[Raised]], both: Counter[str]) -> list[dict[str, Any]]:
    counts = {side: Counter(one.detector for one in rows) for side, rows in told.items()}
    hushed = {side: Counter(one.detector for one in rows if one.hushed) for side, rows in sides.items()}
    names = sorted({one.detector for rows in sides.values() for one in rows})
    return [
        {
            "name": name.partition(".")[2],
            "old": counts[OLD][name],
            "new": counts[NEW][name],
            "both": both[name],
            "only_old": counts[OLD][name] - both[name],
            "only_new": counts[NEW][name] - both[name],
            "hushed_old": hushed[OLD][name],
            "hushed_new": hushed[NEW][name],
        }
        for name in names
    ]


def _counted(told: Mapping[str, Sequence[Raised]], what: Callable[[Raised], str], every: Sequence[str] = ()) -> list[dict[str, Any]]:
    """All of ``every`` in its order, or those there are, the most first."""
    counts = {side: Counter(what(one) for one in rows) for side, rows in told.items()}
    names = every or sorted(counts[OLD].keys() | counts[NEW].keys(), key=lambda n: (-max(counts[OLD][n], counts[NEW][n]), n))
    return [{"name": name, OLD: counts[OLD][name], NEW: counts[NEW][name]} for name in names]


def _units(told: Mapping[str, Sequence[Raised]], task: Asked, unit_of: Callable[[str], int | None], load: Load) -> list[dict[str, Any]]:
    units: dict[int, Counter[str]] = defaultdict(Counter)
    for side, rows in told.items():
        for one in cases(rows, load.open_hours):
            units[unit_of(one.region) or 0][side] += 1
    what = {"task_zh": task.title_zh, "task_en": task.title_en, "first": task.first}
    return [
        {"unit": unit or None, **what, OLD: counts[OLD], NEW: counts[NEW]}
        for unit, counts in sorted(units.items(), key=lambda item: (-max(item[1].values()), item[0]))
    ]


def cases(rows: Iterable[Raised], open_hours: float) -> list[Raised]:
    """The alarms that would open a case: one of a key whose case is still open joins it."""
    until: dict[str, int] = {}
    found = []
    for one in sorted(rows, key=lambda r: r.start):
        if one.start >= until.get(one.key, 0):
            until[one.key] = one.start + round(open_hours * _HOUR)
            found.append(one)
    return found


def days_between(since: datetime, until: datetime, local: Callable[[datetime], datetime]) -> list[date]:
    first, last = local(since).date(), local(until).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
