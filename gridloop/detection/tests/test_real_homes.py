"""Real homes of people living alone (the data folder): the long silences of their sensors, and nothing else."""

from __future__ import annotations

import csv
import gzip
import itertools
from datetime import UTC, datetime

import pytest

from conftest import shared_data
from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.rules import DAY, HOUR, MINUTE, Detector, Pick
from gridloop.detection.tests.fitted import Fitted

SILENT = Detector("silent", 1, rules.Silence(Pick(), offset=0))
KINDS = {"contact": 0, "reed": 0, "Pressure": 1, "Magnetic": 0}


@pytest.mark.shared_data
def test_silences_of_a_day_are_found_at_the_day() -> None:
    homes: dict[str, list[tuple[int, str, str]]] = {}
    with gzip.open(shared_data() / "smart_home" / "events.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            homes.setdefault(row["home"], []).append((_moment(row["start"]), row["sensor"], row["type"]))
    silent = Detector("silent_home", 1, rules.Absence(Pick(), DAY), "home")
    found: dict[str, list[int]] = {}
    for home, events in homes.items():
        sensors = sorted({sensor for _, sensor, _ in events})
        engine = Engine([silent], lateness=MINUTE)
        engine.group("home", range(len(sensors)), [0] * len(sensors))
        events.sort()
        out = []
        for start in range(0, len(events), 50):
            time, sensor, kind = zip(*events[start : start + 50], strict=True)
            out += engine.step(Readings.of(time, [sensors.index(s) for s in sensor], [KINDS.get(k, 2) for k in kind]))
        out += engine.finish()
        assert engine.passed.late == 0
        found[home] = [alarm.at for alarm in out if alarm.what == "raised"]
        times = [at for at, *_ in events]
        assert found[home] == [a + DAY for a, b in itertools.pairwise(times) if b - a > DAY]
    assert {home: len(alarms) for home, alarms in found.items() if alarms} == {"kasteren_A": 3}


@pytest.mark.shared_data
def test_a_learned_silence_is_rare_where_nothing_is_wrong() -> None:
    """In the second half of each home, learned in the first: no alarm that no silence of a day explains.

    Where more hours are looked at, a silence of a day is known before the day is over.
    """
    for times in _moments().values():
        middle = (times[0] + times[-1]) // 2
        engine = Engine([SILENT, Detector("long", 1, rules.Silence(Pick(), over=24, offset=0))], lateness=0)
        out = engine.step(_readings(times)) + engine.finish()
        long = [(a, b) for a, b in itertools.pairwise(times) if b - a > DAY]
        raised, later = ([a.at for a in out if a.what == "raised" and a.at > middle and a.detector == name] for name in ("silent", "long"))
        assert [at for at in raised if not any(a < at <= b for a, b in long)] == []
        for begun in [a for a, _ in long if a > middle]:
            assert any(begun < at <= begun + DAY for at in later), "the routine knows before the day is over"


@pytest.mark.shared_data
@pytest.mark.parametrize("learns_on", [True, False])
def test_four_of_five_silences_put_into_waking_hours_are_found(learns_on: bool) -> None:
    """Eight hours from each full hour of 7 to 15 on, in which the home's diary has the person awake and at home for six.

    As at work, where it learns as it goes, and by what the first half of each home taught it alone.
    """
    gone = _gone()
    found, wrong = [], 0
    for home, times in _moments().items():
        middle = (times[0] + times[-1]) // 2
        around = (lambda _, part: part) if learns_on else Fitted(middle)
        engine, done = Engine([SILENT], lateness=0, around=around), 0
        for start in _begins(times):
            end = start + 8 * HOUR
            raised = engine.step(_readings([at for at in times if done <= at < start])) + engine.finish(start - 1)
            long = [(a, b) for a, b in itertools.pairwise(times) if b - a > DAY]
            wrong += sum(a.what == "raised" and a.at > middle and not any(x < a.at <= y for x, y in long) for a in raised)
            done = start
            out = sum(max(0, min(end, till) - max(start, since)) for since, till in gone[home])
            if out <= 2 * HOUR and any(start <= at < end for at in times):
                without = Engine([SILENT], lateness=0, around=around)
                without.restore(engine.snapshot())
                found.append(any(alarm.what == "raised" for alarm in without.finish(end)))
    assert len(found) > 80
    assert sum(found) >= 0.8 * len(found)
    assert wrong == 0, "in a month less two days"


def _readings(times: list[int]) -> Readings:
    return Readings.of(times, [0] * len(times), [0] * len(times), id=times)


def _begins(times: list[int]) -> list[int]:
    """The full hours of the second half from which eight more are to come."""
    middle = (times[0] + times[-1]) // 2
    days = range(middle // DAY + 1, times[-1] // DAY + 1)
    return [start for day in days for hour in range(7, 16) if (start := day * DAY + hour * HOUR) + 8 * HOUR <= times[-1]]


def _gone() -> dict[str, list[tuple[int, int]]]:
    """When each home's person was out or asleep, by the diary."""
    gone: dict[str, list[tuple[int, int]]] = {}
    with gzip.open(shared_data() / "smart_home" / "activities.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["activity"].startswith(("go to bed", "Sleeping", "leave house", "Leaving", "Going out")):
                gone.setdefault(row["home"], []).append((_moment(row["start"]), _moment(row["end"])))
    return gone


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def _moments() -> dict[str, list[int]]:
    homes: dict[str, list[int]] = {}
    with gzip.open(shared_data() / "smart_home" / "events.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            homes.setdefault(row["home"], []).append(_moment(row["start"]))
    return {home: sorted(times) for home, times in homes.items()}
