"""Devices whose clock, unit or counter is wrong are told to a person, for as long as it lasts and each reading once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.signals import selectors
from gridloop.signals.detecting import AtWork
from gridloop.signals.irregular import Doubt, device_doubts
from gridloop.signals.log import PostgresLog
from gridloop.signals.tests.homes import ALL, DOOR, START, reading, register, sensor
from gridloop.signals.tests.test_detect import begun, run

METER = "electricity_use"


def doctor() -> list[str]:
    with scoped(SYSTEM):
        lines = selectors.doctor(SYSTEM)
    return [f"{level} {say(key, 'en', **params)}" for level, _, key, params in lines if key.startswith("signals.doctor_")]


@pytest.fixture
def wrong(county: Cast, log: PostgresLog) -> AtWork:
    """Of five homes one is hours late, one ahead, one meter sends Wh, one has a counter that runs back; the last is late once."""
    register(5)
    load(SYSTEM, [sensor(f"h{n:03d}", METER, interval=900) for n in (2, 3, 4)])
    work = begun(log)
    for n in range(30):
        now = START + timedelta(minutes=5 * n)
        late = now - timedelta(hours=8)
        with clock.fixed(now):
            log.append(
                [
                    reading("h000", DOOR, late),
                    reading("h001", DOOR, now + timedelta(hours=8)),
                    reading("h002", METER, now, 75.0),
                    reading("h003", METER, now, -0.1 if n % 4 else 0.2),
                    reading("h004", METER, now, 0.075),
                    reading("h004", DOOR, late if n == 3 else now),
                ]
            )
        if n == 10:
            with clock.fixed(now + timedelta(minutes=1)):
                log.append([reading("h004", DOOR, now)])  # again
            run(work, now + timedelta(minutes=2))
            work.end()  # what was counted is counted once, whoever goes on
            work = AtWork("another", lambda: ALL)
    run(work, START + timedelta(minutes=160))
    work.end()
    return work


def test_each_is_told_to_a_person_and_to_the_doctor(wrong: AtWork, county: Cast) -> None:
    until = START + timedelta(minutes=160)
    found = {
        code: device_doubts(county.operator, code, until) for code in ("h000-door_open", "h001-door_open", f"h002-{METER}", f"h003-{METER}")
    }
    assert found == {
        "h000-door_open": [Doubt("late", 30, 1.0, True)],
        "h001-door_open": [Doubt("ahead", 30, 1.0, True)],
        f"h002-{METER}": [Doubt("unit", 30, 1.0, True)],
        f"h003-{METER}": [Doubt("reset", 22, 0.7333, True)],
    }
    (once,) = device_doubts(county.operator, "h004-door_open", until)
    assert (once.why, once.count, once.mostly) == ("late", 1, False)
    assert device_doubts(county.operator, f"h004-{METER}", until) == []
    lines = doctor()
    assert any(line.startswith("warn irregular readings of the last day: 31 late, 30 ahead") for line in lines)
    assert [line.split(":")[0] for line in lines if "of a day" in line] == [
        "warn h000-door_open",
        "warn h001-door_open",
        f"warn h002-{METER}",
        f"warn h003-{METER}",
    ]
    with scoped(SYSTEM):
        assert selectors.detecting(SYSTEM).passed == {
            "late": 31, "ahead": 30, "flood": 0, "unit": 30, "reset": 22, "again": 1, "unknown": 0
        }  # fmt: skip


def test_a_day_later_nobody_is_warned_of_it_and_the_totals_stay(wrong: AtWork, county: Cast, log: PostgresLog) -> None:
    work = AtWork("next day", lambda: ALL)
    later = START + timedelta(days=1, hours=4)
    with clock.fixed(later):
        log.append([reading("h004", DOOR, later)])
    run(work, later + timedelta(minutes=2))
    work.end()
    assert device_doubts(county.operator, "h000-door_open", later) == []
    assert [line for line in doctor() if "of a day" in line] == []
    assert any(line.startswith("ok irregular readings of the last day: 0 late") for line in doctor())
    with scoped(SYSTEM):
        assert selectors.detecting(SYSTEM).passed["late"] == 31


def test_a_device_one_does_not_see_is_not_there(wrong: AtWork, county: Cast) -> None:
    with pytest.raises(NotFound):
        device_doubts(county.operator, "nobody", START)
