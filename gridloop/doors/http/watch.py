"""Whether the database answers at all, asked beside the requests: one that hangs would otherwise hold every thread of this process.

A database that refuses says so to each request by itself. One that hangs (a stopped process, a dead disk) says nothing: then new
requests get 503 at once, and those that wait for it lose their connection and with it their transaction, so nothing is kept half.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from django.db import OperationalError, connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from gridloop.doors.http.problems import plain_problem

EVERY: Final = 0.25  # seconds between two questions
PATIENCE: Final = 1.2  # seconds for the answer to a question that needs neither disk nor lock
ANEW: Final = 3.0  # seconds of silence after which another connection is tried: the line may be dead, not the server
UNTOUCHED: Final = ("/healthz",)
FIGURES: Final = "/metrics"  # tells above all then what it can


class Watch:
    """One per process; ``silent`` is what matters."""

    def __init__(self) -> None:
        self.silent = False
        self._busy: set[Any] = set()  # Django's connections of the threads that are at work
        self._lock = threading.Lock()
        self._started = False

    def start(self) -> None:
        """At the first request: the workers are forked, and threads do not come along."""
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="database-watch", daemon=True).start()

    @contextlib.contextmanager
    def at_work(self) -> Any:
        mine = connections["default"]
        self._guard(mine)
        with self._lock:
            self._busy.add(mine)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(mine)

    def _guard(self, mine: Any) -> None:
        """A thread that lost its connection must not wait for a new one."""
        if "get_new_connection" in vars(mine):
            return
        connect = mine.get_new_connection

        def connect_if_there(params: dict[str, Any]) -> Any:
            if self.silent:
                raise OperationalError("the database does not answer")
            return connect(params)

        mine.get_new_connection = connect_if_there

    def _run(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error, OSError), self._connected() as own:
                while True:
                    self._ask(own.pgconn)
                    time.sleep(EVERY)
            time.sleep(EVERY)

    def _connected(self) -> psycopg.Connection[Any]:
        """A connection of our own. While the server hangs, opening one fails after its time: that is silence, too."""
        parameters = {**connections["default"].get_connection_params(), "connect_timeout": 2}
        for ours in ("cursor_factory", "context", "prepare_threshold", "server_side_binding"):
            parameters.pop(ours, None)
        try:
            own: psycopg.Connection[Any] = psycopg.connect(**parameters, autocommit=True)
        except psycopg.errors.ConnectionTimeout:
            self._fall_silent()
            raise
        except psycopg.Error:
            self.silent = False  # it refuses: every request will hear so by itself
            raise
        return own

    def _ask(self, server: Any) -> None:
        server.send_query(b"SELECT 1")
        end = time.monotonic() + PATIENCE
        while server.is_busy():
            left = end - time.monotonic()
            # once more without waiting: it may be we who had to wait for a processor
            if not select.select([server.socket], [], [], max(left, 0))[0] and left <= 0:
                self._fall_silent()
                if not select.select([server.socket], [], [], ANEW)[0]:  # it speaks, or is gone
                    raise psycopg.OperationalError("no answer on this connection")
            server.consume_input()
        while server.get_result() is not None:
            continue
        self.silent = False

    def _fall_silent(self) -> None:
        self.silent = True
        with self._lock:
            waiting = [mine.connection for mine in self._busy if mine.connection is not None]
        for held in waiting:
            with contextlib.suppress(psycopg.Error, OSError, ValueError), socket.socket(fileno=os.dup(held.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)


WATCH: Final = Watch() if os.environ.get("GRIDLOOP_PROCESS") == "web" else None


def silent() -> bool:
    """Whether this process knows that the database says nothing."""
    return WATCH is not None and WATCH.silent


class DatabaseWatchMiddleware:
    """The first of all: while the database is silent nothing that needs it is begun."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.watch = WATCH

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if self.watch is None or request.path in UNTOUCHED:
            return self.get_response(request)
        self.watch.start()
        if self.watch.silent:
            if request.path != FIGURES:
                return database_down(request)
            connections["default"].close()  # it may hang; a new one is refused at once, and the figures say that it was
        with self.watch.at_work():
            return self.get_response(request)


def database_down(request: HttpRequest) -> HttpResponse:
    """503, to be tried again soon."""
    answer = plain_problem(request, 503, "doors.database_down")
    answer["Retry-After"] = "2"
    return answer
