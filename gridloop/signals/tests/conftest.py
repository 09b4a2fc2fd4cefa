"""Doors into the test database that bypass Django, as the ingest process has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg_pool import ConnectionPool

from gridloop.doors.cli.database import Urls
from gridloop.signals.log import PostgresLog


@pytest.fixture
def log(database_urls: Urls, transactional_db: None) -> Iterator[PostgresLog]:
    """An empty log as role ``gridloop_ingest``."""
    with ConnectionPool(database_urls.ingest, min_size=1, max_size=8, open=True) as pool:
        yield PostgresLog(pool.connection, 4)
