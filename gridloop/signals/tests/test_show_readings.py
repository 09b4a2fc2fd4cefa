"""What a device has said, for a chart: from files and from the log, each reading once, and a household's for a purpose only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from gridloop.access.models import LookLog
from gridloop.access.selectors import looks
from gridloop.cases.tests.kit import Cast
from gridloop.doors.cli.database import Urls
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.messages import BuildingRow, HouseholdRow, HouseRow
from gridloop.sdk.signals import partition_of_name
from gridloop.sdk.testing.signal_log import signal
from gridloop.signals import history, readings, source
from gridloop.signals.api import readings_told
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
    for lang, called in (("zh", ("雨量", "mm")), ("en", ("Rain", "mm"))):
        (told,) = readings_told(found, lang)["series"]
        assert (told["title"], told["unit"], told["count"]) == (*called, 5)
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


def test_what_was_said_before_there_were_more_partitions_is_still_found(
    log: PostgresLog, county: Cast, history_folder: Path, database_urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by the old number and by the new one, in the files and in the log; what was sent again after all that is no new reading."""
    many = 4 + next(n for n in range(1, 60) if partition_of_name("cam-1", 4 + n) != partition_of_name("cam-1", 4))
    said(log, 1, 200, 1.0)
    said(log, 2, 190, 2.0)
    written()
    said(log, 3, 20, 3.0)
    with ConnectionPool(database_urls.ingest, min_size=1, max_size=1, open=True) as pool:
        grown = PostgresLog(pool.connection, many)
        said(grown, 4, 10, 4.0)
        with clock.fixed(NOON - timedelta(minutes=9)):
            grown.append([signal(5, device="cam-1", at=NOON - timedelta(minutes=sent), value=9.0, kind="rain") for sent in (200, 20, 10)])
    monkeypatch.setenv("GRIDLOOP_SIGNAL_PARTITIONS", str(many))
    with clock.fixed(NOON):
        (rain,) = readings.readings(county.operator, "cam-1", 24).series
    assert rain.count == 4
    with clock.fixed(NOON + timedelta(hours=2)):
        while history.write_hours("test"):
            pass
        (rain,) = readings.readings(county.operator, "cam-1", 24).series
    assert [((NOON - p.at).total_seconds() / 60, p.count) for p in rain.points] == [(200, 1), (190, 1), (20, 1), (10, 1)]


@pytest.mark.parametrize("before", [True, False], ids=["before the files are read", "after the files are read"])
def test_an_hour_written_while_somebody_looks_is_not_missing(
    log: PostgresLog, county: Cast, history_folder: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    for number in range(5):
        said(log, number, 200 - number, float(number))
    real = readings._written

    def write() -> None:
        with clock.fixed(NOON):
            while history.write_hours("beside"):
                pass
        connection.close()

    def beside(*asked: Any) -> Iterator[Any]:
        for look in (False, True) if before else (True, False):
            if look:
                yield from real(*asked)
            else:
                writer = Thread(target=write)
                writer.start()
                writer.join()

    monkeypatch.setattr(readings, "_written", beside)
    with clock.fixed(NOON):
        (rain,) = readings.readings(county.operator, "cam-1", 24).series
    assert list(history_folder.glob("*/*/*.parquet"))
    assert rain.count == 5


def test_the_log_is_read_in_pages_up_to_a_bound(
    log: PostgresLog, county: Cast, history_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        said(log, number, 30 - number)
    monkeypatch.setattr(source, "AT_ONCE", 2)
    for most, count in ((20, 7), (4, 4)):
        monkeypatch.setattr(readings, "MOST_BATCHES", most)
        with clock.fixed(NOON):
            (rain,) = readings.readings(county.operator, "cam-1", 1).series
        assert rain.count == count


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
