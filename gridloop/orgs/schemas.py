"""Shapes of organisation and territory at the HTTP door."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from ninja import Field
from pydantic import field_validator

from gridloop.journal.shapes import Schema

TEXT = r"^[^\x00]*$"  # PostgreSQL keeps no NUL
NAME = r"^[^\x00]*\S[^\x00]*$"
CODE = r"^[0-9A-Z]*$"


class Named(Schema):
    id: int
    name: str


class PageQuery(Schema):
    """Search words and the page: at most 200 items; ``after`` is the ``next`` of the page before."""

    q: str = Field("", max_length=100, pattern=TEXT)
    region: str = Field("", max_length=24, pattern=CODE, description="region code: everything inside")
    limit: int = Field(50, ge=1, le=200)
    after: str = Field("", max_length=40, pattern=TEXT)


class RegionQuery(PageQuery):
    """``at``: the map of that day instead of today's."""

    level: str = Field("", max_length=16, pattern=TEXT)
    parent: str = Field("", max_length=24, pattern=CODE)
    at: date | None = None


class AtQuery(Schema):
    """``at``: the map of that day instead of today's."""

    at: date | None = None


class PointQuery(Schema):
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)


class RegionOut(Schema):
    code: str
    name: str
    level: str
    level_name: str
    parent: str | None
    children: int
    lon: float | None
    lat: float | None
    households: int | None
    population: int | None
    team: int = Field(0, description="people of its own grid team today")


class RegionDetail(RegionOut):
    """``ancestors`` from the widest, ``below`` the next level, ``boundary`` GeoJSON."""

    full_name: str
    ancestors: list[RegionOut]
    below: list[RegionOut]
    boundary: dict[str, Any] | None


class RegionPage(Schema):
    items: list[RegionOut]
    next: str | None


class RegionAtOut(Schema):
    """``code`` null = the point lies in no region; the nearest one then stands in ``nearest_code`` with the metres to it."""

    code: str | None
    name: str
    full_name: str
    nearest_code: str | None
    distance_m: float


class LevelOut(Schema):
    code: str
    rank: int
    digits: int
    name_zh: str
    name_en: str


class LevelList(Schema):
    items: list[LevelOut]
    next: str | None = None


class RenameIn(Schema):
    name: str = Field(min_length=1, max_length=128, pattern=NAME)
    day: date | None = None


Outline = dict[str, Any]


class PartIn(Schema):
    """A region to be; ``boundary`` is a GeoJSON Polygon or MultiPolygon, WGS 84."""

    code: str = Field(min_length=1, max_length=24, pattern=CODE)
    name: str = Field(min_length=1, max_length=128, pattern=NAME)
    boundary: Outline | None = None
    households: int | None = Field(None, ge=0, le=100_000_000)
    population: int | None = Field(None, ge=0, le=2_000_000_000)


class RegionIn(PartIn):
    level: str = Field(max_length=16, pattern=TEXT)
    day: date | None = None


