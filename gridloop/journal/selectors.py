"""Reads of the trace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from django.db import connection

from gridloop.journal.frame import current_viewer, reading, scoped
from gridloop.journal.messages import Broken, FactRow, stamp
from gridloop.journal.models import Checkpoint, Consumer, Sealed
from gridloop.kernel.hashing import ZERO_HASH, fact_hash
from gridloop.kernel.viewer import Viewer

__all__ = [
    "account_facts",
    "chain_facts",
    "facts_after",
    "facts_between",
    "facts_called",
    "horizon",
    "lag",
    "reading",
    "scoped",
    "unseal",
    "verify",
    "waits",
]

_COLUMNS = "id, tx, chain, seq, at, actor, action, data, previous_hash, hash, case_code, trace"


def _rows(sql: str, params: list[Any]) -> list[FactRow]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [_row(r) for r in cursor.fetchall()]


def _row(r: tuple[Any, ...]) -> FactRow:
    fact_id, tx, chain, seq, at, actor, action, data, previous_hash, digest, case_code, trace = r
    if isinstance(data, str | bytes):
        data = orjson.loads(data)
    return FactRow(fact_id, tx, chain, seq, at, actor, action, data, previous_hash, digest, case_code, trace or "")


def horizon() -> int:
    """The first transaction that may still be open: everything below is final."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT value FROM journal_offset)")
        return int(cursor.fetchone()[0])


def facts_after(tx: int, fact_id: int, limit: int) -> list[FactRow]:
    """Final facts after the place (tx, id), in order. Call inside a scoped transaction."""
    return _rows(
        f"SELECT {_COLUMNS} FROM journal_fact WHERE (tx, id) > (%s, %s) AND tx < %s ORDER BY tx, id LIMIT %s",
        [tx, fact_id, horizon(), limit],
    )


def facts_of_kind_after(tx: int, fact_id: int, limit: int, actions: Collection[str]) -> tuple[list[FactRow], tuple[int, int]]:
    """Final facts of these kinds after the place, and the place up to which all was looked through."""
    end = end_of_trace()
    facts = _rows(
        f"SELECT {_COLUMNS} FROM journal_fact WHERE (tx, id) > (%s, %s) AND (tx, id) <= (%s, %s) AND action = ANY(%s)"
        " ORDER BY tx, id LIMIT %s",
        [tx, fact_id, *end, list(actions), limit],
    )
    return facts, (facts[-1].tx, facts[-1].id) if len(facts) == limit else max(end, (tx, fact_id))


def facts_between(tx_from: int, tx_to: int, limit: int | None) -> list[FactRow]:
    """Facts of a span of transactions (from inclusive, to exclusive), in order."""
    return _rows(
        f"SELECT {_COLUMNS} FROM journal_fact WHERE tx >= %s AND tx < %s ORDER BY tx, id LIMIT %s",
        [tx_from, tx_to, limit],
    )


def end_of_trace() -> tuple[int, int]:
    """The place (tx, id) of the last final fact: where a new live screen starts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tx, id FROM journal_fact WHERE tx < %s ORDER BY tx DESC, id DESC LIMIT 1", [horizon()])
        row = cursor.fetchone()
    return (row[0], row[1]) if row else (0, 0)


@reading
def chain_facts(viewer: Viewer, chain: str, after: int = 0, limit: int = 500) -> list[FactRow]:
    """The facts of one chain after a sequence number."""
    return _rows(f"SELECT {_COLUMNS} FROM journal_fact WHERE chain = %s AND seq > %s ORDER BY seq LIMIT %s", [chain, after, limit])


@reading
def facts_called(viewer: Viewer, chain: str, actions: Iterable[str]) -> list[FactRow]:
    """The facts of one chain with one of these actions, all of them, in order."""
    return _rows(f"SELECT {_COLUMNS} FROM journal_fact WHERE chain = %s AND action = ANY(%s) ORDER BY seq", [chain, list(actions)])


@reading
def account_facts(
    viewer: Viewer,
    *,
    chains: Collection[str] | None = None,
    actions: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[FactRow]:
    """Facts of accounts, newest first: of all of them, or of some chains; ``before`` is the id of the last one seen."""
    where, params = ["starts_with(chain, 'account:')"], []
    for clause, value in (
        ("chain = ANY(%s)", list(chains) if chains is not None else None),
        ("action = ANY(%s)", list(actions) or None),
        ("at >= %s", since),
        ("at < %s", until),
        ("id < %s", before),
    ):
        if value is not None:
            where.append(clause)
            params.append(value)
    return _rows(f"SELECT {_COLUMNS} FROM journal_fact WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT %s", [*params, limit])


@reading
def unseal(viewer: Viewer, ids: Iterable[str]) -> dict[str, Any]:
    """Values by sealed id as far as the viewer's row security shows them; an erased one is None."""
    return {str(row.id): row.value for row in Sealed.objects.filter(id__in=list(ids))}


