"""The signal log in PostgreSQL: one row per batch, a gapless sequence per partition, no ORM."""

from __future__ import annotations

import importlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC
from functools import cache
from typing import Any, cast

import psycopg

from gridloop.kernel import clock
from gridloop.kernel.errors import Unavailable
from gridloop.kernel.hints import hint_worker
from gridloop.sdk.signals import BATCH_SIGNALS, Batch, ServedLog, Signal, SignalLog, pack_all, partition_of, unpack

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

EFFECTS = "signals.effects"  # the worker's job that looks for new batches

_APPEND = """
WITH next AS (UPDATE signals_partition SET seq = seq + 1 WHERE partition = %s RETURNING partition, seq)
INSERT INTO signals_batch (partition, seq, at, count, first_at, last_at, data)
SELECT partition, seq, %s, %s, %s, %s, %s FROM next
"""
_READ = "SELECT partition, seq, at, data FROM signals_batch WHERE partition = %s AND seq > %s ORDER BY seq LIMIT %s"


def partitions_setting() -> int:
    """``GRIDLOOP_SIGNAL_PARTITIONS`` (8). More may be added at any time; a device's order then restarts in its new partition."""
    count = int(os.environ.get("GRIDLOOP_SIGNAL_PARTITIONS", "8"))
    if not 1 <= count <= 1024:
        raise ValueError(f"GRIDLOOP_SIGNAL_PARTITIONS must be 1 to 1024, not {count}")
    return count


class PostgresLog:
    """The ``sdk.signals.SignalLog`` on PostgreSQL. ``connect`` lends a connection whose transaction this class ends."""

    def __init__(self, connect: Connect, partitions: int | None = None) -> None:
        self._connect = connect
        self._partitions = partitions or partitions_setting()
        self._known: set[int] = set()

    @property
    def partitions(self) -> int:
        return self._partitions

    def append(self, signals: Sequence[Signal]) -> None:
        """All or nothing, in one transaction. Partitions are locked in ascending order, so two writers cannot dead-lock."""
        if not signals:
            return
        at = clock.now()
        parts = [
            (partition, members[start : start + BATCH_SIGNALS])
            for partition, members in sorted(self._split(signals).items())
            for start in range(0, len(members), BATCH_SIGNALS)
        ]
        rows = []
        for (partition, part), data in zip(parts, pack_all([part for _, part in parts]), strict=True):
            times = [s.at for s in part]
            rows.append((partition, at, len(part), min(times), max(times), data))
        try:
            with self._connect() as connection:
                self._make_partitions(connection, {row[0] for row in rows})
                with connection.transaction(), connection.pipeline(), connection.cursor() as cursor:
                    for row in rows:
                        cursor.execute(_APPEND, row)
        except psycopg.Error as fault:
            raise Unavailable("signals.unavailable") from fault
        hint_worker(EFFECTS)  # else it finds them at its next poll, 300 ms

    def _split(self, signals: Sequence[Signal]) -> dict[int, list[Signal]]:
        parts: dict[int, list[Signal]] = defaultdict(list)
        for signal in signals:
            parts[partition_of(signal, self._partitions)].append(signal)
        return parts

    def _make_partitions(self, connection: psycopg.Connection[Any], wanted: set[int]) -> None:
        if missing := wanted - self._known:
            connection.cursor().executemany(
                "INSERT INTO signals_partition (partition, seq) VALUES (%s, 0) ON CONFLICT DO NOTHING", [(p,) for p in sorted(missing)]
            )
            connection.commit()
            self._known |= missing

    def read(self, partition: int, after_seq: int, limit: int) -> list[Batch]:
        with self._connect() as connection:
            cursor = connection.execute(_READ, [partition, after_seq, limit])
            return [Batch(p, seq, at.astimezone(UTC), unpack(bytes(data))) for p, seq, at, data in cursor.fetchall()]

    def positions(self) -> dict[int, int]:
        with self._connect() as connection:
            found = dict(connection.execute("SELECT partition, seq FROM signals_partition").fetchall())
        return dict.fromkeys(range(self._partitions), 0) | found


def kind() -> str:
    """``GRIDLOOP_SIGNALS_LOG`` (postgres): where signals are kept. Another name is an adapter's, ``adapters/systems/NAME``."""
    return os.environ.get("GRIDLOOP_SIGNALS_LOG", "postgres").strip() or "postgres"


@cache
def served() -> ServedLog | None:
    """The log an adapter brings, one for the whole process; None when signals are kept in the database."""
    name = kind()
    if name == "postgres":
        return None
    if not name.isidentifier():
        raise ValueError(f"GRIDLOOP_SIGNALS_LOG must be postgres or the name of an adapter, not {name}")
    try:
        module = importlib.import_module(f"gridloop.adapters.systems.{name}.log")
    except ModuleNotFoundError as fault:
        raise ValueError(f"GRIDLOOP_SIGNALS_LOG must be postgres or the name of an adapter, not {name}") from fault
    return cast(ServedLog, module.from_environment(partitions_setting()))


class _Hinted:
    """A log outside of the database, for those who append: workers are told as they are by ``PostgresLog``."""

    def __init__(self, log: ServedLog) -> None:
        self._log = log

    @property
    def partitions(self) -> int:
        return self._log.partitions

    def append(self, signals: Sequence[Signal]) -> None:
        self._log.append(signals)
        hint_worker(EFFECTS)

    def read(self, partition: int, after_seq: int, limit: int) -> list[Batch]:
        return self._log.read(partition, after_seq, limit)

    def positions(self) -> dict[int, int]:
        return self._log.positions()


def appending(connect: Connect) -> SignalLog:
    """The log this deployment writes to. ``connect``: into the database, when signals are kept there."""
    log = served()
    return PostgresLog(connect) if log is None else _Hinted(log)
