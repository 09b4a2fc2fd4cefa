"""Devices whose clock, unit or counter is wrong are told to a person, for as long as it lasts and each reading once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gridloop.cases.tests.kit import Cast
from gridloop.detection.rules import Detector
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.sdk.signals import Signal
from gridloop.signals import selectors
from gridloop.signals.actions import forget_irregular
from gridloop.signals.detecting import AtWork
from gridloop.signals.irregular import ALL as EVERY
from gridloop.signals.irregular import Doubt, Noting, day_before, device_doubts, doubts_of
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Irregular
from gridloop.signals.sharing import Crew
from gridloop.signals.tests.homes import ALL, DOOR, SILENT, START, reading, register, sensor
from gridloop.signals.tests.test_detect import run
from gridloop.signals.tests.test_share import at_once, is_over  # noqa: F401

METER, STATE = "electricity_use", "electricity_total"


def doctor() -> list[str]:
    with scoped(SYSTEM):
        lines = selectors.doctor(SYSTEM)
    return [f"{level} {say(key, 'en', **params)}" for level, _, key, params in lines if key.startswith("signals.doctor_")]


@pytest.fixture(params=["one lane", "lanes", "lanes, one killed", "lanes come later"])
def wrong(request: pytest.FixtureRequest, county: Cast, log: PostgresLog) -> int:
    """Of five homes one is hours late, one ahead, one meter sends Wh, one has a counter that runs back; the last is late once. Three more

    meters send their state: one is reset now and then, one counts Wh, one runs over its end. How many steps of a state were seen.
    """
    register(8)
    load(SYSTEM, [sensor(f"h{n:03d}", METER, interval=900) for n in (2, 3, 4)])
    load(SYSTEM, [sensor(f"h{n:03d}", STATE, interval=900) for n in (5, 6, 7)])
    detectors = [*ALL] if request.param != "lanes come later" else [SILENT]
    one = request.param == "one lane"
    workers = [worker(name, one, detectors) for name in ("first", "second")[: 1 if one else 2]]
    begin(log, workers)
    for n in range(30):
        send(log, n)
        if n == 10:
            now = START + timedelta(minutes=5 * n)
            with clock.fixed(now + timedelta(minutes=1)):
                log.append([reading("h004", DOOR, now)])  # again
            let(workers, now + timedelta(minutes=2))
            detectors[:] = ALL
            if request.param == "lanes, one killed":  # what it has counted and not stored is counted by who follows
                is_over("first")
            else:
                workers[0].end()
            workers[0] = worker("another", one, detectors)
            if request.param == "lanes come later":  # they begin where it stands
                let(workers, now + timedelta(minutes=2))
    let(workers, START + timedelta(minutes=160))
    for each in workers:
        each.end()
    return 28 if request.param == "lanes come later" else 29


def worker(name: str, one: bool, detectors: Sequence[Detector]) -> AtWork | Crew:
    return AtWork(name, lambda: tuple(detectors)) if one else Crew(name, lambda: tuple(detectors))


def begin(log: PostgresLog, workers: Sequence[AtWork | Crew]) -> None:
    with clock.fixed(START - timedelta(minutes=1)):
        log.append([Signal("x", "test", "", "note", START)])
    let(workers, START)


def let(workers: Sequence[AtWork | Crew], at: datetime) -> None:
    with clock.fixed(at):
        for _ in range(3):
            for each in workers:
                while each.turn():
                    pass


def send(log: PostgresLog, n: int) -> None:
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
                reading("h005", STATE, now, 50 + 0.1 * (n % 10)),
                reading("h006", STATE, now, 75.0 * n),
                reading("h007", STATE, now, (99_999 + 0.1 * n) % 100_000),
                reading("h004", DOOR, late if n == 3 else now),
                reading("nobody", DOOR, now),
            ]
        )


def test_each_is_told_to_a_person_and_to_the_doctor(wrong: int, county: Cast) -> None:
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
    assert device_doubts(county.operator, f"h005-{STATE}", until) == [Doubt("reset", 2, 0.0667, False)]
    (states,) = device_doubts(county.operator, f"h006-{STATE}", until)
    assert (states.why, states.count, states.mostly) == ("unit", wrong, True)
    assert device_doubts(county.operator, f"h007-{STATE}", until) == []
    (once,) = device_doubts(county.operator, "h004-door_open", until)
    assert (once.why, once.count, once.mostly) == ("late", 1, False)
    assert device_doubts(county.operator, f"h004-{METER}", until) == []
    lines = doctor()
    assert any(line.startswith("warn irregular readings of the last day: 31 late, 30 ahead") for line in lines)
    assert [line.split(":")[0] for line in lines if "of a day" in line] == [
        "warn h000-door_open",
        "warn h001-door_open",
        f"warn h002-{METER}",
        f"warn h006-{STATE}",
        f"warn h003-{METER}",
    ]
    with scoped(SYSTEM):
        assert selectors.detecting(SYSTEM).passed == {
            "late": 31, "ahead": 30, "flood": 0, "unit": 30 + wrong, "reset": 24, "again": 1, "unknown": 30
        }  # fmt: skip


def test_a_day_later_nobody_is_warned_of_it_and_the_totals_stay(wrong: int, county: Cast, log: PostgresLog) -> None:
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


def test_a_device_one_does_not_see_is_not_there(wrong: int, county: Cast) -> None:
    with pytest.raises(NotFound):
        device_doubts(county.operator, "nobody", START)


def test_of_many_devices_the_gravest_are_told_and_figures_read_none(county: Cast, django_assert_num_queries: Any) -> None:
    """As many as there are, no more than the few that are named come out of the database."""
    counts = {f"m{n:04d}": {"late": 1 + n % 97, "reset": n % 7, EVERY: 100} for n in range(3000)}
    rows = [(f"m{n:04d}", why, count) for n, of in enumerate(counts.values()) for why, count in of.items() if count]
    with scoped(SYSTEM):
        for hour in range(2):
            noting = Noting(_rows=[*rows, ("", "unknown", 5)])
            noting.write(START - timedelta(hours=hour))
        Noting(_rows=[("m0001", "late", 10**6)]).write(START - timedelta(hours=24))
        twice = {code: {why: 2 * count for why, count in of.items()} for code, of in counts.items()}
        with django_assert_num_queries(3):
            found = day_before(START, 10)
    late, reset = (sum(of[why] for of in twice.values()) for why in ("late", "reset"))
    assert found.counts == {"late": late, "reset": reset, "unknown": 10}
    of_all = {code: of["late"] + of["reset"] for code, of in twice.items()}
    assert found.worst == sorted(of_all.items(), key=lambda one: (-one[1], one[0]))[:3]
    gravest = sorted(twice, key=lambda code: (-twice[code]["late"], code))[:10]
    assert found.doubtful == [(code, one) for code in gravest for one in doubts_of(twice[code]) if one.mostly]
    assert [one.why for _, one in found.doubtful] == ["late"] * 10
    with scoped(SYSTEM), CaptureQueriesContext(connection) as asked:
        assert selectors.detecting(SYSTEM).held == {}
    assert asked.captured_queries
    assert not any("signals_irregular" in one["sql"] for one in asked.captured_queries)


def test_what_retention_would_remove_is_known_before_and_then_goes(county: Cast) -> None:
    with scoped(SYSTEM):
        for days in (0, 1, 40, 41):
            Noting(_rows=[("m1", "late", 1), ("m2", "late", 2)]).write(clock.now() - timedelta(days=days))
    assert forget_irregular(0, dry=True) == 4
    assert [forget_irregular(3), forget_irregular(3)] == [3, 1]
    assert forget_irregular(0, dry=True) == 0
    with scoped(SYSTEM):
        assert Irregular.objects.count() == 4
