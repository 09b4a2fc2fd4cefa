"""The product and ``gridloop detect`` find the same in the same readings, silences of what never spoke included."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.detection import rules
from gridloop.detection.language import kind_number
from gridloop.detection.messages import CLEARED, RAISED
from gridloop.detection.rules import DAY, HOUR, Detector, Total
from gridloop.doors.cli.detecting import Facts, Run
from gridloop.doors.cli.readings import Coded, Piece
from gridloop.sdk.signals import Signal
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.stream import milliseconds
from gridloop.signals.taking import LATENESS
from gridloop.signals.tests.homes import BUSY, DOOR, HOT, SILENT, START, TEMPERATURE, WATER, day, pick, reading, receive, register
from gridloop.signals.tests.test_detect import begun, rows, run

HOMES, MINUTES = 12, 600
METERED = Detector(
    "homes.metered", 1, rules.All((rules.Absence(pick(DOOR), 3 * HOUR), rules.Count(pick(WATER), 1, 30 * DAY))), by="household"
)
NO_DOOR = replace(SILENT, id="homes.no_door", when=rules.Absence(pick(DOOR), 4 * HOUR))
EACH = replace(NO_DOOR, id="homes.each_door", by="device")
ALL = (METERED, NO_DOOR, EACH, SILENT, HOT, BUSY)


def signals() -> list[Signal]:
    """Of the last two homes no door ever spoke: one has a meter, one a thermometer only."""
    quiet = {"h010": WATER, "h011": TEMPERATURE}
    busy = [s for s in day(HOMES, MINUTES) if s.device[:4] not in quiet]
    more = [reading(home, kind, START + timedelta(minutes=n), 20.0) for home, kind in quiet.items() for n in range(7, MINUTES, 20)]
    return sorted([*busy, *more], key=lambda s: s.at)


def coded(words: list[str]) -> Coded:
    names = sorted(set(words))
    return Coded(np.array([names.index(word) for word in words], np.int64), names)


def on_the_command_line(of: list[Signal], until: datetime) -> list[tuple[str, str, str, datetime]]:
    command = Run(ALL, Facts(), LATENESS)
    found = []
    for start in range(0, len(of), 50):
        part = of[start : start + 50]
        numbers = np.array([milliseconds(s.at) for s in part], np.int64)
        value, none = np.array([s.value for s in part], np.float64), np.zeros(len(part), np.int64)
        words = {"household": coded([s.device[:4] for s in part])}
        piece = Piece(numbers, coded([s.device for s in part]), coded([s.kind for s in part]), value, none, none, None, words)
        found += command.step(piece)
    found += command.finish(milliseconds(until))
    return sorted((row["detector"], row["key"], row["what"], datetime.fromisoformat(row["at"])) for row in found)


@pytest.mark.parametrize("learned", [False, True], ids=["at work all the time", "learned in between"])
def test_alarms_are_those_of_the_command(county: Cast, log: PostgresLog, learned: bool) -> None:
    register(HOMES)
    given = signals()
    middle = START + timedelta(hours=7)
    detectors = [BUSY] if learned else list(ALL)
    work = AtWork("test", lambda: detectors) if learned else begun(log, detectors)
    receive(log, [s for s in given if s.at < middle])
    if learned:
        run(work, middle)
        detectors += [one for one in ALL if one is not BUSY]
        run(work, middle)
    receive(log, [s for s in given if s.at >= middle])
    until = START + timedelta(minutes=MINUTES + 30)
    run(work, until)
    want = on_the_command_line(given, until)
    raised = {(detector, key) for detector, key, what, _ in want if what == RAISED}
    assert {("homes.metered", "h010"), ("homes.no_door", "h011"), ("homes.no_door", "h010")} <= raised
    assert not {(detector, key) for detector, key in raised if detector == EACH.id and not key.endswith(DOOR)}
    settled = datetime.fromtimestamp(work.engine.watermark / 1000, START.tzinfo)
    got = sorted((t.detector, t.key, t.what, t.at) for t in rows())
    want = [row for row in want if row[3] < settled]
    if learned:  # of what was over by then nothing is told
        since = START + timedelta(hours=7)
        last = {row[:2]: row for row in sorted(want, key=lambda row: row[3]) if row[3] < since and row[2] in (RAISED, CLEARED)}
        got = [row for row in got if row[3] >= since or last.get(row[:2]) == row]
        want = [row for row in want if row[3] >= since or (last[row[:2]] == row and row[2] == RAISED)]
    assert got == want


def test_a_run_tells_of_meters_none_of_its_detectors_asks_for() -> None:
    """On Spark each grouping is a run of its own, and only the first counts what took no part."""
    command = Run([HOT], Facts(), LATENESS, meters=[Total(kind_number("water_total"), kind_number(WATER), 5_000.0)])
    numbers, none = np.array([milliseconds(START), milliseconds(START) + 1000], np.int64), np.zeros(2, np.int64)
    command.step(Piece(numbers, coded(["w", "w"]), coded(["water_total"] * 2), np.array([5.0, 4.0]), none, none, None, {}))
    assert command.finish(None) == []
    assert command.passed() == {"late": 0, "ahead": 0, "again": 0, "fell_back": 1, "too_much": 0}
