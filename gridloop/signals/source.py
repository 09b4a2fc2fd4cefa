"""Where the batches lie: in this database, or in a log outside of it that an adapter brings (``GRIDLOOP_SIGNALS_LOG``).

Positions, effects and states are rows in either case and move in one transaction. Reads run inside the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Protocol

from django.db import connection, transaction

from gridloop.journal.frame import scoped, settle
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Batch, Packed, ServedLog, Signal, pack, unpack
from gridloop.signals.log import partitions_setting, served

Change = Callable[[Sequence[Signal]], list[Signal] | None]  # a batch's signals anew, None when it stays
_NO_END = 2**63 - 1
AT_ONCE = 200  # batches of a partition read together where all are gone through

_NEXT = """
SELECT p.partition, b.seq, b.at, b.data, b.elsewhere FROM unnest(%s::int[], %s::bigint[]) AS p(partition, seq)
CROSS JOIN LATERAL (SELECT * FROM signals_batch WHERE partition = p.partition AND seq > p.seq ORDER BY seq LIMIT %s) b
ORDER BY p.partition, b.seq
"""
_BACKWARDS = """
SELECT seq, data FROM signals_batch WHERE partition = %s AND seq > %s AND seq < %s AND last_at >= %s AND first_at <= %s
AND (at <= %s OR %s) ORDER BY seq DESC LIMIT %s
"""
_FIRST = """
SELECT p.partition, b.at FROM unnest(%s::int[], %s::bigint[]) AS p(partition, seq)
CROSS JOIN LATERAL (SELECT at FROM signals_batch WHERE partition = p.partition AND seq > p.seq ORDER BY seq LIMIT 1) b
"""
_BEFORE = """
SELECT partition, COALESCE((SELECT min(seq) - 1 FROM signals_batch b
WHERE b.partition = p.partition AND at > %s AND at < %s), p.seq) FROM signals_partition p
"""
_TRIM = """
DELETE FROM signals_batch WHERE partition = %s AND seq IN
(SELECT seq FROM signals_batch WHERE partition = %s AND seq <= %s AND at < %s ORDER BY seq LIMIT %s)
"""
_SPANS = """
SELECT p.partition, p.seq, count(b.seq), min(b.seq), max(b.seq) FROM signals_partition p
LEFT JOIN signals_batch b ON b.partition = p.partition GROUP BY p.partition, p.seq ORDER BY p.partition
"""
_REPLACE = """
INSERT INTO signals_batch (partition, seq, at, count, first_at, last_at, data, elsewhere) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (partition, seq) DO UPDATE SET data = excluded.data
"""


class Source(Protocol):
    """What the platform's readers ask of the log."""

    def ends(self) -> dict[int, int]:
        """The last sequence of every partition."""
        ...

    def packed(self, after: Mapping[int, int], limit: int) -> list[Packed]:
        """Per partition the next batches after a sequence, by partition and sequence."""
        ...

    def backwards(self, partition: int, after: int, since: datetime, until: datetime, latest: datetime | None) -> Iterator[bytes]:
        """Batches after a sequence, the last first, that became durable up to ``latest``; others than those in which something happened

        between two moments may be left out.
        """
        ...

    def first_after(self, after: Mapping[int, int]) -> dict[int, datetime]:
        """When the first batch after a sequence became durable, for partitions that have one."""
        ...

    def before(self, at: datetime, beyond: datetime) -> dict[int, int]:
        """Per partition the last batch before the first that became durable after ``at`` (and before ``beyond``)."""
        ...

    def trim(self, done: Mapping[int, int], before: datetime, limit: int) -> bool:
        """Drop batches up to a sequence that are old enough; True when more may be. In transactions of its own."""
        ...

    def rewrite(self, change: Change) -> int:
        """Every batch through a change; how many signals are others now."""
        ...

    def faults(self) -> list[str]:
        """Gaps in what is kept."""
        ...


