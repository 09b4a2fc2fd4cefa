"""The contract of an assistant: a language model that drafts words for a person to check. Off unless the deployment names one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

TIMEOUT_SECONDS = 30.0


def assistant_setting() -> str:
    """``GRIDLOOP_ASSISTANT`` as ``adapter:address``; '' when there is none."""
    return os.environ.get("GRIDLOOP_ASSISTANT", "").strip()


@dataclass(frozen=True, slots=True)
class Ask:
    """What is wanted (``task``) of which text; at most ``most`` characters back. Personal values in ``text`` are masked already."""

    task: str
    text: str
    most: int = 600


class AssistantError(Exception):
    """Nothing usable came back."""


@runtime_checkable
class Assistant(Protocol):
    """Writes. Called by several threads; must answer within ``TIMEOUT_SECONDS``."""

    def write(self, ask: Ask) -> str:
        """The draft, or ``AssistantError``."""
        ...
