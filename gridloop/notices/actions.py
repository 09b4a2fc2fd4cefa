"""The writes of notices: take what is due, send it, keep what became of it, forget."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils.module_loading import import_string
from prometheus_client import Counter

from gridloop.journal.actions import append, append_to_cases, drop
from gridloop.journal.frame import scoped
from gridloop.journal.messages import FactIn
from gridloop.journal.rows import Rows, update_many
from gridloop.journal.selectors import unseal
from gridloop.kernel import clock
from gridloop.kernel.retention import kept
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices.messages import ChannelBook
from gridloop.notices.models import Delivery
from gridloop.notices.rules import next_pause
from gridloop.sdk.channels import DEVICE_KINDS, KINDS, ChannelError, Forgetful, Message

log = logging.getLogger(__name__)
UNWRITTEN_SECONDS = 0.5  # at most so long what was sent waits to be written down
TAKEN_SECONDS = 600  # a sender that died gives its deliveries back after this long, by the deployment clock
DELIVERIES = Counter("gridloop_deliveries_total", "Notices that ended", ["channel", "outcome"])
PEOPLE_KINDS = tuple(kind for kind in KINDS if kind not in DEVICE_KINDS)
_DUE = Rows(Delivery, "WHERE status = 'waiting' AND channel = ANY(%s) AND next_at <= %s ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED")
_TAKEN = "UPDATE notices_delivery SET attempts = attempts + 1, next_at = %s WHERE id = ANY(%s)"


@cache
def channels() -> ChannelBook:
    """The channel book the project wires."""
    return cast(ChannelBook, import_string(settings.GRIDLOOP_CHANNEL_BOOK))


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt."""

    reference: str = ""
    error: str = ""
    permanent: bool = False


def deliver(limit: int = 60) -> bool:
    """Job: send what is due to people. True when more may be waiting."""
    return _deliver(PEOPLE_KINDS, limit)


def command(limit: int = 60) -> bool:
    """Job: what is due to devices, beside ``deliver``: a loudspeaker never waits for a slow service of messages to people."""
    return _deliver(DEVICE_KINDS, limit)


def _deliver(kinds: Sequence[str], limit: int) -> bool:
    """Taken by compare-and-set, sent outside of any transaction, then written down, some together.

    A crash between sending and writing sends again under the same message id.
    """
    taken = _take(kinds, limit)
    values = unseal(SYSTEM, [str(row.sealed) for row in taken if row.sealed])
    began, results = time.monotonic(), list[tuple[Delivery, Result]]()
    for row in taken:
        results.append((row, _send(row, values.get(str(row.sealed)))))
        if time.monotonic() - began > UNWRITTEN_SECONDS:
            _keep(results)
            began, results = time.monotonic(), []
    _keep(results)
    return len(taken) == limit


def _keep(results: Sequence[tuple[Delivery, Result]]) -> None:
    """Write down what was sent, together; when that fails for one case's sake, case by case, so that nobody else is told twice."""
    if not results:
        return
    try:
        with scoped(SYSTEM):
            _write_down(results)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        codes = {row.case_code for row, _ in results}
        if len(codes) == 1:
            log.exception("deliveries of case %s were sent and could not be written down", *codes)
            return
        for code in sorted(codes):
            _keep([one for one in results if one[0].case_code == code])


def _take(kinds: Sequence[str], limit: int) -> list[Delivery]:
    now = clock.now()
    with scoped(SYSTEM):
        rows = _DUE(list(kinds), now, limit)
        with connection.cursor() as cursor:
            if rows:
                cursor.execute(_TAKEN, [now + timedelta(seconds=TAKEN_SECONDS), [row.id for row in rows]])
    for row in rows:
        row.attempts += 1
    return rows


def _send(row: Delivery, value: Any) -> Result:
    if not isinstance(value, dict):
        return Result(error="notices.erased", permanent=True)
    to, name, text = str(value["to"]), str(value["name"]), str(value["text"])
    message = Message(str(row.id), row.channel, to, name, text, "zh", row.case_code, clock.now(), row.attempts)
    try:
        return Result(reference=channels().channel(row.channel).send(message).reference)
    except ChannelError as fault:
        return Result(error=str(fault), permanent=fault.permanent)
    except Exception as fault:  # a channel is foreign code: whatever it raises is one failed attempt
        log.exception("channel %s failed", row.channel)
        return Result(error=f"{type(fault).__name__}: {fault}")


def _write_down(results: Sequence[tuple[Delivery, Result]]) -> None:
    again, ended = list[Delivery](), list[tuple[Delivery, Result]]()
    for row, result in results:
        pause = None if result.permanent else next_pause(row.attempts)
        if result.error and pause is not None:
            row.next_at, row.error = clock.now() + pause, result.error[:300]
            again.append(row)
        else:
            ended.append((row, result))
    update_many(again, ["next_at", "error"])
    settle(ended)


def settle(ended: Sequence[tuple[Delivery, Result]]) -> None:
    """The end of deliveries, each with its fact in its case's trace or its account's; inside the caller's transaction."""
    facts: dict[str, list[FactIn]] = {}
    for row, result in ended:
        fact = _end(row, result)
        if row.case_code:
            facts.setdefault(row.case_code, []).append(fact)
        else:
            number = row.recipient.removeprefix("account:")
            data = {"template": row.template, "channel": row.channel, "delivery": str(row.id), "status": row.status}
            append(f"account:{number}", "account_told", data, SYSTEM)
    append_to_cases(facts, SYSTEM)
    update_many([row for row, _ in ended], ["status", "done_at", "next_at", "reference", "error"])


def _end(row: Delivery, result: Result) -> FactIn:
    row.status = "failed" if result.error else "sent"
    DELIVERIES.labels(row.channel, row.status).inc()
    row.done_at, row.next_at, row.reference = clock.now(), None, result.reference[:100]
    row.error = say(result.error, "zh")[:300] if result.error else ""
    data: dict[str, Any] = {"template": row.template, "audience": row.audience, "channel": row.channel, "delivery": str(row.id)}
    if result.error:
        data["reason"] = result.error if result.error.startswith("notices.") else "channel"
    return FactIn("notice_failed" if result.error else "notice_sent", data)


def forget_sealed(sealed: Sequence[str]) -> int:
    """Values were erased: channels that keep messages forget those made of them. Returns how many messages went."""
    ids = [str(i) for i in Delivery.objects.filter(sealed__in=list(sealed)).values_list("id", flat=True)]
    return sum(channel.forget(ids) for channel in channels().all() if isinstance(channel, Forgetful)) if ids else 0


def forget_old(limit: int = 500, dry: bool = False) -> int:
    """Retention: records of deliveries; messages in files go earlier, with their sealed value. Returns how many went."""
    with scoped(SYSTEM):
        return drop(Delivery.objects.filter(created_at__lt=clock.now() - kept("deliveries")), limit, dry)
