"""Reads of the signals room."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.viewer import Viewer
from gridloop.registry.selectors import device_counts, overdue_devices
from gridloop.signals.actions import is_mass_silence, most_late
from gridloop.signals.alarms import SILENCE, most_an_hour
from gridloop.signals.models import Alarm, HeldDetector, Name, Trouble
from gridloop.signals.positions import CONSUMERS, reached
from gridloop.signals.source import source
from gridloop.signals.state import load

EFFECTS_LATE = 10.0  # seconds a batch may wait
LATE = {"history": 3 * 3600.0, "detectors": 300.0}  # whole hours; detectors move when they store what they know


@dataclass(frozen=True, slots=True)
class Lag:
    """``batches`` not yet worked through, the first of them durable since ``since``."""

    batches: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class State:
    """How the room is, for ``gridloop doctor``."""

    lags: dict[str, Lag]
    troubles: int
    last_trouble: str
    mass_silence: bool


@reading
def lags(viewer: Viewer) -> dict[str, Lag]:
    """How far behind the log's end each of its consumers is."""
    ends, found = source().ends(), {}
    for name in CONSUMERS:
        done = dict.fromkeys(ends, 0) | reached(name)
        behind = {p: done[p] for p, end in ends.items() if end > done[p]}
        first = source().first_after(behind) if behind else {}
        found[name] = Lag(sum(ends[p] - seq for p, seq in behind.items()), min(first.values(), default=None))
    return found


@dataclass(frozen=True, slots=True)
class Detecting:
    """How the detectors at work are, as of when their state was last stored. ``passed``: readings that took no part, by why;

    ``worst``: the devices of most of them. ``held``: detectors held back → alarms; ``hushed``: alarms that wait for others to be heard.
    """

    until: datetime | None
    passed: dict[str, int]
    worst: list[tuple[str, int]]
    held: dict[str, int]
    hushed: int


@reading
def detecting(viewer: Viewer) -> Detecting:
    file = load("meta")
    meta: dict[str, Any] = {"frontier": None, "passed": [0, [], [], []]}
    if file:
        with file:
            meta = orjson.loads(file.read())
    unknown, late, ahead, flood = meta["passed"]
    counts = Counter[int]()
    for one in (late, ahead, flood):
        counts.update(dict(one))
    most = counts.most_common(3)
    names = dict(Name.objects.filter(space="device", number__in=[number for number, _ in most]).values_list("number", "name"))
    passed = {"late": late, "ahead": ahead, "flood": flood}
    return Detecting(
        until=datetime.fromtimestamp(meta["frontier"] / 1000, UTC) if meta["frontier"] else None,
        passed={**{why: sum(count for _, count in one) for why, one in passed.items()}, "unknown": unknown},
        worst=[(names.get(number, "?"), count) for number, count in most],
        held=dict(HeldDetector.objects.order_by("detector").values_list("detector", "alarms")),
        hushed=Alarm.objects.filter(told=Alarm.Told.HELD, reason=SILENCE, ended=None).count(),
    )


@reading
def held_detectors(viewer: Viewer) -> list[dict[str, Any]]:
    """Name, since when, and how many alarms it raised in that hour and since."""
    rows = HeldDetector.objects.order_by("since", "detector")
    return [{"name": row.detector, "since": row.since, "alarms": row.alarms} for row in rows]


@reading
def state(viewer: Viewer) -> State:
    """Lags of the consumers, signals that could not be taken, and whether most devices fell silent together."""
    last = Trouble.objects.order_by("-at").first()
    late = len(overdue_devices(viewer, clock.now(), limit=most_late(viewer)))
    return State(lags(viewer), Trouble.objects.count(), last.error if last else "", is_mass_silence(late, device_counts(viewer)["online"]))


def doctor(viewer: Viewer) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Lines for ``gridloop doctor``: level, name, sentence and what stands in it."""
    now = clock.now()
    found = state(viewer)
    lines: list[tuple[str, str, str, dict[str, Any]]] = []
    said: dict[str, Any]
    for name, lag in sorted(found.lags.items()):
        age = (now - lag.since).total_seconds() if lag.since else 0.0
        most = LATE.get(name, EFFECTS_LATE)
        said = {"batches": lag.batches, "age": f"{age:.0f}", "most": f"{most:.0f}"}
        lines.append(("warn" if age > most else "ok", f"signals {name}", "signals.doctor_lag", said))
    if found.troubles:
        said = {"count": found.troubles, "last": found.last_trouble}
        lines.append(("warn", "signals without effect", "signals.doctor_troubles", said))
    lines += _doctor_of_detectors(viewer)
    if found.mass_silence:
        lines.append(("BAD", "devices", "signals.doctor_silence", {}))
    return lines


def _doctor_of_detectors(viewer: Viewer) -> list[tuple[str, str, str, dict[str, Any]]]:
    found = detecting(viewer)
    if found.until is None:
        return [("ok", "detectors", "signals.doctor_no_detectors", {})]
    most = ", ".join(f"{name} ({count})" for name, count in found.worst) or "–"
    devices = found.passed["late"] + found.passed["ahead"] + found.passed["flood"]
    lines = [("warn" if devices else "ok", "readings", "signals.doctor_passed", {**found.passed, "most": most})]
    lines += [
        ("BAD", "detectors", "signals.doctor_held", {"name": name, "alarms": alarms, "most": most_an_hour()})
        for name, alarms in found.held.items()
    ]
    if found.hushed:
        lines.append(("warn", "detectors", "signals.doctor_hushed", {"count": found.hushed}))
    return lines


@reading
def log_faults(viewer: Viewer) -> list[str]:
    """Whether what the log keeps is gapless up to its end, and no consumer is beyond it."""
    faults, ends = source().faults(), source().ends()
    for partition, end in sorted(ends.items()):
        furthest = max(reached(name).get(partition, 0) for name in CONSUMERS)
        if furthest > end:
            faults.append(f"partition {partition}: a consumer is at {furthest}, the end is {end}")
    return faults
