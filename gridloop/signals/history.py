"""The history of signals: Parquet files by hour and partition under ``DATA_DIR/history/YYYY-MM-DD/HH/``.

The writer is a consumer of the log. It takes the batches of one hour of arrival at a time, so that a crash between writing the
files and moving the position makes the very same files again. What arrives after its hour goes into additional files of the
hour in which it happened; a reading or signal that is there already is left out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings

from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.retention import kept
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Batch, Signal
from gridloop.signals import positions
from gridloop.signals.rules import Marks, Row, erased, hour_of, row_key
from gridloop.signals.source import batches as read_next

if TYPE_CHECKING:
    import pyarrow as pa

HISTORY = "history"
_COLUMNS = ("id", "source", "device", "kind", "at", "value", "lon", "lat", "data", "arrived")
_FIGURES = ("value", "lon", "lat")
_SETTLE = timedelta(minutes=2)  # after the hour: appends that took their time while it ended
_READ = 200  # batches at a time
_GROUP_ROWS = 16_384  # rows lie by kind and device: who asks for one device reads a few groups only
_MOST_ROWS = 400_000  # in memory at once; more of one hour and partition becomes one more file


@cache
def _schema() -> pa.Schema:
    import pyarrow as pa  # 38 MB: only who reads or writes history pays them

    kinds = {"at": pa.timestamp("us", tz="UTC"), "arrived": pa.timestamp("us", tz="UTC")} | dict.fromkeys(_FIGURES, pa.float64())
    return pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS])


def folder() -> Path:
    return Path(settings.DATA_DIR) / "history"


def retention() -> timedelta:
    """``GRIDLOOP_HISTORY_DAYS``, or the table's: how long readings are kept."""
    days = os.environ.get("GRIDLOOP_HISTORY_DAYS", "")
    return timedelta(days=float(days)) if days else kept("history")


def write_hours(owner: str = "") -> bool:
    """Job: write what arrived in hours that are over. True when another hour may be waiting."""
    more = False
    for partition in positions.waiting(HISTORY):
        lease = positions.claim(HISTORY, partition, owner or f"history:{os.getpid()}")
        if lease is None:
            continue
        try:
            more = _write_next(lease) or more
        finally:
            positions.release(lease)
    return more


def _write_next(lease: positions.Lease) -> bool:
    """Files of the next hour of arrival of a partition; False when that hour is not over yet."""
    batches = list(_hour_of_arrival(lease))
    if not batches:
        return False
    parts: dict[datetime, list[Row]] = defaultdict(list)
    for batch in batches:
        for signal in batch.signals:
            parts[hour_of(signal.at)].append(Row(signal, batch.at))
    name = f"p{lease.partition:03d}-{batches[0].seq:012d}-{batches[-1].seq:012d}.parquet"
    for hour, rows in sorted(parts.items()):
        _write_part(_hour_folder(hour), name, rows)
    with scoped(SYSTEM):
        positions.advance(lease, batches[-1].seq)
    return True


def _hour_of_arrival(lease: positions.Lease) -> Iterator[Batch]:
    """Batches of the first hour after the position, up to the size of a file; none when that hour is not over."""
    after, rows, end = lease.seq, 0, None
    while rows < _MOST_ROWS:
        with scoped(SYSTEM):
            batches = read_next(lease.partition, after, _READ)
        for batch in batches:
            end = end or hour_of(batch.at) + timedelta(hours=1)
            if batch.at >= end or clock.now() < end + _SETTLE or rows >= _MOST_ROWS:
                return
            yield batch
            rows += len(batch.signals)
            after = batch.seq
        if len(batches) < _READ:
            return


def _hour_folder(hour: datetime) -> Path:
    return folder() / f"{hour:%Y-%m-%d}" / f"{hour:%H}"


def _write_part(where: Path, name: str, rows: Sequence[Row]) -> None:
    """One file without what this hour has already in its earlier files of the same partition (a device keeps its partition)."""
    seen = {row_key(r) for path in sorted(where.glob(f"{name[:4]}-*.parquet")) if path.name != name for r in read_file(path)}
    fresh = []
    for row in rows:
        key = row_key(row)
        if key not in seen:
            seen.add(key)
            fresh.append(row)
    if fresh:
        fresh.sort(key=lambda r: (r.signal.kind, r.signal.device, r.signal.at))
        where.mkdir(parents=True, exist_ok=True)
        replace_file(where / name, fresh)


def replace_file(path: Path, rows: Iterable[Row]) -> None:
    """Write beside, make durable, then rename: a reader sees the old file or the new one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for signal, arrived in rows:
        values = (signal.id, signal.source, signal.device, signal.kind, signal.at, signal.value, signal.lon, signal.lat)
        data = orjson.dumps(signal.data).decode() if signal.data else None
        for name, value in zip(_COLUMNS, (*values, data, arrived), strict=True):
            columns[name].append(value)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        pq.write_table(pa.table(columns, schema=_schema()), file, compression="zstd", row_group_size=_GROUP_ROWS)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)  # the new name, too
    finally:
        os.close(handle)


def read_file(path: Path) -> list[Row]:
    """The rows of one file."""
    import pyarrow.parquet as pq

    rows = []
    for r in pq.read_table(path, schema=_schema()).to_pylist():
        data = orjson.loads(r["data"]) if r["data"] else {}
        at, arrived = r["at"].astimezone(UTC), r["arrived"].astimezone(UTC)
        rows.append(Row(Signal(r["id"], r["source"], r["device"], r["kind"], at, r["value"], r["lon"], r["lat"], data), arrived))
    return rows


def drop_old(limit: int = 500, dry: bool = False) -> int:
    """Retention: remove days of readings older than the retention, at most so many; returns how many days."""
    oldest = (clock.now() - retention()).strftime("%Y-%m-%d")
    old = [day for day in sorted(folder().glob("????-??-??")) if day.name < oldest]
    if dry:
        return len(old)
    for day in old[:limit]:
        for path in sorted(day.glob("*/*"), reverse=True):
            path.unlink()
        for path in [*day.glob("*"), day]:
            path.rmdir()
    return len(old[:limit])


def erase(marks: Marks, rule: str, seen: Callable[[Signal], None] = lambda _: None) -> int:
    """Redact a person's signals in every file, after each was ``seen``; returns how many."""
    changed = 0
    for path in sorted(folder().glob("*/*/*.parquet")):
        if not _may_hold(path, marks):
            continue
        rows = read_file(path)
        for row in rows:
            if marks.hit(row.signal):
                seen(row.signal)
        after = [Row(erased(r.signal, rule), r.arrived) if marks.hit(r.signal) else r for r in rows]
        count = sum(a is not b for a, b in zip(after, rows, strict=True))
        if count:
            replace_file(path, after)
            changed += count
    return changed


def _may_hold(path: Path, marks: Marks) -> bool:
    """A quick look at the columns, so that only files that need it are read as a whole."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["id", "device", "data"])
    ids = pa.array(sorted({i for _, i in marks.identities}), pa.string())
    devices = pa.array(sorted(marks.devices), pa.string())
    if pc.any(pc.is_in(table["id"], ids)).as_py() or pc.any(pc.is_in(table["device"], devices)).as_py():
        return True
    return any(pc.any(pc.match_substring(table["data"], orjson.dumps(word).decode()[1:-1])).as_py() for word in marks.words)
