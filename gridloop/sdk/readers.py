"""The contract of a reader: a folder with manifest.yaml, reader.py, README.md, fixtures and tests that asks devices or listens to them.

``reader.py`` has ``build(settings) -> Reader``, which raises ``ValueError`` for settings that mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import structlog

Item = dict[str, Any]
Take = Callable[[list[Item]], None]


class ReadFault(Exception):
    """The device or its network does not answer as it should; the gateway says so and tries again later."""


class Faults:
    """Why single places of a device (a register, a variable) give no reading: told when it begins, changes and is over, not at every round.

    One of them must not keep the others from being read.
    """

    def __init__(self, reader: str) -> None:
        self._log = structlog.get_logger("gridloop.gateway").bind(reader=reader)
        self._now: dict[str, str] = {}

    def tell(self, place: str, why: str) -> None:
        if self._now.get(place) != why:
            self._log.warning("no reading", place=place, why=why)
        self._now[place] = why

    def well(self, place: str) -> None:
        if self._now.pop(place, None) is not None:
            self._log.info("reading again", place=place)

    def __str__(self) -> str:
        return "; ".join(f"{place}: {why}" for place, why in list(self._now.items())[:3])


@runtime_checkable
class Reader(Protocol):
    """Reads. One instance runs in one task."""

    async def run(self, take: Take) -> None:
        """Hand over items as ``POST /api/v1/signals`` takes them, each with its time, until cancelled.

        Raises ``ReadFault`` when the connection is gone or nothing at all can be read; what single places do not give is for ``Faults``.
        """
        ...
