"""Time limits in words (``15m 4h 2d 4wh 2wd``) and when they end.

``m`` and ``h`` are clock time. ``d`` ends at 23:59:59 of the last day, the first day not counted. ``wh`` runs inside office hours only,
``wd`` counts working days and ends at 23:59:59 of the last one. Days beyond the calendar table are judged by their weekday and flagged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

from gridloop.kernel.errors import Invalid

HOLIDAY, MAKEUP = "holiday", "makeup"
MAX_AMOUNT = 100_000
_SEARCH_DAYS = 40_000  # longest walk for the next working day; beyond it the calendar has none
_WORD = re.compile(r"(\d{1,6})(m|h|d|wh|wd)", re.ASCII)
_SATURDAY = 5
_LAST_SECOND = time(23, 59, 59)
_DAY = timedelta(days=1)

Ranges = tuple[tuple[time, time], ...]
OFFICE_HOURS: Ranges = ((time(8, 30), time(12)), (time(14), time(17, 30)))


@dataclass(frozen=True, slots=True)
class Duration:
    """An amount of ``m``, ``h``, ``d``, ``wh`` or ``wd``."""

    amount: int
    unit: str

    @property
    def working(self) -> bool:
        """Whether it runs on the working calendar."""
        return self.unit in ("wh", "wd")

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


@dataclass(frozen=True, slots=True)
class Due:
    """When a limit ends; ``assumed`` when a day beyond the calendar table had to be judged by its weekday."""

    at: datetime
    assumed: bool


def parse_duration(word: str) -> Duration:
    """``"4wh"`` → Duration. Invalid ``kernel.duration`` for anything else."""
    match = _WORD.fullmatch(word.strip()) if isinstance(word, str) else None
    if match is None or int(match[1]) > MAX_AMOUNT:
        raise Invalid("kernel.duration", word=str(word)[:40])
    return Duration(int(match[1]), match[2])


@cache
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Days that differ from their weekday, office hours since a date (oldest first), the zone, and the years the table knows."""

    days: Mapping[date, str] = field(default_factory=dict)
    hours: tuple[tuple[date, Ranges], ...] = ((date.min, OFFICE_HOURS),)
    tz: str = "Asia/Shanghai"
    first_year: int = 2004
    last_year: int = 2026

    def knows(self, day: date) -> bool:
        return self.first_year <= day.year <= self.last_year

    def is_working_day(self, day: date) -> bool:
        kind = self.days.get(day)
        if kind is not None:
            return kind == MAKEUP
        return day.weekday() < _SATURDAY

    def local(self, at: datetime) -> datetime:
        return at.astimezone(_zone(self.tz))

    def at(self, day: date, moment: time) -> datetime:
        """That local time as UTC."""
        return datetime.combine(day, moment, _zone(self.tz)).astimezone(UTC)

    def ranges(self, day: date) -> list[tuple[datetime, datetime]]:
        """The day's working stretches in UTC; empty on a rest day."""
        if not self.is_working_day(day):
            return []
        current = self.hours[0][1]
        for since, ranges in self.hours:
            if since <= day:
                current = ranges
        return [(self.at(day, start), self.at(day, end)) for start, end in current]


def _stretches(calendar: WorkingCalendar, start: datetime) -> Iterator[tuple[datetime, datetime, date]]:
    """Working stretches that end at or after ``start``, cut at it, in order. Invalid ``kernel.calendar_empty`` when there are none."""
    day = calendar.local(start).date()
    idle = 0
    while idle < _SEARCH_DAYS:
        idle += 1
        for begin, end in calendar.ranges(day):
            if end >= start:
                idle = 0
                yield max(begin, start), end, day
        day += _DAY
    raise Invalid("kernel.calendar_empty", since=start.isoformat())


def add_working(start: datetime, amount: timedelta, calendar: WorkingCalendar) -> datetime:
    """The first moment by which ``amount`` of office time has passed since ``start`` (always inside office hours, ends included)."""
    start = start.astimezone(UTC)
    left = amount
    for begin, end, _day in _stretches(calendar, start):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise AssertionError("unreachable: stretches never end")


def working_time(start: datetime, end: datetime, calendar: WorkingCalendar) -> timedelta:
    """Office time between two moments (zero when ``end`` is not after ``start``)."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    total = timedelta()
    day, last = calendar.local(start).date(), calendar.local(end).date()
    while day <= last:
        for begin, stop in calendar.ranges(day):
            total += max(timedelta(), min(stop, end) - max(begin, start))
        day += _DAY
    return total


def _working_day_after(day: date, count: int, calendar: WorkingCalendar) -> date:
    """The ``count``-th working day after ``day``; for 0 the day itself or the next working one."""
    idle = 0
    if count == 0:
        day, count = day - _DAY, 1
    while count:
        day += _DAY
        idle = 0 if calendar.is_working_day(day) else idle + 1
        count -= 0 if idle else 1
        if idle > _SEARCH_DAYS:
            raise Invalid("kernel.calendar_empty", since=day.isoformat())
    return day


def due(start: datetime, duration: Duration, calendar: WorkingCalendar, *, legal: bool = False) -> Due:
    """When the limit ends, in UTC. ``legal``: a ``d`` limit whose last day is a rest day moves to the next working day."""
    first = calendar.local(start).date()
    last = first
    try:
        if duration.unit in ("m", "h"):
            minutes = duration.amount * (60 if duration.unit == "h" else 1)
            return Due(start.astimezone(UTC) + timedelta(minutes=minutes), False)
        if duration.unit == "wh":
            at = add_working(start, timedelta(hours=duration.amount), calendar)
            last = calendar.local(at).date()
        else:
            last = first + timedelta(days=duration.amount) if duration.unit == "d" else _working_day_after(first, duration.amount, calendar)
            if duration.unit == "d" and legal:
                last = _working_day_after(last, 0, calendar)
            at = calendar.at(last, _LAST_SECOND)
    except OverflowError:
        raise Invalid("kernel.duration", word=str(duration)) from None
    needs_table = duration.working or legal
    return Due(at, needs_table and not (calendar.knows(first) and calendar.knows(last)))


def due_at(start: datetime, duration: Duration, calendar: WorkingCalendar) -> datetime:
    """When the limit ends, in UTC; :func:`due` also says whether days had to be assumed."""
    return due(start, duration, calendar).at


def moment(start: datetime, end: datetime, share: float, duration: Duration, calendar: WorkingCalendar) -> datetime:
    """When the share of the limit has passed: 0.5 and 0.8 for reminders, 1.5 for a red card. Working limits count office time only."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if share == 1:
        return end
    total = working_time(start, end, calendar) if duration.working else timedelta()
    if not total:
        return start + (end - start) * share
    return add_working(start, total * share, calendar)
