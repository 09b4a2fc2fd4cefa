"""Erasure where workers share the detectors' work: every lane forgets, and what lanes know that nobody runs any more goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import zstandard

from gridloop.cases.tests.kit import Cast
from gridloop.detection.engine import Engine
from gridloop.detection.rules import Detector
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.briefs import DeviceKeys
from gridloop.registry.messages import PersonRow
from gridloop.sdk.signals import Signal, partition_of_name
from gridloop.signals import detecting, keys, sharing, state
from gridloop.signals.actions import erase_person
from gridloop.signals.keys import Keys
from gridloop.signals.lanes import DEVICES, WHOLE, Lane
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import DetectorState, Forgotten, Position
from gridloop.signals.sharing import Crew
from gridloop.signals.stream import Look
from gridloop.signals.taking import LATENESS
from gridloop.signals.tests.homes import ALL, BUSY, HOT, SILENT, TEMPERATURE, day, receive, register
from gridloop.signals.tests.test_detect import HOMES, MINUTES, expected, rows
from gridloop.signals.tests.test_detect_change import lasting
from gridloop.signals.tests.test_forget_erased import CUT, END, GONE, of, theirs
from gridloop.signals.tests.test_share import PARTITIONS, at_once, begun, end_of, is_over, run  # noqa: F401

HOT_DEVICE = f"{GONE}-{TEMPERATURE}"
TOGETHER_ONLY = (SILENT, BUSY)


@pytest.fixture
def homes(county: Cast, history_folder: Path) -> Cast:
    register(HOMES)
    load(SYSTEM, [PersonRow("P1", "欧阳不二过", GONE, phone="19987654321")])
    return county


def stream() -> tuple[list[Signal], list[Signal]]:
    """Up to the cut, when the home to be erased is silent and too hot, and what comes after it."""
    signals = day(HOMES, MINUTES)
    first = [s for s in signals if s.at < CUT - timedelta(hours=4 * theirs(s))]
    first += [Signal(f"hot {n}", "test", HOT_DEVICE, TEMPERATURE, CUT - timedelta(minutes=m), 85.0) for n, m in enumerate((9, 7, 5))]
    return sorted(first, key=lambda s: s.at), [s for s in signals if s.at >= CUT]


def erase(cast: Cast) -> None:
    with clock.fixed(CUT):
        erase_person(cast.admin, "P1", "本人申请")


def waiting() -> set[frozenset[str]]:
    """Of all rows the lanes that have done them."""
    with scoped(SYSTEM):
        return {frozenset(lanes) for lanes in Forgotten.objects.values_list("lanes", flat=True)}


def known(lane: Lane, detectors: Sequence[Detector]) -> set[str]:
    """Keys of which a lane's stored state holds an alarm under way."""
    with scoped(SYSTEM):
        stored, keys = state.load("engine", lane.tag), Keys.load(lane.tag)
        assert stored is not None
        engine = Engine(detectors, LATENESS)
        with stored:
            engine.restore(stored)
    by = {one.id: one.by for one in detectors}
    return {keys.name(by[alarm.detector], alarm.key) for alarm in engine.active()}


@pytest.mark.parametrize("then", ["both go on", "one is killed first", "one is killed and follows"])
def test_two_workers_forget_and_are_as_new(homes: Cast, log: PostgresLog, then: str) -> None:
    first, rest = stream()
    crews = begun(log, "first", "second")
    receive(log, first)
    run(CUT, *crews)
    assert all(crew.held for crew in crews)
    hot = Lane(partition_of_name(HOT_DEVICE, PARTITIONS))
    assert lasting().keys() >= {GONE, HOT_DEVICE}
    erase(homes)
    assert not lasting().keys() & {GONE, HOT_DEVICE}
    parts = [{lane.tag for lane in crew.held} for crew in crews]
    if then == "both go on":
        run(CUT, crews[0])
        assert waiting() == {frozenset(parts[0])}, "it is known which lanes have forgotten"
    else:
        with clock.fixed(CUT):
            crews[1].turn()
        assert waiting() == {frozenset(parts[1])}
        is_over("first")
        crews[0] = Crew("another", lambda: ALL)
        if then == "one is killed and follows":
            crews = crews[1:]
    run(CUT + timedelta(seconds=10), *crews)
    assert waiting() == set()
    for crew in crews:
        crew.end()
    assert GONE not in known(WHOLE, TOGETHER_ONLY)
    assert HOT_DEVICE not in known(hot, [HOT])
    again = [Crew("a third", lambda: ALL), Crew("a fourth", lambda: ALL)]
    receive(log, rest)
    run(END, *again)
    end = min(map(end_of, again))
    new = expected([s for s in rest if theirs(s)], ALL, end)
    assert of(rows(), True) == of(new, True)
    assert {one.detector for one in of(new, True)} >= {"homes.hot", "homes.silent"}
    assert of(rows(), False) == of(expected([*first, *rest], ALL, end), False), "nobody else lost anything"


