"""The writes of notices: take what is due, send it, keep what became of it, forget."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from gridloop.journal.actions import append
from gridloop.journal.frame import scoped
from gridloop.journal.selectors import unseal
from gridloop.kernel import clock
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices.messages import ChannelBook
from gridloop.notices.models import Delivery
from gridloop.notices.rules import next_pause
from gridloop.sdk.channels import ChannelError, Forgetful, Message

log = logging.getLogger(__name__)
TAKEN_SECONDS = 600  # a sender that died gives its deliveries back after this long, by the deployment clock
KEPT_DAYS = 400


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


def deliver(limit: int = 20) -> bool:
    """Job: send what is due. Taken by compare-and-set, sent outside of any transaction, then written down.

    A crash between sending and writing sends again under the same message id. True when more may be waiting.
    """
    taken = _take(limit)
    for row in taken:
        result = _send(row)
        with scoped(SYSTEM):
            _write_down(row, result)
    return len(taken) == limit


def _take(limit: int) -> list[Delivery]:
    now = clock.now()
    with scoped(SYSTEM):
        due = Delivery.objects.filter(status="waiting", next_at__lte=now).order_by("next_at")
        rows = list(due.select_for_update(skip_locked=True)[:limit])
        for row in rows:
            row.attempts += 1
            row.next_at = now + timedelta(seconds=TAKEN_SECONDS)
        Delivery.objects.bulk_update(rows, ["attempts", "next_at"])
    return rows


def _send(row: Delivery) -> Result:
    value = unseal(SYSTEM, [str(row.sealed)]).get(str(row.sealed)) if row.sealed else None
    if not isinstance(value, dict):
        return Result(error="notices.erased", permanent=True)
    to, name, text = str(value["to"]), str(value["name"]), str(value["text"])
    message = Message(str(row.id), row.channel, to, name, text, "zh", row.case_code, clock.now())
    try:
        return Result(reference=channels().channel(row.channel).send(message).reference)
    except ChannelError as fault:
        return Result(error=str(fault), permanent=fault.permanent)
    except Exception as fault:  # a channel is foreign code: whatever it raises is one failed attempt
        log.exception("channel %s failed", row.channel)
        return Result(error=f"{type(fault).__name__}: {fault}")


def _write_down(row: Delivery, result: Result) -> None:
    pause = None if result.permanent else next_pause(row.attempts)
    if result.error and pause is not None:
        row.next_at, row.error = clock.now() + pause, result.error[:300]
        row.save(update_fields=["next_at", "error"])
    else:
        settle(row, error=result.error, reference=result.reference)


def settle(row: Delivery, *, error: str = "", reference: str = "") -> None:
    """The end of a delivery, with its fact in the case's trace; inside the caller's transaction."""
    row.status = "failed" if error else "sent"
    row.done_at, row.next_at, row.reference = clock.now(), None, reference[:100]
    row.error = say(error, "zh")[:300] if error else ""
    row.save(update_fields=["status", "done_at", "next_at", "reference", "error"])
    data: dict[str, Any] = {"template": row.template, "audience": row.audience, "channel": row.channel, "delivery": str(row.id)}
    if error:
        data["reason"] = error if error.startswith("notices.") else "channel"
    append(f"case:{row.case_code}", "notice_failed" if error else "notice_sent", data, SYSTEM, row.case_code)


def forget_sealed(sealed: Sequence[str]) -> int:
    """Values were erased: channels that keep messages forget those made of them. Returns how many messages went."""
    ids = [str(i) for i in Delivery.objects.filter(sealed__in=list(sealed)).values_list("id", flat=True)]
    return sum(channel.forget(ids) for channel in channels().all() if isinstance(channel, Forgetful)) if ids else 0


def forget_old() -> bool:
    """Job: deliveries older than ``KEPT_DAYS``; messages in files go earlier, with their sealed value."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("DELETE FROM notices_delivery WHERE created_at < %s", [clock.now() - timedelta(days=KEPT_DAYS)])
    return False
