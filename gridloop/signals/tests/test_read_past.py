"""Readings of the past: the archive's files say what the log said, of the kinds asked for and no others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from gridloop.detection.columns import Readings
from gridloop.detection.language import kind_number
from gridloop.detection.rules import HOUR
from gridloop.kernel import clock
from gridloop.sdk.signals import Signal
from gridloop.signals import history, past
from gridloop.signals.log import PostgresLog
from gridloop.signals.past import Past, files, read
from gridloop.signals.stream import milliseconds
from gridloop.signals.tests.homes import DOOR, START, TEMPERATURE, WATER

BEGIN = milliseconds(START)
CODES = ["d0", "d1"]


def numbers(codes: object) -> np.ndarray:
    return np.array([CODES.index(code) if code in CODES else -1 for code in codes], np.int64)  # type: ignore[attr-defined]


def said(n: int, device: str, kind: str, value: float | None = 1.0, **more: object) -> Signal:
    return Signal(f"i{n}", "test", device, kind, START + timedelta(seconds=n, microseconds=n), value, **more)  # type: ignore[arg-type]


SIGNALS = [
    said(1, "d0", DOOR),
    said(2, "d1", WATER, 2.5),
    said(3, "d1", TEMPERATURE, 20.0),
    said(4, "d0", "plate_seen", None, data={"plate": "浙B1"}),
    said(5, "d0", DOOR, 1.0, data={"erased": "request"}),
    said(6, "d0", DOOR, None),
    said(7, "stranger", DOOR),
    said(8, "", DOOR),
    Signal("own", "gridloop", "d0", DOOR, START + timedelta(seconds=9), 1.0),
    said(10 * 60, "d1", WATER, 3.5),
    Signal("ahead", "test", "d0", DOOR, START + timedelta(hours=3), 1.0),
    Signal("late", "test", "d0", DOOR, START - timedelta(seconds=90), 1.0),
]


def rows(found: Readings) -> list[tuple[object, ...]]:
    return sorted(zip(*(column.tolist() for column in found._replace(value=np.nan_to_num(found.value, nan=-1.0))), strict=True))


def gone_through(kinds: past.Kinds, frontier: int) -> list[Readings]:
    whole = Past(BEGIN - HOUR, frontier, [0, 1, 2, 3], numbers, kinds)
    pieces = []
    while whole.at < BEGIN + HOUR:
        pieces.append(whole.next(BEGIN + HOUR))
    return pieces


@pytest.mark.parametrize("kinds", [None, frozenset({kind_number(WATER), kind_number("plate_seen")})], ids=["all kinds", "two kinds"])
def test_the_archive_says_what_the_log_said(
    log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch, kinds: past.Kinds
) -> None:
    for signal in SIGNALS:
        received = START + timedelta(seconds=30) if signal.id in ("ahead", "late", "own") else signal.at + timedelta(seconds=5)
        with clock.fixed(received):
            log.append([signal])
    frontier = BEGIN + 2 * HOUR
    of_log = gone_through(kinds, frontier)
    with clock.fixed(START + timedelta(hours=2)):
        while history.write_hours():
            pass
    monkeypatch.setattr(past, "_ROWS", 2)
    of_files = gone_through(kinds, frontier)
    assert len(of_files) > len(of_log)
    assert max(len(piece.time) for piece in of_files) <= 6
    got = [row for piece in of_files for row in rows(piece)]
    assert got == [row for piece in of_log for row in rows(piece)]
    assert len(got) == (6 if kinds is None else 3), "what was erased takes no part, in neither"


def test_kinds_nobody_asks_for_are_not_read(log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows lie by kind: with many of each, whole groups of the file are left alone, as are those of another time."""
    monkeypatch.setattr(history, "_GROUP_ROWS", 10)
    with clock.fixed(START + timedelta(seconds=50)):
        log.append([said(n, "d0", kind) for kind in (DOOR, WATER, TEMPERATURE) for n in range(50)])
    with clock.fixed(START + timedelta(hours=2)):
        history.write_hours()
    (path,) = files(BEGIN // HOUR)
    assert past._size(path, None) == 150
    water = frozenset({kind_number(WATER)})
    assert past._size(path, water) == 50
    found = read(path, numbers, water, BEGIN + 10_000, BEGIN + 20_000)
    assert sorted(found.time.tolist()) == [BEGIN + n * 1000 for n in range(10, 20)]
    assert set(found.kind.tolist()) == water
    assert len(read(path, numbers, frozenset({1}), BEGIN, BEGIN + HOUR).time) == 0
