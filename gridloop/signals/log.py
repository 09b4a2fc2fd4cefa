"""The signal log in PostgreSQL: one row per batch, a gapless sequence per partition, no ORM."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC
from typing import Any

import psycopg

from gridloop.kernel import clock
from gridloop.kernel.errors import Unavailable
from gridloop.kernel.hints import hint_worker
from gridloop.sdk.signals import BATCH_SIGNALS, Batch, Signal, pack, partition_of, unpack

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

EFFECTS = "signals.effects"  # the worker's job that looks for new batches

_APPEND = """
WITH next AS (UPDATE signals_partition SET seq = seq + 1 WHERE partition = %s RETURNING partition, seq)
INSERT INTO signals_batch (partition, seq, at, count, first_at, last_at, data)
SELECT partition, seq, %s, %s, %s, %s, %s FROM next
"""


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
        rows = []
        for partition, members in sorted(self._split(signals).items()):
            for start in range(0, len(members), BATCH_SIGNALS):
                part = members[start : start + BATCH_SIGNALS]
                times = [s.at for s in part]
                rows.append((partition, at, len(part), min(times), max(times), pack(part)))
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
            return read_batches(connection, partition, after_seq, limit)

    def positions(self) -> dict[int, int]:
        with self._connect() as connection:
            found = dict(connection.execute("SELECT partition, seq FROM signals_partition").fetchall())
        return dict.fromkeys(range(self._partitions), 0) | found


def read_batches(connection: psycopg.Connection[Any], partition: int, after_seq: int, limit: int) -> list[Batch]:
    """Batches inside the caller's transaction, in order."""
    cursor = connection.execute(
        "SELECT partition, seq, at, data FROM signals_batch WHERE partition = %s AND seq > %s ORDER BY seq LIMIT %s",
        [partition, after_seq, limit],
    )
    return [Batch(p, seq, at.astimezone(UTC), unpack(bytes(data))) for p, seq, at, data in cursor.fetchall()]


def replace_batch(cursor: Any, partition: int, seq: int, signals: Sequence[Signal]) -> None:
    """Write a batch anew after an erasure, within the caller's transaction."""
    cursor.execute("UPDATE signals_batch SET data = %s WHERE partition = %s AND seq = %s", [pack(signals), partition, seq])
