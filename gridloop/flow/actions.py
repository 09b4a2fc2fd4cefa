"""Writes of the flow room: definitions, and the rows of tasks, limits and instances that a case's push has changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from django.db import connection
from django.db.models import Case, Q, When

from gridloop.flow.models import Definition, Instance, Limit, Task
from gridloop.journal.frame import verb
from gridloop.journal.rows import insert, update
from gridloop.kernel import clock
from gridloop.kernel.hashing import sha256_hex
from gridloop.kernel.viewer import Viewer

RETRY_AFTER = timedelta(seconds=30)
_TASK_CHANGES = ["status", "unit_id", "post_id", "staff_id", "due_at", "accepted_at", "done_at", "done_by", "outcome"]
_UPDATE_TASK = f"UPDATE flow_task SET {', '.join(f'{name} = %s' for name in _TASK_CHANGES)} WHERE id = %s"
_DROP_INSTANCE = "DELETE FROM flow_instance WHERE case_code = %s"
# by the case first: of a list of ids alone the database thinks anew at each call how to find them
_END_LIMITS = "UPDATE flow_limit SET state = %s, fired_at = %s WHERE case_code = %s AND state = 'pending' AND id = ANY(%s::uuid[])"


@verb("process.edit")
def install_definition(viewer: Viewer, name: str, xml: bytes) -> str:
    """Keep a diagram under its digest; installing it again changes nothing. Returns the digest."""
    digest = sha256_hex(xml)
    Definition.objects.bulk_create(
        [Definition(digest=digest, name=name, xml=xml.decode(), installed_at=clock.now())], ignore_conflicts=True
    )
    return digest


def row_values(item: Any) -> dict[str, Any]:
    """A dataclass of the rules as keyword arguments of its row (``case`` is the column ``case_code``)."""
    values = {name: getattr(item, name) for name in _names(cast(Hashable, type(item)))}
    values["case_code"] = values.pop("case")
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@cache
def _names(kind: Hashable) -> tuple[str, ...]:
    return tuple(field_names(cast(type, kind)))


def save_tasks(new: Iterable[Any], changed: Iterable[Any]) -> None:
    """Insert and update task rows from the rules' task data."""
    insert([Task(**row_values(t)) for t in new])
    values = [[*(getattr(t, name) for name in _TASK_CHANGES), t.id] for t in changed]
    if values:  # a push changes one or two tasks; bulk_update's nine CASE expressions cost ten times these statements
        with connection.cursor() as cursor:
            cursor.executemany(_UPDATE_TASK, values)


def save_limits(new: Iterable[Any], changed: Sequence[Any]) -> None:
    """Insert due rows and mark those that fired or were cancelled."""
    now = clock.now()
    insert([Limit(**row_values(x)) for x in new])
    for state in ("fired", "cancelled"):
        ended = [x for x in changed if x.state == state]
        if ended:
            with connection.cursor() as cursor:
                cursor.execute(_END_LIMITS, [state, now if state == "fired" else None, ended[0].case, [x.id for x in ended]])


def save_instance(case_code: str, digest: str, state: dict[str, Any], ended: bool, is_new: bool) -> None:
    """Keep the engine's state, or drop it when the case has ended; a digest when it runs on another definition from here on."""
    if ended:
        with connection.cursor() as cursor:
            cursor.execute(_DROP_INSTANCE, [case_code])
    elif is_new:
        insert([Instance(case_code=case_code, definition_id=digest, state=state)])
    else:
        changed = Instance(case_code=case_code, definition_id=digest, state=state)
        update(changed, ["state", "definition_id"] if digest else ["state"])


def due_codes(batch: int) -> tuple[list[str], bool]:
    """Cases with a due row, in the order of their oldest one, and whether more rows wait. No lock: the case's own comes first."""
    now = clock.now()
    rows = Limit.objects.filter(_ready(now), state="pending", due_at__lte=now).order_by("due_at", "id").values_list("case_code", flat=True)
    codes = list(rows[:batch])
    return list(dict.fromkeys(codes)), len(codes) == batch


def due_ids(case_code: str) -> list[str]:
    """Due rows of a case in order; the caller holds the case's lock. Of one moment what only tells comes before what moves on:

    a wait that is over takes the task away, and with it the card that has become due.
    """
    now = clock.now()
    rows = Limit.objects.filter(_ready(now), case_code=case_code, state="pending", due_at__lte=now)
    rows = rows.order_by("due_at", Case(When(kind="wait", then=1), default=0), "share", "id")
    return [str(limit_id) for limit_id in rows.values_list("id", flat=True)]


def _ready(now: datetime) -> Q:
    return Q(retry_at__isnull=True) | Q(retry_at__lte=now)


def push_ahead(limit_id: str, error: str) -> None:
    """A due row that failed is tried again later, so that it never blocks its neighbours."""
    row = Limit.objects.select_for_update().filter(id=limit_id, state="pending").first()
    if row is not None:
        row.attempts += 1
        row.retry_at = clock.now() + RETRY_AFTER * min(row.attempts, 20)
        row.last_error = error[:500]
        row.save(update_fields=["attempts", "retry_at", "last_error"])


def field_names(kind: type) -> list[str]:
    """The names of a rules dataclass's fields, to read rows back into it."""
    return [f.name for f in fields(kind)]
