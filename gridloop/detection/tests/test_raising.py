"""Alarms: what one is called, how it gets worse, how long it keeps quiet; and definitions that cannot be meant."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time
from random import Random

import numpy as np
import pytest

from gridloop.detection import rules
from gridloop.detection.columns import NEVER, Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import alarm_id
from gridloop.detection.rules import DAY, HOUR, MINUTE, Condition, Detector, Pick, Step
from gridloop.detection.schedules import REST, WORKING, Schedule, Span
from gridloop.detection.snapshots import unpacked
from gridloop.detection.tests.reference import alarms
from gridloop.detection.tests.streams import END, WORLD, Arrival, busy, columns, engine_for, found

DOOR, WATER, GAS, POWER, LEVEL = range(5)
SEEN = rules.Count(Pick(), 1, 5)


def ms(day: int, hour: int, minute: int = 0) -> int:
    """A moment of November 2025 in UTC; the 3rd is a Monday."""
    return int(datetime(2025, 11, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


def test_silent_home() -> None:
    """No door, no water, no gas, no electricity for 24 hours: one alarm, at the minute, until the door opens."""
    home = Detector("silent_home", 3, rules.Absence(Pick((DOOR, WATER, GAS, POWER)), DAY), "home", severity=2)
    engine = Engine([home], lateness=MINUTE)
    engine.group("home", range(8), [0] * 4 + [1] * 4)
    engine.enroll("home", [2], ms(3, 0))
    day = [(ms(3, 1), 0, DOOR), (ms(3, 5), 1, WATER), (ms(3, 7), 4, DOOR), (ms(4, 6, 59), 7, POWER), (ms(4, 23), 0, DOOR)]
    out = engine.step(Readings.of(*zip(*day, strict=True))) + engine.finish(ms(5, 1))
    assert [(a.key, a.at, a.what) for a in out] == [
        (2, ms(4, 0), "raised"),  # nothing was ever read of it
        (0, ms(4, 5), "raised"),
        (0, ms(4, 23), "cleared"),
    ]


def test_who_is_enrolled_later_is_waited_for_from_now() -> None:
    engine = Engine([Detector("silent", 1, rules.Absence(Pick(), 100))], lateness=0, grid=1)
    engine.step(Readings.of([1000], [0], [0]))
    engine.enroll("device", [1, 0], 10)  # what lies before the watermark has been told
    engine.enroll("device", [2], 1050)
    assert [(a.key, a.at) for a in engine.finish(1200)] == [(0, 1100), (1, 1100), (2, 1150)]


def test_away_home_is_asked_when_its_people_should_be_back() -> None:
    away = rules.Unless(rules.Absence(Pick(), DAY), "away_from", "away_to")
    engine = Engine([Detector("silent", 1, away)], lateness=0)
    engine.facts("device", "away_from", [ms(3, 0), ms(3, 0), np.nan])
    engine.facts("device", "away_to", [ms(6, 0), ms(3, 9), np.nan])
    out = engine.step(Readings.of([ms(3, 1)] * 3, [0, 1, 2], [0] * 3)) + engine.finish(ms(5, 0))
    assert [(a.key, a.at) for a in out] == [(1, ms(4, 1)), (2, ms(4, 1))]
    engine.facts("device", "away_to", [ms(8, 0), np.nan, np.nan])  # stays away for longer
    assert engine.finish(ms(7, 0)) == []
    engine.facts("device", "away_to", [ms(7, 12), np.nan, np.nan])
    assert [(a.key, a.at) for a in engine.finish(ms(9, 0))] == [(0, ms(7, 12))]


def test_a_fact_that_becomes_known_is_asked_again() -> None:
    engine = Engine([Detector("alone", 1, rules.Where(rules.Absence(Pick(), HOUR), "lives_alone", 1))], lateness=0, grid=1)
    engine.step(Readings.of([0, 0], [0, 1], [0, 0]))
    assert engine.tick(2 * HOUR) == []
    engine.facts("device", "lives_alone", [1])
    assert [(a.key, a.at) for a in engine.tick(3 * HOUR)] == [(0, 2 * HOUR)]


def test_severity_goes_up_and_is_told_once() -> None:
    level = Pick((LEVEL,))
    steps = (Step(2, rules.Threshold(level, 4.0)), Step(3, rules.Hold(rules.Threshold(level, 4.0), 50)))
    rule = Detector("water", 1, rules.Threshold(level, 3.0, clear=2.5), severity=1, steps=steps)
    engine = Engine([rule], lateness=0)
    times, values = [0, 10, 20, 30, 40, 100, 200], [2.0, 3.1, 4.2, 3.9, 4.1, 5.0, 1.0]
    out = engine.step(Readings.of(times, [0] * 7, [LEVEL] * 7, values)) + engine.finish()
    assert [(a.at, a.start, a.severity, a.what) for a in out] == [
        (10, 10, 1, "raised"),
        (20, 10, 2, "stepped"),
        (90, 10, 3, "stepped"),
        (200, 10, 3, "cleared"),
    ]


def test_quiet_after_an_alarm() -> None:
    engine = Engine([Detector("seen", 1, SEEN, quiet=30)], lateness=0)
    out = engine.step(Readings.of([0, 10, 20, 30, 59, 60], [0] * 6, [0] * 6)) + engine.finish(100)
    assert [(a.at, a.what) for a in out] == [(0, "raised"), (5, "cleared"), (30, "raised"), (35, "cleared")]
    assert engine.quieted == {"seen": 3}  # at 59 it held already when 60 came
    out = engine.step(Readings.of([200], [0], [0])) + engine.finish()
    assert [a.at for a in out] == [200]


def test_quiet_is_forgotten_when_it_is_over_and_not_before() -> None:
    engine = Engine([Detector("seen", 1, SEEN, quiet=10_000)], lateness=0)
    keys = np.arange(3000)
    out = []
    for begin in (0, 5_000, 20_000, 40_000):  # raised, too soon, raised, raised
        for some in np.array_split(keys, 10):
            out += engine.step(Readings.of(begin + some, some, np.zeros(len(some))))
    out += engine.finish(60_000)
    assert sum(a.what == "raised" for a in out) == 9000
    assert engine.quieted == {"seen": 3000}
    assert len(unpacked(engine.snapshot())["detector/0/raising/raised"]) < 6000


def test_several_detectors_tell_their_alarms_in_one_order() -> None:
    several = [
        Detector("hot", 1, rules.Threshold(Pick(), 2.0)),
        Detector("often", 2, rules.Count(Pick(), 2, 20), "place"),
        Detector("silent", 1, rules.Absence(Pick((0,)), 20)),
    ]
    readings = busy(7, 60)
    expected = alarms(several, readings, END, WORLD)
    assert {alarm.detector for alarm in expected} == {"hot", "often", "silent"}
    for seed in range(5):
        assert found(several, readings, Arrival(seed, 0.3, 9, 0.2, 3)) == expected


def test_devices_of_a_building_agree() -> None:
    """Three smoke detectors of one building over the limit within ten minutes."""
    several = rules.Distinct(Pick(at_least=0.1), 3, 10 * MINUTE, rules.DEVICE)
    engine = Engine([Detector("fire", 1, several, "building")], lateness=0)
    engine.group("building", [0, 1, 2, 3, 4], [0, 0, 0, 1, 1])
    minutes, devices, values = [0, 1, 2, 3, 4, 9], [0, 0, 1, 3, 4, 2], [0.2, 0.3, 0.2, 0.5, 0.6, 0.1]
    out = engine.step(Readings.of([m * MINUTE for m in minutes], devices, [0] * 6, values)) + engine.finish()
    assert [(a.key, a.at) for a in out] == [(0, 9 * MINUTE)]


def test_alarm_id_is_its_data() -> None:
    assert alarm_id("silent_home", 3, "H-12", 5) == hashlib.sha256(b'["alarm","silent_home",3,"H-12",5]').hexdigest()[:32]
    names = {alarm_id(d, v, k, s) for d in "ab" for v in (1, 2) for k in ("H-1", "H-12") for s in (1, 2)}
    assert len(names) == 16
    assert all(len(name) == 32 for name in names)


def test_schedule_over_midnight_and_on_days_of_rest() -> None:
    nights = Schedule((Span(time(22), time(6)),))
    assert nights.is_open([ms(3, 14), ms(3, 21, 59), ms(3, 22), ms(3, 13, 59)]).tolist() == [True, True, False, False]
    assert nights.next_open([ms(3, 13), ms(3, 15)]).tolist() == [ms(3, 14), ms(3, 15)]
    mixed = Schedule((Span(time(8), time(9), days=WORKING), Span(time(10), time(11), days=REST)))
    assert mixed.next_open([ms(7, 1), ms(8, 0), ms(10, 0)]).tolist() == [ms(8, 2), ms(8, 2), ms(10, 0)]
    never = Schedule((Span(time(8), time(9), frozenset({5}), WORKING),))
    assert never.next_open([ms(3, 0)]).tolist() == [NEVER]


@pytest.mark.parametrize(
    ("when", "word"),
    [
        (rules.Absence(Pick(), 0), "longer"),
        (rules.Count(Pick(), 0, 5), "least"),
        (rules.Count(Pick(), 65, 5), "least"),
        (rules.Distinct(Pick(), 2, 5, of="name"), "device, token"),
        (rules.Days(Pick(), 5, 3), "never come"),
        (rules.Days(Pick(), 5, 65), "64"),
        (rules.Threshold(Pick(), 1.0, direction="both"), "up, down"),
        (rules.Threshold(Pick(), 1.0, clear=2.0), "beyond its limit"),
        (rules.Rate(Pick(), 0, 5), "over 0"),
        (rules.Routine(Pick(), over=25), "over"),
        (rules.All(()), "1 to 16"),
        (rules.Not(SEEN), "before anything was read"),
        (rules.Where(rules.Not(SEEN), "alone", 1), "never begin"),
        (rules.Hold(rules.Any_((SEEN, rules.Hold(SEEN, -1))), 5), "longer"),
    ],
)
def test_what_cannot_be_meant_is_refused(when: Condition, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Engine([Detector("bad", 1, when)])


def test_ids_groupings_and_schedules_that_are_none() -> None:
    with pytest.raises(ValueError, match="same id"):
        Engine([Detector("a", 1, SEEN), Detector("a", 2, SEEN)])
    with pytest.raises(ValueError, match="grouping"):
        Engine([Detector("a", 1, SEEN)]).group("home", [1], [1])
    with pytest.raises(ValueError, match="weekdays"):
        Schedule((Span(time(1), time(2), frozenset({7})),))


def test_keys_come_in_any_order() -> None:
    """State grows with the numbers that appear, and nobody's is lost by it."""
    chance = Random(3)
    keys = chance.sample(range(5000), 40)
    engine = engine_for([Detector("silent", 1, rules.Absence(Pick(), 1000))], WORLD, 1)
    for number, key in enumerate(keys):
        engine.step(columns([r._replace(device=key, time=number) for r in busy(1, 1)]))
    assert sorted(a.key for a in engine.finish(2000) if a.key not in (0, 5)) == sorted(k for k in keys if k not in (0, 5))
