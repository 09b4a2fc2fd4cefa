"""A kept connection is known to work without asking the server, and one that was ended is replaced before anything is sent on it."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from gridloop.journal.postgresql import base

pytestmark = pytest.mark.django_db(transaction=True)
kept: Any = connection  # the engine's own, whose type is Django's


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the health check sends to the server."""
    sent: list[str] = []
    real = psycopg.Cursor.execute

    def execute(self: Any, query: Any, *arguments: Any, **more: Any) -> Any:
        sent.append(str(query))
        return real(self, query, *arguments, **more)

    kept.ensure_connection()
    kept.health_check_enabled, kept.health_check_done = True, False
    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    yield sent
    kept.health_check_enabled = False


def who() -> int:
    kept.health_check_done = False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
    return pid


def ended(pid: int, url: str) -> None:
    """The server ends the connection; when this returns that has reached us."""
    line = kept.connection.pgconn.socket
    with psycopg.connect(url, autocommit=True) as other:
        assert other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid]).fetchone() == (True,)
    assert select.select([line], [], [], 10)[0]


def test_an_idle_connection_is_not_asked(asked: list[str]) -> None:
    first = who()
    assert [who(), who()] == [first, first]
    assert asked == ["SELECT pg_backend_pid()"] * 3


def test_one_that_the_server_ended_is_replaced_before_anything_is_sent(asked: list[str], database_urls: Any) -> None:
    first = who()
    ended(first, database_urls.app)
    assert who() != first


def test_a_line_that_was_long_silent_is_asked(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = who()
    monkeypatch.setattr(base, "SILENT", 0.0)
    assert who() == first
    assert asked == ["SELECT pg_backend_pid()", "SELECT 1", "SELECT pg_backend_pid()"]


def test_after_an_error_it_is_asked(asked: list[str]) -> None:
    first = who()
    kept.errors_occurred = True
    kept.close_if_unusable_or_obsolete()
    assert not kept.errors_occurred
    assert who() == first
    assert asked == ["SELECT pg_backend_pid()", "SELECT 1", "SELECT pg_backend_pid()"]


def test_a_connection_left_in_a_transaction_is_asked(asked: list[str]) -> None:
    first = who()
    kept.connection.execute("BEGIN")
    assert not kept._quiet()
    kept.connection.execute("ROLLBACK")
    assert kept._quiet()
    assert who() == first
