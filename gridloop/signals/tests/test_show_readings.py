"""What a device has said, for a chart: from files and from the log, each reading once, and a household's for a purpose only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gridloop.access.models import LookLog
from gridloop.access.selectors import looks
from gridloop.cases.tests.kit import Cast
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.messages import BuildingRow, HouseholdRow, HouseRow
from gridloop.sdk.testing.signal_log import signal
from gridloop.signals import history, readings
from gridloop.signals.log import PostgresLog
from gridloop.signals.tests.conftest import EAST_GRID, HERE, device

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_SIGNAL_PARTITIONS", "4")


def said(
    log: PostgresLog, number: int, minutes_before_noon: float, value: float | None = 1.0, code: str = "cam-1", kind: str = "rain"
) -> None:
    at = NOON - timedelta(minutes=minutes_before_noon)
    with clock.fixed(at):
        log.append([signal(number, device=code, at=at, value=value, kind=kind)])


def written() -> None:
    with clock.fixed(NOON):
        while history.write_hours("test"):
            pass


def test_files_and_log_are_one_row_of_points(log: PostgresLog, county: Cast, history_folder: Path) -> None:
    for number, (minutes, value) in enumerate([(300, 1.0), (298, 4.0), (200, 2.0), (20, 6.0)]):
        said(log, number, minutes, value)
    said(log, 9, 200, 9.0, code="lamp-1")
    said(log, 10, 1500, 9.0)
    written()
    assert len(list(history_folder.glob("*/*/*.parquet"))) >= 2, "the hours that are over lie in files"
    said(log, 11, 5, 8.0)
    with clock.fixed(NOON):
        found = readings.readings(county.operator, "cam-1", 24)
    assert (found.step_seconds, found.hidden) == (300, False)
    (rain,) = found.series
    assert (rain.kind, rain.count) == ("rain", 5)
    assert [((NOON - p.at).total_seconds() / 60, p.low, p.mean, p.high, p.count) for p in rain.points] == [
        (300, 1.0, 2.5, 4.0, 2),
        (200, 2.0, 2.0, 2.0, 1),
        (20, 6.0, 6.0, 6.0, 1),
        (5, 8.0, 8.0, 8.0, 1),
    ]


def test_a_week_has_no_more_points_than_a_screen_shows_and_kinds_lie_apart(log: PostgresLog, county: Cast, history_folder: Path) -> None:
    for number in range(8):
        said(log, number, 7 * 24 * 60 - 60 - number * 1000, number, kind="rain")
    said(log, 20, 100, None, kind="motion")
    with clock.fixed(NOON):
        found = readings.readings(county.operator, "cam-1", 7 * 24)
    assert found.step_seconds == 1800
    assert [(s.kind, s.count, len(s.points)) for s in found.series] == [("rain", 8, 8), ("motion", 1, 0)]


def test_a_device_out_of_sight_is_none(log: PostgresLog, county: Cast, history_folder: Path) -> None:
    with pytest.raises(NotFound):
        readings.readings(county.west_operator, "cam-1", 24)
    with pytest.raises(NotFound):
        readings.readings(county.operator, "cam-9", 24)


@pytest.fixture
def home(log: PostgresLog, county: Cast, history_folder: Path) -> Cast:
    load(SYSTEM, [BuildingRow("B1", EAST_GRID, "一号楼", lon=HERE[0], lat=HERE[1]), HouseRow("H1", "B1", "101"), HouseholdRow("F1", "H1")])
    load(SYSTEM, [replace(device("door-1"), household="F1")])
    said(log, 1, 10, 1.0, code="door-1", kind="door_open")
    return county


def test_a_households_readings_are_hidden_until_there_is_a_purpose_and_a_reason(home: Cast) -> None:
    with clock.fixed(NOON):
        assert readings.readings(home.operator, "door-1", 24) == readings.Readings(NOON - timedelta(hours=24), NOON, 300, True, [])
        with pytest.raises(Invalid):
            readings.readings(home.operator, "door-1", 24, "visit", "")
        with pytest.raises(Invalid):
            readings.readings(home.operator, "door-1", 24, "curiosity", "想看看")
        assert LookLog.objects.count() == 0
        shown = readings.readings(home.operator, "door-1", 24, "visit", "独居老人未出门")
    assert [s.kind for s in shown.series] == ["door_open"]
    assert [(look.subject, look.purpose) for look in looks(home.auditor)] == [("household:F1", "visit")]


def test_who_sees_the_device_and_not_the_household_sees_no_readings_of_it(home: Cast) -> None:
    """A unit's own device stands in a home elsewhere: row security hides the home, and what the device says of it stays hidden, too."""
    load(SYSTEM, [replace(device("door-1"), household="F1", owner_unit="MUNICIPAL")])
    with clock.fixed(NOON):
        assert readings.readings(home.handler, "door-1", 24) == readings.Readings(NOON - timedelta(hours=24), NOON, 300, True, [])


def test_who_may_not_open_personal_data_sees_no_household(home: Cast) -> None:
    with pytest.raises(Forbidden):
        readings.readings(home.admin, "door-1", 24, "visit", "独居老人未出门")