class InDatabase:
    """``signals_batch``, written by ``log.PostgresLog``."""

    def ends(self) -> dict[int, int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT partition, seq FROM signals_partition")
            return dict.fromkeys(range(partitions_setting()), 0) | dict(cursor.fetchall())

    def packed(self, after: Mapping[int, int], limit: int) -> list[Packed]:
        settle()
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [list(after), list(after.values()), limit])
            return [_packed(*row) for row in cursor.fetchall()]

    def backwards(self, partition: int, after: int, since: datetime, until: datetime, latest: datetime | None) -> Iterator[bytes]:
        before, page = _NO_END, [(0, b"")] * AT_ONCE
        with connection.cursor() as cursor:
            while len(page) == AT_ONCE:
                cursor.execute(_BACKWARDS, [partition, after, before, since, until, latest, latest is None, AT_ONCE])
                page = cursor.fetchall()
                yield from (bytes(data) for _, data in page)
                before = page[-1][0] if page else before

    def first_after(self, after: Mapping[int, int]) -> dict[int, datetime]:
        with connection.cursor() as cursor:
            cursor.execute(_FIRST, [list(after), list(after.values())])
            return dict(cursor.fetchall())

    def before(self, at: datetime, beyond: datetime) -> dict[int, int]:
        with connection.cursor() as cursor:
            cursor.execute(_BEFORE, [at, beyond])
            return dict.fromkeys(range(partitions_setting()), 0) | dict(cursor.fetchall())

    def trim(self, done: Mapping[int, int], before: datetime, limit: int) -> bool:
        dropped = 0
        for partition, seq in done.items():
            with scoped(SYSTEM), connection.cursor() as cursor:
                cursor.execute(_TRIM, [partition, partition, seq, before, limit])
                dropped = max(dropped, cursor.rowcount)
        return dropped == limit

    def rewrite(self, change: Change) -> int:
        changed = 0
        with connection.cursor() as cursor:
            cursor.execute("SELECT partition, seq FROM signals_batch ORDER BY partition, seq")
            for partition, seq in cursor.fetchall():
                cursor.execute("SELECT data FROM signals_batch WHERE partition = %s AND seq = %s FOR UPDATE", [partition, seq])
                row = cursor.fetchone()
                before = unpack(bytes(row[0])) if row else ()
                if (after := change(before)) is not None:
                    cursor.execute("UPDATE signals_batch SET data = %s WHERE partition = %s AND seq = %s", [pack(after), partition, seq])
                    changed += _others(before, after)
        return changed

    def faults(self) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(_SPANS)
            return [
                f"partition {partition}: batches {first} to {last} of {end}, {count} of them"
                for partition, end, count, first, last in cursor.fetchall()
                if count and (last != end or count != last - first + 1)
            ]


