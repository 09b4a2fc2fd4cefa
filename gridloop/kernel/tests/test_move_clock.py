"""The deployment's clock is one file; whoever asks gets the moved time, also in the first moment of a process."""

from __future__ import annotations

import importlib.util
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from gridloop.kernel import clock as shared

FLOOD = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as a process that has just started has it, on a folder of its own."""
    monkeypatch.setenv("GRIDLOOP_DATA_DIR", str(tmp_path))
    spec = importlib.util.find_spec(shared.__name__)
    assert spec
    assert spec.loader
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    return fresh


def test_without_a_file_it_is_the_real_one(clock: ModuleType) -> None:
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.rate() == 1.0


def test_it_starts_where_it_was_put_and_runs_at_its_rate(clock: ModuleType) -> None:
    clock.set_clock(FLOOD, speed=60.0)
    assert timedelta(0) <= clock.now() - FLOOD < timedelta(minutes=5)
    assert clock.rate() == 60.0


def test_two_threads_of_a_new_process_get_the_same_time(clock: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second asks while the first is still reading the file."""
    shared.set_clock(FLOOD, folder=tmp_path)
    reading, go_on, loads = threading.Event(), threading.Event(), json.loads

    def slow(text: str) -> object:
        reading.set()
        assert go_on.wait(10)
        return loads(text)

    monkeypatch.setattr(json, "loads", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(clock.now)
        assert reading.wait(10)
        second = pool.submit(clock.now)
        go_on.set()
        assert all(abs(each.result(10) - FLOOD) < timedelta(minutes=1) for each in (first, second))
