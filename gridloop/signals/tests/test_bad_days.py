"""Detectors on bad days: down for two days, one device that floods, a gateway that dies, a detector that raises far too much."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gridloop.access.actions import load_users
from gridloop.access.messages import SampleLogin
from gridloop.access.selectors import user_id_of, viewer_for
from gridloop.cases.tests.kit import Cast
from gridloop.detection import rules
from gridloop.detection.messages import RAISED
from gridloop.detection.rules import HOUR, Detector
from gridloop.journal.frame import scoped
from gridloop.journal.models import Fact
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, NotFound
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal, partition_of
from gridloop.signals import selectors
from gridloop.signals.actions import emit, gone_silent, release_detector
from gridloop.signals.alarms import moment
from gridloop.signals.api import outcome_of
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm
from gridloop.signals.outcomes import matcher
from gridloop.signals.tests.homes import (
    ALL,
    BUSY,
    DOOR,
    GRID,
    HOT,
    SILENT,
    START,
    TEMPERATURE,
    WATER,
    day,
    pick,
    reading,
    receive,
    register,
)
from gridloop.signals.tests.test_detect import HOMES, begun, expected, rows, run
from gridloop.signals.tests.test_effects import cases, run_all


def sent(log: PostgresLog) -> list[Signal]:
    """What the scenes were told, in its order."""
    found = [
        (b.at, b.seq, n, s) for p in log.positions() for b in log.read(p, 0, 99_999) for n, s in enumerate(b.signals) if s.kind == "alarm"
    ]
    return [s for *_, s in sorted(found, key=lambda f: f[:3])]


def said(viewer_lines: list[tuple[str, str, str, dict[str, object]]], key: str) -> list[str]:
    return [f"{level} {say(text, 'en', **params)}" for level, _, text, params in viewer_lines if text == key]


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def test_after_two_days_down_what_lasts_is_told_in_order_and_marked_late(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    minutes = 2 * 24 * 60
    signals = day(HOMES, minutes)
    work = begun(log, ALL)
    work.end()
    receive(log, signals)
    end = START + timedelta(minutes=minutes + 5)
    run(work, end)
    want = expected(signals, ALL, moment(work.engine.watermark - 1))
    got = rows()
    assert got == want, "nothing is lost"
    assert len(want) > 150
    with scoped(SYSTEM):
        alarms = list(Alarm.objects.order_by("start", "detector", "key"))
    recent = end - timedelta(hours=1)
    assert {a.told for a in alarms if a.ended and a.start < recent and a.ended < recent} == {"passed"}
    lasting = [a for a in alarms if not a.ended]
    assert {a.told for a in lasting} == {"told"}
    assert {a.late for a in lasting if a.start < end - timedelta(minutes=11)} == {True}
    told = [s for s in sent(log) if s.data["what"] == RAISED]
    for part in range(log.partitions):  # effects are in order within a partition, as those of all signals
        mine = [s.at for s in told if partition_of(s, log.partitions) == part]
        assert mine == sorted(mine)
    assert {s.data["alarm"] for s in told} == {a.id.hex for a in alarms if a.told == "told"}
    assert len(told) < len([t for t in want if t.what == RAISED]) / 4, "no flood"
    assert {s.data.get("late", False) for s in told if s.at < end - timedelta(minutes=11)} == {True}


def test_a_device_that_floods_is_limited_and_nobody_else(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    signals = day(HOMES, 120)
    work = begun(log, [BUSY, HOT])
    mad = [reading("h000", DOOR, at(0.5) + timedelta(milliseconds=5 * n)) for n in range(9000)]
    receive(log, sorted([*signals, *mad], key=lambda s: s.at))
    run(work, at(2.1))
    device = work.keys.numbers["device"]["h000-door_open"]
    assert work.taking.passed.flood == {device: 9000 - 2 * 1200}
    want = expected(signals, [BUSY, HOT], moment(work.engine.watermark - 1))
    assert [t for t in rows() if t.key != "h000"] == [t for t in want if t.key != "h000"]
    work.end()
    with scoped(SYSTEM):
        (line,) = said(selectors.doctor(SYSTEM), "signals.doctor_passed")
    assert line.startswith("warn")
    assert "6600 beyond a device's share" in line
    assert "h000-door_open (6600)" in line
    with scoped(SYSTEM):
        (line,) = said(selectors.doctor(SYSTEM), "signals.doctor_flood")
    assert "h000-door_open: 6600 readings of a day" in line


def test_who_floods_is_still_told_of_once_and_of_others_all_as_without_it(county: Cast, log: PostgresLog) -> None:
    """A sensor gone mad among whose readings a fire stands: its own alarm comes from what passes, nobody else's differs in anything."""
    register(HOMES)
    signals = [s for s in day(HOMES, 120) if s.device != "h000-temperature"]
    mad = [reading("h000", TEMPERATURE, at(0.5) + timedelta(milliseconds=10 * n), 70.0 if n < 24_000 else 20.0) for n in range(36_000)]
    work = begun(log, ALL)
    receive(log, sorted([*signals, *mad], key=lambda s: s.at))
    for hours in (0.6, 0.7, 2.1):
        run(work, at(hours))
    device = work.keys.numbers["device"]["h000-temperature"]
    assert work.taking.passed.flood == {device: 36_000 - 7 * work.taking.fair.most}, "six minutes of sending, in seven of receipt"
    want = expected(signals, ALL, moment(work.engine.watermark - 1))
    mine = [t for t in rows() if t.key == "h000-temperature"]
    assert [t for t in rows() if t not in mine] == want
    assert [(t.detector, t.what) for t in mine] == [("homes.hot", "raised"), ("homes.hot", "cleared")]
    assert mine[0].at == at(0.5) + timedelta(minutes=2)
    assert sorted(s.data["what"] for s in sent(log) if s.data["key"] == "h000-temperature") == ["cleared", "raised"]


