"""The only reads of this room. Organisation data is no secret among those who work here: rights are checked at the door (``org.read``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q, QuerySet

from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.durations import OFFICE_HOURS, Ranges, WorkingCalendar
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.briefs import GridTeam, NearStaff, OnDuty, Page, ShiftBrief, StaffBrief, UnitBrief
from gridloop.orgs.duties import duty_table, unit_brief, unit_table
from gridloop.orgs.messages import CalendarDayRow
from gridloop.orgs.models import Assignment, CalendarDay, Department, Shift, Staff, Unit, WorkingHours
from gridloop.orgs.rules import DEFAULT_ZONE, TEAM_ROLES, read_ranges
from gridloop.orgs.territory import (
    VERSIONS,
    RegionNames,
    child_counts,
    forget_regions,
    levels,
    nearest_region,
    note_versions,
    number_after,
    page_limit,
    place_of,
    region,
    region_at,
    region_history,
    region_names,
    region_table,
    regions,
    regions_at,
    regions_on,
    table_version,
    turn,
    unknown_regions,
)

__all__ = [
    "VERSIONS",
    "RegionNames",
    "calendar_days",
    "calendar_for",
    "child_counts",
    "competent_units",
    "department_names",
    "duty_table",
    "forget_regions",
    "grid_team",
    "levels",
    "nearest_region",
    "nearest_staff",
    "note_versions",
    "number_after",
    "on_duty",
    "page_limit",
    "place_of",
    "region",
    "region_at",
    "region_history",
    "region_names",
    "region_table",
    "regions",
    "regions_at",
    "regions_on",
    "shifts_now",
    "staff",
    "staff_briefs",
    "staff_ids_by_code",
    "turn",
    "unit",
    "unit_and_descendants",
    "unit_ids_by_code",
    "unit_names",
    "unit_table",
    "units",
    "unknown_regions",
]

# --- units and duties --------------------------------------------------------------------------------------------------


@reading
def unit(viewer: Viewer, unit_id: int) -> UnitBrief:
    """One unit; NotFound when there is none."""
    row = Unit.objects.filter(pk=unit_id).first()
    if row is None:
        raise NotFound("orgs.unit_unknown", unit=unit_id)
    return unit_brief(row)


@reading
def unit_names(viewer: Viewer, ids: Collection[int]) -> dict[int, str]:
    """Names of many units at once."""
    return dict(Unit.objects.filter(pk__in=set(ids)).values_list("pk", "name"))


@reading
def department_names(viewer: Viewer, lang: str = "zh") -> dict[str, str]:
    """Names of all departments by code."""
    return dict(Department.objects.values_list("code", "name_en" if lang == "en" else "name_zh"))


@reading
def unit_ids_by_code(viewer: Viewer, codes: Collection[str]) -> dict[str, int]:
    """Ids of units by code; unknown codes are left out."""
    return dict(Unit.objects.filter(code__in=set(codes)).values_list("code", "pk"))


@reading
def unit_and_descendants(viewer: Viewer, unit_id: int) -> list[int]:
    """The unit's id and all below it, itself first; empty when there is no such unit."""
    path = Unit.objects.filter(pk=unit_id).values_list("path", flat=True).first()
    if path is None:
        return []
    return [unit_id, *Unit.objects.filter(path__startswith=f"{path}.").order_by("path").values_list("pk", flat=True)]


@reading
def units(
    viewer: Viewer,
    *,
    q: str = "",
    region: str = "",
    kind: str = "",
    parent: int | None = None,
    retired: bool = False,
    limit: int = 50,
    after: str | None = None,
) -> Page:
    """Units in service (or those out of it) by id; ``q`` is part of the name or the code's beginning, ``region`` a code prefix."""
    where = Q(active=not retired, pk__gt=number_after(after))
    if q:
        where &= Q(name__icontains=q) | Q(code__startswith=q)
    if region:
        where &= Q(region_code__startswith=region)
    if kind:
        where &= Q(kind=kind)
    if parent is not None:
        where &= Q(parent_id=parent)
    size = page_limit(limit)
    rows, following = turn(list(Unit.objects.filter(where).order_by("pk")[: size + 1]), size)
    return Page([unit_brief(r) for r in rows], following)


