"""A device goes to another home: its old home's silence is nobody's, its new home's alarms are at the right place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.briefs import DeviceKeys
from gridloop.signals.detecting import AtWork
from gridloop.signals.keys import Keys
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm
from gridloop.signals.tests.homes import BUSY, DOOR, SENSORS, SILENT, START, reading, receive, register, sensor
from gridloop.signals.tests.test_bad_days import at, sent
from gridloop.signals.tests.test_detect import begun, rows, run


def to_the_next_home() -> None:
    """All sensors of the first home."""
    load(SYSTEM, [replace(sensor("h000", kind), household="h001") for kind in SENSORS])


def test_a_home_left_by_its_last_device_raises_nothing_and_stops_nobody(county: Cast, log: PostgresLog) -> None:
    register(2)
    work = begun(log, [SILENT, BUSY])
    receive(log, [reading("h000", DOOR, START + timedelta(minutes=1))])
    run(work, START + timedelta(minutes=10))
    work.end()
    to_the_next_home()
    again = AtWork("again", lambda: [SILENT, BUSY])
    receive(log, [reading("h000", DOOR, at(2.9) + timedelta(minutes=n)) for n in range(5)])
    run(again, at(4))
    assert [(t.detector, t.key, t.what) for t in rows()] == [("homes.busy", "h001", "raised"), ("homes.busy", "h001", "cleared")]


def test_an_alarm_ends_when_the_last_device_of_its_home_goes_elsewhere(county: Cast, log: PostgresLog) -> None:
    register(2)
    work = begun(log, [SILENT])
    receive(log, [reading("h000", DOOR, START + timedelta(minutes=1))])
    run(work, at(3.5))
    assert [(t.key, t.what) for t in rows()] == [("h000", "raised")]
    to_the_next_home()
    work._look_around()
    run(work, at(3.6))
    assert [(t.key, t.what) for t in rows()] == [("h000", "raised"), ("h000", "cleared")]
    assert [s.data["what"] for s in sent(log)] == ["raised", "cleared"]
    with scoped(SYSTEM):
        assert not Alarm.objects.filter(ended=None).exists()


def test_a_home_speaks_by_a_device_it_still_has() -> None:
    def row(code: str, home: str, region: str) -> DeviceKeys:
        return DeviceKeys(1, code, region, 3600, home, None, None)

    keys = Keys()
    keys.learn([row("d1", "H1", "330101001001"), row("d2", "H1", "330101001001")], {"household"})
    keys.deserted = False
    keys.learn([row("d1", "H2", "330999999999")], {"household"})
    device = keys.device_of("household", keys.numbers["household"]["H1"])
    assert device is not None
    assert (keys.name("device", device), keys.regions[device]) == ("d2", "330101001001")
    assert not keys.deserted
    keys.learn([row("d2", "H2", "330999999999")], {"household"})
    assert keys.deserted
    assert not keys.has_device("household", "H1")
    assert keys.has_device("household", "H2")
