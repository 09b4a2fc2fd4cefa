"""The line is there, the number is not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gridloop.adapters.channels.console.channel import ConsoleChannel, build
from gridloop.sdk.testing.channel import ChannelConformance, message


@pytest.fixture
def channel(tmp_path: Path) -> ConsoleChannel:
    return build("", tmp_path)


class TestConsoleChannel(ChannelConformance):
    """Conformance."""


def test_the_number_is_masked(channel: ConsoleChannel, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        channel.send(message())
        channel.send(message(2, to="7"))
    assert "已收到" in caplog.text
    assert "13800000000" not in caplog.text
    assert "138******00" in caplog.text