def test_a_wrong_clock_moves_nobody_s_time_but_its_own(county: Cast, log: PostgresLog) -> None:
    """Hours ahead, and hours behind: neither takes part, both are shown; one that is fast by seconds is believed and moves nobody else."""
    register(4)
    work = begun(log, [SILENT, BUSY])
    for n in range(30):
        now = at(0) + timedelta(minutes=5 * n)
        with clock.fixed(now):
            log.append([reading("h000", DOOR, now), reading("h003", DOOR, now + timedelta(seconds=40))])
            log.append([reading("h001", DOOR, now + timedelta(minutes=50)), reading("h002", DOOR, now - timedelta(hours=9))])
    run(work, at(2.5))
    assert [(t.key, t.at) for t in rows()] == [("h000", at(0.25)), ("h003", at(0.25) + timedelta(seconds=40))]
    assert work.taking.passed.totals() == {"late": 30, "ahead": 30, "flood": 0, "unknown": 0}


def test_what_a_fast_clock_sends_at_once_keeps_its_order_and_counts_once(county: Cast, log: PostgresLog) -> None:
    """A peak between two lows, all some seconds ahead of their receipt, and the same delivered again 20 s later."""
    register(1)
    often = replace(BUSY, id="homes.often", when=rules.Count(pick(TEMPERATURE), 5, HOUR))
    work = begun(log, [Detector("homes.peak", 1, rules.Threshold(pick(TEMPERATURE), 60.0)), often])
    now = START + timedelta(minutes=5)
    fast = [reading("h000", TEMPERATURE, now + timedelta(seconds=s), v) for s, v in ((5, 20.0), (10, 85.0), (15, 84.0), (20, 20.0))]
    for again in (0, 20):
        with clock.fixed(now + timedelta(seconds=again)):
            log.append(fast)
    run(work, START + timedelta(minutes=10))
    assert [(t.detector, t.what, t.at) for t in rows()] == [
        ("homes.peak", "raised", now + timedelta(seconds=10)),
        ("homes.peak", "cleared", now + timedelta(seconds=20)),
    ]
    assert work.engine.passed.again == 4


HEARD = Detector("homes.heard", 1, rules.Absence(pick(DOOR), 3 * HOUR), by="household")


