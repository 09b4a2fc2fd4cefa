"""Lines arrive whole, in order, and can be taken out again."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridloop.adapters.channels.file.channel import FileChannel, build
from gridloop.sdk.channels import Forgetful
from gridloop.sdk.testing.channel import ChannelConformance, message


@pytest.fixture
def channel(tmp_path: Path) -> FileChannel:
    return build("", tmp_path)


def lines(folder: Path, kind: str = "sms") -> list[dict[str, str]]:
    return [json.loads(x) for x in (folder / "outbox" / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]


class TestFileChannel(ChannelConformance):
    """Conformance."""


def test_one_line_a_message_readable_by_us_only(channel: FileChannel, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as many:
        list(many.map(lambda n: channel.send(message(n)), range(100)))
    channel.send(message(1, kind="voice"))
    assert sorted(x["id"] for x in lines(tmp_path)) == sorted(f"m{n}" for n in range(100))
    assert lines(tmp_path)[0]["text"] == message().text
    assert len(lines(tmp_path, "voice")) == 1
    assert stat.S_IMODE((tmp_path / "outbox" / "sms.jsonl").stat().st_mode) == 0o600


def test_a_message_sent_again_stands_there_once(channel: FileChannel, tmp_path: Path) -> None:
    channel.send(message(1))
    channel.send(message(2, attempt=2))  # the first attempt did not come so far
    channel.send(message(1, attempt=2))
    assert [x["id"] for x in lines(tmp_path)] == ["m1", "m2"]


def test_forgets(channel: FileChannel, tmp_path: Path) -> None:
    assert isinstance(channel, Forgetful)
    for n in range(4):
        channel.send(message(n, at=datetime(2026, 5, 1 + n, tzinfo=UTC)))
    assert channel.forget(["m3", "unknown"]) == 1
    assert channel.forget_before(datetime(2026, 5, 2, tzinfo=UTC)) == 1
    assert [x["id"] for x in lines(tmp_path)] == ["m1", "m2"]
