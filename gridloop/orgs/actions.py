"""The only writes of this room: one verb = one transaction = rows and a fact on the chain ``org``.

Loading, positions and the calendar stand here; territory in ``redrawing``, units and people in ``staffing``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import chinese_calendar
from django.db import connection

from gridloop.journal.actions import append, elevated, verb
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import rules
from gridloop.orgs.desk import need_own
from gridloop.orgs.loading import Loaded, Progress, load_rows
from gridloop.orgs.messages import CalendarDayRow, OrgRow, WorkingHoursRow
from gridloop.orgs.models import CalendarDay
from gridloop.orgs.redrawing import CHAIN, create_region, merge_regions, rename_region, retire_region, set_boundary, split_region
from gridloop.orgs.rostering import set_roster
from gridloop.orgs.selectors import staff_briefs
from gridloop.orgs.staffing import (
    add_staff,
    add_unit,
    assign,
    change_staff,
    change_unit,
    end_assignment,
    end_duty,
    give_duty,
    set_staff_active,
    set_unit_active,
)
from gridloop.orgs.tables import targets, touch

__all__ = [
    "add_staff",
    "add_unit",
    "assign",
    "change_staff",
    "change_unit",
    "create_region",
    "edit_calendar",
    "end_assignment",
    "end_duty",
    "give_duty",
    "holiday_rows",
    "load",
    "merge_regions",
    "move_staff",
    "rename_region",
    "retire_region",
    "seed_calendar",
    "set_boundary",
    "set_roster",
    "set_staff_active",
    "set_unit_active",
    "set_working_hours",
    "split_region",
]


def load(
    viewer: Viewer, records: Iterable[OrgRow], *, strict: bool = True, progress: Progress | None = None, dry_run: bool = False
) -> Loaded:
    """Merge records of ``messages`` in bulk, in transactions of at most two seconds; needs ``org.edit``.

    Order them so that what is named comes first: departments, regions (parents first), units, posts, duties, staff,
    assignments, shifts. A record whose natural key is there already is updated. ``strict=False`` collects rejects.
    """
    return load_rows(viewer, "org.edit", targets(), records, strict=strict, progress=progress, dry_run=dry_run)


# --- positions ---------------------------------------------------------------------------------------------------------


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
