"""Verbs that change territory. Versions are dated: a change closes one row and opens the next, so every past map can be drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import shapely

from gridloop.journal.actions import append, verb
from gridloop.kernel import clock, geo
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import rules
from gridloop.orgs.desk import need_own
from gridloop.orgs.messages import RegionRow
from gridloop.orgs.models import Assignment, Level, Region, Unit
from gridloop.orgs.selectors import calendar_for
from gridloop.orgs.tables import touch

CHAIN = "org"
SLIVER = 1e-9  # square degrees (about 10 m²): what rounding of coordinates may leave between neighbours


def invalid(pointer: str, key: str, **params: Any) -> Invalid:
    """A refusal of one field."""
    return Invalid(key, errors=(FieldFault(pointer, key, params),), **params)


def local_day(viewer: Viewer, day: date | None) -> date:
    """The day given, or today where the deployment is."""
    return day or calendar_for(viewer).local(clock.now()).date()


def _region_day(viewer: Viewer, day: date | None) -> date:
    """Today, or a day before; later ones are refused, because readers take the newest version for the one in force."""
    today = local_day(viewer, None)
    if day is not None and day > today:
        raise invalid("/day", "orgs.region_day_ahead", day=day.isoformat())
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
        raise invalid("/code", "orgs.region_exists", code=row.code)
    lived = Region.objects.filter(code=row.code, valid_to__gt=day).order_by("-valid_to").first()
    if lived is not None and lived.valid_to is not None:
        raise invalid("/day", "orgs.region_day_before", code=row.code, day=day.isoformat(), since=lived.valid_to.isoformat())
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


def _placed(row: RegionRow) -> RegionRow:
    """With the label point that follows from its outline, where it has one."""
    if row.boundary is None:
        return row
    lon, lat = geo.inner_point(geo.from_wkb(row.boundary))
    return replace(row, lon=lon, lat=lat)


def _without_children(code: str) -> None:
    """Codes are prefixes: a region with others below cannot go before they have."""
    count = Region.objects.filter(parent_code=code, valid_to__isnull=True).count()
    if count:
        raise Invalid("orgs.region_has_children", code=code, count=count)


def _need_parent(row: RegionRow) -> None:
    parent = _checked(row).parent_code
    if parent and not Region.objects.filter(code=parent, valid_to__isnull=True).exists():
        raise invalid("/code", "orgs.region_no_parent", code=row.code, parent=parent)


@verb("org.edit")
def create_region(viewer: Viewer, row: RegionRow, day: date | None = None) -> str:
    """A new region from the day on (today when none is given), below one that is there; returns its code."""
    need_own(viewer, "org.edit", row.code)
    day = _region_day(viewer, day)
    _need_parent(row)
    _open(_placed(row), day)
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
    row = _placed(replace(_as_row(old), boundary=boundary))
    _close(old, day)
    _open(row, day)
    touch("regions")
    append(CHAIN, "region_redrawn", {"code": code, "day": day.isoformat()}, viewer)


@verb("org.edit")
def split_region(
    viewer: Viewer, code: str, parts: Sequence[RegionRow], day: date | None = None, cut: Sequence[tuple[float, float]] = ()
) -> list[str]:
    """Replace a region without others below by two or more; one part may keep the code. Returns the codes.

    With ``cut``, a line (lon, lat) across the old outline, the two parts get the pieces beside it, the north-western first.
    The team goes on in the part that keeps the code, else in all parts.
    """
    for each in (code, *(part.code for part in parts)):
        need_own(viewer, "org.edit", each)
    day = _region_day(viewer, day)
    if len(parts) < 2:
        raise Invalid("orgs.region_needs_two")
    old = _current(code, day)
    _without_children(code)
    parts = _cut(old, parts, cut) if cut else parts
    _fitting(old, parts)
    _close(old, day)
    codes = [_open(_placed(part), day).code for part in parts]
    if code not in codes:
        _carry_team([code], codes, day)
    touch("regions")
    append(CHAIN, "region_split", {"code": code, "into": codes, "day": day.isoformat()}, viewer)
    return codes


def _cut(old: Region, parts: Sequence[RegionRow], line: Sequence[tuple[float, float]]) -> list[RegionRow]:
    """The parts with the pieces of the outline on both sides of the line."""
    if old.boundary is None:
        raise invalid("/cut", "orgs.region_no_outline", code=old.code)
    pieces = geo.cut(geo.from_wkb(old.boundary), line)
    if len(pieces) != len(parts):
        raise invalid("/cut", "orgs.region_cut", pieces=len(pieces), parts=len(parts))
    return [replace(part, boundary=geo.to_wkb(piece)) for part, piece in zip(parts, pieces, strict=True)]


def _fitting(old: Region, parts: Sequence[RegionRow]) -> None:
    """New outlines lie inside the old one and beside each other."""
    areas = [geo.from_wkb(part.boundary) for part in parts if part.boundary is not None]
    if old.boundary is None or not areas:
        return
    if shapely.union_all(areas).difference(geo.from_wkb(old.boundary)).area > SLIVER:
        raise invalid("/parts", "orgs.region_parts_outside", code=old.code)
    if sum(area.area for area in areas) - shapely.union_all(areas).area > SLIVER:
        raise invalid("/parts", "orgs.region_parts_overlap", code=old.code)


def _carry_team(old: Sequence[str], new: Sequence[str], day: date) -> None:
    """Whoever served the old regions serves the new ones from the day on; each person once in a role."""
    rows = list(Assignment.objects.select_for_update().filter(region_code__in=old, valid_to__isnull=True).order_by("pk"))
    Assignment.objects.filter(pk__in=[row.pk for row in rows]).update(valid_to=day)
    there = Assignment.objects.filter(region_code__in=new, valid_to__isnull=True)
    kept = set(there.values_list("staff_id", "role", "post_id", "region_code"))
    moved = {(row.staff_id, row.role, row.post_id, code) for row in rows for code in new} - kept
    Assignment.objects.bulk_create(
        Assignment(staff_id=s, role=role, post_id=post, region_code=code, valid_from=day) for s, role, post, code in sorted(moved, key=str)
    )


@verb("org.edit")
def merge_regions(viewer: Viewer, codes: Sequence[str], into: RegionRow, day: date | None = None) -> str:
    """Join two or more regions without others below; ``into`` may take one of their codes.

    What ``into`` leaves out is made of the parts: outline joined, households and population added, teams joined. Returns its code.
    """
    for each in (*codes, into.code):
        need_own(viewer, "org.edit", each)
    day = _region_day(viewer, day)
    if len(set(codes)) < 2:
        raise Invalid("orgs.region_needs_two")
    old = [_current(code, day) for code in sorted(set(codes))]
    if len({(row.level_id, row.parent_code) for row in old}) > 1:
        raise invalid("/codes", "orgs.region_merge_apart")
    for row in old:
        _without_children(row.code)
    merged = _joined(into, old)
    for row in old:
        _close(row, day)
    _open(merged, day)
    _carry_team([row.code for row in old if row.code != into.code], [into.code], day)
    touch("regions")
    append(CHAIN, "region_merged", {"codes": [r.code for r in old], "into": into.code, "day": day.isoformat()}, viewer)
    return into.code


def _joined(into: RegionRow, old: Sequence[Region]) -> RegionRow:
    if into.boundary is None and all(row.boundary is not None for row in old):
        area = shapely.union_all([geo.from_wkb(row.boundary) for row in old if row.boundary is not None])
        into = _placed(replace(into, boundary=geo.to_wkb(area)))
    counts: dict[str, Any] = {}
    for name in ("households", "population"):
        known = [getattr(row, name) for row in old if getattr(row, name) is not None]
        if getattr(into, name) is None and known:
            counts[name] = sum(known)
    return replace(into, **counts)


@verb("org.edit")
def retire_region(viewer: Viewer, code: str, day: date | None = None) -> None:
    """A region that is no more from the day on: nothing may lie below it, no unit sit in it; its team ends with it."""
    need_own(viewer, "org.edit", code)
    day = _region_day(viewer, day)
    old = _current(code, day)
    _without_children(code)
    if units := Unit.objects.filter(region_code=code, active=True).count():
        raise Invalid("orgs.region_has_units", code=code, count=units)
    _close(old, day)
    _carry_team([code], [], day)
    touch("regions")
    append(CHAIN, "region_retired", {"code": code, "day": day.isoformat()}, viewer)
