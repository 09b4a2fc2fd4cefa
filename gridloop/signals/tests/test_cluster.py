"""Several workers on a real cluster of NATS servers: killed, stalled, a server that leads lost, and the alarms of one process all the same.

A town's leaf is cut off for an hour, goes on by itself, and nothing is lost or doubled when it is back.
"""

from __future__ import annotations

import os
import signal as signals
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gridloop.adapters.systems.jetstream.log import JetStreamLog
from gridloop.adapters.systems.jetstream.tests.servers import Line, Servers
from gridloop.cases.tests.kit import Cast
from gridloop.doors.cli.database import Urls
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal, unpack
from gridloop.sdk.testing.signal_log import everything
from gridloop.signals.messages import ALARM
from gridloop.signals.models import AlarmChange
from gridloop.signals.tests.homes import ALL, START, Told, day, register
from gridloop.signals.tests.test_detect import HOMES, expected, rows

PARTITIONS = 4
EVERY = timedelta(seconds=30)
HUB, TOWN = "hub", "town1"


def become(found: Callable[[], list[Told]], want: list[Told]) -> None:
    """Within a minute; every difference is told."""
    end = time.monotonic() + 60
    while found() != want and time.monotonic() < end:
        time.sleep(0.2)
    got = found()
    assert (Counter(want) - Counter(got), Counter(got) - Counter(want)) == (Counter(), Counter())
    assert got == want


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.2)


class Workers:
    """Processes with the test's database and the log of these servers."""

    def __init__(self, urls: list[str], folder: Path, database: Urls, prefix: str, **more: str) -> None:
        self.environment = os.environ | database.environment()
        self.environment |= {"DJANGO_SETTINGS_MODULE": "gridloop.project.settings", "GRIDLOOP_DATA_DIR": str(folder)}
        self.environment |= {"GRIDLOOP_SIGNALS_LOG": "jetstream", "GRIDLOOP_SIGNALS_SERVERS": ",".join(urls)}
        self.environment |= {"GRIDLOOP_SIGNAL_PARTITIONS": str(PARTITIONS), "GRIDLOOP_SIGNALS_PREFIX": prefix, **more}
        self.folder, self.running = folder, list[subprocess.Popen[bytes]]()

    def start(self) -> int:
        number = len(self.running)
        command = [sys.executable, "-m", "gridloop.signals.tests.crew_process"]
        with self._file(number, "out").open("wb") as out, self._file(number, "err").open("wb") as err:
            self.running.append(subprocess.Popen(command, stdout=out, stderr=err, env=self.environment))
        return number

    def _file(self, number: int, kind: str) -> Path:
        return self.folder / f"{number}.{kind}"

    def send(self, number: int, what: signals.Signals) -> None:
        self.running[number].send_signal(what)

    def lanes(self, number: int) -> list[int]:
        """What it holds, -1 for the lane of all partitions."""
        lines = self._file(number, "out").read_text().splitlines()
        return [int(n) for n in lines[-1].strip("[]").split(",") if n.strip()] if lines else []

    def complaints(self, number: int) -> str:
        return self._file(number, "err").read_text()

    def stop(self) -> None:
        for process in self.running:
            process.send_signal(signals.SIGCONT)
            process.terminate()
        for process in self.running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait(10)


class Days:
    """The clock of the test and its workers stands still until the next readings have come: what is received is a matter of the data."""

    def __init__(self, log: JetStreamLog, folder: Path, minutes: int) -> None:
        self.log, self.folder, self.signals = log, folder, day(HOMES, minutes)
        self.sent = 0
        self.move(START - timedelta(minutes=1))
        log.append([Signal("x", "test", "", "note", START)])

    def move(self, to: datetime) -> None:
        clock.set_clock(to, 0.0, self.folder)

    def receive(self, minutes: float, pause: float = 0.02) -> None:
        """What comes up to so many minutes after the start, by half minutes, as ``homes.receive`` does."""
        end = START + timedelta(minutes=minutes)
        while self.sent < len(self.signals) and self.signals[self.sent].at < end:
            received, last = self.signals[self.sent].at + EVERY, self.sent
            while last < len(self.signals) and self.signals[last].at <= received:
                last += 1
            part = self.signals[self.sent : last]
            self.move(max(received, *(s.at for s in part)))
            self.log.append(part)
            self.sent = last
            time.sleep(pause)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Servers]:
    servers = Servers(3, HUB)
    yield servers
    servers.stop()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A deployment's folder: whoever has it shares the clock."""
    monkeypatch.setenv("GRIDLOOP_DATA_DIR", str(tmp_path))
    yield tmp_path
    (tmp_path / clock.FILE_NAME).unlink(missing_ok=True)
    monkeypatch.undo()
    time.sleep(0.3)  # until this process has seen that the clock is the real one again


def complete(minutes: int, days: Days) -> list[Told]:
    """What one process makes of it, up to the last moment of which the workers are told."""
    return [t for t in expected(days.signals, ALL, START + timedelta(days=1)) if t.at < START + timedelta(minutes=minutes)]


def found(minutes: int) -> list[Told]:
    return [t for t in rows() if t.at < START + timedelta(minutes=minutes)]


def leader(log: JetStreamLog, partition: int) -> int:
    info: Any = log._run(log._streams.stream_info(log._name(partition)))
    return int(info.cluster.leader.removeprefix(f"{HUB}n"))