class Served:
    """A log outside of the database. A batch that was rewritten lies in ``signals_batch`` in the place of the one that was removed."""

    def __init__(self, log: ServedLog) -> None:
        self.log = log

    def ends(self) -> dict[int, int]:
        return self.log.positions()

    def packed(self, after: Mapping[int, int], limit: int) -> list[Packed]:
        """Rows are asked for after the log: what was rewritten is read rewritten from then on, not from when the original is removed."""
        found = self.log.packed(after, limit) if after else []
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [list(after), list(after.values()), limit])
            rows = [_packed(*row) for row in cursor.fetchall()]
        return self._together(found, rows, limit) if rows else [one for one in found if one.data]

    @staticmethod
    def _together(found: Sequence[Packed], rows: Sequence[Packed], limit: int) -> list[Packed]:
        """Of both in order, no further than the log was read: a stream whose first batches were removed begins after them."""
        ends: dict[int, int] = {}
        whole: dict[int, dict[int, Packed]] = {}
        for one in found:
            ends[one.partition] = one.seq
            if one.data:
                whole.setdefault(one.partition, {})[one.seq] = one
        for one in rows:
            if one.seq <= ends.get(one.partition, 0):
                whole.setdefault(one.partition, {})[one.seq] = one
        return [parts[seq] for _, parts in sorted(whole.items()) for seq in sorted(parts)[:limit]]

    def _spans(self) -> dict[int, tuple[int, int]]:
        """First and last of every partition, what was rewritten and removed among them."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT partition, min(seq) FROM signals_batch GROUP BY partition")
            rewritten = dict(cursor.fetchall())
        return {p: (min(first, rewritten.get(p, first)), last) for p, (first, last) in self.log.spans().items()}

    def backwards(self, partition: int, after: int, since: datetime, until: datetime, latest: datetime | None) -> Iterator[bytes]:
        first, last = self._spans().get(partition, (1, 0))
        while last > (lowest := max(after, first - 1)):
            begin = max(lowest, last - AT_ONCE)
            found = self.packed({partition: begin}, last - begin)
            yield from (one.data for one in reversed(found) if one.seq <= last and (latest is None or one.at <= latest))
            last = begin

    def first_after(self, after: Mapping[int, int]) -> dict[int, datetime]:
        ends = self.ends()
        waiting = {p: seq for p, seq in after.items() if seq < ends.get(p, 0)}
        return {one.partition: one.at for one in self.packed(waiting, 1)}

    def before(self, at: datetime, beyond: datetime) -> dict[int, int]:
        return {p: self._first(p, *span, lambda one: at < one.at) - 1 for p, span in self._spans().items()}

    def _first(self, partition: int, first: int, last: int, wanted: Callable[[Packed], bool]) -> int:
        """By halves: moments rise within a partition. ``last + 1`` when there is none."""
        low, high = first, last + 1
        while low < high:
            middle = (low + high) // 2
            found = self.packed({partition: middle - 1}, 1)
            if found and not wanted(found[0]):
                low = middle + 1
            else:
                high = middle
        return low

    def trim(self, done: Mapping[int, int], before: datetime, limit: int) -> bool:
        old = {}
        with scoped(SYSTEM):
            for partition, (first, last) in self._spans().items():
                upto = min(last, done.get(partition, 0))
                if first <= upto:
                    old[partition] = self._first(partition, first, upto, lambda one: one.at >= before) - 1
        self.log.trim(old)
        for partition, seq in old.items():
            with scoped(SYSTEM), connection.cursor() as cursor:
                cursor.execute("DELETE FROM signals_batch WHERE partition = %s AND seq <= %s", [partition, seq])
        return False

    def rewrite(self, change: Change) -> int:
        changed = 0
        for partition, (first, last) in self._spans().items():
            after = first - 1
            while after < last and (found := self.packed({partition: after}, AT_ONCE)):
                for one in found:
                    changed += self._rewritten(one, change)
                after = found[-1].seq
        return changed

    def _rewritten(self, one: Packed, change: Change) -> int:
        """The new batch is a row for good before the old one is removed: when that fails, both are there and the call is repeated."""
        before = unpack(one.data)
        after = change(before)
        if after is None:
            return 0
        times = [signal.at for signal in after]
        with connection.cursor() as cursor:
            cursor.execute(_REPLACE, [one.partition, one.seq, one.at, len(after), min(times), max(times), pack(after), one.elsewhere])
        transaction.on_commit(lambda: self.log.remove(one.partition, one.seq))
        return _others(before, after)

    def faults(self) -> list[str]:
        out = []
        for partition, (first, last) in self._spans().items():
            after, count = first - 1, 0
            while after < last and (found := self.packed({partition: after}, AT_ONCE)):
                count, after = count + len(found), found[-1].seq
            if count != last - first + 1:
                out.append(f"partition {partition}: batches {first} to {last}, {count} of them")
        return out


def _packed(partition: int, seq: int, at: datetime, data: bytes | memoryview, elsewhere: bool) -> Packed:
    return Packed(partition, seq, at.astimezone(UTC), bytes(data), elsewhere)


def _others(before: Sequence[Signal], after: Sequence[Signal]) -> int:
    return sum(a is not b for a, b in zip(after, before, strict=True))


@cache
def source() -> Source:
    """Where this process reads signals."""
    log = served()
    return InDatabase() if log is None else Served(log)


def batches(partition: int, after: int, limit: int, kinds: Collection[str] | None = None) -> list[Batch]:
    """Batches of a partition in order, inside the caller's transaction. ``kinds``: with signals of some kinds only."""
    return [Batch(one.partition, one.seq, one.at, unpack(one.data, kinds)) for one in source().packed({partition: after}, limit)]
