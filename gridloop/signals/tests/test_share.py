"""The detectors' work shared by lanes: evenly, whoever comes and goes, and always the alarms of one process."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from importlib import import_module

import orjson
import pytest
import zstandard
from django.db import connection

from gridloop.cases.tests.kit import Cast
from gridloop.detection import rules
from gridloop.detection.rules import HOUR, Detector
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal, pack, partition_of_name
from gridloop.signals import detecting, positions, sharing
from gridloop.signals.alarms import moment
from gridloop.signals.detecting import AtWork
from gridloop.signals.lanes import WHOLE, Lane, shared
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm, DetectorState, Hand, Name, Position
from gridloop.signals.sharing import Crew
from gridloop.signals.state import load
from gridloop.signals.stream import Mark, Row, Stream
from gridloop.signals.tests.homes import ALL, DOOR, HOT, SILENT, START, day, pick, receive, register
from gridloop.signals.tests.test_detect import HOMES, expected, rows

MINUTES, PARTITIONS = 300, 4


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has what is looked at in every turn."""
    monkeypatch.setenv("GRIDLOOP_SIGNAL_PARTITIONS", str(PARTITIONS))
    monkeypatch.setattr(sharing, "BALANCE_SECONDS", 0.0)
    monkeypatch.setattr(sharing, "PASS_SECONDS", 0.0)


def run(at: datetime, *crews: Crew) -> None:
    with clock.fixed(at):
        for _ in range(3):
            for crew in crews:
                while crew.turn():
                    pass


def begun(log: PostgresLog, *names: str) -> list[Crew]:
    with clock.fixed(START - timedelta(minutes=1)):
        log.append([Signal("x", "test", "", "note", START)])
    crews = [Crew(name, lambda: ALL) for name in names]
    run(START, *crews)
    return crews


