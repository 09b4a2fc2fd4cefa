"""Erasing a person reaches what the detectors know of their home: in memory, stored, and for who learns from history later."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.detection import rules
from gridloop.detection.engine import Engine
from gridloop.detection.rules import HOUR, Detector
from gridloop.journal.frame import scoped
from gridloop.journal.models import Fact
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.messages import PersonRow
from gridloop.sdk.signals import Signal
from gridloop.signals import detecting, state
from gridloop.signals.actions import erase_person
from gridloop.signals.alarms import moment
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm, Batch, Forgotten
from gridloop.signals.taking import LATENESS
from gridloop.signals.tests.homes import ALL, DOOR, SILENT, START, WATER, Told, day, pick, receive, register
from gridloop.signals.tests.test_detect import HOMES, MINUTES, begun, expected, rows, run
from gridloop.signals.tests.test_detect_change import archive, lasting

GONE = "h003"
SOONER = replace(SILENT, version=2, when=rules.Absence(pick(DOOR, WATER), 2 * HOUR))
CUT = START + timedelta(minutes=300)
END = START + timedelta(minutes=MINUTES + 30)


@pytest.fixture
def homes(county: Cast, history_folder: Path) -> Cast:
    register(HOMES)
    load(SYSTEM, [PersonRow("P1", "欧阳不二过", GONE, phone="19987654321")])
    return county


def theirs(signal: Signal) -> bool:
    return signal.device.startswith(GONE)


def received(log: PostgresLog, work: AtWork, signals: list[Signal]) -> tuple[list[Signal], list[Signal]]:
    """Up to the cut, and what comes after it; the home to be erased is silent just then, with an alarm."""
    first = [s for s in signals if s.at < CUT - timedelta(hours=4 * theirs(s))]
    rest = [s for s in signals if s.at >= CUT]
    receive(log, first)
    run(work, CUT)
    assert GONE in lasting()
    return first, rest


def of(told: list[Told], home: bool) -> list[Told]:
    return [one for one in told if one.key.startswith(GONE) == home]


@pytest.mark.parametrize("restart", [False, True], ids=["in memory", "by another worker"])
def test_after_erasure_a_home_is_as_new(homes: Cast, log: PostgresLog, restart: bool) -> None:
    work = begun(log)
    first, rest = received(log, work, day(HOMES, MINUTES))
    if restart:
        work.end()
    with clock.fixed(CUT):
        erase_person(homes.admin, "P1", "本人申请")
    if restart:
        work = AtWork("another", lambda: ALL)
    run(work, CUT)
    with scoped(SYSTEM):
        assert not Forgotten.objects.exists()
        assert Fact.objects.get(action="signals_erased").data["alarms"] >= 1
    assert of(rows(), True) == [], "their alarms are gone, and none is told over"
    work.end()
    again = AtWork("a third", lambda: ALL)
    receive(log, rest)
    run(again, END)
    end = moment(again.engine.watermark - 1)
    new = expected([s for s in rest if theirs(s)], ALL, end)
    assert of(rows(), True) == of(new, True)
    assert {one.detector for one in of(new, True)} >= {"homes.hot"}
    assert of(rows(), False) == of(expected([*first, *rest], ALL, end), False), "nobody else lost anything"


def test_what_is_stored_has_forgotten_when_the_worker_is_killed_right_after(homes: Cast, log: PostgresLog) -> None:
    work = begun(log)
    received(log, work, day(HOMES, MINUTES))
    key = work.keys.numbers["household"][GONE]
    assert key in {alarm.key for alarm in work.engine.active()}
    with clock.fixed(CUT):
        erase_person(homes.admin, "P1", "本人申请")
    run(work, CUT)
    with scoped(SYSTEM):
        stored = state.load("engine")
        assert stored is not None
        engine = Engine(ALL, LATENESS)
        engine.restore(stored)
        stored.close()
    assert key not in {alarm.key for alarm in engine.active() if alarm.detector == SILENT.id}
    assert {alarm.key for alarm in engine.active() if alarm.detector == SILENT.id} == {
        alarm.key for alarm in work.engine.active() if alarm.detector == SILENT.id
    }


@pytest.mark.parametrize("archived", [False, True], ids=["from the log", "from the archive"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_history_does_not_teach_it_again(homes: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch, archived: bool, when: str) -> None:
    detectors = [SILENT]
    work = begun(log, detectors)
    received(log, work, day(HOMES, MINUTES))
    others = lasting().keys() - {GONE}
    if archived:
        archive(CUT)
    detectors[0] = SOONER
    if when == "while":
        monkeypatch.setattr(detecting, "WARM_SECONDS", 0.0)
        with clock.fixed(CUT):
            assert work.turn()
        assert work._warming is not None, "it is learning"
    with clock.fixed(CUT):
        erase_person(homes.admin, "P1", "本人申请")
    run(work, CUT)
    assert work.engine.knows(SOONER)
    assert lasting().keys() >= others
    assert GONE not in lasting()
    run(work, END)
    assert GONE not in lasting(), "nothing was read of them since"
    with scoped(SYSTEM):
        assert not Alarm.objects.filter(key=GONE).exists()


@pytest.mark.parametrize("archived", [False, True], ids=["in the log", "in the archive"])
def test_a_word_inside_of_a_token_is_forgotten_with_it(homes: Cast, log: PostgresLog, archived: bool) -> None:
    """What was read at a neighbour's door under a name that holds theirs counts no day any more; other names go on."""
    often = Detector("homes.often", 1, rules.Days(pick(DOOR), 2, 5))
    work = begun(log, [often])

    def seen(day_: int) -> datetime:
        now = CUT + timedelta(days=day_)
        tokens = {"h005": "访客19987654321号", "h006": "访客13300000000号"}
        receive(
            log, [Signal(f"{home}{now}", "test", f"{home}-{DOOR}", DOOR, now, 1.0, data={"token": token}) for home, token in tokens.items()]
        )
        return now + timedelta(minutes=5)

    run(work, seen(0))
    if archived:
        work._save_due = True
        run(work, CUT + timedelta(minutes=6))
        archive(CUT + timedelta(hours=3))
        with scoped(SYSTEM):
            Batch.objects.all().delete()
    with clock.fixed(CUT + timedelta(hours=4)):
        erase_person(homes.admin, "P1", "本人申请")
    run(work, CUT + timedelta(hours=5))
    run(work, seen(1))
    assert {one.key for one in rows() if one.what == "raised"} == {f"h006-{DOOR}"}
