"""The only writes of this room: one verb = one transaction = rows and a fact on the chain ``org``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import chinese_calendar
import shapely
from django.db import connection

from gridloop.journal.actions import append, elevated, verb
from gridloop.kernel import clock, geo
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import rules
from gridloop.orgs.desk import need_own
from gridloop.orgs.loading import Loaded, Progress, load_rows
from gridloop.orgs.messages import AssignmentRow, CalendarDayRow, OrgRow, RegionRow, ShiftRow, WorkingHoursRow
from gridloop.orgs.models import Assignment, CalendarDay, Level, Region, Shift, Unit
from gridloop.orgs.selectors import calendar_for, staff_briefs
from gridloop.orgs.tables import targets, touch

CHAIN = "org"


def load(
    viewer: Viewer, records: Iterable[OrgRow], *, strict: bool = True, progress: Progress | None = None, dry_run: bool = False
) -> Loaded:
    """Merge records of ``messages`` in bulk, in transactions of at most two seconds; needs ``org.edit``.

    Order them so that what is named comes first: departments, regions (parents first), units, posts, duties, staff,
    assignments, shifts. A record whose natural key is there already is updated. ``strict=False`` collects rejects.
    """
    return load_rows(viewer, "org.edit", targets(), records, strict=strict, progress=progress, dry_run=dry_run)


# --- dated history of regions --------------------------------------------------------------------------------------------


def _day(viewer: Viewer, day: date | None) -> date:
    return day or calendar_for(viewer).local(clock.now()).date()


def _region_day(viewer: Viewer, day: date | None) -> date:
    """Today, or a day before; later ones are refused, because readers take the newest version for the one in force."""
    today = _day(viewer, None)
    if day is not None and day > today:
        fault = FieldFault("/day", "orgs.region_day_ahead", {"day": day.isoformat()})
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    return day or today


def _checked(row: RegionRow) -> RegionRow:
    levels = dict(Level.objects.values_list("code", "digits"))
    if fault := rules.region_fault(row, levels):
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    return replace(row, parent_code=row.parent_code or rules.parent_of(row.code, levels.values()))


def _open(row: RegionRow, day: date) -> Region:
    """A new version from the day on; there must be none now."""
    row = _checked(row)
    if Region.objects.filter(code=row.code, valid_to__isnull=True).exists():
        raise Invalid("orgs.region_exists", errors=(FieldFault("/code", "orgs.region_exists", {"code": row.code}),), code=row.code)
    return Region.objects.create(
        code=row.code,
        name=row.name,
        pinyin=row.pinyin or rules.pinyin(row.name),
        level_id=row.level,
        parent_code=row.parent_code,
        lon=row.lon,
        lat=row.lat,
        boundary=row.boundary,
        households=row.households,
        population=row.population,
        valid_from=day,
    )


def _current(code: str, day: date) -> Region:
    """The current version, locked; a change before it came into force is refused."""
    row = Region.objects.select_for_update().filter(code=code, valid_to__isnull=True).first()
    if row is None:
        raise NotFound("orgs.region_unknown", code=code)
    if day < row.valid_from:
        raise Invalid("orgs.region_day_before", code=code, day=day.isoformat(), since=row.valid_from.isoformat())
    return row


def _close(row: Region, day: date) -> None:
    """End a version; one that never lived a whole day leaves no trace in the maps (the fact tells of it)."""
    if row.valid_from == day:
        row.delete()
    else:
        Region.objects.filter(pk=row.pk).update(valid_to=day)


def _as_row(row: Region) -> RegionRow:
    return RegionRow(
        code=row.code,
        name=row.name,
        level=row.level_id,
        parent_code=row.parent_code,
        lon=row.lon,
        lat=row.lat,
        boundary=bytes(row.boundary) if row.boundary is not None else None,
        households=row.households,
        population=row.population,
    )


def _without_children(code: str) -> None:
    """Codes are prefixes: a region with others below cannot go before they have."""
    count = Region.objects.filter(parent_code=code, valid_to__isnull=True).count()
    if count:
        raise Invalid("orgs.region_has_children", code=code, count=count)


@verb("org.edit")
def create_region(viewer: Viewer, row: RegionRow, day: date | None = None) -> str:
    """A new region from the day on (today when none is given); returns its code."""
    need_own(viewer, "org.edit", row.code)
    day = _region_day(viewer, day)
    _open(row, day)
    touch("regions")
    append(CHAIN, "region_created", {"code": row.code, "level": row.level, "day": day.isoformat()}, viewer)
    return row.code


@verb("org.edit")
def rename_region(viewer: Viewer, code: str, name: str, day: date | None = None) -> None:
    """A new name from the day on; the map of the days before keeps the old one."""
    need_own(viewer, "org.edit", code)
    day = _region_day(viewer, day)
    old = _current(code, day)
    row = replace(_as_row(old), name=name.strip())
    _close(old, day)
    _open(row, day)
    touch("regions")
    append(CHAIN, "region_renamed", {"code": code, "day": day.isoformat()}, viewer)


@verb("org.edit")
def set_boundary(viewer: Viewer, code: str, boundary: bytes, day: date | None = None) -> None:
    """A new outline (WKB) from the day on; the label point follows it."""
    need_own(viewer, "org.edit", code)
    day = _region_day(viewer, day)
    old = _current(code, day)
    lon, lat = geo.inner_point(geo.from_wkb(boundary))
    row = replace(_as_row(old), boundary=boundary, lon=lon, lat=lat)
    _close(old, day)
    _open(row, day)
    touch("regions")
    append(CHAIN, "region_redrawn", {"code": code, "day": day.isoformat()}, viewer)


@verb("org.edit")
def split_region(viewer: Viewer, code: str, parts: Sequence[RegionRow], day: date | None = None) -> list[str]:
    """Replace a region without others below by two or more; one part may keep the code. Returns the codes."""
    for each in (code, *(part.code for part in parts)):
        need_own(viewer, "org.edit", each)
    day = _region_day(viewer, day)
    if len(parts) < 2:
        raise Invalid("orgs.region_needs_two")
    old = _current(code, day)
    _without_children(code)
    _close(old, day)
    codes = [_open(part, day).code for part in parts]
    touch("regions")
    append(CHAIN, "region_split", {"code": code, "into": codes, "day": day.isoformat()}, viewer)
    return codes


@verb("org.edit")
def merge_regions(viewer: Viewer, codes: Sequence[str], into: RegionRow, day: date | None = None) -> str:
    """Join two or more regions without others below; ``into`` may take one of their codes.

    What ``into`` leaves out is made of the parts: outline joined, households and population added. Returns its code.
    """
    for each in (*codes, into.code):
        need_own(viewer, "org.edit", each)
    day = _region_day(viewer, day)
    if len(set(codes)) < 2:
        raise Invalid("orgs.region_needs_two")
    old = [_current(code, day) for code in sorted(set(codes))]
    for row in old:
        _without_children(row.code)
    merged = _joined(into, old)
    for row in old:
        _close(row, day)
    _open(merged, day)
    touch("regions")
    append(CHAIN, "region_merged", {"codes": [r.code for r in old], "into": into.code, "day": day.isoformat()}, viewer)
    return into.code


def _joined(into: RegionRow, old: Sequence[Region]) -> RegionRow:
    if into.boundary is None and all(row.boundary is not None for row in old):
        area = shapely.union_all([geo.from_wkb(row.boundary) for row in old if row.boundary is not None])
        lon, lat = geo.inner_point(area)
        into = replace(into, boundary=geo.to_wkb(area), lon=lon, lat=lat)
    counts: dict[str, Any] = {}
    for name in ("households", "population"):
        known = [getattr(row, name) for row in old if getattr(row, name) is not None]
        if getattr(into, name) is None and known:
            counts[name] = sum(known)
    return replace(into, **counts)


# --- people: teams, roster, positions --------------------------------------------------------------------------------------


@verb("org.edit")
def assign(viewer: Viewer, row: AssignmentRow) -> None:
    """Put a staff member into a grid team or post from a day on."""
    need_own(viewer, "org.edit", row.region_code)
    load_rows(viewer, "org.edit", targets(), [row])
    append(CHAIN, "staff_assigned", {"staff": row.staff, "region": row.region_code, "role": row.role}, viewer)


@verb("org.edit")
def end_assignment(viewer: Viewer, staff: str, region_code: str, role: str, day: date | None = None) -> None:
    """The staff member leaves the team on the day; NotFound when there is no such current assignment."""
    need_own(viewer, "org.edit", region_code)
    day = _day(viewer, day)
    ended = Assignment.objects.filter(staff__code=staff, region_code=region_code, role=role, valid_to__isnull=True).update(valid_to=day)
    if not ended:
        raise NotFound("orgs.row_unknown_ref", field="assignment", value=f"{staff} {region_code} {role}")
    append(CHAIN, "assignment_ended", {"staff": staff, "region": region_code, "role": role, "day": day.isoformat()}, viewer)


@verb("org.edit")
def set_roster(viewer: Viewer, unit: str, start: datetime, end: datetime, shifts: Sequence[ShiftRow]) -> int:
    """Replace the unit's shifts that begin from ``start`` (included) to ``end`` (excluded); returns how many there are now."""
    found = Unit.objects.select_for_update().filter(code=unit).first()
    if found is None:
        raise NotFound("orgs.unit_unknown", unit=unit)
    need_own(viewer, "org.edit", found.region_code, (found.pk,))
    for number, shift in enumerate(shifts):
        if shift.unit != unit:
            raise Invalid(
                "orgs.shift_other_unit", errors=(FieldFault(f"/{number}/unit", "orgs.shift_other_unit", {"unit": shift.unit}),), unit=unit
            )
        if not start <= shift.starts_at < end:
            raise Invalid("orgs.shift_outside", errors=(FieldFault(f"/{number}/starts_at", "orgs.shift_outside"),))
    Shift.objects.filter(unit=found, starts_at__gte=start, starts_at__lt=end).delete()
    load_rows(viewer, "org.edit", targets(), shifts)
    append(CHAIN, "roster_set", {"unit": unit, "from": start.isoformat(), "to": end.isoformat(), "shifts": len(shifts)}, viewer)
    return len(shifts)


