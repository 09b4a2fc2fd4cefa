"""When a notice goes out and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.kernel.durations import WorkingCalendar
from gridloop.notices.rules import MOST_ATTEMPTS, Quiet, first_at, next_pause, wait_words

CALENDAR = WorkingCalendar()
NIGHT = Quiet.parse("22:00-07:00")


def at(hour: int, minute: int = 0) -> datetime:
    """Local time in Shanghai on 1 May."""
    return datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=hour - 8, minutes=minute)


def sent(now: datetime, audience: str = "reporter", channel: str = "sms", urgent: bool = False, quiet: Quiet = NIGHT) -> datetime:
    return first_at(now, quiet, CALENDAR, audience=audience, channel=channel, urgent=urgent)


@pytest.mark.parametrize(("hour", "expected"), [(12, 12), (22, 31), (23, 31), (3, 7), (7, 7), (21, 21)])
def test_people_at_home_are_told_in_the_morning(hour: int, expected: int) -> None:
    assert sent(at(hour)) == at(expected)


def test_those_on_duty_urgent_ones_and_silent_channels_are_not_held_back() -> None:
    assert sent(at(23), audience="lead") == at(23)
    assert sent(at(23), urgent=True) == at(23)
    assert sent(at(23), channel="app") == at(23)
    assert sent(at(23), quiet=Quiet.parse("00:00-00:00")) == at(23)


@given(st.integers(0, 2879))
def test_a_held_back_notice_goes_out_within_a_day_and_never_in_quiet_hours(minutes: int) -> None:
    now = at(0) + timedelta(minutes=minutes)
    then = sent(now)
    assert now <= then < now + timedelta(days=1)
    assert not NIGHT.holds(CALENDAR.local(then))


@pytest.mark.parametrize("text", ["", "22", "22:00", "22:00-25:00"])
def test_hours_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|hour"):
        Quiet.parse(text)


def test_pauses_grow_and_end() -> None:
    pauses = [p for n in range(1, MOST_ATTEMPTS) if (p := next_pause(n))]
    assert pauses[0] == timedelta(seconds=30)
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=4)
    assert next(n for n in count(1) if next_pause(n) is None) == MOST_ATTEMPTS


def test_waits_are_said_in_words() -> None:
    assert (wait_words("5m", "zh"), wait_words("2wd", "en")) == ("5 分钟", "2 working days")