QUIET_SINCE = rules.All((rules.Threshold(pick(WATER), 0.5), rules.Not(rules.Count(pick(DOOR), 1, 3 * HOUR))))


@pytest.fixture
def many(county: Cast) -> int:
    homes = 300
    register(homes, interval=1800)
    return homes


@pytest.mark.parametrize("detector", [HEARD, replace(HEARD, when=QUIET_SINCE)], ids=["absence", "denied count"])
def test_a_gateway_s_death_is_one_thing_and_not_many_silent_homes(many: int, log: PostgresLog, detector: Detector) -> None:
    """All of a village is unheard from the third hour to the ninth. Two homes stay silent after it: they are told then, late."""
    work = begun(log, [detector])
    for minute in [*range(0, 180, 20), *range(540, 720, 20)]:
        moment_ = START + timedelta(minutes=minute)
        with clock.fixed(moment_ + timedelta(seconds=20)):
            log.append(
                [
                    reading(f"h{n:03d}", kind, moment_)
                    for n in range(many)
                    for kind in (DOOR, WATER)
                    if kind == WATER or minute < 540 or n > 1
                ]
            )
    run(work, at(8.5))
    with scoped(SYSTEM):
        assert Counter(Alarm.objects.values_list("told", "reason")) == {("held", "silence"): many}
        work._save_due = True
    run(work, at(8.6))
    assert sent(log) == []
    with scoped(SYSTEM):
        (line,) = said(selectors.doctor(SYSTEM), "signals.doctor_hushed")
    assert line.startswith(f"warn {many} alarms of silence wait")
    run(work, at(12))
    told = sent(log)
    assert {(s.data["key"], s.data["what"], s.data["late"]) for s in told} == {("h000", RAISED, True), ("h001", RAISED, True)}
    with scoped(SYSTEM):
        assert Counter(Alarm.objects.values_list("told", flat=True)) == {"passed": many - 2, "told": 2}


def test_the_case_of_the_gateway_says_what_it_explains(many: int, log: PostgresLog, county: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(matcher()), "sentence", lambda _, name, lang: f"{name} {lang}")
    work = begun(log, [HEARD])
    for minute in [*range(0, 180, 20), *range(540, 720, 20)]:
        moment_ = START + timedelta(minutes=minute)
        with clock.fixed(moment_ + timedelta(seconds=20)):
            heard = [(n, kind) for n in range(many) for kind in (DOOR, WATER) if kind == WATER or minute < 540 or n > 1]
            log.append([reading(f"h{n:03d}", kind, moment_) for n, kind in heard])
    run(work, at(7))
    with clock.fixed(at(4)):
        emit([gone_silent(f"h00{n}-{DOOR}", at(3), at(4), GRID[:12] if n else "") for n in range(2)])
        run_all()
    (alone,) = [case.code for case in cases() if case.same_thing == f"h000-{DOOR}"]
    (code,) = [case.code for case in cases() if case.same_thing == GRID[:12]]
    desk = county.operator
    assert selectors.held_by(desk, code) == [selectors.HeldAlarms("homes.heard", "homes.heard", "homes.heard zh", many, 0, 0)]
    assert selectors.held_by(desk, alone) == [], "one device explains nothing of others"
    with pytest.raises(NotFound):
        selectors.held_by(county.west_operator, code)
    run(work, at(12))
    words = {"name": "homes.heard", "title": "homes.heard", "sentence": "homes.heard zh"}
    assert outcome_of(desk, code)["held"] == [words | {"waiting": 0, "told": 2, "passed": many - 2}]


def test_homes_that_are_silent_while_their_village_is_heard_are_told(many: int, log: PostgresLog) -> None:
    work = begun(log, [HEARD])
    for minute in range(0, 400, 20):
        moment_ = START + timedelta(minutes=minute)
        with clock.fixed(moment_ + timedelta(seconds=20)):
            log.append([reading(f"h{n:03d}", DOOR, moment_) for n in range(many) if minute == 0 or n > 4])
    run(work, at(3.1))
    assert sorted((s.data["key"], s.data["what"]) for s in sent(log)) == [(f"h{n:03d}", RAISED) for n in range(5)]


