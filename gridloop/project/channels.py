"""Which adapter carries which kind of notice: ``GRIDLOOP_CHANNEL_SMS`` and its like, ``name:address``, by default the file outbox."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from django.conf import settings

from gridloop.kernel import plain_yaml
from gridloop.sdk.channels import KINDS, Channel, channel_setting

FOLDER = Path(__file__).resolve().parent.parent / "adapters" / "channels"


def known() -> dict[str, dict[str, object]]:
    """Manifests of the installed channel adapters by id."""
    return {path.parent.name: plain_yaml.read(path) for path in sorted(FOLDER.glob("*/manifest.yaml"))}


@cache
def _build(address: str) -> Channel:
    name, _, rest = address.partition(":")
    manifest = known().get(name)
    if manifest is None:
        raise ValueError(f"channel {name!r} is not installed; there are: {', '.join(known())}")
    channel: Channel = importlib.import_module(f"gridloop.adapters.channels.{name}.channel").build(rest, Path(settings.DATA_DIR))
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