@verb("positions.write")
def move_staff(viewer: Viewer, positions: Sequence[tuple[int, float, float, datetime]]) -> int:
    """Last known positions ``(staff id, lon, lat, at)``; an older one than the known changes nothing.

    No fact: positions are readings, kept by the signal log when they matter. A person moves only oneself, whatever token is used;
    a platform's account (nobody's own) moves whom it names inside its grants. A time to come
    counts as now: it would refuse every later position.
    """
    now = clock.now()
    own = [p for p in positions if viewer.system or viewer.staff_id in (None, p[0])]
    own = [(staff, lon, lat, min(at, now)) for staff, lon, lat, at in own if rules.place_fault(lon, lat) is None]
    if viewer.staff_id is None and not viewer.system:
        known = staff_briefs(viewer, {p[0] for p in own})
        reached = {s.id for s in known.values() if viewer.may("positions.write", s.region_code, (s.unit_id,))}
        own = [p for p in own if p[0] in reached]
    with elevated(), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE orgs_staff SET lon = %s, lat = %s, position_at = %s WHERE id = %s AND (position_at IS NULL OR position_at < %s)",
            [(lon, lat, at, staff, at) for staff, lon, lat, at in own],
        )
    return len(own)


# --- calendar -------------------------------------------------------------------------------------------------------------


