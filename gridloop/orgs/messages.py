"""Record shapes of organisation and territory: what loaders and importers take. References are codes; the loader finds the ids.

Times are aware datetimes, days are dates, boundaries are WKB bytes in WGS-84 lon/lat.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

SINCE_EVER = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class RegionRow:
    """``parent_code`` '' is derived from the levels' digits; ``pinyin`` '' is made from the name."""

    code: str
    name: str
    level: str  # code of a Level row: province city county town village grid micro_grid
    parent_code: str = ""
    lon: float | None = None
    lat: float | None = None
    boundary: bytes | None = None
    households: int | None = None
    population: int | None = None
    pinyin: str = ""
    valid_from: date = SINCE_EVER


@dataclass(frozen=True, slots=True)
class UnitRow:
    """Parents must come before their children or be loaded already."""

    code: str
    name: str
    kind: str  # department, town, village, center, room, panel, team …
    region_code: str
    department: str = ""
    parent: str = ""
    presence: str = "resident"  # resident | rotating | on_call
    phone: str = ""


@dataclass(frozen=True, slots=True)
class PostRow:
    code: str
    name: str
    unit: str
    panel: str = ""


@dataclass(frozen=True, slots=True)
class DutyRow:
    kind: str  # intake | verify | handle | check | supervise | urge …
    unit: str
    case_type: str = ""  # prefix of a 5-digit case type
    region_code: str = ""  # prefix of a region code
    post: str = ""
    hours: dict[str, Any] | None = None  # {"ranges": [["08:30","17:30"]], "days": [1,2,3,4,5]}; null = always
    priority: int = 100  # smaller first
    valid_from: date = SINCE_EVER
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class StaffRow:
    code: str
    name: str
    unit: str
    phone: str = ""
    employment: str = ""
    skills: tuple[str, ...] = ()
    lon: float | None = None
    lat: float | None = None
    position_at: datetime | None = None
    pinyin: str = ""


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    staff: str
    region_code: str
    role: str = "member"  # grid_leader | full_time_grid_worker | part_time_grid_worker | grid_advisor | member
    post: str = ""
    valid_from: date = SINCE_EVER
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class ShiftRow:
    unit: str
    staff: str
    starts_at: datetime
    ends_at: datetime
    role: str = "member"  # duty_commander | operator | member


@dataclass(frozen=True, slots=True)
class CalendarDayRow:
    day: date
    kind: str  # holiday | makeup
    name: str = ""
    region_code: str = ""


@dataclass(frozen=True, slots=True)
class WorkingHoursRow:
    ranges: tuple[tuple[str, str], ...]
    region_code: str = ""
    tz: str = "Asia/Shanghai"
    valid_from: date = SINCE_EVER


OrgRow = DepartmentRow | RegionRow | UnitRow | PostRow | DutyRow | StaffRow | AssignmentRow | ShiftRow | CalendarDayRow | WorkingHoursRow
