"""The only writes of the trace: append, seal, erase, consume, checkpoint."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import reduce
from hashlib import sha256
from operator import or_
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils.module_loading import import_string
from structlog.contextvars import bind_contextvars, get_contextvars

from gridloop.journal.frame import elevated, scoped, verb
from gridloop.journal.messages import FactIn, FactRow, stamp
from gridloop.journal.models import Answer, Checkpoint, Consumer, Sealed
from gridloop.journal.rows import as_json, insert
from gridloop.journal.rules import FEWEST_DIGITS, RETENTION, digits_of, names_one
from gridloop.journal.selectors import facts_after, facts_between, facts_of_kind_after, horizon, waits
from gridloop.kernel import clock, tracing
from gridloop.kernel.hashing import ZERO_HASH, commitment, fact_hash, new_key
from gridloop.kernel.ids import uuid7
from gridloop.kernel.retention import kept
from gridloop.kernel.viewer import SYSTEM, Viewer

__all__ = [
    "FULL",
    "NO_HEAD",
    "append",
    "append_each",
    "append_many",
    "append_to_cases",
    "checkpoint",
    "consume",
    "drop",
    "elevated",
    "erase",
    "erase_due",
    "erase_naming",
    "forget_answers",
    "held_cases",
    "lock_heads",
    "scoped",
    "seal",
    "seal_all",
    "set_cursor",
    "verb",
    "withdraw",
]

ERASED_BODY = '{"erased":true}'
HELD_FOR = timedelta(days=30)  # what a case at work holds is looked at again then
CHECKPOINT_FACTS = 50_000  # at most so many facts in one checkpoint, so that its transaction stays short
_told = logging.getLogger("gridloop.trace")
_hint_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def append(chain: str, action: str, data: dict[str, Any], viewer: Viewer, case: str | None = None) -> dict[str, Any]:
    """Append one fact inside the open transaction and return its public form."""
    return append_many(chain, [FactIn(action, data)], viewer, case)[0]


NO_HEAD = (0, ZERO_HASH)  # of a chain whose thing was just made under a number nobody had before
_FACT_COLUMNS = "chain, seq, at, actor, action, data, previous_hash, hash, case_code, trace"
_INSERT_FACTS = (
    f"INSERT INTO journal_fact ({_FACT_COLUMNS}) SELECT {_FACT_COLUMNS} FROM json_populate_recordset(NULL::journal_fact, %s::json)"
)
_UPDATE_HEADS = (
    "UPDATE journal_chainhead h SET seq = n.seq, hash = n.hash FROM json_populate_recordset(NULL::journal_chainhead, %s::json) n"
    " WHERE h.chain = n.chain"
)
_LOCK_HEAD = "SELECT seq, hash FROM journal_chainhead WHERE chain = %s FOR UPDATE"


def append_many(
    chain: str, facts: Iterable[FactIn], viewer: Viewer, case: str | None = None, *, head: tuple[int, str] | None = None
) -> list[dict[str, Any]]:
    """Append facts to one chain in order: one lock on the chain's head, one insert, one update.

    ``head``: the chain's head, when the caller has locked it and appended nothing since.
    """
    _in_transaction()
    with connection.cursor() as cursor:
        entries = _entries(chain, facts, viewer, head or _head(cursor, chain))
        if not entries:
            return []
        trace = _place_in_trace(entries)
        cursor.execute(_INSERT_FACTS, [as_json([{**entry, "case_code": case, "trace": trace} for entry in entries])])
        params = [entries[-1]["seq"], entries[-1]["hash"], chain]
        if head is NO_HEAD:
            cursor.execute("INSERT INTO journal_chainhead (seq, hash, chain) VALUES (%s, %s, %s)", params)
        else:
            cursor.execute("UPDATE journal_chainhead SET seq = %s, hash = %s WHERE chain = %s", params)
    _after(entries, case)
    return entries


def append_to_cases(facts: Mapping[str, Sequence[FactIn]], viewer: Viewer) -> None:
    """Append to the chains of several cases that have begun: their heads are locked in one order, written in one statement each way."""
    _in_transaction()
    heads = lock_heads(f"case:{code}" for code, told in facts.items() if told)
    _write({code: _entries(f"case:{code}", told, viewer, heads[f"case:{code}"]) for code, told in facts.items() if told})


def append_each(facts: Mapping[str, Sequence[FactIn]], viewer: Viewer) -> None:
    """Append to several chains of no case, whether they have begun or not: as many statements for one as for ten thousand."""
    _in_transaction()
    chains = sorted(chain for chain, told in facts.items() if told)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO journal_chainhead (chain, seq, hash) SELECT n, 0, %s FROM unnest(%s::text[]) n ON CONFLICT DO NOTHING",
            [ZERO_HASH, chains],
        )
    heads = lock_heads(chains)
    _write({None: [entry for chain in chains for entry in _entries(chain, facts[chain], viewer, heads[chain])]})


def _write(written: Mapping[str | None, list[dict[str, Any]]]) -> None:
    """Facts by case (None: of none) as they follow on heads that are locked."""
    written = {case: entries for case, entries in written.items() if entries}
    if not written:
        return
    rows = [
        {**entry, "case_code": case, "trace": trace}
        for case, entries in written.items()
        for trace in [_place_in_trace(entries)]
        for entry in entries
    ]
    heads = {entry["chain"]: entry for entries in written.values() for entry in entries}  # the last of each chain
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_FACTS, [as_json(rows)])
        cursor.execute(_UPDATE_HEADS, [as_json(list(heads.values()))])
    for case, entries in written.items():
        _after(entries, case)


def _in_transaction() -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("a fact is appended in the transaction of its rows")


def _entries(chain: str, facts: Iterable[FactIn], viewer: Viewer, head: tuple[int, str]) -> list[dict[str, Any]]:
    """The facts as they follow on the chain's head."""
    at = stamp(clock.now())
    seq, previous = head
    entries: list[dict[str, Any]] = []
    for fact in facts:
        seq += 1
        entry: dict[str, Any] = {
            "chain": chain,
            "seq": seq,
            "at": at,
            "actor": viewer.actor,
            "action": fact.action,
            "data": fact.data,
            "previous_hash": previous,
        }
        entry["hash"] = previous = fact_hash(entry)
        entries.append(entry)
    return entries


