"""The guarded way out against a real server of this machine: what lies in the house is not called, however its address is spelt."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from gridloop.sdk import outgoing


class _Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, str]] = []

    def do_POST(self) -> None:
        self.seen.append((self.path, self.headers["Host"]))
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("Location", "/secret")
        self.end_headers()
        if self.path == "/long":
            for _ in range(40):
                self.wfile.write(b"x" * 100_000)
        if self.path == "/drip":
            with contextlib.suppress(OSError):
                for _ in range(40):
                    self.wfile.write(b"x")
                    time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    _Handler.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ],
)
def test_this_machine_is_not_called_under_any_name(port: int, host: str) -> None:
    with pytest.raises(outgoing.Refused):
        outgoing.post(f"http://{host}:{port}/x", json={}, timeout=3)
    assert _Handler.seen == []


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("::10.1.2.3", False),
        ("fec0::1", False),
        ("::ffff:0:10.1.2.3", False),
        ("64:ff9b:1::a01:203", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
    ],
)
def test_public(address: str, is_public: bool) -> None:
    assert outgoing.public(address) is is_public


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.com/", "http:///x", "http://no.such.host.invalid/"]
)
def test_other_schemes_and_unknown_hosts(url: str) -> None:
    with pytest.raises(outgoing.Refused):
        outgoing.resolved(url)


def test_a_named_host_is_called_under_its_name_at_the_judged_address(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for named in (f"localhost:{port}", "localhost"):
        monkeypatch.setenv("GRIDLOOP_OUTGOING_HOSTS", f"other, {named}")
        assert outgoing.post(f"http://localhost:{port}/x", json={"a": 1}, timeout=3).status_code == 200
    assert set(_Handler.seen) == {("/x", f"localhost:{port}")}
    monkeypatch.setenv("GRIDLOOP_OUTGOING_HOSTS", "localhost:1")
    with pytest.raises(outgoing.Refused):
        outgoing.post(f"http://localhost:{port}/x", json={}, timeout=3)


def test_an_answer_that_drips_is_given_up(port: int) -> None:
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        outgoing.post(f"http://127.0.0.1:{port}/drip", json={}, timeout=0.5, trusted=frozenset({f"127.0.0.1:{port}"}))
    assert time.monotonic() - began < 3


def test_no_redirect_is_followed_and_no_endless_answer_read(port: int) -> None:
    trusted = frozenset({f"127.0.0.1:{port}"})
    for path in ("away", "long"):
        with pytest.raises(outgoing.Refused):
            outgoing.post(f"http://127.0.0.1:{port}/{path}", json={}, timeout=3, trusted=trusted)
    assert [path for path, _ in _Handler.seen] == ["/away", "/long"]


def test_a_proxy_of_the_environment_is_not_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(httpx.HTTPError):
        outgoing.post("http://127.0.0.1:9/x", json={}, timeout=1, trusted=frozenset({"127.0.0.1:9"}))
    assert _Handler.seen == []