_BEHIND = "SELECT count(*) FROM (SELECT 1 FROM journal_fact WHERE (tx, id) > (%s, %s) LIMIT 100000) AS before"


@reading
def lag(viewer: Viewer) -> dict[str, int]:
    """Facts every consumer still has before it, counted up to 100,000: a figure asked for often must stay cheap."""
    behind: dict[str, int] = {}
    for consumer in Consumer.objects.all():
        with connection.cursor() as cursor:
            cursor.execute(_BEHIND, [consumer.tx, consumer.fact_id])
            behind[consumer.name] = cursor.fetchone()[0]
    return behind


# the newest fact alone is compared: asked whether any is newer, PostgreSQL guesses that most are and reads the whole trace to find none
_WAITS = """SELECT EXISTS (SELECT 1 FROM (SELECT tx, id FROM journal_fact ORDER BY tx DESC, id DESC LIMIT 1) f
WHERE NOT EXISTS (SELECT 1 FROM journal_consumer c WHERE c.name = %s AND (c.tx, c.fact_id) >= (f.tx, f.id)))"""


@reading
def waits(viewer: Viewer, name: str) -> bool:
    """Whether a consumer has facts before it, final or not yet. One that was never there has all of them."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITS, [name])
        return bool(cursor.fetchone()[0])


@reading
def verify(viewer: Viewer, since: datetime | None = None) -> tuple[int, Broken | None]:
    """Re-compute the trace: every chain in sequence, then every checkpoint. Returns facts read and the first break."""
    if current_viewer() is None or not viewer.system:
        raise RuntimeError("only the system sees every chain")
    count = 0
    for chain_count, broken in _verify_chains(since):
        count += chain_count
        if broken:
            return count, broken
    return count, _verify_checkpoints(since)


def _verify_chains(since: datetime | None) -> Iterator[tuple[int, Broken | None]]:
    where, params = "", []
    if since is not None:
        where, params = "WHERE f.chain IN (SELECT DISTINCT chain FROM journal_fact WHERE at >= %s)", [since]
    columns = ", ".join(f"f.{name}" for name in _COLUMNS.split(", "))
    chain, seq, previous = "", 0, ZERO_HASH
    head: tuple[Any, ...] = ()
    with connection.chunked_cursor() as cursor:
        # heads come with the facts, in one snapshot: a deployment at work appends while we read
        joined = f"SELECT {columns}, h.seq, h.hash FROM journal_fact f LEFT JOIN journal_chainhead h ON h.chain = f.chain"
        cursor.execute(f"{joined} {where} ORDER BY f.chain, f.seq", params)
        while rows := cursor.fetchmany(2000):
            for row in rows:
                fact = _row(row[:-2])
                if fact.chain != chain:
                    if broken := _verify_end(chain, (seq, previous), head):
                        yield 0, broken
                        return
                    chain, seq, previous = fact.chain, 0, ZERO_HASH
                seq, head = seq + 1, row[-2:]
                if broken := _verify_fact(fact, seq, previous):
                    yield 0, broken
                    return
                previous = fact.hash
            yield len(rows), None
    yield 0, _verify_end(chain, (seq, previous), head)


def _verify_fact(fact: FactRow, seq: int, previous: str) -> Broken | None:
    where = f"{fact.chain} #{fact.seq}"
    if fact.seq != seq:
        return Broken(where, f"expected #{seq}: a fact is missing")
    if fact.previous_hash != previous:
        return Broken(where, "previous_hash is not the hash of the fact before")
    if fact_hash(fact.public()) != fact.hash:
        return Broken(where, "the content does not give its hash")
    return None


def _verify_end(chain: str, last: tuple[int, str], head: tuple[Any, ...]) -> Broken | None:
    if chain and head != last:
        return Broken(f"{chain} #{last[0]}", "the chain's head names another last fact")
    return None


def _verify_checkpoints(since: datetime | None) -> Broken | None:
    previous = ZERO_HASH
    reached = 0
    for point in Checkpoint.objects.order_by("id").iterator():
        where = f"checkpoint {point.id}"
        entry = {
            "at": stamp(point.at),
            "tx_from": point.tx_from,
            "tx_to": point.tx_to,
            "count": point.count,
            "root": point.root,
            "previous_hash": point.previous_hash,
        }
        if point.previous_hash != previous or fact_hash(entry) != point.hash or point.tx_from != reached:
            return Broken(where, "the chain of checkpoints is broken")
        previous, reached = point.hash, point.tx_to
        if since is not None and point.at < since:
            continue
        with connection.cursor() as cursor:
            cursor.execute("SELECT hash FROM journal_fact WHERE tx >= %s AND tx < %s ORDER BY tx, id", [point.tx_from, point.tx_to])
            hashes = [r[0] for r in cursor.fetchall()]
        if len(hashes) != point.count or sha256("".join(hashes).encode()).hexdigest() != point.root:
            return Broken(where, f"sealed {point.count} facts, found {len(hashes)} or changed ones")
    return None
