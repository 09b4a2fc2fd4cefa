"""Schedules go by the clock on the wall and the calendar of the place, on the days when clocks are set on or back, too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.rules import HOUR, MINUTE, Detector, Pick
from gridloop.detection.schedules import ANY, REST, WORKING, Schedule, Span
from gridloop.kernel.durations import HOLIDAY, MAKEUP, WorkingCalendar

BERLIN = "Europe/Berlin"  # on at 01:00 UTC of 29 March 2026, back at 01:00 UTC of 25 October
DAYS = {date(2026, 3, 27): HOLIDAY, date(2026, 3, 28): MAKEUP, date(2026, 10, 24): MAKEUP, date(2026, 10, 26): HOLIDAY}
moments = st.sampled_from(
    [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 4, 4, 16, tzinfo=UTC)]
).flatmap(lambda change: st.integers(-150, 150).map(lambda halves: change + timedelta(minutes=30 * halves)))
clocks = st.builds(
    time, st.sampled_from([0, 1, 4, 6, 8, 12, 17, 22, 23]), st.sampled_from([0, 30])
)  # none that a day may not have, or twice
spans = st.builds(
    Span,
    clocks,
    clocks,
    st.sets(st.integers(0, 6), min_size=1).map(frozenset) | st.just(frozenset(range(7))),
    st.sampled_from([ANY, WORKING, REST]),
)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def open_by_the_wall(spans: list[Span], calendar: WorkingCalendar, at: datetime) -> bool:
    wall = at.astimezone(ZoneInfo(calendar.tz)).replace(tzinfo=None)
    for span in spans:
        for day in (wall.date() - timedelta(days=1), wall.date()):
            fits = span.days == ANY or calendar.is_working_day(day) == (span.days == WORKING)
            until = day + timedelta(days=span.till <= span.since)
            if fits and day.weekday() in span.weekdays and datetime.combine(day, span.since) <= wall < datetime.combine(until, span.till):
                return True
    return False


@settings(max_examples=300, database=None)
@given(st.lists(spans, min_size=1, max_size=3), st.sampled_from([BERLIN, "Asia/Shanghai", "Australia/Sydney", "Asia/Kathmandu"]), moments)
def test_it_is_open_by_the_clock_on_the_wall(of: list[Span], zone: str, at: datetime) -> None:
    calendar = WorkingCalendar(DAYS, tz=zone)
    schedule = Schedule(tuple(of), calendar)
    around = [at + timedelta(minutes=30 * n) for n in range(-4, 5)]
    told = schedule.is_open([ms(one) for one in around]).tolist()
    assert told == [open_by_the_wall(of, calendar, one) for one in around]
    (opens,) = schedule.next_open([ms(at)]).tolist()
    walked = next((ms(at) + n * 15 * MINUTE for n in range(4 * 96) if open_by_the_wall(of, calendar, at + n * timedelta(minutes=15))), None)
    if walked is None:
        assert opens > ms(at) + 4 * 24 * HOUR - HOUR
    else:
        assert opens == walked


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9), (date(2026, 6, 1), 8)],
    ids=["clocks set on", "set back", "as usual"],
)
def test_a_night_is_as_long_as_it_is(day: date, hours: int) -> None:
    """From 22:00 to 06:00: an absence of nine hours that began at 20:00 waits for no other hour than what the clock says."""
    zone = ZoneInfo(BERLIN)
    night = Schedule((Span(time(22), time(6)),), WorkingCalendar(tz=BERLIN))
    since, till = datetime.combine(day, time(22), zone), datetime.combine(day + timedelta(days=1), time(6), zone)
    assert (till.astimezone(UTC) - since.astimezone(UTC)) == timedelta(hours=hours)
    stretch = [ms(since) - 1, ms(since), ms(till) - 1, ms(till)]
    assert night.is_open(stretch).tolist() == [False, True, True, False]
    engine = Engine([Detector("still", 1, rules.During(rules.Absence(Pick(), HOUR), night))], lateness=0, grid=1)
    read = ms(datetime.combine(day, time(20), zone))
    engine.step(Readings.of([read], [0], [0]))
    assert [(one.at, one.what) for one in engine.finish(ms(till))] == [(ms(since), "raised")]