def _after(entries: list[dict[str, Any]], case: str | None) -> None:
    """What is told when the transaction stands."""
    transaction.on_commit(_hint)
    if _told.isEnabledFor(logging.INFO):
        transaction.on_commit(lambda: _tell(entries, case))


def lock_heads(chains: Iterable[str]) -> dict[str, tuple[int, str]]:
    """The heads of several chains, locked in the order of their names: no two writers wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT chain, seq, hash FROM journal_chainhead WHERE chain = ANY(%s) ORDER BY chain FOR UPDATE", [sorted(chains)])
        return {chain: (int(seq), str(digest)) for chain, seq, digest in cursor.fetchall()}


def _place_in_trace(entries: Sequence[dict[str, Any]]) -> str | None:
    """A span for the facts, whose place is kept beside them: what reads them later, in another process, goes on from there."""
    if not tracing.on():
        return None
    with tracing.span("fact " + ", ".join(dict.fromkeys(e["action"] for e in entries)), kind="producer", chain=entries[0]["chain"]):
        return tracing.here() or None


def _tell(entries: Sequence[dict[str, Any]], case: str | None) -> None:
    """A line for each fact that now stands: collected, the lines of all processes tell a case's way."""
    bound = get_contextvars()
    if case and "case" not in bound and "request" in bound:
        bind_contextvars(case=case)  # a report learns its case only here
    for entry in entries:
        said = {"action": entry["action"], "chain": entry["chain"], "seq": entry["seq"], "actor": entry["actor"]}
        _told.info("fact", extra=said | ({"case": case} if case else {}))


def _head(cursor: Any, chain: str) -> tuple[int, str]:
    """Lock the chain's head; a new chain gets one (two writers of a new chain wait for each other at its key)."""
    row = cursor.execute(_LOCK_HEAD, [chain]).fetchone()
    if row is None:
        cursor.execute("INSERT INTO journal_chainhead (chain, seq, hash) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING", [chain, ZERO_HASH])
        row = cursor.execute(_LOCK_HEAD, [chain]).fetchone()
    return int(row[0]), str(row[1])


def _hint() -> None:
    """Tell the push processes that there is something new; a lost hint costs them one poll (300 ms)."""
    for port in os.environ.get("GRIDLOOP_PUSH_HINT", "").split(","):
        if port:
            try:
                _hint_socket.sendto(b"1", ("127.0.0.1", int(port)))
            except OSError:
                return


def seal(value: Any, *, subject: str, purpose: str, case: str | None = None) -> dict[str, str]:
    """Keep a personal value or free text beside the trace, as long as its purpose allows; the returned commitment goes into the fact."""
    return seal_all([(value, subject, case)], purpose=purpose)[0]