@reading
def competent_units(viewer: Viewer, duty: str, case_type: str, region_code: str, at: datetime | None = None) -> list[UnitBrief]:
    """Who has the duty there and then, most specific first: longest case type, then longest region, then priority. Each once."""
    at = at or clock.now()
    day = calendar_for(viewer, region_code).local(at).date()
    return duty_table(viewer).holders(duty, case_type, region_code, at, day)


# --- staff, teams, roster ------------------------------------------------------------------------------------------------


def _staff_brief(row: Staff, role: str = "") -> StaffBrief:
    return StaffBrief(
        id=row.pk,
        code=row.code,
        name=row.name,
        unit_id=row.unit_id,
        unit_name=row.unit.name,
        phone=row.phone,
        role=role,
        region_code=row.unit.region_code,
        active=row.active,
    )


def _staff_rows(where: Q) -> QuerySet[Staff]:
    return Staff.objects.filter(where, active=True).select_related("unit")


@reading
def staff(
    viewer: Viewer,
    *,
    q: str = "",
    region: str = "",
    unit: int | None = None,
    retired: bool = False,
    limit: int = 50,
    after: str | None = None,
) -> Page:
    """Active staff (or those who left) by id; ``region`` is a prefix of the unit's region, ``unit`` an id."""
    where = Q(pk__gt=number_after(after), active=not retired)
    if q:
        where &= Q(name__startswith=q) | Q(pinyin__startswith=q.lower()) | Q(code=q)
    if region:
        where &= Q(unit__region_code__startswith=region)
    if unit is not None:
        where &= Q(unit_id=unit)
    size = page_limit(limit)
    rows, following = turn(list(Staff.objects.filter(where).select_related("unit").order_by("pk")[: size + 1]), size)
    return Page([_staff_brief(r) for r in rows], following)


@reading
def staff_briefs(viewer: Viewer, ids: Collection[int]) -> dict[int, StaffBrief]:
    """Many staff members at once, those who left included, so that old records keep their names."""
    return {row.pk: _staff_brief(row) for row in Staff.objects.filter(pk__in=set(ids)).select_related("unit")}


@reading
def staff_ids_by_code(viewer: Viewer, codes: Collection[str]) -> dict[str, int]:
    """Ids of staff by code; unknown codes are left out."""
    return dict(Staff.objects.filter(code__in=set(codes)).values_list("code", "pk"))


@reading
def shifts_now(viewer: Viewer, staff_ids: Collection[int], at: datetime | None = None) -> dict[int, ShiftBrief]:
    """The running shift of each staff member; those off duty are left out. Of two shifts the one as commander counts."""
    at = at or clock.now()
    rows = Shift.objects.filter(staff_id__in=set(staff_ids), starts_at__lte=at, ends_at__gt=at)
    ordered = sorted(rows, key=lambda s: s.role == Shift.Role.DUTY_COMMANDER)
    return {s.staff_id: ShiftBrief(s.unit_id, s.role, s.starts_at, s.ends_at) for s in ordered}


def _today(viewer: Viewer, region_code: str) -> date:
    return calendar_for(viewer, region_code).local(clock.now()).date()


def _valid(day: date) -> Q:
    return Q(valid_from__lte=day) & (Q(valid_to__isnull=True) | Q(valid_to__gt=day))


@reading
def grid_team(viewer: Viewer, region_code: str) -> GridTeam:
    """The team of the region, or of the closest region above that has one: leader first, then by role; no members when there is none."""
    above = [region_code[:n] for n in range(len(region_code), 0, -1)]
    rows = Assignment.objects.filter(_valid(_today(viewer, region_code)), region_code__in=above, staff__active=True)
    members = list(rows.select_related("staff__unit"))
    if not members:
        return GridTeam(region_code, [])
    owner = max((m.region_code for m in members), key=len)
    team = sorted((m for m in members if m.region_code == owner), key=lambda m: (TEAM_ROLES.index(m.role), m.staff_id))
    return GridTeam(owner, [_staff_brief(m.staff, m.role) for m in team])


@reading
def on_duty(viewer: Viewer, unit_id: int, at: datetime | None = None) -> OnDuty:
    """Who answers for the unit at the moment: the roster, or else its staff by presence (on call = nobody sits there, so by phone)."""
    at = at or clock.now()
    brief = unit(viewer, unit_id)
    shifts = Shift.objects.filter(unit_id=unit_id, starts_at__lte=at, ends_at__gt=at, staff__active=True).select_related("staff__unit")
    rostered = [_staff_brief(s.staff, s.role) for s in shifts.order_by("starts_at", "pk")]
    commander = next((s for s in rostered if s.role == Shift.Role.DUTY_COMMANDER), None)
    if rostered:
        return OnDuty(unit_id, brief.presence, "roster", commander, rostered)
    everyone = [_staff_brief(row) for row in _staff_rows(Q(unit_id=unit_id)).order_by("pk")]
    return OnDuty(unit_id, brief.presence, "unit", None, everyone)


