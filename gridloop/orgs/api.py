"""Thin HTTP of organisation and territory. This room lies below ``access``: the root API puts its log-in before this router."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router
from ninja.errors import AuthenticationError

from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import actions, schemas, selectors
from gridloop.orgs.briefs import RegionBrief
from gridloop.orgs.messages import CalendarDayRow, ShiftRow

router = Router(tags=["organisation"])


def _caller(request: HttpRequest) -> Viewer:
    """Whoever has logged in."""
    viewer: Viewer | None = getattr(request, "viewer", None)
    if viewer is None:
        raise AuthenticationError
    return viewer


def _need(request: HttpRequest, permission: str) -> Viewer:
    """The caller, who must hold the permission, seeing no further than the grants that give it."""
    viewer = _caller(request)
    if not viewer.can(permission):
        raise Forbidden("journal.forbidden", permission=permission)
    return viewer.within(permission)


# --- shapes ----------------------------------------------------------------------------------------------------------------


def _region(viewer: Viewer, briefs: Iterable[RegionBrief]) -> list[dict[str, Any]]:
    rows = list(briefs)
    names = {level.code: level.name_en if viewer.lang == "en" else level.name_zh for level in selectors.levels(viewer)}
    below = selectors.child_counts(viewer, [r.code for r in rows])
    return [
        {
            "code": r.code,
            "name": r.name,
            "level": r.level,
            "level_name": names.get(r.level, r.level),
            "parent": r.parent_code or None,
            "children": below.get(r.code, 0),
            "lon": r.lon,
            "lat": r.lat,
            "households": r.households,
            "population": r.population,
        }
        for r in rows
    ]


# --- territory -------------------------------------------------------------------------------------------------------------


@router.get("/levels", response=schemas.LevelList, summary="The levels of territory, widest first")
def levels(request: HttpRequest) -> dict[str, Any]:
    return {"items": selectors.levels(_need(request, "org.read"))}


@router.get("/regions", response=schemas.RegionPage, summary="Current regions by code")
def regions(request: HttpRequest, query: Query[schemas.RegionQuery]) -> dict[str, Any]:
    viewer = _need(request, "org.read")
    page = selectors.regions(
        viewer, q=query.q, level=query.level, parent=query.parent, region=query.region, limit=query.limit, after=query.after
    )
    return {"items": _region(viewer, page.items), "next": page.next}


@router.get("/regions/at", response=schemas.RegionAtOut, summary="Which region a point lies in, or the nearest one")
def region_at(request: HttpRequest, query: Query[schemas.PointQuery]) -> Any:
    return selectors.place_of(_caller(request), query.lon, query.lat)


@router.get("/regions/{code}", response=schemas.RegionDetail, summary="One region with what lies above, below and its outline")
def region(request: HttpRequest, code: str) -> dict[str, Any]:
    viewer = _need(request, "org.read")
    view = selectors.region(viewer, code[:24].replace("\x00", ""))
    shown = _region(viewer, [view.region, *view.ancestors, *view.children])
    above = 1 + len(view.ancestors)
    return {**shown[0], "full_name": view.full_name, "ancestors": shown[1:above], "below": shown[above:], "boundary": view.boundary}


@router.post("/regions/{code}/rename", response={204: None}, summary="A new name from a day on; older maps keep the old one")
def rename(request: HttpRequest, code: str, body: schemas.RenameIn) -> tuple[int, None]:
    actions.rename_region(_need(request, "org.edit"), code[:24].replace("\x00", ""), body.name, body.day)
    return 204, None


# --- roster and positions (units and staff are shown by the registry, which may mask) ------------------------------------


@router.post("/units/{int:unit_id}/roster", response=schemas.CountOut, summary="Replace the shifts of a period")
def roster(request: HttpRequest, unit_id: int, body: schemas.RosterIn) -> dict[str, int]:
    viewer = _need(request, "org.edit")
    unit = selectors.unit(viewer, unit_id)
    shifts = [ShiftRow(unit.code, s.staff, _aware(s.starts_at), _aware(s.ends_at), s.role) for s in body.shifts]
    return {"count": actions.set_roster(viewer, unit.code, _aware(body.start), _aware(body.end), shifts)}


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@router.post("/positions", response=schemas.CountOut, summary="Where staff are; without a staff id, the caller")
def positions(request: HttpRequest, body: list[schemas.PositionIn]) -> dict[str, int]:
    viewer = _need(request, "positions.write")
    now = clock.now()
    rows = [(p.staff if p.staff is not None else viewer.staff_id, p.lon, p.lat, _aware(p.at) if p.at else now) for p in body[:1000]]
    known = [(staff_id, lon, lat, at) for staff_id, lon, lat, at in rows if staff_id is not None]
    return {"count": actions.move_staff(viewer, known)}


# --- calendar --------------------------------------------------------------------------------------------------------------


@router.get("/calendar", response=schemas.CalendarOut, summary="Holidays and make-up days of a year")
def calendar(request: HttpRequest, year: int) -> dict[str, Any]:
    days = selectors.calendar_days(_need(request, "org.read"), max(1, min(year, 9999)))
    return {"items": [{"day": d.day, "kind": d.kind, "name": d.name, "region": d.region_code} for d in days]}


@router.post("/calendar", response={204: None}, summary="Set or remove holidays and make-up days")
def edit_calendar(request: HttpRequest, body: schemas.CalendarIn) -> tuple[int, None]:
    days = [CalendarDayRow(d.day, d.kind, d.name, d.region) for d in body.set]
    actions.edit_calendar(_need(request, "org.edit"), days, [(d.day, d.region) for d in body.remove])
    return 204, None
