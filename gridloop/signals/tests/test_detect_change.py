"""A detector that is new or changed learns from history what it would know, and goes on with the alarms there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.detection import rules
from gridloop.detection.language import kind_number
from gridloop.detection.messages import CLEARED, RAISED
from gridloop.detection.rules import HOUR, MINUTE, Detector, Pick, Total
from gridloop.detection.schedules import Schedule, Span
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.sdk.signals import Signal
from gridloop.signals import alarms, detecting, history, past, selectors
from gridloop.signals.alarms import moment
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm, AlarmChange, Batch, HeldDetector
from gridloop.signals.tests.homes import (
    ALL,
    BUSY,
    DOOR,
    HOT,
    SILENT,
    START,
    TEMPERATURE,
    WATER,
    Told,
    day,
    pick,
    reading,
    receive,
    register,
    sensor,
)
from gridloop.signals.tests.test_bad_days import sent
from gridloop.signals.tests.test_detect import MINUTES, begun, expected, rows, run

HOMES = 24
CHANGE = START + timedelta(minutes=400)
END = START + timedelta(minutes=MINUTES + 30)
SOONER = replace(SILENT, version=2, when=rules.Absence(pick(DOOR, WATER), 2 * HOUR))
LATER = replace(SILENT, version=2, when=rules.Absence(pick(DOOR, WATER), 7 * HOUR))


def open_at(told: list[Told], at: object) -> dict[str, Told]:
    """Alarms that last at a moment, by key."""
    last = {t.key: t for t in told if t.at < at}  # type: ignore[operator]
    return {key: t for key, t in last.items() if t.what == RAISED}


def archive(at: datetime) -> None:
    with clock.fixed(at):
        while history.write_hours():
            pass


def lasting() -> dict[str, datetime]:
    """When the open alarms began, by key."""
    with scoped(SYSTEM):
        return {a.key: a.start for a in Alarm.objects.filter(ended=None)}


@pytest.mark.parametrize("archived", [False, True], ids=["from the log", "from the archive and the log"])
@pytest.mark.parametrize("second", [SOONER, LATER], ids=["sooner", "later"])
def test_a_changed_detector_goes_on_as_if_it_had_always_been_there(
    county: Cast, log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch, second: Detector, archived: bool
) -> None:
    register(HOMES)
    signals = day(HOMES, MINUTES)
    detectors = [SILENT, BUSY]
    work = begun(log, detectors)
    receive(log, signals)
    run(work, CHANGE)
    if archived:
        archive(CHANGE)
        monkeypatch.setattr(past, "_ROWS", 3)  # pieces of minutes
        assert len(list(history_folder.glob("*/*/*.parquet"))) > 10
    detectors[0] = second
    at = moment(work.engine.watermark)
    run(work, CHANGE)
    run(work, END)
    end = moment(work.engine.watermark - 1)

    old = [t for t in expected(signals, [SILENT], CHANGE + timedelta(days=1)) if t.at < at]
    new = expected(signals, [second], end)
    before, after = open_at(old, at), open_at(new, at)
    assert before.keys() ^ after.keys(), "the change is to begin or end something"
    assert before.keys() & after.keys() or second is LATER, "and to leave something"
    begun_then = {key: after[key].start for key in after.keys() - before.keys()}
    over_then = before.keys() - after.keys()

    with scoped(SYSTEM):
        alarms = list(Alarm.objects.filter(detector=SILENT.id))
    assert {(a.key, a.start) for a in alarms} == (
        {(t.key, t.start) for t in old if t.what == RAISED}
        | {(t.key, t.start) for t in new if t.what == RAISED and t.at >= at}
        | set(begun_then.items())
    )
    assert {(a.key, a.ended) for a in alarms if a.ended} == (
        {(t.key, t.at) for t in old if t.what == CLEARED}
        | {(t.key, t.at) for t in new if t.what == CLEARED and t.at >= at}
        | {(key, at) for key in over_then}
    )
    assert [t for t in rows() if t.detector == BUSY.id] == expected(signals, [BUSY], end), "the other goes on undisturbed"


def test_a_new_detector_tells_what_lasts_and_nothing_of_the_past(county: Cast, log: PostgresLog, history_folder: Path) -> None:
    register(HOMES)
    signals = day(HOMES, MINUTES)
    detectors = [BUSY]
    work = begun(log, detectors)
    receive(log, signals)
    run(work, CHANGE)
    detectors.append(SILENT)
    run(work, CHANGE + timedelta(seconds=1))
    at = moment(work.engine.watermark)
    lasting = open_at(expected(signals, [SILENT], CHANGE + timedelta(days=1)), at)
    assert lasting
    with scoped(SYSTEM):
        assert {a.key: a.start for a in Alarm.objects.filter(detector=SILENT.id)} == {key: t.start for key, t in lasting.items()}


def test_a_detector_that_is_gone_ends_its_alarms(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    detectors = [SILENT, HOT]
    work = begun(log, detectors)
    receive(log, day(HOMES, MINUTES))
    run(work, CHANGE)
    with scoped(SYSTEM):
        assert Alarm.objects.filter(detector=SILENT.id, ended=None).exists()
    del detectors[0]
    run(work, CHANGE + timedelta(seconds=1))
    with scoped(SYSTEM):
        assert not Alarm.objects.filter(detector=SILENT.id, ended=None).exists()
    del detectors[0]
    run(work, CHANGE + timedelta(seconds=2))
    with scoped(SYSTEM):
        assert not Alarm.objects.filter(ended=None).exists()
    assert work.leases is None, "nobody needs the partitions"


def test_a_schedule_read_anew_changes_nothing(county: Cast, log: PostgresLog) -> None:
    """As the scenes hand it out every minute; another one does change the detector."""
    schedules = [time(23)]

    def wanted() -> list[Detector]:
        return [replace(SILENT, when=rules.During(SILENT.when, Schedule((Span(time(0), schedules[0]),))))]

    register(1)
    with clock.fixed(START - timedelta(minutes=1)):
        log.append([reading("h000", DOOR, START - timedelta(minutes=1))])
    work = AtWork("test", wanted)
    run(work, START)
    engine = work.engine
    run(work, START + timedelta(minutes=5))
    assert work.engine is engine
    schedules[0] = time(22)
    run(work, START + timedelta(minutes=6))
    assert work.engine is not engine


@pytest.mark.parametrize("left", [[HOT], []], ids=["one stays", "none stays"])
def test_detectors_removed_while_nobody_is_at_work_end_their_alarms(county: Cast, log: PostgresLog, left: list[Detector]) -> None:
    register(HOMES)
    work = begun(log, [SILENT, HOT])
    receive(log, day(HOMES, MINUTES))
    run(work, CHANGE)
    with scoped(SYSTEM):
        lasting = set(Alarm.objects.filter(detector=SILENT.id, ended=None).values_list("id", flat=True))
        HeldDetector.objects.create(detector=SILENT.id, since=CHANGE, alarms=1)
    assert lasting
    work.end()
    run(AtWork("again", lambda: left), END)
    with scoped(SYSTEM):
        assert not Alarm.objects.filter(detector=SILENT.id, ended=None).exists()
        assert set(AlarmChange.objects.filter(alarm__in=lasting, what=CLEARED).values_list("sent", flat=True)) == {True}
        assert selectors.held_detectors(SYSTEM) == []


def test_what_was_read_before_the_first_start_counts(county: Cast, log: PostgresLog, history_folder: Path) -> None:
    """Three readings before anybody was at work, one after: together they are four in half an hour."""
    register(1)
    for minute in (0, 5, 10):
        receive(log, [reading("h000", DOOR, START + timedelta(minutes=minute))])
    work = AtWork("test", lambda: [BUSY])
    run(work, START + timedelta(milliseconds=10.6 * MINUTE))
    assert rows() == []
    receive(log, [reading("h000", DOOR, START + timedelta(minutes=15))])
    run(work, START + timedelta(minutes=20))
    assert [(t.what, t.at) for t in rows()] == [(RAISED, START + timedelta(minutes=15))]


STUCK = Detector("homes.stuck", 1, rules.Threshold(pick(TEMPERATURE), 60.0))
DAYS = timedelta(days=1)


@pytest.mark.parametrize("archived", [False, True], ids=["from the log", "from the archive"])
def test_what_has_lasted_for_longer_than_a_detector_remembers_survives_a_new_version(
    county: Cast, log: PostgresLog, history_folder: Path, archived: bool
) -> None:
    """A home silent for days, a level that was reported once: both go on, and end when something is read."""
    register(2)
    detectors = [SILENT, STUCK]
    work = begun(log, detectors)
    receive(log, [reading("h000", DOOR, START + timedelta(minutes=1)), reading("h001", TEMPERATURE, START + timedelta(minutes=2), 70.0)])
    now = START + 5 * DAYS
    run(work, now)
    before = lasting()
    assert before == {
        "h000": START + timedelta(hours=3, minutes=1),
        "h001": START + timedelta(hours=3, minutes=2),  # waited for since its thermometer was heard
        "h001-temperature": START + timedelta(minutes=2),
    }
    if archived:
        work._save_due = True
        run(work, now + timedelta(seconds=6))
        archive(now)
        with scoped(SYSTEM):
            Batch.objects.filter(at__lt=START + DAYS).delete()
    detectors[:] = [replace(one, version=2, severity=2) for one in detectors]
    run(work, now + timedelta(seconds=1))
    assert [one.id for one in work.detectors if one.version == 2] == [SILENT.id, STUCK.id]
    assert lasting() == before
    assert {s.data["what"] for s in sent(log)} == {RAISED}
    receive(log, [reading("h000", DOOR, now), reading("h001", TEMPERATURE, now, 20.0)])
    run(work, now + timedelta(minutes=5))
    assert lasting().keys() == {"h001"}


BAND = Detector("homes.band", 1, rules.Threshold(pick(TEMPERATURE), 60.0, 50.0))
RISEN = Detector("homes.risen", 1, rules.Rate(pick(TEMPERATURE), 20.0, 6 * HOUR, rules.UP))
METER = Total(kind_number("water_total"), kind_number(WATER), 5_000.0)
UNUSED = Detector("homes.unused", 1, rules.Absence(Pick(pick(WATER).kinds, at_least=5.0), 12 * HOUR), by="household", totals=(METER,))
UNUSED_METER = replace(UNUSED, id="homes.unused_meter", by="device")
LEFT_OPEN = Detector(
    "homes.left_open", 1, rules.Unanswered(Pick(pick(DOOR).kinds, at_least=1.0), Pick(pick(DOOR).kinds, at_most=0.0), HOUR)
)


@pytest.mark.parametrize("archived", [False, True], ids=["from the log", "from the archive"])
def test_what_was_said_since_without_deciding_anything_ends_nothing(
    county: Cast, log: PostgresLog, history_folder: Path, archived: bool
) -> None:
    """For days a value stays between the limits, water only drips, a door says that it is ajar: what holds since before goes on.

    One of the two meters sends its state.
    """
    register(4)
    load(SYSTEM, [sensor("h003", "water_total")])
    detectors = [BAND, RISEN, UNUSED, UNUSED_METER, LEFT_OPEN]
    work = begun(log, detectors)
    first = [
        reading("h000", TEMPERATURE, START + timedelta(minutes=1), 70.0),
        reading("h001", WATER, START + timedelta(minutes=1), 9.0),
        reading("h002", DOOR, START + timedelta(minutes=1), 1.0),
        reading("h002", TEMPERATURE, START + timedelta(minutes=1), 10.0),
        reading("h003", "water_total", START + timedelta(minutes=1), 700.0),
        reading("h003", "water_total", START + timedelta(minutes=2), 709.0),
    ]
    undecided = [
        reading(home, kind, START + timedelta(hours=hours), value)
        for hours in range(1, 5 * 24, 7)
        for home, kind, value in (("h000", TEMPERATURE, 55.0), ("h001", WATER, 0.1), ("h002", DOOR, 0.5))
    ]
    drips = [reading("h003", "water_total", START + timedelta(hours=hours), 709.0 + 0.1 * hours) for hours in range(1, 5 * 24, 7)]
    warmer = reading("h002", TEMPERATURE, START + timedelta(hours=6), 30.0)
    receive(log, sorted([*first, *undecided, *drips, warmer], key=lambda one: one.at))
    now = START + 5 * DAYS
    run(work, now)
    before = lasting()
    assert before == {
        "h000-temperature": START + timedelta(minutes=1),
        **dict.fromkeys(("h000", "h001", "h002"), START + timedelta(hours=12, minutes=1)),
        "h001-water_use": START + timedelta(hours=12, minutes=1),
        **dict.fromkeys(("h003", "h003-water_total"), START + timedelta(hours=12, minutes=2)),
        "h002-door_open": START + timedelta(hours=1, minutes=1),
        "h002-temperature": START + timedelta(hours=6),
    }
    if archived:
        work._save_due = True
        run(work, now + timedelta(seconds=6))
        archive(now)
        with scoped(SYSTEM):
            Batch.objects.filter(at__lt=now - DAYS).delete()
    detectors[:] = [replace(one, version=2, severity=2) for one in detectors]
    run(work, now + timedelta(seconds=1))
    assert {one.version for one in work.detectors} == {2}
    assert lasting() == before
    receive(log, [reading("h003", "water_total", now + timedelta(seconds=1), 709.0 + 0.1 * 113 + 4.0)])
    run(work, now + timedelta(minutes=5))
    assert lasting() == before, "less than the least since the last state"
    receive(log, [reading("h003", "water_total", now + timedelta(minutes=6), 709.0 + 0.1 * 113 + 10.0)])
    run(work, now + timedelta(minutes=10))
    assert before.keys() - lasting().keys() == {"h003", "h003-water_total"}


def test_a_silence_older_than_the_first_start_looks_back_is_found(county: Cast, log: PostgresLog, history_folder: Path) -> None:
    register(1)
    receive(log, [reading("h000", DOOR, START)])
    now = START + 9 * DAYS
    archive(now)
    with scoped(SYSTEM):
        Batch.objects.all().delete()
    run(AtWork("test", lambda: [SILENT]), now)
    assert lasting() == {"h000": START + timedelta(hours=3)}


def test_others_go_on_while_a_new_detector_learns(
    county: Cast, log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice of history in every turn. What is read meanwhile is learned, too."""
    monkeypatch.setattr(detecting, "WARM_SECONDS", 0)
    register(2)
    detectors = [BUSY]
    work = begun(log, detectors)
    receive(log, day(2, 300))
    archive(START + timedelta(minutes=300))
    run(work, at := START + timedelta(minutes=301))
    told = len(rows())
    detectors.append(SILENT)
    for n in range(5):
        receive(log, [reading("h001", DOOR, at + timedelta(minutes=n))])
        with clock.fixed(at + timedelta(minutes=n + 2)):
            work.turn()
    assert [one.id for one in work.detectors] == [BUSY.id], "it still learns"
    assert [t.key for t in rows()[told:] if t.what == RAISED] == ["h001"]
    run(work, at + timedelta(hours=4))
    assert [one.id for one in work.detectors] == [BUSY.id, SILENT.id]
    silent = [t for t in rows() if t.detector == SILENT.id and t.key == "h001"]
    assert [(t.what, t.at) for t in silent] == [(RAISED, at + timedelta(hours=3, minutes=4))]