class SplitIn(Schema):
    """``cut``: a line [[lon, lat], …] across the region; its two parts then need no outlines, the north-western comes first."""

    parts: list[PartIn] = Field(max_length=20)
    cut: list[tuple[float, float]] = Field([], max_length=200)
    day: date | None = None

    @field_validator("cut")
    @classmethod
    def _two_points(cls, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        if len(set(points)) == 1:
            raise ValueError("a line has two points at least")
        return points


class RegionMergeIn(Schema):
    codes: list[str] = Field(max_length=50)
    into: PartIn
    day: date | None = None


class BoundaryIn(Schema):
    boundary: Outline
    day: date | None = None


class DayIn(Schema):
    day: date | None = None


class CodeList(Schema):
    codes: list[str]


class VersionOut(Schema):
    """How a region stood from ``since`` (included) to ``until`` (excluded; null = still)."""

    name: str
    households: int | None
    population: int | None
    since: date
    until: date | None


class VersionList(Schema):
    items: list[VersionOut]
    next: str | None = None


# --- units and people ------------------------------------------------------------------------------------------------------


class UnitIn(Schema):
    """``parent`` is the id of the unit above, ``region`` the code of the region it sits in."""

    code: str = Field(min_length=1, max_length=64, pattern=NAME)
    name: str = Field(min_length=1, max_length=128, pattern=NAME)
    kind: str = Field(min_length=1, max_length=32, pattern=r"^[a-z][a-z0-9_]*$")
    region: str = Field(min_length=1, max_length=24, pattern=CODE)
    department: str = Field("", max_length=32, pattern=TEXT)
    parent: int | None = Field(None, ge=0, le=2**62)
    presence: Literal["resident", "rotating", "on_call"] = "resident"
    phone: str = Field("", max_length=32, pattern=TEXT)


class UnitChange(Schema):
    """Only the fields given change; ``parent`` null = none above."""

    name: str = Field("", min_length=1, max_length=128, pattern=NAME)
    kind: str = Field("", max_length=32, pattern=r"^[a-z][a-z0-9_]*$")
    region: str = Field("", max_length=24, pattern=CODE)
    department: str = Field("", max_length=32, pattern=TEXT)
    parent: int | None = Field(None, ge=0, le=2**62)
    presence: Literal["resident", "rotating", "on_call"] = "resident"
    phone: str = Field("", max_length=32, pattern=TEXT)


class StaffIn(Schema):
    """``unit`` is the id of the unit the person works for."""

    code: str = Field(min_length=1, max_length=64, pattern=NAME)
    name: str = Field(min_length=1, max_length=64, pattern=NAME)
    unit: int = Field(ge=0, le=2**62)
    phone: str = Field("", max_length=32, pattern=TEXT)
    employment: str = Field("", max_length=32, pattern=TEXT)
    skills: list[Annotated[str, Field(max_length=64, pattern=TEXT)]] = Field([], max_length=50)


class StaffChange(Schema):
    """Only the fields given change."""

    name: str = Field("", min_length=1, max_length=64, pattern=NAME)
    unit: int = Field(0, ge=0, le=2**62)
    phone: str = Field("", max_length=32, pattern=TEXT)
    employment: str = Field("", max_length=32, pattern=TEXT)
    skills: list[Annotated[str, Field(max_length=64, pattern=TEXT)]] = Field([], max_length=50)


class MadeOut(Schema):
    id: int


class HoursIn(Schema):
    """When a duty is served: ISO weekdays (1 = Monday) and local times [["08:30", "17:30"]]."""

    days: list[Annotated[int, Field(ge=1, le=7)]] = Field([1, 2, 3, 4, 5, 6, 7], min_length=1, max_length=7)
    ranges: list[tuple[str, str]] = Field([("00:00", "23:59")], min_length=1, max_length=10)


class DutyIn(Schema):
    """Competent for a step (``kind``) of cases whose type begins with ``type`` in regions whose code begins with ``region``; '' = all."""

    kind: str = Field(min_length=1, max_length=32, pattern=r"^[a-z][a-z0-9_]*$")
    type: str = Field("", max_length=5, pattern=r"^[0-9]*$")
    region: str = Field("", max_length=24, pattern=CODE)
    hours: HoursIn | None = None
    priority: int = Field(100, ge=0, le=10_000, description="the smaller comes first")
    day: date | None = None


class UnitDutyOut(Schema):
    """``until`` excluded, null = still; ``hours`` null = always."""

    id: int
    kind: str
    type: str
    region: str
    region_name: str
    post: str | None
    hours: dict[str, Any] | None
    priority: int
    since: date
    until: date | None


class UnitDutyList(Schema):
    items: list[UnitDutyOut]
    next: str | None = None


class TeamIn(Schema):
    staff: int = Field(ge=0, le=2**62)
    role: Literal["grid_leader", "full_time_grid_worker", "part_time_grid_worker", "grid_advisor", "member"] = "member"
    day: date | None = None


class RosterQuery(Schema):
    start: datetime
    end: datetime


class ShiftOut(Schema):
    staff: Named
    staff_code: str
    role: str
    starts_at: datetime
    ends_at: datetime


class RosterOut(Schema):
    items: list[ShiftOut]
    next: str | None = None


class DepartmentOut(Schema):
    code: str
    name: str


class DepartmentList(Schema):
    items: list[DepartmentOut]
    next: str | None = None


class ServiceIn(Schema):
    active: bool


class DayOut(Schema):
    day: date
    kind: Literal["holiday", "makeup"]
    name: str = Field("", max_length=64, pattern=TEXT)
    region: str = Field("", max_length=24, pattern=CODE)


class DayRef(Schema):
    day: date
    region: str = Field("", max_length=24, pattern=CODE)


class CalendarIn(Schema):
    set: list[DayOut] = Field([], max_length=400)
    remove: list[DayRef] = Field([], max_length=400)


class CalendarOut(Schema):
    items: list[DayOut]
    next: str | None = None


class ShiftIn(Schema):
    staff: str = Field(max_length=64, pattern=TEXT)
    role: Literal["duty_commander", "operator", "member"] = "member"
    starts_at: datetime
    ends_at: datetime


class RosterIn(Schema):
    """Replaces every shift of the unit that begins in the period.

    ``base``: the shifts of the period as they were read; 409 with what came and went when they are others by now. Without it, whatever
    is there is replaced.
    """

    start: datetime
    end: datetime
    shifts: list[ShiftIn] = Field(max_length=2000)
    base: list[ShiftIn] | None = Field(None, max_length=2000)


class CountOut(Schema):
    count: int


class PositionIn(Schema):
    """``staff`` empty = the caller."""

    staff: int | None = Field(None, ge=0, le=2**62)
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    at: datetime | None = None
