"""The watch over the database: a line that died without a word is not taken for a dead server for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections
from django.http import HttpResponse
from django.test import RequestFactory

from gridloop.doors.http import watch as watching
from gridloop.doors.http.metrics import metrics


class Line:
    """Passes bytes on between a port of this machine and the database; ``cut`` lets the lines there are fall silent, not new ones."""

    def __init__(self, host: str, port: str) -> None:
        self._there = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host or "127.0.0.1", int(port))
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._open: list[threading.Event] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, _ = self._door.accept()
                theirs = socket.socket(socket.AF_UNIX if isinstance(self._there, str) else socket.AF_INET)
                theirs.connect(self._there)
                passing = threading.Event()
                passing.set()
                self._open.append(passing)
                for one, other in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pass, args=(one, other, passing), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, passing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while part := one.recv(65536):
                if passing.is_set():
                    other.sendall(part)
            if passing.is_set():
                other.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        for passing in self._open:
            passing.clear()

    def close(self) -> None:
        self._door.close()


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    at = connections["default"].settings_dict
    made = Line(str(at["HOST"]), str(at["PORT"] or 5432))
    monkeypatch.setitem(at, "HOST", "127.0.0.1")
    monkeypatch.setitem(at, "PORT", str(made.port))
    yield made
    made.close()


@pytest.mark.django_db
def test_a_line_that_died_is_given_up_for_another(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ANEW", 0.3)
    watch = watching.Watch()
    own = watch._connected()
    watch._ask(own.pgconn)
    assert not watch.silent
    line.cut()
    with pytest.raises(psycopg.OperationalError, match="no answer"), own:
        watch._ask(own.pgconn)
    assert watch.silent
    with watch._connected() as other:
        watch._ask(other.pgconn)
    assert not watch.silent


@pytest.mark.django_db(transaction=True)
def test_the_figures_are_told_while_the_database_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "WATCH", watching.Watch())  # as in the web process
    door = watching.DatabaseWatchMiddleware(metrics)
    assert door.watch is not None
    door.watch._started = True  # this test says itself when the database is silent
    ask = RequestFactory()

    def told() -> bytes:
        answer = door(ask.get("/metrics"))
        assert isinstance(answer, HttpResponse)
        return answer.content

    assert b'gridloop_scrape_failed{part="database"} 0.0' in told()
    door.watch.silent = True
    try:
        said = told()
        assert b'gridloop_scrape_failed{part="database"} 1.0' in said
        assert b'gridloop_scrape_failed{part="machine"} 0.0' in said
        assert b"gridloop_disk_free_bytes" in said
        assert door(ask.get("/api/v1/cases", headers={"Accept-Language": "en"})).status_code == 503
    finally:
        door.watch.silent = False
