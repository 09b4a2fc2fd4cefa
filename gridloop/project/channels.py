"""Which adapter carries which kind of notice: ``GRIDLOOP_CHANNEL_SMS`` and its like, ``name:address``, by default the file outbox."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from gridloop.project.adapters import built
from gridloop.sdk.channels import KINDS, Channel, channel_setting


def _build(setting: str) -> Channel:
    channel: Channel = built("channel", setting, Path(settings.DATA_DIR))
    return channel


class EnvironmentBook:
    """The channels of the environment's settings; implements ``notices.messages.ChannelBook``."""

    def channel(self, kind: str) -> Channel:
        if kind not in KINDS:
            raise ValueError(f"no such kind of notice: {kind}")
        return _build(channel_setting(kind))

    def all(self) -> list[Channel]:
        return [_build(address) for address in dict.fromkeys(channel_setting(kind) for kind in KINDS)]


BOOK = EnvironmentBook()
