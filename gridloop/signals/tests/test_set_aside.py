"""A detector that cannot go on is set aside, and the others find what they would have found without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import OperationalError

from gridloop.access.actions import load_users
from gridloop.access.messages import SampleLogin
from gridloop.access.selectors import user_id_of, viewer_for
from gridloop.cases.tests.kit import Cast
from gridloop.detection import engine, rules, watching
from gridloop.detection.columns import Edges, Readings
from gridloop.detection.engine import Engine, Faulty
from gridloop.detection.language import kind_number
from gridloop.detection.rules import HOUR, MINUTE, Detector
from gridloop.detection.runs import View
from gridloop.journal.frame import scoped
from gridloop.journal.models import Fact
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal
from gridloop.signals import selectors, sharing
from gridloop.signals.actions import release_detector
from gridloop.signals.alarms import moment
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm, AsideDetector
from gridloop.signals.sharing import Crew
from gridloop.signals.stream import milliseconds
from gridloop.signals.tests.homes import ALL, START, TEMPERATURE, Told, day, pick, receive, register
from gridloop.signals.tests.test_bad_days import said
from gridloop.signals.tests.test_detect import HOMES, begun, expected, rows, run

MINUTES = 600
BAD = Detector("homes.bad", 1, rules.Rate(pick(TEMPERATURE), 10.0, 5 * MINUTE))
BREAKS = START + timedelta(hours=4)
END = START + timedelta(minutes=MINUTES + 30)


class Breaking(watching.Rate):
    """From a moment of the readings on it cannot."""

    fault: Exception | None = None

    def step(self, view: View, until: int) -> Edges:
        if Breaking.fault and until > milliseconds(BREAKS):
            raise type(Breaking.fault)(*Breaking.fault.args)
        return super().step(view, until)


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception | None], None]:
    """Says with what it breaks; at first with a fault of its own."""
    monkeypatch.setitem(engine._LEAVES, rules.Rate, Breaking)
    monkeypatch.setattr(Breaking, "fault", IndexError("index 7 is out of bounds"))
    return lambda fault: monkeypatch.setattr(Breaking, "fault", fault)


@pytest.fixture
def homes(county: Cast, history_folder: Path) -> None:
    register(HOMES)


def go_on(work: AtWork | Crew, at: datetime, most: int = 10) -> list[Exception]:
    """As the worker's loop does: a turn that fails is done again. What it failed with."""
    faults: list[Exception] = []
    with clock.fixed(at):
        for _ in range(most):
            try:
                while work.turn():
                    pass
            except Exception as fault:
                faults.append(fault)
    return faults


def together_at(at: datetime, crews: Sequence[Crew], times: int) -> None:
    for _ in range(times):
        for crew in crews:
            go_on(crew, at, 1)


def of(detectors: Sequence[Detector], told: Sequence[Told]) -> list[Told]:
    names = {one.id for one in detectors}
    return [one for one in told if one.detector in names]


def aside() -> list[str]:
    with scoped(SYSTEM):
        return [row["name"] for row in selectors.held_detectors(SYSTEM) if row["why"] == "fault"]


def facts(action: str) -> list[dict[str, object]]:
    with scoped(SYSTEM):
        return [fact.data for fact in Fact.objects.filter(action=action)]


def boss() -> int:
    load_users(
        [SampleLogin("boss", "值班长", None, "duty_commander", "9901", None), SampleLogin("desk", "坐席", None, "operator", "9901", None)]
    )
    return user_id_of("boss") or 0


def test_an_engine_names_those_that_cannot_go_on(breaks: Callable[[Exception | None], None]) -> None:
    work = Engine([*ALL, BAD, replace(BAD, id="homes.worse")])
    with pytest.raises(Faulty, match=r"homes\.bad: IndexError: index 7 is out of bounds; homes\.worse") as found:
        work.tick(milliseconds(END))
    assert [one.id for one, _ in found.value.faults] == ["homes.bad", "homes.worse"]
    breaks(MemoryError())
    with pytest.raises(MemoryError):
        Engine([*ALL, BAD]).tick(milliseconds(END))


