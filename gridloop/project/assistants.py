"""The assistant the environment names (``GRIDLOOP_ASSISTANT``), if any."""

from __future__ import annotations

from gridloop.project.adapters import built
from gridloop.sdk.assistants import Assistant, assistant_setting


def current() -> Assistant | None:
    """The assistant, or None when there is none. ValueError for a setting nobody understands."""
    setting = assistant_setting()
    made: Assistant | None = built("assistant", setting) if setting else None
    return made
