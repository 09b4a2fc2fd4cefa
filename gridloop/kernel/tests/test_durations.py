"""Limits in words: examples on a real calendar and the laws that hold for every start."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.kernel.durations import (
    OFFICE_HOURS,
    Duration,
    WorkingCalendar,
    add_working,
    due,
    due_at,
    moment,
    parse_duration,
    working_time,
)
from gridloop.kernel.errors import Invalid

NATIONAL_DAY = {date(2025, 10, d): "holiday" for d in range(1, 9)} | {date(2025, 9, 28): "makeup", date(2025, 10, 11): "makeup"}
CALENDAR = WorkingCalendar(days=NATIONAL_DAY)
STARTS = st.integers(0, 61 * 86_400).map(lambda seconds: datetime(2025, 9, 1, tzinfo=UTC) + timedelta(seconds=seconds))


def china(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize("word", ["15m", "4h", "2d", "4wh", "2wd", "0m", "100000wh"])
def test_words_are_read_and_written_back(word: str) -> None:
    assert str(parse_duration(word)) == word


@pytest.mark.parametrize("word", ["", "4", "h", "4 h", "-1d", "1.5h", "4weeks", "4WH", "1000000m", "100001d", "٤h", "4h2m"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_duration(word)
    assert refused.value.key == "kernel.duration"


@pytest.mark.parametrize(
    ("start", "word", "end"),
    [
        ("2025-09-26T17:00", "90m", "2025-09-26T18:30"),
        ("2025-09-30T23:00", "4h", "2025-10-01T03:00"),
        ("2025-09-26T10:00", "2d", "2025-09-28T23:59:59"),
        ("2025-09-26T23:59", "1d", "2025-09-27T23:59:59"),
        ("2025-09-24T11:00", "2wh", "2025-09-24T15:00"),  # one hour before noon, one after the break
        ("2025-09-24T11:00", "1wh", "2025-09-24T12:00"),
        ("2025-09-24T12:30", "1wh", "2025-09-24T15:00"),
        ("2025-09-24T20:00", "7wh", "2025-09-25T17:30"),
        ("2025-09-27T09:00", "1wh", "2025-09-28T09:30"),  # Saturday rests, Sunday 28 September is made up
        ("2025-09-30T17:00", "1wh", "2025-10-09T09:00"),  # over the whole holiday
        ("2025-09-30T09:00", "1wd", "2025-10-09T23:59:59"),
        ("2025-10-10T09:00", "1wd", "2025-10-11T23:59:59"),  # Saturday 11 October is made up
        ("2025-10-01T09:00", "0wd", "2025-10-09T23:59:59"),
        ("2025-10-01T09:00", "0wh", "2025-10-09T08:30"),
    ],
)
def test_limits_end_when_the_calendar_says(start: str, word: str, end: str) -> None:
    assert due_at(china(start), parse_duration(word), CALENDAR) == china(end)


def test_a_legal_limit_in_days_moves_off_a_rest_day() -> None:
    two_days = parse_duration("2d")
    assert due(china("2025-09-30T09:00"), two_days, CALENDAR).at == china("2025-10-02T23:59:59")
    assert due(china("2025-09-30T09:00"), two_days, CALENDAR, legal=True).at == china("2025-10-09T23:59:59")


def test_days_beyond_the_table_go_by_weekday_and_say_so() -> None:
    inside = due(china("2026-12-30T09:00"), parse_duration("1wd"), CALENDAR)
    beyond = due(china("2026-12-31T09:00"), parse_duration("1wd"), CALENDAR)
    assert (inside.assumed, beyond.assumed) == (False, True)
    assert beyond.at == china("2027-01-01T23:59:59")  # a Friday: only the table would know that it is New Year
    assert due(china("2027-06-01T09:00"), parse_duration("3h"), CALENDAR).assumed is False


def test_office_hours_follow_the_day_they_began() -> None:
    summer = ((time(8), time(11, 30)), (time(15), time(18)))
    calendar = WorkingCalendar(hours=((date(2000, 1, 1), OFFICE_HOURS), (date(2025, 7, 1), summer)))
    assert due_at(china("2025-06-30T07:00"), parse_duration("1wh"), calendar) == china("2025-06-30T09:30")
    assert due_at(china("2025-07-01T07:00"), parse_duration("1wh"), calendar) == china("2025-07-01T09:00")


@pytest.mark.parametrize("word", ["1wh", "1wd"])
def test_a_calendar_without_work_is_an_error_not_a_hang(word: str) -> None:
    never = WorkingCalendar(hours=((date(2000, 1, 1), ()),), days={})
    resting = WorkingCalendar(days={date(2025, 1, 1) + timedelta(days=i): "holiday" for i in range(50_000)})
    with pytest.raises(Invalid) as refused:
        due_at(china("2025-01-01T09:00"), parse_duration(word), never if word == "1wh" else resting)
    assert refused.value.key == "kernel.calendar_empty"


def test_an_amount_past_the_end_of_time_is_an_error() -> None:
    with pytest.raises(Invalid):
        due_at(datetime(9999, 12, 30, tzinfo=UTC), parse_duration("9d"), CALENDAR)


def test_reminders_fall_inside_office_hours() -> None:
    start, limit = china("2025-09-30T14:00"), parse_duration("7wh")
    end = due_at(start, limit, CALENDAR)
    assert end == china("2025-10-09T12:00")
    assert moment(start, end, 0.5, limit, CALENDAR) == china("2025-09-30T17:30")
    assert moment(start, end, 0.8, limit, CALENDAR) == china("2025-10-09T10:36")
    assert moment(start, end, 1.5, limit, CALENDAR) == china("2025-10-09T17:30")
    hours = parse_duration("4h")
    assert moment(start, due_at(start, hours, CALENDAR), 0.5, hours, CALENDAR) == china("2025-09-30T16:00")


@given(STARTS, STARTS, st.integers(0, 60), st.sampled_from(["m", "h", "d", "wh", "wd"]))
@settings(max_examples=150)
def test_law_a_later_start_never_ends_earlier(a: datetime, b: datetime, amount: int, unit: str) -> None:
    first, second = sorted((a, b))
    limit = Duration(amount, unit)
    assert due_at(first, limit, CALENDAR) <= due_at(second, limit, CALENDAR)


@given(STARTS, st.integers(0, 40), st.integers(0, 40), st.sampled_from(["m", "h", "d", "wh", "wd"]))
@settings(max_examples=150)
def test_law_limits_add_up(start: datetime, a: int, b: int, unit: str) -> None:
    through = due_at(due_at(start, Duration(a, unit), CALENDAR), Duration(b, unit), CALENDAR)
    if unit == "wd" and a == 0:  # 0wd on a rest day is the next working day, which then is the first day and not counted
        assert through >= due_at(start, Duration(b, unit), CALENDAR)
    else:
        assert through == due_at(start, Duration(a + b, unit), CALENDAR)


@given(STARTS, st.integers(0, 80))
@settings(max_examples=150)
def test_law_working_limits_end_at_work_and_last_as_long_as_they_say(start: datetime, amount: int) -> None:
    end = due_at(start, Duration(amount, "wh"), CALENDAR)
    assert any(begin <= end <= stop for begin, stop in CALENDAR.ranges(CALENDAR.local(end).date()))
    assert working_time(start, end, CALENDAR) == timedelta(hours=amount)
    last = CALENDAR.local(due_at(start, Duration(amount, "wd"), CALENDAR)).date()
    assert CALENDAR.is_working_day(last)


@given(STARTS, st.integers(1, 40), st.sampled_from(["m", "h", "d", "wh", "wd"]), st.floats(0, 2), st.floats(0, 2))
@settings(max_examples=150)
def test_law_reminders_keep_their_order(start: datetime, amount: int, unit: str, a: float, b: float) -> None:
    limit = Duration(amount, unit)
    end = due_at(start, limit, CALENDAR)
    low, high = sorted((a, b))
    assert moment(start, end, low, limit, CALENDAR) <= moment(start, end, high, limit, CALENDAR)
    assert start <= moment(start, end, 0.5, limit, CALENDAR) <= moment(start, end, 0.8, limit, CALENDAR) <= end


@given(STARTS, st.timedeltas(timedelta(), timedelta(hours=50)), st.timedeltas(timedelta(), timedelta(hours=50)))
@settings(max_examples=150)
def test_law_office_time_adds_up(start: datetime, a: timedelta, b: timedelta) -> None:
    assert add_working(add_working(start, a, CALENDAR), b, CALENDAR) == add_working(start, a + b, CALENDAR)
