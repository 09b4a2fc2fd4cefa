"""The worker's detectors in compiled loops, from the first reading and after a change that learns from history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gridloop.cases.tests.kit import Cast
from gridloop.detection.engine import Engine
from gridloop.signals import detecting, warming
from gridloop.signals.alarms import moment
from gridloop.signals.log import PostgresLog
from gridloop.signals.tests.homes import ALL, BUSY, SILENT, START, day, receive, register
from gridloop.signals.tests.test_detect import HOMES, MINUTES, begun, expected, rows, run

END = START + timedelta(minutes=MINUTES + 30)


@pytest.mark.parametrize("asked", ["numba", "numpy"])
def test_the_setting_holds_for_the_worker_and_for_what_it_learns(
    county: Cast, log: PostgresLog, history_folder: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    made: set[tuple[str, bool]] = set()

    def noted(where: str) -> Any:
        class Noted(Engine):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                if self._running:
                    made.add((where, self._reorder.kernels is not None))

        return Noted

    register(HOMES)
    detectors = [SILENT, BUSY]
    monkeypatch.setenv("GRIDLOOP_DETECTION", asked)
    work = begun(log, detectors)
    signals = day(HOMES, MINUTES)
    receive(log, signals)
    monkeypatch.setattr(detecting, "Engine", noted("worker"))
    monkeypatch.setattr(warming, "Engine", noted("warming"))
    run(work, START + timedelta(minutes=400))
    detectors[1] = replace(BUSY, version=2)
    run(work, START + timedelta(minutes=401))
    assert made == {("worker", asked == "numba"), ("warming", asked == "numba")}


def test_compiled_alarms_of_the_log_are_those_of_sorted_readings(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_DETECTION", "numba")
    register(HOMES)
    signals = day(HOMES, MINUTES)
    work = begun(log, ALL)
    receive(log, signals)
    run(work, END)
    assert rows() == expected(signals, ALL, moment(work.engine.watermark - 1))
