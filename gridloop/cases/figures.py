"""Counts over the cases a viewer may see, for cockpit and indicators. What each one means: docs/reference/cockpit.md."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, F, Min, Q, QuerySet
from django.db.models.functions import Substr

from gridloop.cases.models import Case
from gridloop.cases.rules import END_STATUSES
from gridloop.cases.selectors import CaseFilter, case_page, in_scope
from gridloop.journal.selectors import reading
from gridloop.kernel.viewer import Viewer

GONE = ("voided", "rejected")
MOST_GRIDS = 2_000


def _within(viewer: Viewer, region: str) -> QuerySet[Case]:
    rows = in_scope(viewer).order_by()
    return rows.filter(region__startswith=region) if region else rows


def _open(rows: QuerySet[Case]) -> QuerySet[Case]:
    return rows.exclude(status__in=END_STATUSES)


def _late(now: datetime) -> Q:
    return Q(stage_due_at__lt=now) | Q(due_at__lt=now)


@reading
def of_today(viewer: Viewer, region: str, midnight: datetime) -> dict[str, Any]:
    """Reported and closed since midnight, on-time share, mean seconds to close."""
    rows = _within(viewer, region)
    closed = rows.filter(status="closed", closed_at__gte=midnight).aggregate(
        n=Count("id"),
        on_time=Count("id", filter=Q(due_at__isnull=True) | Q(closed_at__lte=F("due_at"))),
        mean=Avg(F("closed_at") - F("reported_at")),
    )
    return {
        "reported": rows.filter(reported_at__gte=midnight).exclude(status__in=GONE).count(),
        "closed": closed["n"],
        "on_time_share": round(closed["on_time"] / closed["n"], 4) if closed["n"] else None,
        "average_close_seconds": round(closed["mean"].total_seconds()) if closed["mean"] is not None else None,
    }


@reading
def in_hand(viewer: Viewer, region: str, now: datetime) -> dict[str, Any]:
    """Open cases: all, waiting for the desk, overdue, by severity."""
    rows = _open(_within(viewer, region))
    total = rows.aggregate(n=Count("id"), waiting=Count("id", filter=Q(desk_waits=True)), late=Count("id", filter=_late(now)))
    severity = {str(s): 0 for s in range(1, 5)}
    severity |= {str(r["severity"]): r["n"] for r in rows.values("severity").annotate(n=Count("id"))}
    return {"in_hand": total["n"], "waiting": total["waiting"], "overdue": total["late"], "severity": severity}


@reading
def satisfaction(viewer: Viewer, region: str, since: datetime) -> dict[str, Any]:
    """Stars of cases closed since then: the reporters' mean, how many cases, share of four and more; the centre's mean beside it."""
    found = (
        _within(viewer, region)
        .filter(closed_at__gte=since)
        .aggregate(mean=Avg("stars"), n=Count("stars"), good=Count("id", filter=Q(stars__gte=4)), centre=Avg("centre_stars"))
    )
    return {
        "average": round(found["mean"], 2) if found["mean"] is not None else None,
        "count": found["n"],
        "good_share": round(found["good"] / found["n"], 4) if found["n"] else None,
        "centre_average": round(found["centre"], 2) if found["centre"] is not None else None,
    }


@reading
def by_type(viewer: Viewer, region: str, midnight: datetime, most: int = 8) -> list[dict[str, Any]]:
    """Open cases per type, most first, with how many of the type came in since midnight."""
    open_rows = Q(closed_at__isnull=True) & ~Q(status__in=END_STATUSES)
    came = Q(reported_at__gte=midnight) & ~Q(status__in=GONE)
    rows = _within(viewer, region).filter(open_rows | came).values("type")
    found = rows.annotate(open=Count("id", filter=open_rows), today=Count("id", filter=came))
    return [{"type": r["type"], "in_hand": r["open"], "today": r["today"]} for r in found.order_by("-open", "type")[:most]]


@reading
def by_region(viewer: Viewer, region: str, digits: int, midnight: datetime, now: datetime) -> dict[str, dict[str, int]]:
    """Open, overdue and closed today by the first ``digits`` of the region code."""
    is_open = ~Q(status__in=END_STATUSES)
    rows = _within(viewer, region).filter(is_open | Q(closed_at__gte=midnight)).annotate(part=Substr("region", 1, digits)).values("part")
    found = rows.annotate(
        open=Count("id", filter=is_open),
        late=Count("id", filter=is_open & _late(now)),
        closed=Count("id", filter=Q(status="closed", closed_at__gte=midnight)),
    )
    return {r["part"]: {"in_hand": r["open"], "overdue": r["late"], "closed_today": r["closed"]} for r in found}


@reading
def by_hour(viewer: Viewer, region: str, first_hour: datetime, now: datetime) -> list[dict[str, Any]]:
    """24 hours from ``first_hour``: reported and closed in each, as ``of_today`` counts them."""
    counts: dict[str, dict[datetime, int]] = {}
    rows = _within(viewer, region)
    with connection.cursor() as cursor:
        for column, counted in (("reported_at", rows.exclude(status__in=GONE)), ("closed_at", rows.filter(status="closed"))):
            sql, params = counted.filter(**{f"{column}__gte": first_hour, f"{column}__lte": now}).values(column).query.sql_with_params()
            cursor.execute(f"SELECT date_trunc('hour', {column}) AS h, count(*) FROM ({sql}) AS c GROUP BY h", params)
            counts[column] = dict(cursor.fetchall())
    hours = [first_hour + timedelta(hours=i) for i in range(24)]
    return [{"hour": h, "reported": counts["reported_at"].get(h, 0), "closed": counts["closed_at"].get(h, 0)} for h in hours]


@reading
def by_grid(viewer: Viewer, region: str, digits: int = 15) -> list[dict[str, Any]]:
    """Open cases per grid with the worst severity, most first."""
    rows = _open(_within(viewer, region)).annotate(part=Substr("region", 1, digits)).values("part")
    found = rows.annotate(n=Count("id"), worst=Min("severity")).order_by("-n", "part")[:MOST_GRIDS]
    return [{"code": r["part"], "count": r["n"], "worst": r["worst"]} for r in found if len(r["part"]) == digits]


@reading
def worst_overdue(viewer: Viewer, region: str, now: datetime, most: int = 8) -> list[Case]:
    """Open and past their limit: worst severity first, then longest past it."""
    return list(_open(_within(viewer, region)).filter(_late(now)).order_by("severity", "stage_due_at", "id")[:most])


@reading
def newest(viewer: Viewer, region: str, most: int = 7) -> list[Case]:
    return case_page(viewer, CaseFilter(region=region), most)[0]


_TAKEN = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM t.done_at - t.accepted_at)),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.closed_at - c.reported_at))
FROM cases_case c JOIN flow_task t ON t.case_code = c.code
WHERE c.type = %s AND c.closed_at > %s AND t.stage = 'handle' AND t.outcome = 'submit' AND t.accepted_at IS NOT NULL
"""


@reading
def taken_by(viewer: Viewer, case_type: str, since: datetime) -> tuple[int, float | None, float | None]:
    """Of a type's cases closed since: results handed in, and the middle of how long one took from its acceptance, and a case in all; s."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, [case_type, since])
        count, work, whole = cursor.fetchone()
    return int(count), work, whole
