"""S6: a silent device becomes a maintenance case through the same path as any alarm; back on line it says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gridloop.cases.models import Case
from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.selectors import device, device_counts
from gridloop.signals import actions as own
from gridloop.signals import rules
from gridloop.signals.actions import _mark, emit, gone_silent, is_mass_silence, mark_silent
from gridloop.signals.handlers import run_effects
from gridloop.signals.log import PostgresLog
from gridloop.signals.rules import Watch
from gridloop.signals.selectors import doctor, state
from gridloop.signals.tests import conftest
from gridloop.signals.tests.test_effects import cases, run_all, sources, stopped


def look(start: datetime) -> bool:
    """A look of a worker that has been there since ``start``; True when more may wait."""
    return _mark(Watch(start, clock.now()))


def heard(log: PostgresLog, *codes: str, value: float = 0.0) -> None:
    log.append([stopped(1, value=value, device=c, kind="temperature", id=f"{c}{clock.now()}", at=clock.now()) for c in codes])
    run_all()


def test_silence_becomes_a_case_and_coming_back_is_told(county: Cast, log: PostgresLog) -> None:
    start = clock.now()
    with clock.fixed(start):
        heard(log, "cam-1", "lamp-1")
    with clock.fixed(start + timedelta(minutes=9)):
        look(start)
        assert device(SYSTEM, "cam-1").status == "online"
    with clock.fixed(start + timedelta(minutes=11)):
        look(start)
        look(start)
        run_all()
        assert device(SYSTEM, "cam-1").status == "silent"
        assert device(SYSTEM, "lamp-1").status == "online"
    (case,) = cases()
    assert (case.scene, case.same_thing, case.region) == ("device_care", "cam-1", "990101100200001001")
    with clock.fixed(start + timedelta(minutes=20)):
        heard(log, "cam-1", value=21.5)
        run_all()
        assert device(SYSTEM, "cam-1").status == "online"
    (source,) = sources()
    assert (source.kind, source.source, source.count) == ("device_status", "gridloop", 2)


def test_a_crash_between_telling_and_marking_tells_once(county: Cast, log: PostgresLog) -> None:
    start = clock.now()
    with clock.fixed(start):
        heard(log, "cam-1")
    last = device(SYSTEM, "cam-1").last_seen
    assert last is not None
    with clock.fixed(start + timedelta(minutes=11)):
        emit([gone_silent("cam-1", last, clock.now())])  # and killed here
    with clock.fixed(start + timedelta(minutes=12)):
        look(start)
        run_all()
    assert [s.count for s in sources()] == [1]


def test_when_all_fall_silent_together_it_is_our_door(county: Cast, log: PostgresLog) -> None:
    codes = [f"m-{n}" for n in range(40)]
    load(SYSTEM, [conftest.device(c) for c in codes])
    start = clock.now()
    with clock.fixed(start):
        heard(log, *codes)
    with clock.fixed(start + timedelta(hours=1)):
        look(start)
        assert device_counts(SYSTEM)["silent"] == 0
        assert state(SYSTEM).mass_silence
    assert not run_effects()
    with scoped(SYSTEM):
        assert Case.objects.count() == 0
    assert not is_mass_silence(5, 5)
    assert is_mass_silence(30, 40)
    assert not is_mass_silence(200, 6000), "a dead gateway is not our door"
    assert not is_mass_silence(3000, 6000)
    assert is_mass_silence(3001, 6000)


def test_a_dead_gateway_is_marked_as_one_matter_and_later_looks_go_on(county: Cast, log: PostgresLog) -> None:
    behind, others = [f"g-{n}" for n in range(25)], [f"m-{n}" for n in range(40)]
    load(SYSTEM, [conftest.device(c) for c in (*behind, *others)])
    start = clock.now()
    with clock.fixed(start):
        heard(log, *behind, *others)
    with clock.fixed(start + timedelta(minutes=11)):
        heard(log, *others)
        assert not look(start)
        run_all()
        assert device_counts(SYSTEM)["silent"] == len(behind)
    (case,) = cases()
    assert (case.scene, case.same_thing) == ("device_care", "990101100200")
    assert {s.device for s in sources()} == set(behind)
    with clock.fixed(start + timedelta(days=2)):
        heard(log, *others[1:])
        look(start)
        run_all()
    assert [c.same_thing for c in cases()] == ["990101100200", "m-0"], "two days later one alone is its own matter"


def test_a_day_s_silence_of_most_is_believed_while_others_are_heard(
    county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [f"m-{n}" for n in range(40)]
    load(SYSTEM, [conftest.device(c) for c in codes])
    start = clock.now()
    monkeypatch.setattr(rules, "LOOK_GAP", timedelta(days=9))  # the worker itself looks on all the while
    monkeypatch.setattr(own, "_watch", Watch(start, start))
    with clock.fixed(start):
        heard(log, "cam-1", *codes)

    def silent_after(hours: int) -> int:
        with clock.fixed(start + timedelta(hours=hours)):
            mark_silent()
            run_all()
            return device_counts(SYSTEM)["silent"]

    assert [silent_after(hours) for hours in (1, 23, 47)] == [0, 0, 0], "nobody at all is heard: our door"
    for hours, expected in ((48, 0), (60, 0), (73, 40)):  # it is open again: a day from then on
        with clock.fixed(start + timedelta(hours=hours)):
            heard(log, "cam-1")
        assert silent_after(hours) == expected
    assert len(cases()) == 1


def test_more_than_one_look_can_tell_waits_for_the_next(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "AT_ONCE", 3)
    codes = [f"m-{n}" for n in range(8)]
    load(SYSTEM, [conftest.device(c) for c in codes])
    start = clock.now()
    with clock.fixed(start):
        heard(log, *codes)
    with clock.fixed(start + timedelta(minutes=11)):
        assert [look(start) for _ in range(3)] == [True, True, False]
        assert device_counts(SYSTEM)["silent"] == len(codes)


def test_a_mass_is_seen_in_a_large_deployment_too(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "AT_ONCE", 10)
    codes = [f"m-{n}" for n in range(40)]
    load(SYSTEM, [conftest.device(c) for c in codes])
    start = clock.now()
    with clock.fixed(start):
        heard(log, *codes)
    with clock.fixed(start + timedelta(hours=1)):
        look(start)
        assert device_counts(SYSTEM)["silent"] == 0, "ten at a time would each look like few"


def test_the_doctor_tells_of_lags_and_troubles(county: Cast, log: PostgresLog) -> None:
    log.append([stopped(1)])
    assert ("ok", "signals effects") in [line[:2] for line in doctor(SYSTEM)]
    with clock.fixed(clock.now() + timedelta(minutes=1)):
        assert ("warn", "signals effects") in [line[:2] for line in doctor(SYSTEM)]
        run_all()
        lines = doctor(SYSTEM)
    assert next(said for _, name, _, said in lines if name == "signals effects")["batches"] == 0


def test_after_our_own_absence_devices_get_their_time_again(county: Cast, log: PostgresLog) -> None:
    start = clock.now()
    with clock.fixed(start):
        heard(log, "cam-1")
    with clock.fixed(start + timedelta(hours=8)):
        mark_silent()
        assert device(SYSTEM, "cam-1").status == "online"
        look(start + timedelta(hours=7))
        assert device(SYSTEM, "cam-1").status == "silent"


def test_a_standstill_or_a_jump_of_the_clock_begins_the_watch_anew() -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    watch = Watch.again(None, start, 1.0)
    for seconds, rate, since in ((10, 1.0, 0), (600, 10.0, 0), (700, 1.0, 700), (650, 1.0, 650)):
        watch = Watch.again(watch, start + timedelta(seconds=seconds), rate)
        assert watch.since == start + timedelta(seconds=since)