def is_over(*owners: str) -> None:
    """The time of these workers is over."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        for table, column in (("position", "lease_until"), ("hand", "until")):
            cursor.execute(
                f"UPDATE signals_{table} SET {column} = clock_timestamp() - interval '1 s' WHERE owner = ANY(%s)", [list(owners)]
            )


def end_of(crew: Crew) -> datetime:
    return moment(min(work.engine.watermark for work in crew.held.values()) - 1)


def test_what_looks_at_several_devices_is_one_lane_s_and_the_rest_is_the_partitions() -> None:
    gone = Detector("homes.gone", 1, rules.Absence(pick(DOOR), HOUR))  # of one device, but others tell whether it is the gateway
    lanes = shared([SILENT, HOT, gone], range(3))
    assert lanes == {WHOLE: (SILENT, gone), **{Lane(n): (HOT,) for n in range(3)}}
    assert shared([HOT], range(2)).keys() == {Lane(0), Lane(1)}
    assert shared([SILENT], range(2)).keys() == {WHOLE}


def test_who_comes_gets_a_part_and_who_goes_gives_it_back(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    signals = day(HOMES, MINUTES)
    first = begun(log, "first")[0]
    receive(log, signals)
    run(START + timedelta(minutes=60), first)
    assert len(first.held) == PARTITIONS + 1
    second, third = Crew("second", lambda: ALL), Crew("third", lambda: ALL)
    run(START + timedelta(minutes=100), first, second)
    assert {len(first.held), len(second.held)} == {2, 3}
    run(START + timedelta(minutes=150), first, second, third)
    parts = [set(crew.held) for crew in (first, second, third)]
    assert all(parts)
    assert set().union(*parts) == {WHOLE, *(Lane(n) for n in range(PARTITIONS))}
    assert sum(map(len, parts)) == PARTITIONS + 1
    second.end()
    run(START + timedelta(minutes=200), first, third)
    run(START + timedelta(minutes=MINUTES + 30), first, third)
    assert rows() == expected(signals, ALL, min(end_of(first), end_of(third)))
    with scoped(SYSTEM):
        assert set(Hand.objects.values_list("owner", flat=True)) == {"first", "third"}


def test_one_that_stands_still_is_followed_and_writes_nothing_when_it_wakes(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    signals = day(HOMES, MINUTES)
    first, second = begun(log, "first", "second")
    receive(log, signals)
    run(START + timedelta(minutes=100), first, second)
    stalled = set(first.held)
    run(START + timedelta(minutes=120), first)  # what it found since it stored its state is found again
    is_over("first")
    run(START + timedelta(minutes=200), second)
    assert len(second.held) == PARTITIONS + 1
    with scoped(SYSTEM):
        before = list(Position.objects.order_by("pk").values_list("partition", "consumer", "seq", "owner", "epoch"))
    for lane, work in list(first.held.items()):
        work._saved = work._renewed = 0.0
        with clock.fixed(START + timedelta(minutes=250)), pytest.raises(positions.Fenced):
            work.turn()
        assert work.leases is None
        assert lane in stalled
    with scoped(SYSTEM):
        assert before == list(Position.objects.order_by("pk").values_list("partition", "consumer", "seq", "owner", "epoch"))
    run(START + timedelta(minutes=MINUTES + 30), second)
    assert rows() == expected(signals, ALL, end_of(second))


def test_positions_without_detectors_go_along(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    crew = begun(log, "first")[0]
    receive(log, day(HOMES, 30))
    run(START + timedelta(minutes=60), crew)
    crew._wanted = lambda: [SILENT]
    run(START + timedelta(minutes=61), crew)
    assert set(crew.held) == {WHOLE}
    crew._wanted = list
    run(START + timedelta(minutes=62), crew)
    assert not crew.held
    with clock.fixed(START + timedelta(minutes=63)):
        log.append([Signal("y", "test", "", "note", START)])
    run(START + timedelta(minutes=64), crew)
    with scoped(SYSTEM):
        ends = log.positions()
        assert positions.reached("devices") == positions.reached("detectors") == ends
        assert not DetectorState.objects.exists()


def test_alarms_of_a_detector_that_is_no_more_are_over_once_all_workers_know(county: Cast, log: PostgresLog) -> None:
    register(HOMES)
    crew = begun(log, "first")[0]
    receive(log, [s for s in day(HOMES, MINUTES) if s.at < START + timedelta(minutes=150)])
    run(START + timedelta(minutes=400), crew)
    before = _lasting()
    assert before.keys() >= {"homes.hot", "homes.silent"}
    crew._wanted = lambda: [one for one in ALL if one.id != "homes.hot"]
    with clock.fixed(START + timedelta(minutes=400)):
        crew.turn()
        assert _lasting() == before, "another worker may have heard of a new one sooner"
        crew.turn()
    assert _lasting() == {name: count for name, count in before.items() if name != "homes.hot"}


def _lasting() -> dict[str, int]:
    with scoped(SYSTEM):
        return dict(Counter(Alarm.objects.filter(ended=None).values_list("detector", flat=True)))


def test_more_partitions_move_devices_and_their_alarms(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    register(HOMES)
    signals = day(HOMES, MINUTES)
    crew = begun(log, "first")[0]
    early = [s for s in signals if s.at < START + timedelta(minutes=150)]
    receive(log, early)
    run(START + timedelta(minutes=155), crew)
    crew.end()
    monkeypatch.setenv("GRIDLOOP_SIGNAL_PARTITIONS", "6")
    monkeypatch.setattr(log, "_partitions", 6)
    receive(log, signals[len(early) :])
    again = Crew("again", lambda: ALL)
    run(START + timedelta(minutes=156), again)
    run(START + timedelta(minutes=MINUTES + 30), again)
    assert len(again.held) == 7
    late = START + timedelta(minutes=200)
    assert [t for t in rows() if t.at > late] == [t for t in expected(signals, ALL, end_of(again)) if t.at > late]


def test_what_one_lane_for_all_stored_goes_on(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier program: one place, one position for all partitions, and the numbers of all in one row."""
    monkeypatch.setattr(detecting, "WARM_SECONDS", 0.1)  # history takes more than one turn
    register(HOMES)
    signals = day(HOMES, MINUTES)
    with clock.fixed(START - timedelta(minutes=1)):
        log.append([Signal("x", "test", "", "note", START)])
    before = AtWork("before", lambda: ALL)
    with clock.fixed(START):
        before.turn()
    early = [s for s in signals if s.at < START + timedelta(minutes=150)]
    receive(log, early)
    with clock.fixed(START + timedelta(minutes=100)):
        while before.turn():
            pass
    before.end()
    _as_it_was_stored()
    with scoped(SYSTEM):
        known, stood = set(Name.objects.values_list("space", "name", "number")), positions.reached("detectors")
        with connection.cursor() as cursor:
            cursor.execute(import_module("gridloop.signals.migrations.0009_lanes").SQL)
        assert positions.reached("devices") == stood
        assert min(stood.values()) > 0
    receive(log, signals[len(early) :])
    crew = Crew("after", lambda: ALL)
    run(START + timedelta(minutes=MINUTES + 30), crew)
    assert len(crew.held) == PARTITIONS + 1
    assert rows() == expected(signals, ALL, end_of(crew))
    assert {t.at for t in rows() if t.detector == "homes.hot"} - {t.at for t in rows() if t.at < START + timedelta(minutes=100)}
    with scoped(SYSTEM):
        assert known <= set(Name.objects.values_list("space", "name", "number")), "numbers stay as they were"


def _as_it_was_stored() -> None:
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("DELETE FROM signals_detectorstate WHERE part < (SELECT max(part) / 1000000 * 1000000 FROM signals_detectorstate)")
        cursor.execute("DELETE FROM signals_detectorstate WHERE name = 'in_use'")
        cursor.execute("UPDATE signals_detectorstate SET part = part %% 1000000", [])
        file = load("meta")
        assert file
        with file:
            meta = orjson.loads(file.read())
        for since in ("of", "moved", "anew"):
            del meta[since]
        packed = zstandard.ZstdCompressor().compressobj()
        data = packed.compress(orjson.dumps(meta)) + packed.flush()
        cursor.execute("UPDATE signals_detectorstate SET data = %s WHERE name = 'meta'", [data])


def test_readings_a_town_took_in_are_not_detected_on_again() -> None:
    data = pack([Signal("1", "test", "d", "rain", START, 9.0)])
    found = {True: 0, False: 0}
    for elsewhere in found:
        rows: list[Row] = [(0, 1, 1000, data, elsewhere)]
        stream = Stream({0: Mark(0, 0)}, lambda after, limit, rows=rows: rows if not after[0] else [])  # type: ignore[misc]
        batches, _ = stream.take(2000, 100)
        assert [batch.seq for batch in batches] == [1]
        found[elsewhere] = sum(len(batch.found) for batch in batches)
    assert found == {True: 0, False: 1}


def test_a_device_is_its_partition_s(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [f"d{n}" for n in range(200)]
    for code in codes:
        assert [Lane(n).own(code) for n in range(PARTITIONS)].index(True) == partition_of_name(code, PARTITIONS)
    assert all(map(WHOLE.own, codes))