@pytest.mark.parametrize("down", [False, True], ids=["at work", "nobody at work"])
def test_a_detector_that_raises_far_too_much_is_held_back_until_somebody_has_looked(
    many: int, log: PostgresLog, monkeypatch: pytest.MonkeyPatch, down: bool
) -> None:
    """Released while it is at work, or while nobody is."""
    monkeypatch.setenv("GRIDLOOP_ALARMS_AN_HOUR", "50")
    wrong = Detector("homes.wrong", 1, rules.Threshold(pick(TEMPERATURE), 10.0, 5.0))
    work = begun(log, [wrong, HOT])
    temperature = dict.fromkeys(range(many), 20.0) | {7: 70.0}
    for minute in range(0, 30, 5):
        moment_ = START + timedelta(minutes=minute)
        with clock.fixed(moment_ + timedelta(seconds=20)):
            log.append([reading(f"h{n:03d}", TEMPERATURE, moment_, value) for n, value in temperature.items()])
    run(work, at(0.4))
    assert {(s.data["detector"], s.data["key"]) for s in sent(log)} == {("homes.hot", "h007-temperature")}, "others go on"
    with scoped(SYSTEM):
        assert Counter(Alarm.objects.filter(detector="homes.wrong").values_list("told", "reason")) == {("held", "flood"): 50}
        assert [f.data for f in Fact.objects.filter(action="detector_held")] == [{"detector": "homes.wrong", "alarms": many}]
        (line,) = said(selectors.doctor(SYSTEM), "signals.doctor_held")
    assert line.startswith(f"BAD the detector homes.wrong raised {many} alarms, more than 50 in an hour")

    for n in range(3, many):  # mended: most are cool again
        temperature[n] = 1.0
    moment_ = START + timedelta(minutes=30)
    with clock.fixed(moment_ + timedelta(seconds=20)):
        log.append([reading(f"h{n:03d}", TEMPERATURE, moment_, value) for n, value in temperature.items()])
    run(work, at(0.6))
    load_users(
        [SampleLogin("boss", "值班长", None, "duty_commander", "9901", None), SampleLogin("desk", "坐席", None, "operator", "9901", None)]
    )
    with pytest.raises(Forbidden):
        release_detector(viewer_for(user_id_of("desk") or 0), "homes.wrong")
    if down:
        work.end()
    release_detector(viewer_for(user_id_of("boss") or 0), "homes.wrong")
    run(AtWork("again", lambda: [wrong, HOT]) if down else work, at(0.7))
    told = [s for s in sent(log) if s.data["detector"] == "homes.wrong"]
    assert sorted((s.data["key"], s.data["what"]) for s in told) == [(f"h{n:03d}-temperature", RAISED) for n in range(3)]
    with scoped(SYSTEM):
        assert Fact.objects.filter(action="detector_released").count() == 1
        assert selectors.held_detectors(SYSTEM) == []


SPILL = Detector("homes.spill", 1, rules.Sequence(pick(DOOR), pick(WATER), 5 * rules.MINUTE), by="household")  # over after a minute
BOSS = SampleLogin("boss", "值班长", None, "duty_commander", "9901", None)


def spill(log: PostgresLog, homes: range, when: datetime) -> None:
    for kind, after in ((DOOR, 0), (WATER, 60)):
        moment_ = when + timedelta(seconds=after)
        with clock.fixed(moment_ + timedelta(seconds=20)):
            log.append([reading(f"h{n:03d}", kind, moment_) for n in homes])


