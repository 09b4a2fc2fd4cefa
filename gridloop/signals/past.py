"""What was read before, an hour at a time: from the Parquet files, and from the log what is not archived yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from django.db import connection

from gridloop.detection.columns import LATEST
from gridloop.detection.language import kind_number
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import history
from gridloop.signals.rules import OWN_SOURCE
from gridloop.signals.stream import Columns, columns, joined, milliseconds, read_next, taken
from gridloop.signals.taking import AHEAD, LATENESS

HOUR = 3_600_000
_COLUMNS = ["id", "source", "device", "kind", "at", "value", "data", "arrived"]
_READ = 50  # batches of a partition at a time
_SLACK = 2 * LATENESS  # a reading received so long after the end of its hour takes no part any more


def archived(since: int) -> Iterator[int]:
    """Hours of which there are files, from the one of a moment (ms) on, in order."""
    for folder in sorted(history.folder().glob("????-??-??/??")):
        hour = milliseconds(datetime.fromisoformat(f"{folder.parent.name}T{folder.name}:00:00+00:00")) // HOUR
        if hour >= since // HOUR:
            yield hour


def files(hour: int) -> list[Path]:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    return sorted((history.folder() / f"{at:%Y-%m-%d}" / f"{at:%H}").glob("*.parquet"))


def read_columns(path: Path, kinds: Collection[str] | None = None) -> Columns:
    """A file's readings, of these kinds or of all. Rows lie by kind: of the others little is read."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows = pq.read_table(path, columns=_COLUMNS, filters=None if kinds is None else [("kind", "in", sorted(kinds))])
    if not rows.num_rows:  # none of these kinds
        return joined([])
    rows = rows.filter(pc.and_(pc.not_equal(rows["device"], ""), pc.not_equal(rows["source"], OWN_SOURCE)))
    device, kind = (rows[name].combine_chunks().dictionary_encode() for name in ("device", "kind"))
    at, arrived = (rows[name].cast("int64").to_numpy() for name in ("at", "arrived"))
    codes = device.dictionary.to_pylist()
    numbers = np.array([kind_number(name) for name in kind.dictionary.to_pylist()], np.int64)
    found = Columns(
        time=np.clip(at // 1000, 0, LATEST - 1),
        device=[codes[n] for n in device.indices.to_pylist()],
        kind=numbers[kind.indices.to_numpy()] if len(numbers) else np.zeros(0, np.int64),
        value=rows["value"].to_numpy().astype(np.float64),
        token=np.zeros(len(at), np.int64),
        id=at % 1000,
        received=arrived // 1000,
    )
    _name_tokens(found, rows, np.flatnonzero(pc.or_(pc.is_valid(rows["data"]), pc.is_null(rows["value"])).to_numpy()))
    return found


def _name_tokens(found: Columns, rows: Any, told: Any) -> None:
    """Rows that are more than a bare figure: what they name, and what makes them the same."""
    if not len(told):
        return
    few = rows.take(told)
    micro = few["at"].cast("int64").to_pylist()
    listed = (few[name].to_pylist() for name in ("id", "source", "device", "kind", "value", "data"))
    made = columns(
        [
            (i, source, code, kind, at, value, None, None, orjson.loads(data) if data else {})
            for i, source, code, kind, value, data, at in zip(*listed, micro, strict=True)
        ],
        found.received[told],
    )
    found.token[told], found.id[told] = made.token, made.id


class Tail:
    """What the log has and the archive has not, read on as far as it is asked for: it is never held as a whole.

    ``until``: by partition the last batch that counts; without it as far as the log goes.
    """

    def __init__(self, until: Mapping[int, int] | None = None) -> None:
        with scoped(SYSTEM), connection.cursor() as cursor:
            if until is None:
                cursor.execute("SELECT partition, seq FROM signals_partition")
                until = dict(cursor.fetchall())
            cursor.execute("SELECT partition, seq FROM signals_position WHERE consumer = %s", [history.HISTORY])
            done = dict(cursor.fetchall())
        self._until = dict(until)
        self._after = {p: done.get(p, 0) for p, seq in until.items() if done.get(p, 0) < seq}
        self._reached = dict.fromkeys(self._after, -1)  # by partition the moment of the last batch that was read
        self._parts: list[Columns] = []

    def before(self, end: int) -> Columns:
        """Everything read before a moment (ms) that was not handed out yet, in time to take part."""
        while self._after and min(self._reached[p] for p in self._after) < end + _SLACK:
            self._read(end + _SLACK)
        waiting = joined(self._parts)
        self._parts = [rest] if len(rest := waiting.take(waiting.time >= end)) else []
        return waiting.take(waiting.time < end)

    @property
    def first(self) -> int | None:
        """The earliest moment there is anything of, ms; None when there is nothing left."""
        while not self._parts and self._after:
            self._read(max(self._reached.values()) + 1)
        return min((int(part.time.min()) for part in self._parts), default=None)

    def _read(self, until: int) -> None:
        asked = {p: seq for p, seq in self._after.items() if self._reached[p] < until}
        with scoped(SYSTEM):
            batches = [taken(*one) for one in read_next(asked, _READ) if one[1] <= self._until[one[0]]]
        counts = dict.fromkeys(asked, 0)
        for batch in batches:
            self._after[batch.partition] = batch.seq
            self._reached[batch.partition] = max(self._reached[batch.partition], batch.at)
            counts[batch.partition] += 1
        for partition, count in counts.items():
            if not count or self._after[partition] >= self._until[partition]:
                del self._after[partition]
        self._parts += [batch.found for batch in batches if len(batch.found)]


def hours(since: int, until: int, tail: Tail) -> list[int]:
    """Those from one moment (ms) to another of which anything may be there."""
    first = tail.first
    late = range(max(first, since) // HOUR, (until + AHEAD) // HOUR + 1) if first is not None else ()
    return sorted({hour for hour in archived(since) if hour <= (until + AHEAD) // HOUR} | set(late))


def hour_of(hour: int, tail: Tail, kinds: Collection[str] | None = None) -> Columns:
    """All of an hour; hours are asked for in their order."""
    late = tail.before((hour + 1) * HOUR)
    return joined([part for part in (*(read_columns(path, kinds) for path in files(hour)), late) if len(part)])
