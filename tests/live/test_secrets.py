"""After log-ins, tokens, wrong passwords and reporters' pages no log of the running product holds a secret."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.edge import Edge
from gridloop.simulation.county.staffing import SAMPLE_PASSWORD
from tests.house.front_door import standing
from tests.live.conftest import Live

pytestmark = pytest.mark.server
WRONG = "wrong-password-of-nobody-7788"


def test_no_log_holds_a_secret(live: Live) -> None:
    code, key = live.report()
    token = live.token("operator")
    live.get("/api/v1/me", "operator")
    with httpx.Client(base_url=live.url, timeout=30, trust_env=False) as browser:
        browser.get("/login/")
        secret = browser.cookies["csrftoken"]
        for password in (WRONG, SAMPLE_PASSWORD):
            form = {"login": "supervisor", "password": password, "csrfmiddlewaretoken": secret}
            browser.post("/login/", data=form, headers={"Referer": live.url})
        session = browser.cookies["sessionid"]
        for path in (f"/track/{code}?key={key}", f"/track/{code}?key={key}x", f"/api/v1/nothing?key={key}"):
            browser.get(path, headers={"Accept": "application/json"})
        # lines that are written for sure: what the database refuses, a broken form
        refused = browser.post(f"/api/v1/reports?key={key}", json={"text": f"a\x00{WRONG}", "contact": "x"})
        assert refused.status_code in (403, 422)
        live.post(f"/api/v1/reports?key={key}", None, {"text": "a\x00b", "place": live.place()}, status=422)
    logs = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in (live.folder / "logs").glob("*.log")}
    assert "refused GET track/" in "".join(logs.values()), "the logs do tell something: that a wrong key was tried"
    for name, said in (logs | {"output": live.product.text}).items():
        for kind, value in {"token": token, "key": key, "wrong": WRONG, "session": session, "csrf": secret}.items():
            assert value not in said, f"{kind} stands in {name}"
    assert all(SAMPLE_PASSWORD not in said for said in logs.values())


@contextlib.contextmanager
def dying(path: Path) -> Iterator[None]:
    """A process that promises an answer and ends after its first byte."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = server.accept()
                with line:
                    line.recv(65536)
                    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


def test_the_front_door_covers_what_it_logs(tmp_path: Path) -> None:
    """A process that dies in the middle of an answer makes it write the request down: neither keys nor what people searched for."""
    hidden = {name: f"hidden-{name}-7788" for name in ("key", "pass", "token", "code", "state", "q", "reason")}
    door = Edge(free_port(), "127.0.0.1", tmp_path, tmp_path)
    with dying(tmp_path / "web.sock"), standing(door, tmp_path) as port:
        head = {"Authorization": "Bearer hidden-head-7788", "Cookie": "sessionid=hidden-cookie-7788"}
        url = f"http://127.0.0.1:{port}/api/v1/people"
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url, params=hidden | {"limit": "17"}, headers=head, trust_env=False, timeout=30)
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "limit=17" in said, "the request was written down"
    assert "hidden-" not in said