@pytest.mark.parametrize("down", [False, True], ids=["at work", "nobody at work"])
def test_what_happened_while_its_detector_was_held_back_is_told_late_when_it_is_let_go(
    many: int, log: PostgresLog, monkeypatch: pytest.MonkeyPatch, down: bool
) -> None:
    """An alarm of something that happened is over by the time somebody has looked; that says nothing, and it is not lost."""
    monkeypatch.setenv("GRIDLOOP_ALARMS_AN_HOUR", "50")
    work = begun(log, [SPILL])
    spill(log, range(60), at(0.1))  # too many at once: what goes beyond the hour's share is counted only
    run(work, at(0.3))
    spill(log, range(60, 65), at(1))
    run(work, at(1.2))
    with scoped(SYSTEM):
        assert Counter(Alarm.objects.values_list("told", "reason")) == {("passed", "flood"): 55}
    assert sent(log) == []
    load_users([BOSS])
    if down:
        work.end()
    release_detector(viewer_for(user_id_of("boss") or 0), "homes.spill")
    again = AtWork("again", lambda: [SPILL]) if down else work
    run(again, at(1.5))
    told = sent(log)
    assert sorted((s.data["what"], s.data["key"]) for s in told) == [
        (what, f"h{n:03d}") for what in ("cleared", RAISED) for n in range(60, 65)
    ]
    assert {s.data["late"] for s in told} == {True}
    with scoped(SYSTEM):
        assert Counter(Alarm.objects.values_list("told", flat=True)) == {"told": 5, "passed": 50}, "what is older than an hour is over"
        assert selectors.held_detectors(SYSTEM) == []
    run(again, at(1.9))
    assert len(sent(log)) == 10, "once"


def test_what_happened_is_no_flood_when_its_detector_is_let_go_too_soon(
    many: int, log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDLOOP_ALARMS_AN_HOUR", "50")
    work = begun(log, [SPILL])
    for n, minute in enumerate((6, 12, 18)):
        spill(log, range(60 * n, 60 * n + 60), at(minute / 60))
        run(work, at(minute / 60 + 0.08))
    load_users([BOSS])
    release_detector(viewer_for(user_id_of("boss") or 0), "homes.spill")
    run(work, at(0.6))
    assert sent(log) == []
    with scoped(SYSTEM):
        assert Counter(Alarm.objects.values_list("told", "reason")) == {("passed", "flood"): 150}
        assert [row["name"] for row in selectors.held_detectors(SYSTEM)] == ["homes.spill"], "it is still too much"


def test_what_happened_during_a_village_s_silence_that_explains_it_is_not_told(many: int, log: PostgresLog) -> None:
    """Water runs behind a closed door only because no door is heard: over when all are heard again, and nobody's matter."""
    held = rules.All((rules.Sequence(pick(TEMPERATURE), pick(TEMPERATURE), 5 * rules.MINUTE), rules.Not(rules.Count(pick(DOOR), 1, HOUR))))
    work = begun(log, [Detector("homes.odd", 1, held, by="household")])
    for minute in (*range(0, 60, 20), 300, 301, *range(420, 500, 20)):
        moment_ = START + timedelta(minutes=minute)
        with clock.fixed(moment_ + timedelta(seconds=20)):
            kinds = (DOOR, WATER) if minute not in (300, 301) else (TEMPERATURE,)
            log.append([reading(f"h{n:03d}", kind, moment_) for n in range(many) for kind in kinds if kind != TEMPERATURE or n < 3])
        if minute == 301:
            run(work, at(5.2))
    run(work, at(8.5))
    with scoped(SYSTEM):
        assert Counter(Alarm.objects.values_list("told", "reason")) == {("passed", "silence"): 3}
    assert sent(log) == []


def test_a_clock_set_back_lets_the_detectors_begin_anew(county: Cast, log: PostgresLog) -> None:
    """A drill three days ahead is over: its readings no longer stand in the way of the present."""
    register(2)
    work = begun(log, [BUSY])
    for n in range(5):
        receive(log, [reading("h000", DOOR, at(72) + timedelta(minutes=n))])
    run(work, at(72.2))
    assert [(t.key, t.what) for t in rows()] == [("h000", RAISED)]
    run(work, at(1))
    for n in range(5):
        receive(log, [reading("h001", DOOR, at(1) + timedelta(minutes=n))])
    run(work, at(1.2))
    with scoped(SYSTEM):
        alarms = {a.key: a.ended is None for a in Alarm.objects.all()}
    assert alarms == {"h000": False, "h001": True}
