"""A rehearsal finds in the past exactly what the detectors at work found, from the archive and the log, and goes on after a crash."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.detection.messages import CLEARED, RAISED, STEPPED
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import history, rehearsing
from gridloop.signals.alarms import moment
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm, Name
from gridloop.signals.rehearsing import LASTS, Raised, Rehearsing
from gridloop.signals.stream import milliseconds
from gridloop.signals.tests.homes import ALL, DOOR, HOT, SILENT, START, Told, day, reading, receive, register
from gridloop.signals.tests.test_detect import MINUTES, begun, rows, run

HOMES = 24
SINCE = START + timedelta(minutes=240)
END = START + timedelta(minutes=MINUTES + 30)


def rehearsed(since: object = SINCE, until: object = END, **kwargs: object) -> list[Raised]:
    with clock.fixed(END):
        work = Rehearsing(ALL, milliseconds(since), milliseconds(until), **kwargs)  # type: ignore[arg-type]
        while not work.over:
            work.step()
    return work.found()


def as_told(found: list[Raised]) -> set[tuple[str, str, object, object]]:
    return {(one.detector, one.key, moment(one.start), None if one.end == LASTS else moment(one.end)) for one in found}


def live(told: list[Told]) -> set[tuple[str, str, object, object]]:
    ends = {(t.detector, t.key, t.start): t.at for t in told if t.what == CLEARED}
    return {(t.detector, t.key, t.start, ends.get((t.detector, t.key, t.start))) for t in told if t.what == RAISED and t.at >= SINCE}


@pytest.fixture
def lived(county: Cast, log: PostgresLog, history_folder: Path) -> list[Told]:
    """A day that the detectors at work have seen."""
    register(HOMES)
    signals = day(HOMES, MINUTES)
    work = begun(log, list(ALL))
    receive(log, signals)
    run(work, END)
    work.end()
    return rows()


@pytest.mark.parametrize("archived", [False, True], ids=["from the log", "from the archive and the log"])
def test_it_finds_what_was_found_then(lived: list[Told], history_folder: Path, archived: bool) -> None:
    if archived:
        with clock.fixed(START + timedelta(minutes=400)):
            while history.write_hours():
                pass
        assert len(list(history_folder.glob("*/*/*.parquet"))) > 10
    with scoped(SYSTEM):
        before = Alarm.objects.count(), Name.objects.count()
    found = rehearsed()
    assert len(found) > 30
    assert as_told(found) == live(lived)
    most: dict[tuple[str, str, object], int] = {}
    for t in lived:
        most[t.detector, t.key, t.start] = max(t.severity, most.get((t.detector, t.key, t.start), 0))
    assert any(t.what == STEPPED for t in lived)
    assert [one.severity for one in found] == [most[one.detector, one.key, moment(one.start)] for one in found]
    with scoped(SYSTEM):
        assert (Alarm.objects.count(), Name.objects.count()) == before, "nothing is written"


def test_how_far_it_is_counts_what_it_looks_back_over(lived: list[Told]) -> None:
    with clock.fixed(END):
        work = Rehearsing(ALL, milliseconds(SINCE), milliseconds(END))
        told, back = [work.done], 0
        while not work.over:
            work.step()
            told.append(work.done)
            back += work.looks_back
    assert told[0] == 0
    assert told == sorted(told), "it never goes back"
    assert 0.2 < told[back] / work.hours < 1, "what it looked back over is a part of the whole"
    assert (told[-1], told[1]) == (work.hours, 1)


def test_it_goes_on_from_where_it_was_killed(lived: list[Told], tmp_path: Path) -> None:
    whole = rehearsed()
    file = tmp_path / "rehearsals" / "1"
    with clock.fixed(END):
        hours_done: list[int] = []
        while True:  # a new process for every two hours of the past
            work = Rehearsing(ALL, milliseconds(SINCE), milliseconds(END))
            assert work.load(file) is bool(hours_done)
            while work.looks_back:
                work.step()
            hours_done.append(work.done)
            end = work.done + 2
            while not work.over and work.done < end:
                work.step()
            work.save(file)
            if work.over:
                break
    assert len(hours_done) > 3
    assert hours_done == sorted(set(hours_done))
    assert work.found() == whole
    with clock.fixed(END):
        other = Rehearsing([replace(SILENT, id="homes.other")], milliseconds(SINCE), milliseconds(END))
        assert not other.load(file), "the state of other detectors is of no use"


def test_it_stops_when_there_are_more_than_anybody_could_look_at(lived: list[Told], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsing, "MOST_ALARMS", 7)
    with clock.fixed(END):
        work = Rehearsing(ALL, milliseconds(SINCE), milliseconds(END))
        while not work.over:
            work.step()
    assert len(work.found()) == 7
    assert work.cut is not None
    assert milliseconds(SINCE) <= work.cut < milliseconds(END)


def test_a_silent_village_is_told_apart(county: Cast, log: PostgresLog, history_folder: Path) -> None:
    """The gateway of all homes dies: no home is silent by itself. One that was silent before is."""
    register(12, interval=600)
    signals = []
    for minute in range(0, 600, 5):
        for number in range(12):
            if (minute < 120 or number or minute >= 560) and not 360 <= minute < 560:
                signals.append(reading(f"h{number:03d}", DOOR, START + timedelta(minutes=minute, seconds=number)))
    receive(log, signals)
    found = rehearsed(START, START + timedelta(minutes=600))
    silent = [one for one in found if one.detector == SILENT.id]
    assert {one.key for one in silent if not one.hushed} == {"h000"}
    assert {one.key for one in silent if one.hushed} == {f"h{number:03d}" for number in range(1, 12)}


def test_it_reads_an_hour_at_a_time_and_only_the_kinds_it_needs(lived: list[Told], history_folder: Path) -> None:
    with clock.fixed(END):
        while history.write_hours():
            pass
        every, few = (Rehearsing(wanted, milliseconds(SINCE), milliseconds(END)) for wanted in (ALL, [HOT]))
        sizes = []
        while not every.over:
            before = every.readings
            every.step()
            sizes.append(every.readings - before)
        while not few.over:
            few.step()
    assert sum(size > 0 for size in sizes) > 5
    assert max(sizes) < sum(sizes) / 3
    assert 0 < few.readings < every.readings / 2
    assert {one.key for one in few.found()} == {one.key for one in every.found() if one.detector == HOT.id}
