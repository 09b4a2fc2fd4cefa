"""A live screen stays open only as long as its right does."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from gridloop.doors.push import app
from gridloop.kernel.viewer import Viewer


async def _nothing_missed(listener: app.Listener, last_seen: str) -> bytes:
    return b""


def test_a_screen_is_closed_when_its_right_was_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "RIGHTS_EVERY", -1.0)
    monkeypatch.setattr(app, "HEARTBEAT", 0.02)
    monkeypatch.setattr(app, "_past", _nothing_missed)
    monkeypatch.setattr(app, "find_viewer", lambda headers: Viewer("was-operator", user_id=1))
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def look() -> None:
        gone = asyncio.create_task(asyncio.sleep(60))
        operator = Viewer("operator", user_id=1, permissions=frozenset({"case.read"}))
        await asyncio.wait_for(app._stream(app.Listener(operator), {}, send, gone), 20)
        gone.cancel()

    asyncio.run(look())
    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