def test_workers_and_servers_that_die_and_stall_change_no_alarm(county: Cast, cluster: Servers, folder: Path, database_urls: Urls) -> None:
    minutes, prefix = 240, "share"
    register(HOMES)
    log = cluster.log(prefix, partitions=PARTITIONS, replicas=3, patience=40.0)
    days = Days(log, folder, minutes)
    workers = Workers(cluster.urls, folder, database_urls, prefix)
    try:
        first, second, third = (workers.start() for _ in range(3))
        three = (first, second, third)
        all_held = [-1, 0, 1, 2, 3]
        until(
            lambda: all(workers.lanes(n) for n in three) and sorted(lane for n in three for lane in workers.lanes(n)) == all_held,
            60,
            "each has a part of the lanes, and none is left over",
        )
        days.receive(50)
        killed = next(n for n in (first, second, third) if -1 in workers.lanes(n))
        workers.send(killed, signals.SIGKILL)
        days.receive(80)
        joined = workers.start()
        stalled = next(n for n in (first, second, third) if n != killed)
        until(lambda: workers.lanes(stalled) and workers.lanes(joined), 60, "the one that joined has its part")
        workers.send(stalled, signals.SIGSTOP)
        days.receive(130)
        lost = leader(log, 0)
        cluster.kill(lost)
        days.receive(170)
        cluster.again(lost)
        others = [n for n in (*three, joined) if n not in (killed, stalled)]
        until(
            lambda: sorted(lane for n in others for lane in workers.lanes(n)) == all_held, 90, "the others have the part of the stalled one"
        )
        workers.send(stalled, signals.SIGCONT)
        days.receive(minutes)
        days.move(START + timedelta(minutes=minutes + 30))
        want = complete(minutes, days)
        assert {(t.detector, t.what) for t in want} >= {("homes.silent", "raised"), ("homes.hot", "raised"), ("homes.busy", "cleared")}
        become(lambda: found(minutes), want)
        until(lambda: len(workers.lanes(stalled)) in (1, 2), 30, "the one that stood still has its part again")
        fenced = ("another worker has taken over", "idle-in-transaction timeout")  # the second where it stood still in a transaction
        assert any(said in workers.complaints(stalled) for said in fenced), workers.complaints(stalled)
        with scoped(SYSTEM):
            until(lambda: AlarmChange.objects.filter(sent=False).count() == 0, 20, "all are told")
        told = [s.id for b in everything(log) for s in b.signals if s.kind == ALARM]
        assert set(told) == {s.id for s in _of_rows()}
    finally:
        workers.stop()
        log.close()


def _of_rows() -> list[Signal]:
    with scoped(SYSTEM):
        return [
            Signal(f"{row.alarm_id.hex}:{row.what}:{row.severity}", "", "", "", row.at) for row in AlarmChange.objects.filter(sent=True)
        ]


def test_a_town_that_is_cut_off_goes_on_and_nothing_is_lost_or_doubled(
    county: Cast, cluster: Servers, folder: Path, database_urls: Urls
) -> None:
    minutes, prefix = 240, "leaf"
    register(HOMES)
    line = Line(cluster.leaf_ports[0])
    leaf = Servers(1, TOWN, line.port)
    town = leaf.log(prefix, partitions=PARTITIONS, domain=TOWN)
    hub = cluster.log(prefix, partitions=PARTITIONS, replicas=3, towns=[TOWN], patience=40.0)
    workers = Workers(leaf.urls, folder, database_urls, prefix, GRIDLOOP_SIGNALS_DOMAIN=TOWN)
    days = Days(town, folder, minutes)
    try:
        worker = workers.start()
        until(lambda: workers.lanes(worker) == [-1, 0, 1, 2, 3], 60, "the town's worker has all lanes")
        days.receive(100, 0)
        until(lambda: len(told_by(hub)) >= days.sent, 60, "the hub has what the town has")
        line.cut()
        time.sleep(1)
        before = len(told_by(hub))
        days.receive(160, 0)
        want = [t for t in complete(150, days) if t.at > START + timedelta(minutes=100)]
        assert want, "there is something to raise in that hour"
        until(lambda: set(want) <= set(rows()), 60, "the town raises its alarms by itself")
        with scoped(SYSTEM):
            until(lambda: AlarmChange.objects.filter(sent=False).count() == 0, 20, "and tells of them")
        assert len(told_by(hub)) == before, "the hub heard nothing of it"
        line.mend()
        days.receive(minutes, 0)
        days.move(START + timedelta(minutes=minutes + 30))
        become(lambda: found(minutes), complete(minutes, days))
        with scoped(SYSTEM):
            until(lambda: AlarmChange.objects.filter(sent=False).count() == 0, 20, "all are told")
        workers.stop()
        until(lambda: hub.positions() == town.positions(), 60, "the hub has all")
        for partition in range(PARTITIONS):
            at_town, at_hub = town.packed({partition: 0}, 10_000), hub.packed({partition: 0}, 10_000)
            assert [one.data for one in at_hub] == [one.data for one in at_town], "every batch once and in order"
            assert all(one.elsewhere for one in at_hub)
            assert [one.at for one in at_hub] == [one.at for one in at_town], "received when the town received it"
        alarms = Counter(s.id for s in told_by(hub) if s.kind == ALARM)
        assert alarms == Counter(s.id for s in _of_rows()), "nobody died here: each is told once"
    finally:
        workers.stop()
        town.close()
        hub.close()
        leaf.stop()
        line.close()


def told_by(log: JetStreamLog) -> list[Signal]:
    return [s for one in log.packed(dict.fromkeys(range(PARTITIONS), 0), 10_000) for s in unpack(one.data)]
