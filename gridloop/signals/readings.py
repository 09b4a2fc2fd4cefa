"""What one device has said, for a chart: hours that are written by the history's files, what came since from the log itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gridloop.journal.frame import elevated
from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.viewer import Viewer
from gridloop.registry.selectors import device, household_watched
from gridloop.sdk.signals import partition_by, unpack
from gridloop.signals.history import HISTORY, folder
from gridloop.signals.log import partitions_setting
from gridloop.signals.positions import reached
from gridloop.signals.source import AT_ONCE, source

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


Row = tuple[str, datetime, float | None]


@reading
def readings(viewer: Viewer, code: str, hours: int, purpose: str = "", reason: str = "") -> Readings:
    """Of a device the viewer sees, the last ``hours``. A look at a household's is written down. NotFound, Forbidden, Invalid."""
    view = device(viewer, code)
    until = clock.now()
    since = until - timedelta(hours=min(max(hours, 1), MOST_HOURS))
    step = next((s for s in _STEPS if (until - since).total_seconds() / s <= POINTS), _STEPS[-1])
    if view.household and not household_watched(viewer, view, purpose, reason):
        return Readings(since, until, step, True, [])
    return Readings(since, until, step, False, _series(_rows(code, since, until), step))


def _rows(code: str, since: datetime, until: datetime) -> Iterator[Row]:
    partition = partition_by(code, partitions_setting())
    yield from _written(code, partition, since, until)
    with elevated():  # the log shows itself to the system alone; that this device may be seen is known
        after = reached(HISTORY).get(partition, 0)
        while found := source().since(partition, after, since, AT_ONCE):
            for signal in (signal for one in found for signal in unpack(one.data)):
                if signal.device == code and since <= signal.at <= until:
                    yield signal.kind, signal.at, signal.value
            after = found[-1].seq


def _written(code: str, partition: int, since: datetime, until: datetime) -> Iterator[Row]:
    files = list(_files(partition, since, until))
    if not files:
        return
    import pyarrow.dataset as ds

    wanted = (ds.field("device") == code) & (ds.field("at") >= since) & (ds.field("at") <= until)
    table = ds.dataset([str(file) for file in files], format="parquet").to_table(columns=["kind", "at", "value"], filter=wanted)
    yield from zip(*(table[name].to_pylist() for name in ("kind", "at", "value")), strict=True)


def _files(partition: int, since: datetime, until: datetime) -> Iterator[Path]:
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= until:
        yield from (folder() / f"{hour:%Y-%m-%d}" / f"{hour:%H}").glob(f"p{partition:03d}-*.parquet")
        hour += timedelta(hours=1)


def _series(rows: Iterator[Row], step: int) -> list[Series]:
    counts: dict[str, int] = defaultdict(int)
    steps: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for kind, at, value in rows:
        counts[kind] += 1
        if value is not None:
            steps[kind][int(at.timestamp()) // step * step].append(value)
    return [
        Series(
            kind,
            count,
            [
                Point(datetime.fromtimestamp(at, UTC), min(values), sum(values) / len(values), max(values), len(values))
                for at, values in sorted(steps[kind].items())
            ],
        )
        for kind, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
