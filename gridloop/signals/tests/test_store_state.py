"""What the detectors know is written in short transactions beside what is in use, and taken into use with the position."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.journal.selectors import horizon
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import positions, state
from gridloop.signals.alarms import moment
from gridloop.signals.detecting import CONSUMER, AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import DetectorState
from gridloop.signals.tests.homes import ALL, START, day, receive, register
from gridloop.signals.tests.test_detect import HOMES, MINUTES, begun, expected, rows, run

HALF, END = START + timedelta(minutes=MINUTES // 2), START + timedelta(minutes=MINUTES + 30)
PIECES = ("engine", "heard", "meta")


@pytest.fixture
def half(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> AtWork:
    """At work in the middle of a day, with parts so small that there are many."""
    monkeypatch.setattr(state, "_PART", 250)
    register(HOMES)
    work = begun(log)
    receive(log, day(HOMES, MINUTES))
    run(work, HALF)
    return work


def asked(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def test_every_part_has_a_transaction_of_its_own(half: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    horizons: list[int] = []
    real = state._Parts._row

    def noted(parts: Any, size: int) -> None:
        real(parts, size)
        assert not connection.in_atomic_block
        with scoped(SYSTEM):
            horizons.append(horizon())

    monkeypatch.setattr(state._Parts, "_row", noted)
    half.end()
    assert len(horizons) > 6
    assert all(before < after for before, after in pairwise(horizons)), "who follows the trace goes on"
    written = asked("SELECT xmin::text FROM signals_detectorstate WHERE name = ANY(%s)", list(PIECES))
    assert len(written) == len(set(written)) == len(horizons), "one place alone is left"


def test_one_who_cannot_write_to_the_end_leaves_what_was_known(half: AtWork, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    half._save_due = True
    run(half, HALF + timedelta(seconds=1))
    known = asked("SELECT name, part, md5(data) FROM signals_detectorstate ORDER BY 1, 2")
    run(half, HALF + timedelta(hours=2))
    half._save_due = True
    real, left = state._Parts._row, 7

    def breaks(parts: Any, size: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise RuntimeError("the disk is full")
        real(parts, size)

    with monkeypatch.context() as patched:
        patched.setattr(state._Parts, "_row", breaks)
        with pytest.raises(RuntimeError, match="the disk is full"):
            run(half, HALF + timedelta(hours=2, seconds=1))
    assert set(known) < set(asked("SELECT name, part, md5(data) FROM signals_detectorstate")), "a torn place beside the whole one"
    asked("UPDATE signals_position SET lease_until = clock_timestamp() - interval '1 second' WHERE consumer = %s RETURNING 1", CONSUMER)
    again = AtWork("again", lambda: ALL)
    run(again, END)
    assert rows() == expected(day(HOMES, MINUTES), ALL, moment(again.engine.watermark - 1))
    again.end()
    with scoped(SYSTEM):
        assert {part // state._PLACE for part in DetectorState.objects.exclude(name="in_use").values_list("part", flat=True)} in ({0}, {1})


def test_one_who_read_nothing_since_writes_nothing_and_silence_goes_on_from_there(half: AtWork) -> None:
    half._save_due = True
    run(half, HALF + timedelta(seconds=1))
    known = asked("SELECT name, part, md5(data), xmin::text FROM signals_detectorstate ORDER BY 1, 2")
    half.end()
    assert asked("SELECT name, part, md5(data), xmin::text FROM signals_detectorstate ORDER BY 1, 2") == known
    assert asked("SELECT DISTINCT owner FROM signals_position WHERE consumer = %s", CONSUMER) == [("",)]
    again = AtWork("again", lambda: ALL)
    run(again, END)
    assert rows() == expected(day(HOMES, MINUTES), ALL, moment(again.engine.watermark - 1))


def test_one_who_was_followed_writes_nothing_more(half: AtWork) -> None:
    asked("UPDATE signals_position SET lease_until = clock_timestamp() - interval '1 second' WHERE consumer = %s RETURNING 1", CONSUMER)
    next_one = AtWork("next", lambda: ALL)
    with clock.fixed(HALF):
        next_one.turn()
    before = asked("SELECT name, part, md5(data) FROM signals_detectorstate ORDER BY 1, 2")
    with pytest.raises(positions.Fenced):
        half.end()
    assert asked("SELECT name, part, md5(data) FROM signals_detectorstate ORDER BY 1, 2") == before


def test_what_an_earlier_program_stored_is_read(half: AtWork, log: PostgresLog) -> None:
    """It knew one place only, the first, and said nowhere which is in use."""
    half.end()
    with scoped(SYSTEM):
        if DetectorState.objects.filter(name="in_use", data=str(state._PLACE).encode()).exists():
            asked("UPDATE signals_detectorstate SET part = part - %s WHERE name <> 'in_use' RETURNING 1", state._PLACE)
        DetectorState.objects.filter(name="in_use").delete()
    again = AtWork("again", lambda: ALL)
    run(again, END)
    assert rows() == expected(day(HOMES, MINUTES), ALL, moment(again.engine.watermark - 1))
