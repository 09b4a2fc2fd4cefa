"""The cockpit of one scope: numbers of cases, people and devices put together (docs/reference/cockpit.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gridloop.cases import figures
from gridloop.cases import indicators as shares
from gridloop.cases.indicators import Side, Span
from gridloop.cases.models import Case
from gridloop.cases.present import case_items
from gridloop.cases.types import type_name
from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import desk
from gridloop.orgs import selectors as orgs
from gridloop.registry import selectors as registry

MOST_CHILDREN = 12
RATED_WITHIN = timedelta(days=30)
INDICATORS_OVER = timedelta(days=30)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def _scope(viewer: Viewer, wanted: str) -> str:
    """The region the cockpit shows: the one asked for when it lies inside the viewer's, else the viewer's widest."""
    own = [r for r in viewer.regions if r]
    if wanted:
        if own and "" not in viewer.regions and not any(wanted.startswith(r) for r in own):
            raise NotFound("orgs.region_unknown", code=wanted)
        return wanted
    return min(own, key=len) if own else desk.top_region(SYSTEM)


@reading
def cockpit(viewer: Viewer, wanted: str = "") -> dict[str, Any]:
    """All numbers of one screen, in one transaction, so that they agree with each other."""
    region = _scope(viewer, wanted)
    view = orgs.region(viewer, region)
    now = clock.now()
    local = orgs.calendar_for(SYSTEM, region).local(now)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    first_hour = (now - timedelta(hours=23)).replace(minute=0, second=0, microsecond=0)
    return {
        "at": now,
        "region": {"code": region, "name": view.region.name},
        "today": figures.of_today(viewer, region, midnight),
        "now": figures.in_hand(viewer, region, now),
        "satisfaction": figures.satisfaction(viewer, region, now - RATED_WITHIN),
        "by_type": [{**t, "name": type_name(t["type"], viewer.lang)} for t in figures.by_type(viewer, region, midnight)],
        "by_region": _children(viewer, region, view.children, midnight, now),
        "hours": figures.by_hour(viewer, region, first_hour, now),
        "grids": figures.by_grid(viewer, region),
        "overdue": _overdue(figures.worst_overdue(viewer, region, now)),
        "latest": [_latest(viewer, row) for row in figures.newest(viewer, region)],
        "force": _force(viewer, region, now),
    }


def _children(viewer: Viewer, region: str, children: Sequence[Any], midnight: datetime, now: datetime) -> list[dict[str, Any]]:
    if not children:
        return []
    digits = len(children[0].code)
    counts = figures.by_region(viewer, region, digits, midnight, now)
    empty = {"in_hand": 0, "overdue": 0, "closed_today": 0}
    rows = [{"code": c.code, "name": c.name, **counts.get(c.code, empty)} for c in children]
    return sorted(rows, key=lambda r: (-r["in_hand"], r["code"]))[:MOST_CHILDREN]


def _overdue(rows: Sequence[Case]) -> list[dict[str, Any]]:
    names = orgs.unit_names(SYSTEM, [r.lead_unit_id for r in rows if r.lead_unit_id is not None])
    return [
        {
            "code": r.code,
            "title": r.title,
            "severity": r.severity,
            "due_at": r.stage_due_at or r.due_at,
            "unit": names.get(r.lead_unit_id) if r.lead_unit_id is not None else None,
        }
        for r in rows
    ]


def _latest(viewer: Viewer, row: Case) -> dict[str, Any]:
    return {
        "code": row.code,
        "title": row.title,
        "severity": row.severity,
        "status": row.status,
        "status_name": say(f"cases.status_{row.status}", viewer.lang),
        "at": row.reported_at,
        "source": row.source,
    }


def _force(viewer: Viewer, region: str, now: datetime) -> dict[str, int]:
    on_duty, staff = desk.force_counts(SYSTEM, region, now)
    devices = registry.device_counts(viewer, region=region)
    return {"on_duty": on_duty, "staff": staff, "devices_online": devices.get("online", 0), "devices": sum(devices.values())}


def _span(since: datetime | None, until: datetime | None) -> Span:
    """The last 30 days where nothing else is said."""
    end = until or clock.now()
    start = since or max(end, EARLIEST) - INDICATORS_OVER
    if start >= end:
        raise Invalid("cases.bad_span", errors=(FieldFault("/until", "cases.bad_span"),))
    return start, end


@reading
def indicators(viewer: Viewer, wanted: str = "", since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
    """Every indicator of a scope and a span, in one transaction; what each one is, in the viewer's language."""
    region, span = _scope(viewer, wanted), _span(since, until)
    told = [_told(viewer, *counted) for counted in shares.computed(viewer, region, span)]
    name = orgs.region(viewer, region).region.name
    return {"at": clock.now(), "region": {"code": region, "name": name}, "since": span[0], "until": span[1], "items": told}


def _told(viewer: Viewer, one: shares.Indicator, above: float, below: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.called(viewer.lang),
        "formula": one.says(viewer.lang),
        "unit": "seconds" if one.mean is not None else "share",
        "numerator": above,
        "denominator": below,
        "value": round(above / below, 4) if below else None,
        "scene": {"name": one.scene.name, "title": getattr(one.scene.title, viewer.lang)} if one.scene else None,
    }


@reading
def indicator_cases(
    viewer: Viewer,
    name: str,
    side: Side,
    wanted: str = "",
    span: tuple[datetime | None, datetime | None] = (None, None),
    limit: int = 50,
    after: str = "",
) -> dict[str, Any]:
    """A page of the cases an indicator counts, above or below its line."""
    rows, following = shares.listed(viewer, name, side, _scope(viewer, wanted), _span(*span), limit, after)
    return {"items": case_items(viewer, rows), "next": following}
