"""Thin HTTP of the registry: scoped and masked lists, looks for a purpose, devices; units and staff, whose numbers are masked too."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from gridloop.access.api import need, signed_in
from gridloop.access.rules import mask_phone
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import actions as org_actions
from gridloop.orgs import schemas as org_schemas
from gridloop.orgs import selectors as orgs
from gridloop.orgs.api import day_or_today, staff_code
from gridloop.orgs.briefs import StaffBrief, UnitBrief
from gridloop.orgs.messages import AssignmentRow, StaffRow, UnitRow
from gridloop.registry import actions, report_codes, schemas, scope, selectors
from gridloop.registry.messages import DeviceRow

router = Router(tags=["registry"], auth=signed_in)
CODE = 64  # longest code; a longer one is nobody's


def _code(code: str) -> str:
    return code[:CODE].replace("\x00", "")


def _shown(viewer: Viewer, views: Iterable[Any]) -> list[dict[str, Any]]:
    """Views as the door shows them: the region with its name, the coordinates as one place."""
    rows = [asdict(view) for view in views]
    names = orgs.region_names(viewer, {row["region_code"] for row in rows})
    for row in rows:
        row["region"] = row.pop("region_code")
        row["region_name"] = names.get(row["region"], "")
        if "lon" in row:
            lon, lat = row.pop("lon"), row.pop("lat")
            row["place"] = {"lon": lon, "lat": lat} if lon is not None and lat is not None else None
    return rows


@router.get("/people", response=schemas.PersonPage, summary="People, masked; opened with purpose and reason, which is logged")
def people(request: HttpRequest, query: Query[schemas.PersonQuery]) -> dict[str, Any]:
    viewer = need(request, "people.read")
    page = selectors.people(viewer, **query.model_dump())
    return {"items": _shown(viewer, page.items), "next": page.next}


@router.get("/people/{code}", response=schemas.PersonOut, summary="One person, masked; opened with purpose and reason, which is logged")
def person(request: HttpRequest, code: str, look: Query[schemas.LookQuery]) -> dict[str, Any]:
    viewer = need(request, "people.read")
    return _shown(viewer, [selectors.person(viewer, _code(code), look.purpose, look.reason)])[0]


@router.get("/households/{code}/absences", response=schemas.AbsenceList, summary="When nobody is at home, as the household has told")
def absences(request: HttpRequest, code: str) -> dict[str, Any]:
    return {"items": [one._asdict() for one in selectors.absences(need(request, "people.absence"), _code(code))]}


@router.post("/households/{code}/absences", response={201: schemas.AbsenceOut}, summary="A household tells when nobody is at home")
def record_absence(request: HttpRequest, code: str, body: schemas.AbsenceIn) -> Status[dict[str, Any]]:
    told = actions.record_absence(need(request, "people.absence"), _code(code), body.since, body.till)
    return Status(201, told._asdict())


@router.delete("/households/{code}/absences/{int:number}", response={204: None}, summary="They are back, or do not go")
def end_absence(request: HttpRequest, code: str, number: int) -> Status[None]:
    actions.end_absence(need(request, "people.absence"), _code(code), number)
    return Status(204, None)


@router.get("/houses", response=schemas.HousePage, summary="Houses and flats")
def houses(request: HttpRequest, query: Query[schemas.HouseQuery]) -> dict[str, Any]:
    viewer = need(request, "house.read")
    page = selectors.houses(viewer, **query.model_dump())
    return {"items": _shown(viewer, page.items), "next": page.next}


@router.get(
    "/enterprises", response=schemas.EnterprisePage, summary="Enterprises, contacts masked; opened with purpose and reason, which is logged"
)
def enterprises(request: HttpRequest, query: Query[schemas.ThingQuery]) -> dict[str, Any]:
    viewer = need(request, "enterprise.read")
    page = selectors.enterprises(viewer, **query.model_dump())
    return {"items": _shown(viewer, page.items), "next": page.next}


@router.get(
    "/vehicles",
    response=schemas.VehiclePage,
    summary="Vehicles, plates masked; q is a whole plate; opened with purpose and reason, which is logged",
)
def vehicles(request: HttpRequest, query: Query[schemas.ThingQuery]) -> dict[str, Any]:
    viewer = need(request, "vehicle.read")
    page = selectors.vehicles(viewer, **query.model_dump())
    return {"items": _shown(viewer, page.items), "next": page.next}


@router.get("/places", response=schemas.PlacePage, summary="Key places")
def places(request: HttpRequest, query: Query[schemas.KindQuery]) -> dict[str, Any]:
    viewer = need(request, "house.read")
    page = selectors.places(viewer, **query.model_dump())
    return {"items": _shown(viewer, page.items), "next": page.next}


@router.get(
    "/regions/{code}/report-codes", response=schemas.ReportCodePage, summary="QR codes for citizens: of a territory and of its key places"
)
def region_report_codes(request: HttpRequest, code: str, page: Query[schemas.ReportCodesQuery]) -> dict[str, Any]:
    viewer = need(request, "house.read")
    here = orgs.region(viewer, _code(code))
    found = selectors.places(viewer, region=here.region.code, limit=page.limit, after=page.after)
    base = os.environ.get("GRIDLOOP_PUBLIC_URL", "") or request.build_absolute_uri("/")
    spots = [(p.code, p.name, p.address, p.lon, p.lat) for p in found.items]
    if not page.after:
        spots.insert(0, (here.region.code, here.region.name, here.full_name, here.region.lon, here.region.lat))
    items = []
    for at, name, address, lon, lat in spots:
        if lon is not None and lat is not None:
            url = report_codes.report_url(base, lon, lat, name)  # the shorter, the farther it is read from
            items.append({"code": at, "name": name, "address": address, "url": url, "svg": report_codes.drawn(url)})
    return {"items": items, "next": found.next}


# --- devices -------------------------------------------------------------------------------------------------------------


def _devices(viewer: Viewer, views: Iterable[Any]) -> list[dict[str, Any]]:
    listed = list(views)
    units = orgs.unit_names(viewer, {v.owner_unit_id for v in listed if v.owner_unit_id})
    rows = _shown(viewer, listed)
    for row, view in zip(rows, listed, strict=True):
        owner = view.owner_unit_id
        row["owner_unit"] = {"id": owner, "name": units[owner]} if owner in units else None
        row["key_place"] = {"code": view.place, "name": view.place_name} if view.place else None
        row["subject"] = view.household or view.building or (view.place if isinstance(view.place, str) else None)
    return rows


@router.get("/devices", response=schemas.DevicePage, summary="Devices of one's territory and units, counted by status")
def devices(request: HttpRequest, query: Query[schemas.DeviceQuery]) -> dict[str, Any]:
    viewer = need(request, "device.read")
    page = selectors.devices(viewer, **query.model_dump())
    counts = selectors.device_counts(viewer, q=query.q, region=query.region, kind=query.kind)
    return {"items": _devices(viewer, page.items), "next": page.next, "counts": counts}


@router.get("/devices/map", response=schemas.DeviceMap, summary="Where the devices of the same question stand")
def device_map(request: HttpRequest, query: Query[schemas.DeviceQuery]) -> dict[str, Any]:
    viewer = need(request, "device.read")
    return {"items": selectors.device_points(viewer, q=query.q, region=query.region, kind=query.kind, status=query.status)}


@router.get("/devices/coverage", response=schemas.CoveragePage, summary="Which key places are watched, the unwatched first")
def coverage(request: HttpRequest, query: Query[schemas.CoverageQuery]) -> dict[str, Any]:
    viewer = need(request, "device.read")
    page, counts = selectors.coverage(viewer, **query.model_dump())
    return {"items": _shown(viewer, page.items), "next": page.next, "counts": counts}


@router.get("/devices/trend", response=schemas.DeviceTrend, summary="How the devices stood at the end of each of the last days")
def device_trend(request: HttpRequest, query: Query[schemas.TrendQuery]) -> dict[str, Any]:
    days, worst = selectors.device_trend(need(request, "device.read"), **query.model_dump())
    return {"items": days, "worst": worst}


@router.get("/devices/{code}/health", response=schemas.DeviceHealth, summary="What share of each of the last days a device was online")
def device_health(request: HttpRequest, code: str, query: Query[schemas.DaysQuery]) -> dict[str, Any]:
    return {"items": selectors.device_health(need(request, "device.read"), _code(code), query.days)}


@router.get("/devices/{code}", response=schemas.DeviceOut, summary="One device")
def device(request: HttpRequest, code: str) -> dict[str, Any]:
    viewer = need(request, "device.read")
    return _devices(viewer, [selectors.device(viewer, _code(code))])[0]


@router.put(
    "/devices/{code}", response={200: schemas.DeviceOut, 201: schemas.DeviceOut}, summary="Add a device, or change what is known of it"
)
def save_device(request: HttpRequest, code: str, body: schemas.DeviceIn) -> Status[dict[str, Any]]:
    viewer = need(request, "device.edit")
    row = DeviceRow(
        code=code,
        kind=body.kind,
        region_code="",
        name=body.name.strip(),
        lon=body.place.lon,
        lat=body.place.lat,
        place=body.key_place.strip(),
        coverage=body.coverage,
        interval_seconds=body.interval_seconds,
    )
    new = actions.save_device(viewer, row, body.owner_unit)
    return Status(201 if new else 200, _devices(viewer, [selectors.device(viewer, code)])[0])


@router.post("/devices/{code}/status", response=schemas.DeviceOut, summary="Call a device online, silent, faulty or unproved")
def set_status(request: HttpRequest, code: str, body: schemas.StatusIn) -> dict[str, Any]:
    viewer = need(request, "device.edit")
    actions.set_device_status(viewer, _code(code), body.status)
    return _devices(viewer, [selectors.device(viewer, _code(code))])[0]


@router.delete(
    "/devices/{code}/secret", response=org_schemas.CountOut, summary="The device may not send any more until it gets a new secret"
)
def revoke_secrets(request: HttpRequest, code: str) -> dict[str, int]:
    return {"count": actions.revoke_device_secrets(need(request, "device.edit"), _code(code))}


@router.post("/devices/{code}/secret", response=schemas.SecretOut, summary="A new secret for a device, shown once; older ones end")
def new_secret(request: HttpRequest, code: str) -> dict[str, str]:
    return {"secret": actions.issue_device_secret(need(request, "device.edit"), _code(code))}


# --- units and staff -----------------------------------------------------------------------------------------------------

NO_LOOK = schemas.LookQuery(purpose="", reason="")


def _unit(viewer: Viewer, briefs: Iterable[UnitBrief], look: schemas.LookQuery = NO_LOOK) -> list[dict[str, Any]]:
    rows = list(briefs)
    whole = scope.opened(viewer, "unit", "units", {r.id: (r.region_code, r.id) for r in rows}, look.purpose, look.reason)
    regions = orgs.region_names(viewer, [r.region_code for r in rows])
    departments = orgs.department_names(viewer, viewer.lang)
    return [
        {
            "id": r.id,
            "code": r.code,
            "name": r.name,
            "kind": r.kind,
            "parent": r.parent_id,
            "region": r.region_code,
            "region_name": regions.get(r.region_code, ""),
            "department": r.department,
            "department_name": departments.get(r.department) if r.department else None,
            "presence": r.presence,
            "phone": r.phone if r.id in whole else mask_phone(r.phone),
            "masked": r.id not in whole,
            "active": r.active,
            "post": {"id": r.post_id, "name": r.post_name} if r.post_id else None,
        }
        for r in rows
    ]


def _staff(viewer: Viewer, briefs: Iterable[StaffBrief], look: schemas.LookQuery = NO_LOOK) -> list[dict[str, Any]]:
    rows = list(briefs)
    whole = scope.opened(viewer, "staff", "staff", {r.id: (r.region_code, r.unit_id) for r in rows}, look.purpose, look.reason)
    shifts = orgs.shifts_now(viewer, [r.id for r in rows])
    result = []
    for r in rows:
        shift = shifts.get(r.id)
        result.append(
            {
                "id": r.id,
                "code": r.code,
                "name": r.name,
                "unit": {"id": r.unit_id, "name": r.unit_name},
                "phone": r.phone if r.id in whole else mask_phone(r.phone),
                "masked": r.id not in whole,
                "active": r.active,
                "role": r.role,
                "on_duty": shift is not None,
                "duty": shift.role if shift else None,
                "duty_commander": shift is not None and shift.role == "duty_commander",
                "shift_until": shift.ends_at if shift else None,
            }
        )
    return result


@router.get("/regions/{code}/team", response=schemas.TeamOut, summary="The grid team that answers for a region")
def team(request: HttpRequest, code: str) -> dict[str, Any]:
    viewer = need(request, "org.read")
    found = orgs.grid_team(viewer, _code(code))
    return {"region": found.region_code, "members": _staff(viewer, found.members)}


@router.post(
    "/regions/{code}/team", response={204: None}, summary="Put somebody into the grid team from a day on (today when none is given)"
)
def join_team(request: HttpRequest, code: str, body: org_schemas.TeamIn) -> Status[None]:
    viewer = need(request, "org.edit")
    org_actions.assign(
        viewer, AssignmentRow(staff_code(viewer, body.staff), _code(code), body.role, valid_from=day_or_today(viewer, body.day))
    )
    return Status(204, None)


@router.get(
    "/units",
    response=schemas.UnitPage,
    summary="Units; with duty, type and region the competent ones, most specific first; numbers masked unless opened",
)
def units(request: HttpRequest, query: Query[schemas.UnitQuery]) -> dict[str, Any]:
    viewer = need(request, "org.read")
    if query.duty:
        found = orgs.competent_units(viewer, query.duty, query.type, query.region)
        wanted = [u for u in found if query.q in u.name][: query.limit]
        return {"items": _unit(viewer, wanted, query), "next": None}
    page = orgs.units(
        viewer,
        q=query.q,
        region=query.region,
        kind=query.kind,
        parent=query.parent,
        retired=query.retired,
        limit=query.limit,
        after=query.after,
    )
    return {"items": _unit(viewer, page.items, query), "next": page.next}


@router.post("/units", response={201: org_schemas.MadeOut}, summary="A new unit")
def add_unit(request: HttpRequest, body: org_schemas.UnitIn) -> Status[dict[str, int]]:
    row = UnitRow(body.code.strip(), body.name, body.kind, body.region, body.department, presence=body.presence, phone=body.phone)
    return Status(201, {"id": org_actions.add_unit(need(request, "org.edit"), row, body.parent)})


@router.get("/units/{int:unit_id}/duty", response=schemas.DutyOut, summary="Who answers for a unit now; numbers masked unless opened")
def duty(request: HttpRequest, unit_id: int, look: Query[schemas.LookQuery]) -> dict[str, Any]:
    viewer = need(request, "org.read")
    found = orgs.on_duty(viewer, unit_id)
    people = _staff(viewer, found.staff, look)
    return {
        "unit": found.unit_id,
        "presence": found.presence,
        "source": found.source,
        "commander": next((p for p in people if p["duty_commander"]), None) if found.commander else None,
        "staff": people,
    }


@router.get("/staff", response=schemas.StaffPage, summary="Staff with who is on duty; numbers masked unless opened")
def staff(request: HttpRequest, query: Query[schemas.StaffQuery]) -> dict[str, Any]:
    viewer = need(request, "org.read")
    page = orgs.staff(viewer, q=query.q, region=query.region, unit=query.unit, retired=query.retired, limit=query.limit, after=query.after)
    return {"items": _staff(viewer, page.items, query), "next": page.next}


@router.post("/staff", response={201: org_schemas.MadeOut}, summary="A new person of a unit")
def add_staff(request: HttpRequest, body: org_schemas.StaffIn) -> Status[dict[str, int]]:
    row = StaffRow(body.code.strip(), body.name, "", phone=body.phone, employment=body.employment, skills=tuple(body.skills))
    return Status(201, {"id": org_actions.add_staff(need(request, "org.edit"), row, body.unit)})