def test_a_worker_that_ends_while_it_learns_begins_that_anew_and_keeps_the_rest(
    county: Cast, log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(HOMES)
    detectors = [BUSY, SILENT]
    work = begun(log, detectors)
    receive(log, day(HOMES, MINUTES))
    run(work, CHANGE)
    before = lasting()
    detectors[1] = LATER
    with monkeypatch.context() as slow:
        slow.setattr(detecting, "WARM_SECONDS", 0)
        with clock.fixed(CHANGE + timedelta(seconds=1)):
            work.turn()
    work.end()
    assert lasting() == before
    again = AtWork("again", lambda: detectors)
    run(again, CHANGE + timedelta(seconds=2))
    end = moment(again.engine.watermark)
    want = open_at(expected(day(HOMES, MINUTES), [LATER], CHANGE + timedelta(days=1)), end)
    silent = {key for key in lasting() if key in want or key in open_at(expected(day(HOMES, MINUTES), [SILENT], CHANGE + DAYS), end)}
    assert silent == want.keys()


def test_while_the_first_learn_the_log_waits_and_nothing_of_that_time_is_lost(
    county: Cast, log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What begins and ends before they know what came before is told as well."""
    seconds = detecting.WARM_SECONDS
    monkeypatch.setattr(detecting, "WARM_SECONDS", 0)
    register(HOMES)
    with clock.fixed(START - timedelta(minutes=1)):
        log.append([Signal("x", "test", "", "note", START)])
    work = AtWork("first", lambda: ALL)
    with clock.fixed(START):
        assert work.turn()
    signals = day(HOMES, MINUTES)
    receive(log, signals)
    before = {p: mark.seq for p, mark in work.stream.marks.items()}
    with clock.fixed(END):
        assert all(work.turn() for _ in range(5))
    assert (work.detectors, {p: mark.seq for p, mark in work.stream.marks.items()}) == ((), before)
    monkeypatch.setattr(detecting, "WARM_SECONDS", seconds)
    run(work, END)
    told = expected(signals, ALL, moment(work.engine.watermark - 1))
    assert rows() == told
    assert {one.what for one in told} >= {RAISED, CLEARED}


def test_what_is_due_is_sent_while_the_log_waits(
    county: Cast, log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker was killed between writing and sending; who follows has only detectors that have to learn."""
    register(HOMES)
    work = begun(log, [SILENT])
    receive(log, day(HOMES, MINUTES))
    with monkeypatch.context() as killed:
        killed.setattr(alarms, "send_due", lambda: alarms.BUSY)
        run(work, CHANGE)
    with scoped(SYSTEM):
        assert AlarmChange.objects.filter(sent=False).exists()
    monkeypatch.setattr(detecting, "WARM_SECONDS", 0)
    again = AtWork("test", lambda: [SOONER])
    with clock.fixed(CHANGE + timedelta(minutes=1)):
        assert again.turn()
    assert again.detectors == (), "it learns"
    with scoped(SYSTEM):
        assert not AlarmChange.objects.filter(sent=False).exists()
