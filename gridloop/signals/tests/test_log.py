"""The PostgreSQL log passes the tests of every log; the role that writes it can do nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection
from msgspec.structs import replace

from gridloop.doors.cli.database import Urls
from gridloop.journal.frame import scoped
from gridloop.kernel.errors import Unavailable
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.sdk.signals import SignalLog, pack, pack_all, unpack
from gridloop.sdk.testing.signal_log import SignalLogConformance, signal
from gridloop.signals.connection import KeptConnection
from gridloop.signals.log import PostgresLog


class TestPostgresLog(SignalLogConformance):
    """Conformance."""

    def test_is_a_signal_log(self, log: PostgresLog) -> None:
        assert isinstance(log, SignalLog)


def test_batches_packed_together_are_as_if_packed_alone() -> None:
    told = [replace(signal(3), data={"text": "水"}), replace(signal(4), trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01")]
    parts = [[signal(1), signal(2)], told, [signal(5)]]
    assert pack_all(parts) == [pack(part) for part in parts]
    assert [list(unpack(data)) for data in pack_all(parts)] == parts
    assert unpack(pack(told))[1].trace == told[1].trace


def test_who_waits_too_long_for_the_connection_is_refused(database_urls: Urls) -> None:
    kept = KeptConnection(database_urls.ingest, "test", 0.05)
    with kept(), ThreadPoolExecutor(1) as other, pytest.raises(Unavailable):
        other.submit(PostgresLog(kept, 1).append, [signal(1)]).result(10)
    with kept() as again:
        assert again.execute("SELECT 1").fetchone() == (1,)
    kept.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM signals_batch",
        "UPDATE signals_batch SET count = 0",
        "SELECT * FROM access_user",
        "SELECT * FROM registry_devicecredential",
    ],
)
def test_role_ingest_may_only_append(log: PostgresLog, database_urls: Urls, statement: str) -> None:
    log.append([signal(1)])
    with psycopg.connect(database_urls.ingest) as ingest, pytest.raises(psycopg.errors.InsufficientPrivilege):
        ingest.execute(statement)


def test_only_the_system_reads_the_log_as_app(log: PostgresLog) -> None:
    log.append([signal(1)])
    counts = []
    for viewer in (PUBLIC, SYSTEM, PUBLIC):
        with scoped(viewer), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM signals_batch")
            counts.append(cursor.fetchone()[0])
    assert counts == [0, 1, 0]


def test_a_failed_append_keeps_nothing(log: PostgresLog, database_urls: Urls) -> None:
    log.append([signal(1)])
    before = log.positions()
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        owner.execute("ALTER TABLE signals_batch ADD CONSTRAINT refuse CHECK (partition <> 3) NOT VALID")
        try:
            with pytest.raises(Unavailable):
                log.append([signal(n) for n in range(200)])
        finally:
            owner.execute("ALTER TABLE signals_batch DROP CONSTRAINT refuse")
    assert log.positions() == before
