"""Parquet by hour and partition: complete, once, atomic, erasable, not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from gridloop.doors.cli.database import Urls
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.sdk.testing.signal_log import signal
from gridloop.signals import history, positions
from gridloop.signals.actions import erase_subject, trim_log
from gridloop.signals.log import PostgresLog

EIGHT = datetime(2026, 5, 1, 8, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def put(log: PostgresLog, arrived: datetime, *numbers_and_times: tuple[int, datetime]) -> None:
    with clock.fixed(arrived):
        log.append([signal(n, device="d1", at=at) for n, at in numbers_and_times])


def write(now: datetime) -> None:
    with clock.fixed(now):
        while history.write_hours("test"):
            pass


def rows(folder: Path) -> list[tuple[str, str]]:
    if not list(folder.glob("*/*/*.parquet")):
        return []
    query = f"""SELECT id, strftime("at" AT TIME ZONE 'UTC', '%H:%M') FROM '{folder}/*/*/*.parquet' ORDER BY "at", id"""
    found = duckdb.connect().execute(query).fetchall()
    return [(i, t) for i, t in found]


def test_an_hour_is_written_when_it_is_over(log: PostgresLog, history_folder: Path) -> None:
    put(log, EIGHT + minutes(30), (1, EIGHT + minutes(29)), (2, EIGHT + minutes(30)))
    write(EIGHT + minutes(59))
    assert rows(history_folder) == []
    write(EIGHT + minutes(63))
    assert rows(history_folder) == [("s1", "08:29"), ("s2", "08:30")]
    assert [p.relative_to(history_folder).parts[:2] for p in history_folder.glob("*/*/*")] == [("2026-05-01", "08")]
    assert positions.waiting("history") == []


def test_late_rows_go_into_additional_files_of_their_hour_without_what_is_there(log: PostgresLog, history_folder: Path) -> None:
    put(log, EIGHT + minutes(30), (1, EIGHT + minutes(10)), (1, EIGHT + minutes(10)))
    put(log, EIGHT + minutes(90), (1, EIGHT + minutes(10)), (9, EIGHT + minutes(11)), (3, EIGHT + minutes(80)))
    write(EIGHT + minutes(200))
    assert rows(history_folder) == [("s1", "08:10"), ("s9", "08:11"), ("s3", "09:20")]
    assert len(list((history_folder / "2026-05-01" / "08").glob("*.parquet"))) == 2


def test_a_crash_before_the_position_writes_the_same_files_again(
    log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(log, EIGHT + minutes(30), (1, EIGHT + minutes(10)), (2, EIGHT - minutes(10)))

    def crash(lease: positions.Lease, seq: int) -> positions.Lease:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(positions, "advance", crash)
        with pytest.raises(RuntimeError):
            write(EIGHT + minutes(70))
    put(log, EIGHT + minutes(90), (3, EIGHT + minutes(90)))
    write(EIGHT + minutes(200))
    assert rows(history_folder) == [("s2", "07:50"), ("s1", "08:10"), ("s3", "09:30")]
    assert list(history_folder.glob("*/*/*.tmp")) == []


def test_every_value_survives(log: PostgresLog, history_folder: Path) -> None:
    sent = [signal(1, at=EIGHT, lon=120.5, lat=30.25, data={"车牌": "浙A1"}), signal(2, at=EIGHT, value=None, source="热线", device="")]
    with clock.fixed(EIGHT + minutes(1)):
        log.append(sent)
    write(EIGHT + minutes(70))
    got = [r.signal for p in history_folder.glob("*/*/*") for r in history.read_file(p)]
    assert sorted(got, key=lambda s: s.id) == sent


def test_old_days_go(log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_HISTORY_DAYS", "30")
    put(log, EIGHT, (1, EIGHT))
    write(EIGHT + minutes(70))
    for days, left in ((29, 1), (32, 0)):
        with clock.fixed(EIGHT + timedelta(days=days)):
            history.drop_old()
        assert len(rows(history_folder)) == left
    assert list(history_folder.iterdir()) == []


def test_a_person_is_erased_from_log_and_history(log: PostgresLog, history_folder: Path, database_urls: Urls) -> None:
    mine = [
        signal(1, source="hotline", id="call-7", device="", data={"text": "我是张晓梅"}, at=EIGHT),
        signal(2, data={"caller": {"phone": ["13800000000"]}}, lon=120.1, lat=30.1, at=EIGHT),
        signal(3, device="watch-1", at=EIGHT),
    ]
    other = signal(4, data={"text": "李四"}, at=EIGHT)
    with clock.fixed(EIGHT):
        log.append([*mine, other])
        write(EIGHT + minutes(70))
        log.append([*mine, other])
        count = erase_subject(SYSTEM, rule="request", identities=[("hotline", "call-7")], devices=["watch-1"], words=["13800000000"])
    assert count == 9  # in the log twice, in the history once
    left = [s for p in log.positions() for b in log.read(p, 0, 99) for s in b.signals]
    left += [r.signal for p in history_folder.glob("*/*/*") for r in history.read_file(p)]
    assert len(left) == 12
    assert not [s for s in left if "张晓梅" in str(s) or "13800000000" in str(s)]
    assert {str(s.data) for s in left} == {"{'erased': 'request'}", "{'text': '李四'}"}
    with pytest.raises(Exception, match="forbidden"):
        erase_subject(PUBLIC, rule="request", words=["x"])


def test_the_log_keeps_what_the_slowest_consumer_needs(log: PostgresLog, history_folder: Path) -> None:
    put(log, EIGHT, (1, EIGHT))
    put(log, EIGHT + minutes(90), (2, EIGHT))
    write(EIGHT + minutes(100))
    partition = next(p for p, seq in log.positions().items() if seq)
    with clock.fixed(EIGHT + timedelta(days=3)):
        trim_log()
        assert len(log.read(partition, 0, 9)) == 2  # nothing has had its effects yet
        for consumer in ("effects", "heard", "detectors", "devices"):
            assert len(log.read(partition, 0, 9)) == 2
            lease = positions.claim(consumer, partition, "test")
            assert lease
            with scoped(SYSTEM):
                positions.advance(lease, 2)
            trim_log()
    assert [b.seq for b in log.read(partition, 0, 9)] == [2]  # the history has not got the second hour yet