def test_the_others_find_what_they_would_have_found_without_it(
    homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None]
) -> None:
    signals = day(HOMES, MINUTES)
    work = begun(log, [*ALL, BAD])
    receive(log, signals)
    run(work, START + timedelta(hours=3))
    before = of([BAD], rows())
    assert before
    faults = go_on(work, END)
    assert [type(fault) for fault in faults] == [Faulty, Faulty], "nobody is set aside for one fault"
    assert aside() == ["homes.bad"]
    want = expected(signals, ALL, moment(work.engine.watermark - 1))
    assert of(ALL, rows()) == want
    assert of([BAD], rows())[: len(before)] == before
    with scoped(SYSTEM):
        row = AsideDetector.objects.get()
        (line,) = said(selectors.doctor(SYSTEM), "signals.doctor_aside")
        assert Alarm.objects.filter(detector=BAD.id, ended=None).exists(), "what it had raised is not over"
    assert (row.version, row.fault) == (1, "IndexError: index 7 is out of bounds")
    assert row.until > BREAKS
    assert set(row.position) == {str(partition) for partition in work.stream.marks}
    assert line.startswith("BAD the detector homes.bad has failed again and again (IndexError: index 7 is out of bounds)")
    assert facts("detector_set_aside") == [{"detector": "homes.bad", "version": 1, "why": "IndexError"}]
    work.end()
    again = AtWork("again", lambda: [*ALL, BAD])
    assert go_on(again, END + timedelta(minutes=5)) == []
    assert again.engine.knows(ALL[0])
    assert not again.engine.knows(BAD)


def test_somebody_lets_it_try_again_and_it_has_learned_what_it_missed(
    homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None]
) -> None:
    work = begun(log, [*ALL, BAD])
    receive(log, day(HOMES, MINUTES))
    go_on(work, END)
    user = boss()
    with pytest.raises(Forbidden):
        release_detector(viewer_for(user_id_of("desk") or 0), "homes.bad")
    release_detector(viewer_for(user), "homes.bad")
    assert len(go_on(work, END + timedelta(minutes=1))) == 2, "with the same fault it is set aside again, while it learns"
    assert aside() == ["homes.bad"]
    assert work.engine.knows(ALL[0]), "the others are at work"
    breaks(None)
    release_detector(viewer_for(user), "homes.bad")
    with pytest.raises(NotFound):
        release_detector(viewer_for(user), "homes.bad")
    assert len(facts("detector_tried_again")) == 2
    assert go_on(work, END + timedelta(minutes=2)) == []
    assert aside() == []
    assert work.engine.knows(BAD)
    never = Engine([BAD], 0)  # had it always been at work
    signals = sorted(day(HOMES, MINUTES), key=lambda one: one.at)
    numbers = {code: work.keys.numbers["device"][code] for code in {one.device for one in signals}}
    readings = Readings.of(
        [milliseconds(one.at) for one in signals],
        [numbers[one.device] for one in signals],
        [kind_number(one.kind) for one in signals],
        [one.value or 0.0 for one in signals],
    )
    never.step(readings)
    never.finish(work.engine.watermark - 1)
    lasting = {work.keys.name("device", one.key) for one in never.active()}
    with scoped(SYSTEM):
        assert set(Alarm.objects.filter(detector=BAD.id, ended=None).values_list("key", flat=True)) == lasting


def test_a_new_version_goes_on_by_itself(homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None]) -> None:
    wanted = [[*ALL, BAD]]
    work = begun(log, wanted[0])
    work._wanted = lambda: wanted[0]
    receive(log, day(HOMES, MINUTES))
    go_on(work, END)
    mended = Detector("homes.bad", 2, rules.Threshold(pick(TEMPERATURE), 80.0, 30.0))
    wanted[0] = [*ALL, mended]
    assert go_on(work, END + timedelta(minutes=1)) == []
    assert work.engine.knows(mended)
    assert aside() == []


