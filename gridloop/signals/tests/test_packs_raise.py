"""The program's own packs with detectors: readings become an alarm, the alarm becomes the pack's case, and its end is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases.models import Case, Source
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.messages import DeviceRow, HouseholdRow, PersonRow
from gridloop.scenes import selectors as scenes
from gridloop.sdk.signals import Signal
from gridloop.signals import outcomes
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm
from gridloop.signals.tests.homes import DOOR, GRID, PLACE, START, reading, sensor
from gridloop.signals.tests.test_alarms_become_cases import at, put, work_until
from gridloop.signals.tests.test_bad_days import said


def level(minutes: float, value: float) -> Signal:
    when = START + timedelta(minutes=minutes)
    return Signal(f"w:{minutes}", "test", "station-1", "water_level", when, value)


def test_rising_water_opens_one_case_that_becomes_more_urgent(packs: None, log: PostgresLog) -> None:
    load(
        SYSTEM,
        [
            DeviceRow(
                code="station-1", name="东桥水位站", kind="water_level", region_code=GRID, lon=PLACE[0], lat=PLACE[1], interval_seconds=300
            )
        ],
    )
    work = AtWork("test", outcomes.matcher().detectors)
    put(log, level(0, 2.1), level(5, 2.6), level(10, 2.7), level(16, 2.8))
    work_until(at(0.3), work)
    with scoped(SYSTEM):
        (case,) = Case.objects.all()
        assert (case.scene, case.same_thing, case.severity) == ("water_level", "station-1", 3), "it rose fast, too"
        assert case.title.startswith("水位超警戒（东桥水位站）")
    put(log, level(20, 3.6), level(25, 3.7), level(31, 3.7), level(40, 2.2))
    work_until(at(0.75), work)
    with scoped(SYSTEM):
        assert [(c.scene, c.severity) for c in Case.objects.all()] == [("water_level", 2)]
        (high,) = Alarm.objects.filter(detector="water_level.high_water")
        assert (high.start, high.ended) == (START + timedelta(minutes=15), START + timedelta(minutes=40))
        assert Source.objects.count() == 1
    work.end()


def test_a_silent_home_of_somebody_who_lives_alone(packs: None, log: PostgresLog) -> None:
    load(SYSTEM, [HouseholdRow(code=code, house="", region_code=GRID) for code in ("one", "two")])
    people = [("p1", "one"), ("p2", "two"), ("p3", "two")]
    load(SYSTEM, [PersonRow(code=code, name="甲", region_code=GRID, household=home) for code, home in people])
    load(SYSTEM, [sensor(home, kind) for home in ("one", "two") for kind in (DOOR, "motion")])
    work = AtWork("test", outcomes.matcher().detectors)
    put(log, *(reading(home, DOOR, at(0)) for home in ("one", "two")), reading("one", "motion", at(3)))
    work_until(at(3.1), work)
    work_until(at(28), work)
    with scoped(SYSTEM):
        (alarm,) = Alarm.objects.all()  # the home of two is nobody's worry, and no home has meters
        assert (alarm.detector, alarm.key, alarm.start) == ("silent_home.no_movement", "one", at(27))
        assert [(c.scene, c.same_thing, c.severity) for c in Case.objects.all()] == [("silent_home", "one", 2)]
    work.end()


def test_a_pack_that_names_an_unknown_kind_is_left_out_and_told(packs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade whose catalogue no longer has the kind."""
    before = {detector.id.split(".")[0] for detector in scenes.detectors(SYSTEM)}
    known = {name: kind for name, kind in scenes.kinds().items() if name != "water_level"}
    monkeypatch.setattr(scenes, "kinds", lambda: known)
    assert before - {detector.id.split(".")[0] for detector in scenes.detectors(SYSTEM)} == {"water_level"}
    (line,) = said(scenes.doctor(SYSTEM), "scenes.doctor_detect")
    assert line.startswith("BAD the detectors of pack water_level")
