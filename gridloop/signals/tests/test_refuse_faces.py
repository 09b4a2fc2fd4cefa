"""Kinds that keep nothing but a pseudonym: pictures, faces and identities are refused at the door and never written down."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gridloop.doors.ingest.app import parse
from gridloop.doors.ingest.auth import Sender
from gridloop.doors.ingest.quick import Reader
from gridloop.doors.pushes import kept
from gridloop.kernel import clock
from gridloop.signals.rules import ItemFault, parse_item

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
TOKEN: dict[str, Any] = {
    "id": "1",
    "source": "police",
    "device": "gate-1",
    "kind": "unmatched_token",
    "at": "2026-05-01T08:00:00Z",
    "value": 1,
}


@pytest.fixture(autouse=True)
def _at_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def test_the_catalogue_says_which() -> None:
    assert kept() == {"unmatched_token": frozenset({"token"})}


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"token": "7c41f0a9", "face": "AAAA"}, "/data/face"),
        ({"token": "7c41f0a9", "evidence": ["0197"]}, "/data/evidence"),
        ({"name": "张三"}, "/data/name"),
        ({"token": "33090219900101123X"}, "/data/token"),
        ({"token": "身份证330902199001011234"}, "/data/token"),
        ({"token": "13812345678"}, "/data/token"),
        ({"token": "data:image/jpeg;base64,AAAA"}, "/data/token"),
        ({"token": "https://platform/face.jpg"}, "/data/token"),
        ({"token": "a" * 65}, "/data/token"),
        ({"token": [0.1, 0.2]}, "/data/token"),
    ],
)
def test_what_is_more_than_a_pseudonym_is_refused(data: dict[str, Any], pointer: str) -> None:
    body = json.dumps([TOKEN | {"data": data}, TOKEN | {"id": "2", "data": {"token": "7c41f0a9"}}]).encode()
    signals, rejected = asyncio.run(parse(body, False, Sender(), "zh"))
    assert [(one["index"], one["pointer"]) for one in rejected] == [(0, pointer)]
    assert [(s.id, dict(s.data)) for s in signals] == [("2", {"token": "7c41f0a9"})]
    with pytest.raises(ItemFault):
        parse_item(TOKEN | {"data": data}, NOW, None, kept())


def test_the_quick_way_leaves_them_to_the_exact_one() -> None:
    assert Reader(NOW, kept()).item(TOKEN | {"data": {"token": "7c41f0a9"}}) is None
    assert Reader(NOW, kept()).item(TOKEN | {"kind": "door_open", "data": {"face": "x"}}) is not None
