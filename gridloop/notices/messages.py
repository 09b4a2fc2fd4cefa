"""What this room asks others for and hands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gridloop.sdk.channels import Channel
from gridloop.sdk.pack import Pack


class PackBook(Protocol):
    """Where the pack of a case's version is found. Wired by the project (setting ``GRIDLOOP_SCENE_BOOK``)."""

    def pack(self, version_id: int) -> Pack: ...


class ChannelBook(Protocol):
    """Which channel carries a kind. Wired by the project (setting ``GRIDLOOP_CHANNEL_BOOK``), the only place that names adapters."""

    def channel(self, kind: str) -> Channel: ...

    def all(self) -> list[Channel]:
        """Every channel in use, once."""
        ...


@dataclass(frozen=True, slots=True)
class Recipient:
    """Someone a notice goes to. ``key`` names them without a name; ``subject`` is whose data the sealed address is."""

    key: str
    to: str
    name: str = ""
    subject: str = ""
    track_key: str = ""
