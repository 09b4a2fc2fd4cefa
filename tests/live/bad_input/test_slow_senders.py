"""Heads and bodies that drip: nobody else waits for them, heads are cut, and half a body never counts.

A second front door with shorter patience stands before the same processes, so that the test need not wait for minutes.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.edge import Edge
from tests.house.front_door import standing
from tests.house.product import crowd
from tests.live.bad_input.kit import rows
from tests.live.conftest import Live

pytestmark = pytest.mark.server
MANY = 60  # more than all threads of the application together
PATIENCE = 3


@pytest.fixture(scope="module")
def door(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("edge")
    assert live.token("operator") != live.token("admin")  # made now: that is a command of its own, and takes its time
    told = (live.folder / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    inner = Path(next(word for word in told.split() if word.endswith("/web.sock")).removeprefix("unix/")).parent
    usual = Edge(free_port(), "127.0.0.1", inner, folder)
    assert (usual.header_seconds, usual.body_seconds) == (15, 180)
    quick = replace(usual, header_seconds=PATIENCE, body_seconds=PATIENCE)
    with standing(quick, folder) as port:
        yield port


def begin(port: int, text: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=30)
    line.sendall(text)
    return line


HEAD = b"POST /api/v1/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
UNNAMED = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"


def served(live: Live) -> None:
    """Others are, as ever."""
    asked = time.monotonic()
    assert live.call("GET", "/api/v1/cases?limit=1", "operator").status_code == 200
    assert live.call("POST", "/api/v1/signals", "admin", json={"id": "x"}).status_code == 202
    assert time.monotonic() - asked < 2 * crowd()


def cut(line: socket.socket) -> bool:
    """Whether the line ends, with an answer or without."""
    line.settimeout(30)
    with contextlib.suppress(ConnectionError):
        while line.recv(65536):
            continue
    return True


@pytest.mark.parametrize("path", [b"reports", b"signals"])
@pytest.mark.parametrize("more", [b"X-Slow: ", BODY, UNNAMED], ids=["head", "body", "pieces"])
def test_many_that_drip_hold_up_nobody(live: Live, door: int, path: bytes, more: bytes) -> None:
    cases = rows(live, "SELECT count(*) FROM cases_case")
    began = time.monotonic()
    login = b"Authorization: Bearer " + live.token("admin").encode() + b"\r\n" if path == b"signals" else b""
    dripping = [begin(door, HEAD % path + login + more) for _ in range(MANY)]
    try:
        for line in dripping[::10]:
            line.sendall(b"a")
        served(live)
        if more.startswith(b"X-Slow"):
            assert all(cut(line) for line in dripping), "a head that drips is cut"
            assert time.monotonic() - began < (PATIENCE + 12) * crowd()
        time.sleep(max(0.0, PATIENCE + 1 - (time.monotonic() - began)))
        served(live)
    finally:
        for line in dripping:
            line.close()
    assert rows(live, "SELECT count(*) FROM cases_case") == cases, "half a body is no report"
