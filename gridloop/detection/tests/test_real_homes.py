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
from gridloop.detection.rules import DAY, MINUTE, Detector, Pick

KINDS = {"contact": 0, "reed": 0, "Pressure": 1, "Magnetic": 0}


@pytest.mark.shared_data
def test_silences_of_a_day_are_found_at_the_day() -> None:
    homes: dict[str, list[tuple[int, str, str]]] = {}
    with gzip.open(shared_data() / "smart_home" / "events.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["start"]).replace(tzinfo=UTC)
            homes.setdefault(row["home"], []).append((int(at.timestamp() * 1000), row["sensor"], row["type"]))
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
    """In the second half of each home, learned in the first: at most one alarm a month that no silence of a day explains."""
    for times in _moments().values():
        middle = (times[0] + times[-1]) // 2
        engine = Engine([Detector("silent", 1, rules.Silence(Pick(), offset=0))], lateness=0)
        out = engine.step(Readings.of(times, [0] * len(times), [0] * len(times), id=range(len(times)))) + engine.finish()
        long = [(a, b) for a, b in itertools.pairwise(times) if b - a > DAY]
        raised = [alarm.at for alarm in out if alarm.what == "raised" and alarm.at > middle]
        assert len([at for at in raised if not any(a < at <= b for a, b in long)]) <= 1
        for begun in [a for a, _ in long if a > middle]:
            assert any(begun < at <= begun + DAY for at in raised), "the routine knows before the day is over"


def _moments() -> dict[str, list[int]]:
    homes: dict[str, list[int]] = {}
    with gzip.open(shared_data() / "smart_home" / "events.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            homes.setdefault(row["home"], []).append(int(datetime.fromisoformat(row["start"]).replace(tzinfo=UTC).timestamp() * 1000))
    return {home: sorted(times) for home, times in homes.items()}
