"""The contract of a channel: how a notice leaves the house. A channel is a folder with manifest.yaml, channel.py, README.md and tests."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

KINDS = ("sms", "app", "voice", "email", "speaker", "control")
DEVICE_KINDS = ("speaker", "control")  # what reaches devices; the others reach people


def channel_setting(kind: str, environment: Mapping[str, str] | None = None) -> str:
    """``GRIDLOOP_CHANNEL_<KIND>`` as ``adapter:address``; by default the file outbox. ``environment``: another process's."""
    if environment is not None:
        return environment.get(f"GRIDLOOP_CHANNEL_{kind.upper()}") or "file:"
    return os.environ.get(f"GRIDLOOP_CHANNEL_{kind.upper()}") or "file:"


def real_channels(environment: Mapping[str, str] | None = None) -> list[str]:
    """Adapters in use that reach real people: with any of them the deployment clock stays the real one."""
    names = {channel_setting(kind, environment).partition(":")[0] for kind in KINDS}
    return sorted(names - {"file", "console"})


@dataclass(frozen=True, slots=True)
class Message:
    """One notice to one person. ``id`` stays the same when it is sent again (``attempt`` above 1: it may have arrived, if the sender

    died before it could write that down), so that a service that knows ids sends it once.
    """

    id: str
    kind: str
    to: str
    name: str
    text: str
    lang: str
    case: str
    at: datetime
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """The service took the message; ``reference`` is its own number for it, '' when it gives none."""

    reference: str = ""


class ChannelError(Exception):
    """The message was not taken. ``permanent``: sending it again is useless (a wrong number, a refused text)."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


@runtime_checkable
class Channel(Protocol):
    """Sends. Called by several threads; must answer within ``TIMEOUT_SECONDS``."""

    def send(self, message: Message) -> Receipt:
        """Hand the message over, or raise ``ChannelError``; any other exception counts as not permanent."""
        ...


@runtime_checkable
class Forgetful(Protocol):
    """A channel that keeps messages on our side must be able to forget them."""

    def forget(self, ids: Collection[str]) -> int:
        """Take the texts and addresses of these messages out; returns how many there were."""
        ...

    def forget_before(self, at: datetime) -> int:
        """Drop messages older than this."""
        ...


TIMEOUT_SECONDS = 15
