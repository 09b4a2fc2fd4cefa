"""How well devices have been, by the changes that were told: shares of days, counts back in time, the worst."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer
from gridloop.orgs.tests import cast as county
from gridloop.registry import actions, selectors
from gridloop.registry.briefs import StatusChange
from gridloop.registry.health import days_of
from gridloop.registry.models import DeviceChange
from gridloop.registry.tests import cast

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # 12:00 in China
DOOR = Viewer("ingest", permissions=frozenset({"signals.write"}))


@pytest.fixture
def lived() -> None:
    """A detector heard at noon, silent from 18:00 to midnight and again for an hour of the day after; now it is noon of that day."""
    cast.settle()
    with clock.fixed(NOON):
        actions.devices_heard(DOOR, [("smoke-1", NOON, 1.0)])
    for hours, status in ((6, "silent"), (12, "online"), (13, "silent"), (14, "online")):
        with clock.fixed(NOON + timedelta(hours=hours)):
            actions.set_device_status(SYSTEM, "smoke-1", status)


@pytest.mark.django_db
@pytest.mark.usefixtures("lived")
def test_a_day_is_worth_what_was_heard_of_it() -> None:
    with clock.fixed(NOON + timedelta(hours=24)):
        days = selectors.device_health(SYSTEM, "smoke-1", 3)
        assert [(d.day, d.online, d.failures) for d in days] == [
            (date(2026, 3, 2), 0.5, 1),  # six of the twelve hours since it was first heard
            (date(2026, 3, 3), round(11 / 12, 4), 1),  # all but an hour of the half day so far
        ]
        assert selectors.device_health(SYSTEM, "level-1", 3) == [], "never heard is not away"
        with pytest.raises(NotFound):
            selectors.device_health(cast.viewer(county.OTHER_VILLAGE), "smoke-1")


@pytest.mark.django_db
@pytest.mark.usefixtures("lived")
def test_the_counts_go_back_in_time() -> None:
    with clock.fixed(NOON + timedelta(hours=24)):
        days, worst = selectors.device_trend(SYSTEM, days=3)
        assert [(d.day.day, d.counts["online"], d.counts["unproved"], d.counts["silent"], d.failures) for d in days] == [
            (2, 0, 1, 1, 1),
            (3, 1, 1, 0, 1),
        ], "the day before the first was heard is none"
        assert [(w.code, w.status, w.failures) for w in worst] == [("smoke-1", "online", 2)]
        assert selectors.device_trend(SYSTEM, kind="rain", days=2)[1] == []
        days, worst = selectors.device_trend(cast.viewer(county.OTHER_VILLAGE), days=2)
        assert worst == []
        assert [sum(d.counts.values()) for d in days] == [1], "the water level alone, never heard: today as it is"


@pytest.mark.django_db
@pytest.mark.usefixtures("lived")
def test_changes_are_seen_with_their_device_and_go_when_their_time_is_over() -> None:
    with scoped(PUBLIC):
        assert DeviceChange.objects.count() == 0
    with scoped(cast.viewer(county.GRID)):
        assert DeviceChange.objects.count() == 5
    with clock.fixed(NOON + timedelta(days=90, hours=7)):
        assert actions.forget_changes(dry=True) == 2
        assert actions.forget_changes() == 2
    with scoped(SYSTEM):
        assert DeviceChange.objects.count() == 3


@given(st.lists(st.tuples(st.integers(0, 71), st.sampled_from(("online", "silent", "faulty"))), max_size=8, unique_by=lambda c: c[0]))
def test_the_shares_of_the_days_are_the_share_of_the_hours(told: list[tuple[int, str]]) -> None:
    start, status, changes, hours = NOON, "unproved", [], []
    by_hour = dict(told)
    for hour in range(72):
        if (after := by_hour.get(hour, status)) != status:
            changes.append(StatusChange(start + timedelta(hours=hour), status, after))
            status = after
        hours.append(status == "online")
    spans = [(date(2026, 3, n + 1), start + timedelta(days=n), start + timedelta(days=n + 1)) for n in range(3)]
    found = days_of(spans, changes, status)
    assert [d.online for d in found] == [round(sum(hours[24 * n : 24 * n + 24]) / 24, 4) for n in range(3)]
    assert sum(d.failures for d in found) == sum(c.after in ("silent", "faulty") for c in changes)
