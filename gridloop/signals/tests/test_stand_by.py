"""Several workers: one detects, the others stand by; one that stood still is fenced, and nothing is told twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import zstandard
from django.db import connection

from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import positions, selectors
from gridloop.signals.alarms import moment
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import DetectorState, Position
from gridloop.signals.tests.homes import ALL, BUSY, DOOR, START, day, reading, receive, register
from gridloop.signals.tests.test_bad_days import said
from gridloop.signals.tests.test_detect import HOMES, begun, expected, rows, run

MINUTES = 300


def lapse() -> None:
    """The holder's time is over."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("UPDATE signals_position SET lease_until = clock_timestamp() - interval '1 second' WHERE consumer = 'detectors'")


def test_the_second_stands_by_and_takes_over_from_one_that_stands_still(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    signals = day(HOMES, MINUTES)
    first, second = begun(log), AtWork("second", lambda: ALL)
    receive(log, signals)
    run(first, START + timedelta(minutes=100))
    with clock.fixed(START + timedelta(minutes=100)):
        assert second.turn() is False
    assert second.leases is None

    run(first, START + timedelta(minutes=200))  # what it found since it stored its state is found again by the second
    lapse()
    run(second, START + timedelta(minutes=250))
    with pytest.raises(positions.Fenced):
        run(first, START + timedelta(minutes=260))
    assert first.leases is None
    run(second, START + timedelta(minutes=MINUTES + 30))
    assert rows() == expected(signals, ALL, moment(second.engine.watermark - 1))


def test_one_that_ends_gives_back_at_once_and_its_successor_reads_nothing_again(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    first = begun(log)
    receive(log, day(HOMES, MINUTES))
    run(first, START + timedelta(minutes=200))
    first.end()
    with scoped(SYSTEM):
        stored = {p.partition: (p.seq, p.owner) for p in Position.objects.filter(consumer="detectors")}
    assert {owner for _, owner in stored.values()} == {""}
    second = AtWork("second", lambda: ALL)
    with clock.fixed(START + timedelta(minutes=200)):
        second.turn()
    assert {p: mark.seq for p, mark in second.stream.marks.items()} == {p: seq for p, (seq, _) in stored.items()}


@pytest.mark.parametrize("piece", ["engine", "heard", "meta"])
@pytest.mark.parametrize("broken", [b"no archive", zstandard.compress(b"PK\x03\x04 of another format")], ids=["damaged", "foreign"])
def test_state_that_cannot_be_read_is_learned_again_from_history(
    county: Cast, log: PostgresLog, history_folder: Path, piece: str, broken: bytes
) -> None:
    register(2)
    first = begun(log, [BUSY])
    receive(log, [reading("h000", DOOR, START + timedelta(minutes=n)) for n in range(3)])
    run(first, START + timedelta(minutes=5))
    first.end()
    with scoped(SYSTEM):
        DetectorState.objects.filter(name=piece).update(data=broken)
    second = AtWork("second", lambda: [BUSY])
    run(second, START + timedelta(minutes=6))
    receive(log, [reading("h000", DOOR, START + timedelta(minutes=9))])
    run(second, START + timedelta(minutes=12))
    assert [(t.key, t.what, t.at) for t in rows()] == [("h000", "raised", START + timedelta(minutes=9))]
    second.end()
    third = AtWork("third", lambda: [BUSY])
    with clock.fixed(START + timedelta(minutes=13)):
        third.turn()
        assert said(selectors.doctor(SYSTEM), "signals.doctor_anew")[0].startswith("warn at 2026-11-02 00:06 UTC what the detectors knew")


def test_after_a_passing_fault_the_same_worker_goes_on_at_once(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    register(1)
    work = begun(log)
    with monkeypatch.context() as passing:
        passing.setattr(AtWork, "_step", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            run(work, START + timedelta(minutes=1))
    assert work.leases is None
    with clock.fixed(START + timedelta(minutes=2)):
        work.turn()
        assert AtWork("second", lambda: ALL).turn() is False
    assert work.leases
