"""What the selectors of this room hand out: small frozen views, never rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list and the cursor of the next (None at the end)."""

    items: list[Any]
    next: str | None


@dataclass(frozen=True, slots=True)
class LevelBrief:
    code: str
    rank: int
    digits: int
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class RegionBrief:
    code: str
    name: str
    level: str
    parent_code: str
    lon: float | None
    lat: float | None
    households: int | None
    population: int | None


@dataclass(frozen=True, slots=True)
class DatedRegion:
    """A region as it stood on some day, with its boundary (WKB) and the dates of that version."""

    region: RegionBrief
    boundary: bytes | None
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class RegionView:
    """One region with the names above it (widest first), what lies directly below, and its outline as GeoJSON."""

    region: RegionBrief
    full_name: str
    ancestors: list[RegionBrief]
    children: list[RegionBrief]
    boundary: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class RegionAt:
    """Where a point lies. ``code`` None = in no region; then ``nearest_code`` and the metres to it help."""

    code: str | None
    name: str
    full_name: str
    nearest_code: str | None
    distance_m: float


@dataclass(frozen=True, slots=True)
class UnitBrief:
    id: int
    name: str
    code: str
    region_code: str
    department: str | None
    post_id: int | None
    post_name: str | None
    path: str
    kind: str = ""
    presence: str = "resident"
    parent_id: int | None = None
    phone: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class StaffBrief:
    """``role`` is the role in the team or shift asked for, '' where none was."""

    id: int
    code: str
    name: str
    unit_id: int
    unit_name: str
    phone: str
    role: str = ""
    region_code: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class ShiftBrief:
    unit_id: int
    role: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class NearStaff:
    staff: StaffBrief
    lon: float
    lat: float
    distance_m: float
    position_at: datetime | None


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who answers for a unit at a moment. ``source`` is ``roster`` or, when nobody is rostered, ``unit`` (its staff by ``presence``)."""

    unit_id: int
    presence: str
    source: str
    commander: StaffBrief | None
    staff: list[StaffBrief]


@dataclass(frozen=True, slots=True)
class GridTeam:
    """The 1 + 3 + N team of a region; ``region_code`` is the region that has the team, at or above the one asked for."""

    region_code: str
    members: list[StaffBrief]


@dataclass(frozen=True, slots=True)
class DutyBrief:
    """What a unit is competent for: the step, kinds of case and place by prefix ('' = all), from a day on to one excluded."""

    id: int
    kind: str
    case_type: str
    region_code: str
    post_name: str | None
    hours: dict[str, Any] | None
    priority: int
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class RosterLine:
    """Who is on duty in which role, from ``starts_at`` (included) to ``ends_at`` (excluded)."""

    staff_id: int
    staff_code: str
    staff_name: str
    role: str
    starts_at: datetime
    ends_at: datetime
