"""A home whose silences were found harmless must be silent for longer before somebody is sent again."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from gridloop.cases.tests.kit import Cast
from gridloop.detection.rules import HARMLESS
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.messages import HouseholdRow, PersonRow
from gridloop.signals import outcomes
from gridloop.signals.detecting import AtWork
from gridloop.signals.judging import KNOWN, NORMAL
from gridloop.signals.keys import harmless_silences
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm, Witness
from gridloop.signals.tests.homes import GRID, START, reading, sensor
from gridloop.signals.tests.test_alarms_become_cases import at, put, work_until

QUIET = "silent_home.too_quiet"


def ended(home: str, outcome: str, reason: str = "", days_ago: float = 10, detector: str = QUIET, cases: int = 1) -> None:
    when = START - timedelta(days=days_ago)
    with scoped(SYSTEM):
        for _ in range(cases):
            Witness.objects.create(
                case_code=str(uuid4()),
                detector=detector,
                device=f"{home}:motion",
                key=home,
                region=GRID,
                at=when,
                outcome=outcome,
                reason=reason,
                decided_at=when,
            )


def test_what_counts_is_harmless_recent_and_since_the_last_true_one(county: Cast) -> None:
    ended("one", "false", NORMAL, cases=2)
    ended("one", "false", KNOWN, detector="silent_home.no_trace")
    ended("one", "false", "device")
    ended("one", "false", NORMAL, detector="smoke.smoke")
    ended("one", "unclear")
    ended("two", "false", NORMAL, days_ago=91)
    ended("three", "false", NORMAL, days_ago=20)
    ended("three", "true", days_ago=15)
    ended("three", "false", NORMAL, days_ago=5)
    assert harmless_silences([QUIET, "silent_home.no_trace"], START) == {"one": 3, "three": 1}
    assert harmless_silences([QUIET], START - timedelta(days=12)) == {"two": 1}, "as it was known then"


def test_a_home_found_well_is_silent_for_longer_before_an_alarm(packs: None, log: PostgresLog) -> None:
    homes = ("one", "two")
    load(SYSTEM, [HouseholdRow(code=code, house="", region_code=GRID) for code in homes])
    load(SYSTEM, [PersonRow(code=f"p-{home}", name="甲", region_code=GRID, household=home) for home in homes])
    load(SYSTEM, [sensor(home, "motion") for home in homes])
    ended("two", "false", NORMAL, cases=5)
    work = AtWork("test", outcomes.matcher().detectors)
    days = 12
    put(log, *(reading(home, "motion", at(hour + 0.1)) for home in homes for hour in range(24 * days)))
    work_until(at(24 * days), work)
    assert work.engine.known_facts("household")[HARMLESS][work.keys.numbers["household"]["two"]] == 5
    work_until(at(24 * days + 9), work)
    with scoped(SYSTEM):
        began = dict(Alarm.objects.filter(detector=QUIET).values_list("key", "start"))
    assert at(24 * days + 1) < began["one"] < began["two"] <= at(24 * days + 9)
    work.end()
