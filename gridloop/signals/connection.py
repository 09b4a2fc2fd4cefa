"""One database connection that is kept, checked after a rest, and made anew after a fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_REST = 0.5  # seconds unused after which the server may have gone without our noticing
# Failing fast is the point: a request is answered within 2 s, whatever the server does. A lock that is not given fails the append before
# its senders are answered for, so that what was refused is not kept a moment later.
_OPTIONS: dict[str, Any] = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "options": "-c statement_timeout=1500 -c lock_timeout=1200 -c timezone=UTC",
}


class KeptConnection:
    """Lends one connection to one thread at a time; any fault closes it. ``turn``: seconds to wait for another thread, -1 for ever."""

    def __init__(self, url: str, name: str, turn: float = -1) -> None:
        self._url = url
        self._name = name
        self._turn = turn
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._used = 0.0

    @contextmanager
    def __call__(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection outside of any transaction; what is left open is rolled back."""
        if not self._lock.acquire(timeout=self._turn):
            raise psycopg.OperationalError("another thread holds the connection")
        try:
            connection = self._checked()
            try:
                yield connection
                connection.rollback()
            except BaseException:
                self.close()
                raise
            self._used = time.monotonic()
        finally:
            self._lock.release()

    def _checked(self) -> psycopg.Connection[Any]:
        if self._connection and time.monotonic() - self._used > _REST:
            try:
                self._connection.execute("SELECT 1")
                self._connection.rollback()
            except psycopg.Error:
                self.close()
        if self._connection is None:
            self._connection = psycopg.connect(self._url, application_name=self._name, **_OPTIONS)
        return self._connection

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