@reading
def nearest_staff(
    viewer: Viewer, lon: float, lat: float, region: str = "", role: str = "", limit: int = 5, unit_ids: Iterable[int] = ()
) -> list[NearStaff]:
    """Staff with a known position, closest first; optionally by the region and role of an assignment, or by unit."""
    from gridloop.kernel import geo  # NumPy and Shapely: every process loads this module, few ask for places

    where = Q(lon__isnull=False, lat__isnull=False)
    if region or role:
        day = _today(viewer, region)
        teams = Assignment.objects.filter(_valid(day), region_code__startswith=region)
        where &= Q(pk__in=(teams.filter(role=role) if role else teams).values("staff_id"))
    chosen = list(unit_ids)
    if chosen:
        where &= Q(unit_id__in=chosen)
    rows = list(_staff_rows(where))
    metres = geo.distance_m([r.lon for r in rows], [r.lat for r in rows], lon, lat)  # type: ignore[arg-type]  # not null: filtered
    ranked = sorted(zip(metres.tolist(), rows, strict=True), key=lambda pair: (pair[0], pair[1].pk))
    return [NearStaff(_staff_brief(r, role), r.lon or 0.0, r.lat or 0.0, round(d, 1), r.position_at) for d, r in ranked[:limit]]


# --- calendar -----------------------------------------------------------------------------------------------------------

Key = tuple[str, ...]


@dataclass(slots=True)
class _Calendars:
    """The tables as one version had them, and the calendars made of them by the prefixes that matter to a region."""

    version: int
    days: dict[str, dict[date, str]]
    hours: dict[str, list[tuple[date, Ranges, str]]]
    made: dict[Key, WorkingCalendar]


_calendars: _Calendars | None = None


def _load_calendars(version: int) -> _Calendars:
    days: dict[str, dict[date, str]] = {}
    for prefix, day, kind in CalendarDay.objects.values_list("region_code", "day", "kind"):
        days.setdefault(prefix, {})[day] = kind
    hours: dict[str, list[tuple[date, Ranges, str]]] = {}
    for row in WorkingHours.objects.order_by("valid_from"):
        hours.setdefault(row.region_code, []).append((row.valid_from, read_ranges(row.ranges), row.tz))
    return _Calendars(version, days, hours, {})


@reading
def calendar_for(viewer: Viewer, region_code: str = "") -> WorkingCalendar:
    """Holidays, make-up days and office hours that hold in the region; the closest entry above wins. Kept until the tables change."""
    global _calendars
    version = table_version("calendar")
    kept = _calendars
    if kept is None or kept.version != version:
        kept = _calendars = _load_calendars(version)
    key = tuple(sorted((p for p in kept.days.keys() | kept.hours.keys() if region_code.startswith(p)), key=len))
    found = kept.made.get(key)
    if found is None:
        found = kept.made[key] = _make_calendar(kept, key)
    return found


@reading
def calendar_days(viewer: Viewer, year: int) -> list[CalendarDayRow]:
    """The entries of one year, by day."""
    rows = CalendarDay.objects.filter(day__year=year).order_by("day", "region_code")
    return [CalendarDayRow(r.day, r.kind, r.name, r.region_code) for r in rows]


def _make_calendar(tables: _Calendars, prefixes: Key) -> WorkingCalendar:
    days: dict[date, str] = {}
    dated: list[tuple[date, Ranges, str]] = []
    for prefix in prefixes:  # the widest first, so that the closest wins
        days.update(tables.days.get(prefix, {}))
        dated = tables.hours.get(prefix, dated)
    years = [day.year for day in tables.days.get("", {})]
    return WorkingCalendar(
        days=days,
        hours=tuple((since, ranges) for since, ranges, _ in dated) or ((date.min, OFFICE_HOURS),),
        tz=dated[-1][2] if dated else DEFAULT_ZONE,
        first_year=min(years, default=1),
        last_year=max(years, default=0),
    )
