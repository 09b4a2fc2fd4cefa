"""Detectors at work: from the log to rows of alarms, in the order of time, whatever interrupts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.language import kind_number
from gridloop.detection.rules import DEVICE, Detector
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.sdk.signals import Signal
from gridloop.signals.alarms import moment
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import AlarmChange
from gridloop.signals.stream import milliseconds
from gridloop.signals.tests.homes import ALL, SENSORS, START, Told, day, receive, register, told

HOMES, MINUTES = 24, 600


def run(work: AtWork, at: datetime) -> None:
    """Until nothing is left of what had been received by then."""
    with clock.fixed(at):
        while work.turn():
            pass


def rows() -> list[Told]:
    with scoped(SYSTEM):
        return told()


def expected(signals: Sequence[Signal], detectors: Sequence[Detector], until: datetime) -> list[Told]:
    """What the engine alone makes of sorted readings."""
    numbers = {f"h{home:03d}-{kind}": 3 * home + n for home in range(HOMES) for n, kind in enumerate(SENSORS)}
    engine = Engine(detectors, 0)
    for by in {d.by for d in detectors} - {DEVICE}:
        engine.group(by, list(numbers.values()), [number // 3 for number in numbers.values()])
    ordered = sorted(signals, key=lambda s: s.at)
    readings = Readings.of(
        [milliseconds(s.at) for s in ordered],
        [numbers[s.device] for s in ordered],
        [kind_number(s.kind) for s in ordered],
        [1.0 if s.value is None else s.value for s in ordered],
    )
    names = {number: name for name, number in numbers.items()}
    goes_by = {d.id: d.by for d in detectors}
    found = [*engine.step(readings), *engine.finish(milliseconds(until))]
    out = [
        Told(
            a.detector,
            names[a.key] if goes_by[a.detector] == DEVICE else f"h{a.key:03d}",
            a.what,
            a.severity,
            moment(a.at),
            moment(a.start),
        )
        for a in found
    ]
    return sorted(out, key=lambda t: (t.at, t.detector, t.key, t.what))


@pytest.fixture
def homes(county: Cast) -> None:
    register(HOMES)


def begun(log: PostgresLog, detectors: Sequence[Detector] = ALL) -> AtWork:
    """At work from before the first reading on."""
    with clock.fixed(START - timedelta(minutes=1)):
        log.append([Signal("x", "test", "", "note", START)])
    work = AtWork("test", lambda: detectors)
    run(work, START)
    return work


def test_alarms_of_the_log_are_those_of_sorted_readings(homes: None, log: PostgresLog) -> None:
    signals = day(HOMES, MINUTES)
    work = begun(log)
    receive(log, signals)
    end = START + timedelta(minutes=MINUTES + 30)
    run(work, end)
    want = expected(signals, ALL, moment(work.engine.watermark - 1))
    assert {(t.detector, t.what) for t in want} >= {("homes.silent", "raised"), ("homes.hot", "stepped"), ("homes.busy", "cleared")}
    assert rows() == want
    assert work.taking.passed.totals() == {"late": 0, "ahead": 0, "flood": 0, "unknown": 0}


def process(rows_a_turn: int, save_seconds: float, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gridloop.signals.tests.detector_process", str(rows_a_turn), str(save_seconds)]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "gridloop.project.settings"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **more)


def turns(running: subprocess.Popen[str], most: int) -> int:
    """Waits for so many turns; how many there were before it ended by itself."""
    assert running.stdout is not None
    count = 0
    for line in running.stdout:
        count += line == "turn\n"
        if count == most or line == "done\n":
            break
    return count


def test_killed_again_and_again_it_finds_what_an_undisturbed_run_finds(homes: None, log: PostgresLog) -> None:
    signals = day(HOMES, MINUTES)
    work = begun(log)
    work.end()
    receive(log, signals)
    with clock.fixed(START + timedelta(minutes=MINUTES + 30)):
        log.append([Signal("last", "test", "", "note", START)])
    chance = Random(3)
    for _ in range(6):
        running = process(8, 0.05)
        most = chance.randint(3, 5)
        assert turns(running, most) == most, "it was to be killed in the middle"
        time.sleep(chance.uniform(0, 0.03))
        running.kill()
        running.wait()
    running = process(2000, 1)
    turns(running, 10_000)
    assert running.wait(20) == 0
    with scoped(SYSTEM):
        stored = Counter(AlarmChange.objects.values_list("sent", flat=True))
    assert stored.keys() <= {True, None}
    got = rows()
    assert [t for t in got if t.at < START + timedelta(minutes=MINUTES)] == [
        t for t in expected(signals, ALL, START + timedelta(days=1)) if t.at < START + timedelta(minutes=MINUTES)
    ]
