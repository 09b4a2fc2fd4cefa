"""The whole log as one stream: all partitions in the order in which their batches became durable, and as columns of readings.

The order is a function of the log alone, so that whoever begins again from a position reads on exactly as before: by the moment of the
batch (never before an earlier one of its partition), then partition and sequence. What is younger than ``SETTLE`` waits: an append that
began before it may still be under way in another partition.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from django.db import connection

from gridloop.detection.columns import LATEST, Bools, Floats, Ints
from gridloop.detection.language import kind_number
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import unpack_rows
from gridloop.signals.rules import OWN_SOURCE, named, token_in, was_erased
from gridloop.signals.source import source

SETTLE = 5.0  # real seconds; longer than an append may take, see ``signals.connection``
BACK_MS = 3_600_000  # the clock was set back, and no small correction was made to it
_READ = 50  # batches of a partition at a time


class Columns(NamedTuple):
    """Readings as they were received, in order; ``device`` still as its code, ``received`` in ms."""

    time: Ints
    device: list[str]
    kind: Ints
    value: Floats
    token: Ints
    id: Ints
    received: Ints

    def __len__(self) -> int:
        return len(self.device)

    def received_at(self, at: int) -> Columns:
        return Columns(self.time, self.device, self.kind, self.value, self.token, self.id, np.full(len(self), at))

    def take(self, which: Bools) -> Columns:
        code = [d for d, keep in zip(self.device, which.tolist(), strict=True) if keep]
        return Columns(self.time[which], code, self.kind[which], self.value[which], self.token[which], self.id[which], self.received[which])


class Taken(NamedTuple):
    """A batch in its turn. ``at``: when it counts as received, ms; ``size``: its signals, with those that are no readings."""

    partition: int
    seq: int
    at: int
    size: int
    found: Columns


@dataclass(slots=True)
class Mark:
    """How far a partition was handed on: its last batch, and the latest moment of any up to it, ms."""

    seq: int
    at: int


class Decoded(NamedTuple):
    """A batch as columns, received at no moment yet. ``size``: as of ``Taken``."""

    size: int
    found: Columns


# partition, sequence, moment (ms), packed signals, whether a town's own worker detects on them
Stored = tuple[int, int, int, bytes, bool]
Row = tuple[int, int, int, bytes | Decoded, bool]
Read = Callable[[Mapping[int, int], int], Sequence[Row]]


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) // 1000


def read_next(after: Mapping[int, int], limit: int) -> list[Stored]:
    """Per partition the next batches after a sequence, in the caller's transaction."""
    return [(one.partition, one.seq, milliseconds(one.at), one.data, one.elsewhere) for one in source().packed(after, limit)]


@dataclass(slots=True)
class Stream:
    """Reads on from ``marks``, which move with what is handed on."""

    marks: dict[int, Mark]
    read: Read = read_next
    _waiting: dict[int, deque[Taken]] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)  # partitions of which more may be there than was read

    def take(self, horizon: int, most: int) -> tuple[list[Taken], int]:
        """Batches in order, about ``most`` signals, and the moment up to which nothing more can come before them: ``horizon`` at most."""
        self._fill()
        out: list[Taken] = []
        while most > 0:
            first = min(((queue[0].at, p) for p, queue in self._waiting.items() if queue), default=None)
            if first is None or first[0] > horizon:
                return out, horizon
            batch = self._waiting[first[1]].popleft()
            self.marks[batch.partition] = Mark(batch.seq, batch.at)
            out.append(batch)
            most -= batch.size
            if not self._waiting[batch.partition] and batch.partition in self._open:
                break
        return out, self._last(out)

    def _last(self, out: Sequence[Taken]) -> int:
        return out[-1].at if out else max((mark.at for mark in self.marks.values()), default=0)

    def _fill(self) -> None:
        """Everything durable by now, up to so many batches a partition: those that are ``_open`` may have more."""
        queues = {p: self._waiting.setdefault(p, deque()) for p in self.marks}
        ends = {p: queue[-1] if queue else self.marks[p] for p, queue in queues.items() if len(queue) < _READ}
        counts = dict.fromkeys(ends, 0)
        for partition, seq, at, data, elsewhere in self.read({p: end.seq for p, end in ends.items()}, _READ):
            batch = taken(partition, seq, max(at, ends[partition].at), data, elsewhere)
            queues[partition].append(batch)
            ends[partition] = batch
            counts[partition] += 1
        for partition, count in counts.items():
            (self._open.add if count == _READ else self._open.discard)(partition)
        self._open |= queues.keys() - ends.keys()  # enough is here: what came since was not asked for


