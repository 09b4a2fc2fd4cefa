"""What a pack's detector raises opens the pack's case, once, and tells it when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gridloop.cases.models import Case, Source
from gridloop.cases.tests.kit import Cast
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load as load_registry
from gridloop.registry.messages import BuildingRow, HouseholdRow, HouseRow, PersonRow
from gridloop.scenes import actions
from gridloop.scenes.book import BOOK
from gridloop.scenes.loading import load
from gridloop.scenes.tests.packkit import KNOWN, copy_of
from gridloop.sdk.signals import Signal
from gridloop.signals import handlers, outcomes
from gridloop.signals.actions import erase_subject
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm, AlarmChange, Trouble
from gridloop.signals.tests.homes import DOOR, GRID, SENSORS, START, WATER, reading, register, sensor

DETECT = """
detectors:
  silent_home:
    title: {zh: 户内久无动静, en: Silent home}
    by: household
    severity: 2
    when: {absence: {kind: [door_open, water_use], longer: 2h}}
    steps:
      - {severity: 1, when: {absence: {kind: [door_open, water_use], longer: 3h}}}
"""
SIGNALS = """
rules:
  - {alarm: silent_home, does: open, title: "户内长时间无动静"}
  - {alarm: silent_home, does: clear}
"""


@pytest.fixture
def pack(county: Cast, tmp_path: Path) -> Iterator[None]:
    """A scene whose cases come from a detector alone."""
    folder = copy_of("damaged_facility", tmp_path)
    (folder / "detect.yaml").write_text(DETECT, encoding="utf-8")
    (folder / "signals.yaml").write_text(SIGNALS, encoding="utf-8")
    text = (folder / "pack.yaml").read_text(encoding="utf-8")
    (folder / "pack.yaml").write_text(text.replace("{key: device, radius_m: 50, within: 1d}", "{key: data.key}"), encoding="utf-8")
    loaded = load(folder, KNOWN)
    assert loaded.wrongs == []
    actions.install(SYSTEM, loaded)
    BOOK.forget()
    register(2)
    yield
    BOOK.forget()


def work_until(at: datetime, work: AtWork) -> None:
    with clock.fixed(at):
        while work.turn():
            pass
        while handlers.run_effects():
            pass


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def put(log: PostgresLog, *signals: Signal) -> None:
    for signal in signals:
        with clock.fixed(signal.at + timedelta(seconds=5)):
            log.append([signal])


def test_a_detector_of_a_pack_opens_a_case_steps_it_up_and_tells_its_end(pack: None, log: PostgresLog) -> None:
    work = AtWork("test", outcomes.matcher().detectors)
    put(log, reading("h000", DOOR, at(0)), reading("h001", WATER, at(0)))
    work_until(at(0.01), work)
    put(log, reading("h001", WATER, at(1.5)), reading("h001", DOOR, at(2.9)))
    work_until(at(2.05), work)
    with scoped(SYSTEM):
        (case,) = Case.objects.all()
        assert (case.scene, case.same_thing, case.severity, case.region) == ("damaged_facility", "h000", 2, "990101100200001001")
        assert case.title.startswith("户内长时间无动静")
        assert (case.lon, case.lat) == (121.605, 29.205)
        (source,) = Source.objects.all()
        assert (source.source, source.kind, source.count) == ("gridloop", "alarm", 1)
    put(log, reading("h000", DOOR, at(3.5)), reading("h001", DOOR, at(3.4)))
    work_until(at(3.6), work)
    with scoped(SYSTEM):
        (source,) = Source.objects.all()
        assert source.count == 3, "raised, more severe, over"
        (alarm,) = Alarm.objects.all()
        assert (alarm.key, alarm.told, alarm.late, alarm.start, alarm.ended) == ("h000", "told", False, at(2), at(3.5))
        assert Trouble.objects.count() == 0
    work.end()


def test_a_worker_that_begins_again_tells_nothing_twice(pack: None, log: PostgresLog) -> None:
    put(log, reading("h000", DOOR, at(0)))
    first = AtWork("test", outcomes.matcher().detectors)
    work_until(at(0.01), first)
    work_until(at(2.5), first)
    first.end()
    for turn in range(3):
        again = AtWork(f"test {turn}", outcomes.matcher().detectors)
        work_until(at(2.6 + turn / 100), again)
        again.end()
    with scoped(SYSTEM):
        assert [s.count for s in Source.objects.all()] == [1]


def test_somebody_else_s_alarm_opens_nothing(pack: None, log: PostgresLog) -> None:
    data = {"detector": "damaged_facility.silent_home", "what": "raised", "key": "h000"}
    put(log, Signal("x", "box", "h000-door_open", "alarm", at(0), 2.0, data=data))
    with clock.fixed(at(1)):
        while handlers.run_effects():
            pass
    with scoped(SYSTEM):
        assert Case.objects.count() == 0


@pytest.mark.parametrize(
    ("rule", "line", "says"),
    [
        ("{alarm: silent, does: open, title: x}", 3, "detect.yaml 中没有名为 silent 的规则；现有：silent_home"),
        ("{alarm: silent_home, kind: smoke, does: open, title: x}", 3, "二者取一"),
        ("{does: open, title: x}", 3, "二者取一"),
    ],
)
def test_a_rule_names_a_detector_of_its_own_pack_or_a_kind(tmp_path: Path, rule: str, line: int, says: str) -> None:
    folder = copy_of("damaged_facility", tmp_path)
    (folder / "detect.yaml").write_text(DETECT, encoding="utf-8")
    (folder / "signals.yaml").write_text(f"\nrules:\n  - {rule}\n", encoding="utf-8")
    (wrong,) = load(folder, KNOWN).wrongs
    assert wrong.line == line
    assert says in wrong.said("zh")


def test_the_silent_home_of_the_program_s_own_pack_becomes_a_case(county: Cast, log: PostgresLog) -> None:
    """Four sensors, nobody has moved for 24 hours but the fridge; the neighbour's home is as silent, but two live there."""
    sensors = (DOOR, WATER, "gas_use", "electricity_use")
    homes = ("h000", "h001")
    load_registry(SYSTEM, [BuildingRow("b0", GRID, "春晖里3幢", "春晖路6号3幢"), HouseRow("r0", "b0", "502")])
    load_registry(SYSTEM, [HouseholdRow(code=home, house="r0" if home == "h000" else "", region_code=GRID) for home in homes])
    load_registry(SYSTEM, [PersonRow(code="p0", name="王秀英", household="h000", region_code=GRID, tags=("lone_elder",))])
    load_registry(SYSTEM, [PersonRow(code=f"p{n}", name="李", household="h001", region_code=GRID) for n in (1, 2)])
    load_registry(SYSTEM, [sensor(home, kind) for home in homes for kind in sensors])
    work = AtWork("test", outcomes.matcher().detectors)
    put(log, *[reading(home, kind, at(0), 1.0) for home in homes for kind in sensors])
    work_until(at(0.01), work)
    put(log, *[reading(home, "electricity_use", at(hour), 0.05) for hour in range(1, 24) for home in homes])
    work_until(at(23.99), work)
    with scoped(SYSTEM):
        assert Case.objects.count() == 0
    work_until(at(24.05), work)
    with scoped(SYSTEM):
        (case,) = Case.objects.all()
        assert (case.scene, case.type, case.same_thing, case.severity) == ("silent_home", "24001", "h000", 2)
        assert case.title.startswith("独居户久无动静（春晖路6号3幢） · "), "where, but neither who nor behind which door"
    put(log, reading("h000", DOOR, at(24.5)))
    work_until(at(24.6), work)
    with scoped(SYSTEM):
        (source,) = Source.objects.all()
        assert source.count == 2, "raised, and over"


def test_an_erased_person_s_alarms_go_with_their_signals(pack: None, log: PostgresLog, history_folder: Path) -> None:
    work = AtWork("test", outcomes.matcher().detectors)
    put(log, reading("h000", DOOR, at(0)), reading("h001", DOOR, at(0)))
    work_until(at(0.01), work)
    work_until(at(2.05), work)
    with scoped(SYSTEM):
        assert {a.key for a in Alarm.objects.all()} == {"h000", "h001"}
        assert AlarmChange.objects.count() == 2
    erase_subject(SYSTEM, rule="request", devices=[f"h000-{kind}" for kind in SENSORS])
    with scoped(SYSTEM):
        assert {a.key for a in Alarm.objects.all()} == {"h001"}
        assert AlarmChange.objects.count() == 1
