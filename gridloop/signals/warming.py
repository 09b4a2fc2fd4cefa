"""What detectors that are new or changed would know had they always been at work: history goes through an engine of their own.

From the Parquet files and, for what is not archived yet, the log. No alarm of that time is told; those that still last are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.rules import DAY, DEVICE, Detector
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import history, positions
from gridloop.signals.source import source
from gridloop.signals.stream import Columns, Taken, columns, joined, milliseconds, read_next, taken

if TYPE_CHECKING:
    from gridloop.signals.detecting import AtWork

_WEEK = 7 * DAY
_ROUTINE_WEEKS = 10  # a routine has forgotten most of what lies further back
_HOUR = 3_600_000
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
    if isinstance(part, rules.Routine):
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
    tail = _tail(work)
    hours = {int(hour) for hour in np.unique(tail.time // _HOUR)} | set(_archived(since))
    for hour in sorted(hour for hour in hours if hour >= since // _HOUR):
        mine = tail.take(tail.time // _HOUR == hour)
        parts = [part for part in (*(_file(path) for path in _files(hour, _where(work))), mine) if len(part)]
        if parts:
            whole = joined(parts)
            yield whole.take(whole.received <= work.frontier)


def _archived(since: int) -> Iterator[int]:
    for folder in sorted(history.folder().glob("????-??-??/??")):
        hour = milliseconds(datetime.fromisoformat(f"{folder.parent.name}T{folder.name}:00:00+00:00")) // _HOUR
        if hour >= since // _HOUR:
            yield hour


def _where(work: AtWork) -> Sequence[int] | None:
    """Partitions in which the past of the work's devices lies; None: in any, because they may have lain elsewhere."""
    return None if work.lane.partition is None or work.moved else [work.lane.partition]


def _files(hour: int, partitions: Sequence[int] | None) -> list[Path]:
    """Those whose names begin with the number of one of the partitions."""
    at = datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(hours=hour)
    names = ["*.parquet"] if partitions is None else [f"p{partition:03d}-*.parquet" for partition in partitions]
    return sorted(path for name in names for path in (history.folder() / f"{at:%Y-%m-%d}" / f"{at:%H}").glob(name))


def _file(path: Path) -> Columns:
    import pyarrow.parquet as pq

    found = pq.read_table(path, columns=["id", "source", "device", "kind", "at", "value", "data", "arrived"])
    at, arrived = (found[name].cast("int64").to_numpy() for name in ("at", "arrived"))
    listed = (found[name].to_pylist() for name in ("id", "source", "device", "kind", "value", "data"))
    rows = [
        (i, source, device, kind, micro, value, None, None, orjson.loads(data) if data else {})
        for i, source, device, kind, value, data, micro in zip(*listed, at.tolist(), strict=True)
    ]
    return columns(rows, arrived // 1000)


def _tail(work: AtWork) -> Columns:
    """What the log has up to the work's position and the archive has not."""
    batches: list[Taken] = []
    with scoped(SYSTEM):
        archived = positions.reached(history.HISTORY)
        ends = {p: mark.seq for p, mark in work.stream.marks.items()}
        if _where(work) is None:
            ends = source().ends() | ends
        after = {p: archived.get(p, 0) for p in ends}
        while True:
            read = read_next(after, 200)
            batches += [taken(*one) for one in read if one[1] <= ends[one[0]]]
            after = {p: seq for p, seq, *_ in read if seq < ends[p]}
            if not after:
                return joined([batch.found for batch in batches])
