"""Pure rules of organisation and territory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from gridloop.kernel.durations import Ranges
from gridloop.kernel.errors import FieldFault
from gridloop.orgs.messages import AssignmentRow, CalendarDayRow, DutyRow, RegionRow, ShiftRow, StaffRow, UnitRow, WorkingHoursRow

REGION_CODE = re.compile(r"[0-9]{1,6}[0-9A-Z]{0,18}", re.ASCII)
PRESENCES = ("resident", "rotating", "on_call")
TEAM_ROLES = ("grid_leader", "full_time_grid_worker", "part_time_grid_worker", "grid_advisor", "member")
SHIFT_ROLES = ("duty_commander", "operator", "member")
DAY_KINDS = ("holiday", "makeup")
DEFAULT_ZONE = "Asia/Shanghai"
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


@lru_cache(maxsize=65_536)
def _sound(word: str) -> str:
    from pypinyin import lazy_pinyin  # 55 MB and half a second: only who writes names pays them

    return " ".join(lazy_pinyin(word)).lower()


def pinyin(text: str) -> str:
    """The sound of a Chinese name, for sorting and search (``云澜县`` → ``yun lan xian``).

    Remembered by word, not by name: names of a county share few words, and looking one up costs 80 µs.
    """
    if not _HAN.fullmatch(text):
        return _sound(text)
    from pypinyin.seg import mmseg

    return " ".join(_sound(word) for word in mmseg.seg.cut(text))


def parent_of(code: str, digits: Iterable[int]) -> str:
    """The code one level up: the longest level shorter than the code; '' at the top."""
    shorter = [d for d in digits if d < len(code)]
    return code[: max(shorter)] if shorter else ""


def significant(code: str) -> str:
    """A code without the zeros that fill it up to 12 or 6 digits: ``330212000000`` → ``330212``, ``330200`` → ``3302``."""
    if not code.isdigit() or len(code) not in (6, 12):
        return code
    for digits in (12, 9) if len(code) == 12 else ():
        if len(code) == digits and code.endswith("000"):
            code = code[: digits - 3]
    for digits in (6, 4):
        if len(code) == digits and code.endswith("00"):
            code = code[: digits - 2]
    return code


def place_fault(lon: float | None, lat: float | None) -> FieldFault | None:
    """Both coordinates or none, in degrees."""
    if lon is None and lat is None:
        return None
    if lon is None or lat is None:
        return FieldFault("/lon", "orgs.row_half_place")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        return FieldFault("/lon", "orgs.row_place", params={"lon": lon, "lat": lat})
    return None


def one_of(pointer: str, value: str, known: Iterable[str]) -> FieldFault | None:
    words = tuple(known)
    if value in words:
        return None
    return FieldFault(pointer, "orgs.row_word", params={"value": value, "known": ", ".join(words)})


def filled(row: Any, *fields: str) -> FieldFault | None:
    """The first of the fields that is empty."""
    empty = next((f for f in fields if not str(getattr(row, f)).strip()), None)
    return FieldFault(f"/{empty}", "orgs.row_empty", params={"field": empty}) if empty else None


def region_fault(row: RegionRow, levels: Mapping[str, int]) -> FieldFault | None:
    """What is wrong with a region row; ``levels`` maps level codes to their digits."""
    if fault := filled(row, "code", "name") or one_of("/level", row.level, levels):
        return fault
    if not REGION_CODE.fullmatch(row.code):
        return FieldFault("/code", "orgs.row_region_code", params={"code": row.code})
    if len(row.code) != levels[row.level]:
        return FieldFault(
            "/code",
            "orgs.row_region_digits",
            params={"code": row.code, "level": row.level, "digits": levels[row.level], "has": len(row.code)},
        )
    if row.parent_code and (len(row.parent_code) >= len(row.code) or row.parent_code not in (row.code[: len(row.parent_code)],)):
        return FieldFault("/parent_code", "orgs.row_region_parent", params={"code": row.code, "parent": row.parent_code})
    return place_fault(row.lon, row.lat)


def unit_fault(row: UnitRow) -> FieldFault | None:
    return filled(row, "code", "name", "kind", "region_code") or one_of("/presence", row.presence, PRESENCES)


def duty_fault(row: DutyRow) -> FieldFault | None:
    if fault := filled(row, "kind", "unit"):
        return fault
    try:
        if row.hours is not None:
            read_ranges(row.hours.get("ranges", [["00:00", "23:59"]]))
    except ValueError as error:
        return FieldFault("/hours", "orgs.row_hours", params={"hours": str(error)})
    return None


def staff_fault(row: StaffRow) -> FieldFault | None:
    return filled(row, "code", "name", "unit") or place_fault(row.lon, row.lat)


def assignment_fault(row: AssignmentRow) -> FieldFault | None:
    return filled(row, "staff", "region_code") or one_of("/role", row.role, TEAM_ROLES)


def shift_fault(row: ShiftRow) -> FieldFault | None:
    if fault := filled(row, "unit", "staff") or one_of("/role", row.role, SHIFT_ROLES):
        return fault
    if row.starts_at.tzinfo is None or row.ends_at.tzinfo is None or row.ends_at <= row.starts_at:
        return FieldFault("/ends_at", "orgs.row_shift")
    return None


def day_fault(row: CalendarDayRow) -> FieldFault | None:
    return one_of("/kind", row.kind, DAY_KINDS)


def hours_fault(row: WorkingHoursRow) -> FieldFault | None:
    try:
        read_ranges(row.ranges)
        ZoneInfo(row.tz)
    except (ValueError, KeyError) as error:
        return FieldFault("/ranges", "orgs.row_hours", params={"hours": str(error)})
    return None


def read_ranges(ranges: Iterable[Iterable[str]]) -> Ranges:
    """``[["08:30","12:00"],["14:00","17:30"]]`` → times, in order and apart; ValueError with the wrong part otherwise."""
    result: list[tuple[time, time]] = []
    for pair in ranges:
        words = list(pair)
        matches = [_CLOCK.fullmatch(str(word)) for word in words]
        if len(words) != 2 or not all(matches):
            raise ValueError(str(words))
        start, end = (time(int(m[1]), int(m[2])) for m in matches if m)
        if start >= end or (result and start < result[-1][1]):
            raise ValueError(str(words))
        result.append((start, end))
    return tuple(result)


def duty_open(hours: Mapping[str, Any] | None, at: datetime, tz: str = DEFAULT_ZONE) -> bool:
    """Whether a duty with these hours is served at that moment: ``days`` are ISO weekdays (1 = Monday), ``ranges`` local times."""
    if hours is None:
        return True
    local = at.astimezone(ZoneInfo(tz))
    if local.isoweekday() not in hours.get("days", range(1, 8)):
        return False
    ranges = hours.get("ranges")
    return ranges is None or any(start <= local.time() < end for start, end in read_ranges(ranges))


def joined_names(names: Iterable[str]) -> str:
    """``云澜县 · 城关街道 · 东门社区``: the long name of a region."""
    return " · ".join(n for n in names if n)
