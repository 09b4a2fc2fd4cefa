"""Doors into the test database that bypass Django, as the ingest process has them, and the tiny county of the cases room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg_pool import ConnectionPool

from gridloop.cases.tests.kit import Cast, build
from gridloop.doors.cli.database import Urls
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.registry.messages import DeviceRow
from gridloop.scenes.book import BOOK
from gridloop.signals import actions
from gridloop.signals.log import PostgresLog

EAST_GRID = "990101100200001001"
HERE = (121.605, 29.205)


@pytest.fixture
def log(database_urls: Urls, transactional_db: None) -> Iterator[PostgresLog]:
    """An empty log as role ``gridloop_ingest``."""
    with ConnectionPool(database_urls.ingest, min_size=1, max_size=8, open=True) as pool:
        yield PostgresLog(pool.connection, 4)


@pytest.fixture
def county(log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """The tiny county with a camera and a lamp; the platform's own signals go into the test's log."""
    monkeypatch.setattr(actions, "_log", lambda: log)
    cast = build()
    load(SYSTEM, [device("cam-1"), device("lamp-1", interval=3600)])
    return cast


def device(code: str, interval: int = 60) -> DeviceRow:
    return DeviceRow(code=code, kind="camera", region_code=EAST_GRID, lon=HERE[0], lat=HERE[1], interval_seconds=interval)


@pytest.fixture
def history_folder(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path / "history"


@pytest.fixture
def packs(county: Cast) -> Iterator[None]:
    """The program's own packs, read anew before and after."""
    BOOK.forget()
    yield
    BOOK.forget()