@verb("org.edit")
def edit_calendar(viewer: Viewer, days: Sequence[CalendarDayRow] = (), remove: Sequence[tuple[date, str]] = ()) -> None:
    """Set holidays and make-up days, or take entries ``(day, region code)`` away; limits made afterwards follow."""
    for region in {*(row.region_code for row in days), *(region_code for _, region_code in remove)}:
        need_own(viewer, "org.edit", region)
    load_rows(viewer, "org.edit", targets(), days)
    for day, region_code in remove:
        CalendarDay.objects.filter(day=day, region_code=region_code).delete()
    touch("calendar")
    changed = sorted({d.day.isoformat() for d in days} | {day.isoformat() for day, _ in remove})
    append(CHAIN, "calendar_edited", {"days": changed[:400]}, viewer)


@verb("org.edit")
def set_working_hours(viewer: Viewer, row: WorkingHoursRow) -> None:
    """Office hours below a region from a day on."""
    need_own(viewer, "org.edit", row.region_code)
    load_rows(viewer, "org.edit", targets(), [row])
    append(CHAIN, "working_hours_set", {"region": row.region_code, "from": row.valid_from.isoformat()}, viewer)


@verb("org.edit")
def seed_calendar(viewer: Viewer, first: int, last: int) -> int:
    """Enter the published holidays of the years; days entered by hand stay. Returns how many are new.

    Invalid ``orgs.calendar_unknown_year`` for a year that the table does not know.
    """
    need_own(viewer, "org.edit", "")
    rows = holiday_rows(first, last)
    kept = set(CalendarDay.objects.filter(region_code="", day__year__range=(first, last)).values_list("day", flat=True))
    new = [row for row in rows if row.day not in kept]
    load_rows(viewer, "org.edit", targets(), new)
    append(CHAIN, "calendar_seeded", {"first": first, "last": last, "days": len(new)}, viewer)
    return len(new)


def holiday_rows(first: int, last: int) -> list[CalendarDayRow]:
    """Holidays and make-up days of the years in the published table."""
    known = {day.year for day in chinese_calendar.holidays}
    for year in range(first, last + 1):
        if year not in known:
            raise Invalid("orgs.calendar_unknown_year", year=year, first=min(known), last=max(known))
    tables = (("holiday", chinese_calendar.holidays), ("makeup", chinese_calendar.workdays))
    return [
        CalendarDayRow(day, kind, chinese_calendar.Holiday(name).chinese)
        for kind, days in tables
        for day, name in sorted(days.items())
        if first <= day.year <= last
    ]
