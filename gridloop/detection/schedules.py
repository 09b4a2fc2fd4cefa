"""When a rule applies: hours of the week in local time, kept apart for working days and days of rest where wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import ArrayLike

from gridloop.detection.columns import NEVER, Bools, Ints
from gridloop.kernel.durations import WorkingCalendar

_DAY = 86_400_000
_AHEAD = 400  # days: no schedule that opens at all is closed for longer
ANY, WORKING, REST = "any", "working", "rest"
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Span:
    """From one local time to another, over midnight when ``till`` is not after ``since``. ``weekdays``: of its first day, 0 = Monday."""

    since: time
    till: time
    weekdays: frozenset[int] = frozenset(range(7))
    days: str = ANY


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Open in any of its spans. Days of rest and working days are those of the calendar, zone and daylight saving too."""

    spans: tuple[Span, ...]
    calendar: WorkingCalendar = field(default_factory=WorkingCalendar)
    _open: list[Ints] = field(default_factory=list, repr=False)  # [starts, ends] of the days looked at so far, joined
    _days: list[int] = field(default_factory=list, repr=False)  # [first, last] day looked at

    def __post_init__(self) -> None:
        if not self.spans or any(
            not s.weekdays or not s.weekdays <= set(range(7)) or s.days not in (ANY, WORKING, REST) for s in self.spans
        ):
            raise ValueError("a schedule needs spans, each with weekdays 0 to 6 and days any, working or rest")

    def is_open(self, at: ArrayLike) -> Bools:
        moments = np.asarray(at, np.int64)
        return np.equal(self.next_open(moments), moments)

    def next_open(self, at: ArrayLike) -> Ints:
        """The moment itself where it is open, else when it opens next, ``NEVER`` when that is more than 400 days away."""
        moments = np.asarray(at, np.int64)
        if not moments.size:
            return moments
        self._look(int(moments.min()) // _DAY - 2, int(moments.max()) // _DAY + _AHEAD)
        starts, ends = self._open
        later = np.searchsorted(ends, moments, side="right")  # the first stretch that ends after the moment
        opens: Ints = np.append(starts, NEVER)[later]
        opens = np.maximum(opens, moments)
        return np.where(opens - moments > _AHEAD * _DAY, NEVER, opens)

    def _look(self, first: int, last: int) -> None:
        if self._days and self._days[0] <= first and last <= self._days[1]:
            return
        if self._days:
            first, last = min(first, self._days[0]), max(last + _AHEAD, self._days[1])
        stretches: list[tuple[int, int]] = []
        for number in range(first, last + 1):
            day = _EPOCH + timedelta(days=number)
            for since, till in sorted(s for span in self.spans if (s := self._stretch(day, span))):
                if stretches and since <= stretches[-1][1]:
                    stretches[-1] = (stretches[-1][0], max(till, stretches[-1][1]))
                else:
                    stretches.append((since, till))
        self._open[:] = np.array(stretches, np.int64).reshape(-1, 2).T
        self._days[:] = [first, last]

    def _stretch(self, day: date, span: Span) -> tuple[int, int] | None:
        if day.weekday() not in span.weekdays:
            return None
        if span.days != ANY and self.calendar.is_working_day(day) != (span.days == WORKING):
            return None
        until = day + timedelta(days=1) if span.till <= span.since else day
        since, till = _ms(self.calendar.at(day, span.since)), _ms(self.calendar.at(until, span.till))
        return (since, till) if since < till else None


def _ms(at: datetime) -> int:
    return (at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
