"""The contract of a reader: a folder with manifest.yaml, reader.py, README.md and tests that asks devices or listens to them.

``reader.py`` has ``build(settings) -> Reader``, which raises ``ValueError`` for settings that mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

Item = dict[str, Any]
Take = Callable[[list[Item]], None]


class ReadFault(Exception):
    """The device or its network does not answer as it should; the gateway says so and tries again later."""


@runtime_checkable
class Reader(Protocol):
    """Reads. One instance runs in one task."""

    async def run(self, take: Take) -> None:
        """Hand over items as ``POST /api/v1/signals`` takes them, each with its time, until cancelled. Raises ``ReadFault``."""
        ...