def test_a_new_detector_that_cannot_learn_holds_nobody_up(
    homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None]
) -> None:
    signals = day(HOMES, MINUTES)
    wanted = [list(ALL)]
    work = begun(log, ALL)
    work._wanted = lambda: wanted[0]
    receive(log, signals)
    run(work, START + timedelta(hours=5))
    wanted[0] = [*ALL, BAD]
    assert len(go_on(work, END)) == 2
    assert aside() == ["homes.bad"]
    assert rows() == expected(signals, ALL, moment(work.engine.watermark - 1))


def test_the_only_detector_is_set_aside_and_what_it_raised_stays(
    homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None]
) -> None:
    work = begun(log, [BAD])
    receive(log, day(HOMES, MINUTES))
    run(work, START + timedelta(hours=3))
    go_on(work, END)
    with scoped(SYSTEM):
        assert Alarm.objects.filter(ended=None).exists()
    assert aside() == ["homes.bad"]
    work._wanted = list  # its scene is switched off
    go_on(work, END + timedelta(minutes=1))
    with scoped(SYSTEM):
        assert not Alarm.objects.filter(ended=None).exists()
    assert aside() == []


@pytest.mark.parametrize("fault", [MemoryError(), OSError("no space left"), OperationalError("the connection is closed")])
def test_what_is_no_detector_s_fault_sets_nothing_aside(
    homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None], monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    signals = day(HOMES, MINUTES)
    work = begun(log, [*ALL, BAD])
    receive(log, signals)
    if isinstance(fault, OperationalError):
        breaks(None)

        def gone(*_: object) -> None:
            raise fault

        with monkeypatch.context() as patch:
            patch.setattr("gridloop.signals.alarms.write", gone)
            assert len(go_on(work, END, 4)) == 4
    else:
        breaks(fault)
        assert len(go_on(work, END, 4)) == 4
        breaks(None)
    assert aside() == []
    assert go_on(work, END) == []
    assert of(ALL, rows()) == expected(signals, ALL, moment(work.engine.watermark - 1))
    assert work.engine.knows(BAD)


def test_a_fault_that_was_none_of_its_definition_is_forgotten_once_it_has_come_further(
    homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None]
) -> None:
    work = begun(log, [*ALL, BAD])
    receive(log, day(HOMES, MINUTES))
    for hour in (5, 7):
        assert len(go_on(work, START + timedelta(hours=hour), 1)) == 1
        fault = Breaking.fault
        breaks(None)
        assert go_on(work, START + timedelta(hours=hour)) == []
        breaks(fault)
    assert aside() == []


def test_every_lane_of_every_worker_goes_on_without_it(
    homes: None, log: PostgresLog, breaks: Callable[[Exception | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDLOOP_SIGNAL_PARTITIONS", "4")
    monkeypatch.setattr(sharing, "BALANCE_SECONDS", 0.0)
    monkeypatch.setattr(sharing, "PASS_SECONDS", 0.0)
    together = Detector("homes.together", 1, rules.Rate(pick(TEMPERATURE), 10.0, HOUR), by="household")
    wanted = [*ALL, BAD, together]
    signals = day(HOMES, MINUTES)
    with clock.fixed(START - timedelta(minutes=1)):
        log.append([Signal("x", "test", "", "note", START)])
    crews = [Crew(name, lambda: wanted) for name in ("first", "second")]
    together_at(START, crews, 3)
    receive(log, signals)
    together_at(START + timedelta(hours=3), crews, 1)
    together_at(END, crews, 8)
    assert sorted(aside()) == ["homes.bad", "homes.together"]
    held = [work for crew in crews for work in crew.held.values()]
    assert len(held) == 5
    end = moment(min(work.engine.watermark for work in held) - 1)
    assert of(ALL, rows()) == expected(signals, ALL, end)
    assert sorted(str(fact["detector"]) for fact in facts("detector_set_aside")) == ["homes.bad", "homes.together"], "once"
    with scoped(SYSTEM):
        assert Alarm.objects.filter(detector=BAD.id).exists()
