"""What detectors that are new or changed would know had they always been at work: history goes through an engine of their own.

From the Parquet files and, for what is not archived yet, the log. No alarm of that time is told; those that still last are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.rules import DAY, DEVICE, Detector
from gridloop.signals.past import Tail, hour_of, hours
from gridloop.signals.stream import Columns

if TYPE_CHECKING:
    from gridloop.signals.detecting import AtWork

_WEEK = 7 * DAY
_ROUTINE_WEEKS = 10  # a routine has forgotten most of what lies further back
_SPANS = ("longer", "within", "keep", "gap", "per", "quiet")


def memory_of(part: Any) -> int:
    """How far back a detector's present state may reach, ms: the sum of all it counts or waits over."""
    if isinstance(part, tuple):
        return sum(memory_of(one) for one in part)
    if not is_dataclass(part):
        return 0
    span = sum(getattr(part, name, None) or 0 for name in _SPANS)
    if isinstance(part, rules.Days):
        span += part.of * DAY
    if isinstance(part, rules.Routine | rules.Silence):
        span += _ROUTINE_WEEKS * _WEEK
    return span + sum(memory_of(getattr(part, one.name)) for one in fields(part))


def warm(work: AtWork, detectors: Sequence[Detector], *, first: bool) -> None:
    """Gives the engine at work what these detectors would know by now. ``first``: it has no readings that wait for their turn either."""
    engine = Engine(detectors, work.engine.lateness)
    for by in {detector.by for detector in detectors} - {DEVICE}:
        homes = work.keys.homes.get(by, {})
        engine.group(by, list(homes), list(homes.values()))
    for by in {detector.by for detector in detectors}:
        for name, column in work.engine.known_facts(by).items():
            engine.facts(by, name, column)
    mark = work.engine.watermark
    since = mark - DAY - max(memory_of(detector) for detector in detectors)
    for found in _past(since, work):
        readings = _readings(work, found)
        if first:
            known = work.keys.devices(found.device)
            work.taking.hear(known[known >= 0], found.received[known >= 0])
            work.engine.step(readings.take(readings.time >= mark))
        engine.step(readings.take(readings.time < mark))
        work.keep_lease()
    engine.finish(mark - 1)
    work.engine.adopt(engine)


def _readings(work: AtWork, found: Columns) -> Readings:
    readings = work.taking.past(found, work.keys.devices(found.device))
    return readings.take(np.argsort(readings.time, kind="stable"))


def _past(since: int, work: AtWork) -> Iterator[Columns]:
    """By the hour in which it was read, what had been received up to where the work stands."""
    tail = Tail({p: mark.seq for p, mark in work.stream.marks.items()})
    for hour in hours(since, work.frontier, tail):
        whole = hour_of(hour, tail)
        yield whole.take(whole.received <= work.frontier)
