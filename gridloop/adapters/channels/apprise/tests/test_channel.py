"""Against a real HTTP service on this machine: Apprise's ``json://`` scheme posts to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gridloop.adapters.channels.apprise.channel import AppriseChannel, build
from gridloop.sdk.channels import ChannelError
from gridloop.sdk.testing.channel import ChannelConformance, message


@dataclass
class Service:
    """A message service: keeps what it got, answers with ``status``."""

    port: int = 0
    status: int = 200
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("GRIDLOOP_OUTGOING_HOSTS", "127.0.0.1")
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.got.append((self.path, json.loads(body)))
            self.send_response(state.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def channel(service: Service, tmp_path: Path) -> AppriseChannel:
    return build(f"json://127.0.0.1:{service.port}/send/{{to}}", tmp_path)


class TestAppriseChannel(ChannelConformance):
    """Conformance."""


def test_the_text_reaches_the_service_under_the_recipient_s_address(channel: AppriseChannel, service: Service) -> None:
    channel.send(message(to="+86 138/0"))
    ((path, body),) = service.got
    assert path.startswith(("/send/+86%20138%2F0", "/send/%2B86"))
    assert body["message"] == message().text


def test_a_refusal_can_be_tried_again(channel: AppriseChannel, service: Service) -> None:
    service.status = 503
    with pytest.raises(ChannelError) as caught:
        channel.send(message())
    assert not caught.value.permanent
    service.status = 200
    channel.send(message())


def test_without_an_address_it_is_over(channel: AppriseChannel) -> None:
    with pytest.raises(ChannelError) as caught:
        channel.send(message(to=""))
    assert caught.value.permanent


def test_a_url_nobody_knows_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Apprise"):
        build("nonsense://x", tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
def test_a_service_inside_the_house_must_be_named(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("GRIDLOOP_OUTGOING_HOSTS", "")
    with pytest.raises(ChannelError) as refused:
        build(f"json://{host}:{service.port}/send", tmp_path).send(message())
    assert refused.value.permanent
    assert service.got == []
