"""Thin HTTP of organisation and territory. This room lies below ``access``: the root API puts its log-in before this router."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status
from ninja.errors import AuthenticationError

from gridloop.kernel import clock, geo
from gridloop.kernel.errors import FieldFault, Forbidden, Invalid
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import actions, lists, schemas, selectors
from gridloop.orgs.briefs import RegionBrief
from gridloop.orgs.messages import CalendarDayRow, DutyRow, RegionRow, ShiftRow

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


def _region(viewer: Viewer, briefs: Iterable[RegionBrief], day: date | None = None) -> list[dict[str, Any]]:
    rows = list(briefs)
    teams = lists.team_sizes(viewer, [r.code for r in rows])
    names = {level.code: level.name_en if viewer.lang == "en" else level.name_zh for level in selectors.levels(viewer)}
    below = selectors.child_counts(viewer, [r.code for r in rows], day)
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
            "team": teams.get(r.code, 0),
        }
        for r in rows
    ]


# --- territory -------------------------------------------------------------------------------------------------------------


@router.get("/levels", response=schemas.LevelList, summary="The levels of territory, widest first")
def levels(request: HttpRequest) -> dict[str, Any]:
    return {"items": selectors.levels(_need(request, "org.read"))}


@router.get("/regions", response=schemas.RegionPage, summary="Regions by code, today's or a day's")
def regions(request: HttpRequest, query: Query[schemas.RegionQuery]) -> dict[str, Any]:
    viewer = _need(request, "org.read")
    page = selectors.regions(
        viewer, q=query.q, level=query.level, parent=query.parent, region=query.region, limit=query.limit, after=query.after, day=query.at
    )
    return {"items": _region(viewer, page.items, query.at), "next": page.next}


@router.get("/regions/at", response=schemas.RegionAtOut, summary="Which region a point lies in, or the nearest one")
def region_at(request: HttpRequest, query: Query[schemas.PointQuery]) -> Any:
    return selectors.place_of(_caller(request), query.lon, query.lat)


@router.post("/regions/merge", response=schemas.CodeList, summary="Join regions without others below into one")
def merge(request: HttpRequest, body: schemas.RegionMergeIn) -> dict[str, Any]:
    viewer = _need(request, "org.edit")
    level = selectors.region(viewer, body.codes[0]).region.level if body.codes else ""
    return {"codes": [actions.merge_regions(viewer, body.codes, _row(body.into, level), body.day)]}


@router.get("/regions/{code}", response=schemas.RegionDetail, summary="One region with what lies above, below and its outline")
def region(request: HttpRequest, code: str, query: Query[schemas.AtQuery]) -> dict[str, Any]:
    viewer = _need(request, "org.read")
    view = selectors.region(viewer, _code(code), query.at)
    shown = _region(viewer, [view.region, *view.ancestors, *view.children], query.at)
    above = 1 + len(view.ancestors)
    return {**shown[0], "full_name": view.full_name, "ancestors": shown[1:above], "below": shown[above:], "boundary": view.boundary}


@router.get("/regions/{code}/history", response=schemas.VersionList, summary="Every version of a region, oldest first")
def history(request: HttpRequest, code: str) -> dict[str, Any]:
    versions = selectors.region_history(_need(request, "org.read"), _code(code))
    return {
        "items": [
            {
                "name": v.region.name,
                "households": v.region.households,
                "population": v.region.population,
                "since": v.valid_from,
                "until": v.valid_to,
            }
            for v in versions
        ]
    }


@router.post("/regions", response={201: schemas.CodeList}, summary="A new region from a day on")
def create(request: HttpRequest, body: schemas.RegionIn) -> Status[dict[str, Any]]:
    viewer = _need(request, "org.edit")
    return Status(201, {"codes": [actions.create_region(viewer, _row(body, body.level), body.day)]})


@router.post("/regions/{code}/split", response=schemas.CodeList, summary="Replace a region without others below by its parts")
def split(request: HttpRequest, code: str, body: schemas.SplitIn) -> dict[str, Any]:
    viewer = _need(request, "org.edit")
    level = selectors.region(viewer, _code(code)).region.level
    return {"codes": actions.split_region(viewer, _code(code), [_row(part, level) for part in body.parts], body.day, body.cut)}


@router.post("/regions/{code}/boundary", response={204: None}, summary="A new outline from a day on")
def redraw(request: HttpRequest, code: str, body: schemas.BoundaryIn) -> Status[None]:
    actions.set_boundary(_need(request, "org.edit"), _code(code), _outline(body.boundary), body.day)
    return Status(204, None)


@router.post("/regions/{code}/rename", response={204: None}, summary="A new name from a day on; older maps keep the old one")
def rename(request: HttpRequest, code: str, body: schemas.RenameIn) -> Status[None]:
    actions.rename_region(_need(request, "org.edit"), _code(code), body.name, body.day)
    return Status(204, None)


@router.post("/regions/{code}/retire", response={204: None}, summary="A region that is no more from a day on")
def retire(request: HttpRequest, code: str, body: schemas.DayIn) -> Status[None]:
    actions.retire_region(_need(request, "org.edit"), _code(code), body.day)
    return Status(204, None)


def _code(code: str) -> str:
    return code[:24].replace("\x00", "")


def _outline(boundary: dict[str, Any]) -> bytes:
    try:
        return geo.to_wkb(geo.geojson_to_area(boundary))
    except ValueError as error:
        fault = FieldFault("/boundary", "orgs.region_outline", {"why": str(error)[:200]})
        raise Invalid(fault.key, errors=(fault,), **fault.params) from error


def _row(part: schemas.PartIn, level: str) -> RegionRow:
    outline = _outline(part.boundary) if part.boundary is not None else None
    return RegionRow(part.code, part.name.strip(), level, boundary=outline, households=part.households, population=part.population)


# --- grid teams ------------------------------------------------------------------------------------------------------------


@router.post("/regions/{code}/team/end", response={204: None}, summary="Somebody leaves the grid team on a day")
def leave_team(request: HttpRequest, code: str, body: schemas.TeamIn) -> Status[None]:
    viewer = _need(request, "org.edit")
    actions.end_assignment(viewer, staff_code(viewer, body.staff), _code(code), body.role, body.day)
    return Status(204, None)


def staff_code(viewer: Viewer, staff_id: int) -> str:
    found = selectors.staff_briefs(viewer, [staff_id])
    if staff_id not in found:
        fault = FieldFault("/staff", "orgs.staff_unknown", {"staff": staff_id})
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    return found[staff_id].code


def day_or_today(viewer: Viewer, day: date | None) -> date:
    return day or selectors.calendar_for(viewer).local(clock.now()).date()


# --- units, people, duties (lists and additions are the registry's, which may mask: an address belongs to one router) -----


@router.get("/departments", response=schemas.DepartmentList, summary="Lines of work by code")
def departments(request: HttpRequest) -> dict[str, Any]:
    viewer = _need(request, "org.read")
    return {"items": [{"code": c, "name": en if viewer.lang == "en" else zh} for c, zh, en in lists.departments(viewer)]}


@router.patch("/units/{int:unit_id}", response={204: None}, summary="Change what is given of a unit")
def change_unit(request: HttpRequest, unit_id: int, body: schemas.UnitChange) -> Status[None]:
    actions.change_unit(_need(request, "org.edit"), unit_id, body.dict(exclude_unset=True))
    return Status(204, None)


@router.patch("/staff/{int:staff_id}", response={204: None}, summary="Change what is given of a person")
def change_staff(request: HttpRequest, staff_id: int, body: schemas.StaffChange) -> Status[None]:
    actions.change_staff(_need(request, "org.edit"), staff_id, body.dict(exclude_unset=True))
    return Status(204, None)


@router.get("/units/{int:unit_id}/duties", response=schemas.UnitDutyList, summary="What a unit is competent for")
def duties(request: HttpRequest, unit_id: int) -> dict[str, Any]:
    viewer = _need(request, "org.read")
    selectors.unit(viewer, unit_id)
    rows = lists.duties_of(viewer, unit_id)
    names = selectors.region_names(viewer, {r.region_code for r in rows})
    return {
        "items": [
            {
                "id": r.id,
                "kind": r.kind,
                "type": r.case_type,
                "region": r.region_code,
                "region_name": names.get(r.region_code, ""),
                "post": r.post_name,
                "hours": r.hours,
                "priority": r.priority,
                "since": r.valid_from,
                "until": r.valid_to,
            }
            for r in rows
        ]
    }


@router.post("/units/{int:unit_id}/duties", response={201: schemas.MadeOut}, summary="Make a unit competent from a day on")
def give_duty(request: HttpRequest, unit_id: int, body: schemas.DutyIn) -> Status[dict[str, int]]:
    viewer = _need(request, "org.edit")
    hours = {"days": body.hours.days, "ranges": [list(pair) for pair in body.hours.ranges]} if body.hours else None
    since = day_or_today(viewer, body.day)
    row = DutyRow(body.kind, "", body.type, body.region, hours=hours, priority=body.priority, valid_from=since)
    return Status(201, {"id": actions.give_duty(viewer, unit_id, row)})


@router.post("/duties/{int:duty_id}/end", response={204: None}, summary="A unit is no longer competent from a day on")
def end_duty(request: HttpRequest, duty_id: int, body: schemas.DayIn) -> Status[None]:
    actions.end_duty(_need(request, "org.edit"), duty_id, body.day)
    return Status(204, None)


# --- roster and positions --------------------------------------------------------------------------------------------------


@router.get("/units/{int:unit_id}/roster", response=schemas.RosterOut, summary="The shifts of a period, at most two months")
def read_roster(request: HttpRequest, unit_id: int, query: Query[schemas.RosterQuery]) -> dict[str, Any]:
    viewer = _need(request, "org.read")
    selectors.unit(viewer, unit_id)
    lines = lists.roster_of(viewer, unit_id, _aware(query.start), _aware(query.end))
    return {
        "items": [
            {
                "staff": {"id": x.staff_id, "name": x.staff_name},
                "staff_code": x.staff_code,
                "role": x.role,
                "starts_at": x.starts_at,
                "ends_at": x.ends_at,
            }
            for x in lines
        ]
    }


@router.post("/units/{int:unit_id}/roster", response=schemas.CountOut, summary="Replace the shifts of a period")
def roster(request: HttpRequest, unit_id: int, body: schemas.RosterIn) -> dict[str, int]:
    viewer = _need(request, "org.edit")
    unit = selectors.unit(viewer, unit_id)

    def rows(shifts: list[schemas.ShiftIn]) -> list[ShiftRow]:
        return [ShiftRow(unit.code, s.staff, _aware(s.starts_at), _aware(s.ends_at), s.role) for s in shifts]

    base = None if body.base is None else rows(body.base)
    return {"count": actions.set_roster(viewer, unit.code, _aware(body.start), _aware(body.end), rows(body.shifts), base)}


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
def edit_calendar(request: HttpRequest, body: schemas.CalendarIn) -> Status[None]:
    days = [CalendarDayRow(d.day, d.kind, d.name, d.region) for d in body.set]
    actions.edit_calendar(_need(request, "org.edit"), days, [(d.day, d.region) for d in body.remove])
    return Status(204, None)
