"""Who reads which partition, and how far: a lease with an epoch, so that of two workers only one can move a position."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals.source import source

LEASE_SECONDS = 30
CONSUMERS = ("effects", "heard", "history", "detectors", "devices")  # the log keeps what the slowest of these still needs


class Fenced(Exception):
    """Another worker has taken over: nothing of this transaction may stay."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to move one consumer's position in one partition. ``seq`` is the last batch that had its effects."""

    consumer: str
    partition: int
    seq: int
    owner: str
    epoch: int


def waiting(consumer: str) -> list[int]:
    """Partitions with batches after the consumer's position."""
    with scoped(SYSTEM):
        ends, done = source().ends(), reached(consumer)
    return [partition for partition, seq in sorted(ends.items()) if seq > done.get(partition, 0)]


def reached(consumer: str) -> dict[int, int]:
    """The consumer's position in every partition it has begun with, inside the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT partition, seq FROM signals_position WHERE consumer = %s", [consumer])
        return dict(cursor.fetchall())


def claim(consumer: str, partition: int, owner: str) -> Lease | None:
    """Take the partition when nobody holds it or its holder's time is over; None otherwise. Every change of hands raises the epoch."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO signals_position (consumer, partition, seq, owner, epoch) VALUES (%s, %s, 0, '', 0) ON CONFLICT DO NOTHING",
            [consumer, partition],
        )
        cursor.execute(
            "UPDATE signals_position SET owner = %s, epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => %s) "
            "WHERE consumer = %s AND partition = %s AND (owner = '' OR lease_until < clock_timestamp()) RETURNING seq, epoch",
            [owner, LEASE_SECONDS, consumer, partition],
        )
        row = cursor.fetchone()
    return Lease(consumer, partition, row[0], owner, row[1]) if row else None


def advance(lease: Lease, seq: int) -> Lease:
    """Move the position within the transaction of the effects, renewing the lease; ``Fenced`` rolls both back."""
    if not connection.in_atomic_block:
        raise RuntimeError("a position moves in the transaction of its effects")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE signals_position SET seq = %s, lease_until = clock_timestamp() + make_interval(secs => %s) "
            "WHERE consumer = %s AND partition = %s AND owner = %s AND epoch = %s",
            [seq, LEASE_SECONDS, lease.consumer, lease.partition, lease.owner, lease.epoch],
        )
        if cursor.rowcount != 1:
            raise Fenced(f"{lease.consumer}/{lease.partition}: another worker has taken over")
    return Lease(lease.consumer, lease.partition, seq, lease.owner, lease.epoch)


def release(lease: Lease) -> None:
    """Give the partition back at once; without it others wait until the lease is over."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE signals_position SET owner = '', lease_until = NULL "
            "WHERE consumer = %s AND partition = %s AND owner = %s AND epoch = %s",
            [lease.consumer, lease.partition, lease.owner, lease.epoch],
        )


def done_by_all(consumers: Sequence[str] = CONSUMERS) -> dict[int, int]:
    """Per partition the last batch that every consumer has behind it."""
    with scoped(SYSTEM):
        done = [reached(consumer) for consumer in consumers]
        return {partition: min(one.get(partition, 0) for one in done) for partition in source().ends()}


_OF_ALL = "SELECT partition FROM signals_position WHERE consumer = %s AND partition = ANY(%s) ORDER BY partition FOR UPDATE"
_CLAIM_ALL = (
    "UPDATE signals_position SET owner = %s, epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => %s) "
    "WHERE consumer = %s AND partition = ANY(%s) AND (owner = '' OR owner = %s OR lease_until < clock_timestamp()) "
    "RETURNING partition, seq, epoch"
)
_HOLD_ALL = (
    "UPDATE signals_position p SET seq = n.seq, lease_until = clock_timestamp() + make_interval(secs => %s) "
    "FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS n(partition, seq, epoch) "
    "WHERE p.consumer = %s AND p.partition = n.partition AND p.owner = %s AND p.epoch = n.epoch"
)


class _NotAll(Exception):
    """Some partition is another's: what was taken goes back with the transaction."""


def claim_all(consumer: str, owner: str, seconds: int, partitions: Collection[int]) -> dict[int, Lease] | None:
    """Take these partitions at once, for a consumer whose state spans them; None while another holds any or is about to take it.

    What the owner itself still holds, because a fault made it forget, is taken anew.
    """
    wanted = sorted(partitions)
    try:
        with scoped(SYSTEM), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO signals_position (consumer, partition, seq, owner, epoch) "
                "SELECT %s, n, 0, '', 0 FROM unnest(%s::int[]) n ON CONFLICT DO NOTHING",
                [consumer, wanted],
            )
            cursor.execute(f"{_OF_ALL} SKIP LOCKED", [consumer, wanted])
            if len(cursor.fetchall()) < len(wanted):
                raise _NotAll
            cursor.execute(_CLAIM_ALL, [owner, seconds, consumer, wanted, owner])
            found = {partition: Lease(consumer, partition, seq, owner, epoch) for partition, seq, epoch in cursor.fetchall()}
            if len(found) < len(wanted):
                raise _NotAll
            return found
    except _NotAll:
        return None


def taken(consumer: str, owner: str) -> set[int]:
    """Partitions somebody other than the owner holds, inside the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT partition FROM signals_position WHERE consumer = %s AND owner <> ALL(%s) AND lease_until > clock_timestamp()",
            [consumer, ["", owner]],
        )
        return {row[0] for row in cursor.fetchall()}


def stop_short() -> None:
    """A worker that stands still in the middle of a transaction must not keep its locks for ever: the database ends it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '20s'")


def hold_all(leases: Mapping[int, Lease], seqs: Mapping[int, int], seconds: int) -> dict[int, Lease]:
    """Within the transaction of the effects: move the positions and renew the leases. ``Fenced`` rolls all back."""
    if not connection.in_atomic_block:
        raise RuntimeError("a position moves in the transaction of its effects")
    if not leases:
        return {}
    one = next(iter(leases.values()))
    moved = {p: Lease(one.consumer, p, seqs.get(p, lease.seq), one.owner, lease.epoch) for p, lease in sorted(leases.items())}
    columns = [list(moved), [lease.seq for lease in moved.values()], [lease.epoch for lease in moved.values()]]
    stop_short()
    with connection.cursor() as cursor:
        cursor.execute(_OF_ALL, [one.consumer, list(moved)])
        cursor.execute(_HOLD_ALL, [seconds, *columns, one.consumer, one.owner])
        if cursor.rowcount != len(moved):
            raise Fenced(f"{one.consumer}: another worker has taken over")
    return moved


def hand(owner: str, seconds: int) -> int:
    """This worker shares in the work for so many seconds more; how many do."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("DELETE FROM signals_hand WHERE until < clock_timestamp() AND owner <> %s", [owner])
        cursor.execute(
            "INSERT INTO signals_hand (owner, until) VALUES (%s, clock_timestamp() + make_interval(secs => %s)) "
            "ON CONFLICT (owner) DO UPDATE SET until = excluded.until",
            [owner, seconds],
        )
        cursor.execute("SELECT count(*) FROM signals_hand WHERE until > clock_timestamp()")
        return int(cursor.fetchone()[0])


def withdraw(owner: str) -> None:
    """This worker no longer shares in the work."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("DELETE FROM signals_hand WHERE owner = %s", [owner])