def seal_all(values: Sequence[tuple[Any, str, str | None]], *, purpose: str) -> list[dict[str, str]]:
    """Keep several values, each with its subject and its case, in one statement; commitments in their order."""
    now = clock.now()
    until = now + timedelta(days=RETENTION[purpose].days)
    rows = [
        Sealed(id=uuid7(), subject=subject, purpose=purpose, case_code=case, value=value, key=new_key(), retain_until=until, created_at=now)
        for value, subject, case in values
    ]
    insert(rows)
    return [{"sealed": str(row.id), "commitment": commitment(bytes(row.key or b""), row.value)} for row in rows]


@verb("people.erase")
def erase(viewer: Viewer, subject: str, rule: str, naming: Collection[str] | None = None) -> int:
    """Erase every sealed value of a subject with its key, or only those ``naming`` somebody; the chain still verifies.

    Returns how many values went.
    """
    with elevated():
        rows = list(Sealed.objects.filter(subject=subject, erased_at__isnull=True).select_for_update())
        if naming is not None:
            rows = [row for row in rows if names_one(" ".join(_texts(row.value)), naming)]
        return _erase(viewer, rows, rule)


def withdraw(viewer: Viewer, ids: Collection[str], rule: str) -> int:
    """Inside a verb that keeps these values elsewhere from now on: here they go with their keys."""
    with elevated():
        return _erase(viewer, list(Sealed.objects.filter(id__in=ids, erased_at__isnull=True).select_for_update()), rule)


@verb("people.erase")
def erase_naming(viewer: Viewer, words: Collection[str], rule: str) -> list[str]:
    """Erase every sealed value that names somebody by one of the words, whosever it is; returns the subjects, one for each value."""
    wanted = [word for word in sorted(words) if len(word) > 1]
    if not wanted:
        return []
    # a first choice by the database, wider than the rule: the value's text, where a quotation mark is escaped, or its bare digits
    texts = [Q(text__contains=orjson.dumps(word).decode()[1:-1]) for word in wanted]
    numbers = [Q(digits__contains=bare) for word in wanted if len(bare := digits_of(word)) >= FEWEST_DIGITS]
    text = Cast("value", TextField())
    narrow = Func(text, Value("０１２３４５６７８９"), Value("0123456789"), function="translate", output_field=TextField())
    bare_text = Func(narrow, Value("[^0-9]"), Value(""), Value("g"), function="regexp_replace", output_field=TextField())
    with elevated():
        found = Sealed.objects.annotate(text=text, digits=bare_text).filter(reduce(or_, texts + numbers), erased_at__isnull=True)
        rows = [row for row in found.select_for_update().order_by("id") if names_one(" ".join(_texts(row.value)), wanted)]
        subjects = [row.subject for row in rows]
        _erase(viewer, rows, rule)
    return subjects


def _erase(viewer: Viewer, rows: Sequence[Sealed], rule: str) -> int:
    """The values, their keys and the kept answers that held them, with one fact; returns how many went."""
    now = clock.now()
    _erase_answers({word for row in rows for word in _texts(row.value) if len(word) > 1})
    for row in rows:
        row.value, row.key, row.erased_at, row.erased_rule = None, None, now, rule
    Sealed.objects.bulk_update(rows, ["value", "key", "erased_at", "erased_rule"], batch_size=500)
    if rows:
        append("org", "personal_data_erased", {"sealed": [str(r.id) for r in rows], "rule": rule}, viewer)
    return len(rows)


