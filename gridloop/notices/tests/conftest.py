"""The tiny county of the cases room, a vehicle with an owner, and channels into a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gridloop.adapters.channels.file.channel import FileChannel
from gridloop.cases.tests.kit import Cast, build
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices import actions, handlers
from gridloop.notices.rules import Quiet
from gridloop.registry.actions import load
from gridloop.registry.messages import PersonRow, VehicleRow
from gridloop.sdk.channels import Channel, Message, Receipt

PLATE, PHONE, OWNER = "浙X12345", "13800001111", "车主王"


class Book:
    """A channel book for tests: the file outbox, with a fault in front when there is one."""

    def __init__(self, folder: Path) -> None:
        self.file = FileChannel(folder)
        self.folder = folder
        self.fault: Exception | None = None

    def channel(self, kind: str) -> Channel:
        return self

    def all(self) -> list[Any]:
        return [self.file]

    def send(self, message: Message) -> Receipt:
        if self.fault:
            raise self.fault
        self.file.send(message)
        return Receipt("ref-1")

    def lines(self) -> list[dict[str, str]]:
        found = []
        for path in sorted(self.folder.glob("*.jsonl")):
            found += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return found


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    book = Book(tmp_path / "outbox")
    monkeypatch.setattr(actions, "channels", lambda: book)
    monkeypatch.setattr(handlers, "quiet", lambda: Quiet.parse("00:00-00:00"))
    monkeypatch.setenv("GRIDLOOP_PUBLIC_URL", "http://127.0.0.1:8000")
    return book


@pytest.fixture
def county(transactional_db: None) -> Cast:
    cast = build()
    owner = PersonRow(code="P1", name=OWNER, region_code="990101100200", phone=PHONE)
    load(SYSTEM, [owner, VehicleRow(plate=PLATE, person="P1", region_code="990101100200")])
    return cast