@dataclass(frozen=True, slots=True)
class Look:
    """The log's ends, asked for after the moment ``now``. ``erased``: somebody was, and not all lanes have forgotten it. ``aside``: ids and

    versions of detectors that are set aside.

    Lanes that look together read and decode what they have in common once.
    """

    now: datetime
    ends: Mapping[int, int]
    erased: bool
    aside: frozenset[tuple[str, int]] = frozenset()
    _found: dict[tuple[int, int], list[Row]] = field(default_factory=dict)  # by partition and the sequence after which they come

    @classmethod
    def take(cls) -> Look:
        now = clock.now()
        with scoped(SYSTEM), connection.cursor() as cursor:
            ends = source().ends()
            cursor.execute("SELECT EXISTS (SELECT FROM signals_forgotten)")  # no model: stories read columns where no database is
            erased = bool(cursor.fetchone()[0])
            cursor.execute("SELECT detector, version FROM signals_asidedetector")
            return cls(now, ends, erased, frozenset(cursor.fetchall()))

    def read_anew(self) -> None:
        """What other lanes have read in this look may be from before an erasure that one has just forgotten."""
        self._found.clear()

    def read(self, after: Mapping[int, int], limit: int) -> list[Row]:
        """As ``stream.read_next``; where there was nothing, nobody is asked."""
        waiting = {p: seq for p, seq in after.items() if seq < self.ends.get(p, 0)}
        asked = {p: seq for p, seq in waiting.items() if (p, seq) not in self._found}
        self._found.update(((p, seq), []) for p, seq in asked.items())
        for partition, seq, at, data, elsewhere in read_next(asked, _READ) if asked else ():
            row = partition, seq, at, data if elsewhere else decoded(data), elsewhere
            self._found[partition, asked[partition]].append(row)
        return [row for p, seq in waiting.items() for row in self._found[p, seq][:limit]]


def horizon_of(now: datetime) -> int:
    """Everything up to it is durable, ms."""
    return milliseconds(now) - round(SETTLE * 1000 * max(clock.rate(), 1.0))


def marks_before(at: int) -> dict[int, Mark]:
    """The last batch of every partition before the first that became durable after a moment (ms). What lies far beyond it was written

    before the clock was set back.
    """
    since = datetime.fromtimestamp(at / 1000, UTC)
    found = source().before(since, since + timedelta(milliseconds=BACK_MS))
    return {partition: Mark(seq, at) for partition, seq in found.items()}


def columns(rows: Sequence[Sequence[Any]], received: Ints) -> Columns:
    """Rows as ``sdk.signals.unpack_rows`` gives them. What has no device, was erased, or is the platform's own is no reading."""
    keep = [bool(row[2]) and row[1] != OWN_SOURCE and not (row[8] and was_erased(row[8])) for row in rows]
    if not all(keep):
        rows = [row for row, one in zip(rows, keep, strict=True) if one]
        received = received[np.array(keep, np.bool_)]
    number, sender, device, kind, micros, value, _, _, told = _turned(rows)
    kinds = {name: kind_number(name) for name in set(kind)}
    micro = np.array(micros, np.int64)
    token, own = np.zeros(len(rows), np.int64), micro % 1000
    for n, (data, one) in enumerate(zip(told, value, strict=True)):
        if data or one is None:
            own[n] = named(number[n], sender[n])
        if data:
            token[n] = token_in(data)
    return Columns(
        time=np.clip(micro // 1000, 0, LATEST - 1),
        device=list(device),
        kind=np.array([kinds[name] for name in kind], np.int64),
        value=np.array(value, np.float64),
        token=token,
        id=own,
        received=received,
    )


def _turned(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """The nine columns of a row; what may follow in some is left out."""
    return list(zip(*rows, strict=False))[:9] if rows else [()] * 9


def joined(parts: Sequence[Columns]) -> Columns:
    if not parts:
        return columns([], np.zeros(0, np.int64))
    time, kind, value, token, number, received = (
        np.concatenate(column) for column in zip(*((p.time, p.kind, p.value, p.token, p.id, p.received) for p in parts), strict=True)
    )
    return Columns(time, [code for part in parts for code in part.device], kind, value, token, number, received)


def taken(partition: int, seq: int, at: int, data: bytes | Decoded, elsewhere: bool = False) -> Taken:
    """A batch in its turn, without rows when they are detected on elsewhere."""
    if elsewhere:
        return Taken(partition, seq, at, 1, joined([]))
    size, found = data if isinstance(data, Decoded) else decoded(data)
    return Taken(partition, seq, at, size, found.received_at(at))


def decoded(data: bytes) -> Decoded:
    """The rows in between are so many that Python's collector would look through the whole heap again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        rows = unpack_rows(data)
        return Decoded(len(rows), columns(rows, np.zeros(len(rows), np.int64)))
    finally:
        if collecting:
            gc.enable()


def partitions() -> set[int]:
    """In the caller's transaction."""
    return set(source().ends())
