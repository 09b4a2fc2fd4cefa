"""The adapter against the real daemon, and against one that says what it likes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from gridloop.adapters.scanners.clamd import scanner
from gridloop.adapters.scanners.clamd.scanner import build
from gridloop.adapters.scanners.clamd.tests.servers import BAD, KINDS, NAME, Small, running
from gridloop.sdk.scanners import Scanner, ScannerError


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with running(request.param) as (path, _):
        yield path


@pytest.fixture
def small() -> Iterator[tuple[str, Small]]:
    with running("small") as (path, server):
        assert server is not None
        yield path, server


def test_clean_and_bad_files(address: str) -> None:
    made = build(address)
    assert isinstance(made, Scanner)
    assert made.look(b"nothing to see") == ""
    assert made.look(b"") == ""
    assert made.look(b"x" * 3_000_000 + BAD + b"x" * 3_000_000) == NAME, "in whichever piece it lies"
    assert made.look(b"nothing to see") == ""


def test_a_file_over_the_daemon_s_limit_was_not_looked_at(address: str) -> None:
    with pytest.raises(ScannerError):
        build(address).look(b"x" * 27_000_000)


def test_every_byte_arrives(small: tuple[str, Small]) -> None:
    content = bytes(range(256)) * 1000 + b"end"
    assert build(small[0]).look(content) == ""
    assert small[1].seen == [content]


@pytest.mark.parametrize(
    "answer", [b"stream: Can't allocate memory ERROR\0", b"UNKNOWN COMMAND\0", b"", None, b"x" * 5000, b"stream: OKAY\0"]
)
def test_what_is_no_verdict_is_none(small: tuple[str, Small], answer: bytes | None) -> None:
    small[1].answer = lambda content: answer
    with pytest.raises(ScannerError):
        build(small[0]).look(b"a photo")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ScannerError):
        build("/nowhere/clamd.ctl").look(b"a photo")
    monkeypatch.setattr(scanner, "TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=silent.accept, daemon=True).start()
        with pytest.raises(ScannerError):
            build(f"127.0.0.1:{silent.getsockname()[1]}").look(b"a photo")


@pytest.mark.parametrize("address", ["", "relative/path", "host", "host:0", "host:99999", ":3310"])
def test_an_address_nobody_understands(address: str) -> None:
    with pytest.raises(ValueError, match="GRIDLOOP_SCANNER is"):
        build(address)
