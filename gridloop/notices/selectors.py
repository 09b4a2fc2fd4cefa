"""Reads of notices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count

from gridloop.access.rules import mask_name
from gridloop.access.selectors import need_whole_account
from gridloop.cases.selectors import case_row
from gridloop.journal.frame import scoped
from gridloop.journal.selectors import reading, unseal
from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.notices.models import Delivery


@dataclass(frozen=True, slots=True)
class Notice:
    """One delivery as people see it; ``text`` only for its own recipient, ``to`` masked."""

    id: str
    case: str
    template: str
    audience: str
    channel: str
    status: str
    created_at: datetime
    done_at: datetime | None
    error: str
    to: str = ""
    text: str = ""


def _values(rows: list[Delivery]) -> dict[str, dict[str, str]]:
    found = unseal(SYSTEM, [str(r.sealed) for r in rows if r.sealed])
    return {key: value for key, value in found.items() if isinstance(value, dict)}


def _notice(row: Delivery, to: str, text: str) -> Notice:
    times = (row.created_at, row.done_at)
    return Notice(str(row.id), row.case_code, row.template, row.audience, row.channel, row.status, *times, row.error, to, text)


def mine(viewer: Viewer, limit: int = 50) -> list[Notice]:
    """The viewer's own notices, newest first: what the app shows without any push service."""
    if not viewer.can("notice.read"):
        raise Forbidden("journal.forbidden", permission="notice.read")
    return _own([f"account:{viewer.user_id}", *([f"staff:{viewer.staff_id}"] if viewer.staff_id else [])], viewer.lang, limit)


def of_account(viewer: Viewer, limit: int = 10) -> list[Notice]:
    """What somebody was told of their own account, newest first: needs no right, for it is about themselves."""
    need_whole_account(viewer)
    return _own([f"account:{viewer.user_id}"], viewer.lang, limit) if viewer.user_id else []


def _own(keys: list[str], lang: str, limit: int) -> list[Notice]:
    with scoped(SYSTEM):
        rows = list(Delivery.objects.filter(recipient__in=keys).order_by("-created_at")[:limit])
        values = _values(rows)
    told = [values.get(str(r.sealed), {}) for r in rows]
    return [_notice(r, "", value.get(lang) or value.get("text", "")) for r, value in zip(rows, told, strict=True)]


def of_case(viewer: Viewer, code: str) -> list[Notice]:
    """Who was told what about a case the viewer sees, oldest first; names masked, texts not shown."""
    if not viewer.can("notice.read"):
        raise Forbidden("journal.forbidden", permission="notice.read")
    case_row(viewer.within("notice.read"), code)
    with scoped(SYSTEM):
        rows = list(Delivery.objects.filter(case_code=code).order_by("created_at", "id"))
        values = _values(rows)
    return [_notice(r, mask_name(values.get(str(r.sealed), {}).get("name", "")), "") for r in rows]


@reading
def waiting(viewer: Viewer) -> dict[str, int]:
    """Deliveries by status, for ``gridloop doctor``."""
    found = dict(Delivery.objects.order_by().values_list("status").annotate(n=Count("id")))
    return dict.fromkeys(("waiting", "sent", "failed"), 0) | found


@reading
def waiting_now(viewer: Viewer) -> tuple[int, datetime | None]:
    """Deliveries that wait (counted up to 10,000) and when the first of them is or was due; by the partial index only."""
    rows = Delivery.objects.filter(status="waiting").order_by("next_at")
    return len(rows.values_list("id")[:10_000]), rows.values_list("next_at", flat=True).first()


def doctor(viewer: Viewer) -> list[tuple[str, str, str, dict[str, Any]]]:
    """A line for ``gridloop doctor``: level, name, sentence and what stands in it."""
    with scoped(SYSTEM):
        late = Delivery.objects.filter(status="waiting", attempts__gt=1).count()
    counts = waiting(viewer)
    return [("warn" if late else "ok", "notices", "notices.doctor", {**counts, "late": late})]
