"""The adapter against a stand-in that speaks the protocol over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gridloop.adapters.assistants.openai.assistant import OpenAIAssistant, build
from gridloop.sdk.assistants import Ask, Assistant, AssistantError


class StandIn(ThreadingHTTPServer):
    """Answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: tuple[int, bytes] = (200, json.dumps({"choices": [{"message": {"content": " 起草好了 "}}]}).encode())
        self.asked: list[tuple[str, dict[str, Any], str]] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append((self.path, body, self.headers.get("Authorization", "")))
        status, content = server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_it_asks_as_the_protocol_says(stand_in: StandIn) -> None:
    assistant = OpenAIAssistant(stand_in.base, "qwen2.5", "secret")
    assert isinstance(assistant, Assistant)
    assert assistant.write(Ask("写摘要", "路灯不亮")) == "起草好了"
    ((path, body, who),) = stand_in.asked
    assert (path, who, body["model"]) == ("/v1/chat/completions", "Bearer secret", "qwen2.5")
    assert [m["content"] for m in body["messages"]] == ["写摘要", "路灯不亮"]


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"{}"),
        (200, b"not json"),
        (200, b"{}"),
        (200, b'{"choices": []}'),
        (200, b'{"choices": [{"message": {"content": ""}}]}'),
        (302, b""),
    ],
)
def test_what_is_no_answer_is_an_error(stand_in: StandIn, answer: tuple[int, bytes]) -> None:
    stand_in.answer = answer
    with pytest.raises(AssistantError):
        OpenAIAssistant(stand_in.base, "m").write(Ask("t", "x"))


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(AssistantError):
        OpenAIAssistant("http://127.0.0.1:9/v1", "m").write(Ask("t", "x"))


def test_an_answer_is_cut_to_what_was_wanted(stand_in: StandIn) -> None:
    stand_in.answer = (200, json.dumps({"choices": [{"message": {"content": "长" * 5000}}]}).encode())
    assert len(OpenAIAssistant(stand_in.base, "m").write(Ask("t", "x", most=100))) == 100


@pytest.mark.parametrize("address", ["", "qwen", "ftp://x#m", "http://x"])
def test_a_setting_that_makes_no_sense_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="BASE-URL"):
        build(address)
