"""What one device has said, for a chart: hours that are written by the history's files, what came since from the log itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from gridloop.journal.frame import elevated
from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.viewer import Viewer
from gridloop.registry.selectors import device, household_watched
from gridloop.sdk.signals import moment_of, partition_of_name, unpack_rows_of
from gridloop.signals.history import HISTORY, folder
from gridloop.signals.log import partitions_setting
from gridloop.signals.positions import reached
from gridloop.signals.rules import hour_of
from gridloop.signals.source import source

MOST_HOURS = 31 * 24
POINTS = 336  # at most, of a chart: the steps of a week are half an hour
_STEPS = tuple(60 * m for m in (1, 5, 10, 30, 60, 180))  # seconds


@dataclass(frozen=True, slots=True)
class Point:
    """The readings of one step, which begins ``at``: the least, the mean and the most of their values."""

    at: datetime
    low: float
    mean: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one kind. ``count`` includes those without a value, which have no points."""

    kind: str
    count: int
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Readings:
    """``hidden``: they tell of a household's life and are shown for a purpose with a reason only."""

    since: datetime
    until: datetime
    step_seconds: int
    hidden: bool
    series: list[Series]


class Row(NamedTuple):
    """A reading and what tells it from its repeat."""

    kind: str
    at: datetime
    value: float | None
    key: tuple[object, ...]


@reading
def readings(viewer: Viewer, code: str, hours: int, purpose: str = "", reason: str = "") -> Readings:
    """Of a device the viewer sees, the last ``hours``. A look at a household's is written down. NotFound, Forbidden, Invalid."""
    view = device(viewer, code)
    until = clock.now()
    since = until - timedelta(hours=min(max(hours, 1), MOST_HOURS))
    step = next((s for s in _STEPS if (until - since).total_seconds() / s <= POINTS), _STEPS[-1])
    if view.private and not household_watched(viewer, view, purpose, reason):
        return Readings(since, until, step, True, [])
    return Readings(since, until, step, False, _series(rows_of(code, since, until), step))


def rows_of(code: str, since: datetime, until: datetime) -> Iterator[Row]:
    """All a device said from one moment to another, each once, in the caller's frame, whoever may see it."""
    # how far the files go is asked before they are read: what is written in between is then there twice, not missing
    recent = {row.key: row for row in _recent(code, since, until)}
    yield from recent.values()
    hour, seen = None, set[tuple[object, ...]]()
    for row in _written(code, since, until):
        if hour_of(row.at) != hour:
            hour, seen = hour_of(row.at), set()
        if row.key not in recent and row.key not in seen:
            seen.add(row.key)
            yield row


def _row(kind: str, at: datetime, value: float | None, source: str, number: str, plain: bool) -> Row:
    """As ``Signal.reading_key`` and ``Signal.identity`` of one device."""
    return Row(kind, at, value, (kind, at) if plain and value is not None else (source, number))


# --- from the log --------------------------------------------------------------------------------------------------------

MOST_BATCHES = 20_000  # of a partition: two seconds of reading


def _recent(code: str, since: datetime, until: datetime) -> Iterator[Row]:
    """What the files do not have yet, newest first. The log shows itself to the system alone; that this device may be seen is known."""
    with elevated():
        ends, written = source().ends(), reached(HISTORY)
        own, others = partition_of_name(code, partitions_setting()), _partitions(code, 1)
        # partitions may have been added: before the first batch of the last one the device was in another
        first = source().first_after(dict.fromkeys(ends, 0)) if others - {own} else {}
        added = max(first.values(), default=None)
        for partition in {own, *others} & ends.keys():
            latest = None if partition == own else added
            if partition == own or added is not None:
                found = source().backwards(partition, written.get(partition, 0), since, until, latest)
                for data in islice(found, MOST_BATCHES):
                    yield from _of_batch(data, code, since, until)


def _of_batch(data: bytes, code: str, since: datetime, until: datetime) -> Iterator[Row]:
    for number, sender, _, kind, micros, value, _, _, told, *_ in unpack_rows_of(data, code):
        at = moment_of(micros)
        if since <= at <= until:
            yield _row(kind, at, value, sender, number, not told)


def _partitions(code: str, least: int) -> set[int]:
    """Where the device's signals may lie when there were at least so many partitions, as many as now at most."""
    return {partition_of_name(code, count) for count in range(least, partitions_setting() + 1)}


# --- from the files ------------------------------------------------------------------------------------------------------


def _written(code: str, since: datetime, until: datetime) -> Iterator[Row]:
    files = [str(file) for file in _files(code, since, until)]
    if not files:
        return
    import pyarrow.dataset as ds

    wanted = (ds.field("device") == code) & (ds.field("at") >= since) & (ds.field("at") <= until)
    columns = {name: ds.field(name) for name in ("kind", "at", "value", "source", "id")} | {"plain": ds.field("data").is_null()}
    for batch in ds.dataset(files, format="parquet").to_batches(columns=columns, filter=wanted):
        for kind, at, *rest in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield _row(kind, at.astimezone(UTC), *rest)


def _files(code: str, since: datetime, until: datetime) -> Iterator[Path]:
    """Those of the hours in which the device may be: of an hour in which partition n was written, there were more than n."""
    hour = hour_of(since.astimezone(UTC))
    while hour <= until:
        found = {
            file: int(file.name[1:].partition("-")[0])
            for file in sorted((folder() / f"{hour:%Y-%m-%d}" / f"{hour:%H}").glob("p*-*.parquet"))
        }
        where = _partitions(code, max(found.values(), default=0) + 1) or set(found.values())
        yield from (file for file, partition in found.items() if partition in where)
        hour += timedelta(hours=1)


def _series(rows: Iterator[Row], step: int) -> list[Series]:
    counts: dict[str, int] = defaultdict(int)
    steps: dict[str, dict[int, tuple[float, float, float, int]]] = defaultdict(dict)
    for kind, at, value, _ in rows:
        counts[kind] += 1
        if value is not None:
            begin = int(at.timestamp()) // step * step
            low, total, high, count = steps[kind].get(begin, (value, 0.0, value, 0))
            steps[kind][begin] = (min(low, value), total + value, max(high, value), count + 1)
    return [
        Series(
            kind,
            count,
            [
                Point(datetime.fromtimestamp(at, UTC), low, total / among, high, among)
                for at, (low, total, high, among) in sorted(steps[kind].items())
            ],
        )
        for kind, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