def test_what_one_lane_read_before_an_erasure_teaches_no_other_after_it(homes: Cast, log: PostgresLog) -> None:
    """Lanes that look together read once; of these, one has its turn before the erasure and one after it."""
    crew = begun(log, "first")[0]
    receive(log, stream()[0])
    whole, own = crew.held[WHOLE], crew.held[Lane(partition_of_name(HOT_DEVICE, PARTITIONS))]
    with scoped(SYSTEM):
        Forgotten.objects.create(device="of somebody else", at=CUT)
    with clock.fixed(CUT):
        look = Look.take()
        assert look.erased
        whole.turn(look)
        assert whole.taking.heard_of(whole.keys.devices([HOT_DEVICE])).size
    erase(homes)
    with clock.fixed(CUT):
        own.turn(look)
    assert frozenset({own.lane.tag}) in waiting()
    run(CUT + timedelta(seconds=10), crew)
    assert waiting() == set()
    assert [work.taking.heard_of(work.keys.devices([HOT_DEVICE])).size for work in (whole, own)] == [0, 0]


def test_forgetting_reads_everybody_registered_once_for_all_lanes(homes: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million devices for every lane would keep all of them from their work for minutes."""
    crew = begun(log, "first")[0]
    receive(log, stream()[0])
    monkeypatch.setattr(detecting, "SAVE_SHARE", 0)  # what is due soon is due now
    monkeypatch.setattr(sharing, "BALANCE_SECONDS", -1.0)  # in every turn, however long one takes
    run(CUT, crew)
    read, everybody = Counter[str](), keys.everybody

    def counted(name: str) -> Iterator[list[DeviceKeys]]:
        read[name] += 1
        return everybody()

    monkeypatch.setattr(detecting, "everybody", lambda: counted("one"))
    monkeypatch.setattr(sharing, "everybody", lambda: counted("all"))
    erase(homes)
    with clock.fixed(CUT):
        crew.turn()
        assert waiting() == set()
        crew.turn()
    assert read == {"all": 1}


def test_an_alarm_since_is_not_taken_back_by_a_lane_that_forgets_later(homes: Cast, log: PostgresLog) -> None:
    first, _ = stream()
    crew = begun(log, "first")[0]
    receive(log, first)
    run(CUT, crew)
    erase(homes)
    own = crew.held[Lane(partition_of_name(HOT_DEVICE, PARTITIONS))]
    after = CUT + timedelta(minutes=10)
    with clock.fixed(CUT):
        own.turn()
    receive(log, [Signal(f"again {n}", "test", HOT_DEVICE, TEMPERATURE, CUT + timedelta(minutes=n), 65.0) for n in (1, 3, 5)])
    with clock.fixed(after):
        while own.turn():
            pass
    assert lasting().keys() >= {HOT_DEVICE}
    run(after, crew)
    assert waiting() == set()
    assert lasting().keys() >= {HOT_DEVICE}


@pytest.mark.parametrize("left", [[HOT], [SILENT, BUSY], []], ids=["that of all", "those of devices", "any"])
def test_a_lane_nobody_runs_keeps_nothing_and_brings_nothing_back(homes: Cast, log: PostgresLog, left: list[Detector]) -> None:
    first, rest = stream()
    killed = begun(log, "killed")[0]
    receive(log, first)
    run(CUT, killed)
    for work in killed.held.values():
        work._save_due = True
    run(CUT + timedelta(seconds=10), killed)
    is_over("killed")
    wanted = [*left]
    crew = Crew("another", lambda: tuple(wanted))
    erase(homes)
    with scoped(SYSTEM):
        assert set(state.tags()) == {lane.tag for lane in killed.held}
    run(CUT + timedelta(seconds=20), crew)
    assert waiting() == set()
    kept = {lane.tag for lane in crew.held}
    assert kept < {lane.tag for lane in killed.held}
    with scoped(SYSTEM):
        assert set(state.tags()) == kept
    wanted[:] = ALL
    run(CUT + timedelta(seconds=30), crew)
    run(CUT + timedelta(minutes=1), crew)
    assert len(crew.held) == PARTITIONS + 1
    assert not lasting().keys() & {GONE, HOT_DEVICE}
    receive(log, rest)
    run(END, crew)
    new = expected([s for s in rest if theirs(s)], ALL, end_of(crew))
    assert of(rows(), True) == of(new, True)


def test_a_partition_that_is_no_more_keeps_no_row(homes: Cast, log: PostgresLog) -> None:
    """Nor one whose worker was killed before it had stored anything."""
    first, _ = stream()
    crew = begun(log, "first")[0]
    receive(log, first)
    run(CUT, crew)
    with scoped(SYSTEM):
        DetectorState.objects.create(name="meta:9", part=0, data=zstandard.compress(orjson.dumps({"frontier": 1})))
    stands(9, "")
    stands(11, "killed")
    erase(homes)
    run(CUT + timedelta(seconds=1), crew)
    assert waiting() == set()
    with scoped(SYSTEM):
        assert ":9" not in state.tags()


def stands(partition: int, owner: str) -> None:
    with scoped(SYSTEM):
        Position.objects.create(consumer=DEVICES, partition=partition, owner=owner, lease_until=clock.now() - timedelta(days=900))


def test_packs_that_are_gone_for_a_moment_take_nothing_along(homes: Cast, log: PostgresLog) -> None:
    """Not even while an erasure waits: the others' state stays, and what was erased is forgotten when the detectors are back."""
    first, rest = stream()
    wanted = [*ALL]
    crew = begun(log, "first")[0]
    crew._wanted = lambda: tuple(wanted)
    receive(log, first)
    run(CUT, crew)
    for work in crew.held.values():
        work._save_due = True
    run(CUT + timedelta(seconds=10), crew)
    with scoped(SYSTEM):
        before = set(state.tags())
        open_ = {**lasting()}
    assert before == {lane.tag for lane in crew.held}
    wanted.clear()
    with clock.fixed(CUT + timedelta(seconds=20)):
        crew.turn()
        assert not crew.held
        erase(homes)
    new = Crew("new", lambda: tuple(wanted))  # and one that has just been started
    with clock.fixed(CUT + timedelta(seconds=21)):
        new.turn()
    with scoped(SYSTEM):
        assert set(state.tags()) == before
    new.end()
    wanted[:] = ALL
    run(CUT + timedelta(seconds=30), crew)
    run(CUT + timedelta(minutes=1), crew)
    assert waiting() == set()
    assert lasting() == {key: at for key, at in open_.items() if key not in (GONE, HOT_DEVICE)}
    rest = [s for s in rest if s.at > CUT + timedelta(minutes=2)]
    receive(log, rest)
    run(END, crew)
    whole = [*first, *rest]
    assert of(rows(), False) == of(expected(whole, ALL, end_of(crew)), False)


def test_without_any_detector_nothing_waits(homes: Cast, log: PostgresLog) -> None:
    crew = Crew("first", list)
    receive(log, stream()[0])
    run(CUT, crew)
    erase(homes)
    assert waiting() == {frozenset()}
    run(CUT + timedelta(seconds=1), crew)
    assert waiting() == set()
