"""What every channel must do. Subclass ``ChannelConformance`` and give a ``channel`` fixture that reaches a working service."""

from __future__ import annotations

from datetime import UTC, datetime

from gridloop.sdk.channels import Channel, Message, Receipt


def message(number: int = 1, **changes: object) -> Message:
    """A plausible message."""
    values: dict[str, object] = {
        "id": f"m{number}",
        "kind": "sms",
        "to": "13800000000",
        "name": "张晓梅",
        "text": "【云澜县】您反映的问题已收到。\n编号 990101“1”",
        "lang": "zh",
        "case": "9901012605010000001",
        "at": datetime(2026, 5, 1, 8, tzinfo=UTC),
    }
    return Message(**(values | changes))  # type: ignore[arg-type]  # a test builder takes any field


class ChannelConformance:
    """Takes a message and answers with a receipt."""

    def test_is_a_channel(self, channel: Channel) -> None:
        assert isinstance(channel, Channel)

    def test_takes_a_message(self, channel: Channel) -> None:
        assert isinstance(channel.send(message()), Receipt)

    def test_takes_the_same_message_again(self, channel: Channel) -> None:
        channel.send(message())
        assert isinstance(channel.send(message()), Receipt)
