"""Shares and means of what became of cases: each with its formula, and the very cases above and below the line.

The counts and the lists come from the same two conditions, so that whoever opens the lists can count a figure again by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, QuerySet, Sum

from gridloop.cases.models import Case
from gridloop.cases.rules import END_STATUSES
from gridloop.cases.selectors import cursor_of, in_scope, page_of, read_cursor
from gridloop.journal.selectors import reading
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import Viewer

Side = Literal["numerator", "denominator"]
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Indicator:
    """``among``: the cases below the line, given the span; ``part``: those of them above it. With ``mean`` the upper side is its sum, in
    seconds, over all of them.
    """

    name: str
    among: Callable[[Span], Q]
    part: Q = field(default_factory=Q)
    mean: Any = None


def _due_to_close(span: Span) -> Q:
    return Q(due_at__gte=span[0], due_at__lt=span[1]) & ~Q(status__in=[s for s in END_STATUSES if s != "closed"])


def _closed(span: Span) -> Q:
    return Q(status="closed", closed_at__gte=span[0], closed_at__lt=span[1])


def _seconds(late: str, early: str) -> Any:
    return ExpressionWrapper(F(late) - F(early), output_field=DurationField())


_IN_TIME = Q(due_at__isnull=True) | Q(closed_at__lte=F("due_at"))
INDICATORS = {
    one.name: one
    for one in (
        Indicator("disposal_rate", _due_to_close, Q(status__in=("submitted", "checking", "closed"))),
        Indicator("closing_rate", _due_to_close, Q(status="closed")),
        Indicator("on_time_closing_rate", _due_to_close, Q(status="closed", closed_at__lte=F("due_at"))),
        Indicator("on_time_share", _closed, _IN_TIME),
        Indicator("satisfaction_rate", lambda span: _closed(span) & Q(stars__isnull=False), Q(stars__gte=4)),
        Indicator("rework_rate", _closed, Q(reworks__gt=0)),
        Indicator("average_close_seconds", _closed, mean=_seconds("closed_at", "reported_at")),
        Indicator("average_saved_seconds", lambda span: _closed(span) & Q(due_at__isnull=False), mean=_seconds("due_at", "closed_at")),
    )
}


def _among(viewer: Viewer, one: Indicator, region: str, span: Span) -> QuerySet[Case]:
    rows = in_scope(viewer).filter(one.among(span)).order_by()
    return rows.filter(region__startswith=region) if region else rows


@reading
def computed(viewer: Viewer, region: str, span: Span) -> list[dict[str, Any]]:
    """Every indicator: what stands above the line, what below, and the one by the other; null where nothing is below."""
    found = []
    for one in INDICATORS.values():
        rows = _among(viewer, one, region, span)
        if one.mean is not None:
            told = rows.aggregate(n=Count("id"), above=Sum(one.mean))
            above = told["above"].total_seconds() if told["above"] is not None else 0
        else:
            told = rows.aggregate(n=Count("id"), above=Count("id", filter=one.part))
            above = told["above"]
        value = round(above / told["n"], 4) if told["n"] else None
        found.append({"name": one.name, "numerator": above, "denominator": told["n"], "value": value})
    return found


@reading
def listed(
    viewer: Viewer, name: str, side: Side, region: str, span: Span, limit: int = 50, after: str = ""
) -> tuple[list[Case], str | None]:
    """The cases of one side, newest first. Of a mean every case stands on both."""
    if (one := INDICATORS.get(name)) is None:
        raise NotFound("cases.no_such_indicator", name=name)
    rows = _among(viewer, one, region, span)
    if side == "numerator":
        rows = rows.filter(one.part)
    if after:
        at, row = read_cursor(after, lambda d, i: (datetime.fromisoformat(d), int(i)))
        rows = rows.filter(Q(reported_at__lt=at) | Q(reported_at=at, id__lt=row))
    return page_of(rows.order_by("-reported_at", "-id"), limit, lambda c: cursor_of(c.reported_at, c.id))
