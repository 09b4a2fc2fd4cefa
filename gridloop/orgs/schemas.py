"""Shapes of organisation and territory at the HTTP door."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from ninja import Field, Schema

TEXT = r"^[^\x00]*$"  # PostgreSQL keeps no NUL
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
    level: str = Field("", max_length=16, pattern=TEXT)
    parent: str = Field("", max_length=24, pattern=CODE)


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
    name: str = Field(min_length=1, max_length=128, pattern=r"^[^\x00]*\S[^\x00]*$")
    day: date | None = None


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
    """Replaces every shift of the unit that begins in the period."""

    start: datetime
    end: datetime
    shifts: list[ShiftIn] = Field(max_length=2000)


class CountOut(Schema):
    count: int


class PositionIn(Schema):
    """``staff`` empty = the caller."""

    staff: int | None = Field(None, ge=0, le=2**62)
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    at: datetime | None = None