def _texts(value: Any) -> Iterator[str]:
    """Every text inside a sealed value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _erase_answers(words: set[str]) -> None:
    """Kept answers of idempotent requests lose their body, not their key: a repeat must still have no second effect."""
    if words:
        literal = (orjson.dumps(word).decode()[1:-1].replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for word in words)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE journal_answer SET body = %s WHERE body LIKE ANY(%s)", [ERASED_BODY, [f"%{one}%" for one in literal]])


def erase_due(limit: int = 500, dry: bool = False) -> int:
    """Retention: erase values whose time is over and return how many were looked at; those of cases still at work wait another month."""
    with scoped(SYSTEM):
        due = Sealed.objects.filter(erased_at__isnull=True, retain_until__lt=clock.now())
        if dry:
            codes = {code for code in due.values_list("case_code", flat=True).distinct() if code}
            return due.count() - due.filter(case_code__in=held_cases(codes)).count()
        rows = list(due.order_by("retain_until").select_for_update(skip_locked=True)[:limit])
        held = held_cases({row.case_code for row in rows if row.case_code})
        waiting = [row.pk for row in rows if row.case_code in held]
        Sealed.objects.filter(pk__in=waiting).update(retain_until=clock.now() + HELD_FOR)
        _erase(SYSTEM, [row for row in rows if row.pk not in set(waiting)], "retention")
        return len(rows)


def held_cases(codes: Collection[str]) -> Collection[str]:
    """Which of these cases hold what belongs to them: the room of cases says so (setting ``GRIDLOOP_HOLDS``)."""
    holds: Callable[[Collection[str]], Collection[str]] = import_string(settings.GRIDLOOP_HOLDS)
    return holds(codes) if codes else ()


def forget_answers(limit: int = 500, dry: bool = False) -> int:
    """Drop kept answers of idempotent requests when their day is over; returns how many."""
    with scoped(SYSTEM):
        return drop(Answer.objects.filter(at__lt=clock.now() - kept("answers")), limit, dry)


def drop(due: QuerySet[Any], limit: int, dry: bool) -> int:
    """Delete at most so many rows, or only count them all."""
    if dry:
        return due.count()
    ids = list(due.values_list("pk", flat=True)[:limit])
    due.model._default_manager.filter(pk__in=ids).delete()
    return len(ids)


FULL = 500  # facts handed out together; a job that got fewer has all there were, and lets more come together until its next turn


def consume(name: str, handler: Callable[[list[FactRow]], None], batch: int = FULL, actions: Collection[str] = ()) -> int:
    """Hand the next facts to a durable consumer; its effects and its cursor move in one transaction.

    Facts of transactions still open are not handed out, so none is skipped when they commit late. With ``actions`` only facts of
    these kinds are read. Returns how many facts were handled; 0 when there is nothing or another process holds the cursor.
    """
    with scoped(SYSTEM, by_key=True):
        if not waits(SYSTEM, name):  # most looks of a deployment at rest end here: nothing is locked and nothing written
            return 0
        Consumer.objects.bulk_create([Consumer(name=name)], ignore_conflicts=True)
        cursor = Consumer.objects.filter(name=name).select_for_update(skip_locked=True).first()
        if cursor is None:
            return 0
        if actions:
            facts, (tx, fact_id) = facts_of_kind_after(cursor.tx, cursor.fact_id, batch, actions)
        else:
            facts = facts_after(cursor.tx, cursor.fact_id, batch)
            tx, fact_id = (facts[-1].tx, facts[-1].id) if facts else (cursor.tx, cursor.fact_id)
        if (tx, fact_id) == (cursor.tx, cursor.fact_id):
            return 0
        if facts:
            handler(facts)
        cursor.tx, cursor.fact_id, cursor.updated_at = tx, fact_id, clock.now()
        cursor.save(update_fields=["tx", "fact_id", "updated_at"])
    return len(facts)


def set_cursor(name: str, place: tuple[int, int]) -> None:
    """A consumer reads from this place (tx, id) on, further back or further on than it was."""
    with scoped(SYSTEM):
        Consumer.objects.bulk_create([Consumer(name=name)], ignore_conflicts=True)
        cursor = Consumer.objects.select_for_update().get(name=name)
        cursor.tx, cursor.fact_id = place
        cursor.save(update_fields=["tx", "fact_id"])


def checkpoint() -> bool:
    """Seal the facts since the last checkpoint. Appends never wait for it: it reads below the snapshot horizon only."""
    with scoped(SYSTEM):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('gridloop.checkpoint'))")
            if not cursor.fetchone()[0]:
                return False
        last = Checkpoint.objects.order_by("-id").first()
        start = last.tx_to if last else 0
        end, facts = _span(start)
        if not facts:
            return False
        root = sha256("".join(f.hash for f in facts).encode()).hexdigest()
        entry = {
            "at": stamp(clock.now()),
            "tx_from": start,
            "tx_to": end,
            "count": len(facts),
            "root": root,
            "previous_hash": last.hash if last else ZERO_HASH,
        }
        Checkpoint.objects.create(**entry, hash=fact_hash(entry))
    return len(facts) >= CHECKPOINT_FACTS


def _span(start: int) -> tuple[int, list[FactRow]]:
    """Whole transactions from ``start`` up to the horizon, about CHECKPOINT_FACTS of them at most."""
    end = horizon()
    facts = facts_between(start, end, CHECKPOINT_FACTS + 1)
    if len(facts) > CHECKPOINT_FACTS:
        cut = facts[-1].tx
        shorter = [f for f in facts if f.tx < cut]
        if shorter:
            return cut, shorter
        end = cut + 1  # one transaction alone is larger than a checkpoint
        facts = facts_between(start, end, None)
    return end, facts
